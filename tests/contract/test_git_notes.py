import subprocess

import pytest

from mltrust.anchors.git_notes import GitNotesAnchor
from mltrust.interfaces import Home
from mltrust.testing import AnchorContract


def _repository(path, *options):
    subprocess.run(["git", "init", "--quiet", *options, path], check=True)
    return path


class TestGitNotes(AnchorContract):
    @pytest.fixture
    def anchor(self, tmp_path):
        return GitNotesAnchor(_repository(tmp_path / "one"), Home(tmp_path / "data", tmp_path / "state"))

    @pytest.fixture
    def other(self, tmp_path):
        return GitNotesAnchor(_repository(tmp_path / "two"), Home(tmp_path / "else", tmp_path / "elsewhere"))

    @pytest.fixture
    def uri(self):
        return "git-notes:/srv/models"


class TestGitNotesInABareSha256Repository(TestGitNotes):
    @pytest.fixture
    def anchor(self, tmp_path):
        repository = _repository(tmp_path / "one", "--bare", "--object-format=sha256")
        return GitNotesAnchor(repository, Home(tmp_path / "data", tmp_path / "state"))
