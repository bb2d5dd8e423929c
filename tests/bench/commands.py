"""A command with what is promised of it, and what all commands need: places, an environment, lists of files."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from artifacts import Artifact

_BIN = Path(sys.executable).parent
_MANY = 100  # more files than this reach a command through xargs


@dataclass(frozen=True)
class Promise:
    """What is promised: seconds by those of b3sum and of the full run, seconds as such, MB of anonymous memory."""

    ratio: float | None = None
    share: float | None = None
    seconds: float | None = None
    anonymous: int | None = None


@dataclass(frozen=True)
class Command:
    """A row of a table: how to run it, what to do before, uncounted, and what is promised. No argv: `why` says why.

    `full` names the command of which this one does only a part.
    """

    name: str
    argv: tuple[str, ...] = ()
    before: Callable[[], None] = field(default=lambda: None)
    why: str = "not here"
    full: str = ""
    promise: Promise = Promise()

    @property
    def ours(self) -> bool:
        """Whether it is mltrust itself."""
        return self.name.startswith("mltrust")


@dataclass(frozen=True)
class Bench:
    """The folder of the benchmark: artifacts, keys to sign with, and whatever tools keep in a home."""

    folder: Path
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)

    @property
    def home(self) -> Path:
        """Where mltrust keeps what it remembers."""
        return self.folder / "home"

    @property
    def dvc_state(self) -> Path:
        """Where DVC keeps the hashes of files it has seen."""
        return self.folder / "dvc-state"

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every command."""
        settings = {f"DVC_{which}_CONFIG_DIR": str(self.folder / "dvc-settings") for which in ("GLOBAL", "SYSTEM")}
        dvc = {"DVC_SITE_CACHE_DIR": str(self.dvc_state), "DVC_NO_ANALYTICS": "1", **settings}
        return {**os.environ, **dvc, "MLTRUST_HOME": str(self.home), "LC_ALL": "C.UTF-8"}

    def prepare(self, *argv: str) -> None:
        """Run what must have run before something is measured."""
        done = subprocess.run(argv, env=self.environment, capture_output=True, check=False)
        if done.returncode:
            raise SystemExit(f"{' '.join(argv[:6])} ended with {done.returncode}: {done.stderr.decode()[-500:]}")

    def yardstick(self, artifact: Artifact) -> Command:
        """Return the command all others are compared with."""
        return Command(f"b3sum, {self.threads} threads", self.on_files(artifact, *b3sum(self.threads)))

    def on_files(self, artifact: Artifact, *command: str, at_once: int = 0, processes: int = 1) -> tuple[str, ...]:
        """Give `command` the files of an artifact, `at_once` at a time (0: as many as there is room for)."""
        if not find(command[0]):
            return ()
        if not at_once and len(artifact.files) <= _MANY:
            return (*command, *map(str, artifact.files))
        names = self.folder / f"{artifact.key}.names"
        names.write_bytes(b"\0".join(os.fsencode(file) for file in artifact.files))
        share = str(at_once or len(artifact.files))
        return ("xargs", "-0", "-a", str(names), "-s", "1000000", "-P", str(processes), "-n", share, *command)


def b3sum(threads: int) -> tuple[str, ...]:
    """Return the command that hashes with as many threads."""
    return ("b3sum", "--num-threads", str(threads))


def mltrust() -> str:
    """Return the program under test: the one installed beside this Python."""
    return str(_BIN / "mltrust")


def find(program: str) -> str:
    """Return where a program is, looked for beside this Python first; nothing, if it is not here."""
    return shutil.which(program, path=os.pathsep.join((str(_BIN), os.environ.get("PATH", "")))) or ""


def remove(paths: Sequence[Path]) -> None:
    """Remove files and folders that a run left."""
    for path in paths:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)
