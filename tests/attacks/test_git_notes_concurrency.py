"""Many that publish at once, and some that are killed: no record is lost."""

import os
import random
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.usefixtures("unmeasured")

WORKER = """
import sys
from pathlib import Path
from mltrust.anchors.git_notes import GitNotesAnchor
from mltrust.core.digest import Digest
from mltrust.interfaces import Home, Submission

repository, home, who, count, push = sys.argv[1:]
settings = {"push": push} if push else {}
anchor = GitNotesAnchor.from_uri(f"git-notes:{repository}", Home(Path(home) / "data", Path(home) / "state"), settings)
for number in range(int(count)):
    digest = Digest.sha256(f"{who}/{number}".encode())
    (receipt,) = anchor.publish([Submission(digest, None, b"the same seal" if who.startswith("same") else None)])
    print(receipt.digest, flush=True)
"""


def _git(folder, *arguments):
    return subprocess.run(["git", "-C", folder, *arguments], check=True, capture_output=True, text=True).stdout


def _start(repository, home, who, count, push=""):
    command = [sys.executable, "-c", WORKER, *map(str, (repository, home, who, count, push))]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def _finish(processes):
    told = []
    for process in processes:
        out, err = process.communicate(timeout=240)
        assert process.returncode == 0, err
        told += out.split()
    return told


def _records(repository):
    notes = _git(repository, "notes", "--ref=mltrust", "list").splitlines()
    lines = [line for note in notes for line in _git(repository, "cat-file", "blob", note.split()[0]).splitlines()]
    return [line.split('"')[3] for line in lines]


def _has_removed_nothing(repository):
    """Whether every line that any commit of the notes had is in the last one."""
    patch = _git(repository, "log", "-m", "-p", "--unified=0", "--format=", "refs/notes/mltrust")
    added = {line[1:] for line in patch.splitlines() if line.startswith('+{"digest"')}
    return {line.split('"')[3] for line in added} == set(_records(repository))


@pytest.mark.parametrize("where", ["own", "same"])
def test_eight_that_publish_ten_each_lose_nothing(tmp_path, where):
    repository = tmp_path / "repository"
    subprocess.run(["git", "init", "--quiet", repository], check=True)
    _finish([_start(repository, tmp_path / "home", "first", 1)])  # makes the key
    told = _finish([_start(repository, tmp_path / "home", f"{where}{number}", 10) for number in range(8)])
    assert len(set(told)) == 80
    assert sorted(_records(repository)) == sorted([*told, _records_of("first/0")])
    assert _has_removed_nothing(repository)
    assert _git(repository, "fsck", "--strict", "--no-dangling") == ""


def _records_of(text):
    from mltrust.core.digest import Digest

    return str(Digest.sha256(text.encode()))


@pytest.mark.slow
def test_two_clones_of_eight_that_push_six_each_lose_nothing(tmp_path):
    remote = tmp_path / "remote"
    subprocess.run(["git", "init", "--quiet", "--bare", remote], check=True)
    _git(remote, "config", "receive.denyNonFastForwards", "true")
    hook = remote / "hooks/update"  # notes are not covered by that setting
    hook.write_text('#!/bin/sh\n[ "$2" = "$(printf %0${#2}d 0)" ] || git merge-base --is-ancestor "$2" "$3"\n')
    hook.chmod(0o755)
    clones = [tmp_path / "one", tmp_path / "two"]
    for clone in clones:
        subprocess.run(["git", "clone", "--quiet", remote, clone], check=True, capture_output=True)
        _finish([_start(clone, tmp_path / f"home-{clone.name}", f"first {clone.name}", 1)])
    told = _finish(
        [
            _start(clone, tmp_path / f"home-{clone.name}", f"{clone.name}{number}", 6, "origin")
            for clone in clones
            for number in range(8)
        ]
    )
    assert len(set(told)) == 96
    assert set(told) < set(_records(remote))
    assert len(_records(remote)) == 98
    assert _has_removed_nothing(remote)
    assert _git(remote, "rev-parse", "refs/notes/mltrust") == _git(remote, "rev-parse", "refs/heads/mltrust-anchors")


def test_plain_git_merges_our_notes_without_loss(tmp_path):
    clones = [tmp_path / "one", tmp_path / "two"]
    for clone in clones:
        subprocess.run(["git", "init", "--quiet", clone], check=True)
        _finish([_start(clone, tmp_path / f"home-{clone.name}", f"same {clone.name}", 5)])
    _git(clones[0], "fetch", "--quiet", clones[1], "refs/notes/mltrust:refs/notes/other")
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    _git(clones[0], *identity, "notes", "--ref=mltrust", "merge", "-s", "cat_sort_uniq", "other")
    assert len(set(_records(clones[0]))) == 10


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_killed_at_any_moment_it_loses_nothing_it_told(tmp_path):
    repository, remote, home = tmp_path / "repository", tmp_path / "remote", tmp_path / "home"
    subprocess.run(["git", "init", "--quiet", "--bare", remote], check=True)
    subprocess.run(["git", "clone", "--quiet", remote, repository], check=True, capture_output=True)
    _finish([_start(repository, home, "first", 1)])
    moments = random.Random(2026)
    told = []
    for number in range(8):
        process = _start(repository, home, f"killed{number}", 1000, "origin" if number % 2 else "")
        told.append(process.stdout.readline().strip())
        time.sleep(moments.uniform(0, 0.3))
        process.send_signal(signal.SIGKILL)
        out, _ = process.communicate(timeout=60)
        told += [line for line in out.split() if len(line) == 71]
        _wait_for_git(repository)
        lock = repository / ".git/refs/notes/mltrust.lock"
        lock.unlink(missing_ok=True)  # what the killed git may leave, and git's own message says to remove
    assert set(filter(None, told)) <= set(_records(repository))
    assert _git(repository, "fsck", "--strict", "--no-dangling") == ""
    _finish([_start(repository, home, "after", 1, "origin")])
    assert set(_records(repository)) == set(_records(remote))
    assert _has_removed_nothing(remote)


def _wait_for_git(repository):
    # The git that the killed one had started is not killed with it.
    for _ in range(100):
        found = [path for path in Path("/proc").glob("[0-9]*/cmdline") if _runs_in(path, repository)]
        if not found:
            return
        time.sleep(0.05)


def _runs_in(path, repository):
    try:
        return str(repository).encode() in path.read_bytes()
    except OSError:
        return False
