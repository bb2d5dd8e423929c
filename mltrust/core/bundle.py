"""The seal file: a statement, the manifest it speaks of, signatures and receipts side by side.

`mediaType` stands first. The manifest is written one entry and one part a line, so that version
control shows which file and which tensor changed. Roots inside the manifest are not written: they
follow from the entries, so nothing can contradict them.
"""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from io import SEEK_END, BytesIO
from typing import Annotated, BinaryIO, Literal, Self

from pydantic import Field

from mltrust.core import canonical, layout
from mltrust.core.dsse import MAX_SIGNATURES, Signature, together_signed
from mltrust.core.manifest import Manifest
from mltrust.core.model import Document
from mltrust.core.receipt import MAX_RECEIPTS, Receipt, together
from mltrust.core.rows import ManifestDocument, manifest_from, manifest_text
from mltrust.core.statement import Statement
from mltrust.errors import FormatError

MEDIA_TYPE = "application/vnd.mltrust.seal.v1+json"
MAX_SEAL_BYTES = 2**33
MAX_WHOLE_BYTES = 2**30  # of a seal that is not laid out as it is written here
_BLOCK = 2**16
_MAX_PENDING = 2**10


class BundleDocument(Document):
    """The seal file as a whole; large manifests are read piece by piece, so this serves as its schema."""

    media_type: Literal["application/vnd.mltrust.seal.v1+json"] = Field(alias="mediaType")
    statement: Statement
    manifest: ManifestDocument
    signatures: Annotated[list[Signature], Field(max_length=MAX_SIGNATURES)]
    receipts: Annotated[list[Receipt], Field(max_length=MAX_RECEIPTS)]


_TOP = ("mediaType", "statement", "manifest", "signatures", "receipts")


@dataclass(frozen=True)
class Bundle:
    """A seal file in memory. It may contradict itself: `statements.seal.contradictions` tells."""

    statement: Statement
    manifest: Manifest
    signatures: tuple[Signature, ...] = ()
    receipts: tuple[Receipt, ...] = ()

    def with_receipts(self, receipts: tuple[Receipt, ...]) -> Self:
        """Return the bundle with `receipts` added, each once."""
        return replace(self, receipts=together(self.receipts, receipts))

    def with_signatures(self, signatures: Sequence[Signature]) -> Self:
        """Return the bundle with `signatures` added, as `core.dsse.together_signed` does."""
        return replace(self, signatures=together_signed(self.signatures, signatures))

    def with_renewed(self, renewed: Sequence[tuple[Receipt, Receipt]]) -> "Bundle":
        """Return the bundle with receipts replaced, given as pairs of old and new; each once."""
        fresh = replace(self, receipts=())
        for receipt in self.receipts:
            fresh = fresh.with_receipts((next((new for old, new in renewed if old == receipt), receipt),))
        return fresh

    def to_json(self) -> bytes:
        """Serialize the seal file."""
        return b"".join(self.blocks())

    def blocks(self) -> Iterator[bytes]:
        """Serialize the seal file block by block: a manifest may be larger than the memory its text would take."""
        pending: list[str] = []
        for text in self._texts():
            pending.append(text)
            if len(pending) > _MAX_PENDING or len(text) > _BLOCK:
                yield "".join(pending).encode("utf-8")
                pending.clear()
        yield "".join(pending).encode("utf-8")

    def _texts(self) -> Iterator[str]:
        yield f'{{\n"mediaType": {json.dumps(MEDIA_TYPE)},\n"statement": {_pretty(self.statement.to_json())},\n'
        yield '"manifest": {"entries": [\n'
        yield from manifest_text(self.manifest)
        yield "\n]},\n" if self.manifest.size else "]},\n"
        yield f'"signatures": {_pretty([signature.to_json() for signature in self.signatures])},\n'
        yield f'"receipts": {_pretty([receipt.to_json() for receipt in self.receipts])}\n}}\n'

    @classmethod
    def parse(cls, data: bytes, where: str = "seal") -> "Bundle":
        """Parse a seal file strictly; any surprise is a `FormatError` naming its place."""
        return cls.read(BytesIO(data), where)

    @classmethod
    def read(cls, opened: BinaryIO, where: str = "seal") -> "Bundle":
        """Parse an opened seal file strictly; any surprise is a `FormatError` naming its place.

        What is laid out as `blocks` writes it is read row by row, any other layout as a whole.
        """
        size = opened.seek(0, SEEK_END)
        if size > MAX_SEAL_BYTES:
            raise FormatError(where, f"larger than {MAX_SEAL_BYTES} bytes")
        opened.seek(0)
        found = layout.read(opened, where, must=size > MAX_WHOLE_BYTES)
        if found is not None:
            return cls._from(open_document(found[0], where, MEDIA_TYPE, _TOP), where, found[1])
        opened.seek(0)
        return cls.parse_whole(opened.read(size), where)

    @classmethod
    def parse_whole(cls, data: bytes, where: str = "seal") -> "Bundle":
        """Parse a seal file in any layout; the memory this takes is several times its size."""
        return cls._from(open_document(data, where, MEDIA_TYPE, _TOP), where)

    @classmethod
    def _from(cls, top: dict[str, canonical.Json], where: str, manifest: Manifest | None = None) -> "Bundle":
        if len(_list(top, "receipts", where)) > MAX_RECEIPTS:
            raise FormatError(where, f"more than {MAX_RECEIPTS} receipts")
        if len(_list(top, "signatures", where)) > MAX_SIGNATURES:
            raise FormatError(where, f"more than {MAX_SIGNATURES} signatures")
        return cls(
            Statement.from_json(top["statement"], f"{where}: statement"),
            manifest_from(top["manifest"], f"{where}: manifest") if manifest is None else manifest,
            tuple(Signature.from_json(value, f"{where}: signatures") for value in _list(top, "signatures", where)),
            tuple(Receipt.from_json(value, f"{where}: receipts") for value in _list(top, "receipts", where)),
        )


def open_document(
    data: bytes, where: str, media_type: str, keys: tuple[str, ...], optional: tuple[str, ...] = ()
) -> dict[str, canonical.Json]:
    """Parse a document with exactly `keys`, perhaps `optional` ones, and this `mediaType` first; refuse every other."""
    value = canonical.loads(data, where)
    if not isinstance(value, dict) or "mediaType" not in value:
        raise FormatError(where, f"not a document of type {media_type}")
    if value["mediaType"] != media_type:
        found = ascii(value["mediaType"])[:80]
        raise FormatError(where, f"has type {found}, expected {media_type}", hint="A newer mltrust may read it.")
    if next(iter(value)) != "mediaType":
        raise FormatError(where, "mediaType is not the first key")
    for odd in [*(key for key in value if key not in keys + optional), *(key for key in keys if key not in value)]:
        raise FormatError(where, f"key {ascii(odd)[:80]} is {'unknown' if odd in value else 'missing'}")
    return value


def _list(top: dict[str, canonical.Json], key: str, where: str) -> list[canonical.Json]:
    value = top[key]
    if not isinstance(value, list):
        raise FormatError(where, f"{key} is not a list")
    return value


def _pretty(value: object) -> str:
    return json.dumps(value, ensure_ascii=False, indent=2)
