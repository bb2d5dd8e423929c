"""A file or a folder on this machine."""

import os
import platform
import sys
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from io import FileIO
from itertools import chain
from pathlib import Path
from typing import ClassVar

from mltrust.core.exclusion import Exclusions
from mltrust.errors import ArtifactError, ChangedError
from mltrust.interfaces import ArtifactSource, FileEntry, Segment
from mltrust.sources.listing import Listing, trouble, version_of

# Without O_NONBLOCK, opening a FIFO that took a file's place would wait for ever.
_FLAGS = os.O_RDONLY
for _flag in ("O_BINARY", "O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY"):
    _FLAGS |= getattr(os, _flag, 0)


class LocalSource(ArtifactSource):
    """Lists and reads a local file or folder, following the rules for links and special files.

    A link is followed if it resolves inside the artifact, or, in a Hugging Face cache snapshot, into
    the sibling `blobs` folder. A linked folder is followed once: links to folders below it are refused,
    which ends loops and keeps the listing finite.
    """

    remote: ClassVar[bool] = False

    def __init__(self, path: Path, exclude: Sequence[str] = (), name: str | None = None) -> None:
        self.path = path
        self.name = name or _label(path.resolve().name if path.name in ("", "..") else path.name) or "artifact"
        self.exclude: Sequence[str] = tuple(exclude)
        self.left_out: Sequence[str] = ()
        self._base = path if path.is_dir() else path.parent
        self._prefix = os.fsencode(os.path.join(self._base, ""))  # noqa: PTH118  # bytes, as names are UTF-8
        self._exclusions = Exclusions(exclude)
        self._far = False  # files were listed on another machine

    def __reduce__(self) -> tuple[object, ...]:
        """Travel to another machine, which has the files under the same path."""
        return _elsewhere, (self.path.absolute(), self.exclude, self.name)

    def files(self) -> Iterator[FileEntry]:
        """List the files; raise `ArtifactError` for whatever cannot be sealed or verified as content."""
        listing = Listing(self.path, self._exclusions)
        self.left_out = listing.left_out
        return chain.from_iterable(listing.runs())

    def find(self, path: str) -> FileEntry:
        """Return the file at `path`, with the checks of links that `files` makes."""
        return Listing(self.path, self._exclusions).find(path)

    def local_path(self, file: FileEntry) -> Path:
        """Return where `file` lies."""
        return self._base / file.path

    def _open(self, file: FileEntry) -> int:
        try:
            return os.open(self._prefix + file.path.encode("utf-8"), _FLAGS)
        except OSError as error:
            raise trouble(file.path, error) from error

    @contextmanager
    def open(self, file: FileEntry, offset: int = 0, length: int | None = None) -> Iterator["LocalFile"]:
        """Open `file` and check before and after that it is the version that was listed."""
        handle = self._open(file)
        try:
            self._check_version(handle, file)
            _read_ahead(handle, offset, length)
            with FileIO(handle, closefd=False) as raw:
                yield LocalFile(raw, file.path)
            self._check_version(handle, file)
        finally:
            os.close(handle)

    def read(self, file: FileEntry, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`, with the checks of `open`."""
        handle = self._open(file)
        try:
            if offset:
                os.lseek(handle, offset, os.SEEK_SET)
            data = _read_all(handle, length, file.path)
            self._check_version(handle, file)  # now as it was listed: then it did not change before or since
        finally:
            os.close(handle)
        if len(data) != length:
            raise ChangedError(file.path, "became shorter while it was read")
        return data

    def read_each(self, segments: Iterable[Segment]) -> Iterator[bytes]:
        """Yield the bytes of whole small files; whatever is not as expected goes the long way of `read`."""
        prefix, flags = self._prefix, _FLAGS
        open_, read, status, close = os.open, os.read, os.fstat, os.close  # looked up once: there may be millions
        for segment in segments:
            (path, size, version), offset, length, _ = segment
            try:
                handle = open_(prefix + path.encode(), flags)
                try:
                    data = read(handle, length)
                    now = status(handle)
                finally:
                    close(handle)
            except OSError:
                yield self.read(*segment[:3])
                continue
            found = (now.st_dev, now.st_ino, now.st_size, now.st_mtime_ns, now.st_ctime_ns)
            yield data if found == version and length == size == len(data) and not offset else self.read(*segment[:3])

    def _check_version(self, handle: int, file: FileEntry) -> None:
        found = version_of(os.fstat(handle))
        if found != file.version and not (self._far and found[1:] == file.version[1:]):
            raise ChangedError(file.path, "changed while it was read", hint="Run again when nothing writes to it.")


class LocalFile:
    """An open file; for one thread at a time."""

    def __init__(self, raw: FileIO, path: str) -> None:
        self._raw = raw
        self._path = path
        self._position = 0

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` from `offset` as far as the file goes; return the number of bytes read."""
        try:
            if offset != self._position:
                self._raw.seek(offset)
            size = self._raw.readinto(buffer) or 0
        except OSError as error:
            raise trouble(self._path, error) from error
        self._position = offset + size
        return size


def _elsewhere(path: Path, exclude: Sequence[str], name: str) -> LocalSource:
    """Return the source on another machine, where the same disk has another device number."""
    if not path.exists():
        raise ArtifactError(str(path), f"is not there on {platform.node()}")
    source = LocalSource(path, exclude, name)
    source._far = True
    return source


def _label(name: str) -> str:
    """Spell a folder's own name in valid Unicode; it names the artifact for people, nothing is found by it."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _read_ahead(handle: int, offset: int, length: int | None) -> None:
    """Tell the system to keep the disk busy; what is opened, and not read at once, is read in long stretches."""
    if sys.platform == "linux":
        with suppress(OSError):  # a file system that takes no advice
            os.posix_fadvise(handle, offset, length or 0, os.POSIX_FADV_SEQUENTIAL)


def _read_all(handle: int, length: int, path: str) -> bytes:
    try:
        data = os.read(handle, length)
        while len(data) < length and (more := os.read(handle, length - len(data))):
            data += more
    except OSError as error:
        raise trouble(path, error) from error
    return data
