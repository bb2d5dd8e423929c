"""The bytes of one file, from its start to its end, hashed as they pass."""

import io
from collections.abc import Iterator
from typing import TYPE_CHECKING

from mltrust.core.digest import Hasher
from mltrust.errors import ChangedError, FormatError, MltrustError
from mltrust.interfaces import FileEntry, OpenFile, Progress

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

BLOCK = 2**20
LARGEST = 2**30
"""Bytes that are read at once, at most, for a library that wants a piece of a file as a whole."""


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

    def anywhere(self) -> "Anywhere":
        """Return the same file for a library that jumps about in it; the order and the hash do not move."""
        return Anywhere(self._opened, self.file)

    def finish(self) -> bytes:
        """Read what is left, and return the digest of all bytes; nothing where there is no hasher."""
        for _ in self.blocks():
            pass
        return self._hasher.digest() if self._hasher is not None else b""


class Anywhere:
    """A file as libraries take one, read at any place. What went wrong stays in `trouble`, should they swallow it."""

    closed = False

    def __init__(self, opened: OpenFile, file: FileEntry) -> None:
        self._opened, self.file, self._position = opened, file, 0
        self.trouble: MltrustError | None = None

    def tell(self) -> int:
        """Return where reading goes on."""
        return self._position

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        """Go to `offset` from the start, from here or from the end."""
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._position, io.SEEK_END: self.file.size}[whence]
        self._position = max(base + offset, 0)
        return self._position

    def read(self, size: int = -1) -> bytearray:
        """Return `size` bytes, or as many as there are; `FormatError` if that is more than `LARGEST`."""
        left = max(self.file.size - self._position, 0)
        try:
            return self._read(left if size < 0 else min(size, left))
        except MltrustError as error:
            self.trouble = error
            raise

    def read_at(self, offset: int, size: int) -> bytearray:
        """Return what `read` does from `offset`, and go back to where reading was."""
        position, self._position = self._position, offset
        try:
            return self.read(size)
        finally:
            self._position = position

    def close(self) -> None:
        """Leave the file open: who opened it closes it."""

    def _read(self, size: int) -> bytearray:
        if size > LARGEST:
            raise FormatError(self.file.path, f"a piece of more than {LARGEST:,} bytes, which cannot be read in parts")
        found = bytearray(size)
        space = memoryview(found)
        while space:
            done = self._opened.read_into(space, self._position)
            if not done:
                raise ChangedError(self.file.path, "became shorter while it was read")
            self._position += done
            space = space[done:]
        return found
