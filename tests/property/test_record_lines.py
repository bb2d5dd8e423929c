"""Records of text, for any bytes: they lose nothing but line breaks, and where blocks end does not matter."""

import gzip
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from mltrust.core.digest import BLAKE3
from mltrust.core.memory_file import MemoryFile
from mltrust.errors import FormatError
from mltrust.interfaces import FileEntry, Silent
from mltrust.readers.records.compressed import decompressed
from mltrust.readers.records.csv import CsvReader
from mltrust.readers.records.jsonl import JsonLinesReader
from mltrust.readers.records.lines import lines
from mltrust.readers.records.stream import Stream
from mltrust.testing.memory_source import MemorySource

TEXTS = st.lists(st.sampled_from([b"a", b"\n", b"\r", b"\r\n", b'"', b",", b"\xff"]), max_size=40).map(b"".join)
CUTS = st.lists(st.integers(0, 40), max_size=6)


def blocks(data, cuts):
    places = sorted({0, len(data), *(cut for cut in cuts if cut < len(data))})
    return [data[start:end] for start, end in pairwise(places)]


class Slow(MemoryFile):
    """Gives a few bytes at a time."""

    def read_into(self, buffer, offset):
        return super().read_into(buffer[: 1 + offset % 5], offset)


def cut(reader, path, data, kind=MemoryFile):
    stream = Stream(kind(data), FileEntry(path, len(data), ()), Silent(), BLAKE3.new())
    batches = list(reader.cut(stream, BLAKE3))
    assert stream.finish() == BLAKE3.digest(data)
    return [digest for batch in batches for digest in batch.digests], [
        batch.header for batch in batches if batch.header
    ]


def rows_by_quotes(data):
    """Return the records of a table, found in the slow and plain way; None if a quote stays open."""
    found, start, inside = [], 0, False
    for at in range(len(data)):
        inside ^= data[at : at + 1] == b'"'
        if data[at : at + 1] == b"\n" and not inside:
            found.append(data[start:at].removesuffix(b"\r"))
            start = at + 1
    return None if inside else found + [data[start:]] * (start < len(data))


@given(TEXTS, CUTS)
def test_lines_are_what_stands_between_line_feeds(data, cuts):
    found = [line for some in lines(blocks(data, cuts), "a") for line in some]
    *ended, last = data.split(b"\n")
    assert found == [line.removesuffix(b"\r") for line in ended] + [last] * bool(last)


@given(TEXTS)
def test_rows_are_what_stands_between_line_feeds_out_of_quotes(data):
    expected = rows_by_quotes(data)
    for kind in (MemoryFile, Slow):
        try:
            found = cut(CsvReader(), "a.csv", data, kind)
        except FormatError:
            assert expected is None
        else:
            assert found == (list(map(BLAKE3.digest, expected[1:])), list(map(BLAKE3.digest, expected[:1])))


@given(st.lists(TEXTS, min_size=1, max_size=4), st.booleans())
def test_what_is_compressed_in_any_pieces_comes_out(zstd, texts, by_zstd):
    path = "a.jsonl.zst" if by_zstd else "a.jsonl.gz"
    data = b"".join(map(zstd.compress if by_zstd else gzip.compress, texts))
    for kind in (MemoryFile, Slow):
        stream = Stream(kind(data), FileEntry(path, len(data), ()), Silent())
        assert b"".join(decompressed(stream)) == b"".join(texts)
    assert cut(JsonLinesReader(), path, data) == cut(JsonLinesReader(), "a.jsonl", b"".join(texts))


@given(TEXTS, st.sets(st.integers(0, 45)))
def test_rows_are_the_records(data, wanted):
    source = MemorySource({"a.jsonl": data})
    [file] = source.files()
    *ended, last = data.split(b"\n")
    expected = [line.removesuffix(b"\r") for line in ended] + [last] * bool(last)
    found = [(row.at, row.text) for row in JsonLinesReader().rows(file, source, wanted)]
    assert found == [(at, expected[at].decode("utf-8", "replace")) for at in sorted(wanted) if at < len(expected)]
