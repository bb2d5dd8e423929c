"""The tree of a notes ref: which lines stand beside which object.

A note is a blob whose path is the annotated object's id in hexadecimal, with slashes after any number of leading
pairs of digits: git moves notes into such folders as they become many, and all ways may occur in one tree. Whatever
else stands in the tree is not a note and is kept.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from mltrust.anchors.git_notes.objects import NewObjects, Objects, TreeEntry, too_large

BLOB_MODE, TREE_MODE = b"100644", b"40000"

MAX_ENTRIES = 250_000

_MAX_FLAT = 128
_PAIR = 2
_DIGITS = frozenset(b"0123456789abcdef")
_Nested = dict[bytes, "tuple[bytes, str] | _Nested"]


@dataclass
class NotesTree:
    """All notes of a tree, by the id of the object they annotate, everything else by its path, and its subtrees."""

    notes: dict[str, set[str]] = field(default_factory=dict)
    others: dict[tuple[bytes, ...], tuple[bytes, str]] = field(default_factory=dict)
    subtrees: set[str] = field(default_factory=set)

    def write(self, new: NewObjects) -> str:
        """Add the tree to `new` and return its id. Every object must have one blob only."""
        depth = 0
        while len(self.notes) > _MAX_FLAT * 256**depth:
            depth += 1
        nested: _Nested = {}
        for annotated, blobs in self.notes.items():
            (blob,) = blobs
            _insert(nested, _fan_out(annotated.encode(), depth), (BLOB_MODE, blob))
        for path, entry in self.others.items():
            _insert(nested, path, entry)  # after the notes: what stands in the way of one gives way
        return _add(nested, new)


def read_tree(objects: Objects, root: str) -> NotesTree:
    """Read a whole tree of notes."""
    found = NotesTree()

    def remember(_prefix: bytes, oid: str) -> bool:
        found.subtrees.add(oid)
        return True

    for number, (path, entry) in enumerate(_walk(objects, root, remember)):
        if number >= MAX_ENTRIES:
            raise too_large(f"more than {MAX_ENTRIES} names in their tree")
        annotated = b"".join(path)
        if _is_note(path, entry, objects):
            found.notes.setdefault(annotated.decode(), set()).add(entry.oid)
        else:
            found.others[path] = (entry.mode, entry.oid)
    return found


def note_pairs(objects: Objects, root: str, seen: set[tuple[bytes, str]]) -> Iterator[tuple[str, str]]:
    """Yield annotated object and blob of the notes in a tree, leaving out subtrees in `seen`, which grows."""

    def first(prefix: bytes, oid: str) -> bool:
        new = (prefix, oid) not in seen
        seen.add((prefix, oid))
        return new

    for path, entry in _walk(objects, root, first):
        if _is_note(path, entry, objects):
            yield b"".join(path).decode(), entry.oid


def _walk(
    objects: Objects, root: str, wanted: Callable[[bytes, str], bool]
) -> Iterator[tuple[tuple[bytes, ...], TreeEntry]]:
    # Only folders that can hold notes are entered, so paths are never longer than an id.
    pending: list[tuple[tuple[bytes, ...], str]] = [((), root)]
    while pending:
        above, oid = pending.pop()
        if not wanted(b"".join(above), oid):
            continue
        for entry in objects.tree(oid):
            path = (*above, entry.name)
            if entry.is_tree and _is_pair(entry.name) and _PAIR * len(path) < objects.format.hex_digits:
                pending.append((path, entry.oid))
            else:
                yield path, entry


def _is_note(path: tuple[bytes, ...], entry: TreeEntry, objects: Objects) -> bool:
    annotated = b"".join(path)
    return entry.mode == BLOB_MODE and len(annotated) == objects.format.hex_digits and _DIGITS.issuperset(annotated)


def _is_pair(name: bytes) -> bool:
    return len(name) == _PAIR and _DIGITS.issuperset(name)


def _fan_out(annotated: bytes, depth: int) -> tuple[bytes, ...]:
    pairs = [annotated[_PAIR * at : _PAIR * (at + 1)] for at in range(depth)]
    return (*pairs, annotated[_PAIR * depth :])


def _insert(tree: _Nested, path: tuple[bytes, ...], entry: tuple[bytes, str]) -> None:
    *folders, name = path
    for folder in folders:
        below = tree.setdefault(folder, {})
        if not isinstance(below, dict):
            return
        tree = below
    tree.setdefault(name, entry)


def _add(tree: Mapping[bytes, "tuple[bytes, str] | _Nested"], new: NewObjects) -> str:
    entries = {
        name: (TREE_MODE, _add(below, new)) if isinstance(below, dict) else below for name, below in tree.items()
    }
    return new.add_tree(entries)
