"""The folder that every tool records, and what happens to it afterwards."""

import json
import os
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

SHAPES = {"embed.weight": (8, 4), "layer.0.weight": (4, 4), "layer.1.weight": (4, 4), "layer.0.bias": (4,)}
WEIGHTS, GGUF, ROWS = "model.safetensors", "model.gguf", "train.jsonl"


def _data(name: str) -> bytes:
    """Return the bytes of a tensor: one value, which no other tensor has."""
    elements = 1
    for size in SHAPES[name]:
        elements *= size
    return bytes([list(SHAPES).index(name) + 1]) * (4 * elements)


def _safetensors(names: list[str], metadata: dict[str, str]) -> bytes:
    header: dict[str, object] = {"__metadata__": metadata}
    body = b""
    for name in names:
        begin, body = len(body), body + _data(name)
        header[name] = {"dtype": "F32", "shape": SHAPES[name], "data_offsets": [begin, len(body)]}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + body


def _gguf() -> bytes:
    """Return the same tensors as GGUF, version 3, aligned to 32 bytes."""

    def string(text: str) -> bytes:
        return struct.pack("<Q", len(text)) + text.encode()

    head = b"GGUF" + struct.pack("<IQQ", 3, len(SHAPES), 1)
    head += string("general.architecture") + struct.pack("<I", 8) + string("llama")
    body = b""
    for name, shape in SHAPES.items():
        sizes = b"".join(struct.pack("<Q", size) for size in reversed(shape))
        head += string(name) + struct.pack("<I", len(shape)) + sizes + struct.pack("<IQ", 0, len(body))
        body += _data(name) + bytes(-len(_data(name)) % 32)
    return head + bytes(-len(head) % 32) + body


def make(folder: Path, weights: str) -> None:
    """Write a small model with five rows of data; `weights` is the name of the file of its tensors."""
    folder.mkdir()
    made = _gguf() if weights == GGUF else _safetensors(list(SHAPES), {"format": "pt"})
    (folder / weights).write_bytes(made)
    (folder / "config.json").write_text('{"hidden_size": 4}\n')
    (folder / "tokenizer.json").write_text('{"version": "1.0"}\n')
    (folder / ROWS).write_text("".join(json.dumps({"id": row, "text": f"row {row}"}) + "\n" for row in range(1, 6)))


@dataclass(frozen=True)
class Change:
    """What happens to the folder, and the words by which a tool's output names it, from the finest to the coarsest."""

    title: str
    happen: Callable[[Path], None]
    words: tuple[tuple[str, tuple[str, ...]], ...] = ()  # what is named: all of these texts, in lines that report it


def _weights(folder: Path) -> Path:
    return next(path for path in (folder / WEIGHTS, folder / GGUF) if path.exists())


def _replace(path: Path, *pairs: tuple[bytes, bytes]) -> None:
    data = path.read_bytes()
    for old, new in pairs:
        place = data.rfind(old)
        data = data[:place] + new + data[place + len(old) :]
    path.write_bytes(data)


def _byte(folder: Path) -> None:
    bias = _data("layer.0.bias")
    _replace(_weights(folder), (bias, b"\xff" + bias[1:]))


def _swap(folder: Path) -> None:
    one, two = _data("layer.0.weight"), _data("layer.1.weight")
    _replace(_weights(folder), (one + two, two + one))


def _metadata(folder: Path) -> None:
    path = _weights(folder)
    _replace(path, (b'"pt"', b'"np"') if path.name == WEIGHTS else (b"llama", b"mpt2a"))


def _shards(folder: Path) -> None:
    names = list(SHAPES)
    mapped: dict[str, str] = {}
    for number, part in enumerate((names[:2], names[2:]), 1):
        shard = f"model-{number:05}-of-00002.safetensors"
        (folder / shard).write_bytes(_safetensors(part, {"format": "pt"}))
        mapped |= dict.fromkeys(part, shard)
    size = sum(len(_data(name)) for name in names)
    index = {"metadata": {"total_size": size}, "weight_map": mapped}
    (folder / "model.safetensors.index.json").write_text(json.dumps(index))
    (folder / WEIGHTS).unlink()


def _rows(order: list[int]) -> Callable[[Path], None]:
    def happen(folder: Path) -> None:
        lines = (folder / ROWS).read_text().splitlines(keepends=True)
        (folder / ROWS).write_text("".join(lines[row - 1] for row in order))

    return happen


def _row(folder: Path) -> None:
    _replace(folder / ROWS, (b"row 3", b"row three"))


def _leave(_: Path) -> None:
    """Change nothing."""


def _touch(folder: Path) -> None:
    os.utime(_weights(folder), (1, 1))


def _add(folder: Path) -> None:
    (folder / "extra.py").write_text("x\n")


def _remove(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()


def _rename(folder: Path) -> None:
    (folder / "tokenizer.json").rename(folder / "tokens.json")


_TENSOR = ("the tensor", ("layer.0.bias",))
_TENSORS = ("both tensors", ("layer.0.weight", "layer.1.weight"))
_HEADER = ("the header", ("header",))
_FILE = (("the file", ("model.",)), ("the file", ("File does not match",)))  # of one file, one tool says no more
_ROW = ("the row", ("row 3",))
_ROWS = ("the rows moved", ("moved",))
_FILE_OF_ROWS = ("the file", (ROWS,))
_SHARDS = (
    ("same weights, other files", ("same weights",)),
    ("one file gone, three new", ("00001-of", "00002-of", "index.json", WEIGHTS)),
    ("one file gone", (WEIGHTS,)),
)
_RENAMED = (
    ("renamed, both names", ("renamed", "tokenizer.json", "tokens.json")),
    ("one gone, one new", ("tokenizer.json", "tokens.json")),
    ("one gone", ("tokenizer.json",)),
)
_KEY = (("the key", ("release.key.pub",)), ("the key", ("Key mismatch",)))

NOTHING = Change("nothing", _leave)
FORGED = Change("one byte of one tensor, and whoever did it makes the record again", _byte, _KEY)
CHANGES = (
    NOTHING,
    Change("no content: times only", _touch),
    Change("one byte of one tensor", _byte, (_TENSOR, *_FILE)),
    Change("two tensors of one shape trade places", _swap, (_TENSORS, *_FILE)),
    Change("metadata in the header of the weights", _metadata, (_HEADER, *_FILE)),
    Change("same weights, saved as two shards", _shards, _SHARDS),
    Change("a file is added", _add, (("the file", ("extra.py",)),)),
    Change("a file is removed", _remove, (("the file", ("tokenizer.json",)),)),
    Change("a file is renamed", _rename, _RENAMED),
    Change("one row of a dataset", _row, (_ROW, _FILE_OF_ROWS)),
    Change("rows in another order", _rows([2, 1, 3, 4, 5]), (_ROWS, _FILE_OF_ROWS)),
)
