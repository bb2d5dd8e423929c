"""What counts as staged, and that it is compared as any other artifact is."""

import pickle

import pytest

from mltrust import Trust, verify_staged
from mltrust.core.changes import ChangeKind
from mltrust.errors import ArtifactError, SealError, UnreadableError, UsageError
from mltrust.sources.git_index import GitIndexSource
from mltrust.staging import staged

BYTES = Trust(content_only=True)


@pytest.fixture
def plain(make_repository):
    """Return a repository with a sealed folder without Git LFS, of which all is staged."""
    repository = make_repository()
    for path, data in {"a": b"a\n", "empty": b"", "deep/b": b"b" * 3000, "link": None}.items():
        if data is not None:
            repository.write(f"model/{path}", data)
    (repository.path / "model/link").symlink_to("deep/b")
    repository.write("beside", b"not sealed")
    repository.seal()
    repository.git("add", "--all")
    repository.git("commit", "--quiet", "--message", "sealed")
    return repository


def verify(repository, artifact="model", **how):
    return verify_staged(repository.path / artifact, trust=BYTES, **how)


def differences(repository, artifact="model", **how):
    return {(change.kind.value, change.name) for change in verify(repository, artifact, **how).changes}


def test_what_is_staged_is_verified_and_the_work_tree_is_not_read(plain):
    report = verify(plain)
    assert report.verdict == "verified"
    assert (report.scope.files, report.scope.bytes) == (4, 6002)
    assert [notice.code for notice in report.notices] == ["staged"]
    plain.write("model/a", b"changed")
    plain.write("model/new", b"added")
    (plain.path / "model/empty").unlink()
    assert differences(plain) == set()
    plain.git("add", "--all")
    assert differences(plain) == {("changed", "a"), ("added", "new"), ("removed", "empty")}
    for path in sorted(plain.path.glob("model/**/*"), reverse=True):
        path.rmdir() if path.is_dir() and not path.is_symlink() else path.unlink()
    (plain.path / "model").rmdir()
    plain.git("reset", "--quiet")
    assert differences(plain) == set()


def test_what_is_only_to_be_added_is_not_there(plain):
    """An empty file that is sealed, and of which the index says only that it will come, would be none of the commit."""
    plain.git("rm", "--quiet", "--cached", "model/empty")
    plain.git("add", "--intent-to-add", "model/empty")
    assert "model/empty" in plain.git("ls-files")
    assert differences(plain) == {("removed", "empty")}


@pytest.mark.parametrize("flag", ["--assume-unchanged", "--skip-worktree"])
def test_flags_about_the_work_tree_change_nothing(plain, flag):
    plain.stage("model/a", b"changed")
    plain.git("update-index", flag, "model/a")
    assert differences(plain) == {("changed", "a")}


def test_an_index_that_holds_folders_instead_of_files(plain):
    plain.git("sparse-checkout", "init", "--cone", "--sparse-index")
    plain.git("sparse-checkout", "set", "elsewhere")
    assert "model/" in plain.git("ls-files", "--sparse").splitlines()
    assert differences(plain) == set()


def test_an_index_in_two_files(plain):
    plain.git("update-index", "--split-index")
    plain.stage("model/a", b"changed")
    assert len(differences(plain)) == 1


def test_a_single_file_and_the_top(make_repository):
    repository = make_repository("--object-format=sha256")
    repository.write("model.bin", b"weights")
    repository.seal("model.bin")
    repository.git("add", "--all")
    assert verify(repository, "model.bin").verdict == "verified"
    repository.git("rm", "--quiet", "--cached", "model.bin")
    with pytest.raises(ArtifactError, match="nothing of it is staged"):
        verify(repository, "model.bin")
    repository.seal(".")
    repository.git("add", "--all")
    assert verify(repository, ".").verdict == "verified"


def test_a_seal_that_is_not_staged_does_not_count_unless_it_is_named(plain, tmp_path):
    plain.git("rm", "--quiet", "--cached", "model/mltrust.seal.json")
    with pytest.raises(SealError, match="no seal is staged") as caught:
        verify(plain)
    assert "git add" in caught.value.hint
    assert verify(plain, seal=plain.path / "model/mltrust.seal.json").verdict == "verified"


def test_seals_are_found(plain):
    with staged(plain.path) as files:
        assert files.sealed() == [plain.path / "model"]
    plain.write("other/x", b"x")
    plain.write("single", b"y")
    for each in ("other", "single"):
        plain.seal(each)
    plain.git("add", "--all")
    plain.git("rm", "--quiet", "--cached", "model/mltrust.seal.json")
    with staged(plain.path / "other") as files:  # its seal was in the last commit, and what it seals still is
        assert files.sealed() == [plain.path / each for each in ("model", "other", "single")]
    plain.git("rm", "-r", "--quiet", "--cached", "model")
    with staged(plain.path) as files:
        assert files.sealed() == [plain.path / each for each in ("other", "single")]
    plain.git("read-tree", "--empty")
    with staged(plain.path) as files, pytest.raises(SealError, match="no seal is staged"):
        files.sealed()


def test_links_are_followed_as_in_a_folder(plain):
    model = plain.path / "model"
    (model / "folder").symlink_to("deep")
    (model / "again").symlink_to("folder/../deep/./b")
    plain.seal()
    plain.git("add", "--all")
    assert verify(plain).scope.files == 6
    assert differences(plain) == set()
    plain.stage("model/deep/b", b"c" * 3000)
    assert {name for _, name in differences(plain)} == {"deep/b", "link", "again", "folder/b"}


@pytest.mark.parametrize(
    ("target", "said"),
    [
        (b"../beside", "leads out of the artifact"),
        (b"/etc/passwd", "leads out of the artifact"),
        (b"deep/../../model/a", "leads out of the artifact"),
        (b"nothing", "leads nowhere or in a loop"),
        (b"loop", "leads nowhere or in a loop"),
        (b"a/b", "leads nowhere or in a loop"),
        (b"", "leads nowhere or in a loop"),
        (b"x" * 5000, "leads nowhere or in a loop"),
        (b".", "a link to a folder inside a linked folder, or a loop"),
        (b"links", "a link to a folder inside a linked folder, or a loop"),
    ],
)
def test_links_that_lead_astray(plain, target, said):
    plain.stage("model/loop", target, "120000")
    plain.stage("model/links/inner", b"../deep", "120000")
    if target != b"links":
        plain.git("rm", "--quiet", "--cached", "model/links/inner")
    with pytest.raises(ArtifactError, match=said) as caught:
        verify(plain)
    assert caught.value.path.startswith("loop")


def test_what_is_no_file(plain):
    head = plain.head()
    plain.git("update-index", "--add", "--cacheinfo", f"160000,{head},model/sub")
    with pytest.raises(ArtifactError, match="sub: is a submodule"):
        verify(plain)
    plain.git("update-index", "--force-remove", "model/sub")
    oid = plain.git("rev-parse", "HEAD:model/a")
    plain.git("update-index", "--force-remove", "model/a")
    plain.git("update-index", "--index-info", data=f"100644 {oid} 1\tmodel/a\n100644 {oid} 2\tmodel/a\n".encode())
    with pytest.raises(ArtifactError, match="a: is not merged"):
        verify(plain)


def test_names_that_cannot_be_sealed(plain):
    oid = plain.git("rev-parse", "HEAD:model/a").encode()
    plain.git("update-index", "--index-info", data=b"100644 %s\telse\xff\n" % oid)
    assert differences(plain) == set()  # elsewhere, it is no affair of ours
    plain.git("update-index", "--index-info", data=b"100644 %s\tmodel/n\xff\n" % oid)
    with pytest.raises(ArtifactError, match="is not valid UTF-8"):
        verify(plain)


def test_where_there_is_nothing_to_read(tmp_path, make_repository):
    with pytest.raises(UnreadableError, match="is not in a git repository"):
        verify_staged(tmp_path, trust=BYTES)
    bare = make_repository("--bare")
    with pytest.raises(UnreadableError, match="work tree"):
        verify(bare, ".")


# The index of a hook


def test_the_index_that_git_leads_a_hook_to_counts(plain, monkeypatch):
    """`git commit FILE` runs hooks with an index of its own, whose name may be relative to the top."""
    other = {"GIT_INDEX_FILE": ".git/other"}
    plain.run("git", "read-tree", "HEAD", **other)
    plain.run("git", "rm", "--quiet", "--cached", "model/a", **other)
    monkeypatch.chdir(plain.path)
    assert differences(plain) == set()
    assert differences(plain, environment=other) == {("removed", "a")}
    assert differences(plain, environment={"GIT_INDEX_FILE": str(plain.path / ".git/other")}) == {("removed", "a")}
    assert differences(plain, environment={**other, "GIT_DIR": ".git"}) == {("removed", "a")}


def test_where_git_leads_elsewhere_the_artifact_decides(plain, tmp_path, monkeypatch):
    elsewhere = tmp_path / "elsewhere"
    plain.git("init", "--quiet", elsewhere)
    monkeypatch.chdir(elsewhere)
    leading = {"GIT_DIR": str(elsewhere / ".git"), "GIT_INDEX_FILE": str(elsewhere / ".git/index")}
    assert differences(plain, environment=leading) == set()
    for name, value in leading.items():  # what the process was given leads nobody, unless it is handed in
        monkeypatch.setenv(name, value)
    assert differences(plain) == set()


def test_a_work_tree_beside_the_first(plain, tmp_path):
    other = tmp_path / "other"
    plain.git("worktree", "add", "--quiet", other)
    plain.stage("model/a", b"changed")
    assert verify_staged(other / "model", trust=BYTES).verdict == "verified"
    assert verify(plain).verdict == "failed"


def test_rows_and_tensors_are_named(make_repository, fill_model):
    repository = make_repository()
    fill_model(repository.path / "model")
    repository.seal()
    shard = repository.path / "model/model-1.safetensors"
    shard.write_bytes(shard.read_bytes()[:-1] + b"\x01")
    repository.git("add", "--all")
    (change,) = verify(repository).changes
    assert change.kind is ChangeKind.CHANGED
    assert [part.name for part in change.parts] == ["layer.0"]


def test_it_travels_to_no_other_machine(plain):
    with staged(plain.path) as files, pytest.raises(UsageError, match="on this machine only"):
        pickle.dumps(GitIndexSource(files.files, "model", "model"))
