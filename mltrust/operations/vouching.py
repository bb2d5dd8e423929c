"""Ask everybody the caller trusts whether they vouch for a statement."""

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from mltrust.core.digest import Digest
from mltrust.core.dsse import Signature
from mltrust.core.receipt import Receipt
from mltrust.core.report import Check, CheckKind, Outcome
from mltrust.interfaces import Anchor, Quorum, Submission, Trust, TrustedSigner
from mltrust.operations.anchor import UNDECIDED, consult
from mltrust.operations.signatures import Anchored, about, judge, not_asked_about


def vouching(
    payload: bytes,
    receipts: Sequence[Receipt],
    signatures: Sequence[Signature],
    trust: Trust,
    path: Path | None = None,
    *,
    fingerprint: str | None,
) -> Iterator[Check]:
    """Yield what everybody the caller trusts says of a statement, kept at `path`; and what nobody was asked about.

    `payload` is what is signed, and its SHA-256 is what anchors publish; `fingerprint` is the one it states, if any.

    1. The fingerprint the caller knows is compared.
    2. Every anchor the caller trusts is asked. The earliest time that one proves is the anchored time.
    3. Every signer the caller trusts is judged, at the anchored time (`signatures.judge`).
    4. Who was named must vouch, each; of each group as many as it says, a voice counting once. Members of a group who
       do not vouch decide nothing by themselves, but for anchors that contradict themselves.
    5. Each kind that is asked for must be among those who passed.
    6. A policy that names nobody is never met, whoever else vouches.
    7. Where nobody was asked whose it is, that is said, unless 6 did; and so is how many signatures nobody was asked
       about.
    """
    asked = _Asked(payload, receipts, signatures, trust, path)
    checks = list(asked.checks(fingerprint))
    yield from checks
    settled = trust.content_only or trust.empty_policy
    if not (settled or any(check.vouches for check in checks if check.kind is not CheckKind.POLICY)):
        yield _nobody(checks)  # 7
    if not trust.content_only and (left := not_asked_about(payload, signatures, asked.signers)):
        yield about(left)


class _Asked:
    """Everybody the caller trusts, each asked once: anchors before signers, of whom their times may decide."""

    def __init__(
        self,
        payload: bytes,
        receipts: Sequence[Receipt],
        signatures: Sequence[Signature],
        trust: Trust,
        path: Path | None,
    ) -> None:
        self._trust = trust
        submission = Submission(Digest.sha256(payload), path)

        def ask(anchors: Iterable[Anchor], *, required: bool) -> list[Check]:
            return [consult(anchor, receipts, submission, required=required) for anchor in anchors]

        self._named = ask(trust.anchors, required=True)  # 2
        self._grouped = [ask(group.anchors, required=False) for group in trust.groups]
        self._assumed = ask(trust.assumed, required=False)
        answers = (*self._named, *(answer for group in self._grouped for answer in group), *self._assumed)
        anchored = Anchored.by(answers)
        self.signers: list[TrustedSigner] = [*trust.signers]
        self.signers += (signer for group in trust.groups for signer in group.signers)

        def hear(signers: Iterable[TrustedSigner]) -> list[Check]:
            return [judge(signer, payload, signatures, anchored, trust.revoked) for signer in signers]

        self._signed = [each.model_copy(update={"required": True}) for each in hear(trust.signers)]  # 3
        self._signed_in_groups = [hear(group.signers) for group in trust.groups]
        in_groups = (check for group in self._signed_in_groups for check in group)
        self._answers = [*answers, *self._signed, *in_groups]

    def checks(self, fingerprint: str | None) -> Iterator[Check]:
        """Yield what all of them said, and what it adds up to."""
        if self._trust.fingerprint is not None:
            yield _fingerprint(fingerprint, self._trust.fingerprint)  # 1
        yield from self._named
        yield from self._signed
        for group, anchors, signed in zip(self._trust.groups, self._grouped, self._signed_in_groups, strict=True):
            yield from anchors
            yield from map(_no_vote, signed)
            yield _enough(group, [*anchors, *signed])  # 4
        yield from self._assumed
        if self._trust.kinds:
            yield _of_kinds(self._trust.kinds, self._answers)  # 5
        if self._trust.empty_policy:
            yield _empty_policy()  # 6


def _no_vote(check: Check) -> Check:
    """Return the check of a signer in a group: one that does not vouch is no vote, and no failure by itself."""
    return check.model_copy(update={"outcome": Outcome.UNCHECKED}) if check.outcome is Outcome.FAIL else check


def _undecided(check: Check) -> bool:
    if check.kind is CheckKind.SIGNATURE:
        return check.outcome is Outcome.UNCHECKED
    return check.state in UNDECIDED


def _enough(group: Quorum, answers: Sequence[Check]) -> Check:
    """Return whether enough vouch; while those who could not be asked could still make it enough, that is undecided."""
    vouching = len({answer.voice or answer.name for answer in answers if answer.outcome is Outcome.PASS})
    undecided = sum(map(_undecided, answers))
    outcome = Outcome.PASS if vouching >= group.at_least else Outcome.FAIL
    if vouching < group.at_least <= vouching + undecided:
        outcome = Outcome.UNCHECKED
    called = "" if group.name == "policy" else f"{group.name}: "
    summary = f"{called}{vouching} of {len(answers)} vouch, at least {group.at_least} must"
    return _policy(group.name, outcome, summary)


def _of_kinds(kinds: frozenset[str], answers: Sequence[Check]) -> Check:
    found = {kind for answer in answers if answer.outcome is Outcome.PASS for kind in answer.kinds}
    possible = {kind for answer in answers if _undecided(answer) for kind in answer.kinds}
    listed = ", ".join(sorted(kinds))
    if not (missing := kinds - found):
        return _policy("kinds", Outcome.PASS, f"every kind that is asked for vouches: {listed}")
    outcome = Outcome.UNCHECKED if missing <= possible else Outcome.FAIL
    return _policy("kinds", outcome, f"nobody who vouches is of a kind that is asked for: {', '.join(sorted(missing))}")


def _empty_policy() -> Check:
    hint = "Say in its [trust] table who must vouch: require, of, or [[trust.groups]]."
    return _policy("policy", Outcome.FAIL, "the policy names nobody: an empty policy is never met", hint)


def _policy(name: str, outcome: Outcome, summary: str, hint: str | None = None) -> Check:
    return Check(kind=CheckKind.POLICY, name=name, outcome=outcome, summary=summary, hint=hint, required=True)


def _nobody(asked: Sequence[Check]) -> Check:
    """Return the check that says why nothing vouches: nobody was asked, or only those who know since when."""
    summary = "nobody you trust was asked who vouches for this seal"
    if any(check.kind is not CheckKind.POLICY for check in asked):
        summary = "since when it exists may be known, but nobody you trust was asked whose it is"
    hint = "Trust an anchor (--anchor), the key of a signer or a ledger (--key) or a fingerprint (--fingerprint)"
    return Check(
        kind=CheckKind.ANCHOR,
        name="trust",
        outcome=Outcome.UNCHECKED,
        summary=summary,
        hint=f"{hint}, or ask for the bytes alone with --content-only.",
    )


def _fingerprint(found: str | None, expected: str) -> Check:
    good = found == expected
    summary = "the fingerprint is the one you gave; it does not cover the seal's name and annotations"
    if not good:
        stated = "there is no fingerprint to compare with" if found is None else f"the fingerprint is {found}, not"
        summary = f"{stated} the one you gave"
    outcome = Outcome.PASS if good else Outcome.FAIL
    return Check(kind=CheckKind.FINGERPRINT, name="fingerprint", outcome=outcome, summary=summary)
