"""Seal files: where they are, and how several commands change one without undoing each other.

Publishing may take minutes, and another command may add a receipt or seal anew meanwhile. So a file is read again,
alone, before it is written: what it gained stays, and what it states is never put back to something older.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Self, TypeVar

from mltrust.core.bundle import MAX_SEAL_BYTES, Bundle
from mltrust.core.exclusion import SEAL_ENDING, SEAL_NAME
from mltrust.disk.documents import alone, reading, write_atomically
from mltrust.errors import SealError, UnreadableError
from mltrust.operations.seal import whole as checked_whole

_Where = TypeVar("_Where", bound=PurePath)


def seal_path(artifact: Path) -> Path:
    """Return where the seal of an artifact is kept: inside a folder, beside a file."""
    return artifact / SEAL_NAME if artifact.is_dir() else artifact.with_name(artifact.name + SEAL_ENDING)


def seal_file(path: Path) -> Path:
    """Return the seal file a caller names: the file itself, or the one kept in the folder or beside the file."""
    if path.is_dir():
        return seal_path(path)
    is_seal = path.name == SEAL_NAME or path.name.endswith(SEAL_ENDING)
    return path if is_seal or not seal_path(path).exists() else seal_path(path)


def sealed_place(seal: _Where) -> _Where:
    """Return where what a seal file is kept with would be: the folder it lies in, or beside it."""
    return seal.parent if seal.name == SEAL_NAME else seal.with_name(seal.name.removesuffix(SEAL_ENDING))


def sealed_by(path: Path) -> Path | None:
    """Return the artifact a seal file is kept with: the folder it lies in, or what lies beside it; None if neither."""
    found = sealed_place(path)
    return found if path.name == SEAL_NAME or (found != path and found.exists()) else None


def read_seal_file(path: Path, *, whole: bool = False) -> Bundle:
    """Read and parse a seal file; `whole` refuses one whose parts contradict each other."""
    try:
        with reading(path, MAX_SEAL_BYTES) as opened:
            bundle = Bundle.read(opened, str(path))
    except UnreadableError as error:
        if path.exists():
            raise
        hint = "Make one with mltrust seal. One that is kept elsewhere is named by its own path (verify: --seal)."
        if path.parts[:1] and path.parts[0].endswith(":"):
            hint = "A seal is named by a path on this machine; verify URL reads the one that is kept there."
        if path.name.removesuffix(SEAL_ENDING).endswith(SEAL_ENDING):
            hint = "This would be the seal of a seal: name the file or folder that is sealed."
        raise SealError(f"no seal at {path}", hint=hint) from error
    return checked_whole(bundle) if whole else bundle


@dataclass(frozen=True)
class SealFile:
    """A seal file as it was read; `version` tells whether it is still that file."""

    path: Path
    bundle: Bundle
    version: tuple[int, ...]

    @classmethod
    def read(cls, path: Path, *, whole: bool = False) -> Self:
        """Read a seal file."""
        version = _version(path)
        return cls(path, read_seal_file(path, whole=whole), version)

    def update(self, change: Callable[[Bundle], Bundle]) -> Bundle:
        """Write what `change` makes of the file as it is now; `SealError` if it states something else by now."""
        with alone(self.path.parent):
            now = self._now()
            if now.statement != self.bundle.statement:
                hint = "Nothing was written. Run it again for the seal that is there now."
                raise SealError(f"{self.path}: was sealed anew meanwhile", hint=hint)
            changed = change(now)
            if changed != now:
                write_atomically(self.path, changed.blocks())
        return changed

    def _now(self) -> Bundle:
        return self.bundle if _version(self.path) == self.version else read_seal_file(self.path, whole=True)


def put(path: Path, bundle: Bundle, seen: SealFile | None, before: Callable[[], None] = lambda: None) -> Bundle:
    """Write a new seal where `seen` was, or nothing; return it with what others added meanwhile.

    What has to be written just `before` it is, once nothing speaks against it any more.

    A seal of something else that was not there before is not overwritten: `SealError`.
    """
    with alone(path.parent):
        now = SealFile.read(path) if path.exists() and (seen is None or _version(path) != seen.version) else seen
        if now is not None and now.bundle.statement == bundle.statement:
            bundle = now.bundle.with_receipts(bundle.receipts).with_signatures(bundle.signatures)
        elif now is not None and (seen is None or now.bundle.statement != seen.bundle.statement):
            raise SealError(f"{path}: was sealed by somebody else meanwhile", hint="Run it again.")
        before()
        write_atomically(path, bundle.blocks())
    return bundle


def _version(path: Path) -> tuple[int, ...]:
    try:
        found = path.stat()
    except OSError:
        return ()
    return found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns
