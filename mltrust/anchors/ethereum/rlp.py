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
    item, end = _item(data, 0, len(data), where, 0)
    if end != len(data):
        raise FormatError(where, f"{len(data) - end} bytes after the RLP item")
    return item


def decode_list(data: bytes, where: str) -> list[Item]:
    """Read `data` as a list; any surprise is a `FormatError`."""
    item = decode(data, where)
    if isinstance(item, bytes):
        raise FormatError(where, "an RLP string where a list belongs")
    return item


def string(item: Item, where: str, size: int | None = None) -> bytes:
    """Return `item` if it is a string (of `size` bytes, if given), else raise `FormatError`."""
    if not isinstance(item, bytes) or size not in (None, len(item)):
        raise FormatError(where, "an RLP list or a string of another length" if size else "an RLP list")
    return item


def integer(item: Item, where: str, most: int = 2**256 - 1) -> int:
    """Return `item` as an integer between 0 and `most`, else raise `FormatError`; leading zeros are no spelling."""
    digits = string(item, where)
    if digits[:1] == b"\0" or len(digits) > (most.bit_length() + 7) // 8 or int.from_bytes(digits, "big") > most:
        raise FormatError(where, f"no integer, or one above {most}")
    return int.from_bytes(digits, "big")


def _item(data: bytes, at: int, limit: int, where: str, depth: int) -> tuple[Item, int]:
    start, end = _payload(data, at, limit, where)
    if data[at] < _LIST:
        return data[start:end], end
    if depth == MAX_DEPTH:
        raise FormatError(where, f"RLP lists nested deeper than {MAX_DEPTH}")
    items = []
    while start < end:
        item, start = _item(data, start, end, where, depth + 1)
        items.append(item)
    return items, end


def _payload(data: bytes, at: int, limit: int, where: str) -> tuple[int, int]:
    """Return where the payload of the item at `at` begins and ends, which is not after `limit`."""
    if at >= limit:
        raise FormatError(where, f"RLP ends at byte {limit}, where an item belongs")
    first = data[at]
    if first < _STRING:
        return at, at + 1
    start, length = at + 1, first - (_LIST if first >= _LIST else _STRING)
    if length > _SHORT:
        digits = length - _SHORT
        start, length = start + digits, int.from_bytes(data[start : start + digits], "big")
        if data[at + 1 : at + 2] == b"\0" or length <= _SHORT:
            raise FormatError(where, f"RLP at byte {at} is not in its shortest form")
    end = start + length
    if end > limit:
        raise FormatError(where, f"RLP at byte {at} goes on after its end")
    if first == _STRING + 1 and data[start] < _STRING:
        raise FormatError(where, f"RLP at byte {at} is not in its shortest form")
    return start, end


def _head(kind: int, length: int) -> bytes:
    if length <= _SHORT:
        return bytes([kind + length])
    digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
    return bytes([kind + _SHORT + len(digits)]) + digits
