"""A file that lies in memory as a whole."""


class MemoryFile:
    """Bytes at hand, which are read as those of an open file are."""

    def __init__(self, data: bytes) -> None:
        self._data = memoryview(data)

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` from `offset` as far as the file goes; return the number of bytes read."""
        found = self._data[offset : offset + len(buffer)]
        buffer[: len(found)] = found
        return len(found)
