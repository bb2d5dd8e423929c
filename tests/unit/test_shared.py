"""Many small files are shared with copies of the process; in a process of its own, since it must have one thread."""

import subprocess
import sys

import pytest

linux = pytest.mark.skipif(sys.platform != "linux", reason="only Linux says how many threads a process has")

BEGIN = """
import os, sys
from pathlib import Path
from mltrust.core.digest import BLAKE3
from mltrust.engines import shared
from mltrust.engines.threads import ThreadsEngine
from mltrust.errors import ChangedError
from mltrust.interfaces import Segment, Silent
from mltrust.sources.local import LocalSource

class Tally(Silent):
    done = 0
    def advance(self, size):
        self.done += size

folder = Path(sys.argv[1])
for number in range(5000):
    (folder / f"{number:04}").write_bytes(b"%d" % number * (number % 7))
source = LocalSource(folder)
segments = [Segment(file, 0, file.size) for file in source.files()]
def digests_of(jobs, source, progress):
    batches = [segments[:3000], segments[3000:3010], segments[3010:]]
    return [digest for found in ThreadsEngine(jobs).digest(batches, source, BLAKE3, progress) for digest in found]

forks = []
fork = os.fork
os.fork = lambda: forks.append(1) or fork()
"""


def run(script, folder):
    done = subprocess.run([sys.executable, "-c", BEGIN + script, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


@linux
def test_copies_find_what_one_process_finds(tmp_path):
    script = """
tally = Tally()
shared_found = digests_of(3, source, tally)
assert shared_found == digests_of(1, source, Silent())
assert shared_found == [BLAKE3.digest((folder / segment.file.path).read_bytes()) for segment in segments]
print(len(forks), tally.done == sum(segment.length for segment in segments))
"""
    assert run(script, tmp_path) == ["2", "True"]


@linux
@pytest.mark.parametrize("trouble", ["write_bytes(b'other')", "unlink()", "chmod(0o600)"])
def test_trouble_in_a_copy_is_raised_here(trouble, tmp_path):
    script = f"""
(folder / "4321").{trouble}
try:
    digests_of(2, source, Silent())
except Exception as error:
    print(type(error).__name__, error.path)
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("no copy left")
"""
    name, path, *rest = run(script, tmp_path)
    assert name in ("ChangedError", "ArtifactError")
    assert path == "4321"
    assert rest == ["no", "copy", "left"]


@linux
def test_a_copy_that_is_killed_loses_nothing(tmp_path):
    script = """
import signal
class Deadly(LocalSource):
    first = os.getpid()
    def read(self, file, offset, length):
        if os.getpid() != self.first:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(file, offset, length)
found = digests_of(2, Deadly(folder), Silent())
print(len(forks), found == digests_of(1, source, Silent()))
"""
    assert run(script, tmp_path) == ["1", "True"]


@linux
def test_a_process_with_threads_is_not_copied(tmp_path):
    script = """
import threading
stop = threading.Event()
threading.Thread(target=stop.wait).start()
found = digests_of(2, source, Silent())
stop.set()
print(len(forks), found == digests_of(1, source, Silent()))
"""
    assert run(script, tmp_path) == ["0", "True"]


RECORDS = """
import signal, threading
from mltrust.readers.records.jsonl import JsonLinesReader
(folder / "rows").mkdir()
for number in range(4):
    (folder / "rows" / f"{number}.jsonl").write_bytes(b'{"id": %d}\\n' % 10**99 * 40_000)
source = LocalSource(folder / "rows")
segments = [segment for file in source.files() for segment in JsonLinesReader().parts(file, source).segments]
size = sum(segment.length for segment in segments)
"""


@linux
def test_bytes_that_copies_read_are_heard_of_as_they_are_read(tmp_path):
    """Each counts once, and none waits for the end of its file; nor is one lost that a copy was killed over."""
    script = """
class Steps(Tally):
    most = 0
    def advance(self, size):
        super().advance(size)
        self.most = max(self.most, size)
class Deadly(LocalSource):
    first = os.getpid()
    def open(self, file, offset=0, length=None):
        if os.getpid() != self.first and file.path == "0.jsonl":
            os.kill(os.getpid(), signal.SIGKILL)
        return super().open(file, offset, length)
whole = [each.by.digest(each, source, BLAKE3, Silent()) for each in segments]
for read in (source, Deadly(folder / "rows")):
    for _ in range(9):  # on a busy machine, nobody may listen for as long as a file takes
        steps = Steps()
        forks.clear()
        [found] = ThreadsEngine(3).digest([segments], read, BLAKE3, steps)
        if steps.most < segments[0].length:
            break
    print(found == whole, steps.done == size, steps.most < segments[0].length, len(forks))
"""
    assert run(RECORDS + script, tmp_path) == ["True", "True", "True", "2"] * 2


@linux
@pytest.mark.parametrize("jobs", [1, 2])
def test_an_interrupt_waits_for_no_file_of_records(tmp_path, jobs):
    """Whether threads are at it, or copies that hear of no interrupt themselves."""
    script = f"""
class Interrupted(Tally):
    def advance(self, size):
        super().advance(size)
        if self.done == size:
            os.kill(os.getpid(), signal.SIGINT)
tally = Interrupted()
try:
    list(ThreadsEngine({jobs}).digest([segments], source, BLAKE3, tally))
except KeyboardInterrupt:
    print(tally.done < segments[0].length, threading.active_count())
try:
    os.waitpid(-1, os.WNOHANG)
except ChildProcessError:
    print("no copy left")
"""
    assert run(RECORDS + script, tmp_path) == ["True", "1", "no", "copy", "left"]


@linux
def test_an_interrupt_as_a_thread_starts_waits_for_no_file_of_records(tmp_path):
    """The pool does not know that thread yet, and would leave it at its work."""
    script = """
start = threading.Thread.start
def interrupted(thread):
    start(thread)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread.start = interrupted
tally = Tally()
try:
    list(ThreadsEngine(1).digest([segments], source, BLAKE3, tally))
except KeyboardInterrupt:
    print(tally.done < size, threading.active_count())
"""
    assert run(RECORDS + script, tmp_path) == ["True", "1"]
