"""What is particular to the Dask engine: pieces of work, trouble on workers, answers nobody should believe."""

import pickle
import socket
import sys

import pytest

from mltrust.core.digest import BLAKE3
from mltrust.engines.dask import DaskEngine, cluster
from mltrust.engines.dask.work import pieces, unpack
from mltrust.errors import ArtifactError, ChangedError, FormatError, UnreadableError, UsageError
from mltrust.interfaces import FileEntry, Segment, Silent
from mltrust.sources.local import LocalSource
from mltrust.testing import MemorySource

FILE = FileEntry("file", 0, ())


def test_a_batch_is_shared_among_the_threads():
    segments = [Segment(FILE, 0, 2**20)] * 1024
    assert [len(pieces(segments, threads)) for threads in (1, 4, 1000)] == [4, 16, 171]


@pytest.mark.parametrize(
    "uri", ["dask", "dask:h", "dask://h", "dask://:1", "dask://h:0", "dask://h:70000", "dask://h:1/p", "dask+ftp://h:1"]
)
def test_a_uri_that_makes_no_sense(uri):
    with pytest.raises(UsageError) as caught:
        DaskEngine.from_uri(uri, None)
    assert caught.value.hint == "Write dask://HOST:PORT or dask+tls://HOST:PORT."


def test_uris_and_what_they_mean():
    uris = ("dask://host:8786", "dask://[::1]:1/", "dask+tls://10.0.0.1:8786")
    assert [DaskEngine.from_uri(uri, None).address for uri in uris] == [
        "tcp://host:8786",
        "tcp://[::1]:1",
        "tls://10.0.0.1:8786",
    ]
    with pytest.raises(UsageError, match="0 jobs"):
        DaskEngine.from_uri(uris[0], 0)


@pytest.mark.parametrize("answer", [None, "0" * 64, bytes(63), bytes(65), [bytes(32)] * 2, bytearray(64)])
def test_answers_that_are_not_digests(answer):
    with pytest.raises(UnreadableError, match="not the digests"):
        unpack(answer, [Segment(FileEntry("a", 1, ()), 0, 1)] * 2)


@pytest.mark.parametrize("error", [ArtifactError("a\x1b", "b", hint="c"), FormatError("a", "b"), UsageError("a")])
def test_errors_travel_whole(error):
    again = pickle.loads(pickle.dumps(error))
    assert (type(again), str(again), again.__dict__) == (type(error), str(error), error.__dict__)


def digests(address, source, files):
    engine = DaskEngine(address)
    return next(engine.digest([[Segment(file, 0, file.size) for file in files]], source, BLAKE3, Silent()))


def test_a_file_that_changed_on_disk(local_cluster, tmp_path):
    for name in "ab":
        (tmp_path / name).write_bytes(b"before")
    source = LocalSource(tmp_path)
    files = list(source.files())
    (tmp_path / "b").write_bytes(b"behind")
    with pytest.raises(ChangedError) as caught:
        digests(local_cluster.scheduler_address, source, files)
    assert caught.value.path == "b"
    assert "all must see the same files" in caught.value.hint


def test_a_source_finds_its_files_on_another_machine(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"a")
    monkeypatch.chdir(tmp_path.parent)
    source = LocalSource(tmp_path.relative_to(tmp_path.parent), ["*.tmp"], "name")
    [file] = source.files()
    packed = pickle.dumps(source)
    monkeypatch.chdir("/")
    there = pickle.loads(packed)
    assert (there.name, there.exclude) == ("name", ("*.tmp",))
    device, *state = file.version
    assert there.read(file._replace(version=(device + 1, *state)), 0, 1) == b"a"  # the same disk, as it is called there
    for field in range(len(state)):
        other = [value + (index == field) for index, value in enumerate(state)]
        with pytest.raises(ChangedError):
            there.read(file._replace(version=(device, *other)), 0, 1)
    monkeypatch.chdir(tmp_path.parent)
    with pytest.raises(ChangedError):
        source.read(file._replace(version=(device + 1, *state)), 0, 1)


def test_a_source_that_is_not_there_on_the_worker(tmp_path):
    folder = tmp_path / "gone"
    folder.mkdir()
    packed = pickle.dumps(LocalSource(folder))
    folder.rmdir()
    with pytest.raises(ArtifactError, match="gone: is not there on "):
        pickle.loads(packed)


def test_no_worker(make_cluster, monkeypatch):
    monkeypatch.setattr(cluster, "_PATIENCE", 0.2)
    with pytest.raises(UnreadableError, match="there is no worker"):
        digests(make_cluster(0).scheduler_address, MemorySource({"a": b"a"}), [])


def test_somebody_who_says_nothing():
    import dask

    with socket.create_server(("127.0.0.1", 0)) as server, dask.config.set({"distributed.comm.timeouts.connect": 0.2}):
        address = f"tcp://127.0.0.1:{server.getsockname()[1]}"
        pattern = "no connection to a scheduler: .* no answer within 0.4 s"
        with pytest.raises(UnreadableError, match=pattern):
            digests(address, MemorySource({}), [])


DEADLY = """
import os
from mltrust.testing import MemorySource

class Deadly(MemorySource):
    def _data(self, file):
        os._exit(9)
"""


def test_work_that_kills_whoever_does_it(make_cluster, start_worker, wait_until, tmp_path, monkeypatch):
    (tmp_path / "deadly.py").write_text(DEADLY)
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.delitem(sys.modules, "deadly", raising=False)
    from deadly import Deadly

    made = make_cluster(0)
    source = Deadly({"a": b"a"})
    start_worker(made.scheduler_address, PYTHONPATH=str(tmp_path))
    wait_until(lambda: made.scheduler.workers)
    with monkeypatch.context() as soon:
        soon.setattr(cluster, "_PATIENCE", 0.5)
        with pytest.raises(UnreadableError, match="there is no worker"):
            digests(made.scheduler_address, source, source.files())
    made.scheduler.allowed_failures = 0
    start_worker(made.scheduler_address, PYTHONPATH=str(tmp_path))
    with pytest.raises(UnreadableError, match="died of the same work"):
        digests(made.scheduler_address, source, source.files())
    start_worker(made.scheduler_address, PYTHONPATH="")
    with pytest.raises(UnreadableError, match="No module named 'deadly'"):
        digests(made.scheduler_address, source, source.files())


def test_what_is_left_undone_is_dropped(local_cluster, wait_until):
    source = MemorySource({"a": bytes(2**20)})
    batch = [Segment(file, 0, file.size) for file in source.files()] * 500
    found = DaskEngine(local_cluster.scheduler_address).digest([batch, batch], source, BLAKE3, Silent())
    assert next(found) == [BLAKE3.digest(bytes(2**20))] * 500
    found.close()
    wait_until(lambda: not local_cluster.scheduler.tasks)
