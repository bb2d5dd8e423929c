"""A source in memory: for tests, and as the smallest example of the socket."""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar

from mltrust.core.memory_file import MemoryFile
from mltrust.errors import ArtifactError, ChangedError
from mltrust.interfaces import ArtifactSource, FileEntry


class MemorySource(ArtifactSource):
    """Serves files out of a mapping from paths to bytes; `put` changes one, `remove` takes one away."""

    remote: ClassVar[bool] = False

    def __init__(self, files: Mapping[str, bytes], name: str = "memory") -> None:
        self.name = name
        self.exclude: Sequence[str] = ()
        self.left_out: Sequence[str] = ()
        self._files = {path: (0, bytes(data)) for path, data in files.items()}

    def put(self, path: str, data: bytes) -> None:
        """Put `data` under `path`; whoever listed the file before will be told that it changed."""
        number = self._files[path][0] + 1 if path in self._files else 0
        self._files[path] = (number, data)

    def remove(self, path: str) -> None:
        """Take a file away."""
        del self._files[path]

    def files(self) -> Iterator[FileEntry]:
        """List the files."""
        return iter([FileEntry(path, len(data), (number,)) for path, (number, data) in sorted(self._files.items())])

    def _data(self, file: FileEntry) -> bytes:
        if file.path not in self._files:
            raise ArtifactError(file.path, "does not exist")
        number, data = self._files[file.path]
        if file.version != (number,):
            raise ChangedError(file.path, "changed while it was read")
        return data

    @contextmanager
    def open(
        self,
        file: FileEntry,
        offset: int = 0,  # noqa: ARG002  # the socket's, like the next
        length: int | None = None,  # noqa: ARG002  # the same
    ) -> Iterator[MemoryFile]:
        """Open `file` and check before and after that it is the version that was listed."""
        yield MemoryFile(self._data(file))
        self._data(file)

    def read(self, file: FileEntry, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`."""
        data = self._data(file)[offset : offset + length]
        if len(data) != length:
            raise ChangedError(file.path, "became shorter while it was read")
        return data

    def local_path(self, file: FileEntry) -> Path | None:  # noqa: ARG002  # the socket's
        """Return None: nothing lies on disk."""
        return None
