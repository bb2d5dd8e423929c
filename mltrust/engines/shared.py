"""Many small pieces of work, shared with copies of this process: whoever is free takes the next batch.

A copy (`fork`) needs nothing sent to it and starts in milliseconds. It is made only while this process has a
single thread: a lock that another thread holds at that moment would stay locked in the copy for ever.
"""

import gc
import os
import signal
import struct
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from mmap import mmap
from typing import NoReturn

from mltrust.core.digest import DIGEST_SIZE

_NUMBER = struct.Struct("=I")
_MAX_BATCHES = 4096 // _NUMBER.size  # as many numbers as the smallest pipe holds
_MAX_COPIES = 7  # beyond, they wait for the file system
_DONE = 1


def may_fork() -> bool:
    """Tell whether this process can be copied safely: only Linux says how many threads it really has."""
    try:
        return len(os.listdir("/proc/self/task")) == 1  # noqa: PTH208  # a Path would say no more
    except OSError:
        return False


def digests(
    count: int, digest: Callable[[int], bytes], helpers: int, advance: Callable[[range], None]
) -> Iterator[bytes]:
    """Yield `digest(i)` for every i below `count`, worked out by this process and `helpers` copies of it.

    `advance` hears which batches are done. A copy that meets trouble leaves its batch undone; this process
    then does it again, and raises what it meets.
    """
    work = _Work(count, digest)
    copies: list[int] = []
    try:
        with suppress(OSError), _interrupts_waiting() as mask:  # no more processes to be had: fewer do it
            copies.extend(work.copy(mask) for _ in range(min(helpers, _MAX_COPIES)))
        untold = list(range(work.batches))
        for batch in work.tickets():
            work.do(batch)
            untold = [other for other in untold if not work.tell(other, advance)]
    finally:
        for _ in work.tickets():  # after trouble: nothing more to do for the copies
            pass
        for copy in copies:
            with suppress(ChildProcessError):  # where SIGCHLD is ignored, the system has waited for us
                os.waitpid(copy, 0)
        work.close()
    for batch in untold:
        if not work.is_done(batch):
            work.do(batch)
        work.tell(batch, advance)
    return work.found()


@contextmanager
def _interrupts_waiting() -> Iterator[set[int]]:
    """Let an interrupt wait until the block is over: Python drops one that comes while it forks."""
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield mask
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)


class _Work:
    """Batches of indexes; their numbers wait in a pipe, the digests go to memory that all copies share."""

    def __init__(self, count: int, digest: Callable[[int], bytes]) -> None:
        self._count, self._digest = count, digest
        self._size = -(-count // _MAX_BATCHES)
        self.batches = -(-count // self._size)
        self._found = mmap(-1, count * DIGEST_SIZE)
        self._done = mmap(-1, self.batches)
        self._tickets, end = os.pipe()
        os.write(end, b"".join(_NUMBER.pack(batch) for batch in range(self.batches)))
        os.close(end)

    def tickets(self) -> Iterator[int]:
        """Take the numbers of batches nobody has taken yet, one by one."""
        while ticket := os.read(self._tickets, _NUMBER.size):
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
            for batch in self.tickets():
                if os.getppid() != first:  # it was killed: nobody will read what is found
                    break
                self.do(batch)
        finally:  # whatever the trouble is, the first process meets it again
            os._exit(0)

    def do(self, batch: int) -> None:
        """Work one batch out."""
        batch_range = self._range(batch)
        found = b"".join([self._digest(index) for index in batch_range])
        self._found[batch_range.start * DIGEST_SIZE : batch_range.stop * DIGEST_SIZE] = found
        self._done[batch] = _DONE

    def is_done(self, batch: int) -> bool:
        """Tell whether anybody has worked `batch` out."""
        return self._done[batch] == _DONE

    def tell(self, batch: int, advance: Callable[[range], None]) -> bool:
        """Let `advance` hear of `batch` if it is done; return whether it is."""
        done = self.is_done(batch)  # asked once: a copy may finish the batch at any moment
        if done:
            advance(self._range(batch))
        return done

    def found(self) -> Iterator[bytes]:
        """Yield the digests in order."""
        return (self._found[at : at + DIGEST_SIZE] for at in range(0, self._count * DIGEST_SIZE, DIGEST_SIZE))

    def close(self) -> None:
        """Close the pipe."""
        os.close(self._tickets)

    def _range(self, batch: int) -> range:
        return range(batch * self._size, min((batch + 1) * self._size, self._count))
