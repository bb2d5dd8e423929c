"""The bytes of one file, from its start to its end, hashed as they pass."""

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mltrust.core.digest import Hasher
from mltrust.errors import ChangedError
from mltrust.interfaces import FileEntry, OpenFile, Progress

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK = 2**20


class Stream(io.RawIOBase):
    """Reads `opened` in order and lets `hasher`, if there is one, and `progress` see every byte once."""

    def __init__(self, opened: OpenFile, file: FileEntry, progress: Progress, hasher: Hasher | None = None) -> None:
        self._opened, self.file, self._progress, self._hasher = opened, file, progress, hasher
        self.position = 0

    def readable(self) -> bool:
        """Say yes."""
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        """Fill `buffer` as far as the file goes; a file that ends before the size it was listed with is an error."""
        space = memoryview(buffer).cast("B")[: self.file.size - self.position]
        if not space:
            return 0
        size = self._opened.read_into(space, self.position)
        if not size:
            raise ChangedError(self.file.path, "became shorter while it was read")
        if self._hasher is not None:
            self._hasher.update(space[:size])
        self.position += size
        self._progress.advance(size)
        return size

    def blocks(self) -> Iterator[bytes]:
        """Yield what is left, block by block."""
        buffer = memoryview(bytearray(BLOCK))
        while size := self.readinto(buffer):
            yield bytes(buffer[:size])

    def finish(self) -> bytes:
        """Read what is left, and return the digest of all bytes; nothing where there is no hasher."""
        for _ in self.blocks():
            pass
        return self._hasher.digest() if self._hasher is not None else b""
