"""Rows in their canonical form, made column by column inside Arrow: only the last step goes row by row.

A value is 00 where it is null, else 01 and its bytes; those of a row stand side by side (`docs/format.md` §3.7). While
it is made, a column is a list of pieces that are joined for each row: arrays of binary values, or one value for all.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from itertools import pairwise
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from mltrust.core.records import MAX_RECORD
from mltrust.errors import FormatError
from mltrust.readers.records.parquet.schema import WIDEST_128, is_list

if TYPE_CHECKING:
    from typing import TypeAlias

    Pieces: TypeAlias = list[pa.Array | pa.Scalar]

_BINARY = pa.large_binary()
_NOTHING, _ABSENT, _PRESENT = (pa.scalar(value, _BINARY) for value in (b"", b"\x00", b"\x01"))
_LARGEST = 2 * MAX_RECORD
_DAY = 86_400_000


class _TooLargeError(Exception):
    """These rows take more memory than they may."""


def rows(batch: pa.RecordBatch, where: str) -> Iterator[Sequence[bytes]]:
    """Yield the rows of a valid batch, many at a time; `FormatError` if one is too large."""
    try:
        yield _rows(batch)
    except _TooLargeError as error:
        half = len(batch) // 2
        if not half:
            raise FormatError(where, f"a record of more than {MAX_RECORD:,} bytes") from error
        yield from rows(batch.slice(0, half), where)
        yield from rows(batch.slice(half), where)


def _rows(batch: pa.RecordBatch) -> Sequence[bytes]:
    joined = _joined([piece for column in batch.columns for piece in _pieces(column)], len(batch))
    if not len(joined):
        return []
    _, places, content = joined.buffers()
    ends = memoryview(places).cast("q")[joined.offset : joined.offset + len(joined) + 1].tolist()
    data = content.to_pybytes() if content else b""
    if max(end - begin for begin, end in pairwise(ends)) > MAX_RECORD:
        raise _TooLargeError
    return [data[begin:end] for begin, end in pairwise(ends)]


def _joined(pieces: "Pieces", length: int) -> pa.LargeBinaryArray:
    """Join, for each of `length` rows, its pieces."""
    if any(isinstance(piece, pa.Array) for piece in pieces):
        return pieces[0] if len(pieces) == 1 else pc.binary_join_element_wise(*pieces, _NOTHING)
    return pa.repeat(pa.scalar(b"".join(piece.as_py() for piece in pieces), _BINARY), length)


def _pieces(array: pa.Array) -> "Pieces":
    """Return the values, each with the byte that says whether it is null."""
    kind = array.type
    if isinstance(kind, pa.BaseExtensionType):
        return _pieces(array.storage)
    if pa.types.is_dictionary(kind):
        return [_spread(array.dictionary, array.indices)]
    if pa.types.is_run_end_encoded(kind):
        return [_spread(array.values, _run_indices(array))]
    if pa.types.is_null(kind):
        return [_ABSENT]
    if not array.null_count:
        return [_bytes_of(_numbers(array), b"\x01")] if _is_number(kind) else [_PRESENT, *_body(array)]
    valid, body = array.is_valid(), _joined(_body(array), len(array))
    return [pc.if_else(valid, _PRESENT, _ABSENT), pc.if_else(valid, body, _NOTHING)]


def _spread(values: pa.Array, indices: pa.Array) -> pa.LargeBinaryArray:
    """Return the values at `indices`, encoding each but once: a short file can name a long value very often."""
    used = indices.unique()
    encoded = _joined(_pieces(values.take(used)), len(used))
    places = pc.index_in(indices, value_set=used)
    _check_size(pc.sum(pc.binary_length(encoded).take(places)).as_py())
    return encoded.take(places)


def _run_indices(array: pa.Array) -> pa.Array:
    """Return, for each value of a run-end encoded array, which of its runs it is in."""
    first, count = array.find_physical_offset(), array.find_physical_length()
    runs = pa.array(range(first, first + count), pa.int64())
    numbered = pa.RunEndEncodedArray.from_arrays(array.run_ends.slice(first, count), runs)
    return pc.run_end_decode(numbered.slice(array.offset, len(array)))


def _body(array: pa.Array) -> "Pieces":
    """Return the values without that byte; where one is null, anything."""
    kind = array.type
    if pa.types.is_struct(kind):
        return [piece for part in array.flatten() for piece in _pieces(part)] or [_NOTHING]
    if pa.types.is_map(kind):
        return _list(_pairs(array), _entry)
    if is_list(kind):
        return _list(array, _pieces)
    if _is_number(kind):
        return [_bytes_of(_numbers(array))]
    values = array.cast(_BINARY)
    return [values] if pa.types.is_fixed_size_binary(kind) else [_lengths(pc.binary_length(values)), values]


def _pairs(array: pa.MapArray) -> pa.ListArray:
    """Return the same memory as a list; a cast loses values in some nested types."""
    entries = pa.StructArray.from_arrays([array.keys, array.items], ["key", "value"])
    return pa.Array.from_buffers(
        pa.list_(entries.type), len(array), array.buffers()[:2], array.null_count, array.offset, [entries]
    )


def _entry(array: pa.StructArray) -> "Pieces":
    """Return keys and values of a map: an entry itself is never null."""
    return [piece for part in array.flatten() for piece in _pieces(part)]


def _list(array: pa.Array, pieces: "Callable[[pa.Array], Pieces]") -> "Pieces":
    counts = pc.fill_null(pc.list_value_length(array), 0).cast(pa.int64())
    _check_size(pc.sum(counts).as_py())
    values = array.flatten()
    ends = pa.concat_arrays([pa.array([0], pa.int64()), pc.cumulative_sum(counts)])
    joined = _joined(pieces(values), len(values))
    if len(joined):
        places = pa.Array.from_buffers(pa.int64(), len(joined) + 1, [None, joined.buffers()[1]], offset=joined.offset)
        ends = places.take(ends)
    lists = pa.Array.from_buffers(_BINARY, len(array), [None, ends.buffers()[1], joined.buffers()[2]])
    return [_lengths(counts), lists]


def _check_size(size: int | None) -> None:
    if size is not None and size > _LARGEST:
        raise _TooLargeError


def _is_number(kind: pa.DataType) -> bool:
    return bool(pa.types.is_primitive(kind) or pa.types.is_decimal(kind))


def _numbers(array: pa.Array) -> pa.Array:
    """Return values of a fixed width, in the one width their logical type has."""
    kind = array.type
    if pa.types.is_boolean(kind):
        return array.cast(pa.uint8())
    if pa.types.is_date64(kind):
        return pc.divide(array.cast(pa.int64()), _DAY).cast(pa.int32())
    if pa.types.is_decimal(kind):
        maker = pa.decimal128 if kind.precision <= WIDEST_128 else pa.decimal256
        return array.cast(maker(kind.precision, kind.scale))
    return array


def _lengths(counts: pa.Array) -> pa.LargeBinaryArray:
    return _bytes_of(counts.cast(pa.int64()))


def _bytes_of(array: pa.Array, first: bytes = b"") -> pa.LargeBinaryArray:
    """Return the bits of every number, big-endian, after `first`."""
    width, length = array.type.bit_width // 8, len(array)
    whole = len(first) + width
    found = bytearray(first or 1) * (length * whole)
    if length:
        data = memoryview(array.buffers()[1])[array.offset * width : (array.offset + length) * width]
        for at in range(width):
            found[len(first) + at :: whole] = data[width - 1 - at if sys.byteorder == "little" else at :: width]
    return pa.Array.from_buffers(pa.binary(whole), length, [None, pa.py_buffer(found)]).cast(_BINARY)
