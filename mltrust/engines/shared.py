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
from mmap import mmap
from typing import NoReturn

from mltrust.core.digest import DIGEST_SIZE

_NUMBER = struct.Struct("=I")
_MAX_PIECES = 4096 // _NUMBER.size  # as many numbers as the smallest pipe holds
_MAX_COPIES = 7  # beyond, they wait for the file system and for this process
_DONE = 1


def may_fork() -> bool:
    """Tell whether this process can be copied safely: only Linux says how many threads it really has."""
    try:
        return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208  # a Path would say no more
    except OSError:
        return False


class SharedWork:
    """The digests of `count` things, being worked out by copies of this process from the start.

    `digests` returns those of a range of indexes, joined; each has `width` bytes.

    This process may do something else meanwhile; it joins in when it is asked to `finish`. Whoever begins work ends
    it by `finish` or `abandon`: copies are waited for there.
    """

    def __init__(self, count: int, digests: Callable[[range], bytes], copies: int, width: int = DIGEST_SIZE) -> None:
        self._work = _Work(count, digests, width)
        self._copies: list[int] = []
        with suppress(OSError), _interrupts_waiting() as mask:  # no more processes to be had: fewer do it
            self._copies.extend(self._work.copy(mask) for _ in range(min(copies, _MAX_COPIES)))

    def finish(self, advance: Callable[[range], None]) -> Sequence[bytes]:
        """Return the digests in order; `advance` hears which pieces are done.

        A copy that meets trouble leaves its piece undone; this process then does it again, and raises what it meets.
        """
        work, told = self._work, 0
        try:
            for piece in work.tickets():
                work.do(piece)
                told = work.tell(told, advance)
        finally:
            self.abandon()
        for piece in range(told, work.pieces):
            if not work.is_done(piece):
                work.do(piece)
        work.tell(told, advance)
        return work.found()

    def abandon(self) -> None:
        """Leave what nobody has taken, and wait for the copies to end."""
        for _ in self._work.tickets():
            pass
        for copy in self._copies:
            with suppress(ChildProcessError):  # where SIGCHLD is ignored, the system has waited for us
                os.waitpid(copy, 0)
        self._copies.clear()
        self._work.close()


@contextmanager
def _interrupts_waiting() -> Iterator[set[int]]:
    """Let an interrupt wait until the block is over: Python drops one that comes while it forks."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield mask
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


class _Work:
    """Pieces of a range of indexes; their numbers wait in a pipe, the digests go to memory that all copies share."""

    def __init__(self, count: int, digests: Callable[[range], bytes], width: int) -> None:
        self._count, self._digests, self._width = count, digests, width
        self._size = -(-count // _MAX_PIECES)
        self.pieces = -(-count // self._size)
        self._found = mmap(-1, count * width)
        self._done = mmap(-1, self.pieces)
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
        """Work, as a copy, until nothing is left or the `first` process is gone; then end."""
        try:
            signal.signal(signal.SIGINT, signal.SIG_DFL)
            signal.pthread_sigmask(signal.SIG_SETMASK, mask)
            gc.disable()  # a collection would only touch, and so copy, the memory both processes share
            for piece in self.tickets():
                if os.getppid() != first:  # it was killed: nobody will read what is found
                    break
                self.do(piece)
        finally:  # whatever the trouble is, the first process meets it again
            os._exit(0)

    def do(self, piece: int) -> None:
        """Work one piece out."""
        indexes, width = self._range(piece), self._width
        self._found[indexes.start * width : indexes.stop * width] = self._digests(indexes)
        self._done[piece] = _DONE

    def is_done(self, piece: int) -> bool:
        """Tell whether anybody has worked `piece` out."""
        return self._done[piece] == _DONE

    def tell(self, told: int, advance: Callable[[range], None]) -> int:
        """Let `advance` hear of the pieces done after the first `told`, as far as none is missing; return how many."""
        while told < self.pieces and self.is_done(told):
            advance(self._range(told))
            told += 1
        return told

    def found(self) -> list[bytes]:
        """Return the digests in order."""
        found, width = bytes(self._found), self._width
        return [found[at : at + width] for at in range(0, len(found), width)]

    def close(self) -> None:
        """Close the pipe."""
        if self._open:
            self._open = False
            os.close(self._tickets)

    def _range(self, piece: int) -> range:
        return range(piece * self._size, min((piece + 1) * self._size, self._count))
