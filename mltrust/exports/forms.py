"""JSON of very many files, in the form in which a library writes one.

The libraries of bills of materials take up to some milliseconds for a file, and a seal may have millions. So a library
writes each shape of a file once, with holes for its texts, and the holes are filled here for every file of that shape.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from itertools import islice

from mltrust.exports.materials import Material, Pairs

_HOLE = re.compile(r'"hole:([^"]*)"')
_BLOCK = 4096  # files written at a time

Shape = tuple[object, ...]


class Forms:
    """Writes files as `write` does, which has the library write one under an identifier."""

    def __init__(self, write: Callable[[str, Material], object]) -> None:
        self._write = write
        self._forms: dict[Shape, list[str]] = {}

    def text(self, identifier: str, material: Material) -> str:
        """Return the JSON of one file."""
        texts = {"identifier": identifier, "path": material.path, **dict(material.hashes), **dict(material.properties)}
        shape = (material.sort, *texts)
        if shape not in self._forms:
            self._forms[shape] = self._form(material)
        pieces = self._forms[shape].copy()
        pieces[1::2] = [json.dumps(texts[name]) for name in pieces[1::2]]
        return "".join(pieces)

    def _form(self, material: Material) -> list[str]:
        """Return JSON, and the names of the holes in it, by turns."""
        hollow = Material("hole:path", material.sort, _hollow(material.hashes), _hollow(material.properties))
        return _HOLE.split(json.dumps(self._write("hole:identifier", hollow)))


def _hollow(pairs: Pairs) -> Pairs:
    return tuple((name, f"hole:{name}") for name, _ in pairs)


def assembled(document: object, lists: Mapping[str, Iterable[str]]) -> bytes:
    """Write a JSON document; where a key of `lists` stands as a text, its JSON texts stand instead, one a line.

    The keys must be texts that nothing else in the document can be.
    """
    keys = {json.dumps(key): texts for key, texts in lists.items()}
    blocks: list[bytes] = []
    for piece in re.split(f"({'|'.join(map(re.escape, keys))})", json.dumps(document, indent=2) + "\n"):
        blocks += _blocks(keys[piece]) if piece in keys else (piece.encode("ascii"),)
    return b"".join(blocks)


def _blocks(texts: Iterable[str]) -> Iterator[bytes]:
    """Yield some texts at a time: the texts of all of them take more memory than their bytes."""
    left, between = iter(texts), ""
    while block := ",\n".join(islice(left, _BLOCK)):
        yield (between + block).encode("ascii")
        between = ",\n"
