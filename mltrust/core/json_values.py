"""JSON values as people mean them: what is equal, and what a text spells."""

import json


def same(one: object, two: object) -> bool:
    """Tell whether two values are written alike, whatever the order of keys; to Python, 1, 1.0 and true are equal."""
    return one == two and _spelling(one) == _spelling(two)


def object_of(text: bytes) -> dict[str, object] | None:
    """Return the JSON object that `text` spells; None if it spells none."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None


def _spelling(value: object) -> str:
    return json.dumps(value, sort_keys=True, default=repr)
