"""The salts of a blinded seal: a file of its own beside it, for its owner's eyes alone.

A line of 16 bytes, `mltrust salts 1` and a line break, then 32 bytes a record: the files in the order of the manifest,
the records of each in theirs. An erased salt is 32 zero bytes, written over the old ones where those stood: a salt must
not be left in another file.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path
from typing import BinaryIO

from mltrust.core.blinding import NO_SALT, Salts, Take
from mltrust.core.leaf import SALT_SIZE
from mltrust.core.manifest import Manifest
from mltrust.disk.documents import reading, sync, write_all, write_atomically
from mltrust.errors import FormatError, WriteError

MAGIC = b"mltrust salts 1\n"

_OWNER_ONLY = 0o600
_BLOCK = 2**16  # salts written at a time
_WRITE = os.O_RDWR | getattr(os, "O_BINARY", 0) | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NOFOLLOW", 0)


@dataclass(frozen=True)
class KeptSalts:
    """The salts of one file: `count` of them, from the one numbered `start` in the file at `path`."""

    path: Path
    start: int
    count: int
    in_all: int

    @contextmanager
    def opened(self) -> Iterator[Take]:
        """Open the file; `FormatError` unless it holds exactly the salts it has to."""
        with _opened(self.path, self.in_all) as salts:

            def take(start: int, count: int) -> bytes:
                salts.seek(_offset(self.start + start))
                return salts.read(max(0, min(count, self.count - start)) * SALT_SIZE)

            yield take


def kept_salts(path: Path, manifest: Manifest) -> dict[str, KeptSalts]:
    """Return the salts at `path` by the files of a blinded seal; `FormatError` if they cannot be those of it."""
    leaves = manifest.blinded
    *starts, in_all = accumulate((leaf.child_size for leaf in leaves), initial=0)
    with _opened(path, in_all):
        pass
    return {
        leaf.name: KeptSalts(path, start, leaf.child_size, in_all) for leaf, start in zip(leaves, starts, strict=True)
    }


def write_salts(path: Path, blocks: Iterable[bytes]) -> None:
    """Write a new file of salts, given side by side."""
    write_atomically(path, _with_magic(blocks), mode=_OWNER_ONLY)


def blocks_of(salts: Salts, count: int) -> Iterator[bytes]:
    """Yield `count` salts of a file, side by side, some at a time."""
    with salts.opened() as take:
        for start in range(0, count, _BLOCK):
            yield take(start, min(_BLOCK, count - start))


def erase_salts(salts: KeptSalts, indexes: Iterable[int]) -> None:
    """Overwrite the salts of some records where they stand, durably."""
    try:
        handle = os.open(salts.path, _WRITE)
        try:
            for index in indexes:
                os.lseek(handle, _offset(salts.start + index), os.SEEK_SET)
                write_all(handle, NO_SALT)
            sync(handle)
        finally:
            os.close(handle)
    except OSError as error:
        raise WriteError(f"{salts.path}: cannot be written: {error.strerror or error}") from error


def salts_left(salts: KeptSalts, indexes: Iterable[int]) -> list[int]:
    """Return those of some records, by index, whose salts are not erased."""
    with salts.opened() as take:
        return [index for index in indexes if take(index, 1) != NO_SALT]


def _with_magic(blocks: Iterable[bytes]) -> Iterator[bytes]:
    yield MAGIC
    yield from blocks


def _offset(number: int) -> int:
    return len(MAGIC) + number * SALT_SIZE


@contextmanager
def _opened(path: Path, count: int) -> Iterator[BinaryIO]:
    with reading(path, _offset(count)) as opened:
        size = os.fstat(opened.fileno()).st_size
        if opened.read(len(MAGIC)) != MAGIC or size != _offset(count):
            raise FormatError(str(path), f"does not hold the salts of this seal: not {_offset(count):,} bytes of them")
        yield opened
