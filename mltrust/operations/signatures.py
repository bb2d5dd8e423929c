"""Whether signers vouch for a statement: who signed it, and whether the key counted when the statement was made.

No clock is read. When a statement was made is known from anchors the caller trusts, or from the signature's own
evidence, and only as "not later than". A signature says nothing of when it was made: a key that is stolen can sign a
statement that was anchored before. Where that matters, an anchor must vouch, and not only say since when.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from mltrust.core.dsse import Signature
from mltrust.core.names import count, printable
from mltrust.core.receipt import timestamp
from mltrust.core.report import Check, CheckKind, Outcome, SignatureState
from mltrust.core.revocations import Revocations, moment
from mltrust.errors import FormatError, UnreadableError
from mltrust.interfaces import TrustedKey, TrustedSigner
from mltrust.operations.anchor import UNDECIDED

_ANCHOR_IT = "Name an anchor that published it in time, with --anchor or in the policy: it proves since when it exists."


@dataclass(frozen=True)
class Anchored:
    """What trusted anchors say of when: the statement existed at `not_after`; those in `silent` could not be asked."""

    not_after: datetime | None = None
    silent: tuple[str, ...] = ()

    @classmethod
    def by(cls, answers: Iterable[Check]) -> "Anchored":
        """Return what the answers of anchors add up to: of several times, the earliest is proven."""
        answers = list(answers)
        passed = [found for answer in answers if answer.outcome is Outcome.PASS if (found := _not_after(answer))]
        return cls(min(passed, default=None), tuple(each.name for each in answers if each.state in UNDECIDED))

    def before(self, limit: datetime) -> bool:
        """Whether it is proven that the statement existed before `limit`.

        Times are cut to whole seconds, so an equal one may be later: only an earlier one counts.
        """
        return self.not_after is not None and self.not_after < limit.replace(microsecond=0)


def judge(
    signer: TrustedSigner,
    payload: bytes,
    signatures: Sequence[Signature],
    anchored: Anchored,
    revoked: Revocations,
) -> Check:
    """Return what is to be said of a signer's signature over `payload`: any of the keys is enough.

    1. The verifier of a key tells whether it signed. What it cannot read is a false signature; what it takes to check
       it being out of reach is unchecked.
    2. A key, identity, half of a hybrid key, or authority on the way to a trusted one, that is revoked since T counts
       for what is proven older than T, alone.
    3. A key that counts until T counts for what is proven older than T, alone; without any time it is unchecked.
    4. A key that counts since T does not count for what is proven older than T.
    5. Whatever an anchor could still prove while it cannot be asked is unchecked, not failed.
    6. The first key that vouches settles it; else whatever is open; else what says most.
    """
    found = [_of_key(key, payload, signatures, anchored, revoked) for key in signer.keys]
    ranked = sorted(found, key=_rank)  # 6
    return ranked[0].model_copy(update={"name": signer.name})


def _rank(check: Check) -> tuple[int, bool]:
    order = (Outcome.PASS, Outcome.UNCHECKED, Outcome.FAIL)
    return order.index(check.outcome), check.state is SignatureState.ABSENT


def _of_key(
    key: TrustedKey, payload: bytes, signatures: Sequence[Signature], anchored: Anchored, revoked: Revocations
) -> Check:
    check = _confirmed(key, payload, signatures)  # 1
    if check.outcome is not Outcome.PASS:
        return check
    own = _not_after(check)
    when = anchored if own is None else Anchored(own)  # what proves when it was signed says more
    # Also a key that is certified by a trusted one, and all between.
    entry = revoked.earliest([*key.verifier.ids, check.voice or "", *check.certified_by])
    if entry is not None and not when.before(moment(entry.since, "revocation")):  # 2
        why = f" ({printable(entry.reason)})" if entry.reason else ""
        return _revoked(check, f"a key of {check.name} is revoked since {entry.since}{why}", when)
    if key.until is not None and not when.before(key.until):  # 3
        return _expired(check, f"the key of {check.name} counts until {timestamp(key.until)} only", when)
    if key.since is not None and when.before(key.since):  # 4
        summary = f"the key of {check.name} counts since {timestamp(key.since)}, and the statement is older"
        return _not_vouching(check, Outcome.FAIL, SignatureState.NOT_YET_VALID, summary)
    return check


def _confirmed(key: TrustedKey, payload: bytes, signatures: Sequence[Signature]) -> Check:
    try:
        return key.verifier.confirm(payload, signatures)
    except UnreadableError as error:
        trouble = error
    outcome, state = Outcome.UNCHECKED, SignatureState.UNAVAILABLE
    if isinstance(trouble, FormatError):
        outcome, state = Outcome.FAIL, SignatureState.INVALID
    return Check(
        kind=CheckKind.SIGNATURE,
        name=key.verifier.name,
        outcome=outcome,
        summary=str(trouble),
        state=state,
        kinds=tuple(sorted(key.verifier.kinds)),
        hint=trouble.hint,
    )


def _revoked(check: Check, what: str, when: Anchored) -> Check:
    if when.silent:  # 5
        return _open(check, what, when)
    newer = "nobody you trust proves that the statement is older"
    if when.not_after is not None:
        newer = f"the statement is proven to exist since {_shown(when.not_after)}, not before"
    summary = f"{what}, and {newer}"
    return _not_vouching(check, Outcome.FAIL, SignatureState.REVOKED, summary, None if when.not_after else _ANCHOR_IT)


def _expired(check: Check, what: str, when: Anchored) -> Check:
    if when.silent:  # 5
        return _open(check, what, when)
    if when.not_after is None:
        summary = f"{what}, and nobody you trust says since when the statement exists"
        return _not_vouching(check, Outcome.UNCHECKED, SignatureState.UNTIMED, summary, _ANCHOR_IT)
    summary = f"{what}, and the statement is proven to exist since {_shown(when.not_after)}, not before"
    return _not_vouching(check, Outcome.FAIL, SignatureState.EXPIRED, summary)


def _open(check: Check, what: str, when: Anchored) -> Check:
    summary = f"{what}; whether the statement is older could be said by {', '.join(when.silent)}"
    return _not_vouching(check, Outcome.UNCHECKED, SignatureState.UNTIMED, summary, "Run it again when that answers.")


def _not_vouching(
    check: Check, outcome: Outcome, state: SignatureState, summary: str, hint: str | None = None
) -> Check:
    return check.model_copy(update={"outcome": outcome, "state": state, "summary": summary, "hint": hint})


def _shown(found: datetime) -> str:
    return timestamp(found.astimezone(UTC))


def _not_after(check: Check) -> datetime | None:
    if check.time is None or check.time.not_after is None:
        return None
    try:
        return moment(check.time.not_after, check.name)
    except FormatError:  # no time of the calendar proves nothing
        return None


def not_asked_about(
    payload: bytes, signatures: Sequence[Signature], signers: Sequence[TrustedSigner]
) -> list[Signature]:
    """Return the signatures that no signer who was asked bears or made: they were not checked.

    A key id is a hint, so whoever signed is asked about each of the others by itself.
    """
    ids = {each for signer in signers for each in signer.ids}
    rest = [signature for signature in signatures if signature.keyid not in ids]
    if not rest:
        return []
    keys = [key for signer in signers for key in signer.keys if _signed(key, payload, signatures)]
    return [one for one in rest if not any(_signed(key, payload, [one]) for key in keys)]


def _signed(key: TrustedKey, payload: bytes, signatures: Sequence[Signature]) -> bool:
    check = _confirmed(key, payload, signatures)
    return check.outcome is Outcome.PASS or check.state is SignatureState.INCOMPLETE


def about(left: Sequence[Signature]) -> Check:
    """Return the check that says of how many signatures nobody was asked."""
    summary = f"{count(len(left), 'signature')} not checked: by nobody you named"
    return Check(kind=CheckKind.SIGNATURE, name="signatures", outcome=Outcome.UNCHECKED, summary=summary)
