"""Download a repository, verify what lies on the disk then, and keep it only if it is what was sealed."""

import os
import secrets
import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path, PureWindowsPath

from mltrust.artifacts import AnyPath, open_artifact
from mltrust.core.exclusion import SEAL_NAME, TEMP_PREFIX, path_pattern
from mltrust.core.names import collisions, shown
from mltrust.core.report import Report, Verdict
from mltrust.disk.documents import write_new
from mltrust.errors import ArtifactError, ChangedError, UsageError, WriteError
from mltrust.interfaces import ArtifactSource, FileEntry, Listable, Means, Progress, Seen, Trust
from mltrust.means import default_means
from mltrust.operations.anchor import Placed
from mltrust.operations.watched import WatchedSource
from mltrust.verifying import sealed_exclusions, verify_seen

_BLOCK = 2**20


def download(
    artifact: str,
    folder: AnyPath,
    *,
    trust: Trust,
    seal: AnyPath | None = None,
    means: Means | None = None,
    expect: Sequence[AnyPath] = (),
    with_sha256: bool = False,
) -> Report:
    """Download a repository of the Hugging Face Hub into a new folder, if it verifies; return the report.

    The folder is there, whole, if the report is VERIFIED, and else it is not. The seal is in it, if it leaves its own
    place out. Raises `UsageError` if the folder is there already, or if `artifact` names something else.
    """
    return download_seen(artifact, folder, trust=trust, seal=seal, means=means, expect=expect, with_sha256=with_sha256)[
        0
    ]


def download_seen(
    artifact: str,
    folder: AnyPath,
    *,
    trust: Trust,
    seal: AnyPath | None = None,
    means: Means | None = None,
    expect: Sequence[AnyPath] = (),
    with_sha256: bool = False,
) -> tuple[Report, Seen]:
    """Do what `download` does; return beside the report what it was made of, as renderers want it.

    1. Nothing may be under the name of the folder yet.
    2. The revision is resolved to a commit; all that follows is of that commit.
    3. It is verified as it is listed. If that fails, or nobody vouches for the seal, nothing is downloaded: so nobody
       fills the disk with what no seal that is trusted speaks of.
    4. All names are checked before the first file is written: they are plain relative paths, and none is another one
       on a file system that does not tell case or form. Names and sizes are those that were verified in step 3,
       whatever the Hub lists when it is asked again.
    5. The files are written into a new folder beside, and the seal with them.
    6. What lies there now is read again and verified as any folder is, against the same seal. A Git LFS pointer stands
       for nothing there: the content was to be downloaded.
    7. If it verifies, it gets its name; else it is removed.
    """
    means, target = means or default_means(), Path(folder)
    _check_target(target)  # 1
    pinned = _pinned(artifact, means)  # 2
    report, seen = verify_seen(pinned, trust=trust, seal=seal, means=means)  # 3
    if report.verdict is Verdict.FAILED or not (report.vouchers or report.content_only):
        return report, seen
    place = open_artifact(pinned, means.remote)
    sealed = place.sealed(seal)
    source = place.source(sealed_exclusions(sealed.bundle))
    files = list(source.files())
    _check_names([file.path for file in files])  # 4
    _check_listed(files, seen)
    temporary = target.with_name(TEMP_PREFIX + secrets.token_hex(8))
    try:
        _write(temporary, source, files, means.progress)  # 5
        kept = _write_seal(temporary, sealed)
        how = {"seal": seal or kept, "means": means, "expect": expect, "with_sha256": with_sha256, "download": True}
        report, seen = verify_seen(temporary, trust=trust, **how)  # type: ignore[arg-type]  # 6
        if report.verdict is Verdict.VERIFIED:
            temporary.rename(target)  # 7
        return report, replace(seen, artifact=str(target), folder=target.as_posix())
    except OSError as error:
        raise WriteError(f"{target}: cannot be written: {error.strerror or error}") from error
    finally:
        shutil.rmtree(temporary, ignore_errors=True)


def _check_target(target: Path) -> None:
    if os.path.lexists(target):
        raise UsageError(f"{target} is there already", hint="Name a folder that is not: nothing is overwritten.")
    if not target.parent.is_dir():
        raise WriteError(f"{target}: cannot be written", hint="Name a folder inside one that is there.")


def _pinned(artifact: str, means: Means) -> str:
    place = open_artifact(artifact, means.remote)
    source = place.source(()) if place.path is None else None
    if not isinstance(source, Listable):
        hint = "Name a repository of the Hugging Face Hub: hf://OWNER/NAME."
        raise UsageError(f"{place.shown} cannot be downloaded", hint=hint)
    if not place.is_folder():
        raise UsageError(f"{place.shown} is a single file", hint="Name the repository, or a folder of it.")
    return source.pinned


def _check_names(paths: Sequence[str]) -> None:
    """Refuse what would be another name, or another file, once it is written; sources give plain relative paths."""
    for same in collisions(paths):
        raise ArtifactError(same[0], f"and {shown(same[1])} would be one file on some file systems")
    for path in paths if os.name == "nt" else ():
        if PureWindowsPath(path).as_posix() != path or ":" in path or PureWindowsPath(path).is_reserved():
            raise ArtifactError(path, "cannot be the name of a file here")


def _check_listed(files: Sequence[FileEntry], seen: Seen) -> None:
    """Refuse a file that is not as large as it was sealed, or as it was read: of a pointer, only the first is known."""
    manifests = [each for each in (seen.before, seen.after) if each is not None]
    for file in files:
        found = [each.find(file.path) for each in manifests]
        if file.size not in [each[1].leaf.size for each in found if each is not None]:
            raise ChangedError(file.path, "is listed otherwise than it was a moment ago", hint="Run it again.")


def _write(folder: Path, source: ArtifactSource, files: Sequence[FileEntry], progress: Progress) -> None:
    folder.mkdir()
    watched = WatchedSource(source, progress)
    for file in files:
        path = folder / file.path
        path.parent.mkdir(parents=True, exist_ok=True)
        write_new(path, _blocks(watched, file), durable=False)


def _blocks(source: ArtifactSource, file: FileEntry) -> Iterator[bytes]:
    buffer, position = memoryview(bytearray(min(_BLOCK, file.size))), 0
    with source.open(file) as opened:
        while position < file.size:
            size = opened.read_into(buffer, position)
            if not size:
                raise ArtifactError(file.path, "ended early")
            yield bytes(buffer[:size])
            position += size


def _write_seal(folder: Path, sealed: Placed) -> Path | None:
    """Write the seal to where it is looked for, if it leaves that place out."""
    path = folder / SEAL_NAME
    if path_pattern(SEAL_NAME) not in sealed_exclusions(sealed.bundle):
        return None
    write_new(path, sealed.bundle.blocks(), durable=False)
    return path
