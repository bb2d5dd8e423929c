"""Git objects: how a repository hashes them, and how `git cat-file` says what one is."""

import hashlib
from dataclasses import dataclass
from typing import NamedTuple

MISSING = "missing"
_WORDS = 3


@dataclass(frozen=True, slots=True)
class Format:
    """The hash of a repository: `sha1` or `sha256`."""

    algorithm: str

    @property
    def hex_digits(self) -> int:
        """How long an id is."""
        return 2 * self.hash(b"").digest_size

    @property
    def none(self) -> str:
        """The id that stands for no object."""
        return "0" * self.hex_digits

    def hash(self, data: bytes) -> "hashlib._Hash":
        """Hash as the repository does; SHA-1 is an index here, what is trusted is signed."""
        return hashlib.new(self.algorithm, data, usedforsecurity=False)

    def oid(self, kind: str, data: bytes) -> str:
        """Return the id of an object."""
        return self.hash(b"%s %d\0" % (kind.encode(), len(data)) + data).hexdigest()


class Header(NamedTuple):
    """What an object is: its type, or `MISSING`, or nothing if that cannot be said; and its size in bytes."""

    kind: str
    size: int


def header(line: bytes, oid: str) -> Header:
    """Read the line with which `git cat-file --batch` or `--batch-check` begins its answer about an object."""
    words = line.decode("ascii", "replace").split(" ")
    if words[-1] == MISSING:
        return Header(MISSING, 0)
    if len(words) != _WORDS or words[0] != oid or not words[2].isdecimal():
        return Header("", 0)
    return Header(words[1], int(words[2]))
