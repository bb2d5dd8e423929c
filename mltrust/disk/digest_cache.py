"""A cache of digests: what was hashed once on this machine, by what the file system says of the file.

One file for each artifact and suite, so that reading and writing costs what the artifact costs. It holds two columns,
keys and digests, each packed into one string of bytes: as many Python objects for ten million rows as for one.

A cache is believed by whoever reads it, so only one that is the user's own alone is read. It is also expendable:
whatever is wrong with it, it is passed over with a word, and nothing fails because of it.
"""

import os
import stat
import struct
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from blake3 import blake3

from mltrust.core.digest import DIGEST_SIZE
from mltrust.core.exclusion import TEMP_PREFIX
from mltrust.disk.documents import read_document, write_atomically
from mltrust.errors import MltrustError

KEY_SIZE = 56

_MAGIC = b"mltrust digests\x01"  # the last byte is the version of the layout
_HEADER = struct.Struct(f"<{len(_MAGIC)}s32sQ32s")  # magic, which artifact and suite, rows, BLAKE3 of all the rest
_SUFFIX = ".digests"
_MAX_BYTES = 2**30
_MAX_FILES = 256
_STALE_SECONDS = 24 * 3600  # nobody writes for so long: what is half written after that stays so
_OTHERS_WRITE = stat.S_IWGRP | stat.S_IWOTH


@dataclass(frozen=True)
class Table:
    """Keys of `KEY_SIZE` bytes and the digest of each, in the order in which the files were listed."""

    keys: bytes = b""
    digests: bytes = b""

    def __len__(self) -> int:
        return len(self.keys) // KEY_SIZE

    def as_dict(self) -> dict[bytes, bytes]:
        """Return the digests by key; about 250 bytes a row."""
        return dict(zip(unpacked(self.keys, KEY_SIZE), unpacked(self.digests, DIGEST_SIZE), strict=True))


def unpacked(column: bytes, size: int) -> list[bytes]:
    """Return the values of a column, each of `size` bytes."""
    return [value for (value,) in struct.iter_unpack(f"{size}s", column)]


class DigestCache:
    """Tables in a folder, which is made when something is written.

    `tell` hears why one was passed over. With `reread` nothing that is there is believed, and all is written anew.
    """

    def __init__(
        self, folder: Path | str, tell: Callable[[str], None] = lambda _: None, *, reread: bool = False
    ) -> None:
        self.folder = Path(folder)
        self._tell, self._reread = tell, reread

    def read(self, artifact: str, suite: str) -> Table:
        """Return what is remembered of an artifact; an empty table if that is nothing, or nothing to be trusted."""
        subject = _subject(artifact, suite)
        path = self._path(subject)
        try:
            if self._reread or not os.path.lexists(path):
                return Table()
            _require_own(self.folder, stat.S_ISDIR)
            _require_own(path, stat.S_ISREG)
            table = _parsed(read_document(path, _MAX_BYTES), subject)
        except (OSError, MltrustError, _UnfitError) as error:
            self._tell(f"the digest cache {path} is not used: {error}")
            return Table()
        with suppress(OSError):
            os.utime(path)  # the least recently used go first
        return table

    def write(self, artifact: str, suite: str, table: Table) -> None:
        """Remember `table`, and forget what was not used for long; where that cannot be done, it is not."""
        if len(table) * (KEY_SIZE + DIGEST_SIZE) + _HEADER.size > _MAX_BYTES:
            self._tell(f"the digest cache {self.folder} is not written: too many files")
            return
        subject = _subject(artifact, suite)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            _require_own(self.folder, stat.S_ISDIR)
            # What a crash makes of it is noticed by its checksum.
            write_atomically(self._path(subject), _packed(table, subject), mode=0o600, durable=False)
            self._prune()
        except (OSError, MltrustError, _UnfitError) as error:
            self._tell(f"the digest cache {self.folder} is not written: {error}")

    def _path(self, subject: bytes) -> Path:
        return self.folder / (subject.hex() + _SUFFIX)

    def _prune(self) -> None:
        """Remove the least recently used tables beyond the bounds, and what killed writers left; nothing else."""
        tables, room = [], _MAX_BYTES
        with os.scandir(self.folder) as items:
            for item in items:
                found = item.stat(follow_symlinks=False)
                if item.name.endswith(_SUFFIX):
                    tables.append((found.st_mtime_ns, found.st_size, item.path))
                elif item.name.startswith(TEMP_PREFIX) and time.time() - found.st_mtime > _STALE_SECONDS:
                    _remove(item.path)
        for number, (_, size, path) in enumerate(sorted(tables, reverse=True)):
            room -= size
            if number >= _MAX_FILES or room < 0:
                _remove(path)


class _UnfitError(Exception):
    """A cache that is not to be trusted; the message says why."""


def _subject(artifact: str, suite: str) -> bytes:
    return blake3(os.fsencode(f"{suite}\0{artifact}")).digest()


def _require_own(path: Path, is_kind: Callable[[int], bool]) -> None:
    """Refuse what is a link, another's, or open to the writing of others."""
    if os.name != "posix":  # neither owners nor the time of the last change, on which all of this rests
        raise _UnfitError("this system does not say who owns it")
    found = path.lstat()
    if not is_kind(found.st_mode):
        raise _UnfitError(f"{path} is a link or something else that does not belong there")
    if found.st_uid != os.geteuid() or found.st_mode & _OTHERS_WRITE:
        raise _UnfitError(f"others than you can write {path}")


def _packed(table: Table, subject: bytes) -> tuple[bytes, ...]:
    checksum = _checksum(subject, len(table), table.keys, table.digests)
    return _HEADER.pack(_MAGIC, subject, len(table), checksum), table.keys, table.digests


def _parsed(data: bytes, subject: bytes) -> Table:
    if len(data) < _HEADER.size or not data.startswith(_MAGIC):
        raise _UnfitError("not written by this version of mltrust")
    _, whose, rows, checksum = _HEADER.unpack_from(data)
    if whose != subject or len(data) != _HEADER.size + rows * (KEY_SIZE + DIGEST_SIZE):
        raise _UnfitError("it is damaged")
    middle = _HEADER.size + rows * KEY_SIZE
    table = Table(data[_HEADER.size : middle], data[middle:])
    if _checksum(subject, rows, table.keys, table.digests) != checksum:
        raise _UnfitError("it is damaged")
    return table


def _checksum(subject: bytes, rows: int, keys: bytes, digests: bytes) -> bytes:
    """Tell damage; not tampering, against which there are only the permissions."""
    hasher = blake3(_MAGIC + subject + rows.to_bytes(8, "little"))
    hasher.update(keys)
    return hasher.update(digests).digest()


def _remove(path: str) -> None:
    with suppress(OSError):
        os.unlink(path)  # noqa: PTH108  # a name of scandir's
