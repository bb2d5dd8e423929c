"""Seal files laid out as they are written: one row a line, read as they come, so that memory holds the manifest alone.

The same file must never be read in two ways. So every piece that is cut out here, what stands before the list of
entries, each row of it, and what follows, must be whole and strict JSON by itself: put together they are then what
a reader of the whole file sees. No string reaches over the end of a line, since JSON has no raw line breaks in
strings. Whatever is laid out in any other way is left to that reader.
"""

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import BinaryIO

from mltrust.core import canonical
from mltrust.core.canonical import MAX_INTEGER
from mltrust.core.digest import DIGEST_SIZE
from mltrust.core.manifest import Kind, Leaf, Manifest, ManifestBuilder
from mltrust.core.names import MAX_NAME_BYTES, are_paths, check_path
from mltrust.core.rows import document_of, entry_from, file_row, with_parts
from mltrust.errors import FormatError

_BLOCK = 2**20
_MAX_HEAD = _MAX_TAIL = 2**26
_MAX_ROW = 2**28
_MAX_ROW_VALUES = 16_000_000

_OPEN = b',\n"manifest": {"entries": [\n'
_CLOSE = b"\n]},\n"
_CHILDREN = b'"children": [\n'
_PARTS_END = b"\n]}"

# Each ends with a comma, so that split by one, a text of rows leaves nothing between them.
_TEXT, _INTEGER, _HEX = r'"([^"\\\x00-\x1f]*)"', "(0|[1-9][0-9]{0,15})", '"(.{64})"'
_FILE = re.compile(
    rf'\{{"path": {_TEXT}, "kind": "file", "size": {_INTEGER}, "digest": {_HEX}(?:, "sha256": {_HEX})?\}},\n'
)
_HEADER = re.compile(rf' \{{"kind": "st-header", "size": {_INTEGER}, "digest": {_HEX}\}},\n')
_TENSOR = re.compile(
    rf' \{{"kind": "tensor", "name": {_TEXT}, "dtype": {_TEXT}, "shape": \[([0-9, ]{{0,1024}})\], '
    rf'"size": {_INTEGER}, "digest": {_HEX}\}},\n'
)
_MAX_DTYPE = 64
_OF_PARTS = {"path", "kind", "size", "sha256", "metadata", "children"}
_MAX_NAME = MAX_NAME_BYTES // 4  # in characters, whatever they are


class _OtherLayout(Exception):  # noqa: N818  # never leaves this file: a file may be laid out as it likes
    """The file is not laid out as it would be written."""


def read(opened: BinaryIO, where: str, *, must: bool = False) -> tuple[bytes, Manifest] | None:
    """Read a seal file row by row: return the document without its entries, and the manifest they are.

    None if it is laid out in any other way, which may be good or bad, or, where it `must` not be, `FormatError`. What
    is bad in any layout is always a `FormatError`.
    """
    reading = _Reading(opened, where)
    try:
        return reading.all()
    except _OtherLayout as error:
        if must:
            what = f"is not laid out one row a line after {reading.size} entries, as a file of its size must be"
            raise FormatError(where, what) from error
        return None


class _Reading:
    """One reading of one file. What is not yet used of it stands in `_data` from `_at`, after a line break."""

    def __init__(self, opened: BinaryIO, where: str) -> None:
        self._opened, self._where = opened, f"{where}: manifest"
        self._builder = ManifestBuilder(where=self._where)
        self._data, self._at = b"\n", 1
        self._row_follows: bool | None = None  # by the commas; None: none has been read

    @property
    def size(self) -> int:
        """The number of entries read so far."""
        return self._builder.size

    def all(self) -> tuple[bytes, Manifest]:
        """Read all of it."""
        while (end := self._data.find(_OPEN)) < 0:
            self._read_more(_MAX_HEAD)
        head = self._data[1:end]
        _loads(head + b"}")
        self._at = end + len(_OPEN)
        while self._rows():
            pass
        tail = self._data[self._at :] + self._opened.read(_MAX_TAIL)
        if self._opened.read(1):
            raise _OtherLayout
        _loads(b"{" + tail)
        return head + b',"manifest":{"entries":[]},' + tail, self._builder.build()

    def _read_more(self, limit: int) -> None:
        rest = self._data[self._at - 1 :]
        more = self._opened.read(max(_BLOCK, len(rest)))  # twice as much each time, for the sake of the largest rows
        if not more or len(rest) > limit:
            raise _OtherLayout
        self._data, self._at = rest + more, 1

    def _rows(self) -> bool:
        """Read some rows; tell whether the list goes on."""
        data, at = self._data, self._at
        close, children = data.find(_CLOSE, at - 1), data.find(_CHILDREN, at)
        if close >= 0 and not 0 <= children < close:
            if close >= at:
                self._files(data[at:close] + b",\n")
            elif self._row_follows:
                raise _OtherLayout
            self._at = close + len(_CLOSE)
            return False
        if children >= 0:
            self._row_with_parts(children)
        else:  # the last whole line stays: it may be the last row, which has no comma
            last = data.rfind(b"\n", at)
            self._files_before(data.rfind(b"\n", at, max(at, last)) + 1)
            self._read_more(_MAX_ROW)
        return True

    def _files_before(self, end: int) -> None:
        if end > self._at:
            self._files(self._data[self._at : end])
            self._at = end

    def _row_with_parts(self, children: int) -> None:
        data = self._data
        self._files_before(data.rfind(b"\n", 0, children) + 1)
        end = data.find(_PARTS_END, children) + len(_PARTS_END)
        if end < len(_PARTS_END) or end + 2 > len(data):
            self._read_more(_MAX_ROW)
            return
        self._next_row()
        self._parts(_decoded(data[self._at : end]))
        self._row_follows = data[end : end + 2] == b",\n"
        if not self._row_follows and data[end : end + 1] != b"\n":
            raise _OtherLayout
        self._at = end + 1 + self._row_follows

    def _next_row(self) -> None:
        if self._row_follows is False:
            raise _OtherLayout
        self._row_follows = True

    def _files(self, rows: bytes) -> None:
        """Add rows that stand on a line each and end with a comma."""
        self._next_row()
        pieces, begin = _FILE.split(_decoded(rows)), 0
        for at, between in enumerate(pieces[::5]):
            if between:
                self._spelled_files(pieces[5 * begin : 5 * at])
                self._any_rows(between)
                begin = at
        self._spelled_files(pieces[5 * begin :])

    def _spelled_files(self, pieces: Sequence[str]) -> None:
        paths, sizes, digits, others = pieces[1::5], list(map(int, pieces[2::5])), pieces[3::5], pieces[4::5]
        if not paths:
            return
        digests, sha256s = _digests(digits), _digests_or_none(others)
        if digests and sha256s is not None and max(sizes) <= MAX_INTEGER and are_paths(paths):
            self._builder.add_files(paths, sizes, digests, sha256s)
            return
        for path, size, digest, sha256 in zip(paths, sizes, digits, others, strict=True):
            self._any_row(file_row(f'"{path}"', size, digest, sha256))

    def _any_rows(self, text: str) -> None:
        """Add rows in any spelling that stand on a line each and end with a comma."""
        if not text.endswith(",\n"):
            raise _OtherLayout
        for row in text[:-2].split(",\n"):
            self._any_row(row)

    def _any_row(self, text: str) -> None:
        self._builder.add(entry_from(_loads(text.encode()), self.size, self._where))

    def _parts(self, text: str) -> None:
        """Add a row with parts."""
        opening = _CHILDREN.decode()
        head, _, tail = text.partition(opening)
        parts = _parts_from(tail[: -len(_PARTS_END)] + ",\n")
        if parts is None:
            self._any_row(text)
            return
        document = document_of(_loads((head + '"children": []}').encode()), self.size, self._where)
        if document.kind != "safetensors" or document.model_fields_set - _OF_PARTS:
            self._any_row(text)
            return
        path = check_path(document.path, self._where)
        self._builder.add(with_parts(document, parts, f"{self._where}: {ascii(path)[:80]}"))


def _parts_from(text: str) -> list[Leaf] | None:
    """Return the parts of a file, if they are spelled as they are written."""
    header = _HEADER.match(text)
    if header is None:
        return None
    pieces = _TENSOR.split(text[header.end() :])
    if any(pieces[::6]):
        return None
    sizes = [int(header[1]), *map(int, pieces[4::6])]
    digests = _digests([header[2], *pieces[5::6]])
    if digests is None or max(sizes) > MAX_INTEGER:
        return None
    parts = [Leaf(Kind.ST_HEADER, "", sizes[0], digests[0])]
    for name, dtype, dimensions, size, digest in zip(
        pieces[1::6], pieces[2::6], pieces[3::6], sizes[1:], digests[1:], strict=True
    ):
        shape = _shape(dimensions)
        if shape is None or len(name) > _MAX_NAME or not 0 < len(dtype) <= _MAX_DTYPE:
            return None
        parts.append(Leaf(Kind.TENSOR, name, size, digest, dtype=dtype, shape=shape))
    return parts


@lru_cache(2**16)  # the tensors of a model share a few shapes
def _shape(text: str) -> tuple[int, ...] | None:
    try:
        found = canonical.loads(f"[{text}]".encode(), "shape")
    except FormatError:
        return None
    return tuple(each for each in found if isinstance(each, int)) if isinstance(found, list) else None


def _digests(digits: Sequence[str]) -> list[bytes] | None:
    """Return the digests that texts of 64 characters spell, or None if one is not in lower-case hexadecimal."""
    together = "".join(digits)
    try:
        value = bytes.fromhex(together)
    except ValueError:
        return None
    if value.hex() != together:
        return None
    return [value[at : at + DIGEST_SIZE] for at in range(0, len(value), DIGEST_SIZE)]


def _digests_or_none(digits: Sequence[str | None]) -> list[bytes] | None:
    """Return what `_digests` does, and nothing if no row has one; None, too, if only some have."""
    given = [each for each in digits if each is not None]
    return (_digests(given) if given else []) if len(given) in (0, len(digits)) else None


def _decoded(data: bytes) -> str:
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError as error:
        raise _OtherLayout from error


def _loads(data: bytes) -> canonical.Json:
    try:
        return canonical.loads(data, "row", max_values=_MAX_ROW_VALUES)
    except FormatError as error:
        raise _OtherLayout from error
