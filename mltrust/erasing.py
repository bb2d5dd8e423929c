"""The verb that erases records of a blinded artifact, on paths."""

from collections.abc import Sequence
from functools import partial
from pathlib import Path

from mltrust.artifacts import AnyPath, LocalArtifact
from mltrust.beside.kept import kept_with
from mltrust.beside.tombstones import put_tombstones
from mltrust.errors import UsageError
from mltrust.interfaces import Anchor, ArtifactSource, Means, Progress, Signer
from mltrust.means import default_means
from mltrust.operations.blinded_file import BlindedArtifact
from mltrust.operations.erase import Erased, Wanted, Word
from mltrust.operations.erase import erase as erase_records
from mltrust.operations.watched import WatchedSource
from mltrust.verifying import sealed_exclusions


def erase(
    artifact: AnyPath,
    *,
    records: Sequence[int],
    anchors: Sequence[Anchor],
    signers: Sequence[Signer] = (),
    file: str | None = None,
    reason: str | None = None,
    seal: AnyPath | None = None,
    salts: AnyPath | None = None,
    rewritten: AnyPath | None = None,
    means: Means | None = None,
) -> Erased:
    """Erase records, by their numbers from 1, of a blinded file or folder on this machine; return the tombstone.

    Every one of `signers` signs it, and every one of `anchors` publishes it. `rewritten` is the file without the
    records, where that cannot be made here.
    The same call again finishes what was interrupted.
    """
    if "://" in str(artifact):
        raise UsageError(f"{artifact} is not on this machine, and nothing elsewhere is written")
    place = LocalArtifact(Path(artifact))
    sealed = place.sealed(seal)
    kept = kept_with(sealed, salts)
    if sealed.path is None:
        raise UsageError(f"no place beside the seal of {artifact}")
    means = means or default_means()
    case = BlindedArtifact(
        WatchedSource(place.source(sealed_exclusions(sealed.bundle)), means.progress),
        place.path if place.is_folder() else place.path.absolute().parent,
        sealed.bundle,
        kept,
        partial(_single, means.progress),
        partial(put_tombstones, sealed.path, kept.tombstones),
    )
    wanted = Wanted([number - 1 for number in records], file, reason, Path(rewritten) if rewritten else None)
    return erase_records(case, wanted, Word(anchors, signers), means)


def _single(progress: Progress, path: Path) -> ArtifactSource:
    return WatchedSource(LocalArtifact(path).source(()), progress)
