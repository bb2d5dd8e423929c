"""Which rows of a file differ: two sequences of 32-byte hashes, one a row, compared as a text is by lines.

1. What both begin and end with is passed over, and so is every stretch between that is equal, as long as the two meet
   again within some hundred rows. Of a million rows with a few that differ, only those are looked at further.
2. Among the others, rows that stand once on either side and in the same order stay in place: a longest increasing
   subsequence. What stands beside them in the same order stays, too; then what occurs several times.
3. What is left and on both sides has moved. What is left between two rows that stay was changed, the first with the
   first; where one side has more, rows were added or removed.

Memory beside the hashes is some 60 bytes for each row that is looked at, and some 150 MB however many there are.
"""

import struct
from array import array
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise, repeat
from typing import NamedTuple

from mltrust.core.digest import DIGEST_SIZE
from mltrust.core.row_stretches import Stretch, stretches

_HASH = struct.Struct(f"{DIGEST_SIZE}s")
_AT_ONCE = 2**20  # hashes in a table, 150 bytes each


class Numbers(NamedTuple):
    """What became of rows, by index: the changed and the moved ones of both sides, and those of one side only."""

    changed: tuple[Sequence[int], Sequence[int]]
    removed: Sequence[int]
    added: Sequence[int]
    moved: tuple[Sequence[int], Sequence[int]]


@dataclass(frozen=True)
class RowDifference:
    """What differs between two sequences of rows, by index: which rows moved, and which only one side has.

    `removed_in` and `added_in` say between which of the rows that stay in place each of `removed` and `added` stands.
    """

    moved: tuple[Sequence[int], Sequence[int]]
    removed: Sequence[int]
    added: Sequence[int]
    removed_in: Sequence[int]
    added_in: Sequence[int]

    def by_place(self) -> Numbers:
        """Say what was changed: of what stands at the same place, the first with the first."""
        old, new, removed, added = _row(), _row(), _row(), _row()
        here = there = 0
        while here < len(self.removed) and there < len(self.added):
            one, two = self.removed_in[here], self.added_in[there]
            if one == two:
                old.append(self.removed[here])
                new.append(self.added[there])
            elif one < two:
                removed.append(self.removed[here])
            else:
                added.append(self.added[there])
            here, there = here + (one <= two), there + (two <= one)
        removed.extend(self.removed[here:])
        added.extend(self.added[there:])
        return Numbers((old, new), removed, added, self.moved)

    def by_key(self, old: dict[str, int], new: dict[str, int]) -> Numbers:
        """Say what was changed: of `removed` and `added`, all of which have a key here, those of one key."""
        shared = sorted((index, new[key]) for key, index in old.items() if key in new)
        changed = _row(one for one, _ in shared), _row(two for _, two in shared)
        removed = sorted(index for key, index in old.items() if key not in new)
        added = sorted(index for key, index in new.items() if key not in old)
        return Numbers(changed, removed, added, self.moved)


def row_difference(before: memoryview, after: memoryview) -> RowDifference:
    """Compare two sequences of hashes, 32 bytes each side by side."""
    return _Rest(before, after, list(stretches(before, after))).difference()


def _row(values: Iterable[int] = ()) -> "array[int]":
    return array("q", values)


class _Side:
    """The rows of one side that are looked at, in order: their index, stretch and class; which stay, and which move.

    Rows of one class have equal hashes, also those of the other side.
    """

    def __init__(self, hashes: memoryview, stretches: Sequence[range]) -> None:
        self._hashes, self._stretches = hashes, stretches
        self.index, self.stretch = _row(), _row()
        for number, rows in enumerate(stretches):
            self.index.extend(rows)
            self.stretch.extend(repeat(number, len(rows)))
        self.kind = _row([0]) * len(self.index)
        self.stays = bytearray(len(self.index))
        self.moves = bytearray(len(self.index))

    def classify(self, classes: dict[bytes, int], first: int, low: bytes, high: bytes) -> None:
        """Give rows with hashes from `low` up to `high` their class: one of `classes`, or a new one from `first` on."""
        place, kind = 0, self.kind
        for rows in self._stretches:
            for (each,) in _HASH.iter_unpack(self._hashes[rows.start * DIGEST_SIZE : rows.stop * DIGEST_SIZE]):
                if low <= each < high:
                    kind[place] = classes.setdefault(each, first + len(classes))
                place += 1

    def counts(self, classes: int) -> "array[int]":
        """Return how often each class occurs."""
        found = _row([0]) * classes
        for kind in self.kind:
            found[kind] += 1
        return found

    def gaps(self) -> "array[int]":
        """Return between which of the rows that stay each row stands: one number on both sides is one gap."""
        found, kept = _row(), 0
        for stretch, stays in zip(self.stretch, self.stays, strict=True):
            kept += stays
            found.append(stretch + kept)
        return found

    def staying(self, place: int, stretch: int, kind: int) -> bool:
        """Tell whether the row at `place` may stay beside one that does: it is of this class, and in no pair."""
        within = 0 <= place < len(self.kind) and self.stretch[place] == stretch
        return within and self.kind[place] == kind and not self.stays[place]


class _Rest:
    """The rows that are looked at one by one; a place is the number of a row among those of its side."""

    def __init__(self, before: memoryview, after: memoryview, stretches: Sequence[Stretch]) -> None:
        self._old = _Side(before, [stretch.here for stretch in stretches])
        self._new = _Side(after, [stretch.there for stretch in stretches])
        self._classes = 0

    def difference(self) -> RowDifference:
        """Return what moved, and what only one side has."""
        old, new = self._old, self._new
        self._classify()
        counts = old.counts(self._classes), new.counts(self._classes)
        self._keep(self._single(*counts))
        gaps = old.gaps(), new.gaps()
        self._keep(self._repeated(*counts, *gaps))
        gaps = old.gaps(), new.gaps()
        moved = self._moved()
        lost, come = (
            [place for place in range(len(side.index)) if not side.stays[place] and not side.moves[place]]
            for side in (old, new)
        )
        return RowDifference(
            moved,
            _row(old.index[place] for place in lost),
            _row(new.index[place] for place in come),
            _row(gaps[0][place] for place in lost),
            _row(gaps[1][place] for place in come),
        )

    def _classify(self) -> None:
        rounds = -(-(len(self._old.index) + len(self._new.index)) // _AT_ONCE)
        bounds = [bytes(divmod(0x10000 * at // rounds, 256)) for at in range(rounds)]
        for low, high in pairwise([*bounds, b"\xff" * (DIGEST_SIZE + 1)]):
            classes: dict[bytes, int] = {}
            for side in (self._old, self._new):
                side.classify(classes, self._classes, low, high)
            self._classes += len(classes)

    def _single(self, here: Sequence[int], there: Sequence[int]) -> Iterator[tuple[int, int]]:
        """Yield the pairs of equal rows that either side has once, in one stretch."""
        places = _row([0]) * self._classes
        for place, kind in enumerate(self._new.kind):
            places[kind] = place
        for place, (kind, stretch) in enumerate(zip(self._old.kind, self._old.stretch, strict=True)):
            if here[kind] == there[kind] == 1 and self._new.stretch[places[kind]] == stretch:
                yield place, places[kind]

    def _repeated(
        self, here: Sequence[int], there: Sequence[int], gaps_here: Sequence[int], gaps_there: Sequence[int]
    ) -> Iterator[tuple[int, int]]:
        """Yield pairs of equal rows in one gap, the first with the first, of those that a side has several times."""
        old, new = self._old, self._new
        first: dict[int, int] = {}  # by class and gap, as one number
        following = _row([-1]) * len(new.kind)
        for place in reversed(range(len(new.kind))):
            kind = new.kind[place]
            if here[kind] and here[kind] + there[kind] > 2 and not new.stays[place]:  # noqa: PLR2004  # one each
                key = kind << 64 | gaps_there[place]
                following[place], first[key] = first.get(key, -1), place
        for place, (kind, gap) in enumerate(zip(old.kind, gaps_here, strict=True)):
            if not old.stays[place] and (found := first.get(kind << 64 | gap, -1)) >= 0:
                first[kind << 64 | gap] = following[found]
                yield place, found

    def _keep(self, pairs: Iterable[tuple[int, int]]) -> None:
        """Let as many of `pairs` stay as are in one order on both sides, and the equal rows beside them."""
        here, there = _row(), _row()
        for one, two in pairs:
            here.append(one)
            there.append(two)
        kept = _longest_rising(there)
        for at in kept:
            self._old.stays[here[at]] = self._new.stays[there[at]] = 1
        for at in kept:
            self._extend(here[at], there[at], 1)
            self._extend(here[at], there[at], -1)

    def _extend(self, one: int, two: int, step: int) -> None:
        old, new = self._old, self._new
        stretch, one, two = old.stretch[one], one + step, two + step
        while (
            0 <= one < len(old.kind)
            and old.staying(one, stretch, kind := old.kind[one])
            and new.staying(two, stretch, kind)
        ):
            old.stays[one] = new.stays[two] = 1
            one, two = one + step, two + step

    def _moved(self) -> tuple["array[int]", "array[int]"]:
        """Pair what is left and equal, the first with the first; return the indexes."""
        old, new = self._old, self._new
        first, following = _row([-1]) * self._classes, _row([-1]) * len(new.kind)
        for place in reversed(range(len(new.kind))):
            if not new.stays[place]:
                following[place], first[new.kind[place]] = first[new.kind[place]], place
        here, there = _row(), _row()
        for place, kind in enumerate(old.kind):
            if not old.stays[place] and (found := first[kind]) >= 0:
                first[kind] = following[found]
                old.moves[place] = new.moves[found] = 1
                here.append(old.index[place])
                there.append(new.index[found])
        return here, there


def _longest_rising(values: Sequence[int]) -> list[int]:
    """Return the places of a longest strictly increasing subsequence (Schensted 1961, by patience sorting)."""
    tails, places, back = _row(), _row(), _row()
    for place, value in enumerate(values):
        length = len(tails) if not tails or value > tails[-1] else bisect_left(tails, value)
        back.append(places[length - 1] if length else -1)
        tails[length : length + 1] = _row((value,))
        places[length : length + 1] = _row((place,))
    found, place = [], places[-1] if places else -1
    while place >= 0:
        found.append(place)
        place = back[place]
    return found[::-1]
