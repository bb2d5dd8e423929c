"""Millions of files without their bytes: what their manifest, tree and seal cost. `python tests/bench/scale.py N`.

Digests and sizes are drawn; all else is what a real run does: the manifest is packed as batches come, its leaves are
hashed meanwhile, the seal is written to a file and read again, and one file is proven to be in it. `--model` makes N
tensors in 1,000 shards instead. Each step is one line of JSON; memory is anonymous, and a peak.
"""

import argparse
import json
import random
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import TypeVar

from mltrust.core.bundle import Bundle
from mltrust.core.changes import changes_between
from mltrust.core.digest import BLAKE3
from mltrust.core.exclusion import DEFAULT_EXCLUDE
from mltrust.core.manifest import Kind, Leaf, Manifest, ManifestBuilder, safetensors_entry
from mltrust.core.merkle import verify_inclusion
from mltrust.sealfile import put, read_seal_file
from mltrust.statements.seal import Parameters, ReaderVersion, contradictions, seal_statement

_TOTAL = 10**12
_BATCH = 2**16
_FOLDER = 1000
_SHARDS = 1000
_TICK = 0.02
T = TypeVar("T")


class Peak:
    """The most anonymous memory this process has while it is watched, sampled."""

    def __init__(self) -> None:
        self._done = threading.Event()
        self._peak = 0
        self._watch = threading.Thread(target=self._look, daemon=True)

    def __enter__(self) -> "Peak":
        self._watch.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._done.set()
        self._watch.join()

    def _look(self) -> None:
        while not self._done.wait(_TICK):
            self._peak = max(self._peak, _anonymous())

    @property
    def megabytes(self) -> float:
        """The peak in units of 10^6 bytes."""
        return round(max(self._peak, _anonymous()) / 1e6, 1)


def _anonymous() -> int:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("RssAnon:")[2].split()[0]) * 1024


class Steps:
    """Runs steps, and prints what each took: seconds on the clock, and of the processor."""

    def __init__(self, entries: int) -> None:
        self._entries = entries

    def run(self, step: str, work: Callable[[], T], size: Callable[[T], int]) -> T:
        """Run one step; `size` says how many bytes it was about."""
        with Peak() as peak:
            start, cpu = time.perf_counter(), time.process_time()
            done = work()
            seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        line = {"entries": self._entries, "step": step, "seconds": round(seconds, 3), "cpu_seconds": round(cpu, 3)}
        print(json.dumps({**line, "anonymous_mb": peak.megabytes, "bytes": size(done)}), flush=True)
        return done


def _files(entries: int) -> Manifest:
    builder = ManifestBuilder(eager=True)
    chance, mean = random.Random(1), _TOTAL // entries
    for start in range(0, entries, _BATCH):
        numbers = range(start, min(start + _BATCH, entries))
        drawn = chance.randbytes(32 * len(numbers))
        builder.add_files(
            [f"data/{number // _FOLDER:06d}/sample-{number:09d}.jpg" for number in numbers],
            [mean // 2 + chance.randrange(mean) for _ in numbers],
            [drawn[at : at + 32] for at in range(0, len(drawn), 32)],
        )
    return builder.build()


def _model(tensors: int) -> Manifest:
    builder = ManifestBuilder(eager=True)
    chance, size = random.Random(1), _TOTAL // tensors
    for shard in range(_SHARDS):
        header = Leaf(Kind.ST_HEADER, "", 100_000, chance.randbytes(32))
        leaves = [_tensor(number, size, chance) for number in range(shard, tensors, _SHARDS)]
        path = f"model-{shard + 1:05d}-of-{_SHARDS:05d}.safetensors"
        builder.add(safetensors_entry(path, header, leaves, [("format", "pt")]))
    return builder.build()


def _tensor(number: int, size: int, chance: random.Random) -> Leaf:
    name = f"model.layers.{number // 100:05d}.mlp.experts.{number % 100:03d}.down_proj.weight"
    return Leaf(Kind.TENSOR, name, size, chance.randbytes(32), dtype="BF16", shape=(size // 4096, 2048))


def _sealed(manifest: Manifest) -> Bundle:
    readers = (ReaderVersion(name="safetensors", version=1), ReaderVersion(name="opaque", version=1))
    parameters = Parameters(exclude=DEFAULT_EXCLUDE, readers=readers)
    return Bundle(seal_statement("scale", manifest, BLAKE3, parameters), manifest)


def _proven(manifest: Manifest, root: bytes) -> list[bytes]:
    index = manifest.size * 2 // 3
    path = manifest.tree().inclusion_path(index)
    assert verify_inclusion(manifest.entry(index).leaf.data(), index, manifest.size, path, root)
    return path


def main() -> None:
    """Run all steps and print their lines."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("entries", type=int)
    parser.add_argument("--model", action="store_true")
    asked = parser.parse_args()
    steps = Steps(asked.entries)
    manifest = steps.run("build", lambda: (_model if asked.model else _files)(asked.entries), lambda made: made.bytes)
    bundle = steps.run("tree", lambda: _sealed(manifest), lambda _: manifest.bytes)
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "scale.seal.json"
        steps.run("write", lambda: put(file, bundle, None), lambda _: file.stat().st_size)
        again = steps.run("read", lambda: read_seal_file(file), lambda _: file.stat().st_size)
    odd = steps.run("agree", lambda: _disagreements(bundle, again), lambda _: manifest.bytes)
    assert not odd, odd
    steps.run("path", lambda: _proven(manifest, manifest.root), lambda path: sum(map(len, path)))


def _disagreements(bundle: Bundle, again: Bundle) -> list[str]:
    odd = contradictions(again.statement, again.manifest)
    odd += ["the manifest"] * (again != bundle)
    return odd + ["a difference"] * len(changes_between(bundle.manifest, again.manifest))


if __name__ == "__main__":
    main()
