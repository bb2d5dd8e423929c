"""Receipts: what anchors give for a statement, and what is believed only as far as the caller trusts."""

from datetime import UTC, datetime
from typing import Annotated, ClassVar, Self

from pydantic import Field, ValidationError

from mltrust.core import canonical
from mltrust.core.model import Document, first_surprise
from mltrust.errors import FormatError

MAX_RECEIPTS = 64  # beside one statement; each may cost whoever confirms it a reading of the whole anchor

Time = Annotated[str, Field(pattern=r"^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ$")]


def timestamp(moment: datetime) -> str:
    """Write `moment` as receipts and records do, in UTC with whole seconds."""
    return moment.astimezone(UTC).replace(tzinfo=None).isoformat(timespec="seconds") + "Z"


class TimeBounds(Document):
    """What an anchor says of when: not before, not after (RFC 3339, UTC, seconds); None where it cannot say."""

    not_before: Time | None = None
    not_after: Time | None = None


class Receipt(Document):
    """An anchor's evidence that it published a digest; `evidence` is read by the anchor of that `kind` alone."""

    kind: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    time: TimeBounds = Field(default_factory=TimeBounds)  # one made here would build its model now
    evidence: dict[str, canonical.Json]


def together(receipts: tuple[Receipt, ...], more: tuple[Receipt, ...]) -> tuple[Receipt, ...]:
    """Return `receipts` and those of `more` that are not among them."""
    return receipts + tuple(receipt for receipt in more if receipt not in receipts)


class EvidenceDocument(Document):
    """The base of what the anchors of one kind write into receipts; `called` names such a receipt in errors."""

    called: ClassVar[str]

    @classmethod
    def of(cls, receipt: Receipt) -> Self:
        """Read the evidence of `receipt`; any surprise is a `FormatError`."""
        try:
            return cls.model_validate(receipt.evidence)
        except ValidationError as error:
            raise FormatError(cls.called, ascii(first_surprise(error)[:200])) from error
