"""Staged files, read through one `git cat-file`: each checked against its id, in any order, in bounded memory.

git hands an object out from its beginning, once. So a large one is copied to a temporary file, in which any range is
found; a smaller one is read as a whole each time. An id is the hash of the bytes, so what is read here is what whoever
fetches the commit will have, and not what somebody put in its place in this repository.
"""

import tempfile
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from threading import Lock
from typing import IO, Protocol, Self

from mltrust.core.memory_file import MemoryFile
from mltrust.disk.git.index import FSCK, Index
from mltrust.disk.git.objects import header
from mltrust.disk.git.process import Conversation, EndedError
from mltrust.errors import UnreadableError

WHOLE_BYTES = 2**20
"""Up to this size a file is read as a whole."""

_PIECE = 2**20
_TINY_BYTES = 1024  # pointers of Git LFS are: they are looked at, and then hashed
_MAX_TINY_BYTES = 8 * 2**20  # of all that are kept
_AT_ONCE = 256  # ids: far less than a pipe holds
_ROOM = 8 * 2**20  # for the contents of as many


class Content(Protocol):
    """The bytes of one staged file."""

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` from `offset` as far as the file goes; return the number of bytes read."""


class Blobs:
    """Reads what is staged, for any number of threads, until it is left."""

    def __init__(self, index: Index) -> None:
        self._index = index
        self._lock, self._stack = Lock(), ExitStack()
        self._git: Conversation | None = None
        self._last = "", b""
        self._tiny: dict[str, bytes] = {}
        self._tiny_bytes = 0
        self._spool: _Spool | None = None
        self._spooled: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """End git, and remove the temporary file."""
        with self._lock:
            self._git = None
            self._stack.close()

    def read(self, oid: str, size: int) -> bytes:
        """Return the content of a file that is not large."""
        last, data = self._last  # its parts are asked for one after the other
        if last != oid:
            (data,) = self.read_each([(oid, size)])
            self._last = oid, data
        return data

    def read_each(self, wanted: Iterable[tuple[str, int]]) -> Iterator[bytes]:
        """Yield the contents of files that are not large, given by their ids and sizes."""
        for some in _together(wanted):
            with self._asking():
                found = self._contents(some)
            yield from found

    def open(self, oid: str, size: int) -> Content:
        """Return the content of a file, of whatever size."""
        if size <= WHOLE_BYTES:
            return MemoryFile(self.read(oid, size))
        with self._asking():
            if self._spool is None:
                self._spool = _Spool(self._stack)
            if oid not in self._spooled:
                self._spooled[oid] = self._copied(oid, size, self._spool)
            return _Spooled(self._spool, self._spooled[oid], size)

    def _contents(self, wanted: Sequence[tuple[str, int]]) -> list[bytes]:
        """Ask for several files at once: git reads on while its answers are taken."""
        found = {oid: self._tiny[oid] for oid, _ in wanted if oid in self._tiny}
        asked = {oid: size for oid, size in wanted if oid not in found}
        if asked:
            git = self._asked(*asked)
            for oid, size in asked.items():
                found[oid] = b"".join(_pieces(git, oid, size))
                self._check(oid, self._index.format.oid("blob", found[oid]))
                self._keep(oid, found[oid])
        return [found[oid] for oid, _ in wanted]

    def _keep(self, oid: str, data: bytes) -> None:
        if len(data) <= _TINY_BYTES and self._tiny_bytes < _MAX_TINY_BYTES:
            self._tiny[oid] = data
            self._tiny_bytes += len(data)

    def _copied(self, oid: str, size: int, spool: "_Spool") -> int:
        """Copy a file to the end of the temporary one; return where it begins there."""
        begin = spool.end
        hasher = self._index.format.hash(b"blob %d\0" % size)
        for piece in _pieces(self._asked(oid), oid, size):
            hasher.update(piece)
            spool.append(piece)
        self._check(oid, hasher.hexdigest())
        return begin

    @contextmanager
    def _asking(self) -> Iterator[None]:
        """Talk to git alone; one that was not heard to the end is not asked again."""
        with self._lock:
            try:
                yield
            except BaseException:
                self._git = None
                raise

    def _asked(self, *oids: str) -> Conversation:
        if self._git is None:
            self._git = self._stack.enter_context(self._index.reading())
        try:
            self._git.send(*oids)
        except EndedError as error:
            raise UnreadableError(str(error), hint=FSCK) from error
        return self._git

    def _check(self, oid: str, found: str) -> None:
        if found != oid:
            raise UnreadableError(f"the staged object {oid} is damaged", hint=FSCK)


def _together(wanted: Iterable[tuple[str, int]]) -> Iterator[list[tuple[str, int]]]:
    """Yield some at a time: no more than a pipe takes the ids of, and memory the contents."""
    some: list[tuple[str, int]] = []
    room = _ROOM
    for each in wanted:
        if some and (len(some) == _AT_ONCE or each[1] > room):
            yield some
            some, room = [], _ROOM
        some.append(each)
        room -= each[1]
    if some:
        yield some


def _pieces(git: Conversation, oid: str, size: int) -> Iterator[bytes]:
    """Yield what git answers of a file it has been asked for, whose size is known."""
    try:
        if header(git.read_line(), oid) != ("blob", size):
            raise UnreadableError(f"the staged object {oid} is not the file that git said it is", hint=FSCK)
        for at in range(0, size, _PIECE):
            yield git.read(min(_PIECE, size - at))
        git.read(1)
    except EndedError as error:
        raise UnreadableError(str(error), hint=FSCK) from error


class _Spool:
    """The temporary file: it is gone when the stack is left, whatever becomes of this process."""

    def __init__(self, stack: ExitStack) -> None:
        self._file: IO[bytes] = stack.enter_context(tempfile.TemporaryFile())  # noqa: SIM115  # the stack is one
        self._lock = Lock()
        self.end = 0

    def append(self, piece: bytes) -> None:
        with self._lock:
            try:
                self._file.seek(self.end)
                self._file.write(piece)
                self._file.flush()
            except OSError as error:
                what = f"a copy cannot be written to {tempfile.gettempdir()}: {error.strerror or error}"
                raise UnreadableError(what, hint="Name a folder with more room: TMPDIR.") from error
            self.end += len(piece)

    def read(self, size: int, at: int) -> bytes:
        with self._lock:
            self._file.seek(at)
            return self._file.read(size)


class _Spooled:
    """A file inside the temporary one."""

    def __init__(self, spool: _Spool, begin: int, size: int) -> None:
        self._spool, self._begin, self._size = spool, begin, size

    def read_into(self, buffer: memoryview, offset: int) -> int:
        data = self._spool.read(max(0, min(len(buffer), self._size - offset)), self._begin + offset)
        buffer[: len(data)] = data
        return len(data)
