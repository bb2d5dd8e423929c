"""Records: how those of one file become one root, and what is known of them all.

The leaf of a record has its size and the digest of its bytes; its number is its place in the tree. What a record is,
its reader says. The **record set root** is the SHA-256 of NS("mltrust/record-set/1"), the number of records as u64, and
the sorted hashes of all their leaves: the same for the same records in any order (`docs/format.md`).
"""

import struct
from collections.abc import Iterator, Sequence
from hashlib import sha256
from itertools import pairwise
from typing import BinaryIO, NamedTuple, Self

from mltrust.core.digest import DIGEST_SIZE
from mltrust.core.leaf import Entry, Kind, Leaf, Records, ns, record_leaves, u64
from mltrust.core.merkle import Crown, leaf_hashes
from mltrust.errors import FormatError, MalformedError

_SET_TAG = ns(b"mltrust/record-set/1")
_SORTED_AT_ONCE = 2**21  # records; each takes 100 bytes while it is sorted
_MANY = 2**25
_SMALL = 8  # bytes: a hash of 32 is kept of each record
_READ = 2**16 * DIGEST_SIZE
_HASH = struct.Struct(f"{DIGEST_SIZE}s")
_SUMMARY = struct.Struct(f">{DIGEST_SIZE}s{DIGEST_SIZE}sQ{DIGEST_SIZE}s{DIGEST_SIZE}s{DIGEST_SIZE}s344s")
_NOTHING = bytes(DIGEST_SIZE)


class Batch(NamedTuple):
    """Records that follow one another: their sizes in bytes and 32-byte digests, and their names where they have any.

    `header` is the digest of what stands once for all records of the file; any batch of a file may bring it.
    """

    sizes: Sequence[int]
    digests: Sequence[bytes]
    names: Sequence[str] | None = None
    header: bytes = b""

    def leaf(self, index: int) -> Leaf:
        """Return the leaf of one record."""
        name = self.names[index] if self.names is not None else ""
        return Leaf(Kind.RECORD, name, self.sizes[index], self.digests[index])

    def hashes(self) -> bytes:
        """Return the hashes of the leaves, 32 bytes each, side by side."""
        if self.names is None:
            return leaf_hashes(record_leaves(self.sizes, self.digests))
        return leaf_hashes(self.leaf(index).data() for index in range(len(self.names)))


class Summary(NamedTuple):
    """All that is known of a file of records once it was read; it packs into `SUMMARY_SIZE` bytes.

    `digest` is that of the file's own bytes. `trouble` says why the file is malformed; the rest is nothing then.
    """

    digest: bytes
    root: bytes = _NOTHING
    records: int = 0
    set_root: bytes = _NOTHING
    header: bytes = b""
    index_root: bytes = b""
    trouble: str = ""

    def pack(self) -> bytes:
        """Return the summary as bytes, the same number for any."""
        trouble = self.trouble.encode("ascii", "backslashreplace")
        return _SUMMARY.pack(*self[:4], self.header or _NOTHING, self.index_root or _NOTHING, trouble)

    @classmethod
    def unpack(cls, data: bytes) -> Self:
        """Return what `pack` packed."""
        digest, root, records, set_root, header, index_root, trouble = _SUMMARY.unpack(data)
        header, index_root = (b"" if part == _NOTHING else part for part in (header, index_root))
        trouble = trouble.rstrip(b"\0").decode("ascii", "replace")
        return cls(digest, root, records, set_root, header, index_root, trouble)

    def entry(self, path: str, size: int, kind: str) -> Entry:
        """Return the entry of the file, whose records are of the format `kind`; `MalformedError` if it is none."""
        if self.trouble:
            raise MalformedError(path, self.trouble, self.digest, hint="--records off reads it as a whole.")
        records = Records(kind, self.set_root, self.header, self.index_root)
        return Entry(Leaf(Kind.RECORDS, path, size, self.digest, self.root, self.records, records=records))


SUMMARY_SIZE = _SUMMARY.size


class RecordTree:
    """Takes the records of a file in order; their hashes go to `kept`, an empty file of 32 bytes a record."""

    def __init__(self, kept: BinaryIO) -> None:
        self._kept = kept
        self._crown = Crown()
        self._header = b""
        self._bytes = 0
        self.size = 0

    def add(self, batch: Batch) -> None:
        """Add records; `FormatError` if there are so many so small ones that their hashes would fill a disk."""
        self.size += len(batch.sizes)
        self._bytes += sum(batch.sizes)
        if self.size > _MANY and self.size * _SMALL > self._bytes:
            raise FormatError("records", f"more than {_MANY:,} records of less than {_SMALL} bytes on average")
        self._header = batch.header or self._header
        hashes = batch.hashes()
        self._crown.extend(hashes)
        self._kept.write(hashes)

    def summary(self, digest: bytes) -> Summary:
        """Return what is known of the file, given the digest of its own bytes."""
        return Summary(digest, self._crown.root, self.size, set_root(self._kept, self.size), self._header)


def set_root(hashes: BinaryIO, size: int) -> bytes:
    """Return the record set root of `size` records, whose hashes stand in a file from its start.

    They are sorted some at a time, by their first two bytes, so that memory stays bounded; few files need two rounds.
    """
    found = sha256(_SET_TAG + u64(size))
    rounds = max(1, -(-size // _SORTED_AT_ONCE))
    bounds = [bytes(divmod(0x10000 * at // rounds, 256)) for at in range(rounds)] + [b"\xff" * (DIGEST_SIZE + 1)]
    for low, high in pairwise(bounds):
        some = [each for block in _blocks(hashes) for each in block if rounds == 1 or low <= each < high]
        some.sort()
        found.update(b"".join(some))
    return found.digest()


def _blocks(hashes: BinaryIO) -> Iterator[list[bytes]]:
    hashes.seek(0)
    while block := hashes.read(_READ):
        yield [each for (each,) in _HASH.iter_unpack(block)]
