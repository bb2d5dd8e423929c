"""What a Parquet file says of itself, read before anything is read by it.

pyarrow is not asked: it takes memory as a page header tells it to, and an answer about a column whose statistics make
no sense ends the process (version 26). The encoding is Thrift's compact protocol; what is not wanted is passed over.
"""

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from mltrust.errors import FormatError
from mltrust.readers.records.stream import LARGEST, Anywhere

_MAGIC, _ENCRYPTED = b"PAR1", b"PARE"
_TAIL = 8
_MAX_FOOTER = 2**26
_ARROW = b"\x18\x0cARROW:schema\x18"  # as it stands before a value: no name of a column has that after it
_HEADS = (2**10, 2**24)  # bytes that are read of a page to find its header, at first and then
_MAX_DEPTH = 32
_MAX_LEVELS = 200  # a list takes three
_TRUTHS, _BINARY, _STRUCT = 2, 8, 12  # kinds of Thrift: up to 2 a field has no bytes
_SIZES = {1: 1, 2: 1, 3: 1, 7: 8}
_BYTE_ARRAYS = (6, 7)
_DICTIONARY, _DELTA = 2, 7  # a kind of page, and an encoding, in which few bytes can stand for many long values

Wanted = Mapping[int, Any]  # the numbers of fields: of a number (0), of a struct, of a list of structs
_CHUNK: Wanted = dict.fromkeys((1, 5, 6, 7, 9, 11), 0)
_GROUP: Wanted = {1: [{3: _CHUNK}], 3: 0}
_FOOTER: Wanted = {2: [{5: 0}], 3: 0, 4: [_GROUP]}
_PAGE: Wanted = {1: 0, 2: 0, 3: 0, 5: {2: 0}, 8: {4: 0}}


class Chunk(NamedTuple):
    """A column of a row group: where its pages are, and whether its values are bytes."""

    begin: int
    end: int
    values: int
    is_bytes: bool


class Group(NamedTuple):
    """A row group."""

    rows: int
    chunks: list[Chunk]


def groups_of(file: Anywhere) -> list[Group]:
    """Return the row groups; `FormatError` if what is said of them cannot be."""
    where, (start, footer) = file.file.path, _footer(file)
    try:
        found = _Compact(footer).struct(_FOOTER)
        rows, groups = found[3], [_group(group, start) for group in found[4]]
    except (LookupError, TypeError, ValueError) as error:
        raise FormatError(where, f"its footer makes no sense: {error}") from error
    if _depth(found[2]) > _MAX_LEVELS:
        raise FormatError(where, f"a schema of more than {_MAX_LEVELS} levels")
    if sum(group.rows for group in groups) != rows:
        raise FormatError(where, f"its row groups do not have the {rows:,} rows it says")
    if sum(chunk.end - chunk.begin for group in groups for chunk in group.chunks) > start:
        raise FormatError(where, "its columns have more bytes than the file")
    return groups


def without_arrow(file: Anywhere) -> bytes:
    """Return a file of the footer alone, in which no key says what Arrow made of the columns: types are Parquet's."""
    _, footer = _footer(file)
    footer = footer.replace(_ARROW, _ARROW.replace(b":", b"-"))
    return _MAGIC + footer + len(footer).to_bytes(4, "little") + _MAGIC


def longest_repeated(file: Anywhere, group: Group) -> int:
    """Return how many bytes a value may have, at most, that stands for itself again and again in a page."""
    longest = 0
    for chunk in group.chunks:
        for page in _pages(file, chunk):
            encoding = page.get(5, {}).get(2, page.get(8, {}).get(4))
            if chunk.is_bytes and (page[1] == _DICTIONARY or encoding == _DELTA):
                longest = max(longest, page[2])
    return longest


def _footer(file: Anywhere) -> tuple[int, bytes]:
    """Return where the footer is, and its bytes."""
    where, size = file.file.path, file.file.size
    head = file.read_at(0, len(_MAGIC))
    tail = file.read_at(max(size - _TAIL, 0), _TAIL)
    if _ENCRYPTED in (head, tail[4:]):
        raise FormatError(where, "is encrypted")
    if size < len(_MAGIC) + _TAIL or not head == tail[4:] == _MAGIC:
        raise FormatError(where, "does not begin and end as a Parquet file does")
    length = int.from_bytes(tail[:4], "little")
    if length > min(_MAX_FOOTER, size - _TAIL - len(_MAGIC)):
        raise FormatError(where, f"a footer of {length:,} bytes")
    start = size - _TAIL - length
    return start, bytes(file.read_at(start, length))


def _depth(schema: list[dict[int, int]]) -> int:
    """Return how many levels the schema has, which stands in the order of a walk: each element says its children."""
    deepest, waiting = 0, []
    for element in schema:
        waiting.append(element.get(5, 0))
        deepest = max(deepest, len(waiting))
        while waiting and waiting[-1] <= 0:
            waiting.pop()
            if waiting:
                waiting[-1] -= 1
    return deepest


def _group(group: dict[int, Any], end: int) -> Group:
    if group[3] < 0:
        raise ValueError("a negative number of rows")
    return Group(group[3], [_chunk(chunk, end, group[3]) for chunk in group[1]])


def _chunk(column: dict[int, Any], end: int, rows: int) -> Chunk:
    chunk = column[3]
    offsets = (chunk.get(11, 0), chunk[9])  # one without pages has neither
    begin = min((offset for offset in offsets if offset), default=end)
    if not len(_MAGIC) <= begin <= begin + chunk[7] <= end:
        raise ValueError("a column outside the file")
    if chunk[5] < rows or chunk[6] < 0:
        raise ValueError("a column of fewer values than rows")
    return Chunk(begin, begin + chunk[7], chunk[5], chunk[1] in _BYTE_ARRAYS)


def _pages(file: Anywhere, chunk: Chunk) -> Iterator[dict[int, Any]]:
    at = chunk.begin
    while at < chunk.end:
        page, size = _page(file, at)
        if not 0 <= page[2] <= LARGEST or page[3] < 0:
            raise FormatError(file.file.path, f"a page of {page[2]:,} bytes")
        yield page
        at += size + page[3]


def _page(file: Anywhere, at: int) -> tuple[dict[int, Any], int]:
    """Return a page header and its size."""
    error: Exception = ValueError()
    for size in _HEADS:
        compact = _Compact(bytes(file.read_at(at, size)))
        try:
            page = compact.struct(_PAGE)
            return {1: page[1], 2: page[2], 3: page[3], **page}, compact.at
        except (LookupError, TypeError, ValueError) as found:
            error = found
    raise FormatError(file.file.path, f"a page header that makes no sense: {error}") from error


class _Compact:
    """Reads values of Thrift's compact protocol; `LookupError` where the data ends too early."""

    def __init__(self, data: bytes) -> None:
        self._data, self.at = data, 0

    def struct(self, wanted: Wanted, depth: int = 0) -> dict[int, Any]:
        """Read a struct; of its fields, return those that are `wanted`."""
        if depth > _MAX_DEPTH:
            raise ValueError("too many levels")
        found: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._number()
            kind = head & 15
            value = self._value(kind, wanted.get(number), depth + 1) if kind > _TRUTHS else None
            if number in wanted:
                found[number] = _checked(value, wanted[number])
        return found

    def _byte(self) -> int:
        self.at += 1
        return self._data[self.at - 1]

    def _varint(self) -> int:
        found = shift = 0
        while (byte := self._byte()) & 0x80:
            found |= (byte & 0x7F) << shift
            shift += 7
            if shift > 63:  # noqa: PLR2004  # bits
                raise ValueError("a number of more than 64 bits")
        return found | byte << shift

    def _number(self) -> int:
        found = self._varint()
        return (found >> 1) ^ -(found & 1)

    def _skip(self, size: int) -> None:
        self.at += size
        if self.at > len(self._data):
            raise LookupError("it ends too early")

    def _value(self, kind: int, wanted: object, depth: int) -> Any:  # noqa: ANN401  # what Thrift has
        if kind in (4, 5, 6):
            return self._number()
        if kind == _STRUCT:
            return self.struct(wanted if isinstance(wanted, dict) else {}, depth)
        if kind in (9, 10):
            return self._list(wanted, depth)
        if kind not in _SIZES and kind != _BINARY:
            raise ValueError(f"a field of kind {kind}")
        self._skip(_SIZES[kind] if kind in _SIZES else self._varint())
        return None

    def _list(self, wanted: object, depth: int) -> list[Any] | None:
        head = self._byte()
        size, kind = head >> 4, head & 15
        size = self._varint() if size == 15 else size  # noqa: PLR2004  # it did not fit
        if size > len(self._data) - self.at:
            raise LookupError("a list that ends too early")
        if isinstance(wanted, list):
            [each] = wanted
            return [_checked(self._value(kind, each, depth), each) for _ in range(size)]
        for _ in range(size):
            self._value(kind, None, depth)
        return None


def _checked(value: object, wanted: object) -> object:
    if type(value) is not type(wanted):
        raise ValueError("a field of another kind")
    return value
