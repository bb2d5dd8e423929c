"""Artifacts by path and by URL: from what the caller wrote to a source, and to the seal that is kept with it."""

import io
import os
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from mltrust import registry
from mltrust.core.bundle import MEDIA_TYPE, Bundle
from mltrust.core.exclusion import DEFAULT_EXCLUDE, check_patterns, path_pattern
from mltrust.errors import ArtifactError, SealError, UnreadableError, UsageError, WriteError
from mltrust.interfaces import ArtifactSource, FileEntry, OpenFile, SealedSource, Settings, SourcePlug
from mltrust.operations.anchor import Placed
from mltrust.operations.seal import whole
from mltrust.sealfile import read_seal_file, seal_file, seal_path

AnyPath = str | os.PathLike[str]

_URL = re.compile(r"([A-Za-z][A-Za-z0-9+.-]*)://")
_MEDIA_MARK = MEDIA_TYPE.encode()
_HEAD = 256
_BUFFER = 2**20


class Artifact(Protocol):
    """What a caller named: a file or a folder, here or elsewhere."""

    @property
    def shown(self) -> str:
        """How it is called in reports of differences."""

    @property
    def folder(self) -> str:
        """Where the paths of its files start from: itself, or what a single file lies in."""

    @property
    def path(self) -> Path | None:
        """Where it lies on this machine; None if it lies elsewhere."""

    def is_folder(self) -> bool:
        """Tell whether it is a folder."""

    def source(self, exclude: Sequence[str], name: str | None = None) -> ArtifactSource:
        """Return its source with these exclusions, all of them."""

    def target(self, output: AnyPath | None) -> Path:
        """Return where its seal is to be written; `UsageError` or `WriteError` if that cannot be."""

    def exclusions(
        self, target: Path | None, extra: Sequence[str] = (), beside: Sequence[Path] = ()
    ) -> tuple[str, ...]:
        """Return the effective patterns for a folder: the defaults, what the caller adds, and our files inside it.

        Those are the seal, at `target`, and what is kept `beside` it.
        """

    def sealed(self, seal: AnyPath | None) -> Placed:
        """Return the seal that is named, or else the one kept with it; `SealError` if there is none."""

    def as_seal(self) -> Bundle | None:
        """Return the seal that it is itself, whole; None if it is something else."""


def open_artifact(named: AnyPath | Artifact, settings: Mapping[str, Settings]) -> Artifact:
    """Return the artifact of a path or, given as text, of a URL; `settings` of remote sources are by scheme."""
    if not isinstance(named, str | os.PathLike):
        return named
    found = _URL.match(named) if isinstance(named, str) else None
    if found is None:
        return LocalArtifact(Path(named))
    scheme, url = found[1].lower(), str(named)
    known = [name for name in registry.names("sources") if name != "local"]
    if scheme not in known:
        listed = ", ".join(f"{name}://" for name in known)
        hint = "Write the path itself." if scheme == "file" else f"There are: {listed}."
        raise UsageError(f"nothing here reads {scheme[:40]}://", hint=hint)
    plug: type[SourcePlug] = registry.load("sources", scheme)
    return SourcedArtifact(plug.from_url(scheme + url[len(scheme) :], settings.get(scheme, {})))


@dataclass(frozen=True)
class LocalArtifact:
    """A file or a folder on this machine."""

    path: Path

    @property
    def shown(self) -> str:
        """The path."""
        return str(self.path)

    @property
    def folder(self) -> str:
        """The path of the folder, or of the one that the file is in, with `/` between its parts."""
        return (self.path if self.path.is_dir() else self.path.parent).as_posix()

    def is_folder(self) -> bool:
        """Tell whether it is a folder."""
        return self.path.is_dir()

    def source(self, exclude: Sequence[str], name: str | None = None) -> ArtifactSource:
        """Return the local source."""
        source: ArtifactSource = registry.load("sources", "local")(self.path, exclude, name)
        return source

    def target(self, output: AnyPath | None) -> Path:
        """Return `output`, or where the seal is kept with it."""
        return _writable(Path(output) if output else seal_path(self.path))

    def exclusions(
        self, target: Path | None, extra: Sequence[str] = (), beside: Sequence[Path] = ()
    ) -> tuple[str, ...]:
        """Return the patterns; one more for each of our files that lies inside, if it has a name of its own."""
        if not self.path.is_dir():
            return ()
        patterns = [*DEFAULT_EXCLUDE, *extra]
        for each in (target or seal_path(self.path), *beside):
            inside = each.parent.resolve() / each.name  # a link under that name is replaced, not followed
            if inside.is_relative_to(self.path.resolve()):
                patterns.append(path_pattern(inside.relative_to(self.path.resolve()).as_posix()))
        check_patterns(unique := tuple(dict.fromkeys(patterns)))
        return unique

    def sealed(self, seal: AnyPath | None) -> Placed:
        """Read the seal."""
        if not self.path.exists():
            raise ArtifactError(str(self.path), "does not exist")
        file = seal_file(Path(seal)) if seal else seal_path(self.path)
        return Placed(read_seal_file(file), file)

    def as_seal(self) -> Bundle | None:
        """Tell by the first lines whether it is a seal, and read it."""
        if not self.path.is_file():
            return None
        try:
            with self.path.open("rb") as opened:
                is_seal = _MEDIA_MARK in opened.read(_HEAD)
        except OSError as error:
            raise UnreadableError(f"{self.path}: cannot be read: {error.strerror or error}") from error
        return read_seal_file(self.path, whole=True) if is_seal else None


@dataclass(frozen=True)
class SourcedArtifact:
    """What the plug of a source names: a URL, or what lies in the index of git; nothing is ever written there."""

    plug: SealedSource

    @property
    def shown(self) -> str:
        """The URL, without what may sign it."""
        return self.plug.shown

    @property
    def folder(self) -> str:
        """The URL of the folder, or of the one that the file is in."""
        return self.shown if self.is_folder() else self.shown.rpartition("/")[0]

    @property
    def path(self) -> None:
        """It lies elsewhere."""
        return

    def is_folder(self) -> bool:
        """Ask."""
        return self.plug.is_folder()

    def source(self, exclude: Sequence[str], name: str | None = None) -> ArtifactSource:
        """Return its source, over the same connections."""
        return self.plug.leaving_out(exclude, name)

    def target(self, output: AnyPath | None) -> Path:
        """Return `output`, which has to be given."""
        if not output:
            hint = "Name a file with --output."
            raise UsageError(f"{self.shown} is not here: the seal cannot be kept with it", hint=hint)
        return _writable(Path(output))

    def exclusions(
        self,
        target: Path | None,  # noqa: ARG002  # it lies here
        extra: Sequence[str] = (),
        beside: Sequence[Path] = (),  # noqa: ARG002  # the same
    ) -> tuple[str, ...]:
        """Return the patterns a folder with the same files would have here."""
        check_patterns(patterns := tuple(dict.fromkeys((*DEFAULT_EXCLUDE, *extra))) if self.is_folder() else ())
        return patterns

    def sealed(self, seal: AnyPath | None) -> Placed:
        """Read the seal that is named here, or the one that is kept there."""
        if seal:
            self.is_folder()  # it has to be there, whatever the seal says
            file = seal_file(Path(seal))
            return Placed(read_seal_file(file), file)
        kept = self.plug.seal()
        if kept is None:
            raise SealError(f"no seal is kept with {self.shown}", hint="Name one with --seal.")
        return Placed(self._read(kept, f"the seal of {self.shown}"))

    def as_seal(self) -> Bundle | None:
        """Tell by the first bytes whether it is a seal, and read it."""
        if self.is_folder():
            return None
        (file,) = self.plug.files()
        is_seal = _MEDIA_MARK in self.plug.read(file, 0, min(_HEAD, file.size))
        return whole(self._read(file, self.shown)) if is_seal else None

    def _read(self, file: FileEntry, where: str) -> Bundle:
        with self.plug.open(file) as opened:
            return Bundle.read(io.BufferedReader(_Stream(opened, file.size), _BUFFER), where)


class _Stream(io.RawIOBase):
    """An open file of a source, as Python reads files."""

    def __init__(self, opened: OpenFile, size: int) -> None:
        self._opened, self._size, self._at = opened, size, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]  # that is what it is handed
        found = self._opened.read_into(buffer, self._at)
        self._at += found
        return found

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._at = offset + {os.SEEK_SET: 0, os.SEEK_CUR: self._at, os.SEEK_END: self._size}[whence]
        return self._at


def _writable(target: Path) -> Path:
    """Return `target` if it may be written: known before anything is read or published."""
    if target.is_dir() or not target.parent.is_dir():
        raise WriteError(f"{target}: cannot be written", hint="Name a file in a folder that is there.")
    return target
