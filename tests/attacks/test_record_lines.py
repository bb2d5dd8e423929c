"""Files of text made to fill memory or disk, to be read for ever, or to be read in two ways."""

import gzip
import os
import struct
import subprocess
import sys
import zlib

import pytest

from mltrust.core.digest import BLAKE3
from mltrust.core.records import MAX_RECORD
from mltrust.errors import ChangedError, FormatError
from mltrust.interfaces import FileEntry, Silent
from mltrust.readers.records.csv import CsvReader
from mltrust.readers.records.jsonl import JsonLinesReader
from mltrust.sources.local import LocalSource
from mltrust.testing.memory_source import MemorySource

MIB = 2**20
LINE = b"a" * 1023 + b"\n"


@pytest.fixture
def read(read_records):
    """Return what reads bytes by the reader of their ending, and returns how many records there are."""

    def by_ending(path, data):
        reader = CsvReader() if path.endswith((".csv", ".tsv")) else JsonLinesReader()
        return read_records(reader, path, data).leaf.child_size

    return by_ending


@pytest.fixture
def refused(read):
    """Return what does so, and expects the file to be malformed, in certain words, but hashed to its end."""

    def by_ending(path, data, words):
        with pytest.raises(FormatError, match=words) as caught:
            read(path, data)
        assert caught.value.digest == BLAKE3.digest(data)

    return by_ending


def zstd_frame(data, window_log, *, descriptor=0, extra=b""):
    """Return a frame of one raw block that says how large a window it needs."""
    block = (len(data) << 3 | 1).to_bytes(3, "little") + data
    return b"\x28\xb5\x2f\xfd" + bytes([descriptor, (window_log - 10) << 3]) + extra + block


class TestLongRecords:
    @pytest.mark.parametrize("name", ["a.jsonl", "a.csv"])
    def test_a_large_file_of_zeros(self, name, tmp_path, run_installed):
        path = tmp_path / name
        path.touch()
        os.truncate(path, 2**28)
        done = run_installed(tmp_path, "fingerprint", name)
        assert (done.code, done.out) == (3, "")
        assert "zero byte" in done.err
        assert "--records off" in done.err
        assert run_installed(tmp_path, "fingerprint", name, "--records", "off").code == 0

    @pytest.mark.parametrize("ending", ["gz", "zst"])
    def test_two_gigabytes_in_one_line(self, ending, zstd, refused, memory_below):
        pack, words = (gzip.compress, "a record of more") if ending == "gz" else (zstd.compress, "more than 200 times")
        with memory_below(200 * MIB):
            refused(f"a.jsonl.{ending}", pack(b"a" * 2**26) * 32, words)

    @pytest.mark.parametrize("path", ["a.jsonl", "a.csv"])
    def test_the_limit_is_the_same_wherever_blocks_end(self, path, read, refused):
        for lead in (b"h\n", b"h\n" + LINE[:512]):  # in the second, what is too long only together
            end = b"a" * (MAX_RECORD - len(lead[2:]))
            assert read(path, lead + end + b"\r\n") == 1 + (path == "a.jsonl")
            refused(path, lead + end + b"\r", "a record of more than")
            refused(path, lead + end + b"a\n", "a record of more than")

    def test_a_quote_that_never_closes(self, refused, memory_below):
        for piece in (b"x" * 1023 + b"\n", b'""' * 511 + b"x\n"):
            data = b'a,b\n1,"' + piece * (MAX_RECORD // 1024 + 3 * 1024)
            with memory_below(250 * MIB):
                refused("a.csv", data, "the quote opened in line 2 is not closed within")

    def test_a_header_that_never_ends(self, refused):
        refused("a.csv", b"a" * (MAX_RECORD + 1) + b"\n1\n", "a record of more than")


class TestManyRecords:
    @pytest.mark.parametrize(("path", "reader"), [("a.jsonl", JsonLinesReader()), ("a.csv", CsvReader())])
    def test_millions_of_empty_lines_take_no_memory_each(self, path, reader, memory_below):
        source = MemorySource({path: b"\n" * 2**21})
        [file] = source.files()
        with memory_below(64 * MIB):
            assert sum(len(batch.sizes) for batch in reader.batches(file, source, BLAKE3)) == 2**21 - (path == "a.csv")

    def test_more_of_them_are_refused(self, refused, monkeypatch):
        monkeypatch.setattr("mltrust.core.records._MANY", 2**10)
        refused("a.jsonl", b"\n" * (2**10 + 1), "records of less than 8 bytes")
        refused("a.jsonl.gz", gzip.compress(b"\n" * 2**12), "records of less than 8 bytes")


class TestBombs:
    @pytest.mark.parametrize("ending", ["gz", "zst"])
    def test_what_expands_beyond_measure(self, ending, zstd, read, refused, memory_below):
        pack = gzip.compress if ending == "gz" else zstd.compress
        small, large = pack(LINE * 2**13), pack(LINE * 2**16)
        assert read(f"a.jsonl.{ending}", small) == 2**13  # 8 MiB: little, however well it was packed
        with memory_below(128 * MIB):
            refused(f"a.jsonl.{ending}", large, "decompresses to more than 200 times its size")

    @pytest.mark.parametrize("window_log", [28, 31, 41])
    def test_a_window_that_would_fill_memory(self, window_log, read, refused, memory_below):
        assert read("a.jsonl.zst", zstd_frame(b"a\n", 27)) == 1
        with memory_below(16 * MIB):
            refused("a.jsonl.zst", zstd_frame(b"a\n", window_log), "zstd frame 1: .*memory")

    def test_a_single_segment_that_would_fill_memory(self, refused, memory_below):
        head = b"\x28\xb5\x2f\xfd\xe0" + struct.pack("<Q", 2**40)
        with memory_below(16 * MIB):
            refused("a.jsonl.zst", head + b"\x11\0\0a\n", "zstd frame 1: .*memory")

    def test_very_many_tiny_frames(self, zstd, read, refused, monkeypatch):
        monkeypatch.setattr("mltrust.readers.records.compressed._MANY", 1000)
        for ending, pack in (("gz", gzip.compress), ("zst", zstd.compress)):
            assert read(f"a.jsonl.{ending}", pack(b"") * 999 + pack(b"a\n")) == 1
            refused(f"a.jsonl.{ending}", pack(b"") * 2000, "more than 1,000 parts of less than 32 bytes")

    def test_names_and_skipped_frames_are_not_held(self, zstd, read, memory_below):
        deflated = zlib.compress(b"a\n", wbits=-15) + struct.pack("<II", zlib.crc32(b"a\n"), 2)
        named = b"\x1f\x8b\x08\x08" + bytes(6) + b"n" * 2**26 + b"\0" + deflated
        skipped = struct.pack("<II", 0x184D2A50, 2**26) + bytes(2**26) + zstd.compress(b"a\n")
        with memory_below(16 * MIB):
            assert read("a.jsonl.gz", named) == 1
            assert read("a.jsonl.zst", skipped) == 1


class TestDamage:
    @pytest.mark.parametrize("ending", ["gz", "zst"])
    def test_every_truncation_is_refused(self, ending, zstd, read, refused):
        pack = gzip.compress if ending == "gz" else zstd.compress
        first, second = pack(b'{"id": 1}\n' * 3), pack(b'{"id": 2}\n' * 30)
        both = first + second
        for length in range(len(both)):
            if length == len(first):
                assert read(f"a.jsonl.{ending}", both[:length]) == 3
            else:
                refused(f"a.jsonl.{ending}", both[:length], "ends before .* is complete")

    @pytest.mark.parametrize("ending", ["gz", "zst"])
    @pytest.mark.parametrize("garbage", [b"{}\n", b"\0" * 512, b"\n", b"\x1f", b"PK\x03\x04"])
    def test_anything_after_the_end_is_refused(self, ending, garbage, zstd, refused):
        pack = gzip.compress if ending == "gz" else zstd.compress
        refused(f"a.jsonl.{ending}", pack(b"{}\n") + garbage, "(member|frame) 2")

    def test_a_wrong_check_sum_is_refused(self, zstd, refused):
        good = gzip.compress(b'{"id": 1}\n')
        refused("a.jsonl.gz", good[:-8] + b"\0\0\0\0" + good[-4:], "gzip member 1: incorrect data check")
        refused("a.jsonl.gz", good[:-4] + b"\0\0\0\1", "gzip member 1: incorrect length check")
        checked = zstd.compress(b'{"id": 1}\n', options={zstd.CompressionParameter.checksum_flag: 1})
        refused("a.jsonl.zst", checked[:-1] + bytes([checked[-1] ^ 1]), "zstd frame 1: .*checksum")

    def test_what_only_has_the_name_is_refused(self, refused):
        refused("a.jsonl.gz", b'{"id": 1}\n', "gzip member 1: incorrect header check")
        refused("a.jsonl.zst", b'{"id": 1}\n', "zstd frame 1")
        refused("a.jsonl.gz", b"", "ends before gzip member 1")
        refused("a.jsonl.zst", b"", "ends before zstd frame 1")
        refused("a.jsonl", gzip.compress(b'{"id": 1}\n'), "zero byte")

    def test_a_frame_that_needs_a_dictionary_is_refused(self, refused):
        refused("a.jsonl.zst", zstd_frame(b"a\n", 20, descriptor=1, extra=b"\x07"), "zstd frame 1: Dictionary")

    @pytest.mark.parametrize("name", ["a.jsonl", "a.jsonl.gz", "a.jsonl.zst", "a.csv"])
    def test_a_file_that_shrinks_while_it_is_read_is_no_finding_but_an_error(self, name, tmp_path):
        path = tmp_path / name
        pack = zlib.compressobj(wbits=31, level=0) if name.endswith("gz") else None
        rows = b"1,2\n" * MIB
        path.write_bytes(pack.compress(rows) + pack.flush() if pack else zstd_frames(rows) if ".zst" in name else rows)
        source = LocalSource(path, ())
        [file] = source.files()

        class Cutting(Silent):
            def advance(self, size):
                os.truncate(path, MIB + 1000)

        reader = CsvReader() if name.endswith("csv") else JsonLinesReader()
        [segment] = reader.parts(file, source).segments
        with pytest.raises(ChangedError):
            segment.by.digest(segment, source, BLAKE3, Cutting())


def zstd_frames(data):
    """Return frames of raw blocks, as large as their content."""
    return b"".join(zstd_frame(data[at : at + 2**16], 20) for at in range(0, len(data), 2**16))


def test_a_name_ends_as_it_ends():
    reader = JsonLinesReader()
    for name in ("a.JSONL", "a.jsonl.GZ", "a.jsonl.bz2", "jsonl", "a.json.gz", "a.jsonl/b"):
        assert not reader.accepts(FileEntry(name, 1, ()))


@pytest.mark.parametrize("bracket", [b"[", b'{"a":'])
def test_deep_json_is_not_taken_apart_whatever_the_limit_of_recursion_is(bracket):
    code = f"""
import sys
from mltrust.readers.records.jsonl import JsonLinesReader
from mltrust.testing.memory_source import MemorySource

sys.setrecursionlimit(10**6)  # as some libraries do
source = MemorySource({{"a.jsonl": {bracket!r} * 150_000 + b'\\n{{"a": {{}}}}\\n'}})
[file] = source.files()
print([row.fields for row in JsonLinesReader().rows(file, source, [0, 1])])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (0, b"[None, {'a': {}}]\n"), done.stderr
