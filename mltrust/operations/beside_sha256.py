"""SHA-256 of whole files beside what a suite hashes: every byte is read once, in order, and goes through both."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import accumulate
from pathlib import Path

from mltrust.core.digest import DIGEST_SIZE, SHA256, Hasher, Suite
from mltrust.core.leaf import Entry
from mltrust.errors import ChangedError
from mltrust.interfaces import ArtifactSource, Digester, FileEntry, HashingDigester, OpenFile, Parts, Progress, Segment

_BLOCK = 2**19
_AHEAD_BLOCK = 2**22
_AHEAD = 2**23  # bytes of a file below which a second thread costs more than it saves


@dataclass(frozen=True, slots=True)
class TiledDigester(HashingDigester):
    """Digests a whole file: its SHA-256, then the suite's digests of the ranges that tile it, in order.

    `lengths` are those of the ranges; none: the whole file is the only one.
    """

    lengths: tuple[int, ...] = ()

    @property
    def size(self) -> int:
        """The number of bytes of an answer."""
        return DIGEST_SIZE * (1 + max(len(self.lengths), 1))

    def ranges(self, segment: Segment) -> list[Segment]:
        """Return the ranges, one after the other."""
        lengths = self.lengths or (segment.length,)
        begins = accumulate(lengths, initial=segment.offset)
        return [Segment(segment.file, begin, length) for begin, length in zip(begins, lengths, strict=False)]

    def digest(self, segment: Segment, source: ArtifactSource, suite: Suite, progress: Progress) -> bytes:
        """Return the digests, from one thread."""
        whole, tiles = SHA256.new(), _Tiles(self.lengths or (segment.length,), suite)
        with source.open(*segment[:3]) as opened:
            reading = _InOrder(opened, segment, _BLOCK)
            while block := reading.next():
                whole.update(block)
                tiles.update(block)
                progress.advance(len(block))
        return whole.digest() + tiles.digests()

    def digest_ahead(self, segment: Segment, source: ArtifactSource, suite: Suite, progress: Progress) -> bytes:
        """Return the digests; while SHA-256 goes over a block, another thread does all else and reads the next one."""
        if segment.length < _AHEAD:
            return self.digest(segment, source, suite, progress)
        from concurrent.futures import ThreadPoolExecutor

        whole, tiles = SHA256.new(), _Tiles(self.lengths or (segment.length,), suite)
        with source.open(*segment[:3]) as opened, ThreadPoolExecutor(1) as other:
            reading = _InOrder(opened, segment, _AHEAD_BLOCK)

            def go_on(block: memoryview) -> memoryview:
                tiles.update(block)
                return reading.next()

            block = reading.next()
            while block:
                coming = other.submit(go_on, block)
                whole.update(block)
                progress.advance(len(block))
                block = coming.result()
        return whole.digest() + tiles.digests()

    def digest_content(self, content: bytes, suite: Suite) -> bytes:
        """Return the digests of what is in memory."""
        if not self.lengths:
            return SHA256.digest(content) + suite.digest(content)
        tiles = _Tiles(self.lengths, suite)
        tiles.update(memoryview(content))
        return SHA256.digest(content) + tiles.digests()


class _InOrder:
    """The blocks of a segment in turn, in two buffers: one block is good until the next but one is asked for."""

    def __init__(self, opened: OpenFile, segment: Segment, size: int) -> None:
        self._opened, self._file = opened, segment.file
        self._position, self._end = segment.offset, segment.offset + segment.length
        self._buffers = [memoryview(bytearray(min(size, segment.length))) for _ in range(2)]

    def next(self) -> memoryview:
        self._buffers.reverse()
        buffer = self._buffers[0][: self._end - self._position]
        size = self._opened.read_into(buffer, self._position) if buffer else 0
        if buffer and not size:
            raise ChangedError(self._file.path, "became shorter while it was read")
        self._position += size
        return buffer[:size]


class _Tiles:
    """The digests of ranges of so many bytes each, side by side, of bytes that come in order."""

    def __init__(self, lengths: Sequence[int], suite: Suite) -> None:
        self._new, self._lengths = suite.new, iter(lengths)
        self._found: list[bytes] = []
        self._start()
        self._end()

    def update(self, block: memoryview) -> None:
        while block and self._hasher is not None:
            part = block[: self._left]
            self._hasher.update(part)
            block = block[len(part) :]
            self._left -= len(part)
            self._end()

    def digests(self) -> bytes:
        return b"".join(self._found)

    def _start(self) -> None:
        self._left = next(self._lengths, -1)
        self._hasher: Hasher | None = self._new() if self._left >= 0 else None

    def _end(self) -> None:
        while self._hasher is not None and not self._left:
            self._found.append(self._hasher.digest())
            self._start()


@dataclass(frozen=True, slots=True)
class FollowingDigester:
    """Lets another digester read a file in its own way, and makes SHA-256 of what passes; that comes first."""

    by: Digester

    @property
    def size(self) -> int:
        """The number of bytes of an answer."""
        return DIGEST_SIZE + self.by.size

    def digest(self, segment: Segment, source: ArtifactSource, suite: Suite, progress: Progress) -> bytes:
        """Return the SHA-256 of all bytes, and what the other answers."""
        followed = _Followed(source, segment.file)
        answer = self.by.digest(segment, followed, suite, progress)
        return followed.sha256() + answer


class _Followed(ArtifactSource):
    """A source of which one file goes through SHA-256 as it is read, so far as it is read in order."""

    def __init__(self, source: ArtifactSource, file: FileEntry) -> None:
        self._source, self._file = source, file
        self.name, self.exclude, self.left_out = source.name, source.exclude, source.left_out
        self.remote = source.remote
        self.position, self._hasher = 0, SHA256.new()

    def files(self) -> Iterator[FileEntry]:
        return self._source.files()

    @contextmanager
    def open(self, file: FileEntry, offset: int = 0, length: int | None = None) -> Iterator[OpenFile]:
        with self._source.open(file, offset, length) as opened:
            yield _FollowedFile(opened, self) if file == self._file else opened

    def read(self, file: FileEntry, offset: int, length: int) -> bytes:
        return self._source.read(file, offset, length)

    def local_path(self, file: FileEntry) -> Path | None:
        return self._source.local_path(file)

    def saw(self, block: memoryview, offset: int) -> None:
        """Take what goes on where the hash stands, and nothing else."""
        if offset <= self.position < offset + len(block):
            self._hasher.update(block[self.position - offset :])
            self.position = offset + len(block)

    def sha256(self) -> bytes:
        """Read what is left, if anything is, and return the SHA-256 of the file."""
        file = self._file
        if left := file.size - self.position:
            with self.open(file, self.position, left) as opened:
                reading = _InOrder(opened, Segment(file, self.position, left), _BLOCK)
                while reading.next():
                    pass
        return self._hasher.digest()


@dataclass(frozen=True, slots=True)
class _FollowedFile:
    opened: OpenFile
    source: _Followed

    def read_into(self, buffer: memoryview, offset: int) -> int:
        size = self.opened.read_into(buffer, offset)
        self.source.saw(buffer[:size], offset)
        return size


class Beside:
    """How the files of an artifact are read so that the SHA-256 of each is found beside the digests of `suite`."""

    def __init__(self, suite: Suite) -> None:
        self.whole: Digester | None = None if suite == SHA256 else TiledDigester()

    def parts(self, parts: Parts) -> Parts:
        """Return the parts of a file that a reader cut, read as one."""
        return TiledParts(parts)

    def sha256(self, answers: Sequence[bytes]) -> bytes:
        """Return the SHA-256 of a file by the answers for its `parts`."""
        return answers[0][:DIGEST_SIZE]

    def columns(self, answers: Sequence[bytes]) -> tuple[Sequence[bytes], Sequence[bytes]]:
        """Return the digests and the SHA-256s of files read as a whole: in one of the suites they are the same."""
        if self.whole is None:
            return answers, answers
        return [answer[DIGEST_SIZE:] for answer in answers], [answer[:DIGEST_SIZE] for answer in answers]


@dataclass(frozen=True, slots=True)
class TiledParts:
    """The parts of another reader, read as one segment: they come in the order of the file, however they are named."""

    parts: Parts

    @property
    def segments(self) -> tuple[Segment]:
        """The whole file."""
        inner = self.parts.segments
        by: Digester = TiledDigester(tuple(inner[index].length for index in _places(inner)))
        if len(inner) == 1 and inner[0].by is not None:
            by = FollowingDigester(inner[0].by)
        file = inner[0].file
        return (Segment(file, 0, file.size, by),)

    def entry(self, digests: Sequence[bytes]) -> Entry:
        """Return the entry of the other, with the SHA-256 of the file."""
        inner, answer = self.parts.segments, digests[0]
        sha256, rest = answer[:DIGEST_SIZE], answer[DIGEST_SIZE:]
        if len(inner) == 1:
            return self.parts.entry([rest])._replace(sha256=sha256)
        found = [b""] * len(inner)
        for at, index in enumerate(_places(inner)):
            found[index] = rest[at * DIGEST_SIZE : (at + 1) * DIGEST_SIZE]
        return self.parts.entry(found)._replace(sha256=sha256)


def _places(segments: Sequence[Segment]) -> list[int]:
    """Return the indexes of segments as they lie in their file; an empty one lies before what starts there, too."""
    return sorted(range(len(segments)), key=lambda index: (segments[index].offset, segments[index].length))
