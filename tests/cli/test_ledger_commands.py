"""`mltrust ledger`: looking into a ledger, and finding out that somebody changed it."""

import shutil

import pytest


@pytest.fixture
def ledger(mltrust, model):
    """Return the folder of the own ledger, with two entries."""
    (model / "README.md").write_text("two")
    assert mltrust("seal", model).code == 0
    return mltrust.home / "data/ledger"


def test_log(mltrust, ledger):
    lines = mltrust("ledger", "log").out.splitlines()
    assert [line.split()[0] for line in lines] == ["0", "1"]
    assert all(line.split()[2].startswith("sha256:") for line in lines)
    entries = mltrust("ledger", "log", "--format", "json").json()["entries"]
    assert [f"{each['index']}  {each['time']}  {each['digest']}" for each in entries] == lines


def test_check(mltrust, ledger):
    told, data = mltrust("ledger", "check"), mltrust("ledger", "check", "--format", "json")
    assert told.code == data.code == 0
    status = data.json()
    assert (status["size"], status["unsigned"], status["remembered_size"]) == (2, 0, 2)
    assert status["root"] in told.out
    assert status["key"] in told.out


def test_checkpoint(mltrust, ledger):
    for environment in ({}, {"PYTHONIOENCODING": "ascii"}, {"LANG": "C", "PYTHONUTF8": "0"}):
        assert mltrust("ledger", "checkpoint", env=environment).out == (ledger / "checkpoint").read_text()
        assert mltrust("ledger", "checkpoint", "--key", env=environment).out == (ledger / "verifier-key").read_text()


def test_export(mltrust, ledger):
    done = mltrust("ledger", "export", "public")
    assert done.code == 0
    assert (mltrust.cwd / "public/checkpoint").read_bytes() == (ledger / "checkpoint").read_bytes()
    assert (mltrust.cwd / "public/tile/entries/000.p/2").is_file()
    assert mltrust("ledger", "export", "public").code == 3
    assert mltrust("ledger", "export").code == 2


def test_no_ledger(mltrust):
    for command in ("log", "check", "checkpoint"):
        done = mltrust("ledger", command)
        assert done.code == 3
        assert "there is no ledger" in done.err
    assert mltrust("ledger", "check", "--ledger", "nonsense").code == 2


def cut(folder):
    lines = (folder / "entries.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "entries.jsonl").write_bytes(lines[0])


def edit(folder):
    text = (folder / "entries.jsonl").read_text()
    (folder / "entries.jsonl").write_text(text.replace("sha256:", "sha256:0", 1).replace('","time', '","time', 1))


def edit_digit(folder):
    data = bytearray((folder / "entries.jsonl").read_bytes())
    data[30] = ord("0") if data[30] != ord("0") else ord("1")
    (folder / "entries.jsonl").write_bytes(data)


def swap(folder):
    lines = (folder / "entries.jsonl").read_bytes().splitlines(keepends=True)
    (folder / "entries.jsonl").write_bytes(b"".join(reversed(lines)))


def remove_checkpoint(folder):
    (folder / "checkpoint").unlink()


def unsign(folder):
    text = (folder / "checkpoint").read_text()
    (folder / "checkpoint").write_text(text[:-12] + ("A" if text[-12] != "A" else "B") + text[-11:])


def forget(folder):
    shutil.rmtree(folder)


CHANGES = [cut, edit, edit_digit, swap, remove_checkpoint, unsign, forget]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.__name__)
def test_a_changed_ledger_fails(mltrust, model, ledger, change):
    change(ledger)
    done, verified = mltrust("ledger", "check"), mltrust("verify", model)
    assert done.code == 1
    assert done.out == ""
    assert done.err.startswith("error: ")
    assert verified.code == 1
    assert "anchor       FAIL" in verified.out
    (model / "README.md").write_text("three")
    assert mltrust("seal", model).code == 3


def test_a_rollback_fails(mltrust, model):
    ledger = mltrust.home / "data/ledger"
    shutil.copytree(ledger, mltrust.cwd / "old")
    (model / "README.md").write_text("two")
    assert mltrust("seal", model).code == 0
    shutil.rmtree(ledger)
    (mltrust.cwd / "old").rename(ledger)
    done, data = mltrust("ledger", "check"), mltrust("verify", model, "--format", "json")
    assert done.code == 1
    assert "goes back behind a checkpoint it signed" in done.err
    assert data.code == 1
    assert [check["state"] for check in data.json()["checks"] if check["kind"] == "anchor"] == ["rollback"]


def test_a_fork_fails(mltrust, model):
    ledger = mltrust.home / "data/ledger"
    shutil.copytree(ledger, mltrust.cwd / "fork")
    (model / "README.md").write_text("two")
    assert mltrust("seal", model).code == 0
    forked = mltrust.at(mltrust.cwd / "elsewhere")
    shutil.copytree(mltrust.home / "data/keys", forked.home / "data/keys")
    for text in ("other", "another"):
        (mltrust.cwd / text).write_text(text)
        assert forked("seal", text, "--anchor", "ledger:fork").code == 0
    shutil.rmtree(ledger)
    (mltrust.cwd / "fork").rename(ledger)
    done = mltrust("ledger", "check")
    assert done.code == 1
    assert "contradicts a checkpoint it signed" in done.err


def test_a_ledger_in_a_place_that_cannot_be_written_can_be_read(mltrust, model, ledger):
    stranger = mltrust.at(mltrust.cwd / "stranger")
    own = f"ledger:{ledger}"
    assert stranger("ledger", "check", "--ledger", own).code == 0
    (model / "README.md").write_text("three")
    done = stranger("seal", model, "--anchor", own)
    assert done.code == 3
    assert "signing key" in done.err
