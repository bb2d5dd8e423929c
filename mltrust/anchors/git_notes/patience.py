"""Trying again, later and later and not at the same time as others."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

TRIES = 100

_FIRST_SECONDS = 0.01
_GROWTH = 1.3
_LONGEST_SECONDS = 0.5


@dataclass(frozen=True)
class Patience:
    """Where the chance comes from, and how to wait for so many seconds."""

    random: Callable[[int], bytes]
    sleep: Callable[[float], None]

    def tries(self, most: int = TRIES) -> Iterator[int]:
        """Yield the number of each try; between two, wait for a random part of a growing time."""
        for number in range(most):
            if number:
                longest = min(_LONGEST_SECONDS, _FIRST_SECONDS * _GROWTH**number)
                self.sleep(longest * int.from_bytes(self.random(2)) / 2**16)
            yield number
