"""Memory that nobody else has: anonymous, never a file that is mapped, whose bytes would change with the file."""

import mmap
from collections.abc import Iterator, Sequence
from itertools import accumulate

from mltrust.core.names import count
from mltrust.errors import UnreadableError

_ALIGNMENT = 64  # bytes: the widest that processors load at once
_LARGE = 2**20


def rooms(sizes: Sequence[int]) -> list[memoryview]:
    """Return writable memory of each of `sizes` bytes, aligned to 64 bytes.

    A large room is given back alone, as soon as nothing refers to it; small ones share mappings of a few MiB.
    Raises `UnreadableError` if there is not so much memory.
    """
    found: dict[int, memoryview] = {}
    for group in _groups(sizes):
        *starts, end = accumulate((_aligned(sizes[index]) for index in group), initial=0)
        memory = _anonymous(end)
        for index, start in zip(group, starts, strict=True):
            found[index] = memory[start : start + sizes[index]]
    return [found[index] for index in range(len(sizes))]


def _groups(sizes: Sequence[int]) -> Iterator[list[int]]:
    """Yield the indexes of what goes into one mapping."""
    small: list[int] = []
    filled = 0
    for index, size in enumerate(sizes):
        if size >= _LARGE:
            yield [index]
            continue
        small.append(index)
        filled += _aligned(size)
        if filled >= _LARGE:
            yield small
            small, filled = [], 0
    if small:
        yield small


def _aligned(size: int) -> int:
    return -(-size // _ALIGNMENT) * _ALIGNMENT


def _anonymous(size: int) -> memoryview:
    if not size:
        return memoryview(bytearray())
    try:
        private = {"flags": mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS} if hasattr(mmap, "MAP_ANONYMOUS") else {}
        memory = mmap.mmap(-1, size, **private)
    except (OSError, MemoryError, OverflowError) as error:
        raise UnreadableError(f"there is no memory for {count(size, 'byte')}", hint="Load fewer tensors.") from error
    return memoryview(memory)  # huge pages are not asked for: docs/decisions/0033
