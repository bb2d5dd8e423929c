"""At scale: manifests and trees of millions of entries, measured by `scale.py` in a process of its own."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from commands import Bench
from measure import run
from rounds import say

_CHILD = Path(__file__).with_name("scale.py")


@dataclass(frozen=True)
class Growth:
    """One step at a number of entries; MB of anonymous memory and bytes of what it was about, where it says so."""

    kind: str
    entries: int
    step: str
    seconds: float | None
    anonymous_mb: float | None
    bytes: int | None


def measure_growth(bench: Bench, what: Sequence[tuple[str, int]]) -> list[Growth]:
    """Run every step on each of `what`: ("files" or "tensors", how many)."""
    found: list[Growth] = []
    for kind, entries in what:
        say(f"{entries:,} {kind}")
        options = ("--model",) if kind == "tensors" else ()
        output = run((sys.executable, str(_CHILD), str(entries), *options), bench.environment).output
        found += [_parse(kind, line) for line in output.splitlines() if line.strip()]
    return found


def _parse(kind: str, line: str) -> Growth:
    said = json.loads(line)
    return Growth(kind, said["entries"], said["step"], *(said.get(key) for key in ("seconds", "anonymous_mb", "bytes")))
