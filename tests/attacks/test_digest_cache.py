"""Digest caches that are damaged, planted, open to others, half written, or written by two at once."""

import os
import resource
import signal
import stat
import subprocess
import sys
import time

import pytest

from mltrust.core.digest import BLAKE3
from mltrust.disk.digest_cache import KEY_SIZE, DigestCache, Table

pytestmark = pytest.mark.skipif(os.name != "posix", reason="elsewhere nothing is remembered")

ROWS = 20
TABLE = Table(bytes(range(KEY_SIZE)) * ROWS, bytes(range(32)) * ROWS)
SUBJECT = ("/srv/model", BLAKE3.name)
GIB = 2**30


@pytest.fixture
def told():
    return []


@pytest.fixture
def cache(tmp_path, told):
    cache = DigestCache(tmp_path / "deep" / "cache", told.append)
    cache.write(*SUBJECT, TABLE)
    return cache


@pytest.fixture
def file(cache):
    [file] = cache.folder.iterdir()
    return file


def test_what_is_written_is_read(cache, file, told):
    assert cache.read(*SUBJECT) == TABLE
    assert cache.read("/srv/other", BLAKE3.name) == cache.read("/srv/model", "mltrust-2") == Table()
    assert told == []
    assert stat.S_IMODE(cache.folder.stat().st_mode) == 0o700
    assert stat.S_IMODE(file.stat().st_mode) == 0o600


def test_nothing_is_made_to_read(tmp_path, told):
    assert DigestCache(tmp_path / "none", told.append).read(*SUBJECT) == Table()
    assert told == []
    assert list(tmp_path.iterdir()) == []


def assert_not_used(cache, told, why):
    assert cache.read(*SUBJECT) == Table()
    [word] = told
    assert why in word
    assert str(cache.folder) in word


@pytest.mark.parametrize("at", [0, 15, 16, 30, 48, 55, 60, 90, 100, 1500, -1])
def test_a_byte_that_changed(cache, file, told, at):
    data = bytearray(file.read_bytes())
    data[at] ^= 1
    file.write_bytes(data)
    assert_not_used(cache, told, "not written by this version" if 0 <= at < 16 else "damaged")


@pytest.mark.parametrize("size", [0, 1, 87, 88, 89, ROWS * 88, ROWS * 88 + 87])
def test_a_file_cut_short(cache, file, told, size):
    os.truncate(file, size)
    assert_not_used(cache, told, "not written by this version" if size < 88 else "damaged")


def test_a_file_that_goes_on(cache, file, told):
    with file.open("ab") as opened:
        opened.write(bytes(88))
    assert_not_used(cache, told, "damaged")


def test_a_newer_version(cache, file, told):
    data = file.read_bytes()
    file.write_bytes(data[:15] + b"\x02" + data[16:])
    assert_not_used(cache, told, "not written by this version")
    cache.write(*SUBJECT, TABLE)
    assert cache.read(*SUBJECT) == TABLE


def test_the_table_of_another_artifact_under_this_name(cache, file, told):
    cache.write("/srv/other", BLAKE3.name, TABLE)
    [other] = set(cache.folder.iterdir()) - {file}
    other.replace(file)
    assert_not_used(cache, told, "damaged")


def test_larger_than_is_read(cache, file, told):
    os.truncate(file, GIB + 1)
    assert_not_used(cache, told, "at most")


@pytest.mark.parametrize("mode", [0o620, 0o602, 0o666, 0o777])
def test_others_can_write_the_file(cache, file, told, mode):
    file.chmod(mode)
    assert_not_used(cache, told, "others than you can write")
    cache.write(*SUBJECT, TABLE)
    assert cache.read(*SUBJECT) == TABLE


@pytest.mark.parametrize("mode", [0o720, 0o702, 0o1777])
def test_others_can_write_the_folder(cache, file, told, mode):
    cache.folder.chmod(mode)
    kept = file.stat().st_ino
    assert_not_used(cache, told, "others than you can write")
    cache.write(*SUBJECT, Table())
    assert "is not written" in told[1]
    assert file.stat().st_ino == kept


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="only the superuser gives files away")
@pytest.mark.parametrize("which", ["file", "folder"])
def test_it_belongs_to_somebody_else(cache, file, told, which):
    os.chown(file if which == "file" else cache.folder, 1, 1)
    assert_not_used(cache, told, "others than you can write")


@pytest.mark.parametrize("kind", ["link", "FIFO", "folder"])
def test_something_else_under_the_name_of_the_file(cache, file, told, kind):
    kept = file.rename(cache.folder / "kept")
    {"link": lambda: file.symlink_to(kept), "FIFO": lambda: os.mkfifo(file), "folder": file.mkdir}[kind]()
    assert_not_used(cache, told, "does not belong there")
    cache.write(*SUBJECT, TABLE)
    assert (cache.read(*SUBJECT) == TABLE) == (kind != "folder")


def test_a_link_to_the_folder(cache, told, tmp_path):
    cache.folder.rename(tmp_path / "elsewhere")
    cache.folder.symlink_to(tmp_path / "elsewhere")
    assert_not_used(cache, told, "does not belong there")


def test_it_cannot_be_written(tmp_path, told):
    (tmp_path / "file").write_text("in the way")
    cache = DigestCache(tmp_path / "file" / "cache", told.append)
    cache.write(*SUBJECT, TABLE)
    assert cache.read(*SUBJECT) == Table()
    assert "is not written" in told[0]


def test_a_full_disk(cache, file, told):
    kept, limits = file.read_bytes(), resource.getrlimit(resource.RLIMIT_FSIZE)
    try:
        resource.setrlimit(resource.RLIMIT_FSIZE, (4096, limits[1]))
        cache.write(*SUBJECT, Table(TABLE.keys * 10, TABLE.digests * 10))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert "is not written" in told[0]
    assert file.read_bytes() == kept
    assert list(cache.folder.iterdir()) == [file]


def test_old_tables_go_and_nothing_else(cache, file):
    folder = cache.folder
    for number in range(300):
        (folder / f"{number:064x}.digests").write_bytes(b"")
        os.utime(folder / f"{number:064x}.digests", (number, number))
    for name, age in {"notes.txt": 10**6, ".mltrust-tmp-old": 10**6, ".mltrust-tmp-new": 60}.items():
        (folder / name).write_bytes(b"")
        os.utime(folder / name, (time.time() - age,) * 2)
    os.utime(file, (1, 1))
    assert cache.read(*SUBJECT) == TABLE  # which makes it the one used last
    cache.write("/srv/other", BLAKE3.name, TABLE)
    names = {path.name for path in folder.iterdir()}
    assert {"notes.txt", ".mltrust-tmp-new", file.name} < names
    assert ".mltrust-tmp-old" not in names
    assert sorted(name for name in names if name.startswith("0" * 60)) == [f"{n:064x}.digests" for n in range(46, 300)]


def test_large_tables_make_room(cache, file):
    for number in range(3):
        large = cache.folder / f"{number}.digests"
        large.touch()
        os.truncate(large, GIB // 2 - 10_000)
        os.utime(large, (number, number))
    cache.write(*SUBJECT, TABLE)
    assert {path.name for path in cache.folder.iterdir()} == {file.name, "1.digests", "2.digests"}


WRITER = """
import sys
from mltrust.disk.digest_cache import KEY_SIZE, DigestCache, Table
folder, fill = sys.argv[1:]
cache, table = DigestCache(folder), Table(fill.encode() * KEY_SIZE * 5000, fill.encode() * 32 * 5000)
print("ready", flush=True)
while True:
    cache.write("artifact", "suite", table)
    found = cache.read("artifact", "suite")
    assert len(found) == 5000 and len(set(found.keys + found.digests)) == 1, "a mixture"
"""


def test_two_that_write_at_once_and_are_killed(tmp_path, told):
    """At any moment, also after both were killed, there is one whole table of either; what they left is taken away."""
    cache = DigestCache(tmp_path / "cache", told.append)
    for _ in range(3):
        writers = [
            subprocess.Popen([sys.executable, "-c", WRITER, cache.folder, fill], stdout=subprocess.PIPE)
            for fill in "ab"
        ]
        try:
            assert [writer.stdout.readline() for writer in writers] == [b"ready\n"] * 2
            for _ in range(50):
                time.sleep(0.004)
                found = cache.read("artifact", "suite")
                assert len(set(found.keys + found.digests)) <= 1
                assert len(found) in (0, 5000)
            assert [writer.poll() for writer in writers] == [None, None]
        finally:
            for writer in writers:
                writer.send_signal(signal.SIGKILL)
                writer.wait()
                writer.stdout.close()
        assert len(cache.read("artifact", "suite")) == 5000
        assert told == []
    for left in cache.folder.glob(".mltrust-tmp-*"):
        os.utime(left, (1, 1))
    cache.write("artifact", "suite", TABLE)
    assert len(list(cache.folder.iterdir())) == 1
