"""Small repositories that hold enormous notes: reading them takes bounded memory, and is unavailable, not a crash."""

import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

from mltrust.anchors.git_notes import GitNotesAnchor, history, notes
from mltrust.anchors.git_notes.history import Historian
from mltrust.anchors.git_notes.objects import MAX_OBJECT_BYTES, NewObjects
from mltrust.anchors.git_notes.record import MAX_RECORD_BYTES, candidates
from mltrust.anchors.git_notes.repository import NOTES, Repository
from mltrust.core.digest import Digest
from mltrust.errors import AnchorError, ContradictionError
from mltrust.interfaces import Home, Submission

ONE = Digest.sha256(b"one")
LINE = b'{"digest":"'
FILE, TREE = b"100644", b"40000"


@dataclass
class World:
    root: Path

    @property
    def folder(self):
        return self.root / "repository"

    def git(self, *arguments, **options):
        done = subprocess.run(["git", "-C", self.folder, *arguments], check=True, capture_output=True, **options)
        return done.stdout.decode().strip()

    def anchor(self, **settings):
        home = Home(self.root / "me/data", self.root / "me/state")
        return GitNotesAnchor.from_uri(f"git-notes:{self.folder}", home, settings)

    def point_at(self, build):
        """Let the notes be the tree that `build` makes, after what they are now."""
        repository = Repository.open(self.folder)
        new = NewObjects(repository.format)
        old = repository.tips().get(NOTES)
        commit = repository.commit(new, build(new), [old] if old else [], 0, "x")
        repository.write(new)
        assert repository.swap(old, commit) is None

    def unavailable(self, match="too large to be read"):
        for ask in (
            lambda: self.anchor().find(Submission(ONE)),
            lambda: self.anchor().publish([Submission(ONE)]),
        ):
            with pytest.raises(AnchorError, match=match) as caught:
                ask()
            assert not isinstance(caught.value, ContradictionError)
            assert caught.value.hint


@pytest.fixture
def world(tmp_path):
    subprocess.run(["git", "init", "--quiet", tmp_path / "repository"], check=True)
    world = World(tmp_path)
    world.anchor().publish([Submission(ONE)])
    return world


def _ids(count):
    return (b"%040x" % number for number in range(count))


def _notes_of(new, blobs):
    return new.add_tree({oid: (FILE, new.add("blob", blob)) for oid, blob in zip(_ids(len(blobs)), blobs, strict=True)})


@pytest.mark.usefixtures("unmeasured")
def test_notes_of_very_many_lines(world, memory_below):
    """Some kilobytes of repository, lines for two gigabytes of memory."""
    size = MAX_OBJECT_BYTES // 3 - 1
    world.point_at(lambda new: _notes_of(new, [b"%02d\n" % number * size for number in range(90)]))
    with memory_below(150 * 2**20):
        world.unavailable("more than 268435456 bytes")


def test_junk_within_the_bounds_is_read_over(world, memory_below):
    size = MAX_OBJECT_BYTES // 3 - 1
    world.point_at(lambda new: _notes_of(new, [b"%02d\n" % number * size for number in range(20)]))
    with memory_below(100 * 2**20), pytest.raises(ContradictionError, match="was removed"):
        world.anchor().find(Submission(ONE))


def test_very_many_lines_that_could_be_records(world, memory_below):
    lines = b"".join(LINE + b"%d\n" % number for number in range(200_000))
    world.point_at(lambda new: _notes_of(new, [lines + b"%d" % number for number in range(16)]))
    with memory_below(120 * 2**20):
        world.unavailable("more than 250000 notes and records")


def test_very_many_bytes_that_could_be_records(world, memory_below):
    blobs = [b"".join(LINE + b"%d %d " % (at, n) + b"x" * 3900 + b"\n" for n in range(1000)) for at in range(20)]
    world.point_at(lambda new: _notes_of(new, blobs))
    with memory_below(250 * 2**20):
        world.unavailable("more than 67108864 bytes of records")


def test_one_note_of_many_lines_beside_many_objects(world, memory_below):
    """Objects times lines: 40,000 of each are more than a billion."""
    lines = b"".join(LINE + b"%d\n" % number for number in range(40_000))

    def build(new):
        blob = new.add("blob", lines)
        return new.add_tree(dict.fromkeys(_ids(40000), (FILE, blob)))

    world.point_at(build)
    with memory_below(300 * 2**20):
        world.unavailable("more than 250000 notes and records")


@pytest.mark.usefixtures("unmeasured")
def test_very_many_notes(world, memory_below):
    def build(new):
        blob = new.add("blob", b"x")
        below = new.add_tree({b"%036x" % number: (FILE, blob) for number in range(256)})
        above = new.add_tree({b"%02x" % number: (TREE, below) for number in range(256)})
        return new.add_tree({b"%02x" % number: (TREE, above) for number in range(256)})

    world.point_at(build)
    with memory_below(300 * 2**20):
        world.unavailable("more than 250000 notes and records")


def test_histories_that_differ_in_all_refs(world, monkeypatch):
    """What is held of all refs together is bounded; refs that agree are held once."""
    monkeypatch.setattr(history, "MAX_WEIGHT", 5)
    tip = world.git("rev-parse", NOTES)
    for number in range(3):
        world.git("update-ref", f"refs/remotes/r{number}/mltrust-anchors", tip)
    assert world.anchor().find(Submission(ONE))
    identity = ("-c", "user.name=a", "-c", "user.email=a@b")
    for number in range(3):
        other = world.git(*identity, "commit-tree", "-p", tip, "-m", str(number), f"{tip}^{{tree}}")
        world.git("update-ref", f"refs/remotes/r{number}/mltrust-anchors", other)
    world.unavailable()


def test_very_many_other_names_are_not_merged(world, monkeypatch):
    monkeypatch.setattr(notes, "MAX_ENTRIES", 9)
    world.point_at(lambda new: new.add_tree({b"file%d" % n: (FILE, new.add("blob", b"x")) for n in range(10)}))
    with pytest.raises(AnchorError, match="more than 9 names"):
        world.anchor().publish([Submission(Digest.sha256(b"two"))])


def test_a_note_that_would_be_too_large_is_not_written(world):
    oid = world.git("notes", "--ref=mltrust", "list").split()[1].encode()
    line = world.git("notes", "--ref=mltrust", "show", oid.decode()).encode()
    world.point_at(lambda new: new.add_tree({oid: (FILE, new.add("blob", line + b"\n" + bytes(2**22 - 500)))}))
    tip = world.git("rev-parse", NOTES)
    other = World(world.root).anchor(key=_key(world))
    with pytest.raises(AnchorError, match="one note would have"):
        other.publish([Submission(ONE)])
    assert world.git("rev-parse", NOTES) == tip
    assert world.anchor().find(Submission(ONE))


def _key(world):
    file = world.root / "key.pem"
    subprocess.run(["openssl", "genpkey", "-algorithm", "ed25519", "-out", file], check=True, capture_output=True)
    file.chmod(0o600)
    return str(file)


@pytest.mark.skipif(sys.platform != "linux", reason="memory is counted in kilobytes there")
@pytest.mark.parametrize("kind", ["blob", "commit", "tree"])
@pytest.mark.parametrize("packed", [True, False])
def test_git_itself_takes_bounded_memory(world, kind, packed):
    """However the repository is configured, git does not load what is too large into memory."""
    for name in ("core.bigFileThreshold", "core.deltaBaseCacheLimit", "pack.windowMemory"):
        world.git("config", name, "100g")
    content = {"blob": b"", "commit": b"tree " + b"0" * 40 + b"\n", "tree": b"100644 a\0" + bytes(20)}[kind]
    oid = world.git("hash-object", "-w", "--literally", "-t", kind, "--stdin", input=content + bytes(300 * 2**20))
    if packed:
        world.git("-c", "pack.compression=1", "pack-objects", ".git/objects/pack/pack", input=oid.encode())
        (world.folder / ".git/objects" / oid[:2] / oid[2:]).unlink()
    code = (
        "import sys, resource; from pathlib import Path\n"
        "from mltrust.anchors.git_notes.repository import Repository; from mltrust.disk.git.process import EndedError\n"
        "repository = Repository.open(Path(sys.argv[1]))\n"
        "try:\n"
        "    with repository.git.conversation('cat-file', '--batch') as conversation:\n"
        "        conversation.ask(sys.argv[2])\n"
        "        for _ in range(300): conversation.read(2**20)\n"  # in real life it is not read to the end
        "except EndedError: pass\n"
        "print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024)\n"
    )
    command = [sys.executable, "-c", code, world.folder, oid]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    assert int(done.stdout) < 100  # megabytes


@pytest.mark.parametrize("names", [[b"00", b"00"], [b"01", b"00"], [b"a", b"a"]])
def test_a_tree_that_is_not_in_order_is_refused(world, names):
    """A name twice may lead to two subtrees: then trees within trees are bounded by nothing."""
    new = NewObjects(Repository.open(world.folder).format)
    blob = new.add("blob", b"x")
    raw = b"".join(FILE + b" " + name + b"\0" + bytes.fromhex(blob) for name in names)
    world.point_at(lambda new: (new.add("blob", b"x"), new.add("tree", raw))[1])
    world.unavailable("not a well-formed tree")


def test_candidates_are_the_lines_that_could_be_records():
    good = [LINE + b"x", LINE + b"y" * (MAX_RECORD_BYTES - len(LINE))]
    long = LINE + b"z" * (MAX_RECORD_BYTES - len(LINE) + 1)
    bad = [b"", b"x", b" " + LINE + b"x", long, LINE[:-1], b"\r" + LINE]
    note = b"\n".join([bad[0], good[0], *bad[1:], good[1]])
    assert candidates(note) == tuple(good)
    assert candidates(note + b"\n") == tuple(good)
    assert candidates(b"") == ()


def test_a_history_keeps_nothing_of_junk(world):
    world.point_at(lambda new: _notes_of(new, [b"junk\n" * 1000]))
    repository = Repository.open(world.folder)
    with repository.objects() as objects:
        found = Historian().read(objects, repository.tips()[NOTES])
    assert sum(len(lines) for lines in found.blobs.values()) == 1
