"""New memory, laid out by the system in one call before it is filled: cheaper than a fault for each of its pages."""

import mmap
import sys
from collections.abc import Callable
from functools import cache

_AT_HAND = 512 * 1024  # bytes, which a core keeps in its cache until they are filled and hashed
_POPULATE_WRITE = 23  # MADV_POPULATE_WRITE of Linux since 5.14


def touched(memory: memoryview, start: int) -> memoryview:
    """Return a piece of writable `memory` from `start`, whose pages are there if the system knows how; nothing else."""
    piece = memory[start : start + _AT_HAND]
    if sys.platform == "linux" and piece:
        _toucher()(piece)
    return piece


@cache
def _toucher() -> Callable[[memoryview], None]:
    """Return what touches memory; `mmap.madvise` would do, if other threads need not wait for it."""
    import ctypes

    system = ctypes.CDLL(None)
    system.madvise.argtypes = (ctypes.c_void_p, ctypes.c_size_t, ctypes.c_int)

    def populate(memory: memoryview) -> None:
        start = ctypes.addressof(ctypes.c_char.from_buffer(memory))
        begin = start - start % mmap.PAGESIZE
        system.madvise(begin, start + len(memory) - begin, _POPULATE_WRITE)  # if refused, pages come by faults

    return populate
