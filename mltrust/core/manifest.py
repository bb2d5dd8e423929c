"""Leaves, entries and the manifest: the sorted list of everything an artifact is made of.

Encoding of a leaf (`docs/format.md` §2), NS(x) = 8-byte big-endian length, then x:

    NS("mltrust/leaf/1") NS(kind) NS(name) NS(u64 size) NS(digest or "") NS(child root or "")
    NS(u64 child size) NS(attributes as RFC 8785 JSON) [NS(salt), only in a blinded leaf]
"""

import itertools
import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from enum import StrEnum
from functools import cached_property

from mltrust.core import canonical
from mltrust.core.digest import Digest
from mltrust.core.merkle import Tree
from mltrust.core.names import sort_key
from mltrust.errors import FormatError

_U64 = struct.Struct(">Q")
_THREE_U64 = struct.Struct(">QQQ")


def ns(data: bytes) -> bytes:
    """Length-prefix `data`, so that fields put side by side can be read in one way only."""
    return _U64.pack(len(data)) + data


def u64(value: int) -> bytes:
    """Encode an unsigned 64-bit integer, big-endian."""
    return _U64.pack(value)


_TAG = ns(b"mltrust/leaf/1")
_NO_ATTRIBUTES = b"{}"


class Kind(StrEnum):
    """What a leaf stands for; the kind is hashed, so no leaf can pose as one of another kind."""

    FILE = "file"
    SAFETENSORS = "safetensors"
    ST_HEADER = "st-header"
    TENSOR = "tensor"
    METADATA = "metadata"


_HEADS = {kind: _TAG + ns(kind.encode()) for kind in Kind}


@dataclass(frozen=True, slots=True)
class Leaf:
    """One named thing with a size in bytes and either a digest of its bytes or a tree of children.

    `digest` and `child_root` are 32 bytes or empty; `dtype` and `shape` belong to tensors alone;
    `salt` is empty or the 32 bytes that blind the leaf.
    """

    kind: Kind
    name: str
    size: int
    digest: bytes = b""
    child_root: bytes = b""
    child_size: int = 0
    dtype: str = ""
    shape: tuple[int, ...] = ()
    salt: bytes = b""

    def data(self) -> bytes:
        """Return the leaf data of the tree (RFC 9162 hashes it with the 0x00 prefix)."""
        name, attributes = self.name.encode("utf-8"), self.attributes()
        fields = (  # each length is packed with the number before it: a million leaves are encoded so
            _HEADS[self.kind],
            _U64.pack(len(name)),
            name,
            _THREE_U64.pack(_U64.size, self.size, len(self.digest)),
            self.digest,
            _U64.pack(len(self.child_root)),
            self.child_root,
            _THREE_U64.pack(_U64.size, self.child_size, len(attributes)),
            attributes,
        )
        encoded = b"".join(fields)
        return encoded + ns(self.salt) if self.salt else encoded

    def attributes(self) -> bytes:
        """Return the closed set of attributes of this kind as RFC 8785 JSON."""
        if self.kind is not Kind.TENSOR:
            return _NO_ATTRIBUTES
        return canonical.dumps({"dtype": self.dtype, "shape": list(self.shape)})

    def nameless(self) -> "Leaf":
        """Return what the leaf is, whatever it is called: two files with equal bytes are equal here."""
        return replace(self, name="")


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its leaf, the parts its child tree is made of, and the metadata its header carries."""

    leaf: Leaf
    children: tuple[Leaf, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()

    @property
    def path(self) -> str:
        """The path inside the artifact."""
        return self.leaf.name

    def tree(self) -> Tree:
        """Return the tree over the children."""
        return Tree(child.data() for child in self.children)

    def tensors(self) -> Iterator[Leaf]:
        """Iterate over the tensors, in their order of the tree."""
        return (child for child in self.children if child.kind is Kind.TENSOR)


def file_entry(path: str, size: int, digest: bytes) -> Entry:
    """Return the entry of a file read as a whole."""
    return Entry(Leaf(Kind.FILE, path, size, digest))


def safetensors_entry(
    path: str, header: Leaf, tensors: Iterable[Leaf], metadata: Iterable[tuple[str, str]] = ()
) -> Entry:
    """Return the entry of a safetensors file from its parts, in whatever order they come."""
    children = (header, *sorted(tensors, key=lambda leaf: sort_key(leaf.name)))
    tree = Tree(child.data() for child in children)
    size = sum(child.size for child in children)
    leaf = Leaf(Kind.SAFETENSORS, path, size, child_root=tree.root, child_size=tree.size)
    return Entry(leaf, children, tuple(sorted(metadata, key=lambda pair: sort_key(pair[0]))))


@dataclass(frozen=True)
class Manifest:
    """The entries of an artifact, sorted by path, each path once."""

    entries: tuple[Entry, ...]

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> "Manifest":
        """Sort `entries`; two of one path are refused."""
        found = tuple(sorted(entries, key=lambda entry: sort_key(entry.leaf.name)))
        for before, after in itertools.pairwise(entry.leaf.name for entry in found):
            if before == after:
                raise FormatError("manifest", f"path {after!a} stands twice")
        return cls(found)

    def tree(self) -> Tree:
        """Return the tree over the files."""
        return Tree(entry.leaf.data() for entry in self.entries)

    @cached_property
    def root(self) -> bytes:
        """The root over every byte of every file."""
        return self.tree().root

    @cached_property
    def content_root(self) -> bytes | None:
        """The root over all tensors and metadata, whatever files hold them; None where no tensors are.

        Unchanged by saving again and by sharding: tensors are sorted by name, then by their other
        fields; each distinct pair of metadata counts once, since every shard repeats it.
        """
        tensors = [leaf for entry in self.entries for leaf in entry.tensors()]
        if not tensors:
            return None
        tensors.sort(key=lambda leaf: (sort_key(leaf.name), leaf.data()))
        pairs = sorted({pair for entry in self.entries for pair in entry.metadata}, key=_pair_key)
        return Tree(leaf.data() for leaf in (*(_metadata_leaf(*pair) for pair in pairs), *tensors)).root

    @property
    def size(self) -> int:
        """The number of files."""
        return len(self.entries)

    @cached_property
    def bytes(self) -> int:
        """The number of bytes in all files."""
        return sum(entry.leaf.size for entry in self.entries)

    @cached_property
    def tensors(self) -> int:
        """The number of tensors in all files."""
        return sum(1 for entry in self.entries for _ in entry.tensors())

    def find(self, path: str) -> tuple[int, Entry] | None:
        """Return the index and the entry of `path`, or None."""
        for index, entry in enumerate(self.entries):
            if entry.path == path:
                return index, entry
        return None


def _pair_key(pair: tuple[str, str]) -> tuple[bytes, bytes]:
    return sort_key(pair[0]), sort_key(pair[1])


def _metadata_leaf(key: str, value: str) -> Leaf:
    """Bind one pair of metadata: its value is short text, so SHA-256 serves in every suite."""
    data = value.encode("utf-8")
    return Leaf(Kind.METADATA, key, len(data), Digest.sha256(data).value)
