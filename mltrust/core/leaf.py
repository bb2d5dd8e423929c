"""Leaves and entries: what one file of an artifact, or one part of it, is made of.

Encoding of a leaf (`docs/format.md` §2), NS(x) = 8-byte big-endian length, then x:

    NS("mltrust/leaf/1") NS(kind) NS(name) NS(u64 size) NS(digest or "") NS(child root or "")
    NS(u64 child size) NS(attributes as RFC 8785 JSON) [NS(salt), only in a blinded leaf]
"""

import struct
from collections.abc import Callable, Iterable, Iterator
from enum import StrEnum
from functools import cache, lru_cache
from typing import NamedTuple

from mltrust.core import canonical
from mltrust.core.digest import DIGEST_SIZE
from mltrust.core.merkle import Tree
from mltrust.core.names import sort_key

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
_MAX_SHAPES = 2**16
SALT_SIZE = 32


class Kind(StrEnum):
    """What a leaf stands for; the kind is hashed, so no leaf can pose as one of another kind."""

    FILE = "file"
    SAFETENSORS = "safetensors"
    ST_HEADER = "st-header"
    TENSOR = "tensor"
    METADATA = "metadata"
    RECORDS = "records"
    RECORD = "record"


_HEADS = {kind: _TAG + ns(kind.encode()) for kind in Kind}
_FILE_TAIL = _U64.pack(0) + _THREE_U64.pack(_U64.size, 0, len(_NO_ATTRIBUTES)) + _NO_ATTRIBUTES  # no child root


class Records(NamedTuple):
    """What the leaf of a file of records says beside its bytes and the tree of its records.

    `set_root` is 32 bytes that do not depend on the order of the records, `header` the digest of what stands once for
    all of them (the names of columns, a schema; empty: nothing does), `index_root` that of an index for proofs of
    absence. Where the leaves of the records are `blinded`, that of the file has no digest, which could be guessed at.
    """

    format: str
    set_root: bytes
    header: bytes = b""
    index_root: bytes = b""
    blinded: bool = False

    def attributes(self) -> dict[str, str | bool]:
        """Return what is said, without what is not."""
        found: dict[str, str | bool] = {"format": self.format, "header": self.header.hex()}
        found |= {"index_root": self.index_root.hex(), "set_root": self.set_root.hex(), "blinded": self.blinded}
        return {key: value for key, value in found.items() if value}


class Leaf(NamedTuple):
    """One named thing with a size in bytes and either a digest of its bytes or a tree of children.

    `digest` and `child_root` are 32 bytes or empty; `dtype` and `shape` belong to tensors alone, `records` to files of
    records, which have both a digest and a tree unless they are blinded; `salt` is empty or the 32 bytes that blind the
    leaf. A tuple, because a model has up to millions: a frozen dataclass takes three times as long to make.
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
    records: Records | None = None

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
        if self.records is not None:
            return canonical.dumps(self.records.attributes())
        if self.kind is not Kind.TENSOR:
            return _NO_ATTRIBUTES
        return _tensor_attributes(self.dtype, self.shape)

    def nameless(self) -> "Leaf":
        """Return what the leaf is, whatever it is called: two files with equal bytes are equal here."""
        return self._replace(name="")


@lru_cache(_MAX_SHAPES)  # the tensors of a model share a few shapes
def _tensor_attributes(dtype: str, shape: tuple[int, ...]) -> bytes:
    return canonical.dumps({"dtype": dtype, "shape": list(shape)})


class Entry(NamedTuple):
    """One file: its leaf, the parts its child tree is made of, and the metadata its header carries.

    `sha256` is that of all of its bytes, 32 bytes, or empty where it was not asked for; it is part of no leaf.
    """

    leaf: Leaf
    children: tuple[Leaf, ...] = ()
    metadata: tuple[tuple[str, str], ...] = ()
    sha256: bytes = b""

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


def file_entry(path: str, size: int, digest: bytes, sha256: bytes = b"") -> Entry:
    """Return the entry of a file read as a whole."""
    return Entry(Leaf(Kind.FILE, path, size, digest), sha256=sha256)


def file_leaves(names: Iterable[bytes], sizes: Iterable[int], digests: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the leaf data of files read as a whole, in half the time that `Leaf.data` takes."""
    head = _HEADS[Kind.FILE]
    for name, size, digest in zip(names, sizes, digests, strict=True):
        length = len(name)
        yield _file_packer(length)(head, length, name, _U64.size, size, DIGEST_SIZE, digest, _FILE_TAIL)


@cache
def _file_packer(length: int) -> Callable[..., bytes]:
    """Return what packs the leaf of a file whose name has `length` bytes."""
    return struct.Struct(f">{len(_HEADS[Kind.FILE])}sQ{length}sQQQ{DIGEST_SIZE}s{len(_FILE_TAIL)}s").pack


def record_leaves(sizes: Iterable[int], digests: Iterable[bytes]) -> Iterator[bytes]:
    """Yield the leaf data of records without names, in a tenth of the time that a `Leaf` and its data take."""
    head, tail, pack = _RECORD_HEAD, _FILE_TAIL, _RECORD.pack
    return (pack(head, size, DIGEST_SIZE, digest, tail) for size, digest in zip(sizes, digests, strict=True))


def blinded_leaves(sizes: Iterable[int], digests: Iterable[bytes], salts: bytes) -> Iterator[bytes]:
    """Yield what `record_leaves` does, each with its salt out of `salts`, 32 bytes a record side by side."""
    head, tail, pack = _RECORD_HEAD, _FILE_TAIL + _U64.pack(SALT_SIZE), _BLINDED.pack
    each = zip(sizes, digests, _SALT.iter_unpack(salts), strict=True)
    return (pack(head, size, DIGEST_SIZE, digest, tail, salt) for size, digest, (salt,) in each)


_RECORD_HEAD = _HEADS[Kind.RECORD] + ns(b"") + _U64.pack(_U64.size)
_RECORD = struct.Struct(f">{len(_RECORD_HEAD)}sQQ{DIGEST_SIZE}s{len(_FILE_TAIL)}s")
_BLINDED = struct.Struct(f">{len(_RECORD_HEAD)}sQQ{DIGEST_SIZE}s{len(_FILE_TAIL) + _U64.size}s{SALT_SIZE}s")
_SALT = struct.Struct(f"{SALT_SIZE}s")


def safetensors_entry(
    path: str, header: Leaf, tensors: Iterable[Leaf], metadata: Iterable[tuple[str, str]] = ()
) -> Entry:
    """Return the entry of a safetensors file from its parts, in whatever order they come."""
    children = (header, *sorted(tensors, key=lambda leaf: sort_key(leaf.name)))
    tree = Tree(child.data() for child in children)
    size = sum(child.size for child in children)
    leaf = Leaf(Kind.SAFETENSORS, path, size, child_root=tree.root, child_size=tree.size)
    return Entry(leaf, children, tuple(sorted(metadata, key=lambda pair: sort_key(pair[0]))))
