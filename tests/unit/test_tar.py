"""Samples of a tar archive: what a record is, whoever wrote the archive and in whatever form."""

import io
import shutil
import subprocess
import tarfile

import pytest
from blake3 import blake3

from mltrust.core.digest import BLAKE3
from mltrust.interfaces import Silent
from mltrust.readers.records import archive
from mltrust.readers.records.tar import TarReader
from mltrust.testing.memory_source import MemorySource

SAMPLES = [(f"train/{n:05}.{ext}", f"{ext} of {n}".encode()) for n in range(5) for ext in ("jpg", "json", "seg.png")]


def tar(files, form=tarfile.PAX_FORMAT, **facts):
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w|", format=form) as opened:
        for path, data in files:
            info = tarfile.TarInfo(path)
            info.size = len(data)
            for name, value in facts.items():
                setattr(info, name, value)
            opened.addfile(info, io.BytesIO(data))
    return target.getvalue()


def read(data, path="a.tar"):
    """Return the records of an archive (key, size, digest), and its entry."""
    source, reader = MemorySource({path: data}), TarReader()
    [file] = source.files()
    batches = list(reader.batches(file, source, BLAKE3))
    records = [record for b in batches for record in zip(b.names, b.sizes, b.digests, strict=True)]
    parts = reader.parts(file, source)
    [segment] = parts.segments
    return records, parts.entry([segment.by.digest(segment, source, BLAKE3, Silent())])


def rows(data, *wanted):
    source = MemorySource({"a.tar": data})
    [file] = source.files()
    return list(TarReader().rows(file, source, wanted))


def frame(data):
    return len(data).to_bytes(8, "big") + data


def record_digest(members):
    """Compute the digest of a record from docs/format.md, a second time."""
    encoded = frame(b"mltrust/sample/1")
    for extension, content in sorted((extension.encode(), content) for extension, content in members.items()):
        encoded += frame(extension) + frame(len(content).to_bytes(8, "big")) + frame(blake3(content).digest())
    return blake3(encoded).digest()


class TestRecords:
    def test_one_for_each_key_with_its_size_and_the_digest_of_the_specification(self):
        records, entry = read(tar(SAMPLES))
        assert [key for key, _, _ in records] == [f"train/{n:05}" for n in range(5)]
        members = {extension: f"{extension} of 3".encode() for extension in ("jpg", "json", "seg.png")}
        assert records[3][1:] == (sum(map(len, members.values())), record_digest(members))
        assert (entry.leaf.child_size, entry.leaf.records.format) == (5, "tar")

    def test_keys_and_extensions(self):
        files = ["a.b/c", "a.b/d.tar.gz", "x/.hidden", "x/.note.txt", "x/..two.dots", "bare", "é/ü.jpg"]
        records, _ = read(tar((name, b"") for name in files))
        assert [key for key, _, _ in records] == ["a.b/c", "a.b/d", "x/.hidden", "x/.note", "x/..two", "bare", "é/ü"]
        assert [row.fields for row in rows(tar([("a.b/d.tar.gz", b"12")]), 0)] == [{"tar.gz": 2, "__key__": "a.b/d"}]

    @pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
    def test_neither_form_nor_owner_nor_order_in_a_sample_matter(self, form):
        records, entry = read(tar(SAMPLES))
        others = [SAMPLES[at + shift] for at in range(0, len(SAMPLES), 3) for shift in (2, 0, 1)]
        again, other = read(tar(others, form, mtime=1234567890.25, uid=7, uname="nobody", mode=0o400))
        assert again == records
        assert other.leaf.child_root == entry.leaf.child_root
        assert other.leaf.digest != entry.leaf.digest

    def test_samples_in_another_order_are_the_same_set(self):
        _, entry = read(tar(SAMPLES))
        _, other = read(tar(SAMPLES[6:] + SAMPLES[:6]))
        assert other.leaf.records.set_root == entry.leaf.records.set_root
        assert other.leaf.child_root != entry.leaf.child_root

    @pytest.mark.parametrize("change", [("train/00002.jpg", b"JPG of 2"), ("train/00002.jpeg", b"jpg of 2")])
    def test_another_content_or_extension_is_another_record(self, change):
        records, _ = read(tar(SAMPLES))
        again, _ = read(tar([*SAMPLES[:6], change, *SAMPLES[7:]]))
        assert [at for at in range(5) if again[at] != records[at]] == [2]

    def test_a_long_name_and_a_long_path_in_each_form(self):
        path = "/".join(["é" * 60] * 12) + ".jpg"
        for form in (tarfile.GNU_FORMAT, tarfile.PAX_FORMAT):
            assert read(tar([(path, b"x")], form))[0][0][0] == path.removesuffix(".jpg")
        split = "/".join(["d" * 70] * 3) + ".jpg"  # ustar puts the first part elsewhere
        assert read(tar([(split, b"x")], tarfile.USTAR_FORMAT))[0][0][0] == split.removesuffix(".jpg")

    def test_an_archive_without_files_has_no_records(self):
        assert read(tar([]))[0] == []

    def test_a_large_file_is_hashed_piece_by_piece(self, monkeypatch):
        content = bytes(range(256)) * 9000  # more than two blocks
        (record,), _ = read(tar([("a.bin", content), ("a.txt", b"")]))
        assert record == ("a", len(content), record_digest({"bin": content, "txt": b""}))

    def test_ten_thousand_samples(self):
        data = tar((f"{n:06}.{ext}", f"{n}".encode() * 9) for n in range(10_000) for ext in ("jpg", "cls"))
        records, entry = read(data)
        assert len({digest for _, _, digest in records}) == entry.leaf.child_size == 10_000
        [row] = rows(data, 9_999)
        assert row.text == "009999: jpg (36 bytes), cls (36 bytes)"
        assert row.at == 9_999

    def test_no_text_is_a_sample_and_a_long_row_is_cut_short(self):
        data = tar([(f"a.{n:0200}", b"") for n in range(50)])
        [row] = rows(data, 0)
        assert len(row.text) < 5000
        assert len(row.fields) == 51
        source = MemorySource({"a.tar": data})
        [file] = source.files()
        assert TarReader().spelled([b"a", b"a.0"], file, source) == [None, None]


class TestPrograms:
    @pytest.mark.parametrize("form", ["ustar", "gnu", "pax", "v7"])
    def test_what_gnu_tar_writes_of_a_folder(self, tmp_path, form):
        if not shutil.which("tar"):
            pytest.skip("tar is not installed")
        for path, data in SAMPLES:
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_bytes(data)
        command = ["tar", f"--format={form}", "--sort=name", "-cf", "-", "-C", str(tmp_path), "."]
        made = subprocess.run(command, capture_output=True, check=False)
        if made.returncode:
            pytest.skip("another tar than GNU's")
        assert read(made.stdout)[0] == read(tar(SAMPLES))[0]

    def test_a_size_in_base_256_as_gnu_tar_writes_large_ones(self):
        data = bytearray(tar([("a.txt", b"12345")], tarfile.GNU_FORMAT))
        data[124:136] = b"\x80" + (5).to_bytes(11, "big")
        data[148:156] = b" " * 8
        data[148:156] = b"%06o\0 " % sum(data[:512])
        assert read(bytes(data))[0] == [("a", 5, record_digest({"txt": b"12345"}))]


def test_what_a_pax_header_may_say_beside_name_and_size():
    data = tar([("a.txt", b"1")], pax_headers={"mtime": "1.5", "SCHILY.xattr.user.x": "a=b\nc", "comment": ""})
    assert read(data)[0] == [("a", 1, record_digest({"txt": b"1"}))]


def test_a_global_header_that_names_nothing():
    target = io.BytesIO()
    with tarfile.open(fileobj=target, mode="w", pax_headers={"comment": "0123"}) as opened:
        opened.addfile(tarfile.TarInfo("a.txt"), io.BytesIO())
    assert read(target.getvalue())[0] == [("a", 0, record_digest({"txt": b""}))]


def test_the_limits_are_those_of_the_specification():
    assert archive.MAX_EXTENSION == 2**20
