"""The erasure statement, a tombstone: these records of a sealed file were erased, and this is what is left of each.

What is left is the hash of the leaf, so that the sealed root can still be made. It was salted, and the salt is gone.
Tombstones of one seal form a chain, each pointing at the one before. No clock is inside: anchors say since when.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Annotated, Literal, Self

from pydantic import Field, ValidationError, model_validator

from mltrust.core import canonical
from mltrust.core.bundle import open_document
from mltrust.core.dsse import MAX_SIGNATURES, Signature, together_signed
from mltrust.core.model import Document, first_surprise
from mltrust.core.receipt import MAX_RECEIPTS, Receipt, together
from mltrust.core.statement import Hex256, Statement
from mltrust.errors import FormatError, UsageError
from mltrust.statements.seal import read_seal

PREDICATE_TYPE = "https://mltrust/erasure/v1"
MEDIA_TYPE = "application/vnd.mltrust.erasures.v1+json"
MAX_ERASURES_BYTES = 2**27
MAX_ERASED_AT_ONCE = 4096
MAX_TOMBSTONES = 4096

_Size = Annotated[int, Field(ge=0)]
_DigestOfStatement = Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
_Text = Annotated[str, Field(min_length=1, max_length=4096)]


class ErasedRecord(Document):
    """One record that is gone: its index in the sealed file, from zero, and the salted hash of its leaf."""

    index: _Size
    leaf: Hex256


class ErasurePredicate(Document):
    """The predicate of an erasure: of which seal and file, which records by growing index, and on whose word or why.

    `previous` is the digest of the tombstone before this one of the same seal; None for the first.
    """

    seal: _DigestOfStatement
    file: Annotated[str, Field(min_length=1, max_length=4096)]
    records: Annotated[tuple[ErasedRecord, ...], Field(min_length=1, max_length=MAX_ERASED_AT_ONCE)]
    reason: _Text | None
    previous: _DigestOfStatement | None

    @model_validator(mode="after")
    def _growing(self) -> Self:
        indexes = [record.index for record in self.records]
        if any(one >= two for one, two in pairwise(indexes)):
            raise ValueError("the indexes of the records do not grow")
        return self


class Tombstone(Document):
    """An erasure statement with what stands beside it."""

    statement: Statement
    signatures: Annotated[tuple[Signature, ...], Field(max_length=MAX_SIGNATURES)] = ()
    receipts: Annotated[tuple[Receipt, ...], Field(max_length=MAX_RECEIPTS)] = ()

    @property
    def file(self) -> str:
        """The file whose records are gone."""
        return read_erasure(self.statement).file

    @property
    def erased(self) -> dict[int, bytes]:
        """The hashes of the leaves that are gone, by the index of their records."""
        return {record.index: bytes.fromhex(record.leaf) for record in read_erasure(self.statement).records}

    def with_receipts(self, receipts: tuple[Receipt, ...]) -> Self:
        """Return the tombstone with `receipts` added, each once."""
        return self.model_copy(update={"receipts": together(self.receipts, receipts)})

    def with_signatures(self, signatures: Sequence[Signature]) -> Self:
        """Return the tombstone with `signatures` added, as `core.dsse.together_signed` does."""
        return self.model_copy(update={"signatures": together_signed(self.signatures, signatures)})


class ErasuresDocument(Document):
    """The file of tombstones, which is kept beside the seal."""

    media_type: Literal["application/vnd.mltrust.erasures.v1+json"] = Field(alias="mediaType")
    erasures: Annotated[tuple[Tombstone, ...], Field(min_length=1, max_length=MAX_TOMBSTONES)]


@dataclass(frozen=True)
class Erasure:
    """What is to be stated: of these records of one file, by index, the salted hashes of their leaves are left."""

    file: str
    leaves: dict[int, bytes]
    reason: str | None


def erasure_statement(seal: Statement, erasure: Erasure, previous: Statement | None) -> Statement:
    """State an erasure from what `seal` states, after the tombstone `previous`.

    Raises:
        UsageError: There are too many records, or the reason is empty, too long or not valid Unicode.
    """
    records = tuple(ErasedRecord(index=index, leaf=leaf.hex()) for index, leaf in sorted(erasure.leaves.items()))
    try:
        predicate = ErasurePredicate(
            seal=str(seal.digest()),
            file=erasure.file,
            records=records,
            reason=erasure.reason,
            previous=None if previous is None else str(previous.digest()),
        )
    except ValidationError as error:
        raise UsageError(f"this cannot be stated: {first_surprise(error)}") from error
    return Statement(subject=seal.subject, predicate_type=PREDICATE_TYPE, predicate=predicate.to_json())


def read_erasure(statement: Statement) -> ErasurePredicate:
    """Return the predicate of an erasure statement."""
    if statement.predicate_type != PREDICATE_TYPE:
        raise FormatError("statement", f"predicate type {ascii(statement.predicate_type)[:80]} is not an erasure")
    return ErasurePredicate.from_json(statement.predicate, "erasure statement")


def read_erasures(data: bytes, where: str) -> tuple[Tombstone, ...]:
    """Parse a file of tombstones strictly; any surprise is a `FormatError`."""
    listed = open_document(data, where, MEDIA_TYPE, ("mediaType", "erasures"))["erasures"]
    if not isinstance(listed, list) or not 1 <= len(listed) <= MAX_TOMBSTONES:
        raise FormatError(where, f"needs 1 to {MAX_TOMBSTONES} erasures")
    found = tuple(Tombstone.from_json(value, f"{where}: erasures.{at}") for at, value in enumerate(listed))
    for tombstone in found:
        read_erasure(tombstone.statement)
    return found


def erasures_text(tombstones: Sequence[Tombstone]) -> bytes:
    """Serialize a file of tombstones."""
    value: dict[str, canonical.Json] = {"mediaType": MEDIA_TYPE, "erasures": [one.to_json() for one in tombstones]}
    return (json.dumps(value, ensure_ascii=False, indent=1) + "\n").encode("utf-8")


def contradiction(tombstones: Sequence[Tombstone], seal: Statement, records_of: Callable[[str], int]) -> str | None:
    """Say how tombstones contradict the seal they lie beside, or each other; None if they do not.

    1. Each speaks of this seal: its digest, and the fingerprint as subject.
    2. Each points at the one before, the first at none; every receipt is one for the statement it stands beside.
    3. Each is of records that a blinded file has (`records_of` counts them, 0 where it has none), and none twice.
    """
    suite, gone = read_seal(seal).suite, set[tuple[str, int]]()
    previous = None
    for number, tombstone in enumerate(tombstones, 1):
        statement, predicate = tombstone.statement, read_erasure(tombstone.statement)
        digest = str(statement.digest())
        here = {(predicate.file, record.index) for record in predicate.records}
        if predicate.seal != str(seal.digest()) or statement.subject[0].digest.get(suite) != _fingerprint(seal, suite):
            return f"erasure {number} is of another seal"
        if predicate.previous != previous:
            return f"erasure {number} does not follow the one before it"
        if any(receipt.digest != digest for receipt in tombstone.receipts):
            return f"erasure {number} has a receipt for something else"
        if predicate.records[-1].index >= records_of(predicate.file):
            return f"erasure {number} is of a record that no blinded file of the seal has"
        if here & gone:
            return f"erasure {number} is of a record that was erased before"
        gone |= here
        previous = digest
    return None


def _fingerprint(seal: Statement, suite: str) -> str:
    return seal.subject[0].digest[suite]
