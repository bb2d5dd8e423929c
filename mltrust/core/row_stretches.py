"""Where two sequences of 32-byte hashes differ: the stretches between rows that are equal, pair by pair."""

from collections import Counter
from collections.abc import Iterator
from typing import NamedTuple

from mltrust.core.digest import DIGEST_SIZE

_STRIDE = 2**11  # rows compared at once: 64 KiB
_FEW = 2**14  # rows that are one stretch, to be looked at as a whole
_WINDOWS = (16, 64, 256)  # rows within which two sides have to meet again
_TRIES = 2**12  # places at which that is tried; where there are more, the rest is one stretch


class Stretch(NamedTuple):
    """Rows of either side between two pairs of equal ones."""

    here: range
    there: range


def stretches(before: memoryview, after: memoryview) -> Iterator[Stretch]:
    """Yield where the two sides differ: all outside is equal, pair by pair."""
    n, m = len(before) // DIGEST_SIZE, len(after) // DIGEST_SIZE
    i = j = _equal(before, 0, after, 0, min(n, m))
    same = _equal(before, n, after, m, min(n, m) - i, backwards=True)
    n, m = n - same, m - same
    tries = _TRIES
    while i < n and j < m and max(n - i, m - j) > _FEW and tries:
        met = _met_at_once(before, range(i, n), after, range(j, m))
        if met is None:
            tries -= 1
            met = _meeting(before, range(i, n), after, range(j, m))
        if met is None:
            break
        yield Stretch(range(i, met[0]), range(j, met[1]))
        same = _equal(before, met[0], after, met[1], min(n - met[0], m - met[1]))
        i, j = met[0] + same, met[1] + same
    if i < n or j < m:
        yield Stretch(range(i, n), range(j, m))


def _part(hashes: memoryview, start: int, count: int) -> bytes:
    return bytes(hashes[start * DIGEST_SIZE : (start + count) * DIGEST_SIZE])


def _equal(before: memoryview, i: int, after: memoryview, j: int, most: int, *, backwards: bool = False) -> int:
    """Return how many rows from `i` and `j` on, or before them, are equal, at `most`; strides grow while they are."""
    done, stride, differs = 0, 16, False
    while done < most:
        count = min(stride, most - done)
        shift = -done - count if backwards else done
        if _part(before, i + shift, count) == _part(after, j + shift, count):
            done, stride = done + count, stride if differs else min(2 * stride, _STRIDE)
        elif count == 1:
            break
        else:
            stride, differs = count // 2, True
    return done


def _met_at_once(before: memoryview, here: range, after: memoryview, there: range) -> tuple[int, int] | None:
    """Return the rows after the first ones if they are equal, and those after them: the usual case, one row changed."""
    old, new = _part(before, here.start + 1, 2), _part(after, there.start + 1, 2)
    if old == new and len(here) > 2 and len(there) > 2:  # noqa: PLR2004  # so many are looked at
        return here.start + 1, there.start + 1
    return None


def _meeting(before: memoryview, here: range, after: memoryview, there: range) -> tuple[int, int] | None:
    """Return the nearest rows that are equal, and that either side has once thereabouts."""
    for window in _WINDOWS:
        old, new = _once(before, here[:window]), _once(after, there[:window])
        if shared := old.keys() & new.keys():
            return min(((old[each], new[each]) for each in shared), key=lambda pair: (sum(pair), pair))
    return None


def _once(hashes: memoryview, rows: range) -> dict[bytes, int]:
    """Return the rows that occur once among some, with their indexes."""
    found = [_part(hashes, index, 1) for index in rows]
    places = dict(zip(found, rows, strict=True))
    if len(places) == len(found):
        return places
    often = Counter(found)
    return {each: index for each, index in places.items() if often[each] == 1}
