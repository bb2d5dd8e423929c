"""Checkpoints that were published through other anchors, as they lie in the folder of a ledger.

    anchored/<size>.json     the signed checkpoint, and the receipts of anchors that carry theirs
    anchored/<size>.note     the signed checkpoint alone, for anchors that stand beside a file; never changed again

What is published is the SHA-256 of the text of the checkpoint: origin, size and root, without signatures. Whoever has
the entries can compute it again, and cosignatures that come later take nothing from it. It is no digest of a
statement: those are JSON without a newline.

Nothing here is believed but signatures: each must be a checkpoint by the key of the ledger, and the ledger must begin
with it. That is what an anchored checkpoint is for: somebody who never saw the ledger learns that it goes at least that
far, from an anchor that its keeper cannot change.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import Field

from mltrust.anchors.ledger.checkpoint import SignedCheckpoint
from mltrust.anchors.ledger.log import LOCK, Log
from mltrust.anchors.ledger.memory import contradiction
from mltrust.core.bundle import open_document
from mltrust.core.digest import Digest
from mltrust.core.model import Document
from mltrust.core.note import MAX_NOTE_BYTES, Signed
from mltrust.core.receipt import MAX_RECEIPTS, Receipt
from mltrust.disk import state
from mltrust.errors import AnchorError, FormatError

FOLDER = "anchored"
MEDIA_TYPE = "application/vnd.mltrust.anchored-checkpoint.v1+json"
MAX_BYTES = 2**24
MAX_READ = 64
"""So many are looked at, the largest first."""

_KEYS = ("mediaType", "checkpoint", "receipts")
_NAME = re.compile(r"([1-9][0-9]{0,19})\.(?:json|note)")


class AnchoredDocument(Document):
    """The file: a signed checkpoint, and receipts for the digest of its text."""

    media_type: Literal["application/vnd.mltrust.anchored-checkpoint.v1+json"] = Field(
        alias="mediaType", default="application/vnd.mltrust.anchored-checkpoint.v1+json"
    )
    checkpoint: Annotated[str, Field(max_length=MAX_NOTE_BYTES)]
    receipts: Annotated[tuple[Receipt, ...], Field(max_length=MAX_RECEIPTS)] = ()

    def serialize(self) -> bytes:
        """Serialize the file."""
        return (json.dumps(self.to_json(), indent=1) + "\n").encode("ascii")

    @classmethod
    def parse(cls, data: bytes, where: str) -> Self:
        """Parse the file strictly; every surprise is a `FormatError` that names `where`."""
        return cls.from_json(open_document(data, where, MEDIA_TYPE, _KEYS), where)


@dataclass(frozen=True, slots=True)
class Anchored:
    """A checkpoint that was or will be published, the receipts kept of it, and its files in the ledger's folder."""

    signed: SignedCheckpoint
    receipts: tuple[Receipt, ...]
    folder: Path

    @property
    def digest(self) -> Digest:
        """What is published."""
        return Digest.sha256(self.signed.note.text.encode())

    @property
    def file(self) -> Path:
        """Where its receipts are kept."""
        return self.folder / FOLDER / f"{self.signed.checkpoint.size}.json"

    @property
    def note_file(self) -> Path:
        """The file that anchors stand beside that do not carry their receipts."""
        return self.folder / FOLDER / f"{self.signed.checkpoint.size}.note"

    @classmethod
    def parse(cls, data: bytes, folder: Path, where: str) -> Self:
        """Read either kind of file strictly; every surprise is a `FormatError` that names `where`."""
        if not data.startswith(b"{"):
            return cls(SignedCheckpoint.parse(data, where), (), folder)
        document = AnchoredDocument.parse(data, where)
        signed = SignedCheckpoint.parse(document.checkpoint.encode("utf-8", "surrogatepass"), where)
        found = cls(signed, document.receipts, folder)
        if any(receipt.digest != str(found.digest) for receipt in document.receipts):
            raise FormatError(where, "a receipt is for another digest than that of the checkpoint")
        return found


def read(folder: Path) -> Iterator[Anchored]:
    """Yield what lies in the folder of a ledger, the largest checkpoints first; who signed them is left open.

    Raises:
        AnchorError: A file cannot be read.
        FormatError: A file is not what belongs there.
    """
    with state.doing(f"list {folder / FOLDER}"):
        place = folder / FOLDER
        found = {_NAME.fullmatch(path.name) for path in place.iterdir()} if place.is_dir() else set()
    sizes = sorted({int(name[1]) for name in found if name}, reverse=True)
    return (_read(folder, size) for size in sizes[:MAX_READ])


def require(anchored: Anchored, log: Log) -> Anchored:
    """Return `anchored` if its checkpoint is one of `log`.

    Raises:
        AnchorError: The key of the ledger did not sign it.
        ContradictionError: It did, and the ledger does not hold what it covers.
    """
    if anchored.signed.signed_by(log.key) is not Signed.VALID:
        raise AnchorError(f"{anchored.file}: not a checkpoint that this ledger signed", hint="Remove the file.")
    if not log.holds(anchored.signed.checkpoint):
        raise contradiction(log, anchored.signed, "That checkpoint was published elsewhere. Restore the ledger.")
    return anchored


def prepare(anchored: Anchored, lock_seconds: float) -> None:
    """Make sure that what will be published can be kept: nothing shall be paid for in vain."""
    with state.locked(anchored.folder / LOCK, lock_seconds):
        state.make_folder(anchored.file.parent)


def write_note(anchored: Anchored, lock_seconds: float) -> bytes:
    """Write the note, unless it is there, for an anchor that stands beside it; return its bytes."""
    with state.locked(anchored.folder / LOCK, lock_seconds):
        there = state.read(anchored.note_file, MAX_NOTE_BYTES)
        if there is None:
            there = anchored.signed.text.encode()
            state.replace(anchored.note_file, there)
    return there


def keep(anchored: Anchored, receipt: Receipt, instead_of: Receipt | None, lock_seconds: float) -> Anchored:
    """Keep a receipt durably beside those that are there, or instead of one of them; return all that is kept."""
    with state.locked(anchored.folder / LOCK, lock_seconds):
        data = state.read(anchored.file, MAX_BYTES)
        old = () if data is None else Anchored.parse(data, anchored.folder, str(anchored.file)).receipts
        receipts = (*(each for each in old if each not in (receipt, instead_of)), receipt)
        if len(receipts) > MAX_RECEIPTS:
            raise AnchorError(f"{anchored.file}: more than {MAX_RECEIPTS} receipts", hint="Remove those of no use.")
        document = AnchoredDocument(checkpoint=anchored.signed.text, receipts=receipts).serialize()
        state.replace(anchored.file, document)
    return Anchored(anchored.signed, receipts, anchored.folder)


def _read(folder: Path, size: int) -> Anchored:
    file = folder / FOLDER / f"{size}.json"
    data = state.read(file, MAX_BYTES)
    if data is None:
        file = file.with_suffix(".note")
        data = state.read(file, MAX_NOTE_BYTES)
    return Anchored.parse(data or b"", folder, str(file))
