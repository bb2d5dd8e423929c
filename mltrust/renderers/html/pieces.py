"""Everything an artifact is made of, as a page draws it: tensors and files, each with its size and what became of it.

What differs comes first, then what does not, so that whoever has room for some has room for what matters.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from mltrust.core.changes import Change, ChangeKind, Facts
from mltrust.core.columns import Files
from mltrust.core.leaf import Entry, Kind, Leaf
from mltrust.core.manifest import Manifest
from mltrust.interfaces import Seen
from mltrust.renderers.html.statuses import Status, of_kind

_Part = tuple[str, Kind, str]  # path, kind, name


class Piece(NamedTuple):
    """A tensor, the header of a file, or a file read as a whole; `name` is that of a tensor. `size` is in bytes."""

    path: str
    kind: Kind
    name: str
    size: int
    status: Status


def pieces_of(changes: Iterable[Change], seen: Seen) -> Iterator[Piece]:
    """Yield the pieces of both sides, each once, in an order that depends on nothing but what they are."""
    return _Walk([side for side in (seen.before, seen.after) if side is not None]).pieces(changes)


@dataclass
class _Walk:
    """`sides` are the manifests at hand: all, one, or none."""

    sides: Sequence[Manifest]
    told_files: set[str] = field(default_factory=set)
    told_parts: set[_Part] = field(default_factory=set)

    def pieces(self, changes: Iterable[Change]) -> Iterator[Piece]:
        for change in changes:
            yield from self._of_parts(change) if change.parts else self._of_file(change)
        if self.sides:
            yield from self._same(self.sides[0])

    def _of_file(self, change: Change) -> Iterator[Piece]:
        """Yield what is in a file of which nothing is known part by part."""
        status = of_kind(change.kind)
        self.told_files |= _names(change)
        for path in _here(change):
            entry = self._entry(path)
            children = entry.children if entry is not None and status is not Status.ABSENT else ()
            yield from (Piece(path, leaf.kind, leaf.name, leaf.size, status) for leaf in children)
            if not children:
                size = _size(change.before, change.after) or (entry.leaf.size if entry is not None else 0)
                yield Piece(path, Kind.FILE, "", size, status)

    def _entry(self, path: str) -> Entry | None:
        """Return what was in a file: by the side that has seen most in it, since what is malformed has no parts."""
        found = [pair[1] for side in self.sides if (pair := side.find(path)) is not None]
        return max(found, key=lambda entry: len(entry.children), default=None)

    def _of_parts(self, change: Change) -> Iterator[Piece]:
        for part in change.parts:
            size, status = _size(part.before, part.after), of_kind(part.kind)
            yield from (Piece(change.name, part.of, name, size, status) for name in _here(part))
            self.told_parts |= {(change.name, part.of, name) for name in _names(part)}

    def _same(self, side: Manifest) -> Iterator[Piece]:
        for found in side.pieces():
            if isinstance(found, Files):
                untold = (pair for pair in zip(found.paths, found.sizes, strict=True) if pair[0] not in self.told_files)
                yield from (Piece(path, Kind.FILE, "", size, Status.SAME) for path, size in untold)
            elif found.path not in self.told_files:
                yield from self._same_in(found)

    def _same_in(self, entry: Entry) -> Iterator[Piece]:
        path = entry.path
        leaves: Sequence[Leaf] = entry.children or (entry.leaf._replace(kind=Kind.FILE, name=""),)
        for leaf in leaves:
            if (path, leaf.kind, leaf.name) not in self.told_parts:
                yield Piece(path, leaf.kind, leaf.name, leaf.size, Status.SAME)


def _here(change: Change) -> tuple[str, ...]:
    """Return the names that a change is told of: of a swap, which stands for two, both."""
    both = change.kind is ChangeKind.SWAPPED and change.other is not None
    return (change.name, change.other or "") if both else (change.name,)


def _names(change: Change) -> set[str]:
    """Return the names that are not told of again: of something renamed the old one, too."""
    both = change.kind in (ChangeKind.RENAMED, ChangeKind.SWAPPED) and change.other is not None
    return {change.name, change.other or ""} if both else {change.name}


def _size(before: Facts | None, after: Facts | None) -> int:
    return max((side.size or 0 for side in (before, after) if side is not None), default=0)
