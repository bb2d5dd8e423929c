"""Builders every test may use; tests never import each other."""

import gzip
import importlib
import io
import json
import os
import shutil
import subprocess
import sys
import tarfile
import tempfile
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import settings

from mltrust.core.bundle import Bundle
from mltrust.core.digest import BLAKE3, Suite
from mltrust.core.exclusion import DEFAULT_EXCLUDE
from mltrust.core.manifest import Entry
from mltrust.core.private_key import generate
from mltrust.core.report import Report
from mltrust.disk import private_keys
from mltrust.engines.threads import ThreadsEngine
from mltrust.interfaces import Means, RecordReader, Silent, Trust
from mltrust.operations.anchor import Placed
from mltrust.operations.seal import Labels, seal
from mltrust.operations.verify import verify
from mltrust.readers.opaque import OpaqueReader
from mltrust.readers.safetensors import SafetensorsReader
from mltrust.sources.local import LocalSource
from mltrust.testing.memory_source import MemorySource
from mltrust.verifying import sealed_exclusions

settings.register_profile("patient", deadline=None)  # how fast the machine is today proves nothing
settings.load_profile("patient")


@dataclass(frozen=True)
class Done:
    """A command that ended."""

    code: int
    out: str
    err: str

    def json(self):
        return json.loads(self.out)


@pytest.fixture(scope="session")
def run_installed():
    """Return what runs the installed command in a folder, with changes to the environment; it shows no traceback."""
    script = Path(sys.executable).with_name("mltrust")

    def run(folder, *arguments, **environment):
        done = subprocess.run(
            [str(script), *map(str, arguments)],
            cwd=folder,
            env={**os.environ, **environment},
            capture_output=True,
            check=False,
            timeout=120,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in err
        return Done(done.returncode, out, err)

    return run


@pytest.fixture(scope="session")
def on_terminal():
    """Return a function that has `start` run a command on a terminal, and types each answer when its prompt is there.

    `start` is given what `Popen` takes to do so. Returned are the code and all that is on the screen.
    """
    pty = pytest.importorskip("pty")

    def talk(start, *typed):
        parent, child = pty.openpty()
        with start(stdin=child, stdout=child, stderr=child, start_new_session=True) as process:
            os.close(child)
            screen = b""
            for prompt, answer in typed:
                while prompt not in screen:
                    screen += os.read(parent, 1024)
                os.write(parent, answer)
            with suppress(OSError):  # the terminal is closed
                while chunk := os.read(parent, 1024):
                    screen += chunk
            code = process.wait()
        os.close(parent)
        return code, screen.decode()

    return talk


@pytest.fixture(scope="session")
def run_many():
    """Return what runs many commands in a folder in one process, for the sake of time; they show no traceback."""
    script = Path(__file__).with_name("batch.py")

    def run(folder, commands, **environment):
        done = subprocess.run(
            [sys.executable, "-P", script],
            cwd=folder,
            env={**os.environ, **environment},
            input=json.dumps([[str(part) for part in command] for command in commands]).encode(),
            capture_output=True,
            check=False,
            timeout=120,
        )
        assert done.returncode == 0, done.stderr.decode()
        found = [Done(*each) for each in json.loads(done.stdout)]
        assert not any("Traceback" in each.err for each in found)
        return found

    return run


@pytest.fixture
def unmeasured(no_cover, monkeypatch):
    """Measure no coverage, neither here (so pytest-cov) nor in processes that are started.

    It is half of the time of a short process, and more of a long loop: for what other tests run as well.
    """
    for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session")
def safetensors_bytes() -> Callable[..., bytes]:
    """Return a builder of safetensors files that writes whatever it is told.

    `header` is JSON text, bytes or a value; `buffer` is bytes or a number of bytes; `length` is what
    the length field says, by default the truth.
    """

    def build(header: object, buffer: bytes | int = b"", length: int | None = None) -> bytes:
        if isinstance(header, str):
            header = header.encode("utf-8")
        if not isinstance(header, bytes):
            header = json.dumps(header).encode("utf-8")
        if isinstance(buffer, int):
            buffer = (b"0123456789abcdef" * (buffer // 16 + 1))[:buffer]
        return (len(header) if length is None else length).to_bytes(8, "little") + header + buffer

    return build


@pytest.fixture(scope="session")
def zstd():
    """Return the module that compresses by Zstandard."""
    return importlib.import_module("compression.zstd" if sys.version_info >= (3, 14) else "backports.zstd")


@pytest.fixture(scope="session")
def read_records() -> Callable[..., Entry]:
    """Return what has a reader of records read some bytes under a path."""

    def read(reader: RecordReader, path: str, data: bytes, suite: Suite = BLAKE3) -> Entry:
        source = MemorySource({path: data})
        [file] = source.files()
        parts = reader.parts(file, source)
        [segment] = parts.segments
        return parts.entry([segment.by.digest(segment, source, suite, Silent())])

    return read


@pytest.fixture
def means() -> Means:
    """Return the readers mltrust comes with and an engine of two threads."""
    return Means((SafetensorsReader(), OpaqueReader()), ThreadsEngine(2), Silent())


@pytest.fixture(scope="session")
def fill_model(safetensors_bytes: Callable[..., bytes]) -> Callable[[Path], Path]:
    """Return a function that fills a folder with a small model: two shards, their index and three other files."""

    def shard(*names: str) -> bytes:
        size = 24
        header: dict[str, object] = {"__metadata__": {"format": "pt", "shard": names[0]}}
        for number, name in enumerate(names):
            header[name] = {"dtype": "F32", "shape": [2, 3], "data_offsets": [number * size, (number + 1) * size]}
        content = b"".join((name.encode() * size)[:size] for name in names)
        return safetensors_bytes(header, content)

    def fill(folder: Path) -> Path:
        folder.mkdir(parents=True, exist_ok=True)
        shards = {"model-1.safetensors": ("embed", "layer.0"), "model-2.safetensors": ("head", "layer.1")}
        for file, names in shards.items():
            (folder / file).write_bytes(shard(*names))
        index = {
            "metadata": {"total_size": 96},
            "weight_map": {name: file for file, names in shards.items() for name in names},
        }
        (folder / "model.safetensors.index.json").write_text(json.dumps(index))
        (folder / "config.json").write_text('{"model_type": "tiny"}')
        (folder / "tokenizer").mkdir(exist_ok=True)
        (folder / "tokenizer" / "vocab.txt").write_text("a\nb\n")
        (folder / "tokenizer" / "merges.txt").write_text("")
        return folder

    return fill


@pytest.fixture
def fill_dataset() -> Callable[[Path], Path]:
    """Return a function that fills a folder with 3000 rows in five formats, and a file that has no rows."""
    pyarrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")

    def fill(folder: Path) -> Path:
        folder.mkdir(parents=True)
        rows = [{"id": number, "text": f"row {number}"} for number in range(3000)]
        lines = "".join(f"{json.dumps(row)}\n" for row in rows).encode()
        (folder / "train.jsonl").write_bytes(lines)
        (folder / "packed.jsonl.gz").write_bytes(gzip.compress(lines, mtime=0))
        (folder / "table.csv").write_text("id,text\n" + "".join(f"{row['id']},{row['text']}\n" for row in rows))
        parquet.write_table(pyarrow.Table.from_pylist(rows), folder / "table.parquet", row_group_size=700)
        with tarfile.open(folder / "shard.tar", "w") as shard:
            for row in rows[:20]:
                member = tarfile.TarInfo(f"{row['id']:04}.txt")
                member.size = len(str(row["text"]))
                shard.addfile(member, io.BytesIO(str(row["text"]).encode()))
        (folder / "README.md").write_text("# rows\n")
        return folder

    return fill


@pytest.fixture
def model_folder(tmp_path: Path, fill_model: Callable[[Path], Path]) -> Path:
    """Return a folder with the small model."""
    return fill_model(tmp_path / "model")


@pytest.fixture
def seal_folder(means: Means) -> Callable[..., Bundle]:
    """Return a function that seals a file or folder with the default exclusions and `exclude`."""

    def seal_it(path: Path, exclude: tuple[str, ...] = (), suite: Suite = BLAKE3) -> Bundle:
        source = LocalSource(path, (*DEFAULT_EXCLUDE, *exclude))
        return seal(source, means, suite, Labels(source.name, {}))[0]

    return seal_it


@pytest.fixture
def verify_folder(means: Means) -> Callable[..., Report]:
    """Return a function that verifies a file or folder as the seal says it was read."""

    def verify_it(path: Path, bundle: Bundle, trust: Trust | None = None) -> Report:
        source = LocalSource(path, sealed_exclusions(bundle))
        return verify(source, Placed(bundle), trust or Trust(content_only=True), means)[0]

    return verify_it


Place = tuple[str | int, ...]


@pytest.fixture
def edited() -> Callable[..., object]:
    """Return a function that returns a JSON document with another value at one place."""

    def edit(document: object, place: Place, value: object) -> object:
        copy = below = json.loads(json.dumps(document))
        for step in place[:-1]:
            below = below[step]
        below[place[-1]] = value
        return copy

    return edit


def _scalars(value: object, place: Place = ()) -> Iterator[tuple[Place, object]]:
    if isinstance(value, dict | list):
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from _scalars(below, (*place, key))
    else:
        yield place, value


@pytest.fixture
def edits(edited: Callable[..., object]) -> Callable[..., Iterator[tuple[Place, object]]]:
    """Return a function that yields a JSON document once for each of the `others` of each of its values, and where."""

    def edit(document: object, others: Callable[[object], Iterable[object]]) -> Iterator[tuple[Place, object]]:
        for place, value in _scalars(document):
            for other in others(value):
                yield place, edited(document, place, other)

    return edit


def _memory(field: str) -> int:
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1]) * 1024
    raise OSError(field)


@pytest.fixture
def memory_below() -> Callable[[int], object]:
    """Return a context that fails if the process grows by more than so many bytes inside it (Linux only)."""

    @contextmanager
    def below(limit: int) -> Iterator[None]:
        try:
            Path("/proc/self/clear_refs").write_text("5")  # the peak starts again from here
            before = _memory("VmRSS")
        except OSError:
            pytest.skip("peak memory can be measured on Linux only")
        yield
        assert _memory("VmHWM") - before < limit

    return below


@pytest.fixture(scope="session")
def new_key() -> Callable[..., Path]:
    """Return a function that writes a private key and its public one; of one `seed` it is always the same key."""

    def make(path: Path, kind: str = "ed25519", password: str | None = None, seed: int = 7) -> Path:
        if kind in ("ml-dsa-65", "hybrid"):
            pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa", reason="no ML-DSA here")
        private_keys.write(path, generate(kind, lambda size: bytes([seed]) * size), password, bytes)
        return path

    return make


@pytest.fixture
def ssh_agent() -> Iterator[Callable[..., str]]:
    """Return a function that starts an SSH agent with some private key files and returns the path of its socket."""
    if missing := [name for name in ("ssh-agent", "ssh-add") if shutil.which(name) is None]:
        pytest.skip(f"not installed: {', '.join(missing)}")
    folder = tempfile.mkdtemp(prefix="agent")  # a socket's path is short
    path, running = f"{folder}/socket", []

    def start(*keys: Path) -> str:
        agent = subprocess.Popen(["ssh-agent", "-D", "-a", path], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
        running.append(agent)
        assert agent.stdout is not None
        agent.stdout.readline()  # it listens
        environment = {**os.environ, "SSH_AUTH_SOCK": path}
        if keys:
            subprocess.run(["ssh-add", "-q", *map(str, keys)], env=environment, check=True, stdin=subprocess.DEVNULL)
        return path

    yield start
    for agent in running:
        agent.terminate()
        agent.communicate()
    shutil.rmtree(folder)
