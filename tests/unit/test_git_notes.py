"""Git notes as an anchor: what it writes, where, for whom, and what survives."""

import json
import os
import subprocess
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from mltrust.anchors.git_notes import GitNotesAnchor
from mltrust.core.digest import Digest
from mltrust.core.note import VerifierKey
from mltrust.core.report import AnchorState, Outcome
from mltrust.errors import AnchorError, ContradictionError, UsageError
from mltrust.interfaces import Home, Submission

ONE, TWO = Digest.sha256(b"one"), Digest.sha256(b"two")
SEAL = b'{"a seal": 1}\n'
NOTES, BRANCH = "refs/notes/mltrust", "refs/heads/mltrust-anchors"


class Said(list):
    """A dialogue that remembers what it was told, and knows one password."""

    tell = list.append

    def secret(self, prompt):
        self.append(prompt)
        return "open sesame"

    def agree(self, question):
        raise AssertionError(question)


@dataclass
class World:
    """A folder with repositories, and a user."""

    root: Path
    said: Said

    def git(self, folder, *arguments, **options):
        command = ["git", "-C", self.root / folder, "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        done = subprocess.run(command, check=True, capture_output=True, text=True, **options)
        return done.stdout.strip()

    def init(self, name, *options):
        subprocess.run(["git", "init", "--quiet", *options, self.root / name], check=True)
        return self.root / name

    def clone(self, source, name, *options):
        command = ["git", "clone", "--quiet", *options, self.root / source, self.root / name]
        subprocess.run(command, check=True, capture_output=True)
        return self.root / name

    def home(self, user="me"):
        return Home(self.root / user / "data", self.root / user / "state", self.said)

    def anchor(self, folder, user="me", **settings):
        return GitNotesAnchor.from_uri(f"git-notes:{self.root / folder}", self.home(user), settings)

    def seal(self, folder, path="model/mltrust.seal.json", content=SEAL, digest=ONE):
        """Write and commit a seal; return what an anchor is asked to publish."""
        file = self.root / folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
        self.git(folder, "add", path)
        self.git(folder, "commit", "--quiet", "-m", "release")
        return Submission(digest, file, content)

    def key_of(self, anchor):
        anchor.publish([Submission(Digest.sha256(b"to learn the key"))])
        return next(words.split()[-1] for words in self.said if "signed by" in words)

    def check(self, anchor, submission):
        """Ask as `verify` does: without the content."""
        (receipt,) = anchor.find(Submission(submission.digest, submission.path))
        return anchor.confirm(receipt, submission.digest)


@pytest.fixture
def world(tmp_path):
    return World(tmp_path, Said())


@pytest.fixture
def repository(world):
    return world.init("repository")


# Where a record stands


def test_the_note_is_on_the_blob_of_the_seal(world, repository):
    submission = world.seal("repository")
    (receipt,) = world.anchor("repository").publish([submission])
    oid = world.git("repository", "hash-object", "model/mltrust.seal.json")
    for target in (oid, "HEAD:model/mltrust.seal.json"):
        assert world.git("repository", "notes", "--ref=mltrust", "show", target) == receipt.evidence["record"]
    record = json.loads(receipt.evidence["record"])
    assert record["digest"] == receipt.digest == str(ONE)
    assert record["path"] == "model/mltrust.seal.json"
    assert record["time"] == receipt.time.not_after


def test_without_content_the_note_is_on_the_digest(world, repository):
    world.anchor("repository").publish([Submission(ONE)])
    oid = world.git("repository", "hash-object", "--stdin", input=f"{ONE}\n")
    assert f'"{ONE}"' in world.git("repository", "notes", "--ref=mltrust", "show", oid)
    assert world.git("repository", "cat-file", "-p", oid) == str(ONE)


def test_a_seal_that_is_not_committed_survives_pruning_of_notes(world, repository):
    file = repository / "mltrust.seal.json"
    anchor = world.anchor("repository")
    anchor.publish([Submission(ONE, file, SEAL)])
    world.git("repository", "notes", "--ref=mltrust", "prune")
    assert world.check(anchor, Submission(ONE, file)).outcome is Outcome.PASS


@pytest.mark.parametrize("named", ["repository", "repository/model", "repository/.git", "linked", "linked/model"])
def test_any_folder_of_a_repository_names_it(world, repository, named):
    submission = world.seal("repository")
    world.git("repository", "worktree", "add", "--quiet", "../linked")
    anchor = world.anchor(named)
    anchor.publish([submission])
    assert world.check(world.anchor("repository"), submission).outcome is Outcome.PASS
    assert world.git("repository", "notes", "--ref=mltrust", "show", "HEAD:model/mltrust.seal.json")


def test_the_path_counts_from_the_top_of_the_work_tree(world, repository, monkeypatch):
    submission = world.seal("repository")
    world.git("repository", "worktree", "add", "--quiet", "../linked")
    (world.root / "link").symlink_to(repository)
    for folder, path, expected in [
        ("repository/model", submission.path, "model/mltrust.seal.json"),
        ("linked", world.root / "linked/model/mltrust.seal.json", "model/mltrust.seal.json"),
        ("link", world.root / "link/model/mltrust.seal.json", "model/mltrust.seal.json"),
        ("repository", world.root / "elsewhere.seal.json", None),
        ("repository/.git", submission.path, None),
    ]:
        (receipt,) = world.anchor(folder).publish([Submission(ONE, path, SEAL)])
        assert json.loads(receipt.evidence["record"])["path"] == expected
    monkeypatch.chdir(repository / "model")
    (receipt,) = world.anchor("repository").publish([Submission(TWO, Path("mltrust.seal.json"), SEAL)])
    assert json.loads(receipt.evidence["record"])["path"] == "model/mltrust.seal.json"


def test_a_bare_repository_knows_no_path(world, repository):
    submission = world.seal("repository")
    world.clone("repository", "bare", "--bare")
    (receipt,) = world.anchor("bare").publish([submission])
    assert json.loads(receipt.evidence["record"])["path"] is None
    assert world.git("bare", "notes", "--ref=mltrust", "show", "HEAD:model/mltrust.seal.json")


@pytest.mark.parametrize("form", ["sha1", "sha256"])
def test_it_survives_whatever_happens_to_the_commit(world, form):
    world.init("repository", f"--object-format={form}")
    world.seal("repository", "first", b"x")
    submission = world.seal("repository")
    anchor = world.anchor("repository")
    anchor.publish([submission])
    world.git("repository", "commit", "--quiet", "--amend", "-m", "amended")
    assert world.check(anchor, submission).outcome is Outcome.PASS
    world.seal("repository", "more", b"y")
    world.git("repository", "reset", "--quiet", "--soft", "HEAD~2")
    world.git("repository", "commit", "--quiet", "-m", "squashed")
    world.git("repository", "branch", "side", "HEAD~1")
    world.git("repository", "checkout", "--quiet", "side")
    world.seal("repository", "other", b"z")
    world.git("repository", "checkout", "--quiet", "-")
    world.git("repository", "rebase", "--quiet", "side")
    filtering = ["filter-branch", "-f", "--msg-filter", "sed s/squashed/filtered/"]
    world.git("repository", *filtering, env={**os.environ, "FILTER_BRANCH_SQUELCH_WARNING": "1"})
    world.git("repository", "reflog", "expire", "--expire=now", "--all")
    world.git("repository", "gc", "--quiet", "--prune=now")
    assert world.git("repository", "log", "-1", "--format=%s") == "filtered"
    assert world.check(world.anchor("repository"), submission).outcome is Outcome.PASS
    assert world.git("repository", "notes", "--ref=mltrust", "show", "HEAD:model/mltrust.seal.json")


# Publishing


def test_publishing_again_writes_nothing(world, repository):
    submission = world.seal("repository")
    (receipt,) = world.anchor("repository").publish([submission])
    tip = world.git("repository", "rev-parse", NOTES)
    assert list(world.anchor("repository").publish([submission])) == [receipt]
    assert world.git("repository", "rev-parse", NOTES) == tip


def test_the_record_follows_a_seal_that_got_another_receipt(world, repository):
    submission = world.seal("repository")
    (receipt,) = world.anchor("repository").publish([submission])
    changed = world.seal("repository", content=SEAL + b" ")
    assert list(world.anchor("repository").publish([changed])) == [receipt]
    shown = world.git("repository", "notes", "--ref=mltrust", "show", "HEAD:model/mltrust.seal.json")
    assert shown == receipt.evidence["record"]


@pytest.mark.usefixtures("unmeasured")
def test_a_large_batch_is_one_commit(world, repository):
    submissions = [Submission(Digest.sha256(b"%d" % number)) for number in range(150)]
    anchor = world.anchor("repository")
    receipts = anchor.publish(submissions)
    assert world.git("repository", "rev-list", "--count", NOTES) == "1"
    for receipt, submission in zip(receipts, submissions, strict=True):
        assert anchor.confirm(receipt, submission.digest).outcome is Outcome.PASS


def test_two_keys_for_one_digest_are_two_records(world, repository):
    submission = world.seal("repository")
    mine, theirs = world.anchor("repository"), world.anchor("repository", "them")
    mine.publish([submission])
    theirs.publish([submission])
    shown = world.git("repository", "notes", "--ref=mltrust", "show", "HEAD:model/mltrust.seal.json")
    assert len(shown.splitlines()) == 2
    for anchor in (mine, theirs):
        assert world.check(anchor, submission).outcome is Outcome.PASS


def test_it_needs_no_identity_and_reveals_none(world, repository, monkeypatch):
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", os.devnull)
    monkeypatch.setenv("GIT_AUTHOR_NAME", "Ada")
    monkeypatch.setenv("GIT_COMMITTER_EMAIL", "ada@example.com")
    subprocess.run(["git", "-C", repository, "config", "user.useConfigOnly", "true"], check=True)
    world.anchor("repository").publish([Submission(ONE)])
    who = world.git("repository", "log", "-1", "--format=%an %ae %cn %ce", NOTES)
    assert who == "mltrust mltrust@localhost mltrust mltrust@localhost"
    assert "ada" not in world.git("repository", "log", "-g", "--format=%ge", NOTES)


def test_variables_of_a_hook_do_not_lead_elsewhere(world, repository, monkeypatch):
    other = world.init("other")
    for name in ("GIT_DIR", "GIT_COMMON_DIR"):
        monkeypatch.setenv(name, str(other / ".git"))
    monkeypatch.setenv("GIT_WORK_TREE", str(other))
    monkeypatch.setenv("GIT_OBJECT_DIRECTORY", str(other / ".git/objects"))
    monkeypatch.setenv("GIT_INDEX_FILE", str(other / ".git/index"))
    world.anchor("repository").publish([Submission(ONE)])
    monkeypatch.undo()
    assert world.git("repository", "for-each-ref", "--format=%(refname)") == NOTES
    assert world.git("other", "for-each-ref") == ""


def test_it_tells_the_key_and_the_command_that_publishes(world, repository):
    world.init("remote", "--bare")
    world.git("repository", "remote", "add", "up", world.root / "remote")
    anchor = world.anchor("repository")
    anchor.publish([Submission(ONE)])
    key, command = (words.split(": ", 1)[1] for words in world.said)
    assert VerifierKey.parse(key.split()[-1], "key").name.startswith("mltrust.local/")
    subprocess.run(command.split(": ", 1)[1], shell=True, check=True, capture_output=True)
    assert world.git("remote", "rev-parse", NOTES) == world.git("remote", "rev-parse", BRANCH)
    world.said.clear()
    world.anchor("repository", push="up").publish([Submission(ONE)])
    assert len(world.said) == 1  # the key alone
    assert key in world.said[0]


def test_times_are_the_clocks(world, repository):
    moment = datetime(2026, 11, 22, 10, 0, 0, 999, tzinfo=UTC)
    (receipt,) = GitNotesAnchor(repository, world.home(), clock=lambda: moment).publish([Submission(ONE)])
    assert receipt.time.not_after == "2026-11-22T10:00:00Z"
    assert world.git("repository", "log", "-1", "--format=%aI", NOTES) == "2026-11-22T10:00:00+00:00"


# Keys


def _pem(path, key, password=None, mode=0o600):
    how = NoEncryption() if password is None else BestAvailableEncryption(password)
    path.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how))
    path.chmod(mode)
    return str(path)


def test_a_key_in_a_file_signs_under_its_own_name(world, repository):
    file = _pem(world.root / "key.pem", ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32)))
    anchor = world.anchor("repository", key=file)
    key = world.key_of(anchor)
    assert key.startswith("mltrust.key/")
    assert world.check(anchor, Submission(Digest.sha256(b"to learn the key"))).outcome is Outcome.PASS
    assert world.key_of(world.anchor("repository", "them", key=file)) == key
    assert not (world.root / "me/data").exists()  # no key was made that is not used


def test_an_encrypted_key_asks_for_its_password_once(world, repository):
    file = _pem(world.root / "key.pem", ed25519.Ed25519PrivateKey.generate(), b"open sesame")
    anchor = world.anchor("repository", key=file)
    (receipt,) = anchor.publish([Submission(ONE)])
    assert anchor.confirm(receipt, ONE).outcome is Outcome.PASS
    assert [words for words in world.said if "password" in words] == [f"the password of {file}"]
    wrong = _pem(world.root / "wrong.pem", ed25519.Ed25519PrivateKey.generate(), b"another")
    with pytest.raises(UsageError, match="password is wrong"):
        world.anchor("repository", key=wrong).publish([Submission(ONE)])


@pytest.mark.skipif(os.name == "nt", reason="modes are not checked there")
def test_a_key_others_can_read_is_refused(world, repository):
    file = _pem(world.root / "key.pem", ed25519.Ed25519PrivateKey.generate(), mode=0o640)
    with pytest.raises(UsageError, match="others can read"):
        world.anchor("repository", key=file).publish([Submission(ONE)])


@pytest.mark.parametrize("what", ["missing", "folder", "text", "damaged", "another kind"])
def test_a_key_that_is_none_is_refused(world, repository, what):
    file = world.root / "key.pem"
    if what == "folder":
        file.mkdir()
    elif what == "another kind":
        _pem(file, x25519.X25519PrivateKey.generate())
    elif what != "missing":
        file.write_text("x" if what == "text" else "-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n")
        file.chmod(0o600)
    with pytest.raises(UsageError) as caught:
        world.anchor("repository", key=str(file)).publish([Submission(ONE)])
    assert "Ed25519" in caught.value.hint


def test_who_is_trusted_is_said_by_the_caller(world, repository):
    submission = world.seal("repository")
    mine = world.anchor("repository")
    mine.publish([submission])
    key = world.key_of(mine)
    for keys in (key, [key]):
        assert world.check(world.anchor("repository", "them", keys=keys), submission).outcome is Outcome.PASS
    theirs = world.anchor("repository", "them")
    with pytest.raises(AnchorError, match="nobody said whose records count"):
        theirs.find(submission)
    theirs.publish([Submission(TWO)])
    check = world.check(theirs, submission)
    assert (check.outcome, check.state) == (Outcome.UNCHECKED, AnchorState.UNKNOWN_KEY)


def test_a_signer_who_is_not_trusted_is_told(world, repository):
    key = world.key_of(world.anchor("repository"))
    world.anchor("repository", "them", keys=[key]).publish([Submission(ONE)])
    assert any("not among the keys" in words for words in world.said)


@pytest.mark.parametrize(
    "settings",
    [
        {"key": 1},
        {"key": ""},
        {"keys": []},
        {"keys": 1},
        {"keys": [1]},
        {"keys": ["x"]},
        {"keys": "PEM"},
        {"push": True},
        {"push": ""},
        {"fetch": ["origin"]},
        {"fetch": "\0"},
    ],
)
def test_settings_that_make_no_sense_are_refused(world, settings):
    with pytest.raises(UsageError, match=next(iter(settings))):
        world.anchor("repository", **settings)


@pytest.mark.parametrize("uri", ["git-notes:", "git-notes", "ledger:x", "git-notes:a\0b"])
def test_a_uri_that_names_nothing_is_refused(world, uri):
    with pytest.raises(UsageError):
        GitNotesAnchor.from_uri(uri, world.home(), {})


def test_another_digest_than_sha256_is_refused(world, repository):
    with pytest.raises(UsageError):
        world.anchor("repository").publish([Submission(Digest("md5", b"x"))])


# Remotes


@pytest.fixture
def pair(world):
    """Two clones of one bare repository."""
    world.init("remote", "--bare")
    world.clone("remote", "one")
    world.clone("remote", "two")
    return world


@pytest.mark.parametrize("setting", ["push", "fetch"])
@pytest.mark.parametrize("name", ["nowhere", "--upload-pack=touch pwned", "-x", "../remote"])
def test_only_a_remote_of_the_repository_is_talked_to(pair, setting, name):
    anchor = pair.anchor("one")
    anchor.publish([Submission(ONE)])
    talking = pair.anchor("one", **{setting: name})
    with pytest.raises(UsageError, match="is no remote"):
        talking.publish([Submission(TWO)]) if setting == "push" else talking.find(Submission(ONE))


@pytest.mark.parametrize("name", ["team/origin", "mltrust", "mltrust/mltrust", "notes", "remotes/x", "a/b/c"])
def test_a_remote_may_have_any_name(pair, name):
    """One with a slash, and such as could be in the way of the notes."""
    for clone in ("one", "two"):
        pair.git(clone, "remote", "rename", "origin", name)
    submissions = [Submission(Digest.sha256(b"%d" % number)) for number in range(4)]
    for number, submission in enumerate(submissions):  # in turn: each has to merge what the other pushed
        pair.anchor("one" if number % 2 else "two", push=name).publish([submission])
    fetching = pair.anchor("one", fetch=name)
    assert [pair.check(fetching, each).level for each in submissions] == ["fetched-notes"] * 4
    tip = pair.git("remote", "rev-parse", NOTES)
    pair.git("remote", "update-ref", NOTES, f"{tip}~1")
    with pytest.raises(ContradictionError) as caught:
        pair.anchor("one", fetch=name).find(submissions[0])
    assert caught.value.state is AnchorState.ROLLBACK
    pair.git("remote", "update-ref", "-d", NOTES)
    with pytest.raises(ContradictionError) as caught:
        pair.anchor("one", fetch=name).find(submissions[0])
    assert caught.value.state is AnchorState.REMOVED


def test_the_branch_of_a_remote_with_a_slash_is_read(pair):
    pair.anchor("one", push="origin").publish([Submission(ONE)])
    pair.git("two", "remote", "rename", "origin", "team/origin")
    pair.git("two", "fetch", "--quiet", "team/origin")
    assert pair.check(pair.anchor("two"), Submission(ONE)).level == "anchors-branch"


def test_a_branch_of_a_like_name_is_no_place(pair):
    pair.anchor("one", push="origin").publish([Submission(ONE)])
    pair.git("two", "fetch", "--quiet", "origin")
    tip = pair.git("two", "rev-parse", "origin/mltrust-anchors")
    pair.git("two", "update-ref", "refs/remotes/origin/feature/mltrust-anchors", tip)
    pair.git("two", "update-ref", "-d", "refs/remotes/origin/mltrust-anchors")
    pair.anchor("two", "them").publish([Submission(TWO)])  # so that there are notes at all
    assert pair.anchor("two").find(Submission(ONE)) == ()


def test_a_remote_whose_name_no_ref_can_have_is_refused(pair):
    pair.git("one", "config", "remote.a..b.url", str(pair.root / "remote"))
    with pytest.raises(UsageError, match="no ref can have that name") as caught:
        pair.anchor("one", push="a..b").publish([Submission(ONE)])
    assert "Rename" in caught.value.hint


def test_pushing_brings_both_refs(pair):
    submission = pair.seal("one")
    pair.anchor("one", push="origin").publish([submission])
    tip = pair.git("one", "rev-parse", NOTES)
    assert pair.git("remote", "rev-parse", NOTES, BRANCH).split() == [tip, tip]


def test_publishing_again_pushes_what_the_remote_lacks(pair):
    submission = pair.seal("one")
    (receipt,) = pair.anchor("one").publish([submission])
    assert pair.git("remote", "for-each-ref") == ""
    assert list(pair.anchor("one", push="origin").publish([submission])) == [receipt]
    assert pair.git("remote", "rev-parse", BRANCH) == pair.git("one", "rev-parse", NOTES)
    pair.git("remote", "update-ref", "-d", BRANCH)
    pair.git("one", "fetch", "--prune", "origin")
    pair.anchor("one", push="origin").publish([submission])
    assert pair.git("remote", "rev-parse", BRANCH) == pair.git("one", "rev-parse", NOTES)


def test_clones_that_publish_in_turn_lose_nothing(pair):
    submissions = [Submission(Digest.sha256(b"%d" % number)) for number in range(6)]
    for number, submission in enumerate(submissions):
        pair.anchor("one" if number % 2 else "two", push="origin").publish([submission])
    pair.clone("remote", "three")
    three = pair.anchor("three", fetch="origin")
    for submission in submissions:
        assert pair.check(three, submission).outcome is Outcome.PASS


def test_a_clone_without_notes_continues_those_of_the_branch(pair):
    pair.anchor("one", push="origin").publish([Submission(ONE)])
    pair.git("two", "fetch", "--quiet", "origin")
    pair.anchor("two").publish([Submission(TWO)])
    assert pair.git("two", "rev-list", "--count", NOTES) == "2"
    assert pair.git("two", "merge-base", NOTES, "origin/mltrust-anchors")


def test_each_level_says_what_it_rests_on(pair):
    submission = pair.seal("one")
    pair.git("one", "push", "--quiet", "origin", "HEAD")
    pair.anchor("one", push="origin").publish([submission])
    pair.clone("remote", "ci")
    found = [
        pair.check(pair.anchor("one"), submission),
        pair.check(pair.anchor("ci"), submission),
        pair.check(pair.anchor("ci", fetch="origin"), submission),
    ]
    assert [check.level for check in found] == ["local-notes", "anchors-branch", "fetched-notes"]
    assert all(check.outcome is Outcome.PASS and check.stronger for check in found)
    assert len({check.summary for check in found}) == 3


def test_fetching_asks_the_remote_alone(pair):
    pair.anchor("one", push="origin").publish([Submission(ONE)])
    pair.anchor("one").publish([Submission(TWO)])
    asking = pair.anchor("one", fetch="origin")
    assert asking.find(Submission(TWO)) == ()
    assert len(asking.find(Submission(ONE))) == 1
    pair.anchor("one", push="origin").publish([Submission(TWO)])
    assert len(pair.anchor("one", fetch="origin").find(Submission(TWO))) == 1


def test_a_branch_fetched_later_than_the_notes_counts(pair):
    pair.anchor("one", push="origin").publish([Submission(ONE)])
    pair.git("two", "fetch", "--quiet", "origin", f"{NOTES}:{NOTES}")
    pair.anchor("one", push="origin").publish([Submission(TWO)])
    pair.git("two", "fetch", "--quiet", "origin")
    check = pair.check(pair.anchor("two"), Submission(TWO))
    assert (check.outcome, check.level) == (Outcome.PASS, "anchors-branch")


def test_a_branch_deleted_here_is_no_loss(pair):
    pair.anchor("one", push="origin").publish([Submission(ONE)])
    pair.git("one", "fetch", "--quiet", "origin")
    anchor = pair.anchor("one")
    assert anchor.find(Submission(ONE))
    pair.git("one", "branch", "--delete", "--remotes", "origin/mltrust-anchors")
    assert anchor.find(Submission(ONE))


def test_a_remote_that_refuses_is_told(pair):
    hook = pair.root / "remote/hooks/update"
    hook.write_text("#!/bin/sh\necho no branches today >&2\nexit 1\n")
    hook.chmod(0o755)
    anchor = GitNotesAnchor.from_uri(f"git-notes:{pair.root / 'one'}", pair.home(), {"push": "origin"})
    with pytest.raises(AnchorError, match=r"did not take the notes.*no branches today") as caught:
        anchor.publish([Submission(ONE)])
    assert "protects the branch" in caught.value.hint
    assert pair.git("remote", "for-each-ref") == ""
    assert pair.anchor("one").find(Submission(ONE))  # it is here


def test_a_remote_that_is_gone_is_out_of_reach(pair):
    pair.anchor("one").publish([Submission(ONE)])
    (pair.root / "remote").rename(pair.root / "moved")
    for ask in (
        lambda: pair.anchor("one", push="origin").publish([Submission(ONE)]),
        lambda: pair.anchor("one", fetch="origin").find(Submission(ONE)),
    ):
        with pytest.raises(AnchorError, match="origin is out of reach") as caught:
            ask()
        assert not isinstance(caught.value, ContradictionError)


# What is said


def test_a_later_release_of_the_path_is_mentioned(world, repository):
    old = world.seal("repository")
    moments = iter(datetime(2026, 11, day, tzinfo=UTC) for day in (1, 2))
    anchor = GitNotesAnchor(repository, world.home(), clock=lambda: next(moments))
    anchor.publish([old])
    assert "later record" not in world.check(anchor, old).summary
    new = world.seal("repository", content=b"new", digest=TWO)
    anchor.publish([new])
    assert world.check(anchor, old).outcome is Outcome.PASS
    assert "a later record gives its path to another seal" in world.check(anchor, old).summary
    assert "later record" not in world.check(anchor, new).summary


def test_a_repository_without_remotes_and_notes_is_silent(world, repository):
    world.anchor("repository").publish([Submission(ONE)])  # so that there is a key
    world.init("other")
    assert world.anchor("other").find(Submission(ONE)) == ()


def test_a_receipt_of_other_notes_is_not_in_these(world, repository):
    (receipt,) = world.anchor("repository").publish([Submission(ONE)])
    world.init("other")
    check = world.anchor("other").confirm(receipt, ONE)
    assert (check.outcome, check.state) == (Outcome.FAIL, AnchorState.ABSENT)
