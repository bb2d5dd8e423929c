"""The anchored checkpoints of a ledger: `mltrust ledger checkpoint --anchor` and `mltrust ledger check --anchor`."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from mltrust.anchors.ledger import LedgerAnchor
from mltrust.anchors.ledger.anchored import MAX_BYTES, Anchored
from mltrust.cli.console import Console
from mltrust.cli.exits import Exit
from mltrust.cli.trusting import open_named
from mltrust.core.canonical import Json
from mltrust.core.names import printable
from mltrust.core.report import Check, Outcome
from mltrust.disk.documents import read_document
from mltrust.errors import UsageError
from mltrust.interfaces import Anchor, Submission
from mltrust.operations.checkpoint import Pin, newest, pin
from mltrust.renderers.text import OUTCOMES, said


@dataclass(frozen=True)
class Answer:
    """What an anchor says: the size of the largest checkpoint it vouches for, and how it vouches."""

    size: int | None
    check: Check

    def to_json(self) -> dict[str, Json]:
        """Return the answer as a JSON value."""
        return {"size": self.size, "check": self.check.to_json()}


@dataclass(frozen=True)
class Published:
    """What was published, in whom, and the file where the receipt is kept; None where the anchor keeps it itself."""

    ledger: str
    anchored: Anchored
    kept: Path | None
    check: Check

    def to_json(self) -> dict[str, Json]:
        """Return it as a JSON value."""
        return {
            "ledger": self.ledger,
            "size": self.anchored.signed.checkpoint.size,
            "checkpoint": self.anchored.signed.text,
            "digest": str(self.anchored.digest),
            "kept": None if self.kept is None else str(self.kept),
            "check": self.check.to_json(),
        }

    def lines(self) -> Iterator[str]:
        """Yield it as lines for people."""
        yield f"checkpoint of size {self.anchored.signed.checkpoint.size}, {self.anchored.digest}"
        yield f"  {_told(self.check)}"
        if self.kept is not None:
            yield f"  receipt kept in {printable(str(self.kept))}"


def published(ledger: LedgerAnchor, through: Anchor) -> Published:
    """Publish the checkpoint of `ledger` through another anchor and keep the receipt."""
    if isinstance(through, LedgerAnchor) and through.exists() and through.verifier_key() == ledger.verifier_key():
        raise UsageError("a ledger cannot anchor its own checkpoint", hint="Name another anchor.")
    anchored = ledger.prepare_anchored()
    if not through.carried:
        done = pin(_pin(anchored, through, ledger.write_note(anchored)), through)
        return Published(ledger.name, anchored, None, done.check)
    done = pin(_pin(anchored, through), through)
    ledger.keep_anchored(anchored, done.receipt, done.instead_of)
    return Published(ledger.name, anchored, anchored.file, done.check)


def asked(ledger: LedgerAnchor, uris: Sequence[str], others: Sequence[Path], console: Console) -> list[Answer]:
    """Check that the ledger holds all its anchored checkpoints, and `others`; return what each of the anchors says."""
    backends = [open_named(uri, console) for uri in uris]
    if not backends and not others:
        return []
    found = ledger.anchored(*(read_document(path, MAX_BYTES) for path in others))
    answers = []
    for backend in backends:
        largest, check = newest([_pin(each, backend) for each in found], backend)
        answers.append(Answer(None if largest is None else largest.size, check))
    return answers


def rows(answers: Sequence[Answer]) -> Iterator[str]:
    """Yield the answers as lines for people."""
    for answer in answers:
        yield f"{'anchored size':<16} {answer.size}"
        yield f"  {_told(answer.check)}"
        if answer.check.hint:
            yield f"  hint: {printable(answer.check.hint)}"


def exit_for(answers: Sequence[Answer]) -> Exit:
    """Return the exit code: all must vouch."""
    outcomes = {answer.check.outcome for answer in answers}
    if Outcome.FAIL in outcomes:
        return Exit.FAILED
    return Exit.UNDECIDED if Outcome.UNCHECKED in outcomes else Exit.OK


def _pin(anchored: Anchored, backend: Anchor, note: bytes | None = None) -> Pin:
    path = None if backend.carried else anchored.note_file
    content = None if backend.carried else note
    return Pin(anchored.signed.checkpoint.size, Submission(anchored.digest, path, content), anchored.receipts)


def _told(check: Check) -> str:
    return f"{OUTCOMES[check.outcome][0]:<5} {printable(check.name)}: {said(check)}"
