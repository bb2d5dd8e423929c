r"""Records of text that end with a line break, `\n` or `\r\n`, which is not part of them."""

from bisect import bisect_left
from collections.abc import Collection, Iterable, Iterator, Sequence
from typing import IO

from mltrust.core.digest import Suite
from mltrust.core.records import MAX_RECORD, Batch
from mltrust.errors import FormatError

_HEAD = 2**16
_AT_ONCE = 2**16  # records: each takes 150 bytes while it is hashed, and may have none itself


def whole_lines(blocks: Iterable[bytes], where: str) -> Iterator[bytes]:
    """Yield a text many lines at a time, without the line feed of the last one, which may have none in the file.

    Raises `FormatError` if it is no text, or a line is longer than a record may be.
    """
    pieces: list[bytes] = []
    held = 0
    for block in _text(blocks, where):
        end = block.rfind(b"\n")
        if end < 0:
            pieces.append(block)
            held += len(block)
            check_length(held - 1, where)  # a carriage return may turn out to be of the line break
            continue
        pieces.append(block[:end])
        yield b"".join(pieces)
        pieces, held = [block[end + 1 :]], len(block) - end - 1
    if held:
        last = b"".join(pieces)
        yield last + b"\r" if last.endswith(b"\r") else last  # no line break: the one it has is its own


def lines(blocks: Iterable[bytes], where: str) -> Iterator[Sequence[bytes]]:
    """Yield the lines of a text, many at a time; the last one may have no line break."""
    for data in whole_lines(blocks, where):
        yield without_returns(data.split(b"\n"), data)


def without_returns(found: Sequence[bytes], data: bytes) -> Sequence[bytes]:
    r"""Return the records found in `data` without the `\r` of their line breaks."""
    return [record.removesuffix(b"\r") for record in found] if b"\r" in data else found


def batches(found: Iterable[Sequence[bytes]], suite: Suite, where: str) -> Iterator[Batch]:
    """Yield the digests of records; `FormatError` if one is too long."""
    for records in found:
        for start in range(0, len(records), _AT_ONCE):
            some = records[start : start + _AT_ONCE]
            sizes = list(map(len, some))
            check_length(max(sizes), where)
            yield Batch(sizes, list(map(suite.digest, some)))


def picked(found: Iterable[Sequence[bytes]], wanted: Collection[int]) -> Iterator[tuple[int, bytes]]:
    """Yield the wanted records with their indexes, in order, and ask for none after the last."""
    # All records of a file come as a range: as a list they would fill the memory.
    indexes: Sequence[int] = wanted if isinstance(wanted, range) else sorted(set(wanted))
    start = 0
    if not indexes:
        return
    for records in found:
        end = start + len(records)
        for index in indexes[bisect_left(indexes, start) : bisect_left(indexes, end)]:
            yield index, records[index - start]
        if indexes[-1] < end:
            return
        start = end


def without(found: Iterable[Sequence[bytes]], text: IO[bytes], places: Collection[int]) -> Iterator[bytes]:
    """Yield `text`, whose records are `found`, without those at `places` and their line breaks."""
    at = 0
    for records in found:
        lines = [text.read(len(record)) + text.readline() for record in records]
        yield b"".join([line for place, line in enumerate(lines, at) if place not in places])
        at += len(records)


def check_length(length: int, where: str) -> None:
    """Refuse a record that is too long to be held in memory."""
    if length > MAX_RECORD:
        raise FormatError(where, f"a record of more than {MAX_RECORD:,} bytes")


def _text(blocks: Iterable[bytes], where: str) -> Iterator[bytes]:
    """Yield the blocks; one of the first bytes that is zero tells UTF-16, and most that only has a name of text."""
    left = _HEAD
    for block in blocks:
        if left > 0 and b"\0" in block[:left]:
            raise FormatError(where, f"is no text in UTF-8: a zero byte is among the first {_HEAD:,}")
        left -= len(block)
        yield block
