"""Many small pieces of work, shared with copies of this process: whoever is free takes the next piece.

A copy (`fork`) needs nothing sent to it and starts in milliseconds. It is made only while this process has a
single thread: a lock that another thread holds at that moment would stay locked in the copy for ever.
"""

import gc
import os
import signal
import struct
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from itertools import accumulate, pairwise
from mmap import mmap
from time import sleep
from typing import Final, NoReturn

_NUMBER = struct.Struct("=I")
_MAX_PIECES = 4096 // _NUMBER.size  # as many numbers as the smallest pipe holds
_MAX_COPIES = 7  # beyond, they wait for the file system and for this process
_DONE = 1
_COUNT: Final = "Q"  # bytes read: 8 bytes that one process writes and another reads
_MOMENT = 0.005  # seconds

Advance = Callable[[int], None]
Digests = Callable[[range, Advance], bytes]


def may_fork() -> bool:
    """Tell whether this process can be copied safely: only Linux says how many threads it really has."""
    try:
        return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208  # a Path would say no more
    except OSError:
        return False


class SharedWork:
    """The digests of some things, being worked out by copies of this process from the start.

    `digests` returns those of a range of indexes, joined; each has as many bytes as `widths` say. It says how many
    bytes it has read as it reads them; what it calls to say so may raise, where nobody waits for its answer any more.

    This process may do something else meanwhile; it joins in when it is asked to `finish`. Whoever begins work ends
    it by `finish` or `abandon`: copies are waited for there.
    """

    def __init__(self, widths: Sequence[int], digests: Digests, copies: int) -> None:
        self._work = _Work(widths, digests)
        self._copies: list[int] = []
        with suppress(OSError), interrupts_waiting() as mask:  # no more processes to be had: fewer do it
            self._copies.extend(self._work.copy(mask) for _ in range(min(copies, _MAX_COPIES)))

    def finish(self, advance: Advance) -> Sequence[bytes]:
        """Return the digests in order; `advance` hears of bytes as they are read, here or by a copy.

        A copy that meets trouble leaves its piece undone; this process then does it again, and raises what it meets.
        """
        work, told = self._work, 0

        def tell() -> None:
            nonlocal told
            more = work.read() - told
            if more > 0:  # less where a piece is done again
                told += more
                advance(more)

        try:
            for piece in work.tickets():
                work.do(piece, tell)
            while self._copies:
                self._copies = [copy for copy in self._copies if _is_running(copy)]
                tell()
                sleep(_MOMENT if self._copies else 0)
        finally:
            self.abandon()
        for piece in range(work.pieces):
            if not work.is_done(piece):
                work.do(piece, tell)
        tell()
        return work.found()

    def abandon(self) -> None:
        """Leave what nobody has taken, and wait for the copies to end: they leave what they are at."""
        for _ in self._work.tickets():
            pass
        self._work.end()
        for copy in self._copies:
            with suppress(ChildProcessError):  # where SIGCHLD is ignored, the system has waited for us
                os.waitpid(copy, 0)
        self._copies.clear()
        self._work.close()


def _is_running(copy: int) -> bool:
    try:
        return os.waitpid(copy, os.WNOHANG) == (0, 0)
    except ChildProcessError:  # where SIGCHLD is ignored, the system has waited for us
        return False


@contextmanager
def interrupts_waiting() -> Iterator[set[int]]:
    """Let an interrupt wait until the block is over: Python drops one that comes while it forks, or starts a thread."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield set()
        return
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield mask
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


class _EndedError(Exception):
    """Nobody waits for what a copy is at."""


class _Work:
    """Pieces of a range of indexes; their numbers wait in a pipe, the digests go to memory that all copies share.

    There, too, stands how many bytes of each piece were read, and that nobody waits for the rest.
    """

    def __init__(self, widths: Sequence[int], digests: Digests) -> None:
        self._count, self._digests = len(widths), digests
        self._ends = [0, *accumulate(widths)]
        self._size = -(-self._count // _MAX_PIECES)
        self.pieces = -(-self._count // self._size)
        self._found = mmap(-1, self._ends[-1])
        self._done, self._ended = mmap(-1, self.pieces), mmap(-1, 1)
        self._read = memoryview(mmap(-1, self.pieces * struct.calcsize(_COUNT))).cast(_COUNT)
        self._tickets, end = os.pipe()
        os.write(end, b"".join(_NUMBER.pack(piece) for piece in range(self.pieces)))
        os.close(end)
        self._open = True

    def tickets(self) -> Iterator[int]:
        """Take the numbers of pieces nobody has taken yet, one by one."""
        while self._open and (ticket := os.read(self._tickets, _NUMBER.size)):
            yield _NUMBER.unpack(ticket)[0]

    def copy(self, mask: set[int]) -> int:
        """Start a copy of this process that works until nothing is left; return its process number."""
        first = os.getpid()
        copy = os.fork()
        if copy == 0:
            self._help(first, mask)
        return copy

    def _help(self, first: int, mask: set[int]) -> NoReturn:
        """Work, as a copy, until nothing is left, or the `first` process waits no more or is gone; then end."""

        def look_up() -> None:
            if self._ended[0] or os.getppid() != first:
                raise _EndedError

        try:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            gc.disable()  # a collection would only touch, and so copy, the memory both processes share
            for piece in self.tickets():
                look_up()
                self.do(piece, look_up)
        finally:  # whatever the trouble is, the first process meets it again
            os._exit(0)

    def do(self, piece: int, watch: Callable[[], None]) -> None:
        """Work one piece out; `watch` is called whenever something of it was read."""
        indexes = self._range(piece)
        self._read[piece] = 0

        def advance(size: int) -> None:
            self._read[piece] += size
            watch()

        self._found[self._ends[indexes.start] : self._ends[indexes.stop]] = self._digests(indexes, advance)
        self._done[piece] = _DONE

    def is_done(self, piece: int) -> bool:
        """Tell whether anybody has worked `piece` out."""
        return self._done[piece] == _DONE

    def read(self) -> int:
        """Return how many bytes anybody has read so far."""
        return sum(self._read)

    def end(self) -> None:
        """Say that nobody waits for what is not done yet."""
        self._ended[0] = _DONE

    def found(self) -> list[bytes]:
        """Return the digests in order."""
        found = bytes(self._found)
        return [found[begin:end] for begin, end in pairwise(self._ends)]

    def close(self) -> None:
        """Close the pipe."""
        if self._open:
            self._open = False
            os.close(self._tickets)

    def _range(self, piece: int) -> range:
        return range(piece * self._size, min((piece + 1) * self._size, self._count))
