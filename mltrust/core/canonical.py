"""JSON with one spelling: RFC 8785 out, strict and bounded in.

What is hashed or signed is written by `dumps` (RFC 8785). What is read, from a seal or a tensor
header alike, passes `loads`: UTF-8 without a byte order mark, no duplicate keys, no floats, no
integers of 2**53 or more, no lone surrogates, at most `max_depth` levels and `max_values` values.
The bounds are checked on the raw text, before anything is built from it.
"""

import json
import re
from collections import Counter
from collections.abc import Iterator
from typing import NoReturn

import rfc8785
from pydantic import JsonValue

from mltrust.errors import FormatError

Json = JsonValue

MAX_DEPTH = 32
MAX_VALUES = 64_000_000
MAX_INTEGER = 2**53 - 1

_NOT_STRUCTURE = bytes(set(range(256)) - set(b"[]{},"))
_BLOCK = 2**20
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")


def dumps(value: object) -> bytes:
    """Serialize `value` by RFC 8785 (JSON Canonicalization Scheme)."""
    return rfc8785.dumps(value)  # type: ignore[arg-type]  # its JSON type is invariant in lists and dicts


def loads(
    data: bytes, where: str, *, max_depth: int = MAX_DEPTH, max_values: int = MAX_VALUES, floats: bool = False
) -> Json:
    """Parse `data` strictly; `where` names the document in the `FormatError` any surprise raises.

    `floats` lets fractions pass, for documents of others; ours have none.
    """
    check_bounds(data, where, max_depth, max_values)

    def refuse(what: str) -> NoReturn:
        raise FormatError(where, what)

    def pairs(items: list[tuple[str, Json]]) -> dict[str, Json]:
        found = dict(items)
        if len(found) != len(items):
            counts = Counter(key for key, _ in items)
            refuse(f"duplicate key {ascii(counts.most_common(1)[0][0])[:80]}")
        return found

    def integer(digits: str) -> int:
        if len(digits) > len(str(MAX_INTEGER)) + 1 or abs(int(digits)) > MAX_INTEGER or digits == "-0":
            refuse(f"integer {digits[:24]} is not below 2^53 in one spelling")
        return int(digits)

    try:
        value: Json = json.loads(
            data.decode("utf-8"),
            object_pairs_hook=pairs,
            parse_int=integer,
            parse_float=float if floats else lambda text: refuse(f"number {text[:24]} is not an integer"),
            parse_constant=lambda text: refuse(f"{text} is not JSON"),
        )
    except UnicodeDecodeError as error:
        raise FormatError(where, f"not UTF-8 at byte {error.start}") from error
    except json.JSONDecodeError as error:
        raise FormatError(where, f"not JSON: {error.msg} at character {error.pos}") from error
    if _SURROGATE_ESCAPE.search(data):
        _check_surrogates(value, where)
    return value


def check_bounds(data: bytes, where: str, max_depth: int, max_values: int) -> None:
    """Bound nesting and the number of values on the bare brackets and commas, so parsing cannot explode."""
    values = depth = 0
    for structure in _structure(data):
        values += len(structure)
        if values > max_values:
            raise FormatError(where, f"more than {max_values} values")
        for byte in structure.translate(None, b","):
            depth += 1 if byte in b"[{" else -1
            if depth > max_depth:
                raise FormatError(where, f"nested deeper than {max_depth} levels")


def _structure(data: bytes) -> Iterator[bytes]:
    """Yield the brackets and commas outside strings, block by block: linear time and little memory on any text."""
    inside, start = 0, 0
    while start < len(data):
        end = start + _BLOCK
        block = data[start:end]
        if (len(block) - len(block.rstrip(b"\\"))) % 2:  # an escape stays in one block
            end += 1
            block = data[start:end]
        pieces = block.replace(b"\\\\", b"").replace(b'\\"', b"").split(b'"')
        yield b"".join(pieces[inside::2]).translate(None, _NOT_STRUCTURE)
        inside ^= (len(pieces) - 1) % 2
        start = end


def _check_surrogates(value: Json, where: str) -> None:
    try:
        json.dumps(value, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise FormatError(where, "a lone surrogate in a string") from error
