"""JSON, version 1: every result as one object, `mediaType` first; ASCII, so that no name can upset a terminal."""

import json
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from mltrust.core.bundle import Bundle
from mltrust.core.canonical import Json
from mltrust.core.changes import Difference
from mltrust.core.dsse import Signature
from mltrust.core.manifest import Manifest
from mltrust.core.report import Check, Notice, Recalled, Report
from mltrust.errors import MltrustError
from mltrust.statements.seal import Totals, read_seal


def document(kind: str, fields: Mapping[str, Json]) -> str:
    """Return one JSON document of type `application/vnd.mltrust.<kind>.v1+json`."""
    return harmless(json.dumps({"mediaType": media_type(kind), **fields}, indent=2))


def media_type(kind: str) -> str:
    """Return the type of one kind of documents."""
    return f"application/vnd.mltrust.{kind}.v1+json"


def line(fields: Mapping[str, Json]) -> str:
    """Return one JSON object as a line."""
    return harmless(json.dumps(fields)) + "\n"


_COMMAND = re.compile(r"##(?=[A-Za-z.]*\[)")


def harmless(text: str) -> str:
    """Return the same JSON without what CI services obey wherever it stands in a line, such as `##[error]`."""
    return _COMMAND.sub(r"\\u0023#", text)


_UNSAFE = re.compile(r"[^\n -~]")


def as_ascii(text: str) -> str:
    """Return the same JSON with every character but plain ASCII escaped; outside strings there is none."""
    return harmless(_UNSAFE.sub(lambda found: json.dumps(found[0])[1:-1], text))


def report(found: Report) -> str:
    """Return a report with its verdict."""
    return document("report", {"verdict": found.verdict.value, **found.to_json()})


def difference(found: Difference) -> str:
    """Return a difference."""
    return document("diff", found.to_json())


def trouble(error: MltrustError, exit_code: int | None) -> str:
    """Return why there is neither a report nor a difference."""
    return document("trouble", trouble_fields(error, exit_code))


def trouble_fields(error: MltrustError, exit_code: int | None) -> dict[str, Json]:
    """Return what is said of an error."""
    return {"error": str(error), "hint": error.hint, "exit_code": exit_code}


def sealed(
    bundle: Bundle,
    path: str,
    notices: Iterable[Notice],
    elsewhere: Iterable[str],
    recalled: Recalled,
    *,
    beside: tuple[Path | None, Path | None, Path | None] = (None, None, None),
) -> str:
    """Return what `seal` did.

    `elsewhere` are the anchors that hold their evidence, `recalled` is what was not read, `beside` are the record
    store, the salts and the OMS bundle that were written, if they were.
    """
    predicate = read_seal(bundle.statement)
    record_store, salts, oms = (str(each) if each else None for each in beside)
    fields: dict[str, Json] = {
        "seal": path,
        "record_store": record_store,
        "salts": salts,
        "oms": oms,
        "name": bundle.statement.subject[0].name,
        "fingerprint": predicate.fingerprint().hex(),
        "statement": str(bundle.statement.digest()),
        **{key: predicate.to_json()[key] for key in ("suite", "root", "content_root", "totals", "supersedes")},
        "sha256_root": predicate.sha256_root,
        "files_not_reread": recalled.files,
        "bytes_not_reread": recalled.bytes,
        "signatures": [signature.to_json() for signature in bundle.signatures],
        "receipts": [receipt.to_json() for receipt in bundle.receipts],
        "published": list(elsewhere),
        "notices": [notice.to_json() for notice in notices],
    }
    return document("sealed", fields)


def published(anchor: str, seals: Iterable[tuple[str, Bundle]]) -> str:
    """Return what `anchor` did: the path of each seal file, and its bundle as it is now."""
    listed: list[Json] = [
        {
            "seal": path,
            "name": bundle.statement.subject[0].name,
            "statement": str(bundle.statement.digest()),
            "receipts": [receipt.to_json() for receipt in bundle.receipts],
        }
        for path, bundle in seals
    ]
    return document("published", {"anchor": anchor, "seals": listed})


def signed(seals: Iterable[tuple[str, Bundle, Sequence[Signature]]]) -> str:
    """Return what `sign` did: the path of each seal file, its bundle as it is now, and the signatures it added."""
    listed: list[Json] = [
        {
            "seal": path,
            "name": bundle.statement.subject[0].name,
            "fingerprint": read_seal(bundle.statement).fingerprint().hex(),
            "statement": str(bundle.statement.digest()),
            "signatures": [signature.to_json() for signature in bundle.signatures],
            "added": [signature.keyid for signature in added],
        }
        for path, bundle, added in seals
    ]
    return document("signed", {"seals": listed})


def fingerprint(manifest: Manifest, suite: str, value: str) -> str:
    """Return a fingerprint and what it is made of."""
    content_root = manifest.content_root
    fields: dict[str, Json] = {
        "suite": suite,
        "fingerprint": value,
        "root": manifest.root.hex(),
        "content_root": content_root.hex() if content_root else None,
        "totals": Totals.of(manifest).to_json(),
    }
    return document("fingerprint", fields)


def receipts(bundle: Bundle, checks: Iterable[Check]) -> str:
    """Return the receipts of a seal as they stand, and what trusted anchors say of them."""
    fields: dict[str, Json] = {
        "statement": str(bundle.statement.digest()),
        "receipts": [receipt.to_json() for receipt in bundle.receipts],
        "checks": [check.to_json() for check in checks],
    }
    return document("receipts", fields)
