"""Whole documents: a read never blocks, a write leaves the old file or the new one and nothing beside it."""

import os
import threading
import time
from pathlib import Path

import pytest

from mltrust.disk import documents
from mltrust.disk.documents import read_document, reading, write_atomically
from mltrust.errors import FormatError, UnreadableError, WriteError

posix = pytest.mark.skipif(os.name == "nt", reason="special files as POSIX has them")


@pytest.fixture
def path(tmp_path):
    made = tmp_path / "document.json"
    made.write_bytes(b"old")
    return made


def names(folder):
    return sorted(path.name for path in folder.iterdir())


class TestReading:
    def test_the_limit_is_exact(self, path):
        assert read_document(path, 3) == b"old"
        with pytest.raises(FormatError, match="has 3 bytes, at most 2 are read"):
            read_document(path, 2)

    def test_a_sparse_giant_is_not_read(self, path):
        os.truncate(path, 2**33)
        with pytest.raises(FormatError, match="at most"):
            read_document(path, 2**30)

    @posix
    def test_only_regular_files_are_read_and_no_handle_is_left(self, path, tmp_path):
        os.mkfifo(tmp_path / "fifo")
        (tmp_path / "device").symlink_to("/dev/zero")
        (tmp_path / "loop").symlink_to("loop")
        (tmp_path / "link").symlink_to(path.name)
        before = len(names(Path("/dev/fd")))
        for odd in (tmp_path / "fifo", tmp_path / "device", tmp_path):
            with pytest.raises(FormatError, match="not a regular file"):
                read_document(odd, 10)
        for absent in (tmp_path / "absent", tmp_path / "loop", path / "below", tmp_path / ("n" * 300)):
            with pytest.raises(UnreadableError, match="cannot be read"):
                read_document(absent, 10)
        assert read_document(tmp_path / "link", 10) == b"old"
        assert len(names(Path("/dev/fd"))) == before


class TestReadingPieceByPiece:
    def test_what_is_read_is_what_is_there(self, path):
        with reading(path, 3) as opened:
            assert [opened.read(2), opened.read(2), opened.read(2)] == [b"ol", b"d", b""]
        with pytest.raises(FormatError, match="has 3 bytes, at most 2 are read"), reading(path, 2):
            pass

    def read(self, path, meddle, trouble=None):
        """Read, and let `meddle` change the file meanwhile."""
        os.utime(path, ns=(10**18, 10**18))
        time.sleep(0.02)  # the clock of some file systems stands still for as long
        with reading(path, 10) as opened:
            opened.read(1)
            meddle()
            if trouble is not None:
                raise trouble

    @pytest.mark.parametrize("change", [b"older", b"new", b"ol"])
    def test_a_file_that_changes_meanwhile_is_an_error(self, change, path):
        with pytest.raises(UnreadableError, match="changed while it was read"):
            self.read(path, lambda: path.write_bytes(change))

    @posix
    def test_times_put_back_hide_no_change(self, path):
        def meddle():
            path.write_bytes(b"new")
            os.utime(path, ns=(10**18, 10**18))

        with pytest.raises(UnreadableError, match="changed while it was read"):
            self.read(path, meddle)

    def test_what_seems_malformed_then_was_changed(self, path):
        trouble = FormatError("x", "not JSON")
        with pytest.raises(UnreadableError, match="changed while it was read") as caught:
            self.read(path, lambda: path.write_bytes(b"x"), trouble)
        assert not isinstance(caught.value, FormatError)
        with pytest.raises(FormatError, match="not JSON"):
            self.read(path, lambda: None, trouble)

    @posix
    def test_a_file_that_is_replaced_meanwhile_is_read_to_its_end(self, path):
        with reading(path, 10) as opened:
            write_atomically(path, b"new")
            assert opened.read() == b"old"
        assert path.read_bytes() == b"new"


class TestWriting:
    def test_blocks(self, path):
        write_atomically(path, (bytes([number]) * number for number in range(5)))
        assert path.read_bytes() == bytes([1, 2, 2, 3, 3, 3, 4, 4, 4, 4])

    def test_whoever_makes_the_blocks_may_fail(self, path, tmp_path):
        def blocks():
            yield b"new"
            raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            write_atomically(path, blocks())
        assert path.read_bytes() == b"old"
        assert names(tmp_path) == ["document.json"]

    def test_a_new_file_and_an_old_one(self, path, tmp_path):
        write_atomically(path, b"new")
        write_atomically(tmp_path / "other", b"")
        assert path.read_bytes() == b"new"
        assert names(tmp_path) == ["document.json", "other"]

    @posix
    def test_modes(self, path, tmp_path):
        mask = os.umask(0o022)
        try:
            write_atomically(tmp_path / "open", b"x")
            write_atomically(tmp_path / "secret", b"x", mode=0o600)
        finally:
            os.umask(mask)
        assert (tmp_path / "open").stat().st_mode & 0o777 == 0o644
        assert (tmp_path / "secret").stat().st_mode & 0o777 == 0o600

    @posix
    def test_a_link_is_replaced_and_what_it_led_to_is_left_alone(self, path, tmp_path):
        (tmp_path / "link").symlink_to(path.name)
        write_atomically(tmp_path / "link", b"new")
        assert path.read_bytes() == b"old"
        assert not (tmp_path / "link").is_symlink()

    @pytest.mark.parametrize("step", ["open", "write", "fsync", "replace"])
    def test_a_failure_at_any_step_leaves_the_old_file_alone(self, step, path, tmp_path, monkeypatch):
        def fail(*_args, **_more):
            raise OSError(28, "No space left on device")

        if step == "replace":
            monkeypatch.setattr(Path, "replace", fail)
        else:
            monkeypatch.setattr(documents.os, step, fail)
        with pytest.raises(WriteError, match="cannot be written: No space left on device"):
            write_atomically(path, b"new")
        monkeypatch.undo()
        assert path.read_bytes() == b"old"
        assert names(tmp_path) == ["document.json"]

    def test_no_folder_and_no_room_for_the_name(self, path, tmp_path):
        for odd in (tmp_path / "absent" / "x", path / "x", tmp_path):
            with pytest.raises(WriteError):
                write_atomically(odd, b"new")
        assert names(tmp_path) == ["document.json"]

    def test_a_reader_sees_one_version_or_the_other_whole(self, path):
        versions = [bytes([number]) * 100_000 for number in (1, 2)]
        write_atomically(path, versions[0])
        done = threading.Event()

        def write():
            for number in range(60):
                write_atomically(path, versions[number % 2])
            done.set()

        writer = threading.Thread(target=write)
        writer.start()
        while not done.is_set():
            assert read_document(path, 100_000) in versions
        writer.join()
