"""A file or a folder on this machine."""

import os
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

from mltrust.core.exclusion import SEAL_NAME, TEMP_PREFIX, Exclusions
from mltrust.core.names import check_path
from mltrust.errors import ArtifactError, ChangedError, FormatError
from mltrust.interfaces import FileEntry

# Without O_NONBLOCK, opening a FIFO that took a file's place would wait for ever.
_FLAGS = os.O_RDONLY
for _flag in ("O_BINARY", "O_CLOEXEC", "O_NONBLOCK", "O_NOCTTY"):
    _FLAGS |= getattr(os, _flag, 0)

# Kernels stamp changes with a coarse clock. A change within one tick of the last one keeps its stamp.
_TICK_NS = 20_000_000

# A thousand links to a folder of a thousand files are a million entries: a few kilobytes on disk, gigabytes here.
_MAX_THROUGH_LINKS = 200_000

_KINDS = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


class LocalSource:
    """Lists and reads a local file or folder, following the rules for links and special files.

    A link is followed if it resolves inside the artifact, or, in a Hugging Face cache snapshot, into
    the sibling `blobs` folder. A linked folder is followed once: links to folders below it are refused,
    which ends loops and keeps the listing finite.
    """

    def __init__(self, path: Path, exclude: Sequence[str] = (), name: str | None = None) -> None:
        self.path = path
        self.name = name or _label(path.resolve().name if path.name in ("", "..") else path.name) or "artifact"
        self.exclude: Sequence[str] = tuple(exclude)
        self.left_out: Sequence[str] = ()
        self._left_out: list[str] = []
        self._base = path if path.is_dir() else path.parent
        self._prefix = os.fsencode(os.path.join(self._base, ""))  # noqa: PTH118  # bytes, as names are UTF-8
        self._exclusions = Exclusions(exclude)

    def files(self) -> Iterator[FileEntry]:
        """List the files; raise `ArtifactError` for whatever cannot be sealed or verified as content."""
        self.left_out = self._left_out = []
        found = list(self._list())
        _settle(found)
        return iter(found)

    def _list(self) -> Iterator[FileEntry]:
        status = _status(self.path, str(self.path))
        if stat.S_ISDIR(status.st_mode):
            yield from self._walk()
        else:
            yield _file_entry(_checked("", self.path.name), status)

    def _walk(self) -> Iterator[FileEntry]:
        root = Path(os.path.realpath(self.path))
        homes = [root, *_snapshot_blobs(root)]
        pending, through_links = [("", os.fspath(self.path), False)], 0
        while pending:
            prefix, folder, linked = pending.pop()
            for item in _scan(folder, prefix):
                path = _checked(prefix, item.name)
                is_link, is_folder = item.is_symlink(), _is_folder(item)
                if self._exclusions.match(path, folder=is_folder and not is_link):
                    self._leave_out(path, folder=is_folder and not is_link)
                    continue
                if is_link:
                    _check_link(item.path, path, homes, folder=is_folder, linked=linked)
                if is_folder:
                    pending.append((path + "/", item.path, linked or is_link))
                else:
                    through_links += linked
                    if through_links > _MAX_THROUGH_LINKS:
                        what = f"more than {_MAX_THROUGH_LINKS} files are reached through linked folders"
                        raise ArtifactError(path, what)
                    yield _file_entry(path, _item_status(item, path, follow=is_link))

    def _leave_out(self, path: str, *, folder: bool) -> None:
        if folder and path.startswith((SEAL_NAME, TEMP_PREFIX)):
            raise ArtifactError(path, "a folder stands where a file of mltrust belongs")
        self._left_out.append(path)

    def local_path(self, file: FileEntry) -> Path:
        """Return where `file` lies."""
        return self._base / file.path

    def _open(self, file: FileEntry) -> int:
        try:
            return os.open(self._prefix + file.path.encode("utf-8"), _FLAGS)
        except OSError as error:
            raise _trouble(file.path, error) from error

    @contextmanager
    def open(self, file: FileEntry) -> Iterator["LocalFile"]:
        """Open `file` and check before and after that it is the version that was listed."""
        handle = self._open(file)
        try:
            _check_version(handle, file)
            with FileIO(handle, closefd=False) as raw:
                yield LocalFile(raw, file.path)
            _check_version(handle, file)
        finally:
            os.close(handle)

    def read(self, file: FileEntry, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`, with the checks of `open`."""
        handle = self._open(file)
        try:
            _check_version(handle, file)
            if offset:
                os.lseek(handle, offset, os.SEEK_SET)
            data = _read_all(handle, length, file.path)
            _check_version(handle, file)
        finally:
            os.close(handle)
        if len(data) != length:
            raise ChangedError(file.path, "became shorter while it was read")
        return data


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
            raise _trouble(self._path, error) from error
        self._position = offset + size
        return size


def _scan(folder: str, prefix: str) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder) as items:
            return list(items)
    except OSError as error:
        raise _trouble(prefix.rstrip("/") or folder, error) from error


def _label(name: str) -> str:
    """Spell a folder's own name in valid Unicode; it names the artifact for people, nothing is found by it."""
    return os.fsencode(name).decode("utf-8", "backslashreplace")


def _is_folder(item: "os.DirEntry[str]") -> bool:
    """Tell whether `item` is or leads to a folder; of a link that leads nowhere `_check_link` says so."""
    try:
        return item.is_dir()
    except OSError:
        return False


def _checked(prefix: str, name: str) -> str:
    """Return the path of a listed name: its bytes read as UTF-8, whatever the locale makes of them."""
    try:
        return check_path(prefix + (name if name.isascii() else os.fsencode(name).decode("utf-8")), "artifact")
    except UnicodeDecodeError as error:
        raise ArtifactError(ascii(prefix + name), "the name is not valid UTF-8") from error
    except FormatError as error:
        raise ArtifactError(ascii(prefix + name), error.what) from error


def _snapshot_blobs(root: Path) -> list[Path]:
    """Return the blobs folder of a Hugging Face cache if `root` is one of its snapshots."""
    blobs = root.parent.parent / "blobs"
    return [blobs] if root.parent.name == "snapshots" and blobs.is_dir() and not blobs.is_symlink() else []


def _check_link(link: str, path: str, homes: list[Path], *, folder: bool, linked: bool) -> None:
    try:
        target = Path(os.path.realpath(link, strict=True))
    except OSError as error:
        raise ArtifactError(path, "a link that leads nowhere or in a loop") from error
    if not any(target.is_relative_to(home) for home in homes):
        raise ArtifactError(
            path,
            "a link that leads out of the artifact",
            hint="Copy the file in, or leave the link out with --exclude.",
        )
    if folder and (linked or homes[0].is_relative_to(target)):
        raise ArtifactError(path, "a link to a folder inside a linked folder, or a loop")


def _item_status(item: "os.DirEntry[str]", path: str, *, follow: bool) -> os.stat_result:
    if os.name == "nt" or follow:  # a Windows listing knows no inode
        return _status(Path(item.path), path)
    try:
        return item.stat(follow_symlinks=False)
    except OSError as error:
        raise _trouble(path, error) from error


def _status(path: Path, shown: str) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise _trouble(shown, error) from error


def _file_entry(path: str, status: os.stat_result) -> FileEntry:
    if not stat.S_ISREG(status.st_mode):
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "not a regular file")
        raise ArtifactError(path, f"is {kind}; only files and folders can be sealed")
    return FileEntry(path, status.st_size, _version(status))


def _version(status: os.stat_result) -> tuple[int, ...]:
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _check_version(handle: int, file: FileEntry) -> None:
    if _version(os.fstat(handle)) != file.version:
        raise ChangedError(file.path, "changed while it was read", hint="Run again when nothing writes to it.")


def _settle(found: Sequence[FileEntry]) -> None:
    """Wait out the clock tick of the newest change, so that any later change gets another stamp."""
    now = time.time_ns()
    stamps = {int(stamp) for file in found for stamp in file.version[-2:]}
    age = now - max((stamp for stamp in stamps if stamp <= now), default=0)  # some mtimes lie ahead
    if age < _TICK_NS:
        time.sleep((_TICK_NS - age) / 1e9)


def _read_all(handle: int, length: int, path: str) -> bytes:
    try:
        data = os.read(handle, length)
        while len(data) < length and (more := os.read(handle, length - len(data))):
            data += more
    except OSError as error:
        raise _trouble(path, error) from error
    return data


def _trouble(path: str, error: OSError) -> ArtifactError:
    """Turn an operating-system error into ours; a file that vanished since it was listed has changed."""
    if isinstance(error, FileNotFoundError):
        return ArtifactError(path, "does not exist (or vanished while the artifact was read)")
    return ArtifactError(path, f"cannot be read: {error.strerror or error}")
