"""Write `rows.json`: the rows of docs/format.md §3.7, as values. Run it only when the format gets a new version.

`python tests/vectors/parquet/make.py` writes the file; `tests/unit/test_parquet_vectors.py` checks that it would write
the same again.
"""

import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa

from mltrust.core.digest import Suite
from mltrust.readers.records.parquet import ArrowReader
from mltrust.readers.records.parquet.schema import columns_of
from mltrust.testing.memory_source import MemorySource

PATH = Path(__file__).with_name("rows.json")
BYTES = Suite("bytes", "bytes", bytearray, bytearray, bytes)  # digests that are the bytes themselves
INT64 = 2**63 - 1


def bits(kind, *values):
    """Return numbers of `kind` with these bits."""
    return pa.array(values, pa.uint64() if kind.bit_width == 64 else getattr(pa, f"uint{kind.bit_width}")()).view(kind)


COLUMNS = {
    "null": pa.nulls(1),
    "bool": pa.array([False, True, None]),
    "int8": pa.array([-128, 127, None], pa.int8()),
    "int16": pa.array([-(2**15), 1], pa.int16()),
    "int32": pa.array([-(2**31), 1], pa.int32()),
    "int64": pa.array([-INT64 - 1, INT64, None], pa.int64()),
    "uint8": pa.array([0, 255], pa.uint8()),
    "uint16": pa.array([2**16 - 1], pa.uint16()),
    "uint32": pa.array([2**32 - 1], pa.uint32()),
    "uint64": pa.array([2**64 - 1], pa.uint64()),
    "float16: 1, -0, two NaNs": bits(pa.float16(), 0x3C00, 0x8000, 0x7E00, 0xFE01),
    "float32: 1, -0, two NaNs, -infinity": bits(pa.float32(), 0x3F800000, 1 << 31, 0x7FC00000, 0x7FC00001, 0xFF800000),
    "float64: 0.1, -0, two NaNs": bits(pa.float64(), 0x3FB999999999999A, 1 << 63, 0x7FF8 << 48, (0xFFF8 << 48) + 1),
    "decimal(5,2)": pa.array([Decimal("1.25"), Decimal("-999.99"), None], pa.decimal128(5, 2)),
    "decimal(5,2) of another width": pa.array([Decimal("1.25")], pa.decimal256(5, 2)),
    "decimal(39,0)": pa.array([Decimal(-1)], pa.decimal256(39, 0)),
    "string: not normalised, empty, null": pa.array(["e\u0301\u00e9", "", None]),
    "string of a dictionary": pa.array(["a", "b", "a"]).dictionary_encode(),
    "binary": pa.array([b"\x00\xff", b"", None]),
    "fixed(3)": pa.array([b"abc", None], pa.binary(3)),
    "date": pa.array([0, -1, 20_000], pa.int32()).view(pa.date32()),
    "date of milliseconds": pa.array([-86_400_000], pa.int64()).view(pa.date64()),
    "time(s)": pa.array([86_399], pa.int32()).view(pa.time32("s")),
    "time(ms)": pa.array([1], pa.int32()).view(pa.time32("ms")),
    "time(us)": pa.array([1], pa.int64()).view(pa.time64("us")),
    "time(ns)": pa.array([1], pa.int64()).view(pa.time64("ns")),
    "timestamp(s)": pa.array([0], pa.int64()).view(pa.timestamp("s")),
    "timestamp(ms)": pa.array([-1], pa.int64()).view(pa.timestamp("ms")),
    "timestamp(us,utc)": pa.array([1_700_000_000_000_000], pa.int64()).view(pa.timestamp("us", "Europe/Paris")),
    "timestamp(ns)": pa.array([INT64, None], pa.int64()).view(pa.timestamp("ns")),
    "duration(ms)": pa.array([-1500], pa.int64()).view(pa.duration("ms")),
    "list(int32)": pa.array([[1, None], [], None], pa.list_(pa.int32())),
    "list(string) of fixed size": pa.array([["a", "b"]], pa.list_(pa.string(), 2)),
    "struct": pa.array([{"a": 1, "é": None}, None], pa.struct([("a", pa.int8()), ("é", pa.string())])),
    "struct without fields": pa.array([{}, None], pa.struct([])),
    "map(string,int8)": pa.array([[("b", 1), ("a", None)], [], None], pa.map_(pa.string(), pa.int8())),
    "list(struct(list))": pa.array([[{"x": [["y"], None]}]]),
}


def vectors():
    """Return everything that `rows.json` holds."""
    return [vector(name, column) for name, column in COLUMNS.items()]


def vector(name, column):
    """Return one column called `x`, its values as people see them, the header, and the rows."""
    batch = pa.record_batch([column], names=["x"])
    with pa.BufferOutputStream() as sink:
        with pa.ipc.new_file(sink, batch.schema) as writer:
            writer.write_batch(batch)
        source, reader = MemorySource({"x.arrow": sink.getvalue().to_pybytes()}), ArrowReader()
    [file] = source.files()
    batches = list(reader.batches(file, source, BYTES))
    rows = [row.hex() for batch in batches for row in batch.digests]
    shown = [row.fields["x"] for row in reader.rows(file, source, range(len(rows)))]
    kind = columns_of(batch.schema, name).parts[0]
    return {"name": name, "type": spelled(kind), "values": shown, "header": batches[0].header.hex(), "rows": rows}


def spelled(kind):
    """Return a type as JSON: a word, and what it is made of."""
    parts = [spelled(part) for part in kind.parts]
    return {
        "word": kind.word,
        **({"parts": parts} if parts else {}),
        **({"names": list(kind.names)} if kind.names else {}),
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(vectors(), indent=1) + "\n", encoding="ascii")
