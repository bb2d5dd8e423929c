"""The manifest: the sorted list of everything an artifact is made of.

Files read as a whole are kept in columns, since there may be tens of millions; only what has parts is an object.
"""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from mltrust.core.columns import Columns, Files, View
from mltrust.core.content import content_root
from mltrust.core.digest import DIGEST_SIZE
from mltrust.core.leaf import Entry, Kind, Leaf, file_entry, ns, safetensors_entry, u64
from mltrust.core.merkle import Crown, Tree, leaf_hash
from mltrust.core.names import collisions

__all__ = ["Entry", "Kind", "Leaf", "Manifest", "ManifestBuilder", "file_entry", "ns", "safetensors_entry", "u64"]

_BLOCK = 4096  # files unpacked at a time
_MAX_STRIDE = 2**16  # files compared at a time


@dataclass(frozen=True, eq=False)
class Manifest:
    """The entries of an artifact, sorted by path, each path once. `ManifestBuilder` makes one.

    All of them have a SHA-256, or none. It is part of no root but one of its own, and two manifests are equal with it
    or without: they are compared by what the leaves say.
    """

    __hash__ = None  # type: ignore[assignment]  # to hash one would cost a walk through all of it

    _columns: Columns = field(default_factory=Columns)
    _others: Mapping[int, Entry] = field(default_factory=dict)  # by index, what is more than a column says

    @classmethod
    def of(cls, entries: Iterable[Entry]) -> "Manifest":
        """Sort `entries`; two of one path are refused."""
        builder = ManifestBuilder()
        for entry in sorted(entries, key=lambda entry: entry.path):  # as their UTF-8 bytes sort
            builder.add(entry)
        return builder.build()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Manifest):
            return NotImplemented
        blocks = ((at, min(_MAX_STRIDE, self.size - at)) for at in range(0, self.size, _MAX_STRIDE))
        return (
            self.size == other.size
            and all(self._columns.same(at, other._columns, at, count) for at, count in blocks)
            and self._others == other._others
        )

    @property
    def entries(self) -> Sequence[Entry]:
        """The entries, made when they are asked for."""
        return View(self.size, self.entry, self._walk)

    @property
    def paths(self) -> Sequence[str]:
        """The paths, made when they are asked for."""
        return View(self.size, self._columns.path, self._columns.walk_paths)

    def collisions(self) -> list[list[str]]:
        """Group the paths that some file systems would confuse."""
        return [] if self._columns.folded() else collisions(self.paths)

    def _walk(self) -> Iterator[Entry]:
        for piece in self.pieces():
            yield from piece.entries() if isinstance(piece, Files) else (piece,)

    def pieces(self) -> Iterator[Files | Entry]:
        """Yield everything in order: files read as a whole by the block, all else one by one."""
        start = 0
        for index in (*self._others, self.size):
            for at in range(start, index, _BLOCK):
                yield self._columns.files(at, min(at + _BLOCK, index))
            if index < self.size:
                yield self.entry(index)
            start = index + 1

    def tree(self) -> Tree:
        """Return the tree over the files."""
        tree = Tree()
        for hashes in self._hashes():
            tree.extend(hashes)
        return tree

    def _hashes(self) -> Iterator[bytes]:
        for piece in self.pieces():
            yield piece.hashes() if isinstance(piece, Files) else leaf_hash(piece.leaf.data())

    @cached_property
    def root(self) -> bytes:
        """The root over every byte of every file."""
        crown = Crown()
        for hashes in self._hashes():
            crown.extend(hashes)
        return crown.root

    @property
    def has_sha256(self) -> bool:
        """Whether there is a SHA-256 of every file."""
        return self._columns.has_sha256

    @property
    def sha256s(self) -> Sequence[bytes]:
        """The SHA-256s of the files, in order, made when they are asked for; none where there are none."""
        size = self.size if self.has_sha256 else 0
        return View(size, self._columns.sha256, lambda: map(self._columns.sha256, range(size)))

    @cached_property
    def sha256_root(self) -> bytes | None:
        """The root over every file as a whole, by its SHA-256; None where there are none."""
        if not self.has_sha256:
            return None
        crown = Crown()
        for at in range(0, self.size, _BLOCK):
            files = self._columns.files(at, min(at + _BLOCK, self.size))
            crown.extend(files._replace(digests=files.sha256s).hashes())
        return crown.root

    def with_roots_of(self, equal: "Manifest") -> "Manifest":
        """Return the same, which need not work out the roots that an equal manifest has worked out."""
        manifest = Manifest(self._columns, self._others)
        vars(manifest).update((name, vars(equal)[name]) for name in ("root", "content_root") if name in vars(equal))
        return manifest

    @cached_property
    def content_root(self) -> bytes | None:
        """The root over all tensors and metadata, whatever files hold them; None where no tensors are."""
        return content_root(self._others.values()) if self.tensors else None

    @property
    def size(self) -> int:
        """The number of files."""
        return len(self._columns)

    @cached_property
    def bytes(self) -> int:
        """The number of bytes in all files."""
        return sum(self._columns.sizes)

    @cached_property
    def tensors(self) -> int:
        """The number of tensors in all files."""
        return sum(1 for entry in self._others.values() for _ in entry.tensors())

    @cached_property
    def records(self) -> int:
        """The number of records in all files."""
        return sum(entry.leaf.child_size for entry in self._others.values() if entry.leaf.kind is Kind.RECORDS)

    @property
    def indexed(self) -> bool:
        """Whether there is a record index for the records of any file."""
        return any(entry.leaf.records is not None and entry.leaf.records.index_root for entry in self._others.values())

    def unindexed(self) -> "Manifest":
        """Return the same without record indexes: what two sides are compared by if only one has them."""
        bare = dict(self._others)
        for at, entry in bare.items():
            if entry.leaf.records is not None:
                leaf = entry.leaf._replace(records=entry.leaf.records._replace(index_root=b""))
                bare[at] = entry._replace(leaf=leaf)
        return Manifest(self._columns, bare)

    @property
    def record_files(self) -> list[Leaf]:
        """The leaves of the files of records, in order."""
        return [entry.leaf for entry in self._others.values() if entry.leaf.records is not None]

    @property
    def blinded(self) -> list[Leaf]:
        """The leaves of the files whose records are blinded, in order."""
        return [leaf for leaf in self.record_files if leaf.records is not None and leaf.records.blinded]

    def entry(self, index: int) -> Entry:
        """Return one entry."""
        columns, sha256 = self._columns, self._columns.sha256(index)
        if (found := self._others.get(index)) is not None:
            return found._replace(sha256=sha256) if sha256 else found
        return file_entry(columns.path(index), columns.sizes[index], columns.digest(index), sha256)

    def find(self, path: str) -> tuple[int, Entry] | None:
        """Return the index and the entry of `path`, or None."""
        index = self._columns.find(path)
        return None if index is None else (index, self.entry(index))

    def differing(self, other: "Manifest") -> Iterator[tuple[Entry | None, Entry | None]]:
        """Yield, by path, the entries here and there whose leaves differ, or that only one side has.

        Both are walked side by side, in strides that grow while nothing differs.
        """
        here = there = 0
        stride = _MAX_STRIDE
        while here < self.size and there < other.size:
            count = min(stride, self.size - here, other.size - there)
            if self._same(here, other, there, count):
                here, there, stride = here + count, there + count, min(2 * count, _MAX_STRIDE)
            elif count > 1:
                stride = count // 2
            else:
                one, two = self.entry(here), other.entry(there)
                yield (one if one.path <= two.path else None), (two if two.path <= one.path else None)
                here, there = here + (one.path <= two.path), there + (two.path <= one.path)
        yield from ((self.entry(index), None) for index in range(here, self.size))
        yield from ((None, other.entry(index)) for index in range(there, other.size))

    def _same(self, here: int, other: "Manifest", there: int, count: int) -> bool:
        if not self._columns.same(here, other._columns, there, count):
            return False
        return self._leaves_of_others(here, count) == other._leaves_of_others(there, count)

    def _leaves_of_others(self, start: int, count: int) -> list[tuple[int, Leaf]]:
        places = self._places[bisect_left(self._places, start) : bisect_left(self._places, start + count)]
        return [(place - start, self._others[place].leaf) for place in places]

    @cached_property
    def _places(self) -> list[int]:
        return list(self._others)

    def homes(self, wanted: Collection[Leaf]) -> dict[Leaf, str]:
        """Return, of the nameless leaves `wanted`, those that are here, each with the last path that has it."""
        left: dict[bytes, set[Leaf]] = {}
        for leaf in wanted:
            left.setdefault(_column_digest(leaf), set()).add(leaf)
        found: dict[Leaf, str] = {}
        for index, digest in self._columns.backwards():
            if not left:
                break
            if digest in left:
                entry = self.entry(index)
                leaf = entry.leaf.nameless()
                if leaf in left[digest]:
                    found[leaf] = entry.path
                    left[digest].remove(leaf)
                    if not left[digest]:
                        del left[digest]
        return found


class ManifestBuilder:
    """Takes entries in the order of their paths; what is out of order, or not what it should be, is a `FormatError`.

    `eager` hashes each entry as it comes, so that the root costs nothing at the end; `where` is for errors.
    """

    def __init__(self, *, eager: bool = False, where: str = "manifest") -> None:
        self._where = where
        self._columns = Columns(where)
        self._others: dict[int, Entry] = {}
        self._crown = Crown() if eager else None

    @property
    def size(self) -> int:
        """The number of entries so far."""
        return len(self._columns)

    def add_files(
        self, paths: Sequence[str], sizes: Sequence[int], digests: Sequence[bytes], sha256s: Sequence[bytes] = ()
    ) -> None:
        """Add files read as a whole: paths, sizes in bytes, 32-byte digests and perhaps SHA-256s, side by side."""
        files = Files(paths, sizes, digests, sha256s)
        self._columns.extend(files)
        if self._crown is not None:
            self._crown.extend(files.hashes())

    def add(self, entry: Entry) -> None:
        """Add one entry of any kind."""
        leaf, digest = entry.leaf, _column_digest(entry.leaf)
        files = Files((leaf.name,), (leaf.size,), (digest,), (entry.sha256,) if entry.sha256 else ())
        if entry == file_entry(leaf.name, leaf.size, digest, entry.sha256):
            self.add_files(*files)
            return
        self._columns.extend(files)
        self._others[len(self._columns) - 1] = entry._replace(sha256=b"")  # which stands in its column
        if self._crown is not None:
            self._crown.extend(leaf_hash(leaf.data()))

    def build(self) -> Manifest:
        """Return the manifest; the builder starts anew."""
        manifest = Manifest(self._columns, self._others)
        if self._crown is not None:
            vars(manifest)["root"] = self._crown.root  # where `cached_property` looks first
        self.__init__(eager=self._crown is not None, where=self._where)  # type: ignore[misc]  # a built manifest never changes
        return manifest


def _column_digest(leaf: Leaf) -> bytes:
    """Return what stands for a leaf in the column of digests."""
    return (leaf.digest or leaf.child_root).ljust(DIGEST_SIZE, b"\0")[:DIGEST_SIZE]
