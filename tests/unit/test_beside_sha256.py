"""SHA-256 of whole files beside a suite's digests: the same in every way, on every engine, of every kind of file."""

import hashlib
import os
import pickle
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mltrust.core.digest import BLAKE3, SHA256
from mltrust.core.manifest import Manifest, file_entry
from mltrust.engines.dask.work import pack, packed, work
from mltrust.engines.threads import SMALL, ThreadsEngine
from mltrust.errors import ChangedError
from mltrust.interfaces import Segment, Silent
from mltrust.operations import beside_sha256
from mltrust.operations.beside_sha256 import FollowingDigester, TiledDigester
from mltrust.sources.local import LocalSource
from mltrust.testing.memory_source import MemorySource

SUITES = pytest.mark.parametrize("suite", [BLAKE3, SHA256], ids=lambda suite: suite.content)


def expected(content, lengths, suite):
    found, at = [hashlib.sha256(content).digest()], 0
    for length in lengths:
        found.append(suite.digest(content[at : at + length]))
        at += length
    return b"".join(found)


class Counting(Silent):
    total = 0

    def advance(self, size):
        self.total += size


@pytest.fixture
def tiny_blocks(monkeypatch):
    monkeypatch.setattr(beside_sha256, "_BLOCK", 7)
    monkeypatch.setattr(beside_sha256, "_AHEAD_BLOCK", 5)
    monkeypatch.setattr(beside_sha256, "_AHEAD", 0)


@SUITES
@pytest.mark.usefixtures("tiny_blocks")
@given(st.lists(st.integers(0, 20), min_size=1, max_size=12))
def test_every_way_is_the_same(suite, lengths):
    content = bytes(range(256))[: sum(lengths)]
    source = MemorySource({"f": content})
    (file,) = source.files()
    segment, by = Segment(file, 0, file.size), TiledDigester(tuple(lengths))
    answer = expected(content, lengths, suite)
    for digest in (by.digest, by.digest_ahead):
        progress = Counting()
        assert digest(segment, source, suite, progress) == answer
        assert progress.total == len(content)
    assert by.digest_content(content, suite) == answer
    assert len(answer) == by.size
    assert [(each.offset, each.length) for each in by.ranges(segment)] == [
        (sum(lengths[:index]), length) for index, length in enumerate(lengths)
    ]
    whole = TiledDigester()
    assert whole.digest(segment, source, suite, Silent()) == expected(content, [len(content)], suite)
    assert whole.digest_content(content, suite) == whole.digest_ahead(segment, source, suite, Silent())


def test_as_many_empty_ranges_as_anybody_likes():
    lengths = (0,) * 20_000 + (3,) + (0,) * 20_000
    assert TiledDigester(lengths).digest_content(b"abc", BLAKE3) == expected(b"abc", lengths, BLAKE3)


@pytest.mark.parametrize("way", ["digest", "digest_ahead"])
@pytest.mark.usefixtures("tiny_blocks")
def test_a_file_that_becomes_shorter(way, tmp_path):
    (tmp_path / "f").write_bytes(bytes(100))
    source = LocalSource(tmp_path)
    (file,) = source.files()

    class Cutting(Silent):
        def advance(self, size):
            os.truncate(tmp_path / "f", 20)

    with pytest.raises(ChangedError, match="f"):
        getattr(TiledDigester(), way)(Segment(file, 0, file.size), source, BLAKE3, Cutting())


class TestFollowing:
    """Whatever order another digester reads in, the SHA-256 is that of the file."""

    @given(st.lists(st.tuples(st.integers(0, 60), st.integers(1, 30)), max_size=20))
    def test_any_order(self, reads):
        content = bytes(range(70))
        source = MemorySource({"f": content, "g": b"other"})
        file, other = source.files()
        answer = FollowingDigester(Jumping(reads, other)).digest(Segment(file, 0, 70), source, BLAKE3, Silent())
        assert answer == hashlib.sha256(content).digest() + b"seven!!"


class Jumping:
    size = 7

    def __init__(self, reads, other):
        self.reads, self.other = reads, other

    def digest(self, segment, source, suite, progress):
        assert source.read(self.other, 0, 5) == b"other"
        with source.open(self.other) as opened:
            opened.read_into(memoryview(bytearray(5)), 0)
        with source.open(segment.file) as opened:
            for offset, length in self.reads:
                opened.read_into(memoryview(bytearray(min(length, 70 - offset))), offset)
        return b"seven!!"


SIZES = (0, 1, SMALL, SMALL + 1, 3 * SMALL + 5, 9 * 2**20)


def mixed(folder):
    """Return a source and segments of all lanes: with a digester and without, small and large, tiled and not."""
    for number, size in enumerate(SIZES):
        (folder / f"{number}").write_bytes(bytes([number]) * size)
    source = LocalSource(folder)
    segments, answers = [], []
    for file in source.files():
        content = (folder / file.path).read_bytes()
        lengths = (file.size // 3, 0, file.size - file.size // 3)
        whole = Segment(file, 0, file.size)
        segments += [whole, whole._replace(by=TiledDigester()), whole._replace(by=TiledDigester(lengths))]
        answers.append(BLAKE3.digest(content))
        answers += [expected(content, [file.size], BLAKE3), expected(content, lengths, BLAKE3)]
    return source, segments, answers


@pytest.mark.parametrize("jobs", [1, 2, 5])
def test_threads(jobs, tmp_path):
    source, segments, answers = mixed(tmp_path)
    progress = Counting()
    (found, one) = ThreadsEngine(jobs).digest([segments, segments[-1:]], source, BLAKE3, progress)
    assert (list(found), list(one)) == (answers, answers[-1:])
    assert progress.total == 3 * sum(SIZES) + SIZES[-1]


def test_on_other_machines(tmp_path):
    source, segments, answers = mixed(tmp_path)
    piece = pickle.loads(pickle.dumps(pack(segments, packed(source), BLAKE3)))
    assert work(piece) == b"".join(answers)


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how many threads a process has")
def test_copies_of_the_process(tmp_path):
    """Thousands of small files are shared, with answers of more than one width."""
    script = """
import hashlib, os, sys
from pathlib import Path
from mltrust.core.digest import BLAKE3
from mltrust.engines.threads import ThreadsEngine
from mltrust.interfaces import Segment, Silent
from mltrust.operations.beside_sha256 import TiledDigester
from mltrust.sources.local import LocalSource
folder = Path(sys.argv[1])
for number in range(2500):
    (folder / f"{number:04}").write_bytes(b"%d" % number * (number % 7))
forks, fork = [], os.fork
os.fork = lambda: forks.append(1) or fork()
source = LocalSource(folder)
ways = lambda file: (None, TiledDigester(), TiledDigester((file.size, 0)))
segments = [Segment(file, 0, file.size, ways(file)[number % 3]) for number, file in enumerate(source.files())]
(found,) = ThreadsEngine(2).digest([segments], source, BLAKE3, Silent())
for segment, answer in zip(segments, found, strict=True):
    content = (folder / segment.file.path).read_bytes()
    wanted = BLAKE3.digest(content)
    if segment.by is not None:
        wanted = hashlib.sha256(content).digest() + wanted + BLAKE3.digest(b"") * bool(segment.by.lengths)
    assert answer == wanted, segment
assert len(forks) == 1
"""
    done = subprocess.run([sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


class TestManifests:
    FILES = tuple(file_entry(f"{number}", number, bytes([number]) * 32) for number in range(5))

    def test_they_are_compared_by_what_they_seal(self):
        bare = Manifest.of(self.FILES)
        full = Manifest.of(each._replace(sha256=bytes([9]) * 32) for each in self.FILES)
        assert bare == full
        assert list(bare.differing(full)) == []
        assert (bare.root, bare.content_root) == (full.root, full.content_root)
        assert (bare.has_sha256, list(bare.sha256s), bare.sha256_root) == (False, [], None)
        assert (full.has_sha256, list(full.sha256s)) == (True, [bytes([9]) * 32] * 5)
        assert full.find("3")[1].sha256 == full.sha256s[3] == bytes([9]) * 32

    def test_the_root_is_that_of_files_read_as_a_whole_in_the_other_suite(self):
        full = Manifest.of(each._replace(sha256=each.leaf.digest[::-1]) for each in self.FILES)
        other = Manifest.of(file_entry(each.path, each.leaf.size, each.leaf.digest[::-1]) for each in self.FILES)
        assert full.sha256_root == other.root
