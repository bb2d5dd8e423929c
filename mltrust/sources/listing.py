"""What a local folder holds: which names, which links, in the order of the paths."""

import os
import stat
import time
from collections.abc import Callable, Iterator, Sequence
from operator import itemgetter
from pathlib import Path
from typing import NamedTuple

from mltrust.core.exclusion import Exclusions
from mltrust.core.names import MAX_NAME_BYTES, check_path
from mltrust.errors import ArtifactError, FormatError
from mltrust.interfaces import FileEntry

# Kernels stamp changes with a coarse clock. A change within one tick of the last one keeps its stamp.
_TICK_NS = 20_000_000

# A thousand links to a folder of a thousand files are a million entries: a few kilobytes on disk, gigabytes here.
_MAX_THROUGH_LINKS = 200_000

_KINDS = {stat.S_IFIFO: "a FIFO", stat.S_IFSOCK: "a socket", stat.S_IFCHR: "a device", stat.S_IFBLK: "a device"}


class _Folder(NamedTuple):
    """A folder to be listed: its path inside the artifact with a slash, where it lies, whether a link led there."""

    prefix: str
    path: str
    linked: bool


_FIRST = itemgetter(0)
_MTIME: Callable[[tuple[int | str, ...]], int] = itemgetter(-2)
_CTIME: Callable[[tuple[int | str, ...]], int] = itemgetter(-1)


class Listing:
    """One walk through a file or folder; `left_out` grows by what the exclusions leave out."""

    def __init__(self, path: Path, exclusions: Exclusions) -> None:
        self.left_out: list[str] = []
        self._path, self._exclusions = path, exclusions

    def runs(self) -> Iterator[Sequence[FileEntry]]:
        """Yield the files in order, some at a time."""
        status = _status(self._path, str(self._path))
        if stat.S_ISDIR(status.st_mode):
            yield from self._walk()
        else:
            file = _file_entry(_checked_path("", self._path.name), status)
            _settle([file])
            yield [file]

    def find(self, path: str) -> FileEntry:
        """Return one file, for who compares what is read: no stamp settles. `path` is one that `check_path` takes."""
        status = _status(self._path, str(self._path))
        if not stat.S_ISDIR(status.st_mode):
            if path != self._path.name:
                raise ArtifactError(path, "does not exist")
            return _file_entry(path, status)
        where, root = self._path / path, Path(os.path.realpath(self._path))
        found = _file_entry(path, _status(where, path))
        _check_link(os.fspath(where), path, [root, *_snapshot_blobs(root)], folder=False, linked=False)
        return found

    def _walk(self) -> Iterator[Sequence[FileEntry]]:
        """List depth first; what a folder holds is sorted with a `/` after the names of folders, so all paths are."""
        root = Path(os.path.realpath(self._path))
        homes = [root, *_snapshot_blobs(root)]
        through_links = 0
        open_folders = [_in_runs(self._list(_Folder("", os.fspath(self._path), linked=False), homes))]
        while open_folders:
            found = next(open_folders[-1], None)
            if found is None:
                open_folders.pop()
            elif isinstance(found, _Folder):
                items = self._list(found, homes)
                through_links += found.linked and sum(type(item) is FileEntry for item in items)
                if through_links > _MAX_THROUGH_LINKS:
                    what = f"more than {_MAX_THROUGH_LINKS} files are reached through linked folders"
                    raise ArtifactError(found.prefix, what)
                open_folders.append(_in_runs(items))
            else:
                yield found

    def _list(self, folder: "_Folder", homes: list[Path]) -> "list[FileEntry | _Folder]":
        reach = self._exclusions.reaches(folder.prefix)
        found, rest = ([], _scan(folder)) if reach else _plain_files(folder.prefix, _scan(folder))
        for item in rest:
            path = _checked_path(folder.prefix, item.name)
            is_link, is_folder = item.is_symlink(), _is_folder(item)
            if reach and self._exclusions.leaves_out(path, folder=is_folder and not is_link):
                self.left_out.append(path)
                continue
            if is_link:
                _check_link(item.path, path, homes, folder=is_folder, linked=folder.linked)
            if is_folder:
                found.append(_Folder(path + "/", item.path, linked=folder.linked or is_link))
            else:
                found.append(_file_entry(path, _item_status(item, path, follow=is_link)))
        found.sort(key=_FIRST)  # code points sort as their UTF-8 bytes do
        _settle([item for item in found if type(item) is FileEntry])
        return found


def _scan(folder: _Folder) -> list["os.DirEntry[str]"]:
    try:
        with os.scandir(folder.path) as items:
            return list(items)
    except OSError as error:
        raise trouble(folder.prefix.rstrip("/") or folder.path, error) from error


def _is_folder(item: "os.DirEntry[str]") -> bool:
    """Tell whether `item` is or leads to a folder; of a link that leads nowhere `_check_link` says so."""
    try:
        return item.is_dir()
    except OSError:
        return False


def _plain_files(
    prefix: str, items: Sequence["os.DirEntry[str]"]
) -> "tuple[list[FileEntry | _Folder], list[os.DirEntry[str]]]":
    """Return the entries of plain files with plain names, which nearly all are, and all other items."""
    found: list[FileEntry | _Folder] = []
    rest = []
    longest = MAX_NAME_BYTES // 4 - len(prefix) if os.name == "posix" else 0  # a character has 4 bytes at most
    for item in items:
        name = item.name
        try:
            if item.is_file(follow_symlinks=False) and name.isascii() and len(name) < longest:
                status = item.stat(follow_symlinks=False)
                if stat.S_IFMT(status.st_mode) == stat.S_IFREG:
                    size = status.st_size
                    version = (status.st_dev, status.st_ino, size, status.st_mtime_ns, status.st_ctime_ns)
                    found.append(FileEntry(prefix + name, size, version))
                    continue
        except OSError:  # it will be met again
            pass
        rest.append(item)
    return found, rest


def _in_runs(items: "Sequence[FileEntry | _Folder]") -> "Iterator[Sequence[FileEntry] | _Folder]":
    """Yield the files between two folders together."""
    run: list[FileEntry] = []
    for item in items:
        if isinstance(item, FileEntry):
            run.append(item)
        else:
            yield run
            yield item
            run = []
    yield run


def _item_status(item: "os.DirEntry[str]", path: str, *, follow: bool) -> os.stat_result:
    if os.name == "nt" or follow:  # a Windows listing knows no inode
        return _status(Path(item.path), path)
    try:
        return item.stat(follow_symlinks=False)
    except OSError as error:
        raise trouble(path, error) from error


def _status(path: Path, shown: str) -> os.stat_result:
    try:
        return path.stat()
    except OSError as error:
        raise trouble(shown, error) from error


def _file_entry(path: str, status: os.stat_result) -> FileEntry:
    if stat.S_IFMT(status.st_mode) != stat.S_IFREG:
        kind = _KINDS.get(stat.S_IFMT(status.st_mode), "not a regular file")
        raise ArtifactError(path, f"is {kind}; only files and folders can be sealed")
    size = status.st_size
    return FileEntry(path, size, (status.st_dev, status.st_ino, size, status.st_mtime_ns, status.st_ctime_ns))


def version_of(status: os.stat_result) -> tuple[int, ...]:
    """Return what tells one state of a file from another: device, inode, size, and both stamps of the kernel."""
    return (status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns)


def _settle(found: Sequence[FileEntry]) -> None:
    """Wait out the clock tick of the newest change, so that any later change gets another stamp."""
    now = time.time_ns()
    versions = [file.version for file in found]
    stamps = [*map(_MTIME, versions), *map(_CTIME, versions)]
    if max(stamps, default=0) > now - _TICK_NS:
        newest = max((stamp for stamp in stamps if stamp <= now), default=0)  # some mtimes lie ahead
        if newest > now - _TICK_NS:
            time.sleep((newest + _TICK_NS - now) / 1e9)


def _checked_path(prefix: str, name: str) -> str:
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
    """Refuse a link unless it leads into one of `homes`, and to a folder only from outside linked folders."""
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


def trouble(path: str, error: OSError) -> ArtifactError:
    """Turn an operating-system error into ours; a file that vanished since it was listed has changed."""
    if isinstance(error, FileNotFoundError):
        return ArtifactError(path, "does not exist (or vanished while the artifact was read)")
    return ArtifactError(path, f"cannot be read: {error.strerror or error}")
