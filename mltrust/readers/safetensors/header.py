"""The safetensors header, parsed strictly.

A file is an 8-byte little-endian header length N, N bytes of JSON, then a buffer that the tensors
tile exactly. The safetensors library accepts more than its specification says (duplicate names, extra
fields, entries as arrays, leading white space); whatever two parsers could read in two ways is refused
here. A dtype this table does not know is an opaque word: its size follows from the offsets.
"""

import re
from dataclasses import dataclass
from itertools import pairwise
from typing import NoReturn

from mltrust.core import canonical
from mltrust.core.canonical import Json
from mltrust.core.names import check_text, sort_key
from mltrust.errors import FormatError

LENGTH_BYTES = 8
MAX_HEADER_BYTES = 100_000_000
_MAX_VALUES = 4_000_000
_MAX_DEPTH = 4
_MAX_DIMENSIONS = 1024
_DTYPE = re.compile(r"[A-Za-z0-9_]{1,64}")
_FIELDS = {"dtype", "shape", "data_offsets"}

BITS = {
    "BOOL": 8, "U8": 8, "I8": 8, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E8M0": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8,
    "F4": 4, "F6_E2M3": 6, "F6_E3M2": 6, "I16": 16, "U16": 16, "F16": 16, "BF16": 16, "I32": 32, "U32": 32,
    "F32": 32, "C64": 64, "F64": 64, "I64": 64, "U64": 64,
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class TensorRange:
    """A tensor and its bytes, `begin` to `end`, counted from the start of the file."""

    name: str
    dtype: str
    shape: tuple[int, ...]
    begin: int
    end: int


@dataclass(frozen=True, slots=True)
class Header:
    """A parsed header: `size` bytes with its length field, the tensors by name, the metadata by key."""

    size: int
    tensors: tuple[TensorRange, ...]
    metadata: tuple[tuple[str, str], ...]


def header_size(first: bytes, file_size: int, where: str) -> int:
    """Return the size of the header with its length field, from the first 8 bytes of the file."""
    if len(first) < LENGTH_BYTES:
        raise FormatError(where, f"truncated: {file_size} bytes are too few for a safetensors file")
    length = int.from_bytes(first[:LENGTH_BYTES], "little")
    if length > MAX_HEADER_BYTES:
        raise FormatError(where, f"header length {length} is over the limit of {MAX_HEADER_BYTES}")
    if length < len("{}"):
        raise FormatError(where, f"header length {length} is too small for a header")
    if LENGTH_BYTES + length > file_size:
        raise FormatError(where, f"truncated: the header needs {LENGTH_BYTES + length} bytes, the file has {file_size}")
    return LENGTH_BYTES + length


def parse_header(data: bytes, file_size: int, where: str) -> Header:
    """Parse `data`, the header with its length field, of a file of `file_size` bytes; refuse any surprise."""
    size = header_size(data, file_size, where)
    text = data[LENGTH_BYTES:size].rstrip(b" ")
    if not (text.startswith(b"{") and text.endswith(b"}")):
        raise FormatError(where, "the header does not begin with '{' and end with '}' and spaces")
    value = canonical.loads(text, where, max_depth=_MAX_DEPTH, max_values=_MAX_VALUES)
    assert isinstance(value, dict)  # noqa: S101  # it begins with a brace
    metadata = _metadata(value.pop("__metadata__", None), where)
    tensors = tuple(_tensor(name, entry, size, where) for name, entry in value.items())
    _check_tiling(tensors, size, file_size, where)
    return Header(size, tuple(sorted(tensors, key=lambda tensor: sort_key(tensor.name))), metadata)


def _metadata(value: Json, where: str) -> tuple[tuple[str, str], ...]:
    if value is None:
        return ()
    if not isinstance(value, dict):
        raise FormatError(where, "__metadata__ is not an object")
    pairs = []
    for key, text in value.items():
        if not isinstance(text, str):
            raise FormatError(where, f"__metadata__ value of {ascii(key)[:80]} is not a string")
        pairs.append((key, text))
    return tuple(sorted(pairs, key=lambda pair: sort_key(pair[0])))


def _tensor(name: str, entry: Json, start: int, where: str) -> TensorRange:
    where = f"{where}: tensor {ascii(check_text(name, where))[:80]}"
    if not isinstance(entry, dict) or set(entry) != _FIELDS:
        found = ", ".join(sorted(ascii(key)[:40] for key in entry)) if isinstance(entry, dict) else "no object"
        raise FormatError(where, f"needs dtype, shape and data_offsets and nothing else, found {found[:160]}")
    dtype, shape = entry["dtype"], _integers(entry["shape"], "shape", where)
    if not isinstance(dtype, str) or not _DTYPE.fullmatch(dtype):
        raise FormatError(where, f"dtype {ascii(dtype)[:80]} is not a word")
    offsets = _integers(entry["data_offsets"], "data_offsets", where)
    if len(offsets) != len(("begin", "end")) or offsets[0] > offsets[1]:
        raise FormatError(where, f"data_offsets {ascii(offsets)[:80]} are not a range")
    _check_size(dtype, shape, offsets[1] - offsets[0], where)
    return TensorRange(name, dtype, shape, start + offsets[0], start + offsets[1])


def _integers(value: Json, field: str, where: str) -> tuple[int, ...]:
    if not isinstance(value, list) or len(value) > _MAX_DIMENSIONS:
        raise FormatError(where, f"{field} is not a list of at most {_MAX_DIMENSIONS} integers")
    found = []
    for number in value:
        if not isinstance(number, int) or isinstance(number, bool) or number < 0:
            raise FormatError(where, f"{field} holds {ascii(number)[:40]}, not a whole number")
        found.append(number)
    return tuple(found)


def _check_size(dtype: str, shape: tuple[int, ...], size: int, where: str) -> None:
    elements = 0 if 0 in shape else 1
    for dimension in shape:
        elements *= dimension
        if elements > canonical.MAX_INTEGER:
            raise FormatError(where, "shape has 2^53 elements or more")
    bits = BITS.get(dtype)
    if bits is not None and elements * bits != size * 8:
        raise FormatError(where, f"{dtype} of shape {list(shape)} takes {elements * bits / 8:g} bytes, not {size}")


def _check_tiling(tensors: tuple[TensorRange, ...], start: int, file_size: int, where: str) -> None:
    """Check that header and tensors cover every byte of the file exactly once."""

    def refuse(what: str) -> NoReturn:
        raise FormatError(where, what)

    ordered = sorted(tensors, key=lambda tensor: (tensor.begin, tensor.end))
    if ordered and ordered[0].begin != start:
        refuse(f"{ordered[0].begin - start} bytes after the header belong to no tensor")
    for before, after in pairwise(ordered):
        if after.begin != before.end:
            relation = "overlap" if after.begin < before.end else "leave a hole"
            refuse(f"tensors {ascii(before.name)[:80]} and {ascii(after.name)[:80]} {relation}")
    end = max((tensor.end for tensor in tensors), default=start)
    if end > file_size:
        refuse(f"truncated: the tensors need {end} bytes, the file has {file_size}")
    if end < file_size:
        refuse(f"{file_size - end} bytes at the end belong to no tensor")
