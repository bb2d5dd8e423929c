"""What may be said of the tombstones beside a blinded seal."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from shlex import quote

from mltrust.core.bundle import Bundle
from mltrust.core.names import count, printable, shown
from mltrust.core.report import Check, CheckKind, Outcome
from mltrust.operations.blinding import Kept
from mltrust.statements.erasure import Tombstone, read_erasure

Ask = Callable[[Tombstone], Iterable[Check]]
"""Asks everybody the caller trusts about a tombstone."""

_SIGN_IT = "Whoever signs the seal signs its erasures, too: run mltrust erase again for these records, with --key."


def erasure_checks(bundle: Bundle, kept: Kept, ask: Ask) -> Iterator[Check]:
    """Yield a check for each tombstone.

    1. Tombstones must be of this seal, in their order (`contradiction`); else none of them counts.
    2. The salts of what they say is erased must be gone.
    3. Each must be vouched for by whom the caller trusts, just as a seal is. That does not vouch for the seal. After
       one that is not, nobody is asked about the next: to ask costs, and they come from whoever made up that one.
    """
    odd = kept.odd(bundle)
    if odd is not None:
        yield _check(Outcome.FAIL, f"the erasures are not to be believed: {odd}")
        return
    asking = True
    for tombstone in kept.tombstones:
        if left := _left(tombstone, kept):
            yield _unfinished(tombstone, left)
        elif asking:
            found = _vouched(tombstone, list(ask(tombstone)))
            asking = found.outcome is Outcome.PASS
            yield found
        else:
            yield _check(Outcome.UNCHECKED, f"{_erased(tombstone)}, and nobody was asked, for the reason before")


def _left(tombstone: Tombstone, kept: Kept) -> list[int]:
    """Return the indexes of erased records whose salts are still there."""
    if kept.salts is None:
        return []
    from mltrust.disk.salts import salts_left

    return salts_left(kept.salts[tombstone.file], tombstone.erased)


def _unfinished(tombstone: Tombstone, left: Sequence[int]) -> Check:
    file = read_erasure(tombstone.statement).file
    what = f"the salt of an erased record is still there: record {left[0] + 1} of {shown(file)}"
    return _check(Outcome.FAIL, f"{what}; the erasure is unfinished", hint=again(tombstone))


def again(tombstone: Tombstone) -> str:
    """Return the hint that says how an erasure is finished."""
    predicate = read_erasure(tombstone.statement)
    records = " ".join(f"--record {record.index + 1}" for record in predicate.records[:8])
    more = " ..." if len(predicate.records) > 8 else ""  # noqa: PLR2004  # as many as a line takes
    reason = "" if predicate.reason is None else " --reason ..., the same"
    return f"Finish it: mltrust erase ARTIFACT --file {quote(shown(predicate.file))} {records}{more}{reason}"


def _vouched(tombstone: Tombstone, answers: Sequence[Check]) -> Check:
    what = _erased(tombstone)
    for answer in answers:
        if answer.outcome is Outcome.FAIL:
            signs = answer.kind in (CheckKind.SIGNATURE, CheckKind.POLICY)
            return _check(Outcome.FAIL, f"{what}: {answer.summary}", hint=answer.hint or (_SIGN_IT if signs else None))
    voucher = next((one for one in answers if one.outcome is Outcome.PASS and _can_vouch(one)), None)
    pending = (one for one in answers if one.outcome is not Outcome.PASS and (one.required or voucher is None))
    open_ = next(pending, None)
    if voucher is None or open_ is not None:
        why = open_.summary if open_ is not None else "nobody was asked"
        hint = (
            "Trust an anchor (--anchor) or a ledger's key (--key) that vouches for the erasure, not only for the seal."
        )
        return _check(Outcome.UNCHECKED, f"{what}, and nobody you trust vouches for that: {why}", hint=hint)
    when = f", not after {voucher.time.not_after}" if voucher.time and voucher.time.not_after else ""
    passed = _check(Outcome.PASS, f"{what}{when}, by {printable(voucher.name)}")
    return passed.model_copy(update={"time": voucher.time})


def _erased(tombstone: Tombstone) -> str:
    predicate = read_erasure(tombstone.statement)
    reason = f", {printable(predicate.reason)!r}" if predicate.reason else ""
    return f"{count(len(predicate.records), 'record')} of {shown(predicate.file)} erased{reason}"


def _can_vouch(check: Check) -> bool:
    return check.vouches and check.kind in (CheckKind.ANCHOR, CheckKind.SIGNATURE)


def _check(outcome: Outcome, summary: str, hint: str | None = None) -> Check:
    return Check(kind=CheckKind.ERASURE, name="erasure", outcome=outcome, summary=summary, hint=hint, required=True)
