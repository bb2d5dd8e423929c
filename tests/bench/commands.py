"""What is run on an artifact: the yardstick, the peers, and ours with what it promises."""

import os
import shutil
import subprocess
import sys
from dataclasses import dataclass, field
from pathlib import Path

from artifacts import Artifact

_BIN = Path(sys.executable).parent
_MANY = 100  # more files than this reach a command through xargs
_LIMITS = {"model": 1.10, "small": 0.70}
_ANONYMOUS = 200 * 1e6 / 2**20  # 200 MB in MiB


@dataclass(frozen=True)
class Command:
    """A row of a table: how to run it, what to remove before, and the promised limits. No argv: not installed."""

    name: str
    argv: tuple[str, ...]
    remove: tuple[Path, ...] = ()
    limit: float | None = None
    anonymous: float | None = None

    @property
    def ours(self) -> bool:
        """Whether it is mltrust itself."""
        return self.name.startswith("mltrust")


@dataclass(frozen=True)
class Bench:
    """The folder of the benchmark, with a key pair to sign with and a home of its own for mltrust."""

    folder: Path
    threads: int = field(default_factory=lambda: os.cpu_count() or 1)

    @property
    def environment(self) -> dict[str, str]:
        """The environment of every command."""
        return {**os.environ, "MLTRUST_HOME": str(self.folder / "home"), "LC_ALL": "C.UTF-8"}

    def yardstick(self, artifact: Artifact) -> Command:
        """Return the command all others are compared with."""
        return Command(f"b3sum, {self.threads} threads", self._on(artifact, *self._b3sum(self.threads)))

    def commands(self, artifact: Artifact) -> list[Command]:
        """Return everything else."""
        return [*self._sums(artifact), *self._model_signing(artifact), *self._ours(artifact)]

    def _b3sum(self, threads: int) -> tuple[str, ...]:
        return ("b3sum", "--num-threads", str(threads))

    def _sums(self, artifact: Artifact) -> list[Command]:
        rows = [
            Command("sha256sum", self._on(artifact, "sha256sum")),
            Command("openssl dgst -sha256", self._on(artifact, "openssl", "dgst", "-sha256")),
        ]
        if len(artifact.files) > 1:
            rows.insert(0, Command("b3sum, 2 processes", self._on(artifact, *self._b3sum(1), processes=2)))
        return rows

    def _on(self, artifact: Artifact, *command: str, processes: int = 1) -> tuple[str, ...]:
        """Give `command` the files of an artifact, as many at a time as its processes can share evenly."""
        if not _find(command[0]):
            return ()
        if processes == 1 and len(artifact.files) <= _MANY:
            return (*command, *map(str, artifact.files))
        share = max(1, len(artifact.files) // 100) if processes > 1 else len(artifact.files)
        names = self.folder / f"{artifact.key}.names"
        names.write_bytes(b"\0".join(os.fsencode(file) for file in artifact.files))
        return ("xargs", "-0", "-a", str(names), "-s", "1000000", "-P", str(processes), "-n", str(share), *command)

    def _model_signing(self, artifact: Artifact) -> list[Command]:
        program = _find("model_signing")
        if not program or not _find("openssl"):
            return [Command("model_signing sign key", ()), Command("model_signing verify key", ())]
        private, public = self._keys()
        kept, made = (self.folder / f"{artifact.key}{end}" for end in (".kept.sig", ".made.sig"))
        path = str(artifact.path)
        sign = (program, "sign", "key", path, "--private_key", private, "--signature")
        subprocess.run([*sign, str(kept)], check=True, env=self.environment, capture_output=True)
        verify = (program, "verify", "key", path, "--public_key", public, "--signature", str(kept))
        return [
            Command("model_signing sign key", (*sign, str(made)), (made,)),
            Command("model_signing verify key", verify),
        ]

    def _keys(self) -> tuple[str, str]:
        private, public = self.folder / "key.pem", self.folder / "key.pub"
        curve = ("-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-256")
        for made, command in (
            (private, ("openssl", "genpkey", *curve, "-out", str(private))),
            (public, ("openssl", "pkey", "-in", str(private), "-pubout", "-out", str(public))),
        ):
            if not made.exists():
                subprocess.run(command, check=True, capture_output=True)
        return str(private), str(public)

    def _ours(self, artifact: Artifact) -> list[Command]:
        kept, made = (self.folder / f"{artifact.key}{end}" for end in (".kept.json", ".made.json"))
        kept.unlink(missing_ok=True)
        program, path = mltrust(), str(artifact.path)
        seal = (program, "seal", path, "--no-anchor", "-o")
        subprocess.run([*seal, str(kept)], check=True, env=self.environment, capture_output=True)
        verify = (program, "verify", path, "--content-only", "--seal", str(kept))
        limit = _LIMITS.get(artifact.key)
        anonymous = _ANONYMOUS if artifact.key == "model" else None
        return [
            Command("mltrust fingerprint", (program, "fingerprint", path), (), limit, anonymous),
            Command("mltrust seal --no-anchor", (*seal, str(made)), (made,), limit, anonymous),
            Command("mltrust verify --content-only", verify, (), limit, anonymous),
        ]


def mltrust() -> str:
    """Return the program under test: the one installed beside this Python."""
    return str(_BIN / "mltrust")


def _find(program: str) -> str:
    return shutil.which(program, path=os.pathsep.join((str(_BIN), os.environ.get("PATH", "")))) or ""
