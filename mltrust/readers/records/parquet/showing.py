"""Rows as people see them: the canonical form, read back."""

import math
import struct
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Context, Decimal

from mltrust.readers.records.parquet.schema import WIDEST_128, Type

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS = {"s": 0, "ms": 3, "us": 6, "ns": 9}
_FLOATS = {"float16": ">e", "float32": ">f", "float64": ">d"}
_EXACT = Context(prec=100)


def values(record: bytes, columns: Type) -> dict[str, object]:
    """Return a row as values that JSON has: bytes are hexadecimal, decimals and times are text, and so is NaN."""
    cursor = _Cursor(record)
    return {name: cursor.value(part) for name, part in zip(columns.names, columns.parts, strict=True)}


class _Cursor:
    """Reads a record from its start."""

    def __init__(self, record: bytes) -> None:
        self._record, self._at = record, 0

    def _take(self, size: int) -> bytes:
        found = self._record[self._at : self._at + size]
        self._at += size
        return found

    def _number(self, size: int, *, signed: bool = True) -> int:
        return int.from_bytes(self._take(size), "big", signed=signed)

    def value(self, kind: Type) -> object:
        """Return the next value."""
        if self._take(1) == b"\x00":
            return None
        if kind.parts or kind.word == "struct":
            return self._nested(kind)
        name, _, rest = kind.word.rstrip(")").partition("(")
        return self._leaf(name, rest.split(","))

    def _leaf(self, name: str, arguments: list[str]) -> object:
        if name in _FLOATS:
            number = struct.unpack(_FLOATS[name], self._take(struct.calcsize(_FLOATS[name])))[0]
            return number if math.isfinite(number) else str(number)
        if name in ("string", "binary", "fixed"):
            data = self._take(int(arguments[0]) if name == "fixed" else self._number(8))
            return data.decode("utf-8", "replace") if name == "string" else data.hex()
        if name == "decimal":
            return self._decimal(*map(int, arguments))
        if name in ("date", "time", "timestamp", "duration"):
            return self._time(name, arguments)
        if name == "bool":
            return self._take(1) == b"\x01"
        return self._number(int(name.lstrip("uint")) // 8, signed=name[0] == "i")

    def _nested(self, kind: Type) -> object:
        if kind.word == "struct":
            return {name: self.value(part) for name, part in zip(kind.names, kind.parts, strict=True)}
        if kind.word == "list":
            return [self.value(kind.parts[0]) for _ in range(self._number(8))]
        return [[self.value(part) for part in kind.parts] for _ in range(self._number(8))]

    def _decimal(self, precision: int, scale: int) -> str:
        number = self._number(16 if precision <= WIDEST_128 else 32)
        return format(Decimal(number).scaleb(-scale, _EXACT), "f")

    def _time(self, word: str, arguments: list[str]) -> str:
        if word == "date":
            return _text(self._number(4) * 86_400, lambda at: at.date().isoformat())
        unit = arguments[0]
        number = self._number(4 if word == "time" and unit in ("s", "ms") else 8)
        if word == "duration":
            return f"{Decimal(number).scaleb(-_DIGITS[unit])} s"
        seconds, rest = divmod(number, 10 ** _DIGITS[unit])
        fraction = f".{rest:0{_DIGITS[unit]}}" if _DIGITS[unit] else ""
        if word == "time":
            return _text(seconds, lambda at: at.time().isoformat() + fraction)
        zone = "Z" if "utc" in arguments else ""
        return _text(seconds, lambda at: at.replace(tzinfo=None).isoformat() + fraction + zone)


def _text(seconds: int, spell: Callable[[datetime], str]) -> str:
    try:
        return spell(_EPOCH + timedelta(seconds=seconds))
    except OverflowError:
        return f"{seconds} seconds since 1970"
