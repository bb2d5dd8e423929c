"""Receipts of a ledger: an entry, its inclusion proof and a signed checkpoint, convincing without the ledger."""

from dataclasses import dataclass
from typing import Annotated, ClassVar

from pydantic import Field

from mltrust.anchors.ledger.checkpoint import SignedCheckpoint
from mltrust.anchors.ledger.entry import MAX_ENTRY_BYTES, Entry
from mltrust.anchors.ledger.log import Log
from mltrust.core import merkle
from mltrust.core.digest import Digest
from mltrust.core.note import MAX_NOTE_BYTES, Signed, VerifierKey
from mltrust.core.receipt import EvidenceDocument, Receipt, TimeBounds
from mltrust.core.report import AnchorState
from mltrust.errors import ContradictionError, ForeignReceiptError, FormatError

KIND = "ledger"

_MAX_PATH = 64
_MAX_INDEX = 2**53 - 1
_Hash = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$", max_length=64)]


class Evidence(EvidenceDocument):
    """The evidence of a receipt; `path` is an RFC 9162 inclusion path to the root in `checkpoint`, a signed note."""

    called: ClassVar[str] = "ledger receipt"

    entry: Annotated[str, Field(max_length=MAX_ENTRY_BYTES)]
    index: Annotated[int, Field(ge=0, le=_MAX_INDEX)]
    path: Annotated[list[_Hash], Field(max_length=_MAX_PATH)]
    checkpoint: Annotated[str, Field(max_length=MAX_NOTE_BYTES)]


@dataclass(frozen=True, slots=True)
class Proven:
    """What a receipt proves by itself: `entry` stands at `index` in the log that `checkpoint`, by `key`, commits to."""

    entry: Entry
    index: int
    checkpoint: SignedCheckpoint
    key: VerifierKey

    @property
    def time(self) -> TimeBounds:
        """What the entry says of when."""
        return TimeBounds(not_after=self.entry.time)


def receipt_for(log: Log, index: int, signed: SignedCheckpoint) -> Receipt:
    """Return the receipt of the entry at `index`, proven by `signed`: a checkpoint with which `log` begins."""
    evidence = Evidence(
        entry=log.line(index).decode(),
        index=index,
        path=[node.hex() for node in log.tree.inclusion_path(index, signed.checkpoint.size)],
        checkpoint=signed.text,
    )
    proven = Entry.parse(log.line(index), "entry")
    time = TimeBounds(not_after=proven.time)
    return Receipt(kind=KIND, digest=str(proven.digest), time=time, evidence=evidence.to_json())


def prove(receipt: Receipt, digest: Digest, key: VerifierKey) -> Proven:
    """Check what `receipt` proves of `digest` to someone who trusts `key`, offline.

    1. It is a ledger's receipt, for this digest, with well-formed evidence.
    2. The entry in the evidence is for this digest, and of the time that the receipt states.
    3. The checkpoint is signed by `key`, for the log of that key.
    4. The inclusion proof leads from the entry to the root in the checkpoint (RFC 9162, section 2.1.3.2).

    Raises:
        ForeignReceiptError: The receipt is of another kind, or of a log with another key.
        ContradictionError: It proves nothing; `state` says in which way.
    """
    # 1.
    if receipt.kind != KIND:
        raise ForeignReceiptError("not a receipt of a ledger")
    try:
        evidence = Evidence.of(receipt)
        entry = Entry.parse(_encoded(evidence.entry), "ledger receipt")
        checkpoint = SignedCheckpoint.parse(_encoded(evidence.checkpoint), "ledger receipt")
    except FormatError as error:
        raise ContradictionError(f"the receipt is damaged: {error}", state=AnchorState.REPLACED) from error
    proven = Proven(entry, evidence.index, checkpoint, key)
    # 2.
    if not str(digest) == receipt.digest == str(entry.digest) or receipt.time != proven.time:
        raise ContradictionError("the receipt is for another digest or time", state=AnchorState.REPLACED)
    # 3.
    _require_signature(checkpoint, key)
    # 4.
    path = [bytes.fromhex(node) for node in evidence.path]
    head = checkpoint.checkpoint
    if not merkle.verify_inclusion(entry.format(), evidence.index, head.size, path, head.root):
        raise ContradictionError("the receipt's proof does not lead to its checkpoint", state=AnchorState.REPLACED)
    return proven


def _require_signature(checkpoint: SignedCheckpoint, key: VerifierKey) -> None:
    said = checkpoint.signed_by(key)
    if said is Signed.UNKNOWN:
        origin = ascii(checkpoint.checkpoint.origin[:120])
        raise ForeignReceiptError(f"the receipt is of another ledger, {origin}")
    if said is Signed.INVALID:
        raise ContradictionError("the receipt's checkpoint has a false signature", state=AnchorState.UNSIGNED)


def _encoded(text: str) -> bytes:
    # A lone surrogate becomes bytes that no strict reader takes.
    return text.encode("utf-8", "surrogatepass")
