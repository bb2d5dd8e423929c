"""The tools: how each is had, how it records a folder, and how it checks it. Every step is a command of that tool."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from importlib import metadata
from pathlib import Path

from artifact import GGUF, WEIGHTS
from hub import hub

_SECONDS = 120
Commands = Sequence[Sequence[str | Path]]


class UnavailableError(Exception):
    """A tool cannot be had here; the text says why."""


@dataclass
class Run:
    """What a check said: the first exit code that is not 0, and all output."""

    code: int
    output: str


@dataclass
class Tool:
    """One tool. `record` makes what it later checks the folder `model` against, and `check` does that."""

    version: str
    record: Commands
    check: Commands
    forge: Commands | None = None  # how whoever changed the folder makes the record again, where that can be done
    prefix: Commands = ()
    environment: dict[str, str] = field(default_factory=dict)

    def run(self, commands: Commands, work: Path, *, before: Sequence[str] = ()) -> Run:
        """Run commands in `work`, each after `before`."""
        code, said = 0, ""
        for command in commands:
            done = subprocess.run(  # noqa: S603  # commands of this file
                [*before, *map(str, command)],
                cwd=work,
                env=_environment(work) | self.environment,
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                timeout=_SECONDS,
                text=True,
                check=False,
            )
            said += f"$ {' '.join(map(str, command))}\n{done.stdout}[exit {done.returncode}]\n"
            code = code or done.returncode
        return Run(code, said)

    def run_or_leave(self, commands: Commands, work: Path) -> None:
        """Run commands that must succeed; else the tool is not to be had as it is meant to be."""
        if (done := self.run(commands, work)).code:
            raise UnavailableError(done.output)


def _environment(work: Path) -> dict[str, str]:
    kept = {key: os.environ[key] for key in ("PATH", "TMPDIR", "SYSTEMROOT") if key in os.environ}
    home = {"HOME": str(work / "home"), "MLTRUST_HOME": str(work / "home"), "XDG_CONFIG_HOME": str(work / "home")}
    names = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@a", "GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@a"}
    return kept | home | names | {"LC_ALL": "C.UTF-8", "NO_COLOR": "1", "COLUMNS": "200", "DVC_NO_ANALYTICS": "1"}


def mltrust() -> Tool:
    """The installed command of this repository, with a key and, as its default is, a ledger."""
    command = Path(sys.executable).with_name("mltrust")
    generate = [command, "key", "generate", "--no-password", "--output"]
    seal = [command, "seal", "model", "--records", "keep", "--key"]
    theirs = [*generate, "other.key"], [*seal, "other.key"]
    return Tool(
        _version(command, "--version").split()[-1],
        record=[[*generate, "release.key"], [*seal, "release.key"]],
        check=[[command, "verify", "model", "--key", "release.key.pub"]],
        forge=[["rm", "-r", "home", "model/mltrust.seal.json"], *theirs, ["rm", "-r", "home"]],
    )


def model_signing(folder: Path) -> Tool:
    """OpenSSF Model Signing, by a key, which is what works without a network."""
    command = _installed(folder, "model_signing", "model-signing==1.1.1", "pyOpenSSL>=24")  # it imports the second
    sign = [command, "sign", "key", "model", "--signature", "model.sig", "--private_key"]
    return Tool(
        "1.1.1",
        record=[*_ec_key("release"), [*sign, "release.pem"]],
        check=[[command, "verify", "key", "model", "--signature", "model.sig", "--public_key", "release.pub"]],
        forge=[*_ec_key("other"), [*sign, "other.pem"]],
    )


def _ec_key(name: str) -> Commands:
    return [
        ["openssl", "ecparam", "-name", "prime256v1", "-genkey", "-noout", "-out", f"{name}.pem"],
        ["openssl", "ec", "-in", f"{name}.pem", "-pubout", "-out", f"{name}.pub"],
    ]


def sums(name: str) -> Tool:
    """`sha256sum` or `b3sum`, over every file."""
    if shutil.which(name) is None:
        raise UnavailableError(f"{name} is not installed")
    record = [["sh", "-c", f"find model -type f -print0 | sort -z | xargs -0 {name} > SUMS"]]
    version = _version(name, "--version").split()[-1]
    return Tool(version, record=record, check=[[name, "--check", "SUMS"]], forge=record)


def dvc(folder: Path) -> Tool:
    """DVC, beside git. `status` has the exit code, `data status` the names."""
    command = _installed(folder, "dvc", "dvc==3.67.1")
    commit = [["git", "add", "--all", ":!home"], ["git", "commit", "--quiet", "--message", "x"]]
    add = [[command, "add", "--quiet", "model"], *commit]
    return Tool(
        "3.67.1", prefix=[["git", "init", "--quiet", "."], [command, "init", "--quiet"]], record=add,
        check=[[command, "status", "--quiet"], [command, "data", "status", "--granular"]], forge=add,
    )  # fmt: skip


def git_lfs() -> Tool:
    """Git LFS: `fsck` looks at its store, git itself at the working tree."""
    if shutil.which("git-lfs") is None:
        raise UnavailableError("git-lfs is not installed")
    git = ["git", "-C", "model"]
    commit = [[*git, "add", "--all"], [*git, "commit", "--quiet", "--message", "x"]]
    prefix = [
        [*git, "init", "--quiet", "."], [*git, "lfs", "install", "--local"],
        [*git, "lfs", "track", "*.safetensors", "*.jsonl"],
    ]  # fmt: skip
    check = [[*git, "lfs", "fsck"], [*git, "diff", "--exit-code", "--name-status"], [*git, "status", "--porcelain"]]
    version = _version("git-lfs", "--version").split()[0].partition("/")[2]
    return Tool(version, prefix=prefix, record=commit, check=check, forge=commit)


@contextmanager
def hf(model: Path) -> Iterator[Tool]:
    """`hf cache verify`, against a server of this machine that answers as the Hub does for the recorded folder."""
    command = Path(sys.executable).with_name("hf")
    if not command.exists():
        raise UnavailableError("huggingface_hub is not installed")
    with hub(model) as url:
        yield Tool(
            metadata.version("huggingface-hub"), record=[],
            check=[[command, "cache", "verify", "a/model", "--local-dir", "model", "--fail-on-missing-files",
                    "--fail-on-extra-files"]],
            environment={"HF_ENDPOINT": url, "HF_HUB_DISABLE_TELEMETRY": "1", "HF_HUB_DISABLE_UPDATE_CHECK": "1"},
        )  # fmt: skip


def gguf_hash(folder: Path) -> Tool:
    """`llama-gguf-hash`, built from the source of llama.cpp in a published source package; it reads one GGUF file."""
    version = "0.3.36"
    built = folder / "llama" / "build" / "bin" / "llama-gguf-hash"
    if not built.exists():
        _build(folder / "llama", f"llama-cpp-python=={version}")
    record = [["sh", "-c", f"{built} --sha256 model/{GGUF} > MANIFEST"]]
    return Tool(f"llama-cpp-python {version}", record=record, forge=record,
                check=[[built, "--check", "MANIFEST", f"model/{GGUF}"]])  # fmt: skip


def opentimestamps(folder: Path) -> Tool:
    """OpenTimestamps on the weights. Stamping asks public calendars, so what it makes is made by its own library."""
    command = _installed(folder, "ots", "opentimestamps-client==0.7.2")
    record = [[command.with_name("python"), Path(__file__).with_name("stamp.py"), f"model/{WEIGHTS}"]]
    return Tool("0.7.2", record=record, forge=record,
                check=[[command, "verify", f"model/{WEIGHTS}.ots"]])  # fmt: skip


def _installed(folder: Path, command: str, *requirements: str) -> Path:
    """Return a command in an environment of its own, which is made where it is not there yet."""
    path = folder / command / "bin" / command
    if not path.exists():
        pip = [path.with_name("python"), "-m", "pip", "--quiet", "--disable-pip-version-check", "install"]
        _must([sys.executable, "-m", "venv", "--clear", folder / command], f"no environment for {command}")
        _must([*pip, *requirements], f"{', '.join(requirements)} cannot be had")
    return path


def _build(folder: Path, requirement: str) -> None:
    if missing := [each for each in ("cmake", "c++", "tar") if shutil.which(each) is None]:
        raise UnavailableError(f"building it takes {', '.join(missing)}")
    folder.mkdir(parents=True, exist_ok=True)
    download = [sys.executable, "-m", "pip", "--quiet", "download", "--no-deps", "--no-binary", ":all:", "--dest"]
    _must([*download, folder, requirement], f"the source of {requirement} cannot be had")
    source = next(folder.glob("*.tar.gz"))
    _must(["tar", "xzf", source, "-C", folder, "--strip-components=1"], "its source cannot be unpacked")
    options = ("BUILD_SHARED_LIBS", "GGML_NATIVE", "GGML_OPENMP", "LLAMA_BUILD_TESTS", "LLAMA_BUILD_TOOLS",
               "LLAMA_BUILD_SERVER", "LLAMA_BUILD_APP", "LLAMA_CURL", "LLAMA_OPENSSL")  # fmt: skip
    configure = ["cmake", "-S", folder / "vendor/llama.cpp", "-B", folder / "build", "-DCMAKE_BUILD_TYPE=Release"]
    _must([*configure, "-DLLAMA_BUILD_EXAMPLES=ON", *(f"-D{name}=OFF" for name in options)], "cmake refuses it")
    _must(["cmake", "--build", folder / "build", "--target", "llama-gguf-hash"], "it does not build")


def _must(command: Sequence[str | Path], otherwise: str) -> None:
    done = subprocess.run([*map(str, command)], capture_output=True, text=True, check=False)  # noqa: S603  # as above
    if done.returncode:
        raise UnavailableError(f"{otherwise}: {done.stderr.strip().splitlines()[-1:]}")


def _version(*command: str | Path) -> str:
    return subprocess.run([*map(str, command)], capture_output=True, text=True, check=True).stdout.splitlines()[0]  # noqa: S603  # as above
