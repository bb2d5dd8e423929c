"""Reading and writing whole documents: bounded reads, atomic and durable writes."""

import os
import secrets
import stat
from contextlib import suppress
from pathlib import Path

from mltrust.core.exclusion import TEMP_PREFIX
from mltrust.errors import FormatError, UnreadableError, WriteError

_READ = os.O_RDONLY | getattr(os, "O_BINARY", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_CLOEXEC", 0)
_CREATE = os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0)


def read_document(path: Path, limit: int) -> bytes:
    """Return the content of a regular file of at most `limit` bytes; never block, never read endlessly."""
    try:
        handle = os.open(path, _READ)
        try:
            status = os.fstat(handle)
            if not stat.S_ISREG(status.st_mode):
                raise FormatError(str(path), "is not a regular file")
            if status.st_size > limit:
                raise FormatError(str(path), f"has {status.st_size} bytes, at most {limit} are read")
            with open(handle, "rb", closefd=False) as opened:  # it opens the handle, not a path
                return opened.read(limit)
        finally:
            os.close(handle)
    except OSError as error:
        raise UnreadableError(f"{path}: cannot be read: {error.strerror or error}") from error


def write_atomically(path: Path, data: bytes, *, mode: int = 0o666) -> None:
    """Write `data` so that a kill at any instant leaves the old file or the new one, durably on disk.

    The new file is written beside the old one under a name that starts with `TEMP_PREFIX`, flushed, and
    renamed over it; `mode` is narrowed by the umask.
    """
    temporary = path.with_name(TEMP_PREFIX + secrets.token_hex(8))
    try:
        _write_new(temporary, data, mode)
        temporary.replace(path)
        sync_folder(path.parent)
    except OSError as error:
        with suppress(OSError):
            temporary.unlink(missing_ok=True)
        raise WriteError(f"{path}: cannot be written: {error.strerror or error}") from error


def _write_new(path: Path, data: bytes, mode: int) -> None:
    with open(os.open(path, _CREATE, mode), "wb") as opened:  # noqa: PTH123  # it opens the handle, not a path
        opened.write(data)
        opened.flush()
        os.fsync(opened.fileno())


def sync_folder(folder: Path) -> None:
    """Make a rename in `folder` durable, where folders can be synced."""
    if os.name == "nt":
        return
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)
