"""Attacks on git notes by whoever can push, edit the repository, or keep the notes away: each is called what it is."""

import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path

import pytest

from mltrust.anchors.git_notes import GitNotesAnchor
from mltrust.core.digest import Digest
from mltrust.core.report import AnchorState, Outcome
from mltrust.errors import AnchorError, ContradictionError
from mltrust.interfaces import Home, Submission

ONE, TWO, THREE = (Digest.sha256(text) for text in (b"one", b"two", b"three"))
NOTES, BRANCH = "refs/notes/mltrust", "refs/heads/mltrust-anchors"


@dataclass
class World:
    """A bare remote, a publisher's clone and a verifier's clone; git runs as a user who configured nothing."""

    root: Path

    def git(self, folder, *arguments, **options):
        command = ["git", "-C", self.root / folder, "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout.strip()

    def clone(self, name, *options):
        command = ["git", "clone", "--quiet", *options, f"file://{self.root / 'remote'}", self.root / name]
        subprocess.run(command, check=True, capture_output=True)

    def anchor(self, folder, user="me", **settings):
        home = Home(self.root / user / "data", self.root / user / "state")
        return GitNotesAnchor.from_uri(f"git-notes:{self.root / folder}", home, settings)

    def publish(self, folder, digest=ONE, path="mltrust.seal.json", content=b"one", user="me", **settings):
        submission = Submission(digest, self.root / folder / path, content)
        return self.anchor(folder, user, **settings).publish([submission])[0]

    def find(self, folder, digest=ONE, path="mltrust.seal.json", **settings):
        """Ask as `verify` does; return the first check."""
        anchor = self.anchor(folder, **settings)
        receipts = anchor.find(Submission(digest, self.root / folder / path))
        return next(anchor.confirm(receipt, digest) for receipt in receipts) if receipts else None

    def fetch(self, folder):
        self.git(folder, "fetch", "--quiet", "origin", f"+{NOTES}:{NOTES}")

    def vouches(self, folder, **settings):
        check = self.find(folder, **settings)
        return check is not None and check.outcome is Outcome.PASS

    def refused(self, folder, state, digest=ONE, **settings):
        with pytest.raises(ContradictionError) as caught:
            self.find(folder, digest, **settings)
        assert caught.value.state == state, caught.value
        assert caught.value.hint
        return caught.value

    def unavailable(self, folder, hint, **settings):
        with pytest.raises(AnchorError) as caught:
            self.find(folder, **settings)
        assert not isinstance(caught.value, ContradictionError), caught.value
        assert hint in caught.value.hint, caught.value.hint
        return caught.value


@dataclass
class Listener:
    said: list

    def tell(self, message):
        self.said.append(message)


@pytest.fixture
def world(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    world = World(tmp_path)
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "remote"], check=True)
    world.git("remote", "config", "uploadpack.allowFilter", "true")
    world.clone("publisher")
    (tmp_path / "publisher/mltrust.seal.json").write_bytes(b"one")
    world.git("publisher", "add", ".")
    world.git("publisher", "commit", "--quiet", "-m", "release")
    world.git("publisher", "push", "--quiet", "origin", "HEAD:main")
    world.git("remote", "symbolic-ref", "HEAD", "refs/heads/main")
    return world


@pytest.fixture
def published(world):
    """The record is at the remote, and a verifier fetched the notes and saw it there."""
    world.publish("publisher", push="origin")
    world.clone("verifier")
    world.fetch("verifier")
    assert world.vouches("verifier")
    return world


def _oid(world, content=b"one"):
    return world.git("publisher", "hash-object", "--stdin", input=content.decode())


# Records that are taken away


def test_a_record_removed_by_a_fast_forward_push(published):
    published.git("publisher", "notes", "--ref=mltrust", "remove", _oid(published))
    published.git("publisher", "push", "--quiet", "origin", NOTES)
    published.git("verifier", "fetch", "--quiet", "origin", f"{NOTES}:{NOTES}")  # no plus: it is a fast-forward
    error = published.refused("verifier", AnchorState.REMOVED)
    assert f'"{ONE}"' in error.evidence[0]
    published.refused("verifier", AnchorState.REMOVED, fetch="origin")
    shutil.rmtree(published.root / "me/state")  # somebody who never saw it reads it in the history
    published.refused("verifier", AnchorState.REMOVED)


def test_a_record_replaced_by_a_fast_forward_push(published):
    published.git("publisher", "notes", "--ref=mltrust", "remove", _oid(published))
    published.publish("publisher", TWO, content=b"two")
    published.git("publisher", "push", "--quiet", "origin", NOTES)
    published.fetch("verifier")
    error = published.refused("verifier", AnchorState.REPLACED)
    assert [str(ONE) in error.evidence[0], str(TWO) in error.evidence[1]] == [True, True]
    assert published.find("verifier", TWO).outcome is Outcome.PASS
    assert "1 other record removed" in published.find("verifier", TWO).summary


def test_a_record_replaced_beside_the_same_object(published):
    other = published.publish("publisher", TWO, path="elsewhere.seal.json", content=b"two")
    line = other.evidence["record"] + "\n"
    blob = published.git("publisher", "hash-object", "-w", "--stdin", input=line)
    published.git("publisher", "notes", "--ref=mltrust", "add", "-f", "-C", blob, _oid(published))
    published.refused("publisher", AnchorState.REPLACED)


def test_a_record_whose_path_has_another_seal(published):
    error = published.refused("verifier", AnchorState.REPLACED, THREE)
    assert "publish it" in error.hint
    assert published.find("verifier", THREE, path="other.seal.json") is None


def test_notes_that_were_force_pushed_back(published):
    first = published.git("remote", "rev-parse", NOTES)
    published.publish("publisher", TWO, path="two.seal.json", content=b"two", push="origin")
    published.fetch("verifier")
    assert published.find("verifier", TWO).outcome is Outcome.PASS
    second = published.git("remote", "rev-parse", NOTES)
    published.git("publisher", "push", "--quiet", "--force", "origin", f"{first}:{NOTES}", f"{first}:{BRANCH}")
    published.git("verifier", "fetch", "--quiet", "origin", f"+{NOTES}:{NOTES}")
    for digest in (ONE, TWO):
        error = published.refused("verifier", AnchorState.ROLLBACK, digest)
        assert first in str(error)
        assert second in str(error)
    published.git("verifier", "update-ref", NOTES, second)  # as the hint says
    assert published.find("verifier", TWO).outcome is Outcome.PASS


def test_a_rollback_is_seen_by_fetching_too(published):
    first = published.git("remote", "rev-parse", NOTES)
    published.publish("publisher", TWO, path="two.seal.json", content=b"two", push="origin")
    assert published.find("verifier", TWO, fetch="origin").level == "fetched-notes"
    published.git("remote", "update-ref", NOTES, first)
    error = published.refused("verifier", AnchorState.ROLLBACK, fetch="origin")
    assert first in str(error)
    shutil.rmtree(published.root / "me/state")  # what git kept of the remote is memory enough
    published.refused("verifier", AnchorState.ROLLBACK, fetch="origin")


def test_a_branch_that_was_force_pushed_back(published):
    first = published.git("remote", "rev-parse", BRANCH)
    published.publish("publisher", TWO, path="two.seal.json", content=b"two", push="origin")
    published.clone("ci")
    assert published.find("ci", TWO).level == "anchors-branch"
    published.git("remote", "update-ref", BRANCH, first)
    published.git("ci", "fetch", "--quiet", "origin")
    published.refused("ci", AnchorState.ROLLBACK, TWO)


def test_notes_that_began_anew(published):
    published.git("remote", "update-ref", "-d", NOTES)
    published.git("remote", "update-ref", "-d", BRANCH)
    published.clone("impostor")
    published.publish("impostor", TWO, content=b"two")
    published.git("impostor", "push", "--quiet", "origin", NOTES)
    published.fetch("verifier")
    published.refused("verifier", AnchorState.ROLLBACK)
    published.refused("verifier", AnchorState.REMOVED, fetch="origin")  # nor has it the branch


def test_a_ref_that_is_gone(published):
    published.git("verifier", "update-ref", "-d", NOTES)
    error = published.refused("verifier", AnchorState.REMOVED)
    assert "update-ref" in error.hint


def test_a_ref_that_is_gone_at_the_remote(published):
    assert published.vouches("verifier", fetch="origin")
    published.git("remote", "update-ref", "-d", NOTES)
    error = published.refused("verifier", AnchorState.REMOVED, fetch="origin")
    subprocess.run(error.hint.partition(": ")[2], shell=True, check=True, cwd=published.root / "verifier")
    assert published.vouches("verifier", fetch="origin")


def test_publishing_puts_a_removed_record_back(published):
    (receipt,) = published.anchor("verifier").find(Submission(ONE))
    published.git("publisher", "notes", "--ref=mltrust", "remove", _oid(published))
    published.refused("publisher", AnchorState.REMOVED)
    assert published.publish("publisher") == receipt
    assert published.vouches("publisher")


def test_pushing_never_merges_a_removal(published):
    published.publish("publisher", TWO, path="two.seal.json", content=b"two", push="origin")
    published.fetch("verifier")
    published.git("verifier", "notes", "--ref=mltrust", "remove", _oid(published))
    published.git("verifier", "push", "--quiet", "origin", NOTES, f"{NOTES}:{BRANCH}")
    with pytest.raises(ContradictionError) as caught:
        published.publish("publisher", THREE, path="three.seal.json", content=b"three", push="origin")
    assert caught.value.state == AnchorState.REMOVED
    assert str(ONE) in str(caught.value)
    notes = published.git("publisher", "grep", "-h", "digest", NOTES)
    assert all(str(digest) in notes for digest in (ONE, TWO, THREE))  # nothing was lost here
    assert "origin" in str(published.refused("publisher", AnchorState.REMOVED))
    assert str(ONE) not in published.git("remote", "grep", "-h", "digest", NOTES)  # nor was anything pushed
    published.publish("publisher", push="origin")  # the removed one is put back
    published.publish("publisher", THREE, path="three.seal.json", content=b"three", push="origin")
    published.clone("fresh")
    assert all(published.find("fresh", digest).outcome is Outcome.PASS for digest in (ONE, TWO, THREE))


def test_a_removal_beside_what_is_published_is_not_merged_either(published):
    """Two keys that count vouch for one seal; both records are removed, and one signer publishes again."""
    them = published.anchor("publisher", "them", push="origin")
    submission = Submission(ONE, published.root / "publisher/mltrust.seal.json", b"one")
    them.publish([submission])
    said = []
    for user in ("me", "them"):
        anchor = published.anchor("publisher", user)
        anchor._home = replace(anchor._home, dialogue=Listener(said))
        anchor.publish([submission])
    keys = [words.split()[-1] for words in said if "signed by" in words]
    published.fetch("verifier")
    published.git("verifier", "notes", "--ref=mltrust", "remove", _oid(published))
    published.git("verifier", "push", "--quiet", "origin", NOTES, f"{NOTES}:{BRANCH}")
    published.anchor("publisher", push="origin", keys=keys).publish([submission])
    notes = published.git("remote", "grep", "-h", "digest", NOTES).splitlines()
    assert len([line for line in notes if str(ONE) in line]) == 2
    published.clone("fresh")
    assert published.find("fresh", keys=keys).outcome is Outcome.PASS


def test_pushing_does_not_follow_a_rollback(published):
    first = published.git("remote", "rev-parse", NOTES)
    published.publish("publisher", TWO, path="two.seal.json", content=b"two", push="origin")
    published.git("remote", "update-ref", NOTES, first)
    published.git("remote", "update-ref", BRANCH, first)
    published.publish("publisher", THREE, path="three.seal.json", content=b"three", push="origin")
    assert published.git("remote", "rev-parse", NOTES) == published.git("publisher", "rev-parse", NOTES)
    assert published.find("publisher", TWO, fetch="origin").outcome is Outcome.PASS


# Records that do not count


def test_a_record_of_a_stranger(published):
    published.anchor("verifier", "stranger").publish([Submission(THREE, published.root / "three", b"three")])
    check = published.find("verifier", THREE, path="three.seal.json")
    assert (check.outcome, check.state) == (Outcome.UNCHECKED, AnchorState.UNKNOWN_KEY)
    assert published.vouches("verifier")


def test_a_record_with_a_false_signature(published):
    (receipt,) = published.anchor("verifier").find(Submission(ONE))
    forged = receipt.evidence["record"].replace(str(ONE), str(THREE))
    blob = published.git("verifier", "hash-object", "-w", "--stdin", input=forged)
    published.git("verifier", "notes", "--ref=mltrust", "add", "-f", "-C", blob, "4" * 40)
    check = published.find("verifier", THREE, path="three.seal.json")
    assert (check.outcome, check.state) == (Outcome.FAIL, AnchorState.UNSIGNED)


@pytest.mark.parametrize(
    "junk", [b"\0\xff", b"x" * 100_000, b'{"digest":"' + b"[" * 5000, b"\n\n\r\n", b"\xe2\x80\xa8"]
)
def test_junk_beside_a_record_changes_nothing(published, junk):
    (receipt,) = published.anchor("verifier").find(Submission(ONE))
    record = receipt.evidence["record"].encode()
    noise = [junk, record[:-1], record + b" ", record.replace(b"git-note/1", b"git-note/2"), record * 2]
    note = published.root / "note"
    note.write_bytes(b"\n".join([*noise, record]))
    blob = published.git("verifier", "hash-object", "-w", note)
    published.git("verifier", "notes", "--ref=mltrust", "add", "-f", "-C", blob, _oid(published))
    assert published.vouches("verifier")
    published.publish("verifier", TWO, path="two.seal.json", content=b"one")
    assert published.vouches("verifier")
    assert published.find("verifier", TWO).outcome is Outcome.PASS


def test_a_stranger_may_take_his_record_away(published):
    stranger = published.anchor("verifier", "stranger")
    stranger.publish([Submission(THREE, None, b"three")])
    published.git("verifier", "notes", "--ref=mltrust", "remove", _oid(published, b"three"))
    assert published.find("verifier", THREE, path="three.seal.json") is None
    with pytest.raises(ContradictionError):
        stranger.find(Submission(THREE))


def test_a_damaged_memory_is_no_clean_slate(published):
    folder = published.root / "me/state/git-notes"
    file = folder / sha256(os.fsencode(published.root / "verifier/.git")).hexdigest()
    assert json.loads(file.read_text())["tips"][NOTES] == published.git("verifier", "rev-parse", NOTES)
    for damaged in ("", "{}", file.read_text().replace("memory/1", "memory/2"), file.read_text() + " x", "\xff"):
        file.write_text(damaged)
        published.unavailable("verifier", "Restore it from a backup")


# Notes that are not here


def test_notes_that_were_not_fetched(world):
    world.publish("publisher")
    world.git("publisher", "push", "--quiet", "origin", NOTES)  # the branch was not pushed
    world.clone("verifier")
    error = world.unavailable("verifier", f"git fetch origin {NOTES}:{NOTES}")
    subprocess.run(error.hint.partition(": ")[2], shell=True, check=True, cwd=world.root / "verifier")
    assert world.vouches("verifier")


def test_a_remote_without_notes(world):
    world.anchor("publisher").publish([Submission(TWO)])
    world.clone("verifier")
    world.unavailable("verifier", "git push REMOTE", fetch="origin")


def test_a_shallow_clone(published):
    published.publish("publisher", TWO, path="two.seal.json", content=b"two", push="origin")
    published.clone("shallow", "--depth=1", "--no-single-branch")
    error = published.unavailable("shallow", "--unshallow origin")
    subprocess.run(error.hint.partition(": ")[2], shell=True, check=True, cwd=published.root / "shallow")
    assert published.vouches("shallow")
    assert published.vouches("shallow", fetch="origin")


def test_shallow_notes(published):
    published.publish("publisher", TWO, path="two.seal.json", content=b"two", push="origin")
    published.clone("shallow", "--depth=1")
    published.git("shallow", "fetch", "--quiet", "--depth=1", "origin", f"{NOTES}:{NOTES}")
    error = published.unavailable("shallow", "--unshallow origin")
    subprocess.run(error.hint.partition(": ")[2], shell=True, check=True, cwd=published.root / "shallow")
    assert published.vouches("shallow")


def test_a_shallow_clone_with_all_notes_is_enough(published):
    published.publish("publisher", TWO, path="two.seal.json", content=b"two", push="origin")
    published.git("publisher", "commit", "--allow-empty", "--quiet", "-m", "more")
    published.git("publisher", "push", "--quiet", "origin", "HEAD:main")
    published.clone("shallow", "--depth=1")
    published.git("shallow", "fetch", "--quiet", "origin", f"{NOTES}:{NOTES}")
    assert published.git("shallow", "rev-parse", "--is-shallow-repository") == "true"
    assert published.vouches("shallow")


def test_a_shallow_clone_may_fetch_all_notes(published):
    published.publish("publisher", TWO, path="two.seal.json", content=b"two", push="origin")
    published.clone("shallow", "--depth=1")
    assert published.vouches("shallow", fetch="origin")
    assert published.git("shallow", "rev-list", "--count", "HEAD") == "1"


def test_a_partial_clone(published):
    published.clone("partial", "--filter=blob:none")
    error = published.unavailable("partial", "--refetch")
    command = error.hint.partition(": ")[2].partition(". If")[0]
    subprocess.run(command, shell=True, check=True, cwd=published.root / "partial")
    assert published.vouches("partial")


def test_a_damaged_repository(published):
    published.git("verifier", "remote", "remove", "origin")
    note = published.git("verifier", "rev-parse", f"{NOTES}:{_oid(published)}")
    objects = published.root / "verifier/.git/objects"
    for pack in [*objects.glob("pack/*.pack")]:
        with pack.rename(published.root / "a.pack").open("rb") as opened:
            published.git("verifier", "unpack-objects", "-q", stdin=opened)
    path = objects / note[:2] / note[2:]
    path.chmod(0o600)
    kept = path.read_bytes()
    path.write_bytes(kept[:-4])
    published.unavailable("verifier", "git fsck")
    path.write_bytes(kept)
    assert published.vouches("verifier")
    path.unlink()
    published.unavailable("verifier", "git fsck")


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can give a folder away")
def test_a_repository_of_another_user(published):
    for path in (published.root / "verifier", published.root / "verifier/.git"):
        os.chown(path, 12345, 12345)
    error = published.unavailable("verifier", "git config --global --add safe.directory")
    assert str(published.root / "verifier") in error.hint
    with pytest.raises(AnchorError, match="belongs to another user"):
        published.publish("verifier")


def test_no_git(published, monkeypatch, tmp_path):
    # In a process of its own, because GitPython looks for git when it is imported.
    code = (
        "import sys; from pathlib import Path; from mltrust.anchors.git_notes import GitNotesAnchor\n"
        "from mltrust.core.digest import Digest; from mltrust.errors import *\n"
        "from mltrust.interfaces import Home, Submission\n"
        "home = Home(Path(sys.argv[2]) / 'data', Path(sys.argv[2]) / 'state')\n"
        "anchor = GitNotesAnchor(Path(sys.argv[1]), home)\n"
        "for ask in (lambda: anchor.find(Submission(Digest.sha256(b'one'))), lambda: anchor.publish([Submission("
        "Digest.sha256(b'one'))])):\n"
        "    try: ask()\n"
        "    except ContradictionError: raise\n"
        "    except AnchorError as error: print(error, error.hint)\n"
    )
    arguments = [sys.executable, "-c", code, published.root / "verifier", published.root / "me"]
    environment = {**os.environ, "PATH": str(tmp_path / "nothing"), "GIT_PYTHON_REFRESH": ""}
    done = subprocess.run(arguments, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("git is not installed") == 2
    assert "Install git" in done.stdout


@pytest.mark.parametrize("what", ["nothing", "a file", "no repository"])
def test_no_repository(published, what, tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path))
    if what == "a file":
        (tmp_path / "x").write_text("")
    elif what == "no repository":
        (tmp_path / "x").mkdir()
    published.unavailable("x", "git init" if what == "no repository" else "Is the path right?")
