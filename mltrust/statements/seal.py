"""The seal statement: this name has this root, this size, read in this way, under this suite."""

import hashlib
from collections.abc import Mapping
from typing import Annotated, ClassVar

from pydantic import Field, ValidationError

from mltrust.core import canonical
from mltrust.core.columns import Files
from mltrust.core.digest import SHA256, SUITES, Suite, suite_named
from mltrust.core.manifest import Entry, Manifest, ns, u64
from mltrust.core.model import Document, SparseDocument, first_surprise
from mltrust.core.statement import Hex256, Statement, Subject
from mltrust.errors import FormatError, UsageError

PREDICATE_TYPE = "https://mltrust/seal/v1"

Text = Annotated[str, Field(max_length=4096)]


class ReaderVersion(Document):
    """A reader that cut files into parts; every other file was read as a whole."""

    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,63}$")]
    version: Annotated[int, Field(ge=1)]


class Parameters(Document):
    """How the artifact was read: what was left out, and which readers cut files into parts."""

    exclude: tuple[Text, ...]
    readers: tuple[ReaderVersion, ...]


class Totals(SparseDocument):
    """How much was sealed; `records` is left out where there are none."""

    spare: ClassVar[frozenset[str]] = frozenset({"records"})

    files: Annotated[int, Field(ge=1)]
    tensors: Annotated[int, Field(ge=0)]
    records: Annotated[int, Field(ge=0)] = 0
    bytes: Annotated[int, Field(ge=0)]

    @classmethod
    def of(cls, manifest: Manifest) -> "Totals":
        """Return how much `manifest` holds."""
        files, tensors, records = manifest.size, manifest.tensors, manifest.records
        return Totals.model_construct(files=files, tensors=tensors, records=records, bytes=manifest.bytes)


class SealPredicate(SparseDocument):
    """The predicate of a seal; `size` is the number of leaves of the tree whose root is `root`.

    `sha256_root` is the root over the SHA-256s of the files, and left out where they were not recorded.
    """

    spare: ClassVar[frozenset[str]] = frozenset({"sha256_root"})

    suite: Text
    size: Annotated[int, Field(ge=1)]
    root: Hex256
    content_root: Hex256 | None
    sha256_root: Hex256 | None = None
    parameters: Parameters
    totals: Totals
    annotations: dict[Text, Text]
    supersedes: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")] | None

    def fingerprint(self) -> bytes:
        """Return the fingerprint these fields amount to (see `fingerprint_of`)."""
        return fingerprint_of(self.suite, self.size, bytes.fromhex(self.root), self.parameters)


def fingerprint_of(suite: str, size: int, root: bytes, parameters: Parameters) -> bytes:
    """SHA-256 over NS("mltrust/root/1") NS(suite) NS(u64 size) NS(root) NS(parameters as RFC 8785 JSON).

    A root alone does not commit to the number of its leaves, so it is never published alone.
    """
    fields = (b"mltrust/root/1", suite.encode(), u64(size), root, canonical.dumps(parameters.to_json()))
    return hashlib.sha256(b"".join(ns(field) for field in fields)).digest()


def seal_statement(
    name: str,
    manifest: Manifest,
    suite: Suite,
    parameters: Parameters,
    *,
    annotations: Mapping[str, str] | None = None,
    supersedes: str | None = None,
) -> Statement:
    """State what `manifest` amounts to. The same manifest and options give the same statement, byte for byte.

    Raises:
        UsageError: The name or an annotation is empty, too long or not valid Unicode.
    """
    try:
        predicate = _predicate(manifest, suite, parameters, annotations or {}, supersedes)
        subject = Subject(name=name, digest={suite.name: predicate.fingerprint().hex()})
    except ValidationError as error:
        raise UsageError(f"this cannot be stated: {first_surprise(error)}") from error
    return Statement(subject=(subject,), predicate_type=PREDICATE_TYPE, predicate=predicate.to_json())


def _predicate(
    manifest: Manifest, suite: Suite, parameters: Parameters, annotations: Mapping[str, str], supersedes: str | None
) -> SealPredicate:
    return SealPredicate(
        suite=suite.name,
        size=manifest.size,
        root=manifest.root.hex(),
        content_root=_hex(manifest.content_root),
        sha256_root=_hex(manifest.sha256_root),
        parameters=parameters,
        totals=Totals.of(manifest),
        annotations=dict(annotations),
        supersedes=supersedes,
    )


def read_seal(statement: Statement) -> SealPredicate:
    """Return the predicate of a seal statement, checked against the statement's own subject."""
    if statement.predicate_type != PREDICATE_TYPE:
        raise FormatError("statement", f"predicate type {ascii(statement.predicate_type)[:80]} is not a seal")
    predicate = SealPredicate.from_json(statement.predicate, "seal statement")
    suite_named(predicate.suite)
    digests = statement.subject[0].digest
    if set(digests) & set(SUITES) != {predicate.suite}:
        raise FormatError("seal statement", f"the subject has no digest {predicate.suite!r} of its own suite alone")
    return predicate


def contradictions(statement: Statement, manifest: Manifest) -> list[str]:
    """Say in which ways a statement, its own fingerprint and a manifest contradict each other; empty if in none."""
    predicate = read_seal(statement)
    claims = {
        "the fingerprint": (statement.subject[0].digest[predicate.suite], predicate.fingerprint().hex()),
        "the root": (predicate.root, manifest.root.hex()),
        "the number of files": (predicate.size, manifest.size),
        "the content root": (predicate.content_root, _hex(manifest.content_root)),
        "the SHA-256 of a file": (predicate.sha256_root, _hex(manifest.sha256_root)),
        "the totals": (predicate.totals, Totals.of(manifest)),
    }
    found = [what for what, (stated, found) in claims.items() if stated != found]
    twice = predicate.suite == SHA256.name and manifest.has_sha256 and any(map(_has_two_sha256s, manifest.pieces()))
    return [*found, "a second SHA-256 of a file"] if twice else found


def _has_two_sha256s(piece: Files | Entry) -> bool:
    """Tell, where the digest of a whole file is its SHA-256, whether another one stands beside it."""
    if isinstance(piece, Files):
        return list(piece.digests) != list(piece.sha256s)
    return piece.leaf.digest not in (b"", piece.sha256)


def _hex(value: bytes | None) -> str | None:
    return None if value is None else value.hex()
