"""The engine that remembers: what it asks for, what it counts, and when it trusts a time stamp."""

import os
import shutil
import time

import pytest

import mltrust
from mltrust.core.digest import BLAKE3, SHA256
from mltrust.disk.digest_cache import DigestCache
from mltrust.engines.remembering import GUARD_NS, RememberingEngine
from mltrust.engines.threads import ThreadsEngine
from mltrust.errors import ChangedError
from mltrust.interfaces import FileEntry, Segment, Silent
from mltrust.readers.opaque import OpaqueReader
from mltrust.readers.safetensors import SafetensorsReader
from mltrust.sources.local import LocalSource
from mltrust.testing.memory_source import MemorySource

LATER = 3600 * 10**9


class Asked(ThreadsEngine):
    """The engine that reads, and what it was asked to read."""

    def __init__(self):
        super().__init__(2)
        self.paths = []

    def digest(self, batches, source, suite, progress):
        return super().digest(map(self.note, batches), source, suite, progress)

    def note(self, batch):
        self.paths += [segment.file.path for segment in batch]
        return batch


class Tally(Silent):
    total = 0

    def advance(self, size):
        self.total += size


class Machine:
    """An artifact on the disk, a cache, and a clock that says how much later than the newest stamp it is."""

    def __init__(self, folder):
        self.root, self.cache = folder / "artifact", DigestCache(folder / "cache")
        self.root.mkdir()
        self.age = LATER

    def write(self, path, data):
        (self.root / path).write_bytes(data)

    def now(self):
        return self.age + max(max(s.st_mtime_ns, s.st_ctime_ns) for s in map(os.stat, self.root.iterdir()))

    def run(self, suite=BLAKE3, batches=None, cache=None):
        """Read everything, check every digest, and return the paths that were read and what was recalled."""
        inner, source, tally = Asked(), LocalSource(self.root), Tally()
        engine = RememberingEngine(inner, cache or self.cache, "artifact", self.now)
        files = list(source.files())
        batches = [[Segment(file, 0, file.size) for file in files]] if batches is None else batches(files)
        found = list(engine.digest(batches, source, suite, tally))
        for batch, digests in zip(batches, found, strict=True):
            assert list(digests) == [
                suite.digest((self.root / file.path).read_bytes()[offset : offset + length])
                for file, offset, length, _ in batch
            ]
        assert tally.total == sum(segment.length for batch in batches for segment in batch)
        return inner.paths, tuple(engine.recalled)


@pytest.fixture
def machine(tmp_path):
    machine = Machine(tmp_path)
    for number in range(5):
        machine.write(str(number), b"%d" % number * number)
    return machine


def test_only_what_changed_is_read(machine):
    assert machine.run() == (list("01234"), (0, 0))
    assert machine.run() == ([], (5, 10))
    machine.write("3", b"abc")
    assert machine.run() == (["3"], (4, 7))
    assert machine.run() == ([], (5, 10))
    machine.write("1x", b"new")
    (machine.root / "4").unlink()
    assert machine.run() == (["1x"], (4, 6))
    assert machine.run() == ([], (5, 9))


def test_a_file_under_another_name_is_the_same_file(machine):
    machine.run()
    (machine.root / "3").rename(machine.root / "x3")
    read, _ = machine.run()
    assert set(read) <= {"x3"}  # some file systems count a renaming as a change, some do not


def test_each_suite_remembers_its_own(machine):
    machine.run()
    assert machine.run(SHA256) == (list("01234"), (0, 0))
    assert machine.run() == machine.run(SHA256) == ([], (5, 10))


def test_batches_may_be_cut_otherwise_the_next_time(machine):
    def by(size):
        return lambda files: [
            [Segment(file, 0, file.size) for file in files[at : at + size]] for at in range(0, len(files), size)
        ]

    assert machine.run(batches=by(2))[0] == list("01234")
    for size in (1, 2, 3, 5):
        assert machine.run(batches=by(size)) == ([], (5, 10))
    machine.write("2", b"zz")
    assert machine.run(batches=by(2)) == (["2"], (4, 8))
    assert machine.run(batches=lambda files: [[], *by(3)(files), []]) == ([], (5, 10))


def test_ranges_are_remembered_one_by_one(machine):
    def halves(files):
        return [[Segment(f, *span) for f in files for span in ((0, f.size // 2), (f.size // 2, f.size - f.size // 2))]]

    machine.run(batches=halves)
    assert machine.run(batches=halves)[0] == []
    assert machine.run()[0] == list("234")  # all of the first two is also half of them


def test_the_newest_stamp_must_be_old_enough(machine):
    for other in "0124":
        (machine.root / other).unlink()
    for age in (-LATER, -1, 0, 1, GUARD_NS - 1):
        machine.age = age
        assert machine.run() == machine.run() == (["3"], (0, 0))
    machine.age = GUARD_NS
    machine.run()
    assert machine.run() == ([], (1, 3))


def test_a_file_from_the_future_is_read_again_each_time(machine):
    os.utime(machine.root / "4", ns=(2**62, 2**62))
    machine.now = lambda: (machine.root / "4").stat().st_ctime_ns + LATER
    assert machine.run()[0] == list("01234")
    assert machine.run() == machine.run() == (["4"], (4, 6))


def test_a_file_from_before_1970_and_odd_stamps(machine):
    os.utime(machine.root / "4", ns=(-1, -1))
    machine.run()
    assert machine.run() == ([], (5, 10))


def test_a_modification_time_that_is_put_back(machine):
    machine.run()
    before = (machine.root / "3").stat()
    machine.write("3", b"xyz")
    os.utime(machine.root / "3", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert (machine.root / "3").stat().st_mtime_ns == before.st_mtime_ns
    assert machine.run() == (["3"], (4, 7))


def test_a_file_put_in_place_of_another(machine):
    machine.run()
    before = (machine.root / "3").stat()
    (machine.root.parent / "other").write_bytes(b"xyz")
    shutil.copystat(machine.root / "3", machine.root.parent / "other")
    (machine.root.parent / "other").replace(machine.root / "3")
    assert (machine.root / "3").stat().st_mtime_ns == before.st_mtime_ns
    assert machine.run() == (["3"], (4, 7))


def test_nothing_is_written_where_nothing_changed(machine):
    machine.run()
    [file] = machine.cache.folder.iterdir()
    kept = file.stat().st_ino, file.read_bytes()
    machine.run()
    assert (file.stat().st_ino, file.read_bytes()) == kept
    os.utime(machine.root / "3", ns=(2**62, 2**62))
    machine.now = lambda: (machine.root / "3").stat().st_ctime_ns + LATER
    machine.run()
    forgotten = file.stat().st_ino
    assert machine.run() == (["3"], (4, 7))  # from the future, and so missing each time
    assert file.stat().st_ino == forgotten
    assert list(machine.cache.folder.iterdir()) == [file]


def test_reading_anew_believes_nothing_and_mends(machine):
    machine.run()
    table = machine.cache.read("artifact", BLAKE3.name)
    machine.cache.write("artifact", BLAKE3.name, type(table)(table.keys, bytes(len(table.digests))))
    anew = DigestCache(machine.cache.folder, reread=True)
    assert machine.run(cache=anew) == (list("01234"), (0, 0))
    assert machine.run() == ([], (5, 10))


def test_a_file_that_changes_while_it_is_read(machine):
    """The source says so, nobody gets a digest, and none is remembered."""
    source = LocalSource(machine.root)
    engine = RememberingEngine(ThreadsEngine(2), machine.cache, "artifact", machine.now)
    segments = [Segment(file, 0, file.size) for file in source.files()]
    machine.write("3", b"xyz")
    with pytest.raises(ChangedError):
        list(engine.digest([segments], source, BLAKE3, Silent()))
    assert machine.run()[0] == list("01234")


class Numbered(MemorySource):
    """Files whose versions are five numbers, as a kernel's are, but which lie elsewhere."""

    remote = True

    def files(self):
        return iter([FileEntry(file.path, file.size, (1, 2, 3, 4, 5)) for file in super().files()])

    def read(self, file, offset, length):
        return super().read(file._replace(version=(0,)), offset, length)


@pytest.mark.parametrize("make", [MemorySource, Numbered])
def test_versions_that_are_not_a_kernels_are_not_remembered(tmp_path, make):
    source, inner = make({"a": b"a", "b": b"b"}), Asked()
    engine = RememberingEngine(inner, DigestCache(tmp_path / "cache"), "artifact", lambda: LATER)
    segments = [Segment(file, 0, file.size) for file in source.files()]
    for _ in range(2):
        [found] = engine.digest([segments], source, BLAKE3, Silent())
        assert list(found) == [BLAKE3.digest(b"a"), BLAKE3.digest(b"b")]
    assert inner.paths == ["a", "b"] * 2
    assert not (tmp_path / "cache").exists() or make is MemorySource


def test_sealing_a_model_with_one_changed_shard(model_folder, tmp_path):
    """Only that shard is read; and what was not, is counted."""
    time.sleep(GUARD_NS / 1e9)
    cache, inner = mltrust.DigestCache(tmp_path / "cache"), Asked()
    means = mltrust.Means((SafetensorsReader(), OpaqueReader()), inner, Silent())
    first = mltrust.seal(model_folder, means=means, cache=cache)
    assert (set(inner.paths), first.recalled) == (set(first.bundle.manifest.paths), (0, 0))
    shard = model_folder / "model-2.safetensors"
    data = shard.read_bytes()
    shard.write_bytes(data[:-1] + b"!")
    inner.paths.clear()
    second = mltrust.seal(model_folder, means=means, cache=cache)
    assert set(inner.paths) == {shard.name}
    assert second.predicate.root != first.predicate.root
    totals = first.predicate.totals
    assert second.recalled == (totals.files - 1, totals.bytes - len(data))
    report = mltrust.verify(model_folder, trust=mltrust.Trust(content_only=True), means=means)
    assert report.verdict == mltrust.Verdict.VERIFIED
    assert report.scope.files_not_reread == report.scope.bytes_not_reread == 0
