"""Receipts of git notes: the record itself. It convinces only together with the notes it stands in."""

from typing import Annotated, ClassVar

from pydantic import Field

from mltrust.anchors.git_notes.judgement import Judgement
from mltrust.anchors.git_notes.record import MAX_RECORD_BYTES, Record
from mltrust.core.names import count, shown
from mltrust.core.receipt import EvidenceDocument, Receipt
from mltrust.core.report import AnchorState, Check, CheckKind, Outcome
from mltrust.errors import ContradictionError, ForeignReceiptError, FormatError

KIND = "git-notes"

LEVELS = {
    "local-notes": "Fetch before verifying (--fetch REMOTE): then a remote has to stand by it as well.",
    "anchors-branch": "Keep the state folder between runs, and protect the branch; or add an anchor elsewhere.",
    "fetched-notes": "Add an anchor whose keeper cannot rewrite it: a witnessed ledger, a chain, a time-stamp.",
}


class Evidence(EvidenceDocument):
    """The evidence of a receipt: one record, as its line stands in a note."""

    called: ClassVar[str] = "git-notes receipt"

    record: Annotated[str, Field(max_length=MAX_RECORD_BYTES)]


def receipt_of(record: Record) -> Receipt:
    """Return the receipt of a record."""
    evidence = Evidence(record=record.format().decode())
    return Receipt(kind=KIND, digest=record.digest, time=record.bounds, evidence=evidence.to_json())


def read_receipt(receipt: Receipt) -> Record:
    """Return the record in a receipt; a `ContradictionError` if it is none, or of another kind."""
    if receipt.kind != KIND:
        raise ForeignReceiptError("not a receipt of git notes")
    try:
        line = Evidence.of(receipt).record
        return Record.parse(line.encode("utf-8", "surrogatepass"), "git-notes receipt")
    except FormatError as error:
        raise ContradictionError(f"the receipt is damaged: {error}", state=AnchorState.REPLACED) from error


def verified(name: str, record: Record, level: str, judgement: Judgement) -> Check:
    """Return the check of a record that stands in the notes, at one of the `LEVELS`."""
    where = {"local-notes": "in the notes here", "anchors-branch": "in the branch of notes"}
    said = [f"signed by {shown(record.signer)}, {where.get(level, 'in the notes just fetched')}"]
    said[0] += f", not later than {record.time} by its signer's clock"
    if judgement.later(record):
        said.append("a later record gives its path to another seal")
    gone = judgement.gone()
    if gone:
        said.append(f"{count(len(gone), 'other record')} removed from these notes")
    return Check(
        kind=CheckKind.ANCHOR,
        name=name,
        outcome=Outcome.PASS,
        state=AnchorState.VERIFIED,
        summary="; ".join(said),
        time=record.bounds,
        level=level,
        stronger=LEVELS[level],
        voice=judgement.voice(record),
    )
