"""Where in a model a tensor belongs, by its name: `encoder.layer.3.attention.self.query.weight` and its like."""

import re
from typing import NamedTuple

_SEPARATOR = re.compile(r"[./]")
_NUMBER = re.compile(r"[0-9]{1,5}")
_LAYER = re.compile(r"(\w*?(?:layer|block|stage)s?)_?([0-9]{1,5})")


class Place(NamedTuple):
    """A place in a model.

    `stack` is what numbers its layers (`encoder.layer`), or, where nothing is numbered, what the name begins with.
    `layer` is the number, `module` what lies between it and the last part of the name (further numbers, as of experts,
    are `*`), and `tensor` that last part.
    """

    stack: str
    layer: int | None
    module: str
    tensor: str


def place_of(name: str) -> Place:
    """Return the place of the tensor `name`; one that looks like no other lies in a place of its own.

    Parts of a name are separated by dots or slashes. The first part that is a number counts the layers; so does one
    like `layer_3`, which TensorFlow writes.
    """
    parts = _SEPARATOR.split(name)
    for at, part in enumerate(parts[:-1]):
        if at and _NUMBER.fullmatch(part):
            return _in_layer(parts[:at], int(part), parts[at + 1 :])
        found = _LAYER.fullmatch(part)
        if found and not _NUMBER.fullmatch(parts[at + 1]):  # of `layer1.0`, the second number counts
            return _in_layer([*parts[:at], found[1]], int(found[2]), parts[at + 1 :])
    first, *rest = parts
    return Place(first, None, ".".join(rest[:-1]), rest[-1] if rest else "")


def _in_layer(stack: list[str], number: int, rest: list[str]) -> Place:
    module = ".".join("*" if _NUMBER.fullmatch(part) else part for part in rest[:-1])
    return Place(".".join(stack), number, module, rest[-1])


def place_of_file(path: str) -> Place:
    """Return the place of a file that is read as a whole: by its two uppermost folders."""
    *folders, name = path.split("/", 2)
    return Place(f"{folders[0]}/" if folders else "files", None, folders[1] if folders[1:] else "", name)
