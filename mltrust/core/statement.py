"""The in-toto Statement v1: what every anchor publishes a digest of and every key signs."""

from typing import Annotated, Literal

from pydantic import Field

from mltrust.core import canonical
from mltrust.core.digest import Digest
from mltrust.core.model import Document

Hex256 = Annotated[str, Field(pattern=r"^[0-9a-f]{64}$")]
Name = Annotated[str, Field(min_length=1, max_length=4096)]


class Subject(Document):
    """What a statement is about: a name for people, and digests by algorithm."""

    name: Name
    digest: Annotated[dict[str, Hex256], Field(min_length=1)]


class Statement(Document):
    """An in-toto Statement v1 with one subject; `statements/` knows what each predicate type means."""

    type: Literal["https://in-toto.io/Statement/v1"] = Field(alias="_type", default="https://in-toto.io/Statement/v1")
    subject: Annotated[tuple[Subject, ...], Field(min_length=1, max_length=1)]
    predicate_type: Annotated[str, Field(alias="predicateType", max_length=4096)]
    predicate: dict[str, canonical.Json]

    def payload(self) -> bytes:
        """Return the RFC 8785 bytes of the statement: exactly what is digested and signed."""
        return canonical.dumps(self.to_json())

    def digest(self) -> Digest:
        """Return the SHA-256 of the payload: what anchors publish."""
        return Digest.sha256(self.payload())
