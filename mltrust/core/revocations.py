"""Lists of revoked keys: which key is not to be believed any more, since when, and why.

A list only ever takes trust away. Of two entries for one key, the earlier time counts: lists add up, in any order.
"""

import json
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, ValidationError, field_validator

from mltrust.core.bundle import open_document
from mltrust.core.model import Document, SparseDocument, first_surprise
from mltrust.core.receipt import Time
from mltrust.errors import FormatError, UsageError

MEDIA_TYPE: Literal["application/vnd.mltrust.revocations.v1+json"] = "application/vnd.mltrust.revocations.v1+json"
MAX_REVOCATIONS = 16384
MAX_REVOCATIONS_BYTES = 2**24
KEY_ID = re.compile(r"sha256:[0-9a-f]{64}")


class Revocation(SparseDocument):
    """One key (its id, or the identity that certificates name) that is not to be believed since a time, and why."""

    spare: ClassVar[frozenset[str]] = frozenset({"reason"})

    key: Annotated[str, Field(min_length=1, max_length=4096)]
    since: Time
    reason: Annotated[str, Field(min_length=1, max_length=4096)] | None = None

    @field_validator("key")
    @classmethod
    def _is_named_well(cls, key: str) -> str:
        """Refuse what would revoke nobody: an id in another spelling, or with spaces around it."""
        if key != key.strip() or (key.lower().startswith("sha256:") and not KEY_ID.fullmatch(key)):
            raise ValueError("a key id is sha256: and 64 hexadecimal digits in lower case, with nothing around it")
        return key

    @classmethod
    def of(cls, key: str, since: str, reason: str | None) -> Self:
        """Return the entry; `UsageError` if it cannot be written."""
        try:
            made = cls(key=key, since=since, reason=reason)
            moment(made.since, "since")
        except ValidationError as error:
            raise UsageError(f"this cannot be revoked: {first_surprise(error)}") from error
        except FormatError as error:
            raise UsageError(str(error)) from error
        return made


class RevocationsDocument(Document):
    """A list of revoked keys, in a file."""

    media_type: Literal["application/vnd.mltrust.revocations.v1+json"] = Field(alias="mediaType")
    revocations: Annotated[tuple[Revocation, ...], Field(max_length=MAX_REVOCATIONS)]


@dataclass(frozen=True)
class Revocations:
    """What several lists say together, by key."""

    by_key: Mapping[str, Revocation] = field(default_factory=dict)

    @classmethod
    def of(cls, entries: Iterable[Revocation]) -> Self:
        """Return what `entries` say together: of one key, the earliest counts."""
        found: dict[str, Revocation] = {}
        for entry in entries:
            known = found.get(entry.key)
            if known is None or entry.since < known.since:
                found[entry.key] = entry
        return cls(found)

    def __or__(self, other: "Revocations") -> "Revocations":
        return Revocations.of((*self.by_key.values(), *other.by_key.values()))

    def __bool__(self) -> bool:
        return bool(self.by_key)

    def earliest(self, keys: Iterable[str]) -> Revocation | None:
        """Return the earliest revocation of any of `keys`: half a hybrid key that is revoked is no key."""
        return min((self.by_key[key] for key in keys if key in self.by_key), key=lambda each: each.since, default=None)

    def to_json(self) -> bytes:
        """Write the list as a file, sorted by key."""
        listed = tuple(self.by_key[key] for key in sorted(self.by_key))
        document = RevocationsDocument(media_type=MEDIA_TYPE, revocations=listed)
        return json.dumps(document.to_json(), indent=1).encode("ascii") + b"\n"


def read_revocations(data: bytes, where: str) -> Revocations:
    """Parse a list strictly; any surprise is a `FormatError` that names `where`."""
    top = open_document(data, where, MEDIA_TYPE, ("mediaType", "revocations"))
    document = RevocationsDocument.from_json(top, where)
    for entry in document.revocations:
        moment(entry.since, where)
    return Revocations.of(document.revocations)


def moment(time: str, where: str) -> datetime:
    """Return the instant that a time of a document names; `FormatError` if the calendar has none such."""
    try:
        return datetime.strptime(time if time.isascii() else "", "%Y-%m-%dT%H:%M:%SZ").replace(tzinfo=UTC)
    except ValueError as error:
        raise FormatError(where, f"{time[:40]!a} is no time such as 2026-01-31T00:00:00Z") from error
