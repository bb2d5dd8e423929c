"""The Python face: the verbs on paths. Nothing here prints, exits, or looks for a home of its own."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from os import PathLike
from pathlib import Path

from mltrust import operations, registry
from mltrust.core.bundle import MEDIA_TYPE, Bundle
from mltrust.core.changes import Difference
from mltrust.core.digest import BLAKE3, Suite, suite_for, suite_named
from mltrust.core.exclusion import DEFAULT_EXCLUDE, Exclusions
from mltrust.core.manifest import Manifest
from mltrust.core.proof import MAX_PROOF_BYTES, Proof
from mltrust.core.report import Check, Notice, Report
from mltrust.disk.documents import read_document
from mltrust.errors import ArtifactError, FormatError, MltrustError, UnreadableError, UsageError, WriteError
from mltrust.interfaces import Anchor, ArtifactReader, ArtifactSource, Means, Progress, Silent, Trust
from mltrust.operations.diff import Side
from mltrust.operations.seal import Labels
from mltrust.sealfile import SealFile, put, read_seal_file, seal_file, seal_path
from mltrust.statements.seal import SealPredicate, fingerprint_of, read_seal

AnyPath = str | PathLike[str]
_MEDIA_MARK = MEDIA_TYPE.encode()
_HEAD = 256
_WILD = re.compile(r"[*?\[\]\\!# ]")


@dataclass(frozen=True)
class Sealed:
    """What `seal` did: the bundle, the file it was written to, and what is worth knowing."""

    bundle: Bundle
    path: Path
    notices: tuple[Notice, ...]

    @property
    def predicate(self) -> SealPredicate:
        """What the seal states."""
        return read_seal(self.bundle.statement)


@dataclass(frozen=True)
class Fingerprint:
    """What `fingerprint` found: the manifest and the fingerprint it amounts to."""

    manifest: Manifest
    suite: str
    value: bytes

    def __str__(self) -> str:
        return self.value.hex()


def seal(
    artifact: AnyPath,
    *,
    output: AnyPath | None = None,
    name: str | None = None,
    anchors: Sequence[Anchor] = (),
    suite: str = "blake3",
    exclude: Sequence[str] = (),
    annotations: Mapping[str, str] | None = None,
    means: Means | None = None,
) -> Sealed:
    """Seal a file or folder and write the seal file, after every one of `anchors` has published its statement.

    `exclude` adds gitignore patterns to those left out by default; all of them are written into the seal.
    """
    path = Path(artifact)
    target = Path(output) if output else seal_path(path)
    if target.is_dir() or not target.parent.is_dir():  # known before anything is read or published
        raise WriteError(f"{target}: cannot be written", hint="Name a file in a folder that is there.")
    source = _source(path, _exclusions(path, target, exclude), name)
    seen = SealFile.read(target) if target.exists() else None
    previous = seen.bundle if seen else None
    labels = Labels(source.name, dict(annotations or {}))
    bundle, found = operations.seal(source, means or default_means(), suite_for(suite), labels, previous)
    bundle = _published(operations.Placed(bundle, target), anchors)
    if bundle != previous:  # what says the same stays as it is, to the byte
        bundle = put(target, bundle, seen)
    return Sealed(bundle, target, found)


def _published(seal: operations.Placed, anchors: Sequence[Anchor]) -> Bundle:
    """Publish through one anchor after the other; those that look at the file come last, and see all of it."""
    done: list[str] = []
    bundle = seal.bundle
    for backend in sorted(anchors, key=lambda anchor: not anchor.carried):
        try:
            (bundle,) = operations.anchor([operations.Placed(bundle, seal.path)], backend)
        except MltrustError as error:
            if done:
                again = f"It is published in {', '.join(done)} already; run it again, nothing is published twice."
                error.hint = f"{error.hint} {again}" if error.hint else again
            raise
        done.append(backend.name)
    return bundle


def verify(artifact: AnyPath, *, trust: Trust, seal: AnyPath | None = None, means: Means | None = None) -> Report:
    """Verify a file or folder against its seal and whoever `trust` names; `Report.require()` raises on less."""
    path = Path(artifact)
    if not path.exists():
        raise ArtifactError(str(path), "does not exist")
    file = seal_file(Path(seal)) if seal else seal_path(path)
    bundle = read_seal_file(file)
    source = _source(path, _sealed_exclusions(bundle))
    return operations.verify(source, operations.Placed(bundle, file), trust, means or default_means())


def fingerprint(
    artifact: AnyPath, *, suite: str = "blake3", exclude: Sequence[str] = (), means: Means | None = None
) -> Fingerprint:
    """Fingerprint a file or folder: the same value as its seal states, made with the same exclusions and suite."""
    path = Path(artifact)
    means = means or default_means()
    source = _source(path, _exclusions(path, seal_path(path), exclude))
    chosen = suite_for(suite)
    reading = operations.fingerprint(source, means, chosen)
    manifest, parameters = reading.manifest, operations.parameters_for(source, reading.readers)
    return Fingerprint(manifest, chosen.name, fingerprint_of(chosen.name, manifest.size, manifest.root, parameters))


def diff(before: AnyPath, after: AnyPath, *, means: Means | None = None) -> Difference:
    """Compare two sides, each an artifact or a seal file; an artifact is read as the other side's seal was."""
    means = means or default_means()
    seals = [read_seal_file(Path(side), whole=True) if _is_seal(Path(side)) else None for side in (before, after)]
    rule = seals[0] or seals[1]
    sides = [
        _read_side(Path(side), rule, means) if bundle is None else Side(str(side), bundle.manifest)
        for side, bundle in zip((before, after), seals, strict=True)
    ]
    if len({read_seal(bundle.statement).suite for bundle in seals if bundle}) > 1:
        raise UsageError("the two seals are of different suites", hint="Seal one of the artifacts again with --suite.")
    return operations.diff(sides[0], sides[1], means.readers)


def prove(seal: AnyPath, *, file: str, tensor: str | None = None) -> Proof:
    """Return the proof that one file, or one tensor of it, is in the sealed artifact."""
    return operations.prove(read_seal_file(Path(seal)), file, tensor)


def check(proof: AnyPath, *, trust: Trust, content: AnyPath | None = None, means: Means | None = None) -> Report:
    """Check a proof file, and `content` against it: the bytes of the tensor, or the file that holds it."""
    found = Proof.parse(read_document(Path(proof), MAX_PROOF_BYTES), str(proof))
    if content is not None and Path(content).is_dir():
        raise UsageError(f"{content} is a folder: a proof speaks of one file", hint="Name the file itself.")
    source = _source(Path(content), ()) if content is not None else None
    return operations.check(found, trust, source, means or default_means())


def anchor(seals: Sequence[AnyPath], backend: Anchor) -> list[Bundle]:
    """Publish the statements of several seals through one anchor and add the receipts to the seal files.

    Raises:
        WriteError: Published, but some of the seal files could not be written or state something else by now.
    """
    found = [SealFile.read(Path(seal), whole=True) for seal in seals]
    bundles = operations.anchor([operations.Placed(seal.bundle, seal.path) for seal in found], backend)
    troubles: list[MltrustError] = []
    for seal, bundle in zip(found, bundles, strict=True):
        try:
            seal.update(partial(Bundle.with_receipts, receipts=bundle.receipts))
        except MltrustError as error:
            troubles.append(error)
    if troubles:
        what = f"published, but {len(troubles)} of {len(found)} seal files have no receipt: {troubles[0]}"
        raise WriteError(what, hint="Run it again once that is mended; nothing is published twice.")
    return bundles


def consult(seal: AnyPath, trust: Trust, *, refresh: bool = False) -> tuple[Bundle, list[Check]]:
    """Return a seal and what everybody the caller trusts says of its statement, without reading the artifact.

    `refresh` first asks them for their receipts as they are today, and writes those into the seal file.
    """
    found = SealFile.read(Path(seal), whole=True)
    bundle = found.bundle
    if refresh:
        renewed = operations.refresh(bundle, trust.everybody)
        bundle = found.update(lambda now: now.with_renewed(renewed))
    return bundle, list(operations.vouching(bundle.statement, bundle.receipts, bundle.signatures, trust, found.path))


def default_means(jobs: int | None = None, progress: Progress | None = None, engine: str = "threads") -> Means:
    """Return every installed reader, the opaque one last, and an engine with `jobs` threads (None: one a core)."""
    known = sorted(registry.names("readers"), key=lambda name: name == "opaque")
    readers: list[ArtifactReader] = [registry.load("readers", name)() for name in known]
    return Means(readers, registry.load("engines", engine)(jobs), progress or Silent())


def _source(path: Path, exclude: Sequence[str], name: str | None = None) -> ArtifactSource:
    source: ArtifactSource = registry.load("sources", "local")(path, exclude, name)
    return source


def _exclusions(artifact: Path, target: Path, extra: Sequence[str]) -> tuple[str, ...]:
    """Return the effective patterns for a folder: the defaults, the seal itself, and what the caller adds."""
    if not artifact.is_dir():
        return ()
    patterns = [*DEFAULT_EXCLUDE, *extra]
    inside = target.parent.resolve() / target.name  # a link under that name is replaced, not followed
    if inside.is_relative_to(artifact.resolve()):
        patterns.append("/" + _WILD.sub(r"\\\g<0>", inside.relative_to(artifact.resolve()).as_posix()))
    return tuple(dict.fromkeys(patterns))


def _sealed_exclusions(bundle: Bundle) -> tuple[str, ...]:
    patterns = read_seal(bundle.statement).parameters.exclude
    try:
        Exclusions(patterns)
    except UsageError as error:
        raise FormatError("seal statement", str(error)) from error
    return patterns


def _is_seal(path: Path) -> bool:
    """Tell a seal file from an artifact that is a file, by its first lines."""
    if not path.is_file():
        return False
    try:
        with path.open("rb") as opened:
            return _MEDIA_MARK in opened.read(_HEAD)
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read: {error.strerror or error}") from error


def _read_side(path: Path, rule: Bundle | None, means: Means) -> Side:
    suite: Suite = BLAKE3
    exclude = _exclusions(path, seal_path(path), ())
    if rule is not None:
        predicate = read_seal(rule.statement)
        suite, exclude = suite_named(predicate.suite), predicate.parameters.exclude if path.is_dir() else ()
    source = _source(path, exclude)
    reading = operations.read_found(source, means, suite)
    return Side(str(path), reading.manifest, source, reading)
