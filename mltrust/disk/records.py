"""Where the hashes of records are kept: while an artifact is read, in a folder; beside a seal, in a record store.

A record store is a line of 16 bytes, `mltrust store 1` and a line break, then 32 bytes a record: the files of records
in the order of the manifest, the records of each in theirs. Nobody vouches for it. Its hashes are believed where they
lead to the record root that the seal states.
"""

import os
from collections.abc import Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from hashlib import sha256
from itertools import accumulate
from mmap import ACCESS_READ, mmap
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Protocol

from mltrust.core.digest import DIGEST_SIZE
from mltrust.core.leaf import Leaf
from mltrust.core.manifest import Manifest
from mltrust.core.merkle import Crown
from mltrust.disk.documents import reading, write_atomically
from mltrust.errors import FormatError, UnreadableError

MAGIC = b"mltrust store 1\n"

_FOREIGN = "the record store does not belong to this seal"
_BLOCK = 2**15 * DIGEST_SIZE


class RecordHashes(Protocol):
    """The hashes of records of the files of one artifact."""

    def of(self, leaf: Leaf) -> AbstractContextManager[memoryview]:
        """Open those of a file of records, 32 bytes each side by side; `UnreadableError` if they are not here."""


def kept_in(folder: Path, path: str) -> Path:
    """Return where in `folder` the hashes of the records of the file `path` are left while an artifact is read."""
    return folder / sha256(path.encode("utf-8")).hexdigest()


@dataclass(frozen=True)
class KeptHashes:
    """What readers left in a folder of ours."""

    folder: Path

    @contextmanager
    def of(self, leaf: Leaf) -> Iterator[memoryview]:
        """Open the hashes of one file."""
        size = leaf.child_size * DIGEST_SIZE
        with _sized(kept_in(self.folder, leaf.name), size) as opened, _mapped(opened, size) as hashes:
            yield hashes


@dataclass(frozen=True)
class HashesOf:
    """The hashes of an artifact of one file, whatever name they are asked for under."""

    hashes: RecordHashes
    path: str

    def of(self, leaf: Leaf) -> AbstractContextManager[memoryview]:
        """Open those of the one file."""
        return self.hashes.of(leaf._replace(name=self.path))


@dataclass(frozen=True)
class RecordStore:
    """A record store that has the right size; `starts` are where the hashes of a file begin, by its path."""

    path: Path
    starts: dict[str, int]
    size: int

    @classmethod
    def opened(cls, path: Path, manifest: Manifest) -> "RecordStore":
        """Open the store at `path`; `FormatError` if it cannot be that of a seal with this manifest."""
        leaves = manifest.record_files
        *starts, size = accumulate((leaf.child_size * DIGEST_SIZE for leaf in leaves), initial=len(MAGIC))
        with reading(path, 2**63) as opened:
            if opened.read(len(MAGIC)) != MAGIC:
                raise FormatError(str(path), "is no record store")
            if (found := os.fstat(opened.fileno()).st_size) != size:
                raise FormatError(str(path), f"{_FOREIGN}: {found:,} bytes, not {size:,}")
        return cls(path, {leaf.name: start for leaf, start in zip(leaves, starts, strict=True)}, size)

    @contextmanager
    def of(self, leaf: Leaf) -> Iterator[memoryview]:
        """Open the hashes of one file: a copy, checked against the root in its leaf, that nobody else can change."""
        with TemporaryFile(prefix="mltrust-") as copy:
            self._copy(leaf, copy)
            with _mapped(copy, leaf.child_size * DIGEST_SIZE) as hashes:
                yield hashes

    def _copy(self, leaf: Leaf, copy: IO[bytes]) -> None:
        crown, left = Crown(), leaf.child_size * DIGEST_SIZE
        with _sized(self.path, self.size) as opened:
            opened.seek(self.starts[leaf.name])
            while block := opened.read(min(_BLOCK, left)):
                left -= len(block)
                crown.extend(block)
                _keep(block, copy)
            _keep(b"", copy)
            if left or crown.root != leaf.child_root:
                raise FormatError(str(self.path), f"{_FOREIGN}: it has other rows of {ascii(leaf.name)[:80]}")


def write_store(path: Path, leaves: Iterable[Leaf], hashes: RecordHashes) -> None:
    """Write the `hashes` of files of records in one step."""
    write_atomically(path, _store(leaves, hashes))


def _store(leaves: Iterable[Leaf], hashes: RecordHashes) -> Iterator[bytes]:
    yield MAGIC
    for leaf in leaves:
        with hashes.of(leaf) as found:
            for at in range(0, len(found), _BLOCK):
                yield bytes(found[at : at + _BLOCK])


@contextmanager
def _sized(path: Path, size: int) -> Iterator[IO[bytes]]:
    """Open a file of exactly `size` bytes."""
    with reading(path, size) as opened:
        if (found := os.fstat(opened.fileno()).st_size) != size:
            raise FormatError(str(path), f"{found:,} bytes of hashes, not {size:,}")
        yield opened


def _keep(block: bytes, copy: IO[bytes]) -> None:
    """Add a block to the copy; the last one is empty."""
    try:
        copy.write(block) if block else copy.flush()
    except OSError as error:
        raise UnreadableError(f"no room for a copy of the record store: {error.strerror or error}") from error


@contextmanager
def _mapped(opened: IO[bytes], size: int) -> Iterator[memoryview]:
    """Map a file of ours of `size` bytes into memory; whoever cuts one that is mapped ends the process."""
    if not size:  # nothing cannot be mapped
        yield memoryview(b"")
        return
    with _map(opened, size) as mapped, memoryview(mapped) as view:
        yield view


def _map(opened: IO[bytes], size: int) -> mmap:
    try:
        return mmap(opened.fileno(), size, access=ACCESS_READ)
    except (OSError, ValueError) as error:  # the last one: it is shorter by now
        raise UnreadableError(f"hashes of records cannot be mapped into memory: {error}") from error
