"""Reading ahead in one object: several ranges under way at once, and never more memory than a few of them."""

from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from threading import BoundedSemaphore
from typing import NamedTuple

RANGE = 8 * 2**20
AHEAD = 8
"""How many ranges all open files of a source together ask for before they are wanted."""

Ask = Callable[[int, int], "Future[bytearray]"]
Take = Callable[["Future[bytearray]"], bytearray]


class _Range(NamedTuple):
    begin: int
    end: int
    coming: "Future[bytearray]"
    ahead: bool


class RemoteFile:
    """An open object; for one thread at a time.

    `ask` starts to fetch a range and `take` waits for it; `end` is where reading is known to end. Where it is not
    known, as much is read ahead as was read in sequence: a short part in a long file costs at most its own size again.
    """

    def __init__(self, ask: Ask, take: Take, size: int, end: int | None, budget: BoundedSemaphore) -> None:
        self._ask, self._take, self._size, self._budget = ask, take, size, budget
        self._end = size if end is None else min(end, size)
        self._reach = 0 if end is None else AHEAD * RANGE
        self._coming: deque[_Range] = deque()
        self._held, self._begin = memoryview(b""), 0
        self._next: int | None = None  # where the next read begins if it is in sequence

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` from `offset` as far as the range at hand goes; return the number of bytes read."""
        if not self._begin <= offset < self._begin + len(self._held):
            if offset >= self._size or not len(buffer):
                return 0
            self._advance(offset, len(buffer))
        found = self._held[offset - self._begin :][: len(buffer)]
        buffer[: len(found)] = found
        return len(found)

    def _advance(self, offset: int, wanted: int) -> None:
        """Hold the range that begins at `offset`, and have those behind it under way."""
        in_sequence = self._next in (None, offset)
        if self._coming and self._coming[0].begin != offset:
            self.close()
        self._held = memoryview(b"")  # before the next one is waited for: it is memory
        if not self._coming:
            stop = self._end if offset < self._end else self._size
            length = RANGE if self._reach else min(max(wanted, 1), RANGE)
            self._request(offset, min(offset + length, stop), ahead=False)
        self._read_ahead()
        first = self._coming[0]  # it stays there while it is waited for, so that whoever closes the file ends the wait
        data = self._take(first.coming)
        self._give_back(self._coming.popleft())
        self._held, self._begin, self._next = memoryview(data), first.begin, first.end
        if in_sequence:
            self._reach = min(self._reach + len(data), AHEAD * RANGE)

    def _read_ahead(self) -> None:
        begin = self._coming[-1].end
        limit = min(self._coming[0].end + self._reach, self._end)
        while begin < limit and self._budget.acquire(blocking=False):
            end = min(begin + RANGE, limit)
            self._request(begin, end, ahead=True)
            begin = end

    def _request(self, begin: int, end: int, *, ahead: bool) -> None:
        self._coming.append(_Range(begin, end, self._ask(begin, end), ahead))

    def _give_back(self, done: _Range) -> None:
        if done.ahead:
            self._budget.release()

    def close(self) -> None:
        """Forget what is under way; also from another thread."""
        while self._coming:
            dropped = self._coming.popleft()
            dropped.coming.cancel()
            self._give_back(dropped)
