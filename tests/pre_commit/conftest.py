"""A repository with a sealed model whose weights are kept with Git LFS, and mltrust as a repository of hooks."""

import hashlib
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

import mltrust

ROOT = Path(__file__).parents[2]
HOOKS = ".pre-commit-hooks.yaml"
_PARTS = ("mltrust", "pyproject.toml", "README.md", "LICENSE", HOOKS)
_LEADING = ("GIT_", "PRE_COMMIT", "PREK_", "COVERAGE_", "MLTRUST_")


@dataclass(frozen=True)
class Done:
    code: int
    said: str


@dataclass
class Repository:
    """A git repository of somebody who knows no anchors and no keys."""

    path: Path
    environment: dict

    def run(self, *command, data=None, **more):
        done = subprocess.run(
            [*map(str, command)],
            cwd=self.path,
            env={**self.environment, **more},
            input=data,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=280,
            check=False,
        )
        said = done.stdout.decode()
        assert "Traceback" not in said
        return Done(done.returncode, said)

    def git(self, *arguments, data=None):
        done = self.run("git", *arguments, data=data)
        assert done.code == 0, done.said
        return done.said.strip()

    def mltrust(self, *arguments, **environment):
        return self.run("mltrust", *arguments, **environment)

    def write(self, path, data):
        (self.path / path).parent.mkdir(parents=True, exist_ok=True)
        (self.path / path).write_bytes(data)

    def seal(self, artifact="model"):
        mltrust.seal(self.path / artifact, with_sha256=True)

    def stage(self, path, data, mode="100644"):
        """Stage `data` under a path, whatever lies in the work tree."""
        oid = self.git("hash-object", "-w", "--stdin", "--no-filters", data=data)
        self.git("update-index", "--add", "--cacheinfo", f"{mode},{oid},{path}")

    def add(self):
        """Stage all there is, as with Git LFS: with the real one, where it is installed."""
        self.git("add", "--all")
        if shutil.which("git-lfs") is None:
            for path in (self.path / "model").glob("*.bin"):
                self.stage(f"model/{path.name}", pointer(path.read_bytes()))

    def head(self):
        return self.run("git", "rev-parse", "--quiet", "--verify", "HEAD").said.strip()


def pointer(data):
    size, oid = len(data), hashlib.sha256(data).hexdigest()
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{oid}\nsize {size}\n".encode()


@pytest.fixture
def make_repository(tmp_path):
    """Return a function that makes a repository with nothing in it, in a home of its own."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    home = tmp_path / "home"
    home.mkdir()
    identity = "[user]\n\tname = a\n\temail = a@example.org\n[init]\n\tdefaultBranch = main\n"
    (home / "gitconfig").write_text(identity)
    environment = {key: value for key, value in os.environ.items() if not key.startswith(_LEADING)}
    environment |= {
        "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))),
        "HOME": str(home),
        "GIT_CONFIG_GLOBAL": str(home / "gitconfig"),
        "GIT_CONFIG_SYSTEM": os.devnull,
        "MLTRUST_HOME": str(home / "mltrust"),
        "PRE_COMMIT_HOME": str(home / "pre-commit"),
        "PREK_HOME": str(home / "prek"),
        "PIP_NO_COMPILE": "1",
        "COLUMNS": "200",
    }

    def make(*options):
        repository = Repository(tmp_path / "repository", environment)
        repository.path.mkdir()
        repository.git("init", "--quiet", *options)
        return repository

    return make


@pytest.fixture
def repository(make_repository):
    """Return a repository with a model that was sealed and staged: two weights kept with Git LFS, and other files."""
    repository = make_repository()
    if shutil.which("git-lfs"):
        repository.git("lfs", "install", "--local", "--skip-repo")
        repository.write(".gitattributes", b"*.bin filter=lfs diff=lfs merge=lfs -text\n")
    for number in (1, 2):
        repository.write(f"model/weights-{number}.bin", bytes([number]) * 300_000)
    repository.write("model/config.json", b'{"model_type": "tiny"}\n')
    repository.write("model/merges.txt", b"")
    repository.write("README.md", b"not part of the model\n")
    repository.seal()
    repository.add()
    return repository


@pytest.fixture
def hook_repository(tmp_path, make_repository):
    """Return this checkout's hooks and package as a repository of hooks, with a tag."""
    if missing := [part for part in _PARTS if not (ROOT / part).exists()]:
        pytest.skip(f"not a checkout: {', '.join(missing)} not there")
    folder = tmp_path / "hooks"
    folder.mkdir()
    for part in _PARTS:
        if (ROOT / part).is_dir():
            shutil.copytree(ROOT / part, folder / part, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(ROOT / part, folder / part)
    made = Repository(folder, {**os.environ, "GIT_CONFIG_GLOBAL": str(tmp_path / "home/gitconfig")})
    made.git("init", "--quiet")
    made.git("add", "--force", ".")
    made.git("commit", "--quiet", "--message", "hooks")
    made.git("tag", "v1")
    return folder
