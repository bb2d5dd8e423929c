"""Name the rows that differ inside files of records."""

import json
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, NamedTuple

from mltrust.core.changes import Change, ChangeKind
from mltrust.core.leaf import Leaf, Records
from mltrust.core.manifest import Manifest
from mltrust.core.names import shown
from mltrust.core.report import Notice
from mltrust.core.row_changes import LIMIT, RowChange, RowChanges, first_of
from mltrust.errors import UnreadableError
from mltrust.interfaces import Means, RecordReader, Row
from mltrust.operations.means import is_remote, with_record_readers
from mltrust.operations.measure import Disk

if TYPE_CHECKING:
    from mltrust.core.row_difference import RowDifference
    from mltrust.disk.records import RecordHashes

NOT_KEPT = "no record store beside the seal (seal with --records keep); diff with the other copy names them"

_NAMED = ("tar",)  # formats that call each record something, under this name
_NAME = "__key__"
_MOST_KEYS = 2**20  # some 300 bytes each
_LONG_KEY = 200  # characters


@dataclass(frozen=True)
class RowOptions:
    """How rows are told: how many of each kind, the column that says which became which, whether texts are shown."""

    limit: int = LIMIT
    key_column: str | None = None
    preview: bool = False


@dataclass(frozen=True)
class RowSide:
    """One side: the hashes of its records, or why there are none; and where it was read from, if it was.

    `odd` says what is wrong with a record store that was passed over.
    """

    hashes: "RecordHashes | None" = None
    why: str = NOT_KEPT
    disk: Disk | None = None
    odd: Notice | None = None

    def rows(self, path: str, wanted: Iterable[int]) -> Iterator[Row]:
        """Read some rows again; none where the side is not at hand."""
        if self.disk is not None and path in self.disk.files and (some := frozenset(wanted)):
            file = self.disk.files[path]
            readers = (each for each in self.disk.readers if isinstance(each, RecordReader))
            yield from next(each for each in readers if each.accepts(file)).rows(file, self.disk.source, some)


@contextmanager
def keeping(means: Means) -> Iterator[tuple[Means, RowSide]]:
    """Have the hashes of records kept while something is read by these means, until the block is over."""
    if is_remote(means):
        yield means, RowSide(None, "other machines have read it")
        return
    from mltrust.disk.records import KeptHashes

    with TemporaryDirectory(prefix="mltrust-") as folder:
        kept = Path(folder)
        yield with_record_readers(means, lambda reader: reader.keeping(kept)), RowSide(KeptHashes(kept), "")


def with_rows(
    changes: Sequence[Change],
    manifests: tuple[Manifest, Manifest],
    sides: tuple[RowSide, RowSide],
    options: RowOptions | None = None,
) -> tuple[Change, ...]:
    """Return `changes` of two manifests with the rows of each changed file of records, or with why there are none.

    What is so of several files is said once, and not again if it is said in the notice of a side.
    """
    said = {side.why for side in sides if side.odd is not None}
    return tuple(_with_rows(change, manifests, sides, options or RowOptions(), said) for change in changes)


def _with_rows(
    change: Change,
    manifests: tuple[Manifest, Manifest],
    sides: tuple[RowSide, RowSide],
    options: RowOptions,
    said: set[str],
) -> Change:
    if change.kind not in (ChangeKind.CHANGED, ChangeKind.SHUFFLED):
        return change
    found = [manifest.find(change.name) for manifest in manifests]
    leaves = [each[1].leaf for each in found if each is not None and each[1].leaf.records is not None]
    if len(leaves) != len(sides) or _same_rows(*leaves):
        return change
    try:
        return change.model_copy(update={"rows": _FileRows(leaves[0], leaves[1], *sides, options).changes()})
    except UnreadableError as error:
        why = "rows cannot be named" if str(error) in said else f"rows cannot be named: {error}"
        said.add(str(error))
        return change.model_copy(update={"note": "; ".join(filter(None, (change.note, why)))})


def _same_rows(old: Leaf, new: Leaf) -> bool:
    """Tell whether files of two formats have the same rows; of those of one format, the kind of change tells."""
    one, two = old.records, new.records
    if one is None or two is None or one.format == two.format:
        return False
    return (one.set_root, one.header, old.child_size) == (two.set_root, two.header, new.child_size)


@dataclass(frozen=True)
class _FileRows:
    """One file of records on both sides."""

    old: Leaf
    new: Leaf
    before: RowSide
    after: RowSide
    options: RowOptions

    def changes(self) -> RowChanges:
        """Return the rows that differ; `UnreadableError` if they cannot be compared."""
        one, two = self._records()
        difference = self._difference()
        numbers, keys, note = difference.by_place(), None, ""
        if self.options.key_column is not None:
            try:
                keys = self._keys(difference, self.options.key_column)
                numbers = difference.by_key(keys.old, keys.new)
            except _NoKeysError as error:
                note = f"rows are paired by place: {error}"
        return RowChanges(
            rows_before=self.old.child_size,
            rows_after=self.new.child_size,
            changed=len(numbers.changed[0]),
            added=len(numbers.added),
            removed=len(numbers.removed),
            moved=len(numbers.moved[0]),
            header=one.header != two.header,
            key_column=self.options.key_column if keys else None,
            note=note,
            listed=tuple(self._described(list(first_of(numbers, self.options.limit)), keys)),
        )

    def _records(self) -> tuple[Records, Records]:
        one, two = self.old.records, self.new.records
        if one is None or two is None or one.format != two.format:
            raise UnreadableError("the formats are different")
        if one.blinded != two.blinded or (one.blinded and self.after.disk is None):
            raise UnreadableError("the records are blinded")
        if one.blinded and self.old.child_size != self.new.child_size:  # each salt would be that of another record
            raise UnreadableError("the records are blinded, and there are fewer or more of them")
        return one, two

    def _difference(self) -> "RowDifference":
        if self.before.hashes is None or self.after.hashes is None:
            raise UnreadableError(self.before.why or self.after.why)
        from mltrust.core.row_difference import row_difference

        with self.before.hashes.of(self.old) as one, self.after.hashes.of(self.new) as two:
            return row_difference(one, two)

    def _keys(self, difference: "RowDifference", column: str) -> "_Keys":
        if self.before.disk is None or self.after.disk is None:
            raise _NoKeysError("a seal does not hold the rows themselves")
        sides = ((self.before, self.old, difference.removed), (self.after, self.new, difference.added))
        return _Keys(*(_keys_of(side.rows(leaf.name, wanted), column, wanted) for side, leaf, wanted in sides))

    def _described(self, listed: Sequence[RowChange], keys: "_Keys | None") -> Iterator[RowChange]:
        """Yield the rows with what they are called and, where that was asked for, what they say."""
        preview, named = self.options.preview, self.new.records is not None and self.new.records.format in _NAMED
        names = keys.names(listed) if keys else {}
        old = self._read(self.before, (each.before for each in listed if preview or (named and each.after is None)))
        new = self._read(self.after, (each.after for each in listed if preview or named))
        for each in listed:
            before, after = old.get(each.before), new.get(each.after)
            fields = next((row.fields for row in (after, before) if row and row.fields), {})
            name = names.get(each, fields.get(_NAME) if named else None)
            said: dict[str, object] = {"key": None if name is None else str(name)}
            if preview:
                said |= {"text_before": before and before.text, "text_after": after and after.text}
            yield each.model_copy(update=said)

    def _read(self, side: RowSide, numbers: Iterable[int | None]) -> dict[int | None, Row]:
        """Read rows by number again."""
        wanted = [number - 1 for number in numbers if number is not None]
        return {row.at + 1: row for row in side.rows(self.new.name, wanted)}


class _NoKeysError(Exception):
    """The column does not say which row became which; the message says why."""


class _Keys(NamedTuple):
    """The rows that one side alone has, by key: their indexes."""

    old: dict[str, int]
    new: dict[str, int]

    def names(self, listed: Sequence[RowChange]) -> dict[RowChange, str]:
        """Return the keys of those `listed` rows that have one."""
        before = {each.before: each for each in listed if each.before is not None}
        after = {each.after: each for each in listed if each.after is not None}
        found = {after[index + 1]: key for key, index in self.new.items() if index + 1 in after}
        return found | {before[index + 1]: key for key, index in self.old.items() if index + 1 in before}


def _keys_of(rows: Iterable[Row], column: str, wanted: Sequence[int]) -> dict[str, int]:
    """Return the indexes of the `wanted` rows by the value of `column`; each must have one of its own."""
    if len(wanted) > _MOST_KEYS:
        raise _NoKeysError(f"{len(wanted):,} rows differ, and at most {_MOST_KEYS:,} are told apart by a key")
    found: dict[str, int] = {}
    for row in rows:
        if row.fields is None or row.fields.get(column) is None:
            raise _NoKeysError(f"row {row.at + 1:,} has no column {shown(column[:_LONG_KEY])}")
        key = _key_text(row.fields[column])
        if key in found:
            raise _NoKeysError(f"rows {found[key] + 1:,} and {row.at + 1:,} have one key, {shown(key)}")
        found[key] = row.at
    return found


def _key_text(value: object) -> str:
    text = value if isinstance(value, str) else json.dumps(value, sort_keys=True, default=str)
    if len(text) <= _LONG_KEY:
        return text
    return f"{text[:_LONG_KEY]}... sha256:{sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"
