"""Files in columns: millions of them cost the bytes of their paths, and fifty more each."""

import struct
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, islice, pairwise
from operator import eq, lt
from typing import NamedTuple, TypeVar, overload

from mltrust.core.digest import DIGEST_SIZE
from mltrust.core.leaf import Entry, file_entry, file_leaves
from mltrust.core.merkle import leaf_hashes
from mltrust.errors import FormatError

_BLOCK = 4096  # files unpacked at a time
_DIGEST = struct.Struct(f"{DIGEST_SIZE}s")

T = TypeVar("T")


class Files(NamedTuple):
    """Some files read as a whole: their paths, sizes in bytes and 32-byte digests, side by side.

    So are the SHA-256s of their bytes, 32 bytes each, or there are none.
    """

    paths: Sequence[str]
    sizes: Sequence[int]
    digests: Sequence[bytes]
    sha256s: Sequence[bytes] = ()

    def entries(self) -> Iterator[Entry]:
        """Make their entries."""
        return map(file_entry, *(self if self.sha256s else self[:3]))

    def hashes(self) -> bytes:
        """Return the hashes of their leaves, side by side."""
        return leaf_hashes(file_leaves(map(str.encode, self.paths), self.sizes, self.digests))


class Columns:
    """Paths in the order of their UTF-8 bytes, each once; and a size and a digest for each.

    There is a SHA-256 for each, too, or for none.
    """

    def __init__(self, where: str = "manifest") -> None:
        self._where = where
        self._names = bytearray()  # each ends with NUL, so that equal bytes are equal paths
        self._ends = array("Q")  # of the names, NULs not counted
        self.sizes = array("Q")
        self._digests = bytearray()
        self._sha256s = bytearray()
        self._last: str | None = None

    def __len__(self) -> int:
        return len(self.sizes)

    @property
    def has_sha256(self) -> bool:
        """Whether there is a SHA-256 for each."""
        return bool(self._sha256s)

    def extend(self, files: Files) -> None:
        """Add files after the last; `FormatError` if they are out of order or not what they should be."""
        paths, sizes, digests, sha256s = files
        if not len(paths) == len(sizes) == len(digests) or len(sha256s) not in (0, len(paths)):
            raise FormatError(self._where, "paths, sizes and digests do not belong together")
        if not paths:
            return
        self._check_order(paths)
        if set(map(len, digests)) != {DIGEST_SIZE} or not set(map(len, sha256s)) <= {DIGEST_SIZE}:
            raise FormatError(self._where, "a digest that has not 32 bytes")
        if len(self) and self.has_sha256 != bool(sha256s):
            raise FormatError(self._where, "some entries have a SHA-256 and others have none")
        names = self._terminated(paths)
        lengths = map(len, paths) if names.isascii() else map(len, map(str.encode, paths))
        try:
            new_sizes = array("Q", sizes)
        except (OverflowError, TypeError) as error:
            raise FormatError(self._where, "a size that is not an unsigned integer of 64 bits") from error
        begin = self._ends[-1] if self._ends else 0
        self._ends.extend(islice(accumulate(lengths, initial=begin), 1, None))
        self._names += names
        self.sizes += new_sizes
        self._digests += b"".join(digests)
        self._sha256s += b"".join(sha256s)
        self._last = paths[-1]

    def _check_order(self, paths: Sequence[str]) -> None:
        # The order of code points is that of the UTF-8 bytes.
        first = self._last is None or self._last < paths[0]
        if first and all(map(lt, paths, islice(paths, 1, None))):
            return
        before = paths if self._last is None else [self._last, *paths]
        one, two = next((one, two) for one, two in pairwise(before) if not one < two)
        what = f"path {ascii(two)[:80]} stands twice" if one == two else "entries are not sorted by path"
        raise FormatError(self._where, what)

    def _terminated(self, paths: Sequence[str]) -> bytes:
        try:
            names = ("\0".join(paths) + "\0").encode()
        except UnicodeEncodeError as error:
            raise FormatError(self._where, "a path that is not valid Unicode") from error
        if names.count(0) != len(paths):
            raise FormatError(self._where, "a path with NUL in it")
        return names

    def folded(self) -> bool:
        """Tell whether all paths are ASCII without capitals: then no two of them differ only in case or form."""
        return self._names.isascii() and self._names == self._names.lower()

    def path(self, index: int) -> str:
        """Return one path."""
        return self._name(index).decode()

    def digest(self, index: int) -> bytes:
        """Return one digest."""
        return bytes(self._digests[index * DIGEST_SIZE : (index + 1) * DIGEST_SIZE])

    def sha256(self, index: int) -> bytes:
        """Return one SHA-256, or nothing where there are none."""
        return bytes(self._sha256s[index * DIGEST_SIZE : (index + 1) * DIGEST_SIZE])

    def find(self, path: str) -> int | None:
        """Return the index of `path`, or None."""
        name = path.encode("utf-8", "surrogatepass")  # what is no valid path is in no manifest
        index = bisect_left(range(len(self)), name, key=self._name)
        return index if index < len(self) and self._name(index) == name else None

    def paths(self, start: int, stop: int) -> list[str]:
        """Return the paths from `start` to before `stop`."""
        return self._names[self._begin(start) : self._begin(stop)].decode().split("\0")[:-1]

    def walk_paths(self) -> Iterator[str]:
        """Yield every path."""
        for start in range(0, len(self), _BLOCK):
            yield from self.paths(start, min(start + _BLOCK, len(self)))

    def files(self, start: int, stop: int) -> Files:
        """Return the files from `start` to before `stop`."""
        digests, sha256s = _unpacked(self._digests, start, stop), _unpacked(self._sha256s, start, stop)
        return Files(self.paths(start, stop), self.sizes[start:stop], digests, sha256s)

    def same(self, start: int, other: "Columns", other_start: int, count: int) -> bool:
        """Tell whether `count` files here and there are the same in path, size and digest; SHA-256 is not compared."""
        stop, other_stop = start + count, other_start + count
        return (
            self.sizes[start:stop] == other.sizes[other_start:other_stop]
            and self._digests[start * DIGEST_SIZE : stop * DIGEST_SIZE]
            == other._digests[other_start * DIGEST_SIZE : other_stop * DIGEST_SIZE]
            and self._names[self._begin(start) : self._begin(stop)]
            == other._names[other._begin(other_start) : other._begin(other_stop)]
        )

    def backwards(self) -> Iterator[tuple[int, bytes]]:
        """Yield every index and digest, the last first."""
        for start in reversed(range(0, len(self), _BLOCK)):
            stop = min(start + _BLOCK, len(self))
            yield from zip(range(stop - 1, start - 1, -1), reversed(_unpacked(self._digests, start, stop)), strict=True)

    def _begin(self, index: int) -> int:
        return (self._ends[index - 1] if index else 0) + index

    def _name(self, index: int) -> bytes:
        return bytes(self._names[self._begin(index) : self._begin(index + 1) - 1])


def _unpacked(digests: bytearray, start: int, stop: int) -> list[bytes]:
    part = digests[start * DIGEST_SIZE : stop * DIGEST_SIZE]
    return [digest for (digest,) in _DIGEST.iter_unpack(part)]


class View(Sequence[T]):
    """A sequence whose items are made when they are asked for: one by `get`, all by `walk`."""

    def __init__(self, size: int, get: Callable[[int], T], walk: Callable[[], Iterator[T]]) -> None:
        self._size, self._get, self._walk = size, get, walk

    def __len__(self) -> int:
        return self._size

    @overload
    def __getitem__(self, index: int) -> T: ...
    @overload
    def __getitem__(self, index: slice) -> list[T]: ...
    def __getitem__(self, index: int | slice) -> T | list[T]:
        at = range(self._size)[index]
        return self._get(at) if isinstance(at, int) else [self._get(each) for each in at]

    def __iter__(self) -> Iterator[T]:
        return self._walk()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sequence) and len(self) == len(other) and all(map(eq, self, other))

    __hash__ = None  # type: ignore[assignment]  # equal sequences of other types hash otherwise
