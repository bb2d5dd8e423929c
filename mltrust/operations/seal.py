"""Seal an artifact: read it, state what it is, and let anchors publish the statement."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from mltrust.core.bundle import Bundle
from mltrust.core.digest import Suite
from mltrust.core.report import Notice
from mltrust.core.statement import Statement
from mltrust.disk.git_lfs import uses_git_lfs
from mltrust.errors import SealError, UsageError
from mltrust.interfaces import ArtifactReader, ArtifactSource, Means
from mltrust.operations.fingerprint import Reading, fingerprint
from mltrust.operations.notices import notices
from mltrust.statements.seal import Parameters, ReaderVersion, contradictions, read_seal, seal_statement


@dataclass(frozen=True)
class Labels:
    """What the sealer says beside the bytes: a name, and annotations."""

    name: str
    annotations: Mapping[str, str]


def parameters_for(source: ArtifactSource, readers: Sequence[ArtifactReader]) -> Parameters:
    """Return the parameters a seal records: the effective exclusions, and the readers that were needed, in order."""
    versions = tuple(ReaderVersion(name=reader.name, version=reader.version) for reader in readers)
    return Parameters(exclude=tuple(source.exclude), readers=versions)


def records_sha256(asked: bool | None, artifact: Path | None, *, blind: bool) -> bool:
    """Tell whether the SHA-256 of every file is to be recorded: as asked, else (None) where Git LFS is used.

    `artifact` is its path on this machine, if it has one. Raises `UsageError` if it is asked of blinded files.
    """
    if asked and blind:
        hint = "Seal without --with-sha256: a blinded file has no digest of its bytes."
        raise UsageError("a record could be guessed at by the SHA-256 of its file", hint=hint)
    if asked is None:
        return not blind and artifact is not None and uses_git_lfs(artifact)
    return asked


def seal(
    source: ArtifactSource,
    means: Means,
    suite: Suite,
    labels: Labels,
    previous: Bundle | None = None,
    *,
    with_sha256: bool = False,
) -> tuple[Bundle, tuple[Notice, ...]]:
    """Return the bundle that states what the artifact is, not yet anchored, and what is worth knowing about it.

    A `previous` bundle of something else is superseded; one that says the same is kept as it is, so
    that sealing again changes nothing and its receipts stay good. `with_sha256` records the SHA-256 of every file.
    """
    reading = fingerprint(source, means, suite, with_sha256=with_sha256)
    found = (*_inspect(reading, means.readers, source), *notices(reading.manifest, reading.files, source))
    parameters = parameters_for(source, reading.readers)
    statement = seal_statement(
        labels.name, reading.manifest, suite, parameters, annotations=labels.annotations, supersedes=None
    )
    if previous is None:
        return Bundle(statement, reading.manifest), found
    return _succeed(Bundle(statement, reading.manifest), previous), found


def _inspect(reading: Reading, readers: Sequence[ArtifactReader], source: ArtifactSource) -> list[Notice]:
    found: list[Notice] = []
    for reader in readers[:-1]:
        files = [file for file in reading.files if file.path.endswith(reader.endings)]
        found += reader.inspect(reading.manifest, files, source)
    return found


def _succeed(new: Bundle, previous: Bundle) -> Bundle:
    """Keep `previous` if it says the same; else point back to it."""
    if previous.manifest == new.manifest:
        previous = replace(previous, manifest=previous.manifest.with_roots_of(new.manifest))
    whole(previous)
    if _superseding(new.statement, read_seal(previous.statement).supersedes) == previous.statement:
        return previous
    return replace(new, statement=_superseding(new.statement, str(previous.statement.digest())))


def whole(bundle: Bundle) -> Bundle:
    """Return `bundle` if its statement and manifest agree; nothing is built on one that was edited."""
    odd = contradictions(bundle.statement, bundle.manifest)
    if odd:
        hint = "Move the seal away and seal again."
        raise SealError(f"the seal was edited: {odd[0]} contradicts the rest of it", hint=hint)
    return bundle


def _superseding(statement: Statement, digest: str | None) -> Statement:
    return statement.model_copy(update={"predicate": {**statement.predicate, "supersedes": digest}})
