"""Publish statements, and ask anchors about them."""

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol, Self, TypeVar

from mltrust.core.bundle import Bundle
from mltrust.core.digest import Digest
from mltrust.core.receipt import Receipt
from mltrust.core.report import AnchorState, Check, CheckKind, Outcome
from mltrust.core.statement import Statement
from mltrust.errors import AnchorError, FormatError
from mltrust.interfaces import Anchor, Submission

UNDECIDED = (AnchorState.UNAVAILABLE, AnchorState.NOT_FINAL)


@dataclass(frozen=True, slots=True)
class Placed:
    """A bundle and the file it is or will be in; None if it is in none."""

    bundle: Bundle
    path: Path | None = None

    def submission(self, backend: Anchor) -> Submission:
        """Return what `backend` is asked to publish."""
        content = None if backend.carried else self.bundle.to_json()
        return Submission(self.bundle.statement.digest(), self.path, content)


def anchor(seals: Sequence[Placed], backend: Anchor) -> list[Bundle]:
    """Publish the statements of `seals` through `backend` in one go; return the bundles with their receipts."""
    receipts = backend.publish([seal.submission(backend) for seal in seals])
    return [receipted(seal.bundle, receipt, backend) for seal, receipt in zip(seals, receipts, strict=True)]


class _Stated(Protocol):
    """A statement and the receipts beside it."""

    @property
    def statement(self) -> Statement: ...
    @property
    def receipts(self) -> tuple[Receipt, ...]: ...
    def with_receipts(self, receipts: tuple[Receipt, ...]) -> Self: ...


_S = TypeVar("_S", bound=_Stated)


def receipted(stated: _S, receipt: Receipt, backend: Anchor) -> _S:
    """Add `receipt`, unless one of the same voice still holds: publishing again leaves a seal as it is."""
    digest = stated.statement.digest()
    theirs = [old for old in stated.receipts if old.kind == backend.scheme]
    if not backend.carried or receipt in theirs:
        return stated
    held = [_confirm(backend, old, digest) for old in theirs]
    voices = {check.voice for check in held if check.outcome is Outcome.PASS}
    if voices and _confirm(backend, receipt, digest).voice in voices:
        return stated
    return stated.with_receipts((receipt,))


def refresh(bundle: Bundle, backends: Sequence[Anchor]) -> list[tuple[Receipt, Receipt]]:
    """Return each receipt of `bundle` and what the one of `backends` that gave it would give today.

    A receipt nobody can refresh stays as it is: what is wrong with it is for `consult` to say.
    """
    digest = bundle.statement.digest()
    return [(receipt, _refreshed(receipt, digest, backends)) for receipt in bundle.receipts]


def _refreshed(receipt: Receipt, digest: Digest, backends: Sequence[Anchor]) -> Receipt:
    for backend in backends:
        if backend.scheme == receipt.kind:
            with suppress(AnchorError, FormatError):
                fresh = backend.refresh(receipt, digest)
                if backend.confirm(fresh, digest).outcome is not Outcome.FAIL:
                    return fresh
    return receipt


def consult(backend: Anchor, receipts: Sequence[Receipt], submission: Submission, *, required: bool) -> Check:
    """Return what an anchor the caller trusts says of a digest.

    1. Each receipt of its kind is confirmed; the first that holds settles it.
    2. Where none holds, the anchor is asked whether it knows the digest all the same.
    3. If it does not, the worst that a receipt showed is the answer, else that it is absent.
    4. Silence of a `required` anchor is a failure; of any other it is unchecked. Being out of reach is
       unchecked either way, and keeps a report that requires it from being VERIFIED.
    """
    checks: list[Check] = []
    digest = submission.digest
    for receipt in receipts:
        if receipt.kind == backend.scheme:
            checks.append(_confirm(backend, receipt, digest))
            if checks[-1].outcome is Outcome.PASS:  # each costs a reading of the anchor: no more than needed
                break
    else:
        checks += _found(backend, submission)
    answer = _judge(checks, backend, required=required)
    return answer.model_copy(update={"required": required, "vouches": backend.vouches, "kinds": (backend.scheme,)})


def _confirm(backend: Anchor, receipt: Receipt, digest: Digest) -> Check:
    try:
        return backend.confirm(receipt, digest)
    except FormatError as error:
        return _check(backend, AnchorState.REPLACED, Outcome.FAIL, str(error), error.hint)
    except AnchorError as error:
        return Check.of_trouble(backend.name, error)


def _found(backend: Anchor, submission: Submission) -> list[Check]:
    try:
        return [_confirm(backend, receipt, submission.digest) for receipt in backend.find(submission)]
    except AnchorError as error:
        return [Check.of_trouble(backend.name, error)]


def _judge(checks: Sequence[Check], backend: Anchor, *, required: bool) -> Check:
    for outcome in (Outcome.PASS, Outcome.FAIL):
        for check in checks:
            if check.outcome is outcome:
                return check
    undecided = next((check for check in checks if check.state in UNDECIDED), None)
    if undecided is not None:
        return undecided
    hint = "Publish it with mltrust anchor SEAL --to URI, or trust whoever does vouch for it."
    absent = _check(backend, AnchorState.ABSENT, Outcome.UNCHECKED, f"{backend.name} does not vouch for it", hint)
    answer = checks[0] if checks else absent
    return answer.model_copy(update={"outcome": Outcome.FAIL}) if required else answer


def _check(backend: Anchor, state: AnchorState, outcome: Outcome, summary: str, hint: str | None) -> Check:
    return Check(kind=CheckKind.ANCHOR, name=backend.name, outcome=outcome, summary=summary, state=state, hint=hint)
