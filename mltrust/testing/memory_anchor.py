"""An anchor in memory: for tests, and as the smallest example of the socket."""

from collections.abc import Sequence
from typing import ClassVar, Self

from mltrust.core import canonical
from mltrust.core.digest import Digest
from mltrust.core.receipt import Receipt
from mltrust.core.report import AnchorState, Check, CheckKind, Outcome
from mltrust.errors import UsageError
from mltrust.interfaces import Anchor, Home, Settings, Submission


class MemoryAnchor(Anchor):
    """Keeps digests as long as it lives; `label` tells two of them apart. Its receipts convince nobody but itself."""

    scheme: ClassVar[str] = "memory"

    def __init__(self, label: str = "test") -> None:
        self._label = label
        self._receipts: dict[Digest, Receipt] = {}

    @property
    def name(self) -> str:
        """How the anchor is called in reports and messages."""
        return f"{self.scheme}:{self._label}"

    @classmethod
    def from_uri(cls, uri: str, home: Home, settings: Settings) -> Self:  # noqa: ARG003  # it keeps nothing
        """Return a new, empty anchor for `memory:LABEL`."""
        scheme, _, label = uri.partition(":")
        if scheme != cls.scheme or not label.isprintable() or not label:
            raise UsageError(f"{uri[:120]!a} names no anchor in memory", hint="Write memory:LABEL.")
        return cls(label)

    def publish(self, submissions: Sequence[Submission]) -> Sequence[Receipt]:
        """Keep the digests; return one receipt each."""
        digests = [submission.digest for submission in submissions]
        for digest in digests:
            evidence: dict[str, canonical.Json] = {"anchor": self._label, "number": len(self._receipts)}
            self._receipts.setdefault(digest, Receipt(kind=self.scheme, digest=str(digest), evidence=evidence))
        return tuple(self._receipts[digest] for digest in digests)

    def confirm(self, receipt: Receipt, digest: Digest) -> Check:
        """Check that `receipt` is the one given for `digest`."""
        if receipt.kind != self.scheme or receipt.evidence.get("anchor") != self._label:
            return self._check(Outcome.UNCHECKED, AnchorState.UNKNOWN_KEY, "the receipt is of another anchor")
        if digest not in self._receipts:
            return self._check(Outcome.FAIL, AnchorState.ABSENT, "the digest was never published here")
        if receipt != self._receipts[digest]:
            return self._check(Outcome.FAIL, AnchorState.REPLACED, "the receipt is not the one that was given")
        return self._check(Outcome.PASS, AnchorState.VERIFIED, "published here")

    def find(self, submission: Submission) -> Sequence[Receipt]:
        """Return the receipt for the digest, if it was published."""
        found = self._receipts.get(submission.digest)
        return () if found is None else (found,)

    def _check(self, outcome: Outcome, state: AnchorState, summary: str) -> Check:
        return Check(kind=CheckKind.ANCHOR, name=self.name, outcome=outcome, state=state, summary=summary)
