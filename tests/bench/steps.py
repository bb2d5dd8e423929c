"""The steps of `mltrust fingerprint`, one after the other and each alone. Runs as a process of its own."""

import gc
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from mltrust import api, registry
from mltrust.core.digest import BLAKE3
from mltrust.core.exclusion import DEFAULT_EXCLUDE
from mltrust.interfaces import ArtifactReader, ArtifactSource, FileEntry, Segment
from mltrust.operations.fingerprint import fingerprint

_BATCH = 65_536
_T = TypeVar("_T")


def main() -> None:
    """Print the seconds of every step as JSON."""
    gc.disable()  # as the command line does
    path, means = Path(sys.argv[1]), api.default_means()
    source = registry.load("sources", "local")(path, DEFAULT_EXCLUDE, None)
    files, listing = _timed(lambda: list(source.files()))
    segments, cutting = _timed(lambda: list(_cut(files, source, means.readers)))
    batches = [segments[begin : begin + _BATCH] for begin in range(0, len(segments), _BATCH)]
    _, hashing = _timed(lambda: list(means.engine.digest(batches, source, BLAKE3, means.progress)))
    reading, together = _timed(lambda: fingerprint(source, means, BLAKE3))
    fresh = replace(reading.manifest)  # a copy that does not know its root yet
    _, tree = _timed(lambda: fresh.root)
    print(json.dumps({"list": listing, "cut": cutting, "hash": hashing, "read": together, "tree": tree}))


def _timed(step: Callable[[], _T]) -> tuple[_T, float]:
    start = time.perf_counter()
    result = step()
    return result, time.perf_counter() - start


def _cut(files: Sequence[FileEntry], source: ArtifactSource, readers: Sequence[ArtifactReader]) -> Iterator[Segment]:
    """Cut files as their readers do; whole files are not asked for their parts, as in the command itself."""
    *cutters, _ = readers
    for file in files:
        reader = next((reader for reader in cutters if reader.accepts(file)), None)
        yield from reader.parts(file, source).segments if reader else (Segment(file, 0, file.size),)


if __name__ == "__main__":
    main()
