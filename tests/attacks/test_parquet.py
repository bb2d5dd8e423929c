"""Parquet and Arrow files that lie: each is refused, nothing crashes, and memory stays bounded."""

import io
import subprocess
import sys

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from mltrust.core.digest import BLAKE3
from mltrust.errors import FormatError
from mltrust.readers.records import stream
from mltrust.readers.records.parquet import ArrowReader, ParquetReader, table
from mltrust.testing.memory_source import MemorySource

ROWS = pa.table({"id": pa.array(range(1000)), "text": [f"text {n}" for n in range(1000)]})


def parquet(rows=ROWS, **options):
    sink = io.BytesIO()
    pq.write_table(rows, sink, **options)
    return sink.getvalue()


def arrow(batch):
    sink = io.BytesIO()
    with pa.ipc.new_file(sink, batch.schema, options=pa.ipc.IpcWriteOptions(allow_64bit=True)) as writer:
        writer.write(batch)
    return sink.getvalue()


def read(reader, data):
    source = MemorySource({f"x{reader.endings[0]}": data})
    [file] = source.files()
    return [row for batch in reader.batches(file, source, BLAKE3) for row in batch.digests]


def varint(number):
    found = bytearray()
    while number > 0x7F:
        found.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*found, number])


GOOD = parquet()
FOOTER = int.from_bytes(GOOD[-8:-4], "little")


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "begin and end"),
        (b"PAR1", "begin and end"),
        (b"PAR1PAR1", "begin and end"),
        (b"PAR1" + bytes(4) + b"PAR1", "makes no sense"),
        (GOOD[:-1], "begin and end"),
        (b"PAR2" + GOOD[4:], "begin and end"),
        (GOOD[:-4] + b"PARE", "encrypted"),
        (b"PARE" + GOOD[4:-4] + b"PARE", "encrypted"),
        (GOOD[:-8] + b"\xff\xff\xff\x7fPAR1", "a footer of 2,147,483,647 bytes"),
        (GOOD[:-8] + b"\xff\xff\xff\xffPAR1", "a footer of 4,294,967,295 bytes"),
        (GOOD[:-8] + (FOOTER - 1).to_bytes(4, "little") + b"PAR1", "makes no sense"),
        (GOOD[:4] + GOOD[-FOOTER - 8 :], "makes no sense"),
        (GOOD[:100] + GOOD[400:], "makes no sense"),
    ],
)
def test_broken_frames_are_refused(data, said):
    with pytest.raises(FormatError, match=f"x.parquet: .*{said}"):
        read(ParquetReader(), data)


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "pyarrow cannot read it"),
        (b"FEA1" + bytes(20) + b"FEA1", "Feather of version 1"),
        (b"ARROW1\0\0" + bytes(30), "pyarrow cannot read it"),
        (arrow(ROWS)[:-5], "pyarrow cannot read it"),
        (b"\xff\xff\xff\xff\xff\xff\xff\x7f" + bytes(30), "pyarrow cannot read it"),
    ],
)
def test_broken_arrow_is_refused(data, said):
    with pytest.raises(FormatError, match=f"x.arrow: .*{said}"):
        read(ArrowReader(), data)


def test_numbers_of_rows_that_lie_are_refused():
    true = varint(2 * 1000)  # signed numbers are written as zigzag varints
    places = [at for at in range(len(GOOD) - FOOTER - 8, len(GOOD)) if GOOD[at : at + 2] == true]
    assert len(places) >= 4  # of the file, of the row group, and of values in each column
    lies = [varint(2 * number) for number in (999, 1001, 8191)] + [varint(2 * 1000 - 1)]
    refused = 0
    for place in places:
        for lie in lies:
            try:
                assert read(ParquetReader(), GOOD[:place] + lie + GOOD[place + 2 :]) == read(ParquetReader(), GOOD)
            except FormatError:
                refused += 1
    assert refused >= 2 * len(lies)  # those of rows; what is not refused changed no row


def test_a_schema_of_many_levels_is_refused():
    kind = pa.int8()
    for _ in range(80):
        kind = pa.list_(kind)
    deep = pa.table({"x": pa.array([], kind)})
    with pytest.raises(FormatError, match=r"levels|depth"):
        read(ParquetReader(), parquet(deep))


def nested(levels):
    """Return a footer whose schema has so many levels, each with one field."""
    group = b"\x35\x00\x18\x01a\x15\x02\x00"  # repetition required, called a, one child
    leaf = b"\x15\x02\x25\x00\x18\x01a\x00"
    root = b"\x48\x01a\x15\x02\x00"
    footer = b"\x15\x02\x19\xfc" + varint(levels + 2) + root + group * levels + leaf + b"\x16\x00\x19\x0c\x00"
    return b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1"


HARNESS = """
import sys
from mltrust.core.digest import BLAKE3
from mltrust.errors import FormatError
from mltrust.testing.memory_source import MemorySource
from mltrust.readers.records.parquet import ArrowReader, ParquetReader
import pyarrow, pyarrow.parquet, mltrust.readers.records.parquet.encoding

def read(reader, data):
    source = MemorySource({"x" + reader.endings[0]: data})
    [file] = source.files()
    try:
        return [row for batch in reader.batches(file, source, BLAKE3) for row in batch.digests]
    except FormatError as error:
        assert error.where == "x" + reader.endings[0]

def largest():
    try:
        status = open("/proc/self/status").read()
    except OSError:
        return 0  # only Linux says it
    return status.partition("VmHWM:")[2].split()[0]
"""


def alone(code, data):
    """Run `code` on `data` in a process of its own, which a crash would end; return its largest memory in MiB."""
    code = f"{HARNESS}\ndata = sys.stdin.buffer.read()\n{code}\nprint(largest())\n"
    done = subprocess.run([sys.executable, "-c", code], input=data, capture_output=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr.decode()[-500:]
    return int(done.stdout) // 1024


def test_a_footer_of_very_many_levels_crashes_nothing():
    assert read(ParquetReader(), nested(3)) == []
    assert alone("assert read(ParquetReader(), data) is None", nested(200_000)) < 1000


NESTED = pa.table(
    {"a": [[1, None], None, []] * 5, "b": [{"c": ["x"]}, None, {"c": None}] * 5, "d": ["p", "q", None] * 5}
)
EACH_BYTE = """
for place in range(START, len(data)):
    for wrong in (0xFF, data[place] ^ 1):
        changed = bytearray(data)
        changed[place] = wrong
        read(READER(), bytes(changed))
"""


@pytest.mark.parametrize("kind", ["Parquet", "Arrow"])
def test_no_wrong_byte_crashes_the_process_or_fills_memory(kind):
    data = parquet(NESTED, store_schema=False, compression="none") if kind == "Parquet" else arrow(NESTED)
    start = len(data) - int.from_bytes(data[-8:-4], "little") - 8 if kind == "Parquet" else 0
    assert alone(EACH_BYTE.replace("START", str(start)).replace("READER", f"{kind}Reader"), data) < 1000


def nulls(length):
    """Return so many nulls, which take no memory."""
    return pa.Array.from_buffers(pa.null(), length, [None])


def runs(value, length):
    """Return a batch of one value that stands there so often."""
    ends = pa.array([length], pa.int64())
    return pa.record_batch([pa.RunEndEncodedArray.from_arrays(ends, pa.array([value]))], names=["x"])


@pytest.mark.parametrize(
    "batch",
    [
        runs("x" * 1000, 2**40),
        pa.record_batch([nulls(2**40)], names=["x"]),
        pa.record_batch(
            [pa.DictionaryArray.from_arrays(pa.array([0] * 2**15, pa.int32()), ["x" * 2**16])], names=["x"]
        ),
        pa.record_batch(
            [pa.ListViewArray.from_arrays([0] * 2**13, [2**13] * 2**13, pa.array([1] * 2**13, pa.int8()))], names=["x"]
        ),
        pa.record_batch([pa.FixedSizeListArray.from_arrays(nulls(2**38), 2**28)], names=["x"]),
        pa.RecordBatch.from_struct_array(pa.StructArray.from_buffers(pa.struct([]), 2**40, [None])),
    ],
    ids=["runs", "nulls", "dictionary", "views", "lists of nulls", "no columns"],
)
def test_small_arrow_files_of_huge_tables_are_refused(batch, monkeypatch):
    monkeypatch.setattr(table, "_ALLOWANCE", 2**20)
    data = arrow(batch)
    assert len(data) < 2**18
    with pytest.raises(FormatError, match=r"times its size|a record of more than"):
        read(ArrowReader(), data)


def test_small_parquet_files_of_huge_tables_are_refused(monkeypatch):
    monkeypatch.setattr(table, "_ALLOWANCE", 2**20)
    data = parquet(pa.table({"x": ["x" * 2**10] * 2**16}), compression="zstd")
    assert len(data) < 2**14
    with pytest.raises(FormatError, match="times its size"):
        read(ParquetReader(), data)


BOMBS = {
    "dictionary": {"use_dictionary": True, "dictionary_pagesize_limit": 2**25},
    "prefixes": {"use_dictionary": False, "column_encoding": {"x": "DELTA_BYTE_ARRAY"}},
}


@pytest.mark.parametrize("kind", BOMBS)
def test_a_long_value_that_stands_there_often_takes_bounded_memory(kind):
    long = pa.DictionaryArray.from_arrays(pa.array([0] * 1000, pa.int32()), ["x" * 2**20])
    data = parquet(pa.table({"x": long}), compression="zstd", store_schema=False, **BOMBS[kind])
    assert len(data) < 2**16
    few = "import mltrust.readers.records.parquet.parquet as module\nmodule._MEMORY = 2**26\n"
    assert alone(few + "assert len(read(ParquetReader(), data)) == 1000", data) < 600  # of a gigabyte of rows


def test_a_page_that_says_it_is_huge_is_refused():
    assert GOOD[4:8] == bytes.fromhex("15041580")  # dictionary page, uncompressed size...
    for field in (5, 6):
        lie = GOOD[: field + 1] + b"\xfe\xff\xff\xff\x0f" + GOOD[field + 6 :]
        with pytest.raises(FormatError, match=r"a page|makes no sense"):
            read(ParquetReader(), lie)


def test_a_record_that_is_too_large_is_refused():
    with pytest.raises(FormatError, match="a record of more than 67,108,864 bytes"):
        read(ArrowReader(), arrow(pa.table({"x": ["x" * 2**26]})))


def test_a_piece_that_is_too_large_is_refused(monkeypatch):
    monkeypatch.setattr(stream, "LARGEST", 10_000)
    with pytest.raises(FormatError, match="a piece of more than 10,000 bytes"):
        read(ArrowReader(), arrow(ROWS))
