"""RLP (Yellow Paper, appendix B; ethereum.org "Recursive-length prefix serialization"): strict in, canonical out.

An item is bytes or a list of items. Every item has one spelling here: a single byte below 0x80 stands for itself, a
length is written in the short form where that fits, without leading zeros where not, and nothing follows the item.
So whatever `decode` takes, `encode` gives back byte by byte.
"""

from collections.abc import Sequence
from typing import TypeAlias

from mltrust.errors import FormatError

Item: TypeAlias = "bytes | list[Item]"
"""What `decode` returns."""

Encodable: TypeAlias = "bytes | Sequence[Encodable]"
"""What `encode` takes."""

MAX_DEPTH = 16
"""Lists in lists; a transaction needs four, a node of a trie with nodes in it a few more."""

MAX_ITEMS = 2**14
"""Items in all; a receipt of two thousand events has as many."""

_STRING, _LIST = 0x80, 0xC0
_SHORT = 55  # the longest payload whose length fits into the first byte


def encode(item: Encodable) -> bytes:
    """Write `item`; a list or tuple is a list."""
    if isinstance(item, bytes):
        return item if len(item) == 1 and item[0] < _STRING else _head(_STRING, len(item)) + item
    payload = b"".join(encode(part) for part in item)
    return _head(_LIST, len(payload)) + payload


def encode_integer(value: int) -> bytes:
    """Write a non-negative integer: big-endian, without leading zeros; zero is the empty string."""
    return encode(value.to_bytes((value.bit_length() + 7) // 8, "big"))


def decode(data: bytes, where: str) -> Item:
    """Read the one item that `data` is; any other spelling of it, and anything after it, is a `FormatError`."""
    item, end = _Reader(data, where).item(0, len(data), 0)
    if end != len(data):
        raise FormatError(where, f"{len(data) - end} bytes after the RLP item")
    return item


def items(item: Item, where: str, count: int | None = None) -> list[Item]:
    """Return `item` if it is a list (of `count` items, if given), else raise `FormatError`."""
    if isinstance(item, bytes):
        raise FormatError(where, "an RLP string where a list belongs")
    if count not in (None, len(item)):
        raise FormatError(where, f"an RLP list of {len(item)} items where {count} belong")
    return item


def string(item: Item, where: str, size: int | None = None) -> bytes:
    """Return `item` if it is a string (of `size` bytes, if given), else raise `FormatError`."""
    if not isinstance(item, bytes):
        raise FormatError(where, "an RLP list where a string belongs")
    if size not in (None, len(item)):
        raise FormatError(where, f"an RLP string of {len(item)} bytes where {size} belong")
    return item


def integer(item: Item, where: str, most: int = 2**256 - 1) -> int:
    """Return `item` as an integer between 0 and `most`, else raise `FormatError`; leading zeros are no spelling."""
    digits = string(item, where)
    if digits[:1] == b"\0" or len(digits) > (most.bit_length() + 7) // 8 or int.from_bytes(digits, "big") > most:
        raise FormatError(where, f"no integer, or one above {most}")
    return int.from_bytes(digits, "big")


class _Reader:
    """Reads the items of `data`, and no more of them than are allowed."""

    def __init__(self, data: bytes, where: str) -> None:
        self._data, self._where, self._left = data, where, MAX_ITEMS

    def item(self, at: int, limit: int, depth: int) -> tuple[Item, int]:
        """Return the item at `at`, which ends at `limit` at the latest, and where it ends."""
        start, end = self._payload(at, limit)
        self._left -= 1
        if self._left < 0:
            raise self._surprise(f"has more than {MAX_ITEMS} items")
        if self._data[at] < _LIST:
            return self._data[start:end], end
        if depth == MAX_DEPTH:
            raise self._surprise(f"has lists nested deeper than {MAX_DEPTH}")
        items = []
        while start < end:
            item, start = self.item(start, end, depth + 1)
            items.append(item)
        return items, end

    def _payload(self, at: int, limit: int) -> tuple[int, int]:
        if at >= limit:
            raise self._surprise(f"ends at byte {limit}, where an item belongs")
        first = self._data[at]
        if first < _STRING:
            return at, at + 1
        start, length = at + 1, first - (_LIST if first >= _LIST else _STRING)
        if length > _SHORT:
            digits = length - _SHORT
            start, length = start + digits, int.from_bytes(self._data[start : start + digits], "big")
            if self._data[at + 1 : at + 2] == b"\0" or length <= _SHORT:
                raise self._surprise(f"at byte {at} is not in its shortest form")
        end = start + length
        if end > limit:
            raise self._surprise(f"at byte {at} goes on after its end")
        if first == _STRING + 1 and self._data[start] < _STRING:
            raise self._surprise(f"at byte {at} is not in its shortest form")
        return start, end

    def _surprise(self, what: str) -> FormatError:
        return FormatError(self._where, f"RLP {what}")


def _head(kind: int, length: int) -> bytes:
    if length <= _SHORT:
        return bytes([kind + length])
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([kind + _SHORT + len(digits)]) + digits
