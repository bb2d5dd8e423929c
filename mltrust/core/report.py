"""The report: every check that was made, every difference that was found, and the verdict they add up to."""

from enum import StrEnum
from typing import NamedTuple

from mltrust.core.changes import Change
from mltrust.core.model import Document
from mltrust.core.names import count
from mltrust.core.receipt import TimeBounds
from mltrust.errors import AnchorError, ContradictionError, ForeignReceiptError, NotVerifiedError


class Outcome(StrEnum):
    """What became of one check; `unchecked` is neither a pass nor a finding."""

    PASS = "pass"  # noqa: S105  # an outcome, not a password
    FAIL = "fail"
    UNCHECKED = "unchecked"


class CheckKind(StrEnum):
    """What a check looked at. Only `anchor`, `signature` and `fingerprint` checks can vouch."""

    SEAL = "seal"
    CONTENT = "content"
    PROOF = "proof"
    ANCHOR = "anchor"
    SIGNATURE = "signature"
    FINGERPRINT = "fingerprint"
    POLICY = "policy"
    EXPECTATION = "expected"
    ERASURE = "erasure"


class AnchorState(StrEnum):
    """What an anchor says of a digest. `unavailable` is neither a pass nor tampering."""

    VERIFIED = "verified"
    ABSENT = "absent"
    REMOVED = "removed"
    REPLACED = "replaced"
    ROLLBACK = "rollback"
    UNSIGNED = "unsigned"
    UNKNOWN_KEY = "unknown-key"
    NOT_FINAL = "not-final"
    UNAVAILABLE = "unavailable"


class SignatureState(StrEnum):
    """What is to be said of somebody's signature over a statement; what cannot be told is never a pass.

    `incomplete`: a part of a hybrid key has not signed. `untrusted`: a certificate leads to no trusted root.
    `unsupported`: the installed libraries cannot check it. `expired`, `not-yet-valid`: the anchored time is not within
    that of the key. `untimed`: the key counts for a time only, and no anchor says when. `unavailable`: what it takes to
    check it is out of reach.
    """

    VERIFIED = "verified"
    ABSENT = "absent"
    INVALID = "invalid"
    INCOMPLETE = "incomplete"
    UNTRUSTED = "untrusted"
    UNSUPPORTED = "unsupported"
    REVOKED = "revoked"
    EXPIRED = "expired"
    NOT_YET_VALID = "not-yet-valid"
    UNTIMED = "untimed"
    UNAVAILABLE = "unavailable"


class Verdict(StrEnum):
    """What the whole report says."""

    VERIFIED = "verified"
    FAILED = "failed"
    INCONCLUSIVE = "inconclusive"


class Check(Document):
    """One check: what was looked at, what came out, one line for people, and when an anchor saw it.

    `level` names how far the answer rests on others' word, in the anchor's own terms, and `stronger` says what would
    make it rest on less. A check that does not `vouch` says since when, but not whose it is. `evidence` holds signed
    documents that contradict each other, for whoever has to be shown. Two checks of one `voice` (a key, an account, an
    authority) are one vote.
    `certified_by` are the ids of the keys of the authorities that led to a trusted certificate, that one's included.
    `kinds` are those of the anchor (its scheme) or of the keys, the foremost first.
    `names` lists all files that a check speaks of, where its summary names a few.
    What is `required` was named by the caller: while it is unchecked, nothing is verified.
    """

    kind: CheckKind
    name: str
    outcome: Outcome
    summary: str
    state: AnchorState | SignatureState | None = None
    kinds: tuple[str, ...] = ()
    time: TimeBounds | None = None
    level: str | None = None
    stronger: str | None = None
    voice: str | None = None
    certified_by: tuple[str, ...] = ()
    vouches: bool = True
    hint: str | None = None
    evidence: tuple[str, ...] = ()
    names: tuple[str, ...] = ()
    required: bool = False

    @classmethod
    def of_trouble(cls, name: str, error: AnchorError) -> "Check":
        """Return the check an anchor's error amounts to.

        Contradiction is a failure; a receipt of somebody else and being out of reach are neither a pass nor tampering.
        """
        state, evidence = AnchorState.UNAVAILABLE, tuple[str, ...]()
        failed = isinstance(error, ContradictionError) and not isinstance(error, ForeignReceiptError)
        if isinstance(error, ContradictionError):
            state, evidence = AnchorState(error.state), error.evidence
        return cls(
            kind=CheckKind.ANCHOR,
            name=name,
            outcome=Outcome.FAIL if failed else Outcome.UNCHECKED,
            summary=str(error),
            state=state,
            hint=error.hint,
            evidence=evidence,
        )


class Notice(Document):
    """Something worth knowing that proves nothing by itself: a pickle, a colliding name, code that loads."""

    code: str
    path: str
    message: str


class Recalled(NamedTuple):
    """How much was answered from memory instead of being read: files, and bytes of them."""

    files: int = 0
    bytes: int = 0


class Scope(Document):
    """What was looked at, the rules by which something was left out, and what that was.

    Of the sealed records, `records_erased` are no longer there, and not among the `records`.
    Of the files and bytes, those `not_reread` were taken from a digest cache: the file system says that they are
    unchanged since they were last read on this machine.
    Of the files, `pointers` are Git LFS pointers that match the sealed SHA-256 of their content; that has
    `bytes_not_here`, which are not among the `bytes`. If they do not lie in the artifact, but were made of a listing of
    its files, `told_by` says whose word that is.
    """

    files: int
    tensors: int
    records: int = 0
    records_erased: int = 0
    bytes: int
    files_not_reread: int = 0
    bytes_not_reread: int = 0
    pointers: int = 0
    bytes_not_here: int = 0
    told_by: str = ""
    excluded: tuple[str, ...] = ()
    left_out: tuple[str, ...] = ()

    @property
    def not_here(self) -> str:
        """Say in one line which bytes nobody looked at; nothing, if there are none."""
        if not self.pointers:
            return ""
        where = f"{self.told_by} lists only" if self.told_by else "only a Git LFS pointer is here"
        what = " a size and a SHA-256, which are the sealed ones" if self.told_by else ""
        return f"{count(self.bytes_not_here, 'byte')} of {count(self.pointers, 'file')}, for which {where}{what}"


class Report(Document):
    """The result of verifying an artifact or a proof.

    `fingerprint` and `root` are those that are stated: of the artifact, or of the one a proof leads to.
    `content_only` tells that the caller asked for the bytes alone, so that nobody had to vouch.
    """

    name: str
    fingerprint: str
    root: str
    suite: str
    content_only: bool
    scope: Scope
    checks: tuple[Check, ...]
    changes: tuple[Change, ...] = ()
    notices: tuple[Notice, ...] = ()

    @property
    def verdict(self) -> Verdict:
        """FAILED if any check fails; VERIFIED if content passed and all who were named vouch; else INCONCLUSIVE.

        Where nobody was named, one of those who are assumed has to vouch.
        """
        outcomes = [check.outcome for check in self.checks]
        if Outcome.FAIL in outcomes:
            return Verdict.FAILED
        content = [c.outcome for c in self.checks if c.kind in (CheckKind.CONTENT, CheckKind.PROOF)]
        if not content or any(outcome is not Outcome.PASS for outcome in content):
            return Verdict.INCONCLUSIVE
        if any(check.required and check.outcome is not Outcome.PASS for check in self.checks):
            return Verdict.INCONCLUSIVE
        return Verdict.VERIFIED if self.content_only or self.vouchers else Verdict.INCONCLUSIVE

    @property
    def vouchers(self) -> tuple[Check, ...]:
        """The checks by which somebody the caller trusts vouches for the statement."""
        kinds = (CheckKind.ANCHOR, CheckKind.SIGNATURE, CheckKind.FINGERPRINT)
        passed = (check for check in self.checks if check.outcome is Outcome.PASS)
        return tuple(check for check in passed if check.kind in kinds and check.vouches)

    @property
    def reasons(self) -> tuple[str, ...]:
        """Why it is not VERIFIED, one at least; none if it is."""
        if self.verdict is Verdict.VERIFIED:
            return ()
        found = (check.summary for check in self.checks if check.outcome is not Outcome.PASS)
        return tuple(found) or ("nobody trusted vouches for it",)

    def require(self) -> "Report":
        """Return the report if it is VERIFIED, else raise `NotVerifiedError` naming the first reasons."""
        if self.verdict is Verdict.VERIFIED:
            return self
        raise NotVerifiedError(f"{self.name}: {self.verdict}: {'; '.join(self.reasons)}")
