"""The hooks, run by the real pre-commit and the real prek when something is committed, in environments they made."""

import shutil
import sys
from pathlib import Path

import pytest

from mltrust.core.lfs import Pointer

MANIFEST = Path(__file__).parents[2] / ".pre-commit-hooks.yaml"

pytestmark = pytest.mark.usefixtures("unmeasured")

_CONFIG = """repos:
- repo: {hooks}
  rev: v1
  hooks:
  - id: mltrust-seal-fresh
  - id: mltrust-verify
  - id: mltrust-verify-full
"""


@pytest.fixture
def installed(repository, hook_repository):
    """Return a function that has a framework install its hooks, and their environment; no index, no test."""

    def install(framework, prepare):
        if shutil.which(framework, path=repository.environment["PATH"]) is None:
            pytest.skip(f"{framework} is not installed")
        repository.write(".pre-commit-config.yaml", _CONFIG.format(hooks=hook_repository).encode())
        repository.git("add", ".pre-commit-config.yaml")
        done = repository.run(framework, "install")
        assert done.code == 0, done.said
        done = repository.run(framework, prepare)
        if done.code:
            asked = (sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--dest", "found", "hatchling")
            if repository.run(*asked).code:
                pytest.skip("no package index is in reach")
            pytest.fail(done.said, pytrace=False)
        return repository

    return install


def commit(repository, *what, skip=""):
    return repository.run("git", "commit", "--message", "a release", *what, SKIP=skip, PREK_SKIP=skip)


def assert_passes(repository, skip="", hooks=1):
    before = repository.head()
    done = commit(repository, skip=skip)
    assert done.code == 0, done.said
    assert done.said.count("Passed") == hooks
    assert repository.head() != before


def assert_stopped(repository, *said, what=(), skip="mltrust-verify"):
    before = repository.head()
    done = commit(repository, *what, skip=skip)
    assert done.code == 1, done.said
    assert done.said.count("Failed") == 1
    for each in said:
        assert each in done.said, done.said
    assert "mltrust seal model && git add model/mltrust.seal.json" in done.said
    assert repository.head() == before


def assert_what_must_stop_is_stopped(repository, skip):
    # A weight is changed, and nothing is sealed.
    repository.write("model/weights-2.bin", b"\x03" * 300_000)
    repository.add()
    assert_stopped(repository, "pointer", "weights-2.bin", "to other content", skip=skip)
    repository.git("reset", "--hard", "--quiet")
    # A file is deleted.
    repository.git("rm", "--quiet", "model/config.json")
    assert_stopped(repository, "removed       config.json", skip=skip)
    repository.git("reset", "--hard", "--quiet")
    # A pointer is staged that stands for something else than what was sealed.
    repository.write("model/weights-1.bin", Pointer(b"\xab" * 32, 300_000).data())
    repository.git("add", "model/weights-1.bin")
    assert_stopped(repository, "pointer", "weights-1.bin", "to other content", skip=skip)
    repository.git("reset", "--hard", "--quiet")
    # The seal was made anew, but it is not staged: the one that is has become stale.
    repository.write("model/config.json", b'{"model_type": "somewhat larger"}\n')
    repository.seal()
    repository.git("add", "model/config.json")
    assert_stopped(repository, "changed       config.json", skip=skip)


def test_pre_commit(installed):
    repository = installed("pre-commit", "install-hooks")
    assert_passes(repository, hooks=2)
    assert_what_must_stop_is_stopped(repository, "mltrust-verify")
    # All of it is staged, but this commit takes one file: it has an index of its own, whose seal is stale.
    repository.git("add", "model")
    assert_stopped(repository, "changed       config.json", what=("model/config.json",))
    assert_passes(repository, skip="mltrust-verify")
    # What is only in the work tree is no affair of a commit, but of the hook that reads all bytes.
    full = ("pre-commit", "run", "--hook-stage", "manual", "--all-files", "mltrust-verify-full")
    assert repository.run(*full).code == 0
    repository.write("model/weights-1.bin", b"\x05" * 300_000)
    done = repository.run(*full)
    assert done.code == 1
    assert "changed       weights-1.bin" in done.said


def test_prek(installed):
    repository = installed("prek", "prepare-hooks")
    assert_passes(repository, skip="mltrust-seal-fresh")
    assert_what_must_stop_is_stopped(repository, "mltrust-seal-fresh")
    repository.git("add", "model")
    assert_passes(repository, skip="mltrust-seal-fresh")


def test_the_hooks_are_well_formed(make_repository):
    repository = make_repository()
    for framework in ("pre-commit", "prek"):
        if shutil.which(framework, path=repository.environment["PATH"]):
            done = repository.run(framework, "validate-manifest", MANIFEST)
            assert done.code == 0, done.said
