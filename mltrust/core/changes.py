"""What differs between two manifests, named and classified."""

from collections import defaultdict
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum

from mltrust.core.manifest import Entry, Kind, Leaf, Manifest
from mltrust.core.model import Document
from mltrust.core.names import sort_key
from mltrust.core.row_changes import RowChanges

_Homes = Callable[[Collection[Leaf]], dict[Leaf, str]]  # of nameless leaves, those that are known, with a name of each


_WHOLE = "its records cannot be compared: one side was read as a whole"
_SAME_BYTES = "the same bytes, of which one side was read as a whole"


class ChangeKind(StrEnum):
    """The classes of difference; `truncated` means shorter than before, `pointer` a Git LFS pointer for content.

    A file of records was `rewritten` if it has the same rows in the same order, and `shuffled` if in another order.
    """

    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"
    RENAMED = "renamed"
    SWAPPED = "swapped"
    TRUNCATED = "truncated"
    HEADER_ONLY = "header-only"
    DTYPE = "dtype-changed"
    SHAPE = "shape-changed"
    REWRITTEN = "rewritten"
    SHUFFLED = "shuffled"
    MALFORMED = "malformed"
    POINTER = "pointer"


class Facts(Document):
    """One side of a change: size in bytes, digest of the bytes (or root of the parts), dtype and shape of a tensor.

    `size` is None where nobody states it: bundles of others give only a hash. `records` is how many a file of records
    has.
    """

    size: int | None
    digest: str
    dtype: str | None = None
    shape: tuple[int, ...] | None = None
    records: int | None = None


class Change(Document):
    """One difference.

    `other` is the old name of something renamed, the partner of a swap, or, of something changed, the
    name whose bytes stand there now.

    `bytes_changed` is known only where both sides could be read byte by byte.
    `parts` names the tensors that differ inside a safetensors file; an `st-header` part has the name "".
    `rows` counts and names the records that differ inside a file of them, where the hashes of both sides are at hand.
    """

    kind: ChangeKind
    name: str
    other: str | None = None
    of: Kind
    before: Facts | None = None
    after: Facts | None = None
    note: str = ""
    bytes_changed: int | None = None
    parts: tuple["Change", ...] = ()
    rows: RowChanges | None = None


class Difference(Document):
    """What differs between two sides.

    `same_content` tells that all tensors and metadata are equal whatever files hold them (None where
    neither side has tensors), and `same_rows` that all records are, in whatever order and files of whatever form (None
    where neither side has records). `bytes_changed` counts bytes of changed files and tensors: exactly where
    both sides lie on disk (`measured`), else by whole tensors and files.
    """

    before: str
    after: str
    same_content: bool | None
    same_rows: bool | None = None
    measured: bool
    bytes_changed: int
    bytes_total: int
    changes: tuple[Change, ...]


def changed_bytes(change: Change) -> int:
    """Return how many bytes a change touches: measured, or the whole of what has changed."""
    if change.bytes_changed is not None:
        return change.bytes_changed
    if change.kind is ChangeKind.RENAMED:
        return 0
    if change.parts:
        return sum(changed_bytes(part) for part in change.parts)
    return max((side.size or 0) for side in (change.before, change.after) if side is not None)


def rows_of(manifest: Manifest) -> list[tuple[bytes, bytes, int]]:
    """Return what the files of records hold, whatever they are called, and in whatever order their records stand."""
    found = ((leaf.records, leaf.child_size) for leaf in manifest.record_files)
    return sorted((records.set_root, records.header, size) for records, size in found if records is not None)


def changes_between(before: Manifest, after: Manifest) -> tuple[Change, ...]:
    """Return every difference between two manifests, sorted by name; empty exactly when the roots are equal."""
    pairs = list(before.differing(after))
    old = {entry.path: entry for entry, _ in pairs if entry is not None}
    new = {entry.path: entry for _, entry in pairs if entry is not None}

    def changed(name: str) -> Change:
        return _file_changed(old[name], new[name])

    leaves = [{name: entry.leaf for name, entry in side.items()} for side in (old, new)]
    return tuple(_compare(leaves[0], leaves[1], changed, before.homes))


def _file_changed(old: Entry, new: Entry) -> Change:
    parts: Sequence[Change] = ()
    if old.children and new.children:
        before, after = _by_part(old), _by_part(new)
        parts = _compare(before, after, lambda part: _part_changed(before[part], after[part]), _homes_in(before))
    if old.leaf.records is not None or new.leaf.records is not None:
        return _records_changed(old.leaf, new.leaf)
    kind = ChangeKind.CHANGED
    if parts and all(part.of is Kind.ST_HEADER for part in parts):
        kind = ChangeKind.HEADER_ONLY
    elif new.leaf.size < old.leaf.size and not parts:
        kind = ChangeKind.TRUNCATED
    return _change(kind, old.leaf, new.leaf, parts=tuple(parts))


def _records_changed(old: Leaf, new: Leaf) -> Change:
    """Tell the same records in other bytes from others; a file that one side has read as a whole shows no records."""
    if old.records is None or new.records is None:
        same = old.digest == new.digest and bool(old.digest)
        said = {"note": _SAME_BYTES, "bytes_changed": 0} if same else {"note": _WHOLE}
        return _change(ChangeKind.CHANGED, old, new).model_copy(update=said)
    kind = ChangeKind.CHANGED
    one, two = (leaf.records._replace(index_root=b"") for leaf in (old, new) if leaf.records is not None)
    if one == two and old.child_size == new.child_size:
        kind = ChangeKind.REWRITTEN if old.child_root == new.child_root else ChangeKind.SHUFFLED
    return _change(kind, old, new)


def _by_part(entry: Entry) -> dict[str, Leaf]:
    """Key children by kind and name: a tensor may bear the header's empty name."""
    return {f"{'' if child.kind is Kind.ST_HEADER else '/'}{child.name}": child for child in entry.children}


def _part_changed(old: Leaf, new: Leaf) -> Change:
    kind = ChangeKind.CHANGED
    if old.dtype != new.dtype:
        kind = ChangeKind.DTYPE
    elif old.shape != new.shape:
        kind = ChangeKind.SHAPE
    return _change(kind, old, new)


def _homes_in(old: Mapping[str, Leaf]) -> _Homes:
    def homes(wanted: Collection[Leaf]) -> dict[Leaf, str]:
        return {leaf.nameless(): name for name, leaf in old.items() if leaf.nameless() in wanted}

    return homes


def _compare(
    old: Mapping[str, Leaf], new: Mapping[str, Leaf], changed: Callable[[str], Change], homes: _Homes
) -> list[Change]:
    """Compare leaves by name: renames pair removed with added, swaps pair changed with changed.

    `homes` tells whose bytes are whose, also of old leaves that are not given here since they did not change.
    """
    differ = [name for name in old if name in new and old[name] != new[name]]
    removed = [name for name in old if name not in new]
    added = [name for name in new if name not in old]
    if not (differ or removed or added):
        return []
    renames = _renames({name: old[name] for name in removed}, {name: new[name] for name in added})
    moves = _Moves(old, new, differ, homes)
    found = [_change(ChangeKind.RENAMED, old[a], new[b], other=old[a].name) for a, b in renames.items()]
    found += [_change(ChangeKind.SWAPPED, old[a], new[a], other=old[b].name) for a, b in moves.swaps.items()]
    found += [_change(ChangeKind.REMOVED, old[name], None) for name in removed if name not in renames]
    found += [_change(ChangeKind.ADDED, None, new[name]) for name in added if name not in renames.values()]
    found += [moves.noted(changed(name), name) for name in differ if name not in moves.swapped]
    return sorted(found, key=lambda change: (change.of is not Kind.ST_HEADER, sort_key(change.name)))


def _renames(removed: Mapping[str, Leaf], added: Mapping[str, Leaf]) -> dict[str, str]:
    """Pair each removed name with an added one of the same bytes, first with first."""
    homeless: dict[Leaf, list[str]] = defaultdict(list)
    for name in sorted(added, key=sort_key, reverse=True):
        homeless[added[name].nameless()].append(name)
    pairs = {}
    for name in sorted(removed, key=sort_key):
        candidates = homeless.get(removed[name].nameless())
        if candidates:
            pairs[name] = candidates.pop()
    return pairs


@dataclass
class _Moves:
    """Where the bytes of changed names came from."""

    old: Mapping[str, Leaf]
    new: Mapping[str, Leaf]
    differ: Sequence[str]
    homes: _Homes

    def __post_init__(self) -> None:
        self.home: dict[Leaf, str] = {}
        if self.differ:
            # Of several names with the same bytes, one that differs now comes first: a swap is found beside a copy.
            self.home = self.homes({self.new[name].nameless() for name in self.differ})
            self.home |= {self.old[name].nameless(): name for name in self.differ}
        self.origin = {name: self.home.get(self.new[name].nameless()) for name in self.differ}
        self.swaps: dict[str, str] = {}
        for name, source in self.origin.items():
            if source is not None and self.origin.get(source) == name and name < source:
                self.swaps[name] = source
        self.swapped = {*self.swaps, *self.swaps.values()}

    def noted(self, change: Change, name: str) -> Change:
        """Say whose bytes a changed name holds now, if they are known."""
        source = self.origin[name]
        if source is None:
            return change
        return change.model_copy(update={"other": self.old[source].name if source in self.old else source})


def _change(
    kind: ChangeKind, old: Leaf | None, new: Leaf | None, *, other: str | None = None, parts: tuple[Change, ...] = ()
) -> Change:
    named = new or old
    assert named is not None  # noqa: S101  # one side at least is given
    return Change(
        kind=kind,
        name=named.name,
        other=other,
        of=(old or named).kind,
        before=facts(old) if old else None,
        after=facts(new) if new else None,
        parts=parts,
    )


def facts(leaf: Leaf) -> Facts:
    """Return what a change shows of a leaf."""
    is_tensor = leaf.kind is Kind.TENSOR
    return Facts(
        size=leaf.size,
        digest=(leaf.digest or leaf.child_root).hex(),
        dtype=leaf.dtype if is_tensor else None,
        shape=leaf.shape if is_tensor else None,
        records=leaf.child_size if leaf.records is not None else None,
    )
