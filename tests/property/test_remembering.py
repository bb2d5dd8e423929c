"""No stale digest is ever used: whatever is done to files, each run's digests are those of the bytes there are.

Once on the disk, and once on a file system that is made up: its clock has ticks as coarse as any, it hands out the
inodes of removed files again, and it puts modification times wherever it is asked to.
"""

import os
from dataclasses import dataclass
from itertools import count, product
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import ClassVar

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mltrust.core.digest import BLAKE3
from mltrust.disk.digest_cache import DigestCache
from mltrust.engines.remembering import GUARD_NS, RememberingEngine
from mltrust.engines.threads import ThreadsEngine
from mltrust.interfaces import ArtifactSource, FileEntry, Segment, Silent
from mltrust.sources.local import LocalSource

SECOND = 10**9
NAMES = st.sampled_from("ab")
BYTES = st.sampled_from([b"", b"x", b"y", b"z"])


@dataclass
class Inode:
    number: int
    data: bytes
    mtime: int = 0
    ctime: int = 0


class MadeUp(ArtifactSource):
    """A file system and its clock, which stamps in steps of `tick`; also the source that reads it."""

    name, exclude, left_out = "made up", (), ()
    remote: ClassVar[bool] = False

    def __init__(self, tick):
        self.tick, self.time = tick, 1_700_000_000 * SECOND
        self.names = {}
        self.numbers = count()
        self.free = []

    def write(self, name, data):
        if name not in self.names:
            self.names[name] = Inode(self.free.pop() if self.free else next(self.numbers), data)
        inode = self.names[name]
        inode.data, inode.mtime, inode.ctime = data, self.stamp(), self.stamp()

    def stamp(self):
        return self.time - self.time % self.tick

    def touch(self, name, mtime):
        if name in self.names:
            self.names[name].mtime, self.names[name].ctime = mtime, self.stamp()

    def rename(self, name, other):
        """Rename without a trace in the stamps, as POSIX allows."""
        if name in self.names and name != other:
            self.remove(other)
            self.names[other] = self.names.pop(name)

    def remove(self, name):
        if name in self.names:
            self.free.append(self.names.pop(name).number)

    def wait(self, span):
        self.time += span

    def files(self):
        for name, inode in sorted(self.names.items()):
            version = (1, inode.number, len(inode.data), inode.mtime, inode.ctime)
            yield FileEntry(name, len(inode.data), version)

    def read(self, file, offset, length):
        return self.names[file.path].data[offset : offset + length]


SPANS = st.sampled_from([0, 1, 10**6, SECOND - 1, SECOND, 2 * SECOND - 1, 2 * SECOND, GUARD_NS])
STAMPS = st.integers(1_700_000_000, 1_700_000_004).map(SECOND.__mul__)
ACTS = st.one_of(
    st.tuples(st.just("write"), NAMES, BYTES),
    st.tuples(st.just("touch"), NAMES, STAMPS),
    st.tuples(st.just("rename"), NAMES, NAMES),
    st.tuples(st.just("remove"), NAMES),
)


def read(machine, cache):
    """Read everything and check that no digest is stale."""
    engine = RememberingEngine(ThreadsEngine(1), cache, "artifact", lambda: machine.time)
    segments = [Segment(file, 0, file.size) for file in machine.files()]
    [found] = engine.digest([segments], machine, BLAKE3, Silent())
    assert found == [BLAKE3.digest(machine.names[segment.file.path].data) for segment in segments]


def edit(machine):
    machine.write("a", b"y")


def edit_and_put_back(machine):
    mtime = machine.names["a"].mtime
    machine.write("a", b"y")
    machine.touch("a", mtime)


def replace_with_the_same_inode(machine):
    mtime, number = machine.names["a"].mtime, machine.names["a"].number
    machine.remove("a")
    machine.write("a", b"y")
    machine.touch("a", mtime)
    assert machine.names["a"].number == number


@pytest.mark.parametrize("tick", [1, SECOND, 2 * SECOND])
@pytest.mark.parametrize("change", [edit, edit_and_put_back, replace_with_the_same_inode])
def test_a_change_that_shows_as_little_as_can_be(tmp_path, tick, change):
    """Of the same size, read just before and just after, in the same tick of the clock as the last one or the next."""
    for number, (before, after) in enumerate(product((0, tick - 1, tick, 2 * SECOND - 1, GUARD_NS), (0, 1, tick - 1))):
        machine, cache = MadeUp(tick), DigestCache(tmp_path / str(number))
        machine.write("a", b"x")
        machine.wait(before)
        read(machine, cache)
        machine.wait(after)
        change(machine)
        read(machine, cache)


@settings(max_examples=60)
@given(tick=st.sampled_from([1, 10**6, SECOND, 2 * SECOND]), acts=st.lists(st.tuples(ACTS, SPANS, SPANS), max_size=12))
def test_a_clock_of_any_ticks(tick, acts):
    """Something is done, some time goes by, everything is read, some time goes by; and so on."""
    machine = MadeUp(tick)
    with TemporaryDirectory() as folder:
        for (act, *how), before, after in acts:
            getattr(machine, act)(*how)
            machine.wait(before)
            read(machine, DigestCache(folder))
            machine.wait(after)


REAL_ACTS = st.one_of(
    st.tuples(st.just("write"), NAMES, BYTES),
    st.tuples(st.just("edit in place"), NAMES, BYTES),
    st.tuples(st.just("replace"), NAMES, BYTES),
    st.tuples(st.just("rename"), NAMES, NAMES),
    st.tuples(st.just("remove"), NAMES, st.none()),
    st.just(("run", "", None)),
)


def do(root, act, name, how):
    """Do it so that it shows as little as can be: modification times stay as they were."""
    path = root / name
    kept = path.stat().st_mtime_ns if path.exists() else 0
    if act == "remove":
        path.unlink(missing_ok=True)
    elif act == "rename":
        if path.exists():
            path.rename(root / how)
    else:
        if act == "replace":
            other = root.parent / "other"
            other.write_bytes(how)
            other.replace(path)
        elif act == "edit in place" and path.exists():
            with path.open("r+b") as opened:
                opened.write(how)
        else:
            path.write_bytes(how)
        os.utime(path, ns=(kept, kept))


@settings(max_examples=25)
@given(acts=st.lists(REAL_ACTS, max_size=12))
def test_files_on_the_disk(acts):
    with TemporaryDirectory() as folder:
        root = Path(folder) / "artifact"
        root.mkdir()
        for name in "ab":
            do(root, "write", name, b"x")
        cache = DigestCache(Path(folder) / "cache")
        for act, name, how in [("run", "", None), *acts, ("run", "", None)]:
            if act != "run":
                do(root, act, name, how)
                continue
            source = LocalSource(root)
            # Far ahead: no file is too young to be remembered, and what the kernel says of it has to do.
            engine = RememberingEngine(ThreadsEngine(1), cache, "artifact", lambda: 2**62)
            segments = [Segment(file, 0, file.size) for file in source.files()]
            [found] = engine.digest([segments], source, BLAKE3, Silent())
            assert found == [BLAKE3.digest((root / segment.file.path).read_bytes()) for segment in segments]
