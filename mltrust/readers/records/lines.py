"""Records that end with a line break."""

from collections.abc import Iterable, Iterator, Sequence

from mltrust.errors import FormatError
from mltrust.readers.records.reading import MAX_RECORD


def lines(blocks: Iterable[bytes], where: str) -> Iterator[Sequence[bytes]]:
    r"""Yield the lines of a stream, many at a time, each without its `\n` or `\r\n`; the last one may have none."""
    pieces: list[bytes] = []
    held = 0
    for block in blocks:
        end = block.rfind(b"\n")
        if end < 0:
            pieces.append(block)
            held += len(block)
            _check_length(held, where)
            continue
        pieces.append(block[:end])
        yield _split(b"".join(pieces))
        pieces, held = [block[end + 1 :]], len(block) - end - 1
    if held:
        yield _split(b"".join(pieces))


def _split(data: bytes) -> Sequence[bytes]:
    found = data.split(b"\n")
    return [line.removesuffix(b"\r") for line in found] if b"\r" in data else found


def _check_length(length: int, where: str) -> None:
    if length > MAX_RECORD:
        raise FormatError(where, f"a record of more than {MAX_RECORD:,} bytes")
