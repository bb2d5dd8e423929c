"""The seal file: a statement, the manifest it speaks of, signatures and receipts side by side.

`mediaType` stands first. The manifest is written one entry and one part a line, so that version
control shows which file and which tensor changed. Roots inside the manifest are not written: they
follow from the entries, so nothing can contradict them.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from mltrust.core import canonical
from mltrust.core.manifest import Entry, Kind, Leaf, Manifest, file_entry, safetensors_entry
from mltrust.core.model import Document, first_surprise
from mltrust.core.names import check_path, check_text, sort_key
from mltrust.core.receipt import MAX_RECEIPTS, Receipt, Signature
from mltrust.core.statement import Hex256, Statement
from mltrust.errors import FormatError

MEDIA_TYPE = "application/vnd.mltrust.seal.v1+json"
MAX_SEAL_BYTES = 2**30

_MAX_KEYS = 16

_Size = Annotated[int, Field(ge=0)]


def _given(value: canonical.Json) -> canonical.Json:
    """Refuse null: what an entry or a part does not have is left out, so that it has one spelling."""
    if value is None:
        raise ValueError("null where a value or nothing belongs")
    return value


def _texts(value: canonical.Json) -> canonical.Json:
    """Stop at the first surprise: a hostile object could hold millions."""
    if not isinstance(value, dict) or not value or not all(isinstance(text, str) for text in value.values()):
        raise ValueError("not an object of texts, or empty")
    return value


_Given = BeforeValidator(_given)


class _Row(Document):
    """A row of the manifest."""

    @model_validator(mode="before")
    @classmethod
    def _few(cls, value: object) -> object:
        if isinstance(value, dict) and len(value) > _MAX_KEYS:
            raise ValueError("unknown keys")
        return value


class PartDocument(_Row):
    """A child of a safetensors file in the manifest; `st-header` has no name, dtype or shape."""

    kind: Literal["st-header", "tensor"]
    name: Annotated[str | None, _Given] = None
    dtype: Annotated[Annotated[str, Field(min_length=1, max_length=64)] | None, _Given] = None
    shape: Annotated[Annotated[list[_Size], Field(fail_fast=True)] | None, _Given] = None
    size: _Size
    digest: Hex256


class EntryDocument(_Row):
    """A file in the manifest: `file` has a digest; `safetensors` has children and perhaps metadata."""

    path: str
    kind: Literal["file", "safetensors"]
    size: _Size
    digest: Annotated[Hex256 | None, _Given] = None
    metadata: Annotated[dict[str, str] | None, BeforeValidator(_texts)] = None
    children: Annotated[Annotated[list[PartDocument], Field(fail_fast=True)] | None, _Given] = None


class ManifestDocument(Document):
    """The manifest: entries sorted by the UTF-8 bytes of their paths."""

    entries: list[EntryDocument]


class BundleDocument(Document):
    """The seal file as a whole; large manifests are read piece by piece, so this serves as its schema."""

    media_type: Literal["application/vnd.mltrust.seal.v1+json"] = Field(alias="mediaType")
    statement: Statement
    manifest: ManifestDocument
    signatures: list[Signature]
    receipts: Annotated[list[Receipt], Field(max_length=MAX_RECEIPTS)]


_TOP = ("mediaType", "statement", "manifest", "signatures", "receipts")


@dataclass(frozen=True)
class Bundle:
    """A seal file in memory. It may contradict itself: `statements.seal.contradictions` tells."""

    statement: Statement
    manifest: Manifest
    signatures: tuple[Signature, ...] = ()
    receipts: tuple[Receipt, ...] = ()

    def with_receipts(self, receipts: tuple[Receipt, ...]) -> "Bundle":
        """Return the bundle with `receipts` added, each once."""
        new = tuple(receipt for receipt in receipts if receipt not in self.receipts)
        return replace(self, receipts=self.receipts + new)

    def with_renewed(self, renewed: Sequence[tuple[Receipt, Receipt]]) -> "Bundle":
        """Return the bundle with receipts replaced, given as pairs of old and new; each once."""
        fresh = replace(self, receipts=())
        for receipt in self.receipts:
            fresh = fresh.with_receipts((next((new for old, new in renewed if old == receipt), receipt),))
        return fresh

    def to_json(self) -> bytes:
        """Serialize the seal file."""
        return "".join(self._lines()).encode("utf-8")

    def _lines(self) -> Iterator[str]:
        yield f'{{\n"mediaType": {_compact(MEDIA_TYPE)},\n"statement": {_pretty(self.statement.to_json())},\n'
        yield '"manifest": {"entries": ['
        for index, entry in enumerate(self.manifest.entries):
            yield ("" if index == 0 else ",") + "\n" + _entry_text(entry)
        yield "\n]},\n"
        yield f'"signatures": {_pretty([signature.to_json() for signature in self.signatures])},\n'
        yield f'"receipts": {_pretty([receipt.to_json() for receipt in self.receipts])}\n}}\n'

    @classmethod
    def parse(cls, data: bytes, where: str = "seal") -> "Bundle":
        """Parse a seal file strictly; any surprise is a `FormatError` naming its place."""
        if len(data) > MAX_SEAL_BYTES:
            raise FormatError(where, f"larger than {MAX_SEAL_BYTES} bytes")
        top = open_document(data, where, MEDIA_TYPE, _TOP)
        if len(_list(top, "receipts", where)) > MAX_RECEIPTS:
            raise FormatError(where, f"more than {MAX_RECEIPTS} receipts")
        return cls(
            Statement.from_json(top["statement"], f"{where}: statement"),
            _manifest_from(top["manifest"], f"{where}: manifest"),
            tuple(Signature.from_json(value, f"{where}: signatures") for value in _list(top, "signatures", where)),
            tuple(Receipt.from_json(value, f"{where}: receipts") for value in _list(top, "receipts", where)),
        )


def open_document(data: bytes, where: str, media_type: str, keys: tuple[str, ...]) -> dict[str, canonical.Json]:
    """Parse a document with exactly `keys` and this `mediaType` first; refuse every other."""
    value = canonical.loads(data, where)
    if not isinstance(value, dict) or "mediaType" not in value:
        raise FormatError(where, f"not a document of type {media_type}")
    if value["mediaType"] != media_type:
        found = ascii(value["mediaType"])[:80]
        raise FormatError(where, f"has type {found}, expected {media_type}", hint="A newer mltrust may read it.")
    if next(iter(value)) != "mediaType":
        raise FormatError(where, "mediaType is not the first key")
    for odd in [*(key for key in value if key not in keys), *(key for key in keys if key not in value)]:
        raise FormatError(where, f"key {ascii(odd)[:80]} is {'unknown' if odd in value else 'missing'}")
    return value


def _list(top: dict[str, canonical.Json], key: str, where: str) -> list[canonical.Json]:
    value = top[key]
    if not isinstance(value, list):
        raise FormatError(where, f"{key} is not a list")
    return value


def _entry_text(entry: Entry) -> str:
    """Write an entry as one line, or its parts as one line each."""
    leaf = entry.leaf
    head = {"path": leaf.name, "kind": leaf.kind, "size": leaf.size}
    if leaf.kind is Kind.FILE:
        return _compact({**head, "digest": leaf.digest.hex()})
    if entry.metadata:
        head["metadata"] = dict(entry.metadata)
    parts = ",\n".join(" " + _compact(_part_document(child)) for child in entry.children)
    return f'{_compact(head)[:-1]}, "children": [\n{parts}\n]}}'


def _part_document(leaf: Leaf) -> dict[str, canonical.Json]:
    tail: dict[str, canonical.Json] = {"size": leaf.size, "digest": leaf.digest.hex()}
    if leaf.kind is Kind.ST_HEADER:
        return {"kind": "st-header", **tail}
    return {"kind": "tensor", "name": leaf.name, "dtype": leaf.dtype, "shape": list(leaf.shape), **tail}


_compact = json.JSONEncoder(ensure_ascii=False).encode  # made once: `json.dumps` makes one for every row


def _pretty(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)


def _manifest_from(value: canonical.Json, where: str) -> Manifest:
    rows = value.get("entries") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(rows, list):
        raise FormatError(where, "needs a list of entries and nothing else")
    entries = tuple(_entry_from(_row(row, index, where), where) for index, row in enumerate(rows))
    manifest = Manifest.of(entries)
    if manifest.entries != entries:
        raise FormatError(where, "entries are not sorted by path")
    return manifest


def _row(row: canonical.Json, index: int, where: str) -> EntryDocument:
    try:
        return EntryDocument.model_validate(row)
    except ValidationError as error:
        raise FormatError(where, f"entries.{index}.{first_surprise(error)}") from error


def _entry_from(document: EntryDocument, where: str) -> Entry:
    path = check_path(document.path, where)
    if document.kind == "file":
        if document.digest is None or document.children is not None or document.metadata is not None:
            raise FormatError(where, f"file {ascii(path)[:80]} needs a digest and nothing else")
        return file_entry(path, document.size, bytes.fromhex(document.digest))
    if document.children is None or document.digest is not None:
        raise FormatError(where, f"safetensors {ascii(path)[:80]} needs children and no digest")
    return _safetensors_from(document, document.children, f"{where}: {ascii(path)[:80]}")


def _safetensors_from(document: EntryDocument, parts: list[PartDocument], where: str) -> Entry:
    if not parts or parts[0].kind != "st-header" or any(part.kind != "tensor" for part in parts[1:]):
        raise FormatError(where, "its parts are not one header, then tensors")
    header, *tensors = [_part_from(part, where) for part in parts]
    names = [sort_key(leaf.name) for leaf in tensors]
    if names != sorted(set(names)):
        raise FormatError(where, "its tensors are not sorted by name, each once")
    entry = safetensors_entry(document.path, header, tensors, (document.metadata or {}).items())
    if entry.leaf.size != document.size:
        raise FormatError(where, "its parts do not add up to its size")
    return entry


def _part_from(part: PartDocument, where: str) -> Leaf:
    digest = bytes.fromhex(part.digest)
    if part.kind == "st-header":
        if part.name is not None or part.dtype is not None or part.shape is not None:
            raise FormatError(where, "a header has a size and a digest, nothing else")
        return Leaf(Kind.ST_HEADER, "", part.size, digest)
    if part.name is None or part.dtype is None or part.shape is None:
        raise FormatError(where, "a tensor needs a name, a dtype and a shape")
    return Leaf(Kind.TENSOR, check_text(part.name, where), part.size, digest, dtype=part.dtype, shape=tuple(part.shape))
