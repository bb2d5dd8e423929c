"""Exporting on paths: what a seal says, in formats that others read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mltrust import registry
from mltrust.api import Sealed
from mltrust.artifacts import AnyPath, LocalArtifact
from mltrust.beside.paths import erasures_path, salts_path, store_path
from mltrust.core.digest import SUITES
from mltrust.core.exclusion import DEFAULT_EXCLUDE, Exclusions, plain_path
from mltrust.disk.documents import read_document
from mltrust.errors import UnreadableError, UsageError, WriteError
from mltrust.interfaces import Exporter, Sealing, Signer
from mltrust.sealfile import read_seal_file, sealed_by
from mltrust.verifying import sealed_exclusions


@dataclass(frozen=True)
class Exported:
    """A document in UTF-8, and in words what the seal covers and the document does not."""

    document: bytes
    omitted: Sequence[str]


def export(seal: AnyPath, format: str, *, signers: Sequence[Signer] = (), created: datetime | None = None) -> bytes:
    """Return what a seal says as a document of `format`: `dsse`, `oms`, `sha256sum`, `cyclonedx` or `spdx`.

    `signers` sign it, where the format has it signed; `created` is when it is made, where it says so. A seal that
    contradicts itself is refused.
    """
    return exported(Path(seal), format, signers=signers, created=created).document


def exported(
    seal: Path,
    format_: str,
    *,
    signers: Sequence[Signer] = (),
    created: datetime | None = None,
    output: Path | None = None,
) -> Exported:
    """Export a seal file to where `output` will be; that is refused where `verify` would find an added file.

    What the exclusions leave out is looked for in the folder the seal is kept in, if it is, and the format says it.
    """
    plug = exporter(format_, signers)
    if created is not None and not plug.dated:
        raise UsageError(f"a document of format {format_} does not say when it was made", hint="Leave out --created.")
    bundle = read_seal_file(seal, whole=True)
    artifact = sealed_by(seal)
    folder = artifact if artifact is not None and artifact.is_dir() else None
    patterns = sealed_exclusions(bundle)
    if output is not None:
        _refuse_place(output, seal, folder, patterns)
    left_out, unsaid = _left_out(folder, patterns) if plug.says_left_out else ((), ())
    return _exported(plug, Sealing(bundle, seal.name, signers, left_out, created), unsaid)


def exported_with(sealed: Sealed, format_: str, signers: Sequence[Signer]) -> Exported:
    """Export what has just been sealed, without another look at the artifact."""
    left_out = _plain(sealed_exclusions(sealed.bundle)).union(sealed.left_out)
    sealing = Sealing(sealed.bundle, sealed.path.name, signers, sorted(left_out))
    return _exported(exporter(format_, signers), sealing)


def exporter(format_: str, signers: Sequence[Signer]) -> Exporter:
    """Return what writes a format; `UsageError` if there is none, or these `signers` cannot sign for it."""
    plug: Exporter = registry.load("exports", format_)()
    if plug.signs:
        plug.check(signers)
    elif signers:
        hint = "Sign the seal with mltrust sign, then export it."
        raise UsageError(f"nobody signs a document of format {format_}", hint=hint)
    return plug


def check_place_for_bundle(path: Path, seal: Path) -> None:
    """Refuse to write a bundle over anything but one made of a seal; the one of somebody else is not ours to replace.

    It is known before anything is sealed. `seal` is where the seal is, or will be.
    """
    if path.is_dir() or not path.parent.is_dir():
        raise WriteError(f"{path}: cannot be written", hint="Name a file in a folder that is there.")
    _refuse_kept(path, seal)
    if path.exists() and not _is_of_a_seal(path):
        what = "is there, and is no signature bundle that mltrust made"
        raise UsageError(f"{path} {what}", hint="Move it away, or name another file.")


def _exported(plug: Exporter, sealing: Sealing, unsaid: Sequence[str] = ()) -> Exported:
    if plug.needs_sha256:
        sealing.sha256s()
    document, omitted = plug.export(sealing), list(plug.omitted(sealing))
    if unsaid:
        omitted.append(f"what {', '.join(unsaid)} would leave out: the seal is not kept in the folder it is of")
    return Exported(document, omitted)


def _left_out(folder: Path | None, patterns: Sequence[str]) -> tuple[Sequence[str], Sequence[str]]:
    """Return what `patterns` leave out, in a folder as it is now, and those that cannot be followed without one."""
    several = [each for each in patterns if each not in DEFAULT_EXCLUDE and plain_path(each) is None]
    if folder is None or not several:
        return sorted(_plain(patterns)), several
    source = LocalArtifact(folder).source(patterns)
    for _ in source.files():
        pass
    return sorted(_plain(patterns).union(source.left_out)), ()


def _plain(patterns: Sequence[str]) -> set[str]:
    """Return the paths that patterns name, whether they are there or not."""
    return {path for path in map(plain_path, patterns) if path is not None}


def _refuse_place(output: Path, seal: Path, folder: Path | None, patterns: Sequence[str]) -> None:
    """Refuse to write over what is kept beside the seal, or where `verify` would find an added or a changed file."""
    target = _refuse_kept(output, seal)
    if folder is None or not target.is_relative_to(folder.resolve()):
        return
    inside = target.relative_to(folder.resolve())
    above = [parent.as_posix() for parent in inside.parents][:-1]
    left_out = Exclusions(patterns)
    if not (
        left_out.match(inside.as_posix(), folder=False) or any(left_out.match(each, folder=True) for each in above)
    ):
        hint = "Write it elsewhere; or seal again with --oms FILE, or --exclude, which leave it out."
        raise UsageError(f"{output} lies in the sealed folder: it would be an added file", hint=hint)


def _refuse_kept(output: Path, seal: Path) -> Path:
    """Return where `output` is, links in its name resolved; `UsageError` if that belongs to the seal."""
    target = output.parent.resolve() / output.name
    kept = (seal, salts_path(seal), store_path(seal), erasures_path(seal))
    if any(target == path.parent.resolve() / path.name for path in kept):
        raise UsageError(f"{output} belongs to the seal", hint="Name another file.")
    return target


def _is_of_a_seal(path: Path) -> bool:
    """Tell whether a file is a bundle that bears a fingerprint, as `export oms` writes it."""
    from mltrust.core.oms.bundle import MAX_BUNDLE_BYTES, read_bundle  # only now: most write where nothing is

    try:
        found = read_bundle(read_document(path, MAX_BUNDLE_BYTES), str(path))
    except UnreadableError:
        return False
    return not SUITES.keys().isdisjoint(found.statement.digests)
