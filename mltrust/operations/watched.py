"""A source whose readers tell nobody how far they are: watched as it is read."""

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from mltrust.interfaces import ArtifactSource, FileEntry, OpenFile, Progress, Segment


class WatchedSource(ArtifactSource):
    """Passes on what `source` does; `progress` hears of each file that is read, and of its bytes as they are.

    For what is read without an engine, which would count the bytes a second time.
    """

    def __init__(self, source: ArtifactSource, progress: Progress) -> None:
        self._source, self._progress = source, progress
        self.name, self.exclude, self.left_out = source.name, source.exclude, source.left_out
        self.remote = source.remote

    def files(self) -> Iterator[FileEntry]:
        """List the files."""
        return self._source.files()

    @contextmanager
    def open(self, file: FileEntry, offset: int = 0, length: int | None = None) -> Iterator[OpenFile]:
        """Open a file; to open it alone is not to read it."""
        span = file.size - offset if length is None else length
        with self._source.open(file, offset, length) as opened:
            watched = _WatchedFile(opened, file, max(span, 0), self._progress)
            yield watched
            watched.end()

    def read(self, file: FileEntry, offset: int, length: int) -> bytes:
        """Return bytes; so few are read at once that nobody waits for them."""
        return self._source.read(file, offset, length)

    def read_each(self, segments: Iterable[Segment]) -> Iterator[bytes]:
        """Return the bytes of small segments."""
        return self._source.read_each(segments)

    def abandon(self) -> None:
        """Let nobody wait any more."""
        self._source.abandon()

    def local_path(self, file: FileEntry) -> Path | None:
        """Return where `file` lies."""
        return self._source.local_path(file)


class _WatchedFile:
    """An open file that counts each of its bytes once, in whatever order they are read, and all of them at its end."""

    def __init__(self, opened: OpenFile, file: FileEntry, span: int, progress: Progress) -> None:
        self._opened, self._file, self._progress = opened, file, progress
        self._left, self._begun = span, False

    def read_into(self, buffer: memoryview, offset: int) -> int:
        if not self._begun:
            self._begun = True
            self._progress.expect(1, self._left)
            self._progress.reading(self._file.path)
        size = self._opened.read_into(buffer, offset)
        self._count(min(size, self._left))
        return size

    def end(self) -> None:
        if self._begun:  # a reader may have passed over some
            self._count(self._left)

    def _count(self, size: int) -> None:
        self._left -= size
        self._progress.advance(size)
