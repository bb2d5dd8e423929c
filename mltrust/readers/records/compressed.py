"""Files that are compressed as a whole: their bytes as they were before, block by block, in bounded memory."""

import sys
import zlib
from collections.abc import Callable, Iterator
from typing import NamedTuple, Protocol

from mltrust.errors import FormatError, UsageError
from mltrust.readers.records.stream import BLOCK, Stream

_PIECE = 2**14  # fed at a time: what follows a frame is copied, and frames can be tiny
_RATIO = 200
_ALLOWANCE = 2**24
_MANY = 2**16  # frames
_SMALL = 32  # bytes of a frame
_WINDOW_LOG = 27  # 128 MiB, the most that the command zstd takes unless it is asked for more
_GZIP = 16 + zlib.MAX_WBITS


class _Decoder(Protocol):
    """Decompresses one frame; what did not fit into `max_length` comes first the next time."""

    @property
    def eof(self) -> bool: ...
    @property
    def unused_data(self) -> bytes: ...
    def decompress(self, data: bytes, max_length: int) -> bytes: ...


class _Codec(NamedTuple):
    """A way to compress: what one of its frames is called, what decompresses one, and what that raises."""

    frame: str
    decoder: Callable[[], _Decoder]
    error: type[Exception]


def decompressed(stream: Stream) -> Iterator[bytes]:
    """Yield what is in a file, decompressed if its path ends in `.gz` or `.zst`.

    Raises `FormatError` if it is damaged, cut short, followed by anything else, or expands beyond measure, and
    `UsageError` if the library for it is not installed.
    """
    path = stream.file.path
    if path.endswith(".gz"):
        yield from _bounded(stream, _Codec("gzip member", _GzipMember, zlib.error))
    elif path.endswith(".zst"):
        yield from _bounded(stream, _zstd(path))
    else:
        yield from stream.blocks()


def _bounded(stream: Stream, codec: _Codec) -> Iterator[bytes]:
    """Refuse what is made to fill memory or disk."""
    limit, size = _RATIO * stream.file.size + _ALLOWANCE, 0
    for block in _frames(stream, codec):
        size += len(block)
        if size > limit:
            what = f"decompresses to more than {_RATIO} times its size plus {_ALLOWANCE:,} bytes"
            raise FormatError(stream.file.path, what)
        yield block


def _frames(stream: Stream, codec: _Codec) -> Iterator[bytes]:
    where, number, decoder = stream.file.path, 1, codec.decoder()
    begun = True  # an empty file is no frame either
    for piece in _pieces(stream):
        data, more = piece, True
        while more:
            try:
                found = decoder.decompress(data, BLOCK)
            except codec.error as error:
                raise FormatError(where, f"{codec.frame} {number:,}: {str(error).rpartition(': ')[2]}") from error
            if found:
                yield found
            begun, data, more = True, b"", len(found) == BLOCK
            if decoder.eof:
                _check_number(number, stream)
                data, number, begun = decoder.unused_data, number + 1, False
                decoder, more = codec.decoder(), bool(data)
    if begun:
        raise FormatError(where, f"ends before {codec.frame} {number:,} is complete")


def _check_number(frames: int, stream: Stream) -> None:
    """Refuse a file of tiny frames: what decompresses one takes longer to make than to use."""
    if frames > _MANY and frames * _SMALL > stream.file.size:
        raise FormatError(stream.file.path, f"more than {_MANY:,} parts of less than {_SMALL} bytes on average")


def _pieces(stream: Stream) -> Iterator[bytes]:
    return (block[at : at + _PIECE] for block in stream.blocks() for at in range(0, len(block), _PIECE))


class _GzipMember:
    """One member of a gzip file; its check sum is verified."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(_GZIP)

    @property
    def eof(self) -> bool:
        return self._member.eof

    @property
    def unused_data(self) -> bytes:
        return self._member.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._member.decompress(self._member.unconsumed_tail + data, max_length)


def _zstd(path: str) -> _Codec:
    if sys.version_info >= (3, 14):
        from compression import zstd
    else:
        try:
            from backports import zstd
        except ImportError as error:
            hint = "Install it: pip install 'mltrust[zstd]'; --records off reads the file as a whole."
            raise UsageError(f"{path} needs the library for zstd: {error}", hint=hint) from error
    options: dict[int, int] = {zstd.DecompressionParameter.window_log_max: _WINDOW_LOG}
    return _Codec("zstd frame", lambda: zstd.ZstdDecompressor(options=options), zstd.ZstdError)
