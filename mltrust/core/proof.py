"""The proof file: one file, or one tensor of one file, shown to be in a sealed artifact, offline.

A proof is a list of levels from the artifact down: the leaf's fields, its index and its inclusion
path (RFC 9162 §2.1.3). The number of leaves of the first level comes from the statement, that of
each next level from the leaf above it; no size, no root and no leaf hash is taken from the level itself.
"""

import json
from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from mltrust.core.bundle import open_document
from mltrust.core.manifest import Kind, Leaf
from mltrust.core.merkle import verify_inclusion
from mltrust.core.model import Document
from mltrust.core.names import check_text
from mltrust.core.receipt import MAX_RECEIPTS, Receipt, Signature
from mltrust.core.statement import Hex256, Statement

MEDIA_TYPE = "application/vnd.mltrust.proof.v1+json"
MAX_PROOF_BYTES = 2**24
_Size = Annotated[int, Field(ge=0)]
_KEYS = ("mediaType", "statement", "levels", "signatures", "receipts")


class LeafFields(Document):
    """The fields of a leaf as a proof carries them; the leaf is always encoded again from these."""

    kind: Kind
    name: str
    size: _Size
    digest: Hex256 | None = None
    child_root: Hex256 | None = None
    child_size: _Size = 0
    dtype: Annotated[str, Field(max_length=64)] = ""
    shape: tuple[_Size, ...] = ()

    @model_validator(mode="after")
    def _bound(self) -> Self:
        if self.kind is not Kind.TENSOR and (self.dtype or self.shape):
            raise ValueError(f"a {self.kind} has no dtype or shape")
        return self

    @classmethod
    def of(cls, leaf: Leaf) -> "LeafFields":
        """Return the fields of `leaf`."""
        return cls(
            kind=leaf.kind,
            name=leaf.name,
            size=leaf.size,
            digest=leaf.digest.hex() or None,
            child_root=leaf.child_root.hex() or None,
            child_size=leaf.child_size,
            dtype=leaf.dtype,
            shape=leaf.shape,
        )

    def leaf(self) -> Leaf:
        """Return the leaf these fields encode."""
        return Leaf(
            self.kind,
            check_text(self.name, "proof"),
            self.size,
            bytes.fromhex(self.digest or ""),
            bytes.fromhex(self.child_root or ""),
            self.child_size,
            self.dtype,
            self.shape,
        )


class Level(Document):
    """One leaf and its place in the tree of its level."""

    leaf: LeafFields
    index: _Size
    path: Annotated[tuple[Hex256, ...], Field(max_length=63)]


class Proof(Document):
    """A proof file."""

    media_type: Literal["application/vnd.mltrust.proof.v1+json"] = Field(
        alias="mediaType", default="application/vnd.mltrust.proof.v1+json"
    )
    statement: Statement
    levels: Annotated[tuple[Level, ...], Field(min_length=1, max_length=2)]
    signatures: tuple[Signature, ...] = ()
    receipts: Annotated[tuple[Receipt, ...], Field(max_length=MAX_RECEIPTS)] = ()

    @property
    def file(self) -> Leaf:
        """The file the proof is about, or whose part it is about."""
        return self.levels[0].leaf.leaf()

    @property
    def target(self) -> Leaf:
        """What the proof is about: a file or one of its parts."""
        return self.levels[-1].leaf.leaf()

    def serialize(self) -> bytes:
        """Serialize the proof file."""
        return (json.dumps(self.to_json(), ensure_ascii=False, indent=1) + "\n").encode("utf-8")

    @classmethod
    def parse(cls, data: bytes, where: str = "proof") -> "Proof":
        """Parse a proof file strictly."""
        return cls.from_json(open_document(data, where, MEDIA_TYPE, _KEYS), where)


def broken_level(levels: tuple[Level, ...], size: int, root: bytes) -> int | None:
    """Return the number (from 0) of the first level that does not lead to the root, or None if all do.

    1. The first level is checked against `size` and `root`, which the caller has from the statement.
    2. Each next level is checked against the child size and child root of the leaf above it.
    3. A part must have a kind that lives under the kind above it, and a file must be at the top.
    """
    above = None
    for number, level in enumerate(levels):
        leaf = level.leaf.leaf()
        fits = leaf.kind in _BELOW.get(above, ())
        path = [bytes.fromhex(step) for step in level.path]
        if not fits or not verify_inclusion(leaf.data(), level.index, size, path, root):
            return number
        above, size, root = leaf.kind, leaf.child_size, leaf.child_root
    return None


_BELOW: dict[Kind | None, tuple[Kind, ...]] = {
    None: (Kind.FILE, Kind.SAFETENSORS),
    Kind.SAFETENSORS: (Kind.ST_HEADER, Kind.TENSOR),
}
