"""Trust in a ledger by its key alone, without the ledger; and what the checks of receipts look like."""

import re
from collections.abc import Sequence
from typing import ClassVar, Self

from mltrust.anchors.ledger.evidence import KIND, ForeignReceiptError, Proven, prove
from mltrust.core.digest import Digest
from mltrust.core.note import VerifierKey
from mltrust.core.receipt import Receipt
from mltrust.core.report import AnchorState, Check, CheckKind, Outcome
from mltrust.errors import AnchorError, ContradictionError, FormatError, UsageError
from mltrust.interfaces import Anchor, Home, Settings, Submission

_LOOKS_LIKE_A_KEY = re.compile(r"[^+\s]+\+[0-9a-f]{8}\+\S+")


class LedgerKey(Anchor):
    """A ledger known by its verifier key: it confirms receipts offline and can do nothing else.

    It cannot see whether the ledger still stands by them, so a rollback escapes it.
    """

    scheme: ClassVar[str] = KIND

    def __init__(self, key: VerifierKey) -> None:
        self._key = key

    @property
    def name(self) -> str:
        """How the ledger is called in reports and messages: by its origin."""
        return f"{self.scheme} key {self._key.name}"

    @classmethod
    def from_uri(cls, uri: str, home: Home, settings: Settings) -> Self:  # noqa: ARG003  # the socket's
        """Refuse: a key is not named by a URI."""
        raise UsageError(f"{uri[:120]!a} is no verifier key of a ledger")

    @classmethod
    def from_key(cls, key: str, settings: Settings) -> Self | None:  # noqa: ARG003
        """Return the ledger of a verifier key; None if `key` does not look like one, `UsageError` if it is mistyped."""
        if not _LOOKS_LIKE_A_KEY.fullmatch(key):
            return None
        try:
            return cls(VerifierKey.parse(key, "verifier key"))
        except FormatError as error:
            raise UsageError(str(error), hint="Copy the key of the ledger as a whole.") from error

    def publish(self, submissions: Sequence[Submission]) -> Sequence[Receipt]:  # noqa: ARG002  # the socket's
        """Refuse: a verifier key signs nothing."""
        raise UsageError("a verifier key cannot publish", hint="Name the ledger itself: ledger:PATH.")

    def confirm(self, receipt: Receipt, digest: Digest) -> Check:
        """Check offline what `receipt` proves of `digest`: see `evidence.prove`."""
        try:
            proven = prove(receipt, digest, self._key)
        except ContradictionError as error:
            return refused(self.name, error)
        return verified(self.name, proven, f"entry {proven.index} of a ledger that was not asked itself")

    def find(self, submission: Submission) -> Sequence[Receipt]:  # noqa: ARG002  # the socket's
        """Return nothing: a key knows no entries."""
        return ()


def verified(name: str, proven: Proven, where: str) -> Check:
    """Return the check of a receipt that holds; `where` says what it proves to be where."""
    summary = f"{where}, not later than {proven.entry.time} by its keeper's clock"
    return Check(
        kind=CheckKind.ANCHOR,
        name=name,
        outcome=Outcome.PASS,
        state=AnchorState.VERIFIED,
        summary=summary,
        time=proven.time,
    )


def refused(name: str, error: AnchorError) -> Check:
    """Return the check that `error` amounts to: a finding, or neither that nor a pass."""
    foreign = isinstance(error, ForeignReceiptError)
    return Check.of_trouble(name, error, Outcome.UNCHECKED if foreign else Outcome.FAIL)
