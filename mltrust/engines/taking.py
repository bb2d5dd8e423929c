"""What threads share: pieces of work that wait, and blocks of bytes that are read."""

from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from mltrust.errors import ChangedError
from mltrust.interfaces import OpenFile, Segment, Silent

_T = TypeVar("_T")


@dataclass(frozen=True)
class Calling(Silent):
    """A progress that calls a function with every advance."""

    call: Callable[[int], None]

    def advance(self, size: int) -> None:
        """Call it."""
        self.call(size)


def pieces_of(indexes: Sequence[int], size: int) -> deque[Sequence[int]]:
    """Cut indexes into pieces of `size`, each for one thread."""
    return deque(indexes[at : at + size] for at in range(0, len(indexes), size))


def take(waiting: deque[_T]) -> _T | None:
    """Take what waits first; other threads take, too."""
    try:
        return waiting.popleft()
    except IndexError:
        return None


def fill(opened: OpenFile, buffer: memoryview, position: int, segment: Segment) -> memoryview:
    """Read into `buffer` at `position`; a file that ends early became shorter since it was listed."""
    size = opened.read_into(buffer, position)
    if size == 0:
        raise ChangedError(segment.file.path, "became shorter while it was read")
    return buffer[:size]
