"""The proof file: a file, a tensor or a record of it, shown to be in a sealed artifact, offline; or no such record.

A proof is a list of levels from the artifact down: the leaf's fields, its index and its inclusion
path (RFC 9162 §2.1.3). The number of leaves of the first level comes from the statement, that of
each next level from the leaf above it; no size, no root and no leaf hash is taken from the level itself.
A proof of absence ends with a lookup in the record index of the last level instead.
"""

import json
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from mltrust.core.bundle import open_document
from mltrust.core.dsse import MAX_SIGNATURES, Signature
from mltrust.core.leaf import Records
from mltrust.core.manifest import Kind, Leaf
from mltrust.core.merkle import verify_inclusion
from mltrust.core.model import Document, SparseDocument
from mltrust.core.names import check_text
from mltrust.core.receipt import MAX_RECEIPTS, Receipt
from mltrust.core.record_index import KEY_BITS, Answer, IndexPath, Step, lookup
from mltrust.core.statement import Hex256, Statement

MEDIA_TYPE = "application/vnd.mltrust.proof.v1+json"
MAX_PROOF_BYTES = 2**24
_Size = Annotated[int, Field(ge=0)]
_KEYS = ("mediaType", "statement", "levels", "signatures", "receipts")


class RecordsFields(SparseDocument):
    """The attributes of a file of records; those that it has not are left out."""

    spare: ClassVar[frozenset[str]] = frozenset({"header", "index_root", "blinded"})

    format: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
    header: Hex256 | None = None
    index_root: Hex256 | None = None
    set_root: Hex256
    blinded: bool = False

    @model_validator(mode="after")
    def _seen(self) -> Self:
        if self.blinded and self.index_root is not None:
            raise ValueError("an index of blinded records: whatever is looked up in it is absent")
        return self

    @classmethod
    def of(cls, records: Records) -> "RecordsFields":
        """Return the attributes of `records`."""
        return cls(**records.attributes())  # type: ignore[arg-type]  # they are the fields

    def records(self) -> Records:
        """Return what these attributes say."""
        set_root, header, index_root = (
            bytes.fromhex(root or "") for root in (self.set_root, self.header, self.index_root)
        )
        return Records(self.format, set_root, header, index_root, self.blinded)


class LeafFields(SparseDocument):
    """The fields of a leaf as a proof carries them; the leaf is always encoded again from these.

    `records` and `salt` are left out where a leaf has none.
    """

    spare: ClassVar[frozenset[str]] = frozenset({"records", "salt"})

    kind: Kind
    name: str
    size: _Size
    digest: Hex256 | None = None
    child_root: Hex256 | None = None
    child_size: _Size = 0
    dtype: Annotated[str, Field(max_length=64)] = ""
    shape: tuple[_Size, ...] = ()
    records: RecordsFields | None = None
    salt: Hex256 | None = None

    @model_validator(mode="after")
    def _bound(self) -> Self:
        if self.kind is not Kind.TENSOR and (self.dtype or self.shape):
            raise ValueError(f"a {self.kind} has no dtype or shape")
        if (self.kind is Kind.RECORDS) != (self.records is not None):
            raise ValueError(f"a {self.kind} {'needs' if self.records is None else 'has no'} records")
        if self.kind is not Kind.RECORD and self.salt is not None:
            raise ValueError(f"a {self.kind} has no salt")
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
            records=RecordsFields.of(leaf.records) if leaf.records is not None else None,
            salt=leaf.salt.hex() or None,
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
            bytes.fromhex(self.salt or ""),
            self.records.records() if self.records is not None else None,
        )


class Level(Document):
    """One leaf and its place in the tree of its level."""

    leaf: LeafFields
    index: _Size
    path: Annotated[tuple[Hex256, ...], Field(max_length=63)]


class StepFields(Document):
    """One step of a lookup in a record index."""

    bit: Annotated[int, Field(ge=0, lt=KEY_BITS)]
    sibling: Hex256


class Absence(Document):
    """A record that is looked up in a record index and not found: what stands in its place, if anything does."""

    digest: Hex256
    path: Annotated[tuple[StepFields, ...], Field(max_length=KEY_BITS)]
    found: Hex256 | None

    @classmethod
    def of(cls, digest: bytes, path: IndexPath) -> "Absence":
        """Return the lookup of the record whose bytes have this digest."""
        steps = tuple(StepFields(bit=bit, sibling=sibling.hex()) for bit, sibling in path.steps)
        return cls(digest=digest.hex(), path=steps, found=path.found.hex() or None)

    def holds(self, root: bytes) -> bool:
        """Tell whether the index under `root` says that the record is absent."""
        steps = tuple(Step(step.bit, bytes.fromhex(step.sibling)) for step in self.path)
        path = IndexPath(steps, bytes.fromhex(self.found or ""))
        return lookup(bytes.fromhex(self.digest), path, root) is Answer.ABSENT


class Proof(SparseDocument):
    """A proof file; only one of absence has an `absence`."""

    spare: ClassVar[frozenset[str]] = frozenset({"absence"})

    media_type: Literal["application/vnd.mltrust.proof.v1+json"] = Field(
        alias="mediaType", default="application/vnd.mltrust.proof.v1+json"
    )
    statement: Statement
    levels: Annotated[tuple[Level, ...], Field(min_length=1, max_length=2)]
    absence: Absence | None = None
    signatures: Annotated[tuple[Signature, ...], Field(max_length=MAX_SIGNATURES)] = ()
    receipts: Annotated[tuple[Receipt, ...], Field(max_length=MAX_RECEIPTS)] = ()

    @model_validator(mode="after")
    def _indexed(self) -> Self:
        records = self.levels[-1].leaf.records
        if self.absence is not None and (records is None or records.index_root is None):
            raise ValueError("absence where the last level has no record index")
        return self

    @property
    def file(self) -> Leaf:
        """The file the proof is about, or whose part it is about."""
        return self.levels[0].leaf.leaf()

    @property
    def target(self) -> Leaf:
        """What the proof is about: a file, one of its parts, or a record that it has not."""
        if self.absence is not None:  # of which only the digest is known
            return Leaf(Kind.RECORD, "", 0, bytes.fromhex(self.absence.digest))
        return self.levels[-1].leaf.leaf()

    def serialize(self) -> bytes:
        """Serialize the proof file."""
        return (json.dumps(self.to_json(), ensure_ascii=False, indent=1) + "\n").encode("utf-8")

    @classmethod
    def parse(cls, data: bytes, where: str = "proof") -> "Proof":
        """Parse a proof file strictly."""
        return cls.from_json(open_document(data, where, MEDIA_TYPE, _KEYS, ("absence",)), where)


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
    None: (Kind.FILE, Kind.SAFETENSORS, Kind.RECORDS),
    Kind.SAFETENSORS: (Kind.ST_HEADER, Kind.TENSOR),
    Kind.RECORDS: (Kind.RECORD,),
}
