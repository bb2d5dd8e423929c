"""Many digests behind one: what a single transaction publishes for a whole batch.

The digests, sorted, are the leaves of an RFC 9162 tree, and the commitment binds its root together with its size:

    SHA-256(NS("mltrust/batch/1") NS(u64(size)) NS(root))

Each digest keeps its place, which proves that it is under the commitment without naming the others.
"""

from collections.abc import Iterable
from functools import cached_property
from hashlib import sha256
from typing import Annotated

from pydantic import Field

from mltrust.core import merkle
from mltrust.core.canonical import MAX_INTEGER
from mltrust.core.digest import Digest
from mltrust.core.manifest import ns
from mltrust.core.model import Document
from mltrust.core.statement import Hex256

_TAG = b"mltrust/batch/1"
_MAX_PATH = 53  # levels of a tree with as many leaves as a document can count


class Place(Document):
    """Where one digest stands in a batch: `path` is an RFC 9162 inclusion path from `index`, of `size`, to `root`."""

    size: Annotated[int, Field(ge=1, le=MAX_INTEGER)]
    index: Annotated[int, Field(ge=0, le=MAX_INTEGER)]
    root: Hex256
    path: Annotated[list[Hex256], Field(max_length=_MAX_PATH)]

    def commitment_to(self, digest: Digest) -> bytes | None:
        """Return the 32-byte commitment that `digest` is under; None if the path does not lead from it to the root.

        1. The path leads from the digest at its index, in a tree of this size, to the root (RFC 9162 §2.1.3.2).
        2. The commitment is to that size and root: whoever published it can have meant no other tree.
        """
        root, path = bytes.fromhex(self.root), [bytes.fromhex(node) for node in self.path]
        # 1.
        if not merkle.verify_inclusion(digest.value, self.index, self.size, path, root):
            return None
        # 2.
        return commitment(self.size, root)


class Batch:
    """The batch of `digests`: each once, sorted by value, so that the same digests make the same commitment."""

    def __init__(self, digests: Iterable[Digest]) -> None:
        self._values = sorted({digest.value for digest in digests})
        if not self._values:
            raise ValueError("a batch of nothing")
        self._indices = {value: index for index, value in enumerate(self._values)}
        self._tree = merkle.Tree(self._values)

    @property
    def size(self) -> int:
        """The number of digests."""
        return len(self._values)

    @cached_property
    def commitment(self) -> bytes:
        """The 32 bytes to publish."""
        return commitment(self.size, self._tree.root)

    def place(self, digest: Digest) -> Place:
        """Return where `digest` stands; `KeyError` if it is not of this batch."""
        index = self._indices[digest.value]
        path = [node.hex() for node in self._tree.inclusion_path(index)]
        return Place(size=self.size, index=index, root=self._tree.root.hex(), path=path)


def commitment(size: int, root: bytes) -> bytes:
    """Return the 32-byte commitment to the tree of `size` digests under `root`."""
    return sha256(b"".join(ns(field) for field in (_TAG, size.to_bytes(8, "big"), root))).digest()
