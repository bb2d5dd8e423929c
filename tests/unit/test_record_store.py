"""The record store: its bytes, and what is taken from it."""

from hashlib import sha256

import pytest

from mltrust.core.leaf import Entry, Kind, Leaf, Records, file_entry
from mltrust.core.manifest import Manifest
from mltrust.core.merkle import Tree, leaf_hash
from mltrust.disk.records import MAGIC, KeptHashes, RecordStore, kept_in, write_store
from mltrust.errors import FormatError, UnreadableError

FILES = {"b.jsonl": 3, "a.jsonl": 70_000, "empty.jsonl": 0}


def hashes_of(path, count):
    return [leaf_hash(f"{path} {number}".encode()) for number in range(count)]


def entry(path, count):
    tree = Tree(f"{path} {number}".encode() for number in range(count))
    leaf = Leaf(Kind.RECORDS, path, count, sha256(path.encode()).digest(), tree.root, count)
    return Entry(leaf._replace(records=Records("jsonl", bytes(32))))


@pytest.fixture
def manifest():
    return Manifest.of([*(entry(path, count) for path, count in FILES.items()), file_entry("ab.txt", 1, bytes(32))])


@pytest.fixture
def store(tmp_path, manifest):
    """Return the store of the manifest, written from what readers would leave."""
    kept = tmp_path / "kept"
    kept.mkdir()
    for path, count in FILES.items():
        kept_in(kept, path).write_bytes(b"".join(hashes_of(path, count)))
    write_store(tmp_path / "store", manifest.record_files, KeptHashes(kept))
    return tmp_path / "store"


def test_it_has_the_hashes_of_the_files_in_the_order_of_the_manifest(store):
    expected = [each for path in sorted(FILES) for each in hashes_of(path, FILES[path])]
    assert len(MAGIC) == 16
    assert store.read_bytes() == MAGIC + b"".join(expected)


def test_each_file_is_read_alone(store, manifest):
    opened = RecordStore.opened(store, manifest)
    for leaf in manifest.record_files:
        with opened.of(leaf) as hashes:
            assert bytes(hashes) == b"".join(hashes_of(leaf.name, FILES[leaf.name]))


def test_files_without_records_need_no_more_than_a_line(tmp_path):
    manifest = Manifest.of([entry("empty.jsonl", 0)])
    (tmp_path / "store").write_bytes(MAGIC)
    with RecordStore.opened(tmp_path / "store", manifest).of(manifest.record_files[0]) as hashes:
        assert bytes(hashes) == b""


def test_what_is_kept_has_to_be_all_of_it(tmp_path, manifest):
    kept_in(tmp_path, "b.jsonl").write_bytes(bytes(64))
    kept = KeptHashes(tmp_path)
    for leaf in manifest.record_files:
        with pytest.raises(UnreadableError), kept.of(leaf):
            pass


def test_a_write_that_fails_leaves_the_old_store(tmp_path, store, manifest):
    before = store.read_bytes()
    with pytest.raises(UnreadableError):
        write_store(store, manifest.record_files, KeptHashes(tmp_path / "nowhere"))
    assert store.read_bytes() == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["kept", "store"]


def test_one_of_another_size_is_refused_at_once(store, manifest):
    data = store.read_bytes()
    for odd in (data[:-1], data + b"\0", data[:-32], MAGIC, b"", b"x" + data[1:]):
        store.write_bytes(odd)
        with pytest.raises(FormatError):
            RecordStore.opened(store, manifest)
