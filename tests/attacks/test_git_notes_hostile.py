"""A repository made by an attacker: reading and publishing run nothing of it, and believe nothing but its objects."""

import os
import subprocess
import time
import zlib
from dataclasses import dataclass
from pathlib import Path

import pytest

from mltrust.anchors.git_notes import GitNotesAnchor
from mltrust.anchors.git_notes import history as history_module
from mltrust.anchors.git_notes.objects import NewObjects
from mltrust.anchors.git_notes.repository import NOTES, Repository
from mltrust.core.digest import Digest
from mltrust.core.report import AnchorState, Outcome
from mltrust.errors import AnchorError, ContradictionError
from mltrust.interfaces import Home, Submission

ONE, TWO = Digest.sha256(b"one"), Digest.sha256(b"two")
HOOKS = ("reference-transaction", "pre-push", "pre-auto-gc", "post-rewrite", "update", "pre-receive", "post-checkout")


@dataclass
class World:
    root: Path
    repository: Path

    @property
    def canary(self):
        return self.root / "canary"

    def git(self, *arguments, folder=None, **options):
        command = ["git", "-C", folder or self.repository, "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
        return subprocess.run(command, check=True, capture_output=True, text=True, **options).stdout.strip()

    def anchor(self, **settings):
        home = Home(self.root / "me/data", self.root / "me/state")
        return GitNotesAnchor.from_uri(f"git-notes:{self.repository}", home, settings)

    def vouches(self, digest=ONE, **settings):
        anchor = self.anchor(**settings)
        return [anchor.confirm(receipt, digest).outcome for receipt in anchor.find(Submission(digest))] == [
            Outcome.PASS
        ]

    def publish(self, digest=ONE, **settings):
        return self.anchor(**settings).publish([Submission(digest, self.repository / "s", b"seal of " + digest.value)])

    def trap(self, name="trap"):
        """Return a program that leaves a mark."""
        script = self.root / name
        script.write_text(f'#!/bin/sh\necho {name} >> {self.canary}\nexec git-upload-pack "$@"\n')
        script.chmod(0o755)
        return script

    def sprung(self):
        return self.canary.read_text().split() if self.canary.exists() else []


@pytest.fixture
def world(tmp_path):
    subprocess.run(["git", "init", "--quiet", tmp_path / "repository"], check=True)
    subprocess.run(["git", "init", "--quiet", "--bare", tmp_path / "remote"], check=True)
    world = World(tmp_path, tmp_path / "repository")
    world.git("remote", "add", "origin", tmp_path / "remote")
    world.publish(push="origin")
    return world


def _configure(world, trap):
    for name in HOOKS:
        for folder in (world.repository / ".git/hooks", world.root / "hooks", world.root / "remote/hooks"):
            folder.mkdir(exist_ok=True)
            if folder.parent != world.root / "remote":
                (folder / name).write_text(trap.read_text())
                (folder / name).chmod(0o755)
    for key, value in {
        "core.hooksPath": world.root / "hooks",
        "core.fsmonitor": trap,
        "core.pager": trap,
        "pager.for-each-ref": trap,
        "core.editor": trap,
        "core.askPass": trap,
        "core.sshCommand": trap,
        "core.gitProxy": trap,
        "core.alternateRefsCommand": trap,
        "credential.helper": f"!{trap}",
        "gpg.program": trap,
        "push.gpgSign": "true",
        "commit.gpgSign": "true",
        "diff.external": trap,
        "diff.x.textconv": trap,
        "filter.x.clean": trap,
        "filter.x.smudge": trap,
        "filter.x.process": trap,
        "merge.x.driver": f"{trap} %O %A %B",
        "alias.cat-file": f"!{trap}",
        "alias.rev-parse": f"!{trap}",
        "alias.update-ref": f"!{trap}",
        "remote.origin.uploadpack": trap,
        "remote.origin.receivepack": trap,
        "uploadpack.packObjectsHook": trap,
        "gc.auto": "1",
        "maintenance.auto": "true",
        "protocol.allow": "always",
        "protocol.ext.allow": "always",
        "interactive.diffFilter": trap,
        "sequence.editor": trap,
        "trace2.eventTarget": world.root / "trace",
        "notes.rewriteRef": NOTES,
        "remote.origin.mirror": "false",
        "fetch.recurseSubmodules": "true",
        "push.recurseSubmodules": "on-demand",
        "transfer.fsckObjects": "true",
    }.items():
        world.git("config", key, str(value))
    (world.repository / ".git/info/attributes").write_text("* filter=x diff=x merge=x\n")
    (world.repository / ".git/objects/info/alternates").write_text(f"{world.root / 'remote/objects'}\n")


def test_reading_and_publishing_run_nothing_of_the_repository(world):
    _configure(world, world.trap())
    assert world.vouches()
    world.publish(TWO)
    assert world.vouches(TWO)
    assert world.sprung() == []
    assert not (world.root / "trace").exists()


def test_talking_to_a_remote_by_path_runs_nothing_of_the_repository(world):
    _configure(world, world.trap())
    world.publish(TWO, push="origin")
    assert world.vouches(TWO, fetch="origin")
    assert world.git("rev-parse", NOTES, folder=world.root / "remote") == world.git("rev-parse", NOTES)
    assert world.sprung() == []


def test_the_trap_is_one(world):
    # What the other tests show means something only if git as it comes would have run it.
    _configure(world, world.trap())
    subprocess.run(["git", "-C", world.repository, "update-ref", "refs/x", NOTES], check=False, capture_output=True)
    subprocess.run(["git", "-C", world.repository, "fetch", "origin"], check=False, capture_output=True)
    assert len(world.sprung()) >= 2


@pytest.mark.parametrize("url", ["ext::{trap} x", "ssh://nowhere.invalid/x", "{root}/remote", "trap::x"])
def test_a_missing_object_is_never_fetched(world, url):
    """A repository that says it is a partial clone would have git fetch what is missing, by running a program."""
    trap = world.trap("git-remote-trap")
    for key, value in {
        "core.repositoryFormatVersion": "1",
        "extensions.partialClone": "evil",
        "remote.evil.promisor": "true",
        "remote.evil.url": url.format(trap=trap, root=world.root),
        "remote.evil.uploadpack": trap,
        "remote.evil.vcs": "",
        "core.sshCommand": trap,
        "protocol.allow": "always",
        "protocol.ext.allow": "always",
        "protocol.trap.allow": "always",
    }.items():
        if value:
            world.git("config", key, str(value))
    note = world.git("rev-parse", f"{NOTES}^{{tree}}")
    path = world.repository / ".git/objects" / note[:2] / note[2:]
    path.chmod(0o600)
    path.unlink()
    environment = os.environ["PATH"]
    os.environ["PATH"] = f"{world.root}{os.pathsep}{environment}"
    try:
        with pytest.raises(AnchorError) as caught:
            world.vouches()
    finally:
        os.environ["PATH"] = environment
    assert not isinstance(caught.value, ContradictionError)
    assert world.sprung() == []


def test_a_remote_that_is_a_program_is_refused(world):
    world.git("config", "remote.origin.url", f"ext::{world.trap()} x")
    world.git("config", "protocol.ext.allow", "always")
    with pytest.raises(AnchorError, match="out of reach"):
        world.vouches(fetch="origin")
    with pytest.raises(AnchorError, match="out of reach"):
        world.publish(TWO, push="origin")
    assert world.sprung() == []


def _remove(world):
    """Take the record away by a fast-forward, and return the commit and its parent."""
    (oid,) = (line.split()[1] for line in world.git("notes", "--ref=mltrust", "list").splitlines())
    world.git("notes", "--ref=mltrust", "remove", oid)
    return world.git("rev-parse", NOTES), world.git("rev-parse", f"{NOTES}^")


def _removed(world):
    with pytest.raises(ContradictionError) as caught:
        world.vouches()
    return caught.value.state is AnchorState.REMOVED


def test_grafts_do_not_hide_history(world):
    child, _ = _remove(world)
    (world.repository / ".git/info").mkdir(exist_ok=True)
    (world.repository / ".git/info/grafts").write_text(f"{child}\n")
    assert world.git("rev-list", "--count", NOTES) == "1"  # git believes it
    assert _removed(world)


def test_replaced_objects_do_not_hide_history(world):
    child, _ = _remove(world)
    orphan = world.git("commit-tree", "-m", "x", f"{child}^{{tree}}")
    world.git("replace", child, orphan)
    assert world.git("rev-list", "--count", NOTES) == "1"
    assert _removed(world)


def test_replaced_notes_do_not_show(world):
    (note,) = (line.split()[0] for line in world.git("notes", "--ref=mltrust", "list").splitlines())
    world.git("replace", note, world.git("hash-object", "-w", "--stdin", input="forged\n"))
    assert (
        world.git("notes", "--ref=mltrust", "show", world.git("notes", "--ref=mltrust", "list").split()[1]) == "forged"
    )
    assert world.vouches()


def test_an_object_that_is_not_what_its_id_says_is_refused(world):
    """Git does not hash what it reads: a commit without its parent, put in place of one that has it."""
    child, _ = _remove(world)
    raw = subprocess.run(["git", "-C", world.repository, "cat-file", "commit", child], check=True, capture_output=True)
    orphan = b"".join(line for line in raw.stdout.splitlines(True) if not line.startswith(b"parent "))
    path = world.repository / ".git/objects" / child[:2] / child[2:]
    path.chmod(0o600)
    path.write_bytes(zlib.compress(b"commit %d\0" % len(orphan) + orphan))
    assert world.git("rev-list", "--count", NOTES) == "1"  # git believes it
    with pytest.raises(AnchorError, match="is damaged"):
        world.vouches()


def test_a_damaged_commit_graph_does_not_hide_history(world):
    _remove(world)
    world.git("commit-graph", "write", "--reachable")
    graph = world.repository / ".git/objects/info/commit-graph"
    graph.chmod(0o600)
    graph.write_bytes(graph.read_bytes()[:-40] + bytes(40))
    assert _removed(world)


def test_a_ref_that_is_a_link_is_refused(world):
    tip = world.git("rev-parse", NOTES)
    world.git("update-ref", "refs/heads/elsewhere", tip)
    world.git("symbolic-ref", NOTES, "refs/heads/elsewhere")
    with pytest.raises(AnchorError, match="not a plain ref"):
        world.publish(TWO)
    assert world.git("rev-parse", "refs/heads/elsewhere") == tip


@pytest.mark.parametrize("ref", [f"refs/heads/{NOTES}", f"refs/tags/{NOTES}", f"{NOTES}x", f"refs/{NOTES}"])
def test_refs_of_a_like_name_are_not_read(world, ref):
    tip = world.git("rev-parse", NOTES)
    world.git("update-ref", "-d", NOTES)
    world.git("update-ref", ref, tip)
    world.git("remote", "remove", "origin")
    (world.root / "me/state").rename(world.root / "forgotten")
    assert world.anchor().find(Submission(ONE)) == ()


def _point_notes_at(world, new, tree):
    repository = Repository.open(world.repository)
    old = repository.tips()[NOTES]
    commit = repository.commit(new, tree, [old], 0, "x")
    repository.write(new)
    assert repository.swap(old, commit) is None


def test_a_tree_that_is_its_own_cousin_many_times_is_bounded(world, monkeypatch):
    """256 names for one subtree, level upon level: exponentially many paths in a few objects."""
    monkeypatch.setattr("mltrust.anchors.git_notes.objects.MAX_READ_BYTES", 3_000_000)
    new = NewObjects(Repository.open(world.repository).format)
    tree = new.add_tree({b"0" * 2: (b"100644", new.add("blob", b"x"))})
    for _ in range(18):
        tree = new.add_tree({b"%02x" % number: (b"40000", tree) for number in range(256)})
    _point_notes_at(world, new, tree)
    with pytest.raises(AnchorError, match="too large to be read"):
        world.vouches()


def test_a_note_that_is_too_large_is_bounded(world):
    new = NewObjects(Repository.open(world.repository).format)
    _point_notes_at(world, new, new.add_tree({b"1" * 40: (b"100644", new.add("blob", bytes(17 * 2**20)))}))
    with pytest.raises(AnchorError, match="too large to be read"):
        world.vouches()


def test_a_history_that_is_too_long_is_bounded(world, monkeypatch):
    monkeypatch.setattr(history_module, "MAX_COMMITS", 3)
    for number in range(2):
        world.publish(Digest.sha256(b"%d" % number))
    assert world.vouches()
    world.publish(TWO)  # it reads three, and writes the fourth
    with pytest.raises(AnchorError, match="more than 3 commits"):
        world.vouches()


def test_too_many_refs_are_bounded(world):
    tip = world.git("rev-parse", NOTES)
    lines = "".join(f"create refs/remotes/r{number}/mltrust-anchors {tip}\n" for number in range(70))
    world.git("update-ref", "--stdin", input=lines)
    with pytest.raises(AnchorError, match="more than 64 refs"):
        world.vouches()


@pytest.mark.parametrize("kind", ["blob", "tree", "tag"])
def test_notes_that_are_no_commit_are_refused(world, kind):
    blob = world.git("hash-object", "-w", "--stdin", input="x")
    tree = world.git("mktree", input="")
    world.git("tag", "-a", "-m", "x", "t", NOTES)
    oid = {"blob": blob, "tree": tree, "tag": world.git("rev-parse", "t")}[kind]
    tip = world.git("rev-parse", NOTES)
    world.git("update-ref", NOTES, oid)
    with pytest.raises(ContradictionError, match=f"its last tip was {tip}") as caught:
        world.vouches()
    assert caught.value.state is AnchorState.ROLLBACK
    assert f"git update-ref {NOTES} {tip}" in caught.value.hint
    (world.root / "me/state").rename(world.root / "forgotten")
    with pytest.raises(AnchorError) as caught:
        world.vouches()
    assert f"is a {kind}" in str(caught.value)
    assert not isinstance(caught.value, ContradictionError)


@pytest.mark.parametrize("remembers", [True, False])
def test_notes_of_a_remote_that_are_no_commit_are_a_finding(world, remembers):
    """Git lets a tree take the place of a commit when it fetches, without being forced."""
    assert world.vouches(fetch="origin")
    tip = world.git("rev-parse", NOTES)
    remote = world.root / "remote"
    world.git("update-ref", NOTES, world.git("mktree", input="", folder=remote), folder=remote)
    if not remembers:
        (world.root / "me/state").rename(world.root / "forgotten")
    with pytest.raises(ContradictionError, match=f"its last tip was {tip}") as caught:
        world.vouches(fetch="origin")
    assert caught.value.state is AnchorState.ROLLBACK
    with pytest.raises(ContradictionError if remembers else AnchorError):
        world.publish(TWO, push="origin")


@pytest.mark.skipif(os.name == "nt", reason="there are no process groups")
def test_a_connection_that_hangs_is_ended_with_all_its_processes(world, monkeypatch):
    monkeypatch.setattr("mltrust.disk.git.process.NETWORK_SECONDS", 1.0)
    script = world.root / "ssh"
    script.write_text(f"#!/bin/sh\ntrap '' TERM\nsleep 600 &\necho $$ $! > {world.root}/pids\nwait\n")
    script.chmod(0o755)
    world.git("config", "core.sshCommand", script)
    world.git("config", "ssh.variant", "simple")
    world.git("config", "remote.origin.url", "ssh://nowhere.invalid/x")
    with pytest.raises(AnchorError, match="took longer than 1 s"):
        world.vouches(fetch="origin")
    pids = (world.root / "pids").read_text().split()
    assert len(pids) == 2
    deadline = time.monotonic() + 60  # what is killed ends when the system gets to it; left alone they sleep on
    while any(_runs(pid) for pid in pids) and time.monotonic() < deadline:
        time.sleep(0.01)
    assert not any(_runs(pid) for pid in pids)


def _runs(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_a_hostile_remote_name_is_quoted_in_hints(world):
    world.git("update-ref", "-d", NOTES)
    world.git("remote", "remove", "origin")
    world.git("config", "remote.a;touch pwned.url", "x")
    (world.root / "me/state").rename(world.root / "forgotten")
    with pytest.raises(AnchorError) as caught:
        world.vouches()
    assert "'a;touch pwned'" in caught.value.hint
