"""Anchor the checkpoint of a log, and ask anchors how far they know it: one publication covers all entries before."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass

from mltrust.core.receipt import Receipt
from mltrust.core.report import AnchorState, Check, CheckKind, Outcome
from mltrust.errors import AnchorError, FormatError
from mltrust.interfaces import Anchor, Submission
from mltrust.operations.anchor import UNDECIDED, consult


@dataclass(frozen=True, slots=True)
class Pin:
    """A checkpoint as anchors see it: its size, what is submitted of it, and the receipts that are kept."""

    size: int
    submission: Submission
    receipts: Sequence[Receipt] = ()


@dataclass(frozen=True, slots=True)
class Pinned:
    """What publishing gave: a receipt, the older one it takes the place of, and what the anchor says of it now."""

    receipt: Receipt
    instead_of: Receipt | None
    check: Check


def pin(what: Pin, backend: Anchor) -> Pinned:
    """Publish a checkpoint through `backend`, unless a receipt that is there holds or ripens: that one is refreshed."""
    digest = what.submission.digest
    for old in what.receipts:
        if old.kind == backend.scheme:
            fresh = old
            with suppress(AnchorError, FormatError):
                fresh = backend.refresh(old, digest)
            check = consult(backend, [fresh], what.submission, required=False)
            if check.outcome is Outcome.PASS or check.state is AnchorState.NOT_FINAL:
                return Pinned(fresh, old, check)
    (receipt,) = backend.publish([what.submission])
    return Pinned(receipt, None, consult(backend, [receipt], what.submission, required=False))


def newest(pins: Sequence[Pin], backend: Anchor) -> tuple[Pin | None, Check]:
    """Return the largest of `pins`, given from large to small, that `backend` vouches for, and what it says of it.

    A contradiction stands for all that come after it. Where it vouches for none, one that may still become final or be
    reached leaves it open, and silence is a failure.
    """
    undecided = None
    for each in pins:
        check = consult(backend, each.receipts, each.submission, required=False)
        if check.outcome is not Outcome.UNCHECKED:
            return each, _required(check)
        if check.state in UNDECIDED and undecided is None:
            undecided = each, _required(check)
    return undecided or (None, _absent(backend))


def _required(check: Check) -> Check:
    return check.model_copy(update={"required": True})


def _absent(backend: Anchor) -> Check:
    return Check(
        kind=CheckKind.ANCHOR,
        name=backend.name,
        outcome=Outcome.FAIL,
        state=AnchorState.ABSENT,
        summary=f"{backend.name} vouches for no checkpoint of this ledger",
        hint="The keeper publishes one with mltrust ledger checkpoint --anchor URI.",
        required=True,
    )
