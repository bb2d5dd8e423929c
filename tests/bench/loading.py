"""Loading what is verified beside loading what is not. `python tests/bench/loading.py [--gib 1] [--rounds 7] [--cold]`.

A model is generated and sealed: many tensors, or one. Each way to load it runs in a process of its own, in turn;
the time begins after the libraries are imported, and ends when every byte of every tensor was added up. Each ratio
is to the library's own load of the same round, by the median. With `--cold`, the file leaves the page cache before.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import mltrust

_MIB = 2**20
_SHAPES = {"64 tensors": 64, "1 tensor": 1}
_TRUST = mltrust.Trust(content_only=True)
Tensors = dict[str, Any]


def _numpy_sum(tensors: Tensors) -> int:
    import numpy

    return sum(int(array.reshape(-1).view(numpy.uint64).sum()) for array in tensors.values())


def _torch_sum(tensors: Tensors) -> int:
    import torch

    return sum(int(tensor.view(torch.int64).sum()) for tensor in tensors.values())


def _plain_numpy(path: Path) -> Tensors:
    from safetensors.numpy import load_file

    found: Tensors = load_file(path)
    return found


def _plain_torch(path: Path) -> Tensors:
    from safetensors.torch import load_file

    found: Tensors = load_file(path)
    return found


def _private_torch(path: Path) -> Tensors:
    return {name: tensor.clone() for name, tensor in _plain_torch(path).items()}


def _verified_before(path: Path) -> Tensors:
    mltrust.verify(path, trust=_TRUST).require()
    return _plain_torch(path)


def _ours(framework: str) -> Callable[[Path], Tensors]:
    return lambda path: mltrust.load_file(path, None, _TRUST, framework=framework)


WAYS: dict[str, tuple[Callable[[Path], Tensors], Callable[[Tensors], int], str]] = {
    "numpy: safetensors": (_plain_numpy, _numpy_sum, ""),
    "numpy: mltrust": (_ours("numpy"), _numpy_sum, "numpy: safetensors"),
    "torch: safetensors, mapped": (_plain_torch, _torch_sum, ""),
    "torch: safetensors, copied": (_private_torch, _torch_sum, "torch: safetensors, mapped"),
    "torch: mltrust verify, then safetensors": (_verified_before, _torch_sum, "torch: safetensors, mapped"),
    "torch: mltrust": (_ours("torch"), _torch_sum, "torch: safetensors, mapped"),
    "torch: mltrust, beside copied": (_ours("torch"), _torch_sum, "torch: safetensors, copied"),
}
"""How to load, what touches every byte, and what it is compared with."""


def _timed(way: str, path: Path, warm: Path) -> None:
    """Load once, and print how long it took; a small model before that has everything imported."""
    load, add, _ = WAYS[way]
    add(load(warm))
    start = time.perf_counter()
    total = add(load(path))
    print(json.dumps([time.perf_counter() - start, total % 2**64]))


def _drop(path: Path) -> None:
    """Have the system forget the pages of a file, which nobody has mapped now."""
    with path.open("rb") as opened:
        os.fsync(opened.fileno())
        os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)


def _round(path: Path, warm: Path, *, cold: bool) -> Iterator[tuple[str, float]]:
    totals = set()
    for way in WAYS:
        if cold:
            _drop(path)
        argv = (sys.executable, __file__, "--way", way, str(path), str(warm))
        seconds, total = json.loads(subprocess.run(argv, capture_output=True, check=True).stdout)
        totals.add(total)
        yield way, seconds
    if len(totals) != 1:
        raise SystemExit(f"they loaded different tensors: {totals}")


@contextmanager
def _model(size: int, tensors: int) -> Iterator[Path]:
    import numpy
    from safetensors.numpy import save_file

    chance = numpy.random.default_rng(1)
    each = size // tensors // 8
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.safetensors"
        save_file({f"{number:03}": chance.integers(0, 2**62, each) for number in range(tensors)}, path)
        mltrust.seal(path)
        yield path


def main() -> None:
    """Print a line of JSON for each way and each model."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--gib", type=float, default=1)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cold", action="store_true")
    parser.add_argument("--way", help=argparse.SUPPRESS)
    parser.add_argument("paths", nargs="*", type=Path, help=argparse.SUPPRESS)
    asked = parser.parse_args()
    if asked.way:
        _timed(asked.way, *asked.paths)
        return
    for title, tensors in _SHAPES.items():
        with _model(int(asked.gib * 1024) * _MIB, tensors) as path, _model(_MIB, 1) as warm:
            rounds = [dict(_round(path, warm, cold=asked.cold)) for _ in range(asked.rounds)]
        for way, (_, _, beside) in WAYS.items():
            seconds = [each[way] for each in rounds]
            line = {
                "model": title,
                "way": way,
                "median": round(statistics.median(seconds), 4),
                "min": round(min(seconds), 4),
            }
            if beside:
                ratio = statistics.median(each[way] / each[beside] for each in rounds)
                line |= {"ratio": round(ratio, 2), "to": beside}
            print(json.dumps(line), flush=True)


if __name__ == "__main__":
    main()
