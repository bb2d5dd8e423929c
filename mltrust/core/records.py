"""Records: how those of one file become one root, and what is known of them all.

The leaf of a record has its size and the digest of its bytes; its number is its place in the tree. What a record is,
its reader says. The **record set root** is the SHA-256 of NS("mltrust/record-set/1"), the number of records as u64, and
the sorted hashes of all their leaves: the same for the same records in any order (`docs/format.md`).
"""

import struct
from collections.abc import Callable, Iterable, Iterator, Sequence
from hashlib import sha256
from heapq import merge
from itertools import chain, islice
from typing import BinaryIO, NamedTuple, Self

from mltrust.core.digest import DIGEST_SIZE
from mltrust.core.leaf import SALT_SIZE, Entry, Kind, Leaf, Records, blinded_leaves, ns, record_leaves, u64
from mltrust.core.merkle import Crown, leaf_hashes
from mltrust.errors import FormatError, MalformedError

MAX_RECORD = 2**26
"""Bytes of the largest record: one has to be in memory as a whole."""

_SET_TAG = ns(b"mltrust/record-set/1")
_RUN = 2**20 * DIGEST_SIZE  # sorted at once; a hash takes 100 bytes meanwhile
_MANY = 2**25
_SMALL = 8  # bytes: a hash of 32 is kept of each record
_BLOCK = 2**12  # hashes read at a time
_HASH = struct.Struct(f"{DIGEST_SIZE}s")
_SUMMARY = struct.Struct(f">{DIGEST_SIZE}s{DIGEST_SIZE}sQ{DIGEST_SIZE}s{DIGEST_SIZE}s{DIGEST_SIZE}s344s")
_NOTHING = bytes(DIGEST_SIZE)
_OFF = "--records off reads all such files as a whole; --exclude leaves this one out."


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

    def part(self, start: int, stop: int) -> "Batch":
        """Return the records from index `start` up to `stop`."""
        if (start, stop) == (0, len(self.sizes)):
            return self
        names = None if self.names is None else self.names[start:stop]
        return Batch(self.sizes[start:stop], self.digests[start:stop], names, self.header)

    def blinded(self, salts: bytes) -> Iterator[bytes]:
        """Yield the data of the leaves, each with its salt out of `salts`, 32 bytes a record side by side."""
        if self.names is None:
            yield from blinded_leaves(self.sizes, self.digests, salts)
        else:
            for index in range(len(self.sizes)):
                salt = salts[index * SALT_SIZE : (index + 1) * SALT_SIZE]
                yield self.leaf(index)._replace(salt=salt).data()


class Summary(NamedTuple):
    """All that is known of a file of records once it was read; it packs into `SUMMARY_SIZE` bytes.

    `digest` is that of the file's own bytes, and nothing where they are blinded. `trouble` says why the file is
    malformed; the rest is nothing then.
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

    def entry(self, path: str, size: int, kind: str, *, blinded: bool = False) -> Entry:
        """Return the entry of the file, whose records are of the format `kind`; `MalformedError` if it is none."""
        if self.trouble:
            raise MalformedError(path, self.trouble, self.digest, hint=_OFF)
        records = Records(kind, self.set_root, self.header, self.index_root, blinded)
        digest = b"" if blinded else self.digest
        return Entry(Leaf(Kind.RECORDS, path, size, digest, self.root, self.records, records=records))


SUMMARY_SIZE = _SUMMARY.size


class RecordTree:
    """Takes the records of a file in order; their hashes go to `kept`, an empty file of 32 bytes a record.

    Records without names get an index as well where there is an empty file `to_index`, of 32 bytes a record, for their
    digests. `hashed` makes the hashes of their leaves.
    """

    def __init__(
        self, kept: BinaryIO, to_index: BinaryIO | None = None, hashed: Callable[[Batch], bytes] = Batch.hashes
    ) -> None:
        self._kept, self._to_index, self._hashed = kept, to_index, hashed
        self._crown = Crown()
        self._header = b""
        self._read = self._bytes = 0
        self.size = 0

    def add(self, batch: Batch) -> None:
        """Add records; `FormatError` if there are so many so small ones that their hashes would fill a disk."""
        self._read += len(batch.sizes)
        self._bytes += sum(batch.sizes)
        if self._read > _MANY and self._read * _SMALL > self._bytes:
            raise FormatError("records", f"more than {_MANY:,} records of less than {_SMALL} bytes on average")
        self._header = batch.header or self._header
        if batch.names is not None:  # one asks by bytes alone whether a record is there
            self._to_index = None
        if self._to_index is not None:
            self._to_index.write(b"".join(batch.digests))
        self.add_hashes(self._hashed(batch))

    def add_hashes(self, hashes: bytes) -> None:
        """Add records by the hashes of their leaves, side by side."""
        self.size += len(hashes) // DIGEST_SIZE
        self._crown.extend(hashes)
        self._kept.write(hashes)

    def summary(self, digest: bytes) -> Summary:
        """Return what is known of the file, given the digest of its own bytes."""
        found = sha256(_SET_TAG + u64(self.size))
        for some in _sorted(self._kept, self.size):
            found.update(b"".join(some))
        return Summary(digest, self._crown.root, self.size, found.digest(), self._header, self._index_root())

    def _index_root(self) -> bytes:
        from mltrust.core.record_index import IndexCrown

        if self._to_index is None:
            return b""
        index = IndexCrown()
        for some in _sorted(self._to_index, self.size):
            index.extend(some)
        return index.root


def _sorted(hashes: BinaryIO, size: int) -> Iterator[list[bytes]]:
    """Yield, some at a time and sorted, the `size` hashes that a file consists of.

    Too many for memory are sorted in runs, which stand behind them in the file for a while, and merged: that memory
    stays bounded does not depend on the hashes, which may all be equal, or have been chosen.
    """
    end = size * DIGEST_SIZE
    runs = [(start, min(start + _RUN, end)) for start in range(0, end, _RUN)]
    if len(runs) <= 1:
        yield from _in_order(_blocks(hashes, 0, end))
        return
    for start, stop in runs:
        run = _in_order(_blocks(hashes, start, stop))
        first = next(run)  # now all of them have been read
        hashes.seek(end + start)
        hashes.writelines(b"".join(some) for some in chain((first,), run))
    merged = merge(*(chain.from_iterable(_blocks(hashes, end + start, end + stop)) for start, stop in runs))
    while block := list(islice(merged, _BLOCK)):
        yield block
    hashes.truncate(end)


def _in_order(blocks: Iterable[list[bytes]]) -> Iterator[list[bytes]]:
    """Yield hashes sorted; by their first byte first, for short lists are sorted in half the time."""
    bins: list[list[bytes]] = [[] for _ in range(256)]
    for each in chain.from_iterable(blocks):
        bins[each[0]].append(each)
    for some in bins:
        some.sort()
        yield some


def _blocks(hashes: BinaryIO, start: int, stop: int) -> Iterator[list[bytes]]:
    """Yield the hashes that stand from byte `start` to `stop` of a file, which others may read in between."""
    size = _BLOCK * DIGEST_SIZE
    for at in range(start, stop, size):
        hashes.seek(at)
        yield [each for (each,) in _HASH.iter_unpack(hashes.read(min(size, stop - at)))]
