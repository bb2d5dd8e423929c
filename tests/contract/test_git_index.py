"""What is staged in git is a source: of repositories with either hash, and below a folder of one."""

import subprocess

import pytest

from mltrust.disk.git.index import Index
from mltrust.errors import ArtifactError
from mltrust.sources.git_index import GitIndexSource, StagedFiles
from mltrust.testing.source_contract import SourceContract


def _git(folder, *arguments, data=None):
    done = subprocess.run(["git", "-C", folder, *arguments], input=data, check=True, capture_output=True)
    return done.stdout


def _write(folder, below, files):
    """Stage files, and take away those that are None, as `git add` does; the work tree stays empty."""
    lines = []
    for path, data in files.items():
        oid = _git(folder, "hash-object", "-w", "--stdin", data=data or b"").strip()
        lines.append(b"%s %s\t%s\0" % (b"0" if data is None else b"100644", oid, (below + path).encode()))
    _git(folder, "update-index", "-z", "--index-info", data=b"".join(lines))


class TestGitIndex(SourceContract):
    options = ()
    below = ""

    @pytest.fixture
    def make_source(self, tmp_path):
        _git(tmp_path, "init", "--quiet", *self.options)
        with StagedFiles(Index.open(tmp_path, {})) as staged:

            def make(files):
                _write(tmp_path, self.below, files)
                return GitIndexSource(staged, self.below.rstrip("/"), str(tmp_path))

            yield make

    @pytest.fixture
    def rewrite(self, tmp_path):
        return lambda _source, path, data: _write(tmp_path, self.below, {path: data})


class TestGitIndexBelowAFolderWithSha256(TestGitIndex):
    options = ("--object-format=sha256",)
    below = "some/folder/"

    @pytest.fixture
    def make_source(self, tmp_path):
        _git(tmp_path, "init", "--quiet", *self.options)
        neighbours = {"some/folder.txt": b"x", "some/folder0/a": b"y", "some/a": b"z"}
        with StagedFiles(Index.open(tmp_path, {})) as staged:

            def make(files):
                _write(tmp_path, "", neighbours | {f"some/folder/{path}": data for path, data in files.items()})
                return GitIndexSource(staged, "some/folder" if files else "elsewhere", "shown")

            yield make

    def test_an_empty_artifact_lists_nothing(self, make_source):
        with pytest.raises(ArtifactError, match="nothing of it is staged"):
            list(make_source({}).files())
