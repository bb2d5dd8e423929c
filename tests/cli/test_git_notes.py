"""Git notes through the command: publish, push, fetch, verify, and the exit code of every outcome."""

import os
import shlex
import subprocess

import pytest

NOTES, BRANCH = "refs/notes/mltrust", "refs/heads/mltrust-anchors"


@pytest.fixture
def git(mltrust):
    """Run git in a folder below the working one; nothing of the machine's configuration takes part."""
    environment = mltrust.environment(GIT_CONFIG_GLOBAL=os.devnull, GIT_CONFIG_NOSYSTEM="1")

    def run(folder, *arguments):
        command = ["git", "-C", mltrust.cwd / folder, "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, env=environment).stdout.strip()

    return run


@pytest.fixture
def released(mltrust, bare, git):
    """Seal the tiny model in a clone `work` of a bare `remote`, publish, push and commit it; a clone `ci` reads it."""
    git(".", "init", "--quiet", "--bare", "remote")
    git(".", "clone", "--quiet", "remote", "work")
    bare.rename(mltrust.cwd / "work/model")
    done = mltrust("seal", "work/model", "--anchor", "git-notes:work", "--push", "origin")
    assert done.code == 0, done.err
    git("work", "add", "model")
    git("work", "commit", "--quiet", "-m", "release")
    git("work", "push", "--quiet", "origin", "HEAD:refs/heads/main")
    git("remote", "symbolic-ref", "HEAD", "refs/heads/main")
    git(".", "clone", "--quiet", "remote", "ci")
    return next(word for word in done.err.split() if "+" in word)


def _oid(git):
    return git("work", "rev-parse", "HEAD:model/mltrust.seal.json")


def _check(mltrust, *options, folder="ci"):
    """Verify; return the exit code and the check of the notes."""
    done = mltrust("verify", f"{folder}/model", "--anchor", f"git-notes:{folder}", *options, "--format", "json")
    (check,) = [check for check in done.json()["checks"] if check["kind"] == "anchor"]
    return done.code, check


def test_a_release_is_verified_in_a_clone(mltrust, git, released):
    code, check = _check(mltrust)
    assert (code, check["state"], check["level"]) == (0, "verified", "anchors-branch")
    code, check = _check(mltrust, "--fetch", "origin")
    assert (code, check["state"], check["level"]) == (0, "verified", "fetched-notes")
    told = mltrust("verify", "ci/model", "--anchor", "git-notes:ci")
    assert told.out.startswith("VERIFIED")
    assert "its signer's clock" in told.out
    assert git("ci", "notes", "--ref=remotes/origin/mltrust", "show", "HEAD:model/mltrust.seal.json")


def test_the_seal_stays_as_it_was_committed(mltrust, git, released):
    before = (mltrust.cwd / "work/model/mltrust.seal.json").read_bytes()
    done = mltrust("anchor", "work/model/mltrust.seal.json", "--to", "git-notes:work", "--push", "origin")
    assert done.code == 0
    assert (mltrust.cwd / "work/model/mltrust.seal.json").read_bytes() == before
    assert git("work", "status", "--porcelain") == ""
    assert git("work", "rev-list", "--count", NOTES) == "1"


def test_another_machine_trusts_the_key_it_names(mltrust, released):
    stranger = mltrust.at(mltrust.cwd / "elsewhere")
    code, check = _check(stranger)
    assert (code, check["state"]) == (3, "unavailable")
    assert "--key" in check["hint"]
    assert _check(stranger, "--key", released)[0] == 0
    wrong = mltrust.at(mltrust.cwd / "third")
    (mltrust.cwd / "file").write_bytes(b"x")
    assert wrong("seal", "file").code == 0  # makes a key of its own
    code, check = _check(wrong)
    assert (code, check["state"]) == (1, "unknown-key")
    assert "mltrust ledger checkpoint --key" in check["hint"]


def test_settings_of_the_configuration_are_taken(mltrust, released):
    stranger = mltrust.at(mltrust.cwd / "elsewhere")
    stranger.home.mkdir()
    (stranger.home / "config.toml").write_text(
        f'[git-notes."{mltrust.cwd / "ci"}"]\nkeys = ["{released}"]\nfetch = "origin"\n'
    )
    code, check = _check(stranger)
    assert (code, check["level"]) == (0, "fetched-notes")
    (stranger.home / "config.toml").write_text(f'[git-notes."{mltrust.cwd / "ci"}"]\nkeys = 1\n')
    done = stranger("verify", "ci/model", "--anchor", "git-notes:ci")
    assert done.code == 2
    assert "keys" in done.err


def test_a_removed_record(mltrust, git, released):
    assert _check(mltrust, "--fetch", "origin")[0] == 0
    git("work", "notes", "--ref=mltrust", "remove", _oid(git))
    git("work", "push", "--quiet", "origin", NOTES, f"{NOTES}:{BRANCH}")
    git("ci", "fetch", "--quiet")
    for options in ((), ("--fetch", "origin")):
        code, check = _check(mltrust, *options)
        assert (code, check["outcome"], check["state"]) == (1, "fail", "removed")
        assert check["evidence"]


def test_a_replaced_record(mltrust, git, released):
    git("work", "notes", "--ref=mltrust", "remove", _oid(git))
    (mltrust.cwd / "work/model/config.json").write_text("{}")
    assert mltrust("seal", "work/model", "--anchor", "git-notes:work").code == 0
    git("work", "push", "--quiet", "origin", NOTES, f"{NOTES}:{BRANCH}")
    git("ci", "fetch", "--quiet")
    assert (_check(mltrust)[0], _check(mltrust)[1]["state"]) == (1, "replaced")


def test_a_seal_that_was_exchanged(mltrust, released):
    (mltrust.cwd / "ci/model/config.json").write_text("{}")
    assert mltrust("seal", "ci/model", "--no-anchor").code == 0
    code, check = _check(mltrust)
    assert (code, check["state"]) == (1, "replaced")


def test_notes_put_back(mltrust, git, released):
    first = git("work", "rev-parse", NOTES)
    (mltrust.cwd / "work/config.json").write_text("{}")
    assert mltrust("seal", "work/config.json", "--anchor", "git-notes:work", "--push", "origin").code == 0
    git("ci", "fetch", "--quiet")
    assert _check(mltrust)[0] == 0
    git("work", "push", "--quiet", "--force", "origin", f"{first}:{NOTES}", f"{first}:{BRANCH}")
    git("ci", "fetch", "--quiet")
    assert (_check(mltrust)[0], _check(mltrust)[1]["state"]) == (1, "rollback")
    assert first in mltrust("verify", "ci/model", "--anchor", "git-notes:ci").out


def test_a_deleted_ref(mltrust, git, released):
    assert _check(mltrust, folder="work")[0] == 0
    git("work", "update-ref", "-d", NOTES)
    code, check = _check(mltrust, folder="work")
    assert (code, check["state"]) == (1, "removed")


def test_what_is_not_here_is_unavailable_with_what_mends_it(mltrust, git, released):
    git("remote", "update-ref", "-d", BRANCH)
    git(".", "clone", "--quiet", "remote", "late")
    code, check = _check(mltrust, folder="late")
    assert (code, check["outcome"], check["state"]) == (3, "unchecked", "unavailable")
    command = check["hint"].partition(": ")[2]
    assert command == f"git fetch origin {NOTES}:{NOTES}"
    git("late", *shlex.split(command)[1:])
    assert _check(mltrust, folder="late")[0] == 0


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a folder away")
def test_a_checkout_of_another_user_is_unavailable(mltrust, released, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    for path in ("ci", "ci/.git"):
        os.chown(mltrust.cwd / path, 12345, 12345)
    code, check = _check(mltrust)
    assert (code, check["state"]) == (3, "unavailable")
    assert "safe.directory" in check["hint"]


def test_without_git_it_is_unavailable(mltrust, released, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path / "nothing"))
    code, check = _check(mltrust)
    assert (code, check["state"]) == (3, "unavailable")
    assert "Install git" in check["hint"]


def test_a_remote_that_is_none_is_a_mistake(mltrust, released):
    done = mltrust("verify", "ci/model", "--anchor", "git-notes:ci", "--fetch", "nowhere")
    assert done.code == 2
    assert "origin" in done.err


def test_it_can_be_one_of_several(mltrust, git, released):
    seal = "work/model/mltrust.seal.json"
    assert mltrust("anchor", seal, "--to", "ledger:led").code == 0
    assert mltrust("anchor", seal, "--to", "git-notes:work").code == 0  # the file has another id now
    assert git("work", "hash-object", "model/mltrust.seal.json") in git("work", "notes", "--ref=mltrust", "list")
    done = mltrust("verify", "work/model", "--anchor", "ledger:led", "--anchor", "git-notes:work")
    assert done.code == 0, done.out
