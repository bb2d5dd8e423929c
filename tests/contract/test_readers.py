"""The readers mltrust comes with keep the contract of readers."""

import gzip
import io
import json
import tarfile

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors.numpy

from mltrust.readers.opaque import OpaqueReader
from mltrust.readers.records.csv import CsvReader
from mltrust.readers.records.jsonl import JsonLinesReader
from mltrust.readers.records.parquet import ArrowReader, ParquetReader
from mltrust.readers.records.tar import TarReader
from mltrust.readers.safetensors import SafetensorsReader
from mltrust.testing.reader_contract import ReaderContract


class TestSafetensorsReader(ReaderContract):
    @pytest.fixture
    def reader(self):
        return SafetensorsReader()

    @pytest.fixture
    def good_files(self, safetensors_bytes):
        arrays = {f"layer.{n}": np.ascontiguousarray(np.full((n, 2), n, dtype)) for n, dtype in enumerate(("f4", "u1"))}
        odd = {
            "__metadata__": {"format": "pt", "": "x"},
            "": {"dtype": "F4", "shape": [2, 3], "data_offsets": [4, 7]},
            "b": {"dtype": "NEW", "shape": [], "data_offsets": [0, 4]},
            "a": {"dtype": "BF16", "shape": [0, 9], "data_offsets": [4, 4]},
        }
        return {
            "saved.safetensors": safetensors.numpy.save(arrays),
            "empty.safetensors": safetensors_bytes("{}"),
            "odd.safetensors": safetensors_bytes(json.dumps(odd) + "   ", 7),
        }


class TestOpaqueReader(ReaderContract):
    @pytest.fixture
    def reader(self):
        return OpaqueReader()

    @pytest.fixture
    def good_files(self):
        return {"any.bin": bytes(range(256)), "empty": b"", "README.md": b"# text\n"}


class TestTarReader(ReaderContract):
    @pytest.fixture
    def reader(self):
        return TarReader()

    @pytest.fixture
    def good_files(self):
        def archive(form, *names):
            target = io.BytesIO()
            with tarfile.open(fileobj=target, mode="w", format=form) as opened:
                for name in names:
                    info = tarfile.TarInfo(name)
                    info.size = len(name)
                    opened.addfile(info, io.BytesIO(name.encode()))
            return target.getvalue()

        return {
            "pax.tar": archive(tarfile.PAX_FORMAT, "0/0.jpg", "0/0.json", f"0/{'é' * 60}.jpg"),
            "gnu.tar": archive(tarfile.GNU_FORMAT, "n" * 120, "b.cls"),
            "empty.tar": archive(tarfile.USTAR_FORMAT),
        }


class TestJsonLinesReader(ReaderContract):
    @pytest.fixture
    def reader(self):
        return JsonLinesReader()

    @pytest.fixture
    def good_files(self, zstd):
        data = b'{"id": 1, "text": "a"}\r\n\n{"id": 2}\n\xff\n[' + b"1" * 300
        return {
            "a.jsonl": data,
            "b.ndjson": b"",
            "c.jsonl.gz": gzip.compress(data[:30], mtime=0) + gzip.compress(data[30:], mtime=0),
            "d.ndjson.zst": zstd.compress(data) + zstd.compress(b""),
        }


class TestCsvReader(ReaderContract):
    @pytest.fixture
    def reader(self):
        return CsvReader()

    @pytest.fixture
    def good_files(self):
        return {
            "a.csv": b'id,text\n1,"a ""b""\n\nc"\n2,d\n',
            "b.tsv": b'\xef\xbb\xbfid\ttext\r\n1\t"a\r\nb"\r\n\r\n2',
            "empty.csv": b"",
            "header.csv": b"id",
        }


TABLE = pa.table(
    {"a": [1, None, 3], "b": ["x", "", None], "c": [[1.5], [], None], "d": [{"e": b"\0"}, None, {"e": None}]}
)


class TestParquetReader(ReaderContract):
    @pytest.fixture
    def reader(self):
        return ParquetReader()

    @pytest.fixture
    def good_files(self):
        def written(table, **options):
            target = io.BytesIO()
            pq.write_table(table, target, **options)
            return target.getvalue()

        return {
            "a.parquet": written(TABLE),
            "b.parquet": written(TABLE, compression="zstd", row_group_size=2, data_page_version="2.0"),
            "empty.parquet": written(TABLE.slice(0, 0), store_schema=False),
        }


class TestArrowReader(ReaderContract):
    @pytest.fixture
    def reader(self):
        return ArrowReader()

    @pytest.fixture
    def good_files(self):
        def written(form, table, **options):
            target = io.BytesIO()
            with form(target, table.schema, options=pa.ipc.IpcWriteOptions(**options)) as writer:
                writer.write_table(table, max_chunksize=2)
            return target.getvalue()

        return {
            "a.arrow": written(pa.ipc.new_file, TABLE),
            "b.feather": written(pa.ipc.new_file, TABLE, compression="lz4"),
            "c.arrow": written(pa.ipc.new_stream, TABLE, compression="zstd"),
        }
