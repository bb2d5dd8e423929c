"""Open a sealed artifact for loading, and load one file of tensors: the verbs on paths."""

from pathlib import Path
from typing import Any

from mltrust.artifacts import AnyPath, Artifact, LocalArtifact, open_artifact
from mltrust.core.bundle import Bundle
from mltrust.core.exclusion import SEAL_NAME
from mltrust.errors import SealError, UsageError
from mltrust.interfaces import Means, Trust
from mltrust.loading.verified import VerifiedArtifact
from mltrust.means import default_means
from mltrust.operations.anchor import Placed
from mltrust.operations.load import LoadedArtifact
from mltrust.sealfile import read_seal_file, seal_file, seal_path
from mltrust.verifying import sealed_exclusions

_NOBODY = Trust()


def open_verified(
    artifact: AnyPath,
    seal: AnyPath | None = None,
    trust: Trust = _NOBODY,
    *,
    file: str | None = None,
    framework: str = "numpy",
    device: str = "cpu",
    means: Means | None = None,
) -> VerifiedArtifact:
    """Open a sealed file, folder or URL for loading; `NotVerifiedError` unless whoever `trust` names vouches for it.

    `seal` is the one kept with the artifact if it is not named. Nothing of the artifact is read yet: each tensor and
    file is verified when it is asked for. `file` is the path, inside a folder, of the safetensors file or of the index
    whose tensors are meant, if there are several. `framework` (`numpy` or `torch`) and `device` say what tensors are.
    """
    means = means or default_means()
    place = open_artifact(artifact, means.remote)
    opened = _opened(place, place.sealed(seal), trust, means)
    return VerifiedArtifact(opened, file, framework, device)


def load_file(
    path: AnyPath,
    seal: AnyPath | None = None,
    trust: Trust = _NOBODY,
    *,
    artifact: AnyPath | None = None,
    framework: str = "numpy",
    device: str = "cpu",
    means: Means | None = None,
) -> dict[str, Any]:
    """Return all tensors of a safetensors file, or of the shards of an index, by name; all are verified before.

    The seal, if it is not named, is the one beside the file, or else the one kept in the nearest folder around it.
    `artifact` is the folder that was sealed, if its seal is kept elsewhere. Raises `NotVerifiedError` if a byte is not
    as it was sealed, or nobody whom `trust` names vouches for the seal.
    """
    file = Path(path)
    found = seal_file(Path(seal)) if seal else _seal_around(file)
    sealed = Placed(read_seal_file(found), found)
    folder = Path(artifact) if artifact else _sealed_with(file, sealed.bundle, found)
    inside = None if folder == file else _inside(file, folder)
    means = means or default_means()
    opened = _opened(LocalArtifact(folder), sealed, trust, means)
    return VerifiedArtifact(opened, inside, framework, device).get_tensors()


def _opened(place: Artifact, sealed: Placed, trust: Trust, means: Means) -> LoadedArtifact:
    return LoadedArtifact(place.source(sealed_exclusions(sealed.bundle)), sealed, trust, means)


def _seal_around(file: Path) -> Path:
    """Return the seal beside a file, or in the nearest folder around it; whoever is trusted must vouch for either."""
    around = (folder / SEAL_NAME for folder in file.absolute().parents)
    found = next((each for each in (seal_path(file), *around) if each.is_file()), None)
    if found is None:
        raise SealError(f"no seal beside {file}, nor in a folder around it", hint="Name one with seal=…")
    return found


def _sealed_with(file: Path, bundle: Bundle, seal: Path) -> Path:
    """Return what was sealed: the file itself, or the folder that the seal is kept in."""
    if file.is_dir() or not sealed_exclusions(bundle):  # of a folder, something is left out always
        return file
    if seal.name == SEAL_NAME and file.absolute().is_relative_to(seal.parent.absolute()):
        return seal.parent
    hint = "Name the folder that was sealed with artifact=…"
    raise UsageError(f"{seal} is the seal of a folder, and not kept in one around {file}", hint=hint)


def _inside(file: Path, folder: Path) -> str:
    here, there = file.absolute(), folder.absolute()
    if not here.is_relative_to(there):
        raise UsageError(f"{file} does not lie in {folder}")
    return here.relative_to(there).as_posix()
