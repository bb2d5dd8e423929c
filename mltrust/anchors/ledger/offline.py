"""Trust in a ledger by its key alone, without the ledger; and what the checks of receipts look like."""

from collections.abc import Iterable, Sequence
from typing import ClassVar, Self

from mltrust.anchors.ledger.checkpoint import SignedCheckpoint
from mltrust.anchors.ledger.cosignature import SETTINGS, Witnesses, shown_time
from mltrust.anchors.ledger.evidence import KIND, Proven, prove
from mltrust.core.digest import Digest
from mltrust.core.note import VerifierKey, looks_like_a_key
from mltrust.core.receipt import Receipt
from mltrust.core.report import AnchorState, Check, CheckKind, Outcome
from mltrust.errors import ContradictionError, FormatError, UsageError
from mltrust.interfaces import Anchor, Home, Settings, Submission

_STRONGER = {
    "key": "asking the ledger itself, which may have taken the entry back; or requiring a witness",
    "own-ledger": "a witness (mltrust ledger witness), or an anchored checkpoint (mltrust ledger checkpoint --anchor)",
    "ledger": "requiring a witness, or an anchored checkpoint (mltrust ledger check --anchor)",
    "witnessed": "an anchored checkpoint (mltrust ledger check --anchor)",
}


class LedgerKey(Anchor):
    """A ledger known by its verifier key: it confirms receipts offline and can do nothing else.

    It cannot see whether the ledger still stands by them, so a rollback escapes it. With `witnesses` the checkpoint of
    the receipt must be cosigned as well.
    """

    scheme: ClassVar[str] = KIND
    settings: ClassVar[frozenset[str]] = SETTINGS

    def __init__(self, key: VerifierKey, witnesses: Witnesses = Witnesses()) -> None:
        self._key = key
        self._witnesses = witnesses

    @property
    def name(self) -> str:
        """How the ledger is called in reports and messages: by its origin."""
        return f"{self.scheme} key {self._key.name}"

    @classmethod
    def from_uri(cls, uri: str, home: Home, settings: Settings) -> Self:  # noqa: ARG003  # the socket's
        """Refuse: a key is not named by a URI."""
        raise UsageError(f"{uri[:120]!a} is no verifier key of a ledger")

    @classmethod
    def from_key(cls, key: str, settings: Settings) -> Self | None:
        """Return the ledger of a verifier key; None if `key` does not look like one, `UsageError` if it is mistyped."""
        if not looks_like_a_key(key):
            return None
        try:
            return cls(VerifierKey.parse(key, "verifier key"), Witnesses.of(settings))
        except FormatError as error:
            raise UsageError(str(error), hint="Copy the key of the ledger as a whole.") from error

    def publish(self, submissions: Sequence[Submission]) -> Sequence[Receipt]:  # noqa: ARG002  # the socket's
        """Refuse: a verifier key signs nothing."""
        raise UsageError("a verifier key cannot publish", hint="Name the ledger itself: ledger:PATH.")

    def confirm(self, receipt: Receipt, digest: Digest) -> Check:
        """Check offline what `receipt` proves of `digest`: see `evidence.prove`; and who cosigned its checkpoint."""
        try:
            proven = prove(receipt, digest, self._key)
            self._witnesses.refuse_false(proven.checkpoint)
        except ContradictionError as error:
            return Check.of_trouble(self.name, error)
        where = f"entry {proven.index} of a ledger that was not asked itself"
        return confirmed(self.name, proven, (where, "key"), self._witnesses, [proven.checkpoint])

    def find(self, submission: Submission) -> Sequence[Receipt]:  # noqa: ARG002  # the socket's
        """Return nothing: a key knows no entries."""
        return ()


def confirmed(
    name: str, proven: Proven, where: tuple[str, str], witnesses: Witnesses, checkpoints: Iterable[SignedCheckpoint]
) -> Check:
    """Return the check of a receipt that holds, once enough of `witnesses` cosigned one of `checkpoints` or more.

    `where` says what it proves to be where, and whose word that rests on without witnesses.
    """
    place, level = where
    who = witnesses.who(checkpoints)
    if len(who) < witnesses.at_least:
        return _not_yet(name, place, f"{len(who)} of {len(witnesses.keys)} witnesses", witnesses)
    summary = f"{place}, not later than {proven.entry.time} by its keeper's clock"
    for key, time in who.items():
        summary += f"; cosigned by {key.name} at {shown_time(time)} by its clock"
    level = "witnessed" if witnesses.keys else level
    return Check(
        kind=CheckKind.ANCHOR,
        name=name,
        outcome=Outcome.PASS,
        state=AnchorState.VERIFIED,
        summary=summary,
        time=proven.time,
        level=level,
        stronger=_STRONGER[level],
        voice=proven.key.voice,
    )


def _not_yet(name: str, where: str, found: str, witnesses: Witnesses) -> Check:
    hint = "Once they ran mltrust ledger witness: mltrust anchors SEAL --refresh, with the ledger as --anchor."
    return Check(
        kind=CheckKind.ANCHOR,
        name=name,
        outcome=Outcome.UNCHECKED,
        state=AnchorState.NOT_FINAL,
        summary=f"{where}, cosigned by {found} so far, at least {witnesses.at_least} must",
        hint=hint,
    )
