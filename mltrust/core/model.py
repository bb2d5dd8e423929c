"""The base of every document model: frozen, strict, closed."""

import json
from typing import Self

from pydantic import BaseModel, ConfigDict, ValidationError

from mltrust.core import canonical
from mltrust.errors import FormatError

MAX_DOCUMENT_VALUES = 2**17


class Document(BaseModel):
    """A value with a JSON form: unknown keys, wrong types and second spellings are refused."""

    model_config = ConfigDict(
        frozen=True, strict=True, extra="forbid", populate_by_name=True, serialize_by_alias=True, defer_build=True
    )

    @classmethod
    def from_json(cls, value: canonical.Json, where: str) -> Self:
        """Build the document from a parsed JSON `value`; `where` names it in the `FormatError`."""
        text = json.dumps(value).encode("ascii")  # keeps the order, so that a seal written again is the same file
        canonical.check_bounds(text, where, canonical.MAX_DEPTH, MAX_DOCUMENT_VALUES)  # each may be a costly surprise
        try:
            document = cls.model_validate_json(text)
        except ValidationError as error:
            raise FormatError(where, first_surprise(error)) from error
        if document.to_json() != value:
            raise FormatError(where, "a key is left out or goes by another name")
        return document

    def to_json(self) -> dict[str, canonical.Json]:
        """Return the document as a JSON value, every key under its published name."""
        return self.model_dump(mode="json", by_alias=True)


def first_surprise(error: ValidationError) -> str:
    """Say in one line where a document broke its model, and how."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "document"
    return f"{place}: {first['msg']}"
