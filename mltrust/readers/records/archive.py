"""A strict reader of tar archives, in the order of the file (POSIX.1-2001 pax and ustar, GNU tar, and V7 headers).

It takes what tar programs write and refuses whatever two of them might read differently: a member is a regular file
or a folder, has one name and one size, and the archive ends where it says so.
"""

import io
import re
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import NamedTuple

from mltrust.core.names import MAX_NAME_BYTES, check_path
from mltrust.errors import FormatError
from mltrust.readers.records.stream import BLOCK, Stream

MAX_EXTENSION = 2**20
"""Bytes of the largest pax header."""

_UNIT = 512
_END = bytes(_UNIT)
_HEADER = struct.Struct("100s24x12s12x8s1s100x8s80x155s12x")  # name, size, checksum, type, magic, prefix
_USTAR, _GNU, _V7 = b"ustar\x0000", b"ustar  \0", bytes(8)
_SPACES = 8 * 0x20  # what the checksum counts in place of itself
_OCTAL = re.compile(rb" *([0-7]+)[ \0]*")
_PAX_RECORD = re.compile(rb"([1-9][0-9]{0,6}) ([^=]+)=")
_PAX_SIZE = re.compile(rb"0|[1-9][0-9]{0,15}")
_BEYOND_OCTAL = 8**11  # a size that the header cannot say
_FILE, _OLD_FILE, _FOLDER, _LONG_NAME, _PAX, _PAX_GLOBAL = b"0", b"\0", b"5", b"L", b"x", b"g"
_REFUSED = {
    b"1": "a hard link",
    b"2": "a symbolic link",
    b"3": "a character device",
    b"4": "a block device",
    b"6": "a FIFO",
    b"K": "a link",
    b"S": "a sparse file",
}
_UTF8 = (b"ISO-IR 10646 2000 UTF-8",)


class Member(NamedTuple):
    """A file in an archive: its path without a leading `./`, and its size in bytes."""

    path: str
    size: int


class _Header(NamedTuple):
    name: bytes
    size: int
    kind: bytes


@dataclass
class _Extension:
    """What headers before that of a member say of it."""

    path: bytes | None = None
    size: int | None = None
    pax: bool = False
    keys: set[bytes] = field(default_factory=set)


class Archive:
    """Reads the archive that `stream` is at the start of; `FormatError` as soon as it is not well-formed."""

    def __init__(self, stream: Stream) -> None:
        self._opened = io.BufferedReader(stream, BLOCK)
        self._file = stream.file
        self._position = 0
        self._left = 0  # bytes of the member that are yet to come
        self._padding = 0

    def members(self) -> Iterator[Member]:
        """Yield the files; what was not read of one is passed over when the next is asked for."""
        extension = _Extension()
        while (header := self._next_header()) is not None:
            if header.kind in (_PAX, _PAX_GLOBAL, _LONG_NAME):
                self._extend(extension, header)
                continue
            if (member := self._member(header, extension)) is not None:
                yield member
            extension = _Extension()
        if extension.pax or extension.path is not None:
            raise self._wrong("an extended header is followed by no member")
        self._check_end()

    def blocks(self) -> Iterator[bytes]:
        """Yield what is left of the content of the current member."""
        while self._left:
            block = self._read(min(self._left, BLOCK))
            self._left -= len(block)
            yield block

    def _wrong(self, what: str) -> FormatError:
        return FormatError(self._file.path, f"tar, before byte {self._position:,}: {what}")

    def _read(self, size: int) -> bytes:
        data = self._opened.read(size)
        self._position += len(data)
        if len(data) != size:
            raise self._wrong("the archive is cut off")
        return data

    def _next_header(self) -> _Header | None:
        for _ in self.blocks():
            pass
        self._read(self._padding)
        block = self._read(_UNIT)
        if block == _END:
            return None
        header = self._parsed(block)
        if header.size > self._file.size - self._position:
            raise self._wrong(f"a member of {header.size:,} bytes, which is more than are left")
        return header

    def _parsed(self, block: bytes) -> _Header:
        name, size, checksum, kind, magic, prefix = _HEADER.unpack(block)
        if magic not in (_USTAR, _GNU, _V7) or _octal(checksum) != sum(block) - sum(checksum) + _SPACES:
            raise self._wrong("no header of a member")
        name = name.partition(b"\0")[0]
        if magic == _USTAR and prefix[0]:
            name = prefix.partition(b"\0")[0] + b"/" + name
        if kind == _OLD_FILE:
            kind = _FOLDER if name.endswith(b"/") else _FILE
        if kind in _REFUSED:
            raise self._wrong(f"{ascii(name)[:80]} is {_REFUSED[kind]}, not a file")
        if kind not in (_FILE, _FOLDER, _LONG_NAME, _PAX, _PAX_GLOBAL):
            raise self._wrong(f"a member of the unknown type {ascii(kind)[1:]}")
        return _Header(name, self._number(size), kind)

    def _number(self, digits: bytes) -> int:
        """Return a size: octal, or, as GNU tar writes large ones, 0x80 and eleven bytes, big-endian."""
        if digits[0] == 0x80:  # noqa: PLR2004  # as said
            return int.from_bytes(digits[1:], "big")
        if (found := _octal(digits)) is None:
            raise self._wrong(f"the size {digits!a} is no octal number")
        return found

    def _begin(self, size: int) -> None:
        self._left, self._padding = size, -size % _UNIT

    def _whole(self, size: int, limit: int, what: str) -> bytes:
        """Return the content of a header, which must be in memory."""
        if size > limit:
            raise self._wrong(f"{what} of {size:,} bytes, at most {limit:,} are read")
        self._begin(size)
        return b"".join(self.blocks())

    def _extend(self, extension: _Extension, header: _Header) -> None:
        if header.kind == _LONG_NAME:
            name = self._whole(header.size, MAX_NAME_BYTES + 1, "a long name")
            self._set_path(extension, name.removesuffix(b"\0"))
            return
        data = self._whole(header.size, MAX_EXTENSION, "an extended header")
        if header.kind == _PAX:
            if extension.pax:
                raise self._wrong("two extended headers for one member")
            extension.pax = True
        for key, value in self._pax_records(data, set() if header.kind == _PAX_GLOBAL else extension.keys):
            self._take(extension, key, value, everywhere=header.kind == _PAX_GLOBAL)

    def _pax_records(self, data: bytes, seen: set[bytes]) -> Iterator[tuple[bytes, bytes]]:
        position = 0
        while position < len(data):
            found = _PAX_RECORD.match(data, position)
            end = position + int(found[1]) if found else 0
            if found is None or not found.end() < end <= len(data) or data[end - 1 : end] != b"\n" or found[2] in seen:
                raise self._wrong("an extended header that is malformed, or says one thing twice")
            seen.add(found[2])
            yield found[2], data[found.end() : end - 1]
            position = end

    def _take(self, extension: _Extension, key: bytes, value: bytes, *, everywhere: bool) -> None:
        if key.startswith(b"GNU.sparse."):
            raise self._wrong("a sparse file")
        if key == b"hdrcharset" and value not in _UTF8:
            raise self._wrong("names in another encoding than UTF-8")
        if key not in (b"path", b"size"):
            return  # owners, times and the like: no part of a record
        if everywhere:
            raise self._wrong(f"one {key.decode()} for all members")
        if key == b"path":
            self._set_path(extension, value)
        elif _PAX_SIZE.fullmatch(value):
            extension.size = int(value)
        else:
            raise self._wrong(f"{ascii(value)[:80]} is no size")

    def _set_path(self, extension: _Extension, path: bytes) -> None:
        if extension.path is not None:
            raise self._wrong("two names for one member")
        extension.path = path

    def _member(self, header: _Header, extension: _Extension) -> Member | None:
        size = self._size(header, extension)
        path = self._path(extension.path if extension.path is not None else header.name, folder=header.kind == _FOLDER)
        if header.kind == _FOLDER and size:
            raise self._wrong("a folder with content")
        self._begin(size)
        return Member(path, size) if header.kind == _FILE else None

    def _size(self, header: _Header, extension: _Extension) -> int:
        """Return the one size: a program that knows no pax headers must not read another one."""
        if extension.size is None or extension.size == header.size:
            return header.size
        if extension.size < _BEYOND_OCTAL:
            raise self._wrong(f"a member of {header.size:,} or {extension.size:,} bytes")
        if extension.size > self._file.size - self._position:
            raise self._wrong(f"a member of {extension.size:,} bytes, which is more than are left")
        return extension.size

    def _path(self, name: bytes, *, folder: bool) -> str:
        try:
            path = name.decode("utf-8")
        except UnicodeDecodeError as error:
            raise self._wrong(f"name {ascii(name)[:80]} is not valid UTF-8") from error
        if folder:
            path = path.removesuffix("/")
            if path == ".":
                return path
        return check_path(path.removeprefix("./"), self._file.path)

    def _check_end(self) -> None:
        """The end is two units of zeros, one of which was read; what follows fills a tape, so it is zeros, too."""
        if self._read(_UNIT) != _END or any(any(block) for block in iter(lambda: self._opened.read(BLOCK), b"")):
            raise self._wrong("something after the end of the archive")


def _octal(digits: bytes) -> int | None:
    found = _OCTAL.fullmatch(digits)
    return int(found[1], 8) if found else None
