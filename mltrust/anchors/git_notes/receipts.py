"""Receipts of git notes: the record itself. It convinces only together with the notes it stands in."""

from typing import Annotated

from pydantic import Field, ValidationError

from mltrust.anchors.git_notes.judgement import Judgement
from mltrust.anchors.git_notes.record import MAX_RECORD_BYTES, Record
from mltrust.core.model import Document, first_surprise
from mltrust.core.names import count, shown
from mltrust.core.receipt import Receipt
from mltrust.core.report import AnchorState, Check, CheckKind, Outcome
from mltrust.errors import AnchorError, ContradictionError, FormatError

KIND = "git-notes"

LEVELS = {
    "local-notes": "Fetch before verifying (--fetch REMOTE): then a remote has to stand by it as well.",
    "anchors-branch": "Keep the state folder between runs, and protect the branch; or add an anchor elsewhere.",
    "fetched-notes": "Add an anchor whose keeper cannot rewrite it: a witnessed ledger, a chain, a time-stamp.",
}


class Evidence(Document):
    """The evidence of a receipt: one record, as its line stands in a note."""

    record: Annotated[str, Field(max_length=MAX_RECORD_BYTES)]


class ForeignRecordError(ContradictionError):
    """A receipt that is not of git notes, or a record that nobody trusted signed."""


def receipt_of(record: Record) -> Receipt:
    """Return the receipt of a record."""
    evidence = Evidence(record=record.format().decode())
    return Receipt(kind=KIND, digest=record.digest, time=record.bounds, evidence=evidence.to_json())


def read_receipt(receipt: Receipt) -> Record:
    """Return the record in a receipt; a `ContradictionError` if it is none, or of another kind."""
    if receipt.kind != KIND:
        raise ForeignRecordError("not a receipt of git notes", state=AnchorState.UNKNOWN_KEY)
    try:
        line = Evidence.model_validate(receipt.evidence).record
        return Record.parse(line.encode("utf-8", "surrogatepass"), "git-notes receipt")
    except ValidationError as error:
        what = ascii(first_surprise(error)[:200])
        raise ContradictionError(f"the receipt is damaged: {what}", state=AnchorState.REPLACED) from error
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
        voice=f"git-notes {record.signer}",
    )


def refused(name: str, error: AnchorError) -> Check:
    """Return the check that `error` amounts to: a finding, or neither that nor a pass."""
    foreign = isinstance(error, ForeignRecordError)
    return Check.of_trouble(name, error, Outcome.UNCHECKED if foreign else Outcome.FAIL)
