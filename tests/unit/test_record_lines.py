"""Records of text: where they end, what is shown of them, and that compression is none of their business."""

import csv
import gzip
import io
import json
import sys

import pytest

from mltrust.core.digest import BLAKE3, SHA256
from mltrust.core.merkle import Tree
from mltrust.core.records import Batch
from mltrust.errors import FormatError, UsageError
from mltrust.readers.records import lines
from mltrust.readers.records.csv import CsvReader
from mltrust.readers.records.jsonl import JsonLinesReader
from mltrust.testing.memory_source import MemorySource

LINES = [
    (b"", []),
    (b"\n", [b""]),
    (b"a", [b"a"]),
    (b"a\n", [b"a"]),
    (b"a\n\n\nb", [b"a", b"", b"", b"b"]),
    (b"a\r\n\r\nb\r\n", [b"a", b"", b"b"]),
    (b"a\rb\r\r\n", [b"a\rb\r"]),
    (b"a\r", [b"a\r"]),
    (b"a\n\r", [b"a", b"\r"]),
    (b"\xef\xbb\xbfa\nb", [b"\xef\xbb\xbfa", b"b"]),
    ("\u2028a\x0bb\x85c\n".encode(), ["\u2028a\x0bb\x85c".encode()]),
    (b"\xff\xfe not UTF-8\n", [b"\xff\xfe not UTF-8"]),
]
TABLES = [
    (b"", []),
    (b"h", [b"h"]),
    (b"a,b\n1,2\n3,4\n", [b"a,b", b"1,2", b"3,4"]),
    (b"a,b\r\n1,2\r\n\r\n", [b"a,b", b"1,2", b""]),
    (b'h\n"a\nb"\nc', [b"h", b'"a\nb"', b"c"]),
    (b'h\r\n"a\r\nb"\r\nc\r\n', [b"h", b'"a\r\nb"', b"c"]),
    (b'"h\n1","h\n2"\nx', [b'"h\n1","h\n2"', b"x"]),
    (b'h\n"a ""\n"" b"\n"c\n\n\n"\n', [b"h", b'"a ""\n"" b"', b'"c\n\n\n"']),
    (b'h\n""\n"",""\n', [b"h", b'""', b'"",""']),
]


def tree_of(records, suite):
    """Return the number of records and their root by the specification."""
    batch = Batch(list(map(len, records)), list(map(suite.digest, records)))
    return len(records), Tree(batch.leaf(at).data() for at in range(len(records))).root


def rows(reader, path, data, wanted):
    source = MemorySource({path: data})
    [file] = source.files()
    return list(reader.rows(file, source, wanted))


@pytest.mark.parametrize("suite", [BLAKE3, SHA256])
@pytest.mark.parametrize(("data", "records"), LINES)
def test_a_line_is_its_bytes_without_the_line_break(read_records, data, records, suite):
    found = read_records(JsonLinesReader(), "a.jsonl", data, suite)
    assert (found.leaf.child_size, found.leaf.child_root) == tree_of(records, suite)
    assert (found.leaf.digest, found.leaf.records.header) == (suite.digest(data), b"")


@pytest.mark.parametrize("suite", [BLAKE3, SHA256])
@pytest.mark.parametrize(("data", "records"), TABLES)
def test_a_row_may_have_line_breaks_in_quotes_and_the_first_is_the_header(read_records, data, records, suite):
    header, rows = records[:1], records[1:]
    for path, word in (("a.csv", "csv"), ("a.tsv", "tsv")):
        found = read_records(CsvReader(), path, data, suite)
        assert (found.leaf.child_size, found.leaf.child_root) == tree_of(rows, suite)
        assert found.leaf.records.header == b"".join(map(suite.digest, header))
        assert found.leaf.records.format == word


def test_where_blocks_end_does_not_matter(read_records, monkeypatch):
    for reader, path, cases in ((JsonLinesReader(), "a.jsonl", LINES), (CsvReader(), "a.csv", TABLES)):
        whole = [read_records(reader, path, data) for data, _ in cases]
        for size in (1, 2, 3):
            monkeypatch.setattr("mltrust.readers.records.stream.BLOCK", size)
            assert [read_records(reader, path, data) for data, _ in cases] == whole
        monkeypatch.undo()


@pytest.mark.parametrize("ending", [".gz", ".zst"])
def test_the_same_lines_have_the_same_records_compressed_or_not(ending, zstd, run_installed, tmp_path):
    packed = gzip.compress if ending == ".gz" else zstd.compress
    data = b"".join(b'{"id": %d}\n' % number for number in range(1000))
    (tmp_path / "a.jsonl").write_bytes(data)
    (tmp_path / f"a.jsonl{ending}").write_bytes(packed(data[:5000]) + packed(b"") + packed(data[5000:]))
    (tmp_path / f"b.ndjson{ending}").write_bytes(packed(data))
    done = run_installed(tmp_path, "seal", ".", "--no-anchor")
    assert done.code == 0, done.err
    rows = json.loads((tmp_path / "mltrust.seal.json").read_bytes())["manifest"]["entries"]
    assert [row.pop("path") for row in rows] == ["a.jsonl", f"a.jsonl{ending}", f"b.ndjson{ending}"]
    files = [(tmp_path / name).read_bytes() for name in ("a.jsonl", f"a.jsonl{ending}", f"b.ndjson{ending}")]
    assert [row.pop("digest") for row in rows] == [BLAKE3.digest(file).hex() for file in files]
    assert [row.pop("size") for row in rows] == list(map(len, files))
    assert rows[0] == rows[1] == rows[2]
    assert (rows[0]["kind"], rows[0]["format"], rows[0]["records"]) == ("records", "jsonl", 1000)
    assert run_installed(tmp_path, "verify", ".", "--content-only").code == 0


def test_rows_of_lines_have_fields_where_they_are_objects():
    data = b'\xef\xbb\xbf{"a": 1}\n[1]\nnot JSON\n\n{"a": "\xff"}\n{"b": {"c": null}}\r\n' + b"[" * 100_000
    found = rows(JsonLinesReader(), "a.jsonl", data, [6, 5, 0, 1, 2, 3, 4, 5, 99])
    assert [row.at for row in found] == [0, 1, 2, 3, 4, 5, 6]
    assert [row.fields for row in found] == [{"a": 1}, None, None, None, None, {"b": {"c": None}}, None]
    assert found[1].text == "[1]"
    assert found[4].text == '{"a": "\ufffd"}'
    assert found[6].text == "[" * 4096 + "…"


def test_rows_of_tables_have_the_fields_of_the_header():
    data = b'\xef\xbb\xbfid,"te""xt"\r\n1,"a\r\nb"\r\n2\r\n\r\n3,"c",d\r\n4,\xff\r\n'
    found = rows(CsvReader(), "a.csv", data, range(10))
    expected = [{"id": "1", 'te"xt': "a\r\nb"}, None, None, None, {"id": "4", 'te"xt': "\ufffd"}]
    assert [row.fields for row in found] == expected
    assert [row.text for row in found] == ['1,"a\r\nb"', "2", "", '3,"c",d', "4,\ufffd"]
    [row] = rows(CsvReader(), "a.tsv", b'a\tb\n1,2\t"x\ty"', [0])
    assert row.fields == {"a": "1,2", "b": "x\ty"}
    [row] = rows(CsvReader(), "a.csv", b"a,a\n1,2\n", [0])
    assert row.fields is None


def test_what_is_long_is_shown_in_part_and_not_taken_apart():
    long = b'{"a": "' + b"x" * 2**20 + b'"}'
    [row] = rows(JsonLinesReader(), "a.jsonl", long, [0])
    assert (len(row.text), row.fields) == (4097, None)
    [row] = rows(CsvReader(), "a.csv", b"a\n" + b"x" * 2**18, [0])
    assert (len(row.text), row.fields) == (4097, None)


def test_rows_are_read_as_far_as_they_are_wanted():
    seen = []

    def some():
        for number in range(5):
            seen.append(number)
            yield [b"%d" % number] * 2

    assert list(lines.picked(some(), [3, 2, 3])) == [(2, b"1"), (3, b"1")]
    assert seen == [0, 1]
    assert list(lines.picked(some(), [])) == []
    assert seen == [0, 1]


def test_what_python_writes_is_read_as_it_reads_it():
    values = [["id", "text"], ["1", 'say "hi",\nplease'], ["", "\r\n"], ["2", "a\tb"]]
    for path, dialect in (("a.csv", "excel"), ("a.csv", "unix"), ("a.tsv", "excel-tab")):
        text = io.StringIO(newline="")
        csv.writer(text, dialect=dialect).writerows(values)
        found = rows(CsvReader(), path, text.getvalue().encode(), range(9))
        assert [row.fields for row in found] == [dict(zip(values[0], row, strict=True)) for row in values[1:]]


def test_zstd_that_is_not_installed_is_an_error_that_says_what_to_do(read_records, monkeypatch):
    if sys.version_info >= (3, 14):
        pytest.skip("the standard library has it")
    monkeypatch.setitem(sys.modules, "backports.zstd", None)
    monkeypatch.delattr("backports.zstd", raising=False)
    with pytest.raises(UsageError, match=r"a\.jsonl\.zst needs") as caught:
        read_records(JsonLinesReader(), "a.jsonl.zst", b"")
    assert "mltrust[zstd]" in caught.value.hint
    assert "--records off" in caught.value.hint
    assert read_records(JsonLinesReader(), "a.jsonl.gz", gzip.compress(b"a\n")).leaf.child_size == 1


@pytest.mark.parametrize(
    ("path", "data", "words"),
    [
        ("a.jsonl", '{"a": 1}\n'.encode("utf-16"), "zero byte"),
        ("a.jsonl", b"PK\x03\x04\0\0", "zero byte"),
        ("a.csv", "a,b\n1,2\n".encode("utf-16-le"), "zero byte"),
        ("a.jsonl.gz", gzip.compress(b"a\0b", mtime=0), "zero byte"),
        ("a.csv", b'a\n"b\n\n', "quote opened in line 2 is never closed"),
        ("a.csv", b'a\n"b"\n"\n"\n\nc"\n', "quote opened in line 6"),
        ("a.tsv", b'"', "quote opened in line 1"),
    ],
)
def test_what_is_malformed_says_why(read_records, path, data, words):
    reader = CsvReader() if path.endswith(("csv", "tsv")) else JsonLinesReader()
    with pytest.raises(FormatError, match=words) as caught:
        read_records(reader, path, data)
    assert caught.value.digest == BLAKE3.digest(data)
    assert "--records off" in caught.value.hint


def test_a_zero_byte_further_on_is_a_byte_like_any_other(read_records):
    assert read_records(JsonLinesReader(), "a.jsonl", b"a\n" * 2**15 + b"\0\n").leaf.child_size == 2**15 + 1
    with pytest.raises(FormatError, match="zero byte"):
        read_records(JsonLinesReader(), "a.jsonl", b"a\n" * (2**15 - 1) + b"a\0\n")


def test_that_all_records_are_wanted_takes_no_room():
    found = lines.picked([[b"a", b"b"], [b"c"]], range(1, 2**40))
    assert list(found) == [(1, b"b"), (2, b"c")]
