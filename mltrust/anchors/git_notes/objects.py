"""Git objects: read through one `git cat-file`, each checked against its id, and written as a pack.

An id is the hash of a type, a size and the bytes (`sha1` or `sha256`, whichever the repository uses). Because every
object is hashed again, history is what the tip commits to, whatever else lies in the repository.
"""

import re
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from itertools import pairwise

from mltrust.disk.git.objects import MISSING, Format, header
from mltrust.disk.git.process import Conversation, EndedError
from mltrust.errors import AnchorError

MAX_OBJECT_BYTES = 2**22
MAX_READ_BYTES = 2**28

_LOOK = "Look at them: git log --stat refs/notes/mltrust"
_OBJECT_COST = 512  # what an object of a few bytes takes of the bytes that may be read: so their number is bounded, too
_PACK_TYPES = {"commit": 1, "tree": 2, "blob": 3}
_PACK_VERSION = 2
_COMMIT = re.compile(rb"tree ([0-9a-f]+)\n((?:parent [0-9a-f]+\n)*)author ")
_PARENT = re.compile(rb"parent ([0-9a-f]+)\n")
_TREE_MODE = b"40000"


class MissingObjectError(AnchorError):
    """An object that history leads to is not in the repository."""


@dataclass(frozen=True, slots=True)
class TreeEntry:
    """One name in a tree; `oid` is hexadecimal."""

    mode: bytes
    name: bytes
    oid: str

    @property
    def is_tree(self) -> bool:
        """Whether it leads to another tree."""
        return self.mode == _TREE_MODE


@dataclass(frozen=True, slots=True)
class Commit:
    """The ids a commit leads to."""

    tree: str
    parents: tuple[str, ...]


class Objects:
    """Reads objects; what it reads in all is bounded."""

    def __init__(self, conversation: Conversation, format_: Format, most: int | None = None) -> None:
        self._conversation = conversation
        self.format = format_
        self._most = self._left = MAX_READ_BYTES if most is None else most

    def commit(self, oid: str) -> Commit:
        """Read a commit."""
        data = self._read(oid, "commit")
        found = _COMMIT.match(data)
        if not found:
            raise _damaged(f"git object {oid} is not a well-formed commit")
        return Commit(found[1].decode(), tuple(parent.decode() for parent in _PARENT.findall(found[2])))

    def tree(self, oid: str) -> list[TreeEntry]:
        """Read a tree."""
        data = self._read(oid, "tree")
        size = self.format.hex_digits // 2
        pattern = re.compile(rb"([0-7]{5,6}) ([^\0]+)\0(.{%d})" % size, re.DOTALL)
        found = pattern.findall(data)
        if sum(len(mode) + len(name) + 2 + size for mode, name, _ in found) != len(data):
            raise _damaged(f"git object {oid} is not a well-formed tree")
        entries = [TreeEntry(mode, name, raw.hex()) for mode, name, raw in found]
        if not all(one < two for one, two in pairwise(map(_sort_key, entries))):  # a name twice may lead to anything
            raise _damaged(f"git object {oid} is not a well-formed tree")
        return entries

    def blob(self, oid: str) -> bytes:
        """Read a blob."""
        return self._read(oid, "blob")

    def _read(self, oid: str, kind: str) -> bytes:
        try:
            data = self._answer(oid, kind)
        except EndedError as error:
            if "promisor" in str(error):  # a partial clone, which would have git fetch it now
                raise MissingObjectError(f"git object {oid} was left out when it was fetched") from error
            raise _damaged(str(error)) from error
        if self.format.oid(kind, data) != oid:
            raise _damaged(f"git object {oid} is damaged")
        return data

    def _answer(self, oid: str, kind: str) -> bytes:
        found, size = header(self._conversation.ask(oid), oid)
        if found == MISSING:
            raise MissingObjectError(f"git object {oid} is missing")
        if found != kind:
            raise _damaged(f"git object {oid} is not the {kind} it should be")
        self._left -= size + _OBJECT_COST
        if size > MAX_OBJECT_BYTES:
            raise too_large(f"one object has {size} bytes")
        if self._left < 0:
            raise too_large(f"more than {self._most} bytes")
        return self._conversation.read(size + 1)[:-1]


class NewObjects:
    """Objects that are to be written together, but for those that are `known` to be there."""

    def __init__(self, format_: Format) -> None:
        self._format = format_
        self._objects: dict[str, tuple[str, bytes]] = {}
        self.known: set[str] = set()

    def __len__(self) -> int:
        return len(self._objects)

    def add(self, kind: str, data: bytes) -> str:
        """Add an object and return its id."""
        oid = self._format.oid(kind, data)
        if oid not in self.known:
            self._objects[oid] = (kind, data)
        return oid

    def add_tree(self, entries: Mapping[bytes, tuple[bytes, str]]) -> str:
        """Add a tree of name to mode and id."""
        names = sorted(entries, key=lambda name: _sort_key(TreeEntry(entries[name][0], name, "")))
        lines = [b"%s %s\0" % (entries[name][0], name) + bytes.fromhex(entries[name][1]) for name in names]
        return self.add("tree", b"".join(lines))

    def pack(self) -> bytes:
        """Return all of them as a git pack, version 2."""
        body = b"PACK" + _PACK_VERSION.to_bytes(4, "big") + len(self._objects).to_bytes(4, "big")
        pieces = [body]
        for kind, data in self._objects.values():
            pieces += [_pack_header(_PACK_TYPES[kind], len(data)), zlib.compress(data, 1)]
        body = b"".join(pieces)
        return body + self._format.hash(body).digest()


def too_large(what: str) -> AnchorError:
    """Return the error for notes that go beyond a bound."""
    return AnchorError(f"the notes are too large to be read: {what}", hint=_LOOK)


def _sort_key(entry: TreeEntry) -> bytes:
    return entry.name + b"/" if entry.is_tree else entry.name  # git sorts a tree as if its name ended in a slash


def _pack_header(kind: int, size: int) -> bytes:
    header, size = [kind << 4 | size & 15], size >> 4
    while size:
        header[-1] |= 0x80
        header.append(size & 0x7F)
        size >>= 7
    return bytes(header)


def _damaged(message: str) -> AnchorError:
    return AnchorError(message, hint="Is the repository whole? Run: git fsck")
