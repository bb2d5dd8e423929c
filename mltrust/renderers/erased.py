"""What `erase` did, as text for people and as JSON."""

from collections.abc import Iterator, Sequence

from mltrust.core.canonical import Json
from mltrust.core.names import count, shown
from mltrust.renderers.json_v1 import document
from mltrust.renderers.text import signature_line
from mltrust.statements.erasure import Tombstone


def as_json(tombstone: Tombstone, published: Sequence[str], *, before: bool) -> str:
    """Return one JSON document; records count from one, and `before` tells that nothing was left to do."""
    fields: dict[str, Json] = {
        "tombstone": str(tombstone.statement.digest()),
        "file": tombstone.file,
        "records": [index + 1 for index in tombstone.erased],
        "signatures": [signature.to_json() for signature in tombstone.signatures],
        "published": list(published),
        "already_erased": before,
    }
    return document("erased", fields)


def as_text(tombstone: Tombstone, published: Sequence[str], *, before: bool) -> str:
    """Return some lines; `before` tells that nothing was left to do."""
    return "\n".join(_lines(tombstone, published, before=before))


def _lines(tombstone: Tombstone, published: Sequence[str], *, before: bool) -> Iterator[str]:
    done = ": already erased, nothing to do" if before else ""
    yield f"ERASED  {count(len(tombstone.erased), 'record')} of {shown(tombstone.file)}{done}"
    yield f"  tombstone    {tombstone.statement.digest()}"
    yield from map(signature_line, tombstone.signatures)
    yield from (f"  published    {name}" for name in published)
    yield "  Copies, backups and snapshots of the file and of its salts are not reached: erase them, too."
