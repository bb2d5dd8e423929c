"""Logical types of columns: what a value means, not how Arrow, Parquet or a writer chose to lay it out."""

from collections import Counter
from functools import cache
from typing import TYPE_CHECKING, NamedTuple

from mltrust.core.leaf import ns, u64
from mltrust.errors import FormatError

if TYPE_CHECKING:
    import pyarrow as pa

_TAG = ns(b"mltrust/columns/1")
_MAX_DEPTH = 64
WIDEST_128 = 38
"""The precision up to which a decimal has 128 bits, and above which it has 256."""

_INTEGERS = ("int8", "int16", "int32", "int64", "uint8", "uint16", "uint32", "uint64")
_SAME = ("null", *_INTEGERS, "float16", "float32", "float64")
_OTHERS = {"bool": ("bool_",), "date": ("date32", "date64")}
_BYTES = {name: (name, f"large_{name}", f"{name}_view") for name in ("string", "binary")}


class Type(NamedTuple):
    """A logical type: a word such as `int64` or `decimal(10,2)`, and the types it is made of, named in a struct."""

    word: str
    parts: tuple["Type", ...] = ()
    names: tuple[str, ...] = ()

    def encode(self) -> bytes:
        """Return NS(word), the number of parts as u64, and for each part NS(name or "") and its encoding."""
        names = self.names or [""] * len(self.parts)
        parts = (ns(name.encode("utf-8")) + part.encode() for name, part in zip(names, self.parts, strict=True))
        return ns(self.word.encode()) + u64(len(self.parts)) + b"".join(parts)

    def nodes(self) -> int:
        """Return how many types this one is made of, itself included."""
        return 1 + sum(part.nodes() for part in self.parts)

    def replacing(self, prefix: str, word: str) -> "Type":
        """Return the type with `word` wherever a word begins with `prefix`."""
        parts = tuple(part.replacing(prefix, word) for part in self.parts)
        return Type(word if self.word.startswith(prefix) else self.word, parts, self.names)


def header(columns: Type) -> bytes:
    """Return what stands once for all rows: the names and types of the columns."""
    return _TAG + columns.encode()


def columns_of(schema: "pa.Schema", where: str) -> Type:
    """Return the columns as one struct; `FormatError` if a type has no canonical form, or two columns one name."""
    return _struct(schema, where, _MAX_DEPTH)


def _struct(fields: "pa.Schema | pa.StructType", where: str, depth: int) -> Type:
    found = [fields.field(at) for at in range(len(fields))]
    names = tuple(field.name for field in found)
    if len(set(names)) < len(names):
        [(twice, _)] = Counter(names).most_common(1)
        raise FormatError(where, f"two columns are called {ascii(twice)[:80]}")
    return Type("struct", tuple(_type(field.type, where, depth - 1) for field in found), names)


def _type(kind: "pa.DataType", where: str, depth: int) -> Type:
    import pyarrow as pa

    if not depth:
        raise FormatError(where, f"columns of more than {_MAX_DEPTH} levels")
    if isinstance(kind, pa.BaseExtensionType):
        return _type(kind.storage_type, where, depth - 1)
    if pa.types.is_dictionary(kind) or pa.types.is_run_end_encoded(kind):
        return _type(kind.value_type, where, depth - 1)
    if pa.types.is_struct(kind):
        return _struct(kind, where, depth)
    if pa.types.is_map(kind):
        return Type("map", (_type(kind.key_type, where, depth - 1), _type(kind.item_type, where, depth - 1)))
    if is_list(kind):
        return Type("list", (_type(kind.value_type, where, depth - 1),))
    word = _words().get(kind) or _word_with_arguments(kind)
    if not word:
        raise FormatError(where, f"a column of type {ascii(str(kind))[:80]}, which has no canonical form")
    return Type(word)


def is_list(kind: "pa.DataType") -> bool:
    """Tell whether values are lists, in any of their layouts; a map is none."""
    import pyarrow as pa

    tests = ("list", "large_list", "fixed_size_list", "list_view", "large_list_view")
    return any(getattr(pa.types, f"is_{test}")(kind) for test in tests)


def _word_with_arguments(kind: "pa.DataType") -> str:
    import pyarrow as pa

    if pa.types.is_decimal(kind):
        return f"decimal({kind.precision},{kind.scale})"
    if pa.types.is_fixed_size_binary(kind):
        return f"fixed({kind.byte_width})"
    if pa.types.is_time(kind):
        return f"time({kind.unit})"
    if pa.types.is_timestamp(kind):
        return f"timestamp({kind.unit},utc)" if kind.tz else f"timestamp({kind.unit})"
    return f"duration({kind.unit})" if pa.types.is_duration(kind) else ""


@cache
def _words() -> "dict[pa.DataType, str]":
    import pyarrow as pa

    makers = {**{word: (word,) for word in _SAME}, **_OTHERS, **_BYTES}
    return {getattr(pa, maker)(): word for word, some in makers.items() for maker in some}
