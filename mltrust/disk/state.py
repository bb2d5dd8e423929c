"""State that survives a crash: what anchors keep, written, synced and locked in one place.

Whatever the operating system refuses becomes an `AnchorError`. A failed fsync is final: the system may have dropped
what it could not write, so trying again on the same file would lie.
"""

import errno
import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from mltrust.disk import documents
from mltrust.errors import AnchorError

# Windows would write \n as \r\n. A link or a pipe planted under the name of a file is neither followed nor waited for.
_FLAGS = getattr(os, "O_BINARY", 0) | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_NONBLOCK", 0)
_POLL_SECONDS = 0.01
_HINTS = {
    errno.ENOSPC: "Free some space and run it again; nothing published is lost.",
    errno.EDQUOT: "Free some space and run it again; nothing published is lost.",
    errno.EROFS: "Name a folder that can be written.",
    errno.EACCES: "Name a folder you may read and write.",
    errno.EPERM: "Name a folder you may read and write.",
    errno.ENOENT: "Create the parent folder first.",
    errno.ENOTDIR: "Name a folder, not a file.",
    errno.ELOOP: "A link stands where a plain file belongs; remove the link.",
}


@contextmanager
def doing(what: str) -> Iterator[None]:
    """Turn an `OSError` raised while doing `what` into an `AnchorError` with a hint."""
    try:
        yield
    except OSError as error:
        hint = _HINTS.get(error.errno or 0, "Nothing published is lost; run it again once the cause is mended.")
        raise AnchorError(f"could not {what}: {error.strerror or error}", hint=hint) from error


def read(path: Path, limit: int) -> bytes | None:
    """Return the content of a regular file of at most `limit` bytes; None if there is none."""
    found = read_with_status(path, limit)
    return None if found is None else found[0]


def read_with_status(path: Path, limit: int) -> tuple[bytes, os.stat_result] | None:
    """Return what `read` does, and the status of that very file, whatever is under its name by now."""
    with doing(f"read {path}"):
        try:
            descriptor = os.open(path, os.O_RDONLY | _FLAGS)
        except FileNotFoundError:
            return None
        with os.fdopen(descriptor, "rb") as file:
            found = os.fstat(descriptor)
            if not stat.S_ISREG(found.st_mode):
                raise AnchorError(f"could not read {path}: not a regular file")
            if found.st_size > limit:
                raise AnchorError(f"could not read {path}: larger than {limit} bytes")
            return file.read(found.st_size), found


def status(path: Path) -> os.stat_result | None:
    """Return what the system says of a file, of a link itself; None if there is none."""
    with doing(f"look at {path}"):
        try:
            return path.lstat()
        except FileNotFoundError:
            return None


def make_folder(path: Path, mode: int = 0o777, *, parents: bool = False) -> None:
    """Create a folder durably unless it is there."""
    with doing(f"create {path}"):
        if not path.is_dir():
            path.mkdir(mode, parents=parents, exist_ok=True)
            sync_folder(path.parent)


def create(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write a new file durably; one that is there already is an `AnchorError`. A crash may leave a part of it."""
    with doing(f"write {path}"):
        documents.write_new(path, data, mode)
        documents.sync_folder(path.parent)


def replace(path: Path, data: bytes) -> None:
    """Write a file durably in one step: a crash leaves the old file or the new one. The caller holds a lock."""
    temporary = path.with_name(path.name + ".tmp")
    with doing(f"write {path}"):
        temporary.unlink(missing_ok=True)
        create(temporary, data)
        temporary.replace(path)
        sync_folder(path.parent)


def rewrite_tail(path: Path, offset: int, data: bytes) -> None:
    """Make the bytes from `offset` on be `data`, durably; nothing before `offset` is touched."""
    with doing(f"write {path}"):
        descriptor = os.open(path, os.O_WRONLY | _FLAGS)
        try:
            if os.fstat(descriptor).st_size > offset + len(data):
                os.ftruncate(descriptor, offset + len(data))
            os.lseek(descriptor, offset, os.SEEK_SET)
            documents.write_all(descriptor, data)
            documents.sync(descriptor)
        finally:
            os.close(descriptor)


def sync_folder(path: Path) -> None:
    """Make the names in a folder durable, where the system can do that."""
    with doing(f"sync {path}"):
        documents.sync_folder(path)


@contextmanager
def locked(path: Path, timeout: float) -> Iterator[None]:
    """Hold the lock file `path`; `AnchorError` if another process does for longer than `timeout` seconds.

    The operating system frees the lock of a process that dies; the file stays and means nothing by itself.
    """
    from filelock import FileLock, Timeout  # only now: who reads a key locks nothing

    with doing(f"lock {path}"):
        if path.is_symlink():  # some versions of filelock would empty the file it leads to
            raise OSError(errno.ELOOP, os.strerror(errno.ELOOP))
        lock = FileLock(path, timeout=timeout)
        try:
            lock.acquire(poll_interval=_POLL_SECONDS)
        except Timeout as error:
            hint = "Another mltrust is writing there. Nothing is lost; run it again when that is done."
            raise AnchorError(f"could not lock {path} within {timeout:g} s", hint=hint) from error
    try:
        yield
    finally:
        with doing(f"unlock {path}"):
            lock.release()
