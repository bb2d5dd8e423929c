"""The tree of notes: ours is read by plain git, and git's by us, however many notes there are."""

import subprocess

import pytest

from mltrust.anchors.git_notes.history import Historian
from mltrust.anchors.git_notes.notes import read_tree
from mltrust.anchors.git_notes.objects import NewObjects
from mltrust.anchors.git_notes.repository import NOTES, Repository
from mltrust.anchors.git_notes.writing import Writer
from mltrust.disk.git.objects import Format
from mltrust.errors import AnchorError

LINE = b'{"digest":"'
"""How a line must start to be read: all records do."""


def _git(folder, *arguments, data=None):
    command = ["git", "-C", folder, "-c", "user.name=a", "-c", "user.email=a@b", *arguments]
    return subprocess.run(command, check=True, capture_output=True, input=data).stdout.decode()


@pytest.fixture(params=["sha1", "sha256"])
def folder(tmp_path, request):
    folder = tmp_path / "repository"
    subprocess.run(["git", "init", "--quiet", f"--object-format={request.param}", folder], check=True)
    return folder


def _write(repository, additions, sides=()):
    tip = Writer(repository, 1_700_000_000).advance(sides, additions)
    assert repository.swap(sides[0].tip if sides else None, tip) is None
    return tip


def _history(repository, tip):
    with repository.objects() as objects:
        return Historian().read(objects, tip)


def _ids(format_, count):
    return [format_.oid("blob", b"%d" % number) for number in range(count)]


@pytest.mark.parametrize("count", [1, 128, 129, 700])
def test_git_reads_notes_we_wrote(folder, count):
    repository = Repository.open(folder)
    ids = _ids(repository.format, count)
    tip = _write(repository, {oid: {LINE + oid.encode(), b"another"} for oid in ids})
    listed = [line.split()[1] for line in _git(folder, "notes", "--ref=mltrust", "list").splitlines()]
    assert sorted(listed) == sorted(ids)
    assert _git(folder, "notes", "--ref=mltrust", "show", ids[0]) == f"another\n{LINE.decode()}{ids[0]}\n"
    assert _git(folder, "fsck", "--strict", "--no-dangling") == ""
    assert len(_history(repository, tip).lines_now()) == count  # the other may be no record


def test_we_read_notes_git_wrote_and_keep_what_is_no_note(folder):
    repository = Repository.open(folder)
    ids = _ids(repository.format, 300)
    blob = _git(folder, "hash-object", "-w", "--stdin", data=LINE + b"by git\n").strip()
    below = _git(folder, "mktree", data=f"100644 blob {blob}\tinside\n".encode()).strip()
    readme = f"100644 blob {blob}\tREADME\n040000 tree {below}\tmore\n"
    commit = _git(folder, "commit-tree", "-m", "x", _git(folder, "mktree", data=readme.encode()).strip()).strip()
    _git(folder, "update-ref", NOTES, commit)
    for oid in ids:
        _git(folder, "notes", "--ref=mltrust", "add", "-C", blob, oid)
    assert _git(folder, "ls-tree", NOTES).count("040000 tree") > 100  # git fans out by now
    history = _history(repository, repository.tips()[NOTES])
    assert {oid for beside in history.lines_now().values() for oid in beside} == set(ids)
    _write(repository, {ids[0]: {b"ours"}}, [history])
    assert _git(folder, "notes", "--ref=mltrust", "show", ids[0]) == f"ours\n{LINE.decode()}by git\n"
    assert _git(folder, "notes", "--ref=mltrust", "show", ids[1]) == f"{LINE.decode()}by git\n"
    others = _git(folder, "ls-tree", "-r", "--name-only", NOTES).splitlines()
    assert "README" in others
    assert "more/inside" in others
    assert _git(folder, "fsck", "--strict", "--no-dangling") == ""


def test_notes_of_one_object_at_several_depths_are_one_note(folder):
    repository = Repository.open(folder)
    oid = repository.format.oid("blob", b"x")
    new = NewObjects(repository.format)
    one, two = (new.add("blob", text) for text in (b"b\n", b"a\nc"))
    below = new.add_tree({oid[2:].encode(): (b"100644", two)})
    tree = new.add_tree({oid.encode(): (b"100644", one), oid[:2].encode(): (b"40000", below)})
    commit = repository.commit(new, tree, [], 0, "x")
    repository.write(new)
    assert repository.swap(None, commit) is None
    _write(repository, {oid: {b"d"}}, [_history(repository, commit)])
    assert _git(folder, "notes", "--ref=mltrust", "show", oid) == "a\nb\nc\nd\n"


def test_a_name_in_the_way_of_a_note_gives_way(folder):
    repository = Repository.open(folder)
    ids = _ids(repository.format, 400)
    new = NewObjects(repository.format)
    junk = new.add("blob", b"junk")
    tree = new.add_tree({oid[:2].encode(): (b"100644", junk) for oid in ids})
    commit = repository.commit(new, tree, [], 0, "x")
    repository.write(new)
    assert repository.swap(None, commit) is None
    tip = _write(repository, {oid: {LINE} for oid in ids}, [_history(repository, commit)])
    assert _history(repository, tip).lines_now() == {LINE: frozenset(ids)}


def test_history_holds_what_was_ever_there(folder):
    repository = Repository.open(folder)
    one, two = _ids(repository.format, 2)
    first = _history(repository, _write(repository, {one: {LINE + b"a"}}))
    _write(repository, {one: {LINE + b"b"}, two: {LINE + b"c"}}, [first])
    _git(folder, "notes", "--ref=mltrust", "remove", one)
    history = _history(repository, repository.tips()[NOTES])
    assert history.lines_now() == {LINE + b"c": frozenset({two})}
    assert history.lines_gone() == {LINE + b"a": frozenset({one}), LINE + b"b": frozenset({one})}
    assert len(history.commits) == 3


def test_a_history_that_continues_a_known_one_is_the_same(folder):
    repository = Repository.open(folder)
    historian, histories = Historian(), []
    for number, oid in enumerate(_ids(repository.format, 5)):
        _write(repository, {oid: {b"%d" % number}}, histories[-1:])
        with repository.objects() as objects:
            histories.append(historian.read(objects, repository.tips()[NOTES]))
    assert histories[-1] == _history(repository, histories[-1].tip)


def test_merging_two_sides_loses_nothing_and_reads_as_gits_own_merge(folder):
    repository = Repository.open(folder)
    one, two, three = _ids(repository.format, 3)
    base = _history(repository, _write(repository, {one: {b"base"}}))
    ours = _history(repository, _write(repository, {one: {b"z ours"}, two: {b"ours"}}, [base]))
    theirs_tip = Writer(repository, 5).advance([base], {one: {b"a theirs"}, three: {b"theirs"}})
    _git(folder, "update-ref", "refs/notes/theirs", theirs_tip)
    _git(folder, "update-ref", "refs/notes/bygit", ours.tip)
    _git(folder, "notes", "--ref=bygit", "merge", "-s", "cat_sort_uniq", "theirs")
    merged = Writer(repository, 6).advance([ours, _history(repository, theirs_tip)], {})
    assert repository.swap(ours.tip, merged) is None
    assert _git(folder, "rev-parse", f"{NOTES}^{{tree}}") == _git(folder, "rev-parse", "refs/notes/bygit^{tree}")
    assert _git(folder, "rev-list", "--parents", "-1", NOTES).split()[1:] == [ours.tip, theirs_tip]


def test_nothing_new_is_no_commit(folder):
    repository = Repository.open(folder)
    (one,) = _ids(repository.format, 1)
    first = _history(repository, _write(repository, {one: {b"a"}}))
    then = _history(repository, _write(repository, {one: {b"b"}}, [first]))
    assert Writer(repository, 9).advance([then], {one: {b"a"}}) == then.tip
    assert Writer(repository, 9).advance([first, then], {}) == then.tip


def test_one_more_note_among_many_is_few_objects(folder):
    repository = Repository.open(folder)
    ids = _ids(repository.format, 701)
    many = _history(repository, _write(repository, {oid: {b"a line"} for oid in ids[:-1]}))
    before = len(_git(folder, "cat-file", "--batch-check", "--batch-all-objects", "--unordered").splitlines())
    packs = list((folder / ".git/objects/pack").glob("*.pack"))
    _write(repository, {ids[-1]: {b"another line"}}, [many])
    after = _git(folder, "cat-file", "--batch-check", "--batch-all-objects", "--unordered").splitlines()
    assert len(after) == before + 4  # a blob, its tree, the tree above, a commit
    assert list((folder / ".git/objects/pack").glob("*.pack")) == packs


def test_a_swap_from_another_value_does_nothing(folder):
    repository = Repository.open(folder)
    (one,) = _ids(repository.format, 1)
    first = _history(repository, _write(repository, {one: {b"a"}}))
    late = Writer(repository, 9).advance([first], {one: {b"b"}})
    _write(repository, {one: {b"c"}}, [first])
    assert repository.swap(first.tip, late) is not None
    assert repository.swap(None, late) is not None
    assert _git(folder, "notes", "--ref=mltrust", "show", one) == "a\nc\n"


@pytest.mark.parametrize("size", [0, 1, 15, 16, 127, 2047, 2048, 300_000])
def test_a_pack_holds_objects_of_any_size(folder, size):
    repository = Repository.open(folder)
    new = NewObjects(repository.format)
    oid = new.add("blob", b"x" * size)
    repository.write(new)
    assert _git(folder, "cat-file", "-s", oid) == f"{size}\n"
    with repository.objects() as objects:
        assert objects.blob(oid) == b"x" * size


def test_an_id_is_gits(folder):
    format_ = Repository.open(folder).format
    assert format_.oid("blob", b"x") == _git(folder, "hash-object", "--stdin", data=b"x").strip()
    assert len(format_.none) == format_.hex_digits == len(format_.oid("blob", b""))
    assert Format("sha1").hex_digits == 40


def test_an_object_of_another_kind_is_refused(folder):
    repository = Repository.open(folder)
    blob = _git(folder, "hash-object", "-w", "--stdin", data=b"x").strip()
    with repository.objects() as objects, pytest.raises(AnchorError):
        objects.commit(blob)
    with repository.objects() as objects, pytest.raises(AnchorError):
        read_tree(objects, blob)
