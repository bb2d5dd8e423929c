"""Reading and writing whole documents: bounded reads, atomic and durable writes."""

import errno
import os
import secrets
import stat
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from mltrust.core.exclusion import TEMP_PREFIX
from mltrust.errors import FormatError, UnreadableError, WriteError

_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)

if sys.platform == "win32":
    _FULL_SYNC = None
else:
    import fcntl

    # On macOS fsync leaves data in the cache of the disk; this does not.
    _FULL_SYNC: int | None = getattr(fcntl, "F_FULLFSYNC", None)


def read_document(path: Path, limit: int) -> bytes:
    """Return the content of a regular file of at most `limit` bytes; never block, never read endlessly."""
    return read_with_status(path, limit)[0]


def read_with_status(path: Path, limit: int) -> tuple[bytes, os.stat_result]:
    """Return what `read_document` does, and the status of that very file, whatever is under its name by now."""
    with _opened(path, limit) as (opened, status):
        return opened.read(status.st_size), status  # `limit` would be asked of the memory at once


@contextmanager
def reading(path: Path, limit: int) -> Iterator[BinaryIO]:
    """Open a document of at most `limit` bytes to be read piece by piece; `UnreadableError` if it changes meanwhile.

    A file that is replaced as a whole does not: what is read then is the old one.
    """
    with _opened(path, limit) as (opened, before):
        try:
            yield opened
        except FormatError as error:
            _check_unchanged(path, before, os.fstat(opened.fileno()), error)
            raise
        _check_unchanged(path, before, os.fstat(opened.fileno()))


def _check_unchanged(path: Path, old: os.stat_result, new: os.stat_result, cause: Exception | None = None) -> None:
    # A file that loses its name to a new one gets a new time of status change, and its bytes stay.
    touched = old.st_ctime_ns != new.st_ctime_ns and old.st_nlink == new.st_nlink
    if touched or (old.st_size, old.st_mtime_ns) != (new.st_size, new.st_mtime_ns):
        raise UnreadableError(f"{path}: changed while it was read", hint="Run it again.") from cause


@contextmanager
def _opened(path: Path, limit: int) -> Iterator[tuple[BinaryIO, os.stat_result]]:
    try:
        handle = os.open(path, _READ)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise FormatError(str(path), "is not a regular file")
            if status.st_size > limit:
                raise FormatError(str(path), f"has {status.st_size} bytes, at most {limit} are read")
            with open(handle, "rb", closefd=False) as opened:  # it opens the handle, not a path
                yield opened, status
        finally:
            os.close(handle)
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read: {error.strerror or error}") from error


def write_atomically(path: Path, data: bytes | Iterable[bytes], *, mode: int = 0o666, durable: bool = True) -> None:
    """Write `data`, or blocks of it, so that a kill at any instant leaves the old file or the new one, durably on disk.

    The new file is written beside the old one under a name that starts with `TEMP_PREFIX`, flushed, and
    renamed over it; `mode` is narrowed by the umask. What is not `durable` is not flushed: quicker, and after a crash
    of the whole machine there may be anything.
    """
    temporary = path.with_name(TEMP_PREFIX + secrets.token_hex(8))
    try:
        write_new(temporary, data, mode, durable=durable)
        temporary.replace(path)
        if durable:
            sync_folder(path.parent)
    except BaseException as error:  # also one of whoever makes the blocks
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        if isinstance(error, OSError):
            raise WriteError(f"{path}: cannot be written: {error.strerror or error}") from error
        raise


@contextmanager
def alone(folder: Path) -> Iterator[None]:
    """Keep others who ask for the same from writing in `folder`, where the system can do that without a file."""
    if sys.platform == "win32":
        yield
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
    except OSError as error:
        raise UnreadableError(f"{folder}: cannot be opened: {error.strerror or error}") from error
    try:
        with suppress(OSError):  # a file system without locks
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)


def write_new(path: Path, data: bytes | Iterable[bytes], mode: int = 0o666, *, durable: bool = True) -> None:
    """Write a file that must not be there yet, and flush it if it is `durable`; raises `OSError` as it comes."""
    handle = os.open(path, _CREATE, mode)
    try:
        for block in (data,) if isinstance(data, bytes) else data:
            write_all(handle, block)
        if durable:
            sync(handle)
    finally:
        os.close(handle)


def write_new_whole(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write a file as `write_new` does, so that a kill at any instant leaves all of it, or nothing under its name.

    It is written beside, under a name that starts with `TEMP_PREFIX`, and linked: that never takes the place of a file.
    A file system without links gets it in place.
    """
    temporary = path.with_name(TEMP_PREFIX + secrets.token_hex(8))
    try:
        write_new(temporary, data, mode)
        try:
            os.link(temporary, path)
        except FileExistsError:
            raise
        except OSError:
            write_new(path, data, mode)
    finally:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)


def write_all(handle: int, data: bytes) -> None:
    """Write all of `data`, however little the system takes at a time."""
    rest = memoryview(data)
    while rest:
        rest = rest[os.write(handle, rest) :]


def sync(handle: int) -> None:
    """Flush a file to the disk itself. A failure is final: the system may have dropped what it could not write."""
    if _FULL_SYNC is not None:
        try:
            fcntl.fcntl(handle, _FULL_SYNC)
        except OSError as error:
            if error.errno not in (errno.ENOTSUP, errno.EINVAL, errno.ENOTTY):
                raise
        else:
            return
    os.fsync(handle)


def sync_folder(folder: Path) -> None:
    """Make the names in a folder durable, where the system can do that."""
    if sys.platform == "win32":
        return
    try:
        handle = os.open(folder, os.O_RDONLY)
        try:
            sync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP, errno.EACCES):
            raise
