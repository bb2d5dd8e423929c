"""Parquet and Arrow: a row is its values, whatever a writer does with them."""

import io
import json
import subprocess
import sys
from decimal import Decimal

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

from mltrust.core.digest import BLAKE3
from mltrust.errors import ChangedError, FormatError, UsageError
from mltrust.interfaces import Silent
from mltrust.readers.records.parquet import ArrowReader, ParquetReader, encoding
from mltrust.testing.memory_source import MemorySource

PEOPLE = pa.table(
    {
        "id": pa.array(range(3000)),
        "small": pa.array([n % 100 for n in range(3000)], pa.uint8()),
        "text": [None if n % 11 == 0 else f"text {n % 50} " * (n % 9) for n in range(3000)],
        "label": pa.array([f"label {n % 3}" for n in range(3000)]).dictionary_encode(),
        "score": [n / 7 for n in range(3000)],
        "half": pa.array([n % 2**16 for n in range(3000)], pa.uint16()).view(pa.float16()),
        "tokens": pa.array([list(range(n % 5)) if n % 4 else None for n in range(3000)], pa.list_(pa.int32())),
        "box": pa.array([[1.0, None]] * 3000, pa.list_(pa.float32(), 2)),
        "price": pa.array([Decimal(n).scaleb(-2) for n in range(3000)], pa.decimal128(9, 2)),
        "hash": pa.array([bytes([n % 256]) * 4 for n in range(3000)], pa.binary(4)),
        "day": pa.array(range(3000), pa.int32()).view(pa.date32()),
        "at": pa.array(range(3000), pa.timestamp("us", "Europe/Paris")),
        "where": [{"x": n, "y": [{"z": str(n)}]} for n in range(3000)],
        "tags": pa.array([[("k", n)] for n in range(3000)], pa.map_(pa.string(), pa.int64())),
    }
)


def parquet(table, **options):
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


def arrow(table, form=pa.ipc.new_file, rows=None, **options):
    sink = io.BytesIO()
    with form(sink, table.schema, options=pa.ipc.IpcWriteOptions(unify_dictionaries=True, **options)) as writer:
        writer.write_table(table, max_chunksize=rows)
    return sink.getvalue()


def feather(table, **options):
    sink = io.BytesIO()
    pyarrow.feather.write_feather(table, sink, **options)
    return sink.getvalue()


def leaf(reader, data):
    """Return the leaf of a file, as an engine makes it."""
    source = MemorySource({f"x{reader.endings[-1]}": data})
    [file] = source.files()
    parts = reader.parts(file, source)
    return parts.entry([segment.by.digest(segment, source, BLAKE3, Silent()) for segment in parts.segments]).leaf


def shown(reader, data, *wanted):
    source = MemorySource({f"x{reader.endings[-1]}": data})
    [file] = source.files()
    return list(reader.rows(file, source, wanted))


def content(reader, data):
    found = leaf(reader, data)
    return found.child_root, found.child_size, found.records.header, found.records.set_root


@pytest.fixture(scope="module")
def people():
    return content(ArrowReader(), arrow(PEOPLE))


@pytest.mark.parametrize("version", ["1.0", "2.4", "2.6"])
@pytest.mark.parametrize("store_schema", [True, False])
@pytest.mark.parametrize("page", ["1.0", "2.0"])
def test_the_same_rows_in_any_parquet(people, version, store_schema, page):
    data = parquet(PEOPLE, version=version, store_schema=store_schema, data_page_version=page)
    assert content(ParquetReader(), data) == people


@pytest.mark.parametrize(
    "options",
    [
        {"compression": "none", "row_group_size": 700},
        {"compression": "zstd", "use_dictionary": False},
        {"compression": "gzip", "data_page_size": 500},
        {"use_dictionary": False, "column_encoding": {"text": "DELTA_BYTE_ARRAY", "id": "DELTA_BINARY_PACKED"}},
        {"write_statistics": False, "use_compliant_nested_type": False},
        {
            "write_page_index": True,
            "write_page_checksum": True,
            "use_byte_stream_split": ["score"],
            "use_dictionary": False,
        },
    ],
)
def test_the_same_rows_however_parquet_stores_them(people, options):
    assert content(ParquetReader(), parquet(PEOPLE, **options)) == people


@pytest.mark.parametrize(
    "data",
    [
        arrow(PEOPLE, pa.ipc.new_stream),
        arrow(PEOPLE, rows=77, compression="zstd"),
        feather(PEOPLE, compression="lz4", chunksize=1000),
        arrow(PEOPLE.replace_schema_metadata({"pandas": "{}", "x": "y"})),
        arrow(pa.table([column.combine_chunks() for column in PEOPLE.columns], PEOPLE.schema.names)),
        arrow(PEOPLE.cast(pa.schema([field.with_nullable(field.name != "id") for field in PEOPLE.schema]))),
    ],
    ids=["stream", "chunks", "feather", "metadata", "combined", "nullable"],
)
def test_the_same_rows_in_any_arrow(people, data):
    assert content(ArrowReader(), data) == people


def test_one_changed_value_is_one_changed_record(people):
    texts = PEOPLE["text"].to_pylist()
    texts[7] = "another"
    data = parquet(PEOPLE.set_column(2, "text", [texts]))
    source = MemorySource({"a.parquet": data, "b.parquet": parquet(PEOPLE)})
    one, other = (list(ParquetReader().batches(file, source, BLAKE3)) for file in source.files())
    pairs = zip(*([digest for batch in batches for digest in batch.digests] for batches in (one, other)), strict=True)
    assert [at for at, (a, b) in enumerate(pairs) if a != b] == [7]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (pa.int32(), pa.int64()),
        (pa.string(), pa.binary()),
        (pa.timestamp("us"), pa.timestamp("us", "UTC")),
        (pa.timestamp("us"), pa.timestamp("ns")),
        (pa.decimal128(5, 2), pa.decimal128(5, 1)),
        (pa.list_(pa.int8()), pa.list_(pa.int16())),
        (pa.struct([("a", pa.int8())]), pa.struct([("b", pa.int8())])),
        (pa.duration("s"), pa.int64()),
    ],
)
def test_another_type_is_another_header(one, other):
    headers = [content(ArrowReader(), arrow(pa.table({"x": pa.array([], kind)})))[2] for kind in (one, other)]
    assert headers[0] != headers[1]
    assert content(ArrowReader(), arrow(pa.table({"y": pa.array([], one)})))[2] != headers[0]


def test_what_a_writer_of_parquet_coerces_has_another_type():
    table = pa.table({"at": pa.array([1_000], pa.timestamp("ns")), "n": pa.array([1], pa.uint32())})
    old = content(ParquetReader(), parquet(table, version="1.0"))
    assert old[2] != content(ParquetReader(), parquet(table, version="2.6"))[2]
    coerced = pa.table({"at": pa.array([1], pa.timestamp("us")), "n": pa.array([1], pa.int64())})
    assert old == content(ArrowReader(), arrow(coerced))


def test_durations_are_numbers_in_parquet_and_extensions_are_their_storage():
    durations = pa.table({"x": pa.array([5], pa.duration("ms")), "id": pa.array([b"u" * 16], pa.uuid())})
    numbers = pa.table({"x": pa.array([5], pa.int64()), "id": pa.array([b"u" * 16], pa.binary(16))})
    expected = content(ArrowReader(), arrow(numbers))
    for store_schema in (True, False):
        assert content(ParquetReader(), parquet(durations, store_schema=store_schema)) == expected
    assert content(ArrowReader(), arrow(durations))[:2] == expected[:2]


def test_a_column_may_be_called_like_a_key_of_the_footer():
    named = pa.table({"ARROW:schema": ["ARROW:schema"] * 2})
    assert content(ParquetReader(), parquet(named)) == content(ArrowReader(), arrow(named))
    assert shown(ParquetReader(), parquet(named), 1)[0].fields == {"ARROW:schema": "ARROW:schema"}


def test_a_table_without_rows_or_columns():
    assert leaf(ParquetReader(), parquet(PEOPLE.slice(0, 0))).child_size == 0
    empty = pa.RecordBatch.from_struct_array(pa.array([{}, {}], pa.struct([])))
    assert content(ArrowReader(), arrow(pa.Table.from_batches([empty])))[1] == 2


def test_rows_as_people_see_them():
    [first, last] = shown(ParquetReader(), parquet(PEOPLE, row_group_size=1000), 0, 2999)
    assert (first.at, last.at) == (0, 2999)
    assert json.loads(last.text) == last.fields
    assert last.fields["text"] == "text 49 " * 2
    assert (last.fields["price"], last.fields["hash"]) == ("29.99", "b7b7b7b7")
    assert (last.fields["day"], last.fields["at"]) == ("1978-03-19", "1970-01-01T00:00:00.002999Z")
    assert (last.fields["where"], last.fields["tags"]) == ({"x": 2999, "y": [{"z": "2999"}]}, [["k", 2999]])
    assert shown(ArrowReader(), arrow(PEOPLE), 2999) == [last]
    assert shown(ArrowReader(), arrow(PEOPLE)) == []


def test_times_beyond_the_calendar_are_numbers():
    far = pa.table({"x": pa.array([2**62], pa.int64()).view(pa.timestamp("s"))})
    [row] = shown(ArrowReader(), arrow(far), 0)
    assert row.fields == {"x": f"{2**62} seconds since 1970"}


def test_a_large_batch_is_taken_in_parts(people, monkeypatch):
    monkeypatch.setattr(encoding, "_LARGEST", 20_000)
    assert content(ArrowReader(), arrow(PEOPLE)) == people


@pytest.mark.parametrize(
    ("column", "said"),
    [
        (pa.UnionArray.from_sparse(pa.array([0], pa.int8()), [pa.array([1])]), "union"),
        (pa.array([(1, 2, 3)], pa.month_day_nano_interval()), "interval"),
    ],
)
def test_types_without_a_form_are_refused(column, said):
    with pytest.raises(FormatError, match=f"a column of type .*{said}.*no canonical form"):
        leaf(ArrowReader(), arrow(pa.table({"x": column})))


def test_names_that_stand_twice_are_refused():
    twice = pa.Table.from_arrays([pa.array([1]), pa.array([2])], ["a", "a"])
    for reader, data in ((ParquetReader(), parquet(twice)), (ArrowReader(), arrow(twice))):
        with pytest.raises(FormatError, match="two columns are called 'a'"):
            leaf(reader, data)


def test_a_string_that_is_no_text_is_refused():
    wrong = pa.table({"x": pa.array([b"\xff"]).view(pa.string())})
    for reader, data in ((ParquetReader(), parquet(wrong)), (ArrowReader(), arrow(wrong))):
        with pytest.raises(FormatError, match="UTF8"):
            leaf(reader, data)


def test_a_file_that_changes_is_said_to_have_changed():
    source = MemorySource({"x.parquet": parquet(PEOPLE)})
    [file] = source.files()
    with pytest.raises(ChangedError, match="shorter"):
        list(ParquetReader().batches(file._replace(size=file.size + 9), source, BLAKE3))


def test_without_pyarrow_it_is_said_what_to_do(monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    for reader in (ParquetReader(), ArrowReader()):
        with pytest.raises(UsageError, match="needs the library pyarrow") as caught:
            leaf(reader, b"PAR1")
        assert "mltrust[parquet]" in caught.value.hint
        assert "--records off" in caught.value.hint


def test_pyarrow_is_imported_when_a_file_is_read():
    code = """
import sys
from mltrust.interfaces import FileEntry
from mltrust.readers.records.parquet import ArrowReader, ParquetReader
assert ParquetReader().accepts(FileEntry("a.parquet", 9, ())) and ArrowReader().accepts(FileEntry("a.arrow", 9, ()))
ParquetReader().parts(FileEntry("a.parquet", 9, ()), None)
assert "pyarrow" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)


def test_the_installed_command_finds_a_row_that_changed(run_installed, tmp_path):
    (tmp_path / "data").mkdir()
    table = pa.table({"id": [1, 2], "text": ["a", "b"]})
    pq.write_table(table, tmp_path / "data" / "a.parquet")
    assert run_installed(tmp_path, "seal", "data", "--no-anchor").code == 0
    seal = json.loads((tmp_path / "data" / "mltrust.seal.json").read_text())
    assert seal["statement"]["predicate"]["totals"]["records"] == 2
    (tmp_path / "data" / "a.parquet").write_bytes(b"PAR1" * 9)
    done = run_installed(tmp_path, "verify", "data")
    assert done.code == 1
    assert "a.parquet" in done.out + done.err
    (tmp_path / "data" / "mltrust.seal.json").unlink()
    done = run_installed(tmp_path, "seal", "data", "--no-anchor")
    assert done.code != 0
    assert "--records off" in done.err
