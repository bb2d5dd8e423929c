"""Git LFS pointers: a few lines that stand where content should be (git-lfs docs/spec.md and docs/extensions.md)."""

import re
from typing import NamedTuple, Self

_FIRST_LINE = b"version https://git-lfs.github.com/spec/"
_VERSION = b"version https://git-lfs.github.com/spec/v1\n"
_MIN_SIZE = 100
_MAX_SIZE = 1024

_EXTENSION = re.compile(rb"ext-([0-9])-[a-z0-9.-]+ sha256:([0-9a-f]{64})\n")
_STORED = re.compile(rb"oid sha256:([0-9a-f]{64})\nsize (0|[1-9][0-9]{0,18})\n")


class Pointer(NamedTuple):
    """The file that a pointer stands for: the SHA-256 of its bytes, and how many there are.

    Where extensions change what is stored, the pointer says what the first of them was given, and not its size (None).
    """

    sha256: bytes
    size: int | None

    @classmethod
    def parse(cls, data: bytes) -> Self | None:
        """Return what a pointer says; None if it is not spelled as the specification of version 1 has it."""
        at, orders, first = len(_VERSION), list[bytes](), b""
        if not data.startswith(_VERSION) or len(data) >= _MAX_SIZE:
            return None
        while (found := _EXTENSION.match(data, at)) is not None:
            orders.append(found[1])
            first, at = first or found[2], found.end()
        stored = _STORED.fullmatch(data, at)
        if stored is None or orders != sorted(set(orders)):
            return None
        return cls(bytes.fromhex((first or stored[1]).decode()), None if first else int(stored[2]))

    def data(self) -> bytes:
        """Return the content of the pointer file, without extensions."""
        return _VERSION + b"oid sha256:%s\nsize %d\n" % (self.sha256.hex().encode(), self.size or 0)

    def names(self, sha256: bytes, size: int) -> bool:
        """Tell whether it stands for the file with this SHA-256 and size."""
        return self.sha256 == sha256 and self.size in (None, size)


def may_be_pointer(size: int) -> bool:
    """Tell from the size of a file alone whether it is worth a look."""
    return _MIN_SIZE <= size < _MAX_SIZE


def is_pointer(data: bytes) -> bool:
    """Tell whether the whole content of a file is a Git LFS pointer, perhaps a malformed one."""
    return may_be_pointer(len(data)) and data.startswith(_FIRST_LINE) and b"\noid sha256:" in data
