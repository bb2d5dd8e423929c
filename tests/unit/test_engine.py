"""The threads engine: how it chooses its lanes, and what it does when somebody else fails."""

import os
import threading
from dataclasses import replace
from itertools import islice

import pytest

from mltrust import api
from mltrust.core.digest import BLAKE3, SHA256
from mltrust.engines.threads import BLOCK, SMALL, WIDE_BLOCK, ThreadsEngine
from mltrust.errors import UnreadableError, UsageError
from mltrust.interfaces import FileEntry, Segment, Silent
from mltrust.operations.fingerprint import fingerprint, read_found
from mltrust.testing.memory_source import MemorySource


@pytest.mark.parametrize("jobs", [0, -1, 257, 10**9])
def test_absurd_numbers_of_jobs(jobs):
    with pytest.raises(UsageError, match="make no sense"):
        ThreadsEngine(jobs)


def test_jobs_default_to_the_cores_there_are():
    assert 1 <= ThreadsEngine().jobs <= (os.cpu_count() or 1)


class Grumbling(Silent):
    """A progress that fails after a while, as an interrupted terminal would."""

    def __init__(self, patience):
        self.patience = patience

    def advance(self, size):
        self.patience -= 1
        if self.patience < 0:
            raise KeyboardInterrupt


@pytest.mark.parametrize("size", [10, SMALL + 1, 3 * WIDE_BLOCK])
@pytest.mark.parametrize("patience", [0, 1])
def test_an_interruption_ends_all_threads(size, patience):
    source = MemorySource({str(number): bytes(size) for number in range(2)} | {"long": bytes(4 * size)})
    segments = [Segment(file, 0, file.size) for file in source.files()] * 100
    before = threading.active_count()
    with pytest.raises(KeyboardInterrupt):
        list(ThreadsEngine(2).digest([segments], source, BLAKE3, Grumbling(patience)))
    assert threading.active_count() == before


class Counting(MemorySource):
    """Remembers which thread opened which file, and the longest range that was read in one piece."""

    def __init__(self, files):
        super().__init__(files)
        self.longest = 0

    def read(self, file, offset, length):
        self.longest = max(self.longest, length)
        return super().read(file, offset, length)


@pytest.mark.parametrize("suite", [BLAKE3, SHA256])
def test_no_range_is_read_whole_unless_it_is_small(suite):
    """Memory stays bounded since only small ranges are read in one piece."""
    sizes = (SMALL, SMALL + 1, BLOCK, WIDE_BLOCK + 1, 3 * WIDE_BLOCK)
    source = Counting({str(size): bytes(size) for size in sizes})
    segments = [Segment(file, 0, file.size) for file in source.files()]
    [found] = ThreadsEngine(3).digest([segments], source, suite, Silent())
    assert found == [suite.digest(bytes(segment.length)) for segment in segments]
    assert source.longest == SMALL


def test_the_same_segment_twice_is_hashed_twice():
    file = FileEntry("x", 3, (0,))
    source = MemorySource({"x": b"abc"})
    [found] = ThreadsEngine(2).digest([[Segment(file, 0, 3)] * 5], source, BLAKE3, Silent())
    assert found == [BLAKE3.digest(b"abc")] * 5


class Tired(ThreadsEngine):
    """An engine that ends after some batches, as a plug with a defect might."""

    def __init__(self, batches):
        super().__init__(1)
        self.batches = batches

    def digest(self, *arguments):
        yield from islice(super().digest(*arguments), self.batches)


@pytest.mark.parametrize("batches", [0, 1])
def test_what_an_engine_leaves_out_is_missed(batches):
    source = MemorySource({f"{number:04}": b"" for number in range(4097)})  # two batches
    means = replace(api.default_means(), engine=Tired(batches))
    for read in (fingerprint, read_found):
        with pytest.raises(UnreadableError, match="ended before all files"):
            read(source, means, BLAKE3)
    assert fingerprint(source, replace(means, engine=Tired(2)), BLAKE3).manifest.size == 4097
