"""New memory, before it is filled."""

import mmap
import platform
import re
import sys

import pytest

from mltrust.engines.touching import touched

PAGES = 1000
KERNEL = [int(part) for part in re.findall(r"\d+", platform.release())[:2]]


def new_memory():
    return memoryview(mmap.mmap(-1, PAGES * mmap.PAGESIZE))


@pytest.mark.skipif(sys.platform != "linux" or KERNEL < [5, 14], reason="newer Linux knows how")
def test_pages_are_there_before_they_are_written_to():
    resource = pytest.importorskip("resource")

    def faults_to_fill(memory):
        before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
        for at in range(0, len(memory), mmap.PAGESIZE):
            memory[at] = 1
        return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before

    memory, other = new_memory(), new_memory()
    done = 0
    while done < len(memory):
        done += len(touched(memory, done))
    if faults_to_fill(other) < PAGES // 2:
        pytest.skip("the system lays out more than a page at once")
    assert faults_to_fill(memory) < PAGES // 10


@pytest.mark.parametrize(("start", "size"), [(0, 0), (0, 1), (5, 4097), (4095, 4097), (100, 2**20), (999_999, 9**9)])
def test_what_is_in_memory_stays(start, size):
    memory = new_memory()
    memory[:] = bytes(range(250)) * (len(memory) // 250)
    before = bytes(memory)
    piece = touched(memory[: start + size], start)
    assert piece == before[start : start + size][: 512 * 1024]
    assert memory == before
