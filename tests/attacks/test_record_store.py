"""A record store that lies: nobody vouches for it, so it may name nothing, and change no verdict."""

import os
import shutil
import subprocess
import sys
from dataclasses import replace

import pytest

import mltrust
from mltrust.core.merkle import Crown
from mltrust.core.row_difference import row_difference
from mltrust.disk import records
from mltrust.disk.records import MAGIC
from mltrust.engines.threads import ThreadsEngine
from mltrust.errors import ArtifactError, UsageError, WriteError

FILES = ("one.jsonl", "two.jsonl")
FOREIGN = "the record store does not belong to this seal"


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    folder.mkdir()
    for name in FILES:
        (folder / name).write_text("".join(f'{{"file": "{name}", "id": {n}}}\n' for n in range(8)))
    mltrust.seal(folder, keep_records=True)
    return folder


@pytest.fixture
def store(data):
    return data / "mltrust.seal.records"


def edit(data):
    path = data / FILES[0]
    path.write_text(path.read_text().replace('"id": 4', '"id": 44'))


def verified(data):
    return mltrust.verify(data, trust=mltrust.Trust(content_only=True))


def note(data):
    """Return what is said of the edited file, of whose rows none is named."""
    report = verified(data)
    (change,) = report.changes
    assert (report.verdict, change.name, change.kind, change.rows) == ("failed", FILES[0], "changed", None)
    return change.note


def flipped(content):
    return content[:20] + bytes([content[20] ^ 1]) + content[21:]


def exchanged(content):
    """Return the store with the hashes of its two files in each other's place."""
    middle = len(MAGIC) + (len(content) - len(MAGIC)) // 2
    return content[: len(MAGIC)] + content[middle:] + content[len(MAGIC) : middle]


@pytest.mark.parametrize("lie", [flipped, exchanged, lambda content: MAGIC + bytes(len(content) - len(MAGIC))])
def test_false_hashes_name_no_row(data, store, lie):
    store.write_bytes(lie(store.read_bytes()))
    assert verified(data).verdict == "verified"
    edit(data)
    assert FOREIGN in note(data)


@pytest.mark.parametrize("lie", [lambda content: content[:-1], lambda content: content + bytes(32), lambda _: b""])
def test_one_of_another_size_is_passed_over_with_a_word(data, store, lie):
    store.write_bytes(lie(store.read_bytes()))
    report = verified(data)
    assert report.verdict == "verified"
    (notice,) = report.notices
    assert (notice.code, notice.path, store.name in notice.message) == ("record-store", store.name, False)
    assert notice.message.startswith("rows cannot be named: ")
    edit(data)
    assert note(data) == "rows cannot be named"  # why, the notice says
    sealed = data / "mltrust.seal.json"
    shutil.copy(data / FILES[0], data / FILES[1])
    notes = [change.note for change in mltrust.diff(sealed, data).changes]
    assert [str(store) in each for each in notes] == [True, False]


def test_the_store_of_another_seal(data, store):
    other = shutil.copytree(data, data.with_name("other"))
    edit(other)
    mltrust.seal(other, keep_records=True)
    shutil.copy(other / store.name, store)
    assert verified(data).verdict == "verified"
    edit(data)
    assert FOREIGN in note(data)


def test_whoever_edits_rows_and_the_store_alike_is_found_out(data):
    """As is a seal of before, put back beside what came after."""
    edit(data)
    seal = (data / "mltrust.seal.json").read_bytes()
    mltrust.seal(data, keep_records=True)
    (data / "mltrust.seal.json").write_bytes(seal)
    assert FOREIGN in note(data)


def cut(store):
    os.truncate(store, 0)


def overwrite(store):
    store.write_bytes(MAGIC + bytes(store.stat().st_size - len(MAGIC)))


@pytest.mark.parametrize("tamper", [cut, overwrite, os.unlink])
def test_one_that_changes_once_it_is_checked_changes_nothing(data, store, monkeypatch, tamper):
    """What was checked is what is used; a store that is cut then does not end the process with a bus error."""
    edit(data)

    def compared(before, after):
        tamper(store)
        return row_difference(before, after)

    monkeypatch.setattr("mltrust.core.row_difference.row_difference", compared)
    (change,) = verified(data).changes
    assert [(row.kind, row.before, row.after) for row in change.rows.listed] == [("changed", 5, 5)]


@pytest.mark.parametrize("left", [0, len(MAGIC), 2**20, 2**20 + len(MAGIC) + 5])
def test_one_that_is_cut_while_it_is_checked_names_no_row(data, store, monkeypatch, left):
    (data / FILES[0]).write_text("".join(f"{number}\n" for number in range(2**16)))
    mltrust.seal(data, keep_records=True)
    (data / FILES[0]).write_text("0\n")

    class Cutting(Crown):
        def extend(self, hashes):
            os.truncate(store, left)
            super().extend(hashes)

    monkeypatch.setattr(records, "Crown", Cutting)
    assert "changed while it was read" in note(data)


@pytest.mark.skipif(os.name != "posix", reason="limits as POSIX has them")
def test_a_full_disk_names_no_row(data, tmp_path):
    """A copy of the store that cannot be made is said to be that, and changes no verdict."""
    (data / FILES[0]).write_text("".join(f"{number}\n" for number in range(2**16)))
    mltrust.seal(data, keep_records=True)
    (data / FILES[0]).write_text("0\n")
    code = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
from mltrust.cli.app import main
sys.exit(main())
"""
    done = subprocess.run(
        [sys.executable, "-c", code, "verify", data, "--content-only"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert "no room for a copy of the record store: File too large" in done.stdout


@pytest.mark.skipif(os.name != "posix", reason="special files as POSIX has them")
@pytest.mark.parametrize("plant", ["pipe", "link"])
def test_what_is_no_file_is_not_waited_for(data, store, plant):
    store.unlink()
    os.mkfifo(store) if plant == "pipe" else store.symlink_to("/dev/zero")
    edit(data)
    assert note(data) == "rows cannot be named"
    assert "not a regular file" in verified(data).notices[0].message


def test_a_folder_in_its_place_hides_nothing(data, store):
    store.unlink()
    store.mkdir()
    (store / "more.py").touch()
    with pytest.raises(ArtifactError):
        verified(data)


def test_a_store_that_cannot_be_written_leaves_a_seal_that_is_good(data, store):
    """The seal comes first, so that whatever happens then, there is nothing that it does not leave out."""
    file = data / FILES[0]
    store = file.with_name(f"{file.name}.seal.records")
    store.mkdir()
    with pytest.raises(WriteError):
        mltrust.seal(file, keep_records=True)
    assert verified(file).verdict == "verified"
    store.rmdir()
    sealed = file.with_name(f"{file.name}.seal.json").read_bytes()
    mltrust.seal(file, keep_records=True)
    assert file.with_name(f"{file.name}.seal.json").read_bytes() == sealed
    assert store.stat().st_size == len(MAGIC) + 8 * 32


class Elsewhere(ThreadsEngine):
    """An engine that says that other machines read."""

    remote = True


def test_what_other_machines_read_is_verified_without_rows(data):
    means = replace(mltrust.default_means(), engine=Elsewhere())
    with pytest.raises(UsageError, match="other machines read"):
        mltrust.seal(data, keep_records=True, means=means)
    edit(data)
    (change,) = mltrust.verify(data, trust=mltrust.Trust(content_only=True), means=means).changes
    assert change.rows is None
    assert "other machines have read it" in change.note


def test_rows_of_a_blinded_file_are_compared_place_by_place(data):
    """A salt belongs to a place: after one row that is gone, all others would look changed."""
    blind = data.with_name("blind")
    shutil.copytree(data, blind, ignore=shutil.ignore_patterns("mltrust*"))
    mltrust.seal(blind, keep_records=True, blind=True)
    edit(blind)
    (change,) = verified(blind).changes
    assert [(row.kind, row.before) for row in change.rows.listed] == [("changed", 5)]
    (blind / FILES[0]).write_text("".join((blind / FILES[0]).read_text().splitlines(keepends=True)[1:]))
    assert "the records are blinded" in note(blind)


def test_one_that_the_seal_does_not_leave_out_is_a_file_that_was_added(data, store):
    held = store.read_bytes()
    store.unlink()
    mltrust.seal(data)
    store.write_bytes(held)
    assert [(change.kind, change.name) for change in verified(data).changes] == [("added", store.name)]
    with pytest.raises(UsageError, match="a record store lies in the artifact"):
        mltrust.seal(data)
