"""The base of every document model: frozen, strict, closed."""

import json
from collections.abc import Mapping
from typing import Any, ClassVar, Self

from pydantic import (
    BaseModel,
    ConfigDict,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    ValidationError,
    model_serializer,
)

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


class SparseDocument(Document):
    """A document of which the `spare` keys are left out where they have their default: nothing has two spellings.

    Keys go by their published names.
    """

    spare: ClassVar[frozenset[str]]

    @model_serializer(mode="wrap")
    def _without_defaults(self, serialize: SerializerFunctionWrapHandler) -> dict[str, Any]:
        defaults = {field.alias or name: field.default for name, field in type(self).model_fields.items()}
        return {key: value for key, value in serialize(self).items() if key not in self.spare or value != defaults[key]}

    @classmethod
    def __get_pydantic_json_schema__(cls, core: Mapping[str, Any], handler: GetJsonSchemaHandler) -> dict[str, Any]:
        """Describe the fields, which the serializer hides, and mark those that may be left out: null is no way to."""
        schema = handler(_without_serializer(core))
        for key in cls.spare:
            found = handler.resolve_ref_schema(schema)["properties"][key]
            found["spare"] = True
            if "anyOf" in found:
                found["anyOf"] = [each for each in found["anyOf"] if each != {"type": "null"}]
        return schema


def _without_serializer(core: Mapping[str, Any]) -> dict[str, Any]:
    found = {key: value for key, value in core.items() if key != "serialization"}
    if str(core["type"]).startswith("function-"):  # a validator of the whole model is wrapped around it
        found["schema"] = _without_serializer(core["schema"])
    return found


def first_surprise(error: ValidationError) -> str:
    """Say in one line where a document broke its model, and how."""
    first = error.errors(include_url=False, include_input=False)[0]
    place = ".".join(str(part) for part in first["loc"]) or "document"
    return f"{place}: {first['msg']}"
