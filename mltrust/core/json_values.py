"""JSON as people write it: what a text spells, leniently, and which values are written alike."""

import json

from mltrust.core.canonical import check_bounds
from mltrust.errors import FormatError

NO_JSON = object()
"""What a text spells that is no JSON."""

_DEPTH = 256  # levels: libraries raise the limit of recursion, and deep JSON then ends the process


def value_of(text: bytes) -> object:
    """Return the JSON value that `text`, UTF-8 with or without its mark, spells; `NO_JSON` if it spells none."""
    try:
        if text.count(b"[") + text.count(b"{") > _DEPTH:
            check_bounds(text, "a text", _DEPTH, len(text))
        return json.loads(text.decode("utf-8-sig"))
    except (ValueError, RecursionError, FormatError):
        return NO_JSON


def object_of(text: bytes) -> dict[str, object] | None:
    """Return the JSON object that `text` spells; None if it spells none."""
    value = value_of(text)
    return value if isinstance(value, dict) else None


def same(one: object, two: object) -> bool:
    """Tell whether two values are written alike, whatever the order of keys; to Python, 1, 1.0 and true are equal."""
    return one == two and _spelling(one) == _spelling(two)


def _spelling(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=repr)
