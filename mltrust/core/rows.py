"""The rows of the manifest in a seal file: how they are written, and what is refused when they are read.

A file is a row, and so is each part of one; `layout` reads those quickly that are spelled as they are written here.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice, pairwise
from json.encoder import encode_basestring
from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, ValidationError, model_validator

from mltrust.core import canonical
from mltrust.core.columns import Files
from mltrust.core.digest import DIGEST_SIZE
from mltrust.core.leaf import Records
from mltrust.core.manifest import Entry, Kind, Leaf, Manifest, ManifestBuilder, file_entry, safetensors_entry
from mltrust.core.model import Document, first_surprise
from mltrust.core.names import check_path, check_text
from mltrust.core.statement import Hex256
from mltrust.errors import FormatError

_MAX_KEYS = 16
_BLOCK = 4096  # parts written at a time
_HEADER_ROW = '{"kind": "st-header", "size": %d, "digest": "%s"}'
_TENSOR_ROW = '{"kind": "tensor", "name": %s, "dtype": %s, "shape": %s, "size": %d, "digest": "%s"}'
_FILE_ROW = '{"path": %s, "kind": "file", "size": %d, "digest": "%s"}'
_FILE_ROW_SHA256 = '{"path": %s, "kind": "file", "size": %d, "digest": "%s", "sha256": "%s"}'

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


def _true(value: canonical.Json) -> canonical.Json:
    """Refuse all but true: what is not is left out, and 1 is no other spelling."""
    if value is not True:
        raise ValueError("not true, where it is that or left out")
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
    """A file in the manifest: `file` has a digest; `safetensors` has children and perhaps metadata.

    `records` has a digest, the format, number, root and set root of its records, and perhaps a header and an index;
    one that is `blinded` has no digest. Each has the `sha256` of its bytes, or none has; that of a blinded one could
    be guessed at.
    """

    path: str
    kind: Literal["file", "safetensors", "records"]
    size: _Size
    digest: Annotated[Hex256 | None, _Given] = None
    sha256: Annotated[Hex256 | None, _Given] = None
    format: Annotated[Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")] | None, _Given] = None
    records: Annotated[_Size | None, _Given] = None
    record_root: Annotated[Hex256 | None, _Given] = None
    set_root: Annotated[Hex256 | None, _Given] = None
    header: Annotated[Hex256 | None, _Given] = None
    index_root: Annotated[Hex256 | None, _Given] = None
    blinded: Annotated[Literal[True] | None, BeforeValidator(_true)] = None
    metadata: Annotated[dict[str, str] | None, BeforeValidator(_texts)] = None
    children: Annotated[Annotated[list[PartDocument], Field(fail_fast=True)] | None, _Given] = None


class ManifestDocument(Document):
    """The manifest: entries sorted by the UTF-8 bytes of their paths."""

    entries: list[EntryDocument]


def manifest_text(manifest: Manifest) -> Iterator[str]:
    """Yield the rows of a manifest, separated by commas, each on a line of its own."""
    separator = ""
    for piece in manifest.pieces():
        yield separator
        if isinstance(piece, Files):
            yield _file_rows(piece)
        elif piece.leaf.kind is Kind.RECORDS:
            yield _compact(_records_row(piece))
        else:
            yield from _rows_of_parts(piece)
        separator = ",\n"


def _file_rows(files: Files) -> str:
    columns: list[Iterable[object]] = [map(encode_basestring, files.paths), files.sizes, _spelled(files.digests)]
    if not files.sha256s:
        return ",\n".join(map(_FILE_ROW.__mod__, zip(*columns, strict=True)))
    return ",\n".join(map(_FILE_ROW_SHA256.__mod__, zip(*columns, _spelled(files.sha256s), strict=True)))


def file_row(path: str, size: int, digest: str, sha256: str | None) -> str:
    """Return the row of a file read as a whole, `path` as JSON."""
    return _FILE_ROW % (path, size, digest) if sha256 is None else _FILE_ROW_SHA256 % (path, size, digest, sha256)


def _spelled(digests: Sequence[bytes]) -> list[str]:
    return b"".join(digests).hex("\n", -DIGEST_SIZE).split("\n")


def _rows_of_parts(entry: Entry) -> Iterator[str]:
    head: dict[str, canonical.Json] = {"path": entry.leaf.name, "kind": entry.leaf.kind, "size": entry.leaf.size}
    if entry.sha256:
        head["sha256"] = entry.sha256.hex()
    if entry.metadata:
        head["metadata"] = dict(entry.metadata)
    yield f'{_compact(head)[:-1]}, "children": [\n'
    parts = iter(entry.children)
    separator = " "
    while rows := list(islice(parts, _BLOCK)):
        yield separator + ",\n ".join(map(_part_row, rows))
        separator = ",\n "
    yield "\n]}"


def _records_row(entry: Entry) -> dict[str, canonical.Json]:
    leaf = entry.leaf
    row: dict[str, canonical.Json] = {"path": leaf.name, "kind": leaf.kind, "size": leaf.size}
    said = leaf.records.attributes() if leaf.records else {}
    row |= {} if "blinded" in said else {"digest": leaf.digest.hex()}
    row |= {"sha256": entry.sha256.hex()} if entry.sha256 else {}
    row |= {"format": said.pop("format"), "records": leaf.child_size}
    return row | {"record_root": leaf.child_root.hex()} | said


def _part_row(leaf: Leaf) -> str:
    if leaf.kind is Kind.ST_HEADER:
        return _HEADER_ROW % (leaf.size, leaf.digest.hex())
    name, dtype, shape = encode_basestring(leaf.name), encode_basestring(leaf.dtype), list(leaf.shape)
    return _TENSOR_ROW % (name, dtype, shape, leaf.size, leaf.digest.hex())


_compact = json.JSONEncoder(ensure_ascii=False).encode  # made once: `json.dumps` makes one for every row


def manifest_from(value: canonical.Json, where: str) -> Manifest:
    """Return the manifest of a parsed seal file; any surprise is a `FormatError`."""
    rows = value.get("entries") if isinstance(value, dict) and len(value) == 1 else None
    if not isinstance(rows, list):
        raise FormatError(where, "needs a list of entries and nothing else")
    builder = ManifestBuilder(where=where)
    for index, row in enumerate(rows):
        builder.add(entry_from(row, index, where))
    return builder.build()


def entry_from(row: canonical.Json, index: int, where: str) -> Entry:
    """Return the entry of a parsed row, the one at `index`."""
    document = document_of(row, index, where)
    path = check_path(document.path, where)
    _check_keys(document, where)
    if document.kind == "file":
        return file_entry(path, document.size, bytes.fromhex(document.digest or ""), _sha256_of(document))
    if document.kind == "records":
        return _records_entry(document)
    parts = document.children or []
    where = f"{where}: {ascii(path)[:80]}"
    if not parts or parts[0].kind != "st-header" or any(part.kind != "tensor" for part in parts[1:]):
        raise FormatError(where, "its parts are not one header, then tensors")
    return with_parts(document, [_part_from(part, where) for part in parts], where)


_OF_RECORDS = frozenset({"format", "records", "record_root", "set_root"})
ROW_KEYS: dict[str, tuple[tuple[frozenset[str], frozenset[str]], ...]] = {
    "file": ((frozenset({"digest"}), frozenset({"sha256"})),),
    "safetensors": ((frozenset({"children"}), frozenset({"sha256", "metadata"})),),
    "records": (
        (_OF_RECORDS | {"digest"}, frozenset({"sha256", "header", "index_root"})),
        (_OF_RECORDS | {"blinded"}, frozenset({"header"})),
    ),
}
"""Which keys a row of each kind needs beside `path`, `kind` and `size`, and which it may have; some in two ways."""


def _check_keys(document: EntryDocument, where: str) -> None:
    keys = document.model_fields_set - {"path", "kind", "size"}
    ways = ROW_KEYS[document.kind]
    if not any(needed <= keys <= needed | optional for needed, optional in ways):
        wanted = " or ".join(" and ".join(sorted(needed)) for needed, _ in ways)
        what = f"{document.kind} {ascii(document.path)[:80]} needs {wanted}, and nothing that is not its own"
        raise FormatError(where, what)


def _records_entry(document: EntryDocument) -> Entry:
    digest, root, set_root, header, index = (
        bytes.fromhex(value or "")
        for value in (document.digest, document.record_root, document.set_root, document.header, document.index_root)
    )
    records = Records(document.format or "", set_root, header, index, bool(document.blinded))
    leaf = Leaf(Kind.RECORDS, document.path, document.size, digest, root, document.records or 0, records=records)
    return Entry(leaf, sha256=_sha256_of(document))


def _sha256_of(document: EntryDocument) -> bytes:
    return bytes.fromhex(document.sha256 or "")


def document_of(row: canonical.Json, index: int, where: str) -> EntryDocument:
    """Return a parsed row as it stands, every value of it in its type and bounds."""
    try:
        return EntryDocument.model_validate(row)
    except ValidationError as error:
        raise FormatError(where, f"entries.{index}.{first_surprise(error)}") from error


def with_parts(document: EntryDocument, parts: Sequence[Leaf], where: str) -> Entry:
    """Return the entry of a safetensors file from its row and its parts: a header, then tensors."""
    header, *tensors = parts
    if not all(one.name < two.name for one, two in pairwise(tensors)):  # as their UTF-8 bytes sort
        raise FormatError(where, "its tensors are not sorted by name, each once")
    entry = safetensors_entry(document.path, header, tensors, (document.metadata or {}).items())
    if entry.leaf.size != document.size:
        raise FormatError(where, "its parts do not add up to its size")
    return entry._replace(sha256=_sha256_of(document))


def _part_from(part: PartDocument, where: str) -> Leaf:
    digest = bytes.fromhex(part.digest)
    if part.kind == "st-header":
        if part.name is not None or part.dtype is not None or part.shape is not None:
            raise FormatError(where, "a header has a size and a digest, nothing else")
        return Leaf(Kind.ST_HEADER, "", part.size, digest)
    if part.name is None or part.dtype is None or part.shape is None:
        raise FormatError(where, "a tensor needs a name, a dtype and a shape")
    return Leaf(Kind.TENSOR, check_text(part.name, where), part.size, digest, dtype=part.dtype, shape=tuple(part.shape))
