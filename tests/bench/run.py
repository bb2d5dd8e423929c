"""Measure mltrust beside its peers on the same bytes (`make bench`, `make bench QUICK=1`)."""

import argparse
import shutil
import time
from collections.abc import Iterator
from pathlib import Path

import artifacts
import records
from artifacts import FULL, QUICK, Artifact
from breakdown import break_down
from cold import measure_cold
from commands import Bench
from growth import measure_growth
from page import page
from rounds import facts, measure, say
from tables import Result, sections

_ROUNDS, _QUICK_ROUNDS = 5, 2
_COLD_ROUNDS, _QUICK_COLD_ROUNDS = 2, 1
_PATIENCE, _QUICK_PATIENCE = 15.0, 1.0  # seconds for all runs of one peer
_QUICK_GROWTH = (("files", 1_000_000),)
_GROWTH = (*_QUICK_GROWTH, ("files", 10_000_000), ("tensors", 1_000_000))
_MAKERS = {
    "model": artifacts.model,
    "single": artifacts.single,
    "small": artifacts.small,
    "minilm": artifacts.minilm,
    "jsonl": records.jsonl,
    "csv": records.csv_rows,
    "parquet": records.parquet,
    "tar": records.tar,
}
_INSIDE = ("model", "small")  # what is measured cold, too, and broken down into steps


def main() -> None:
    """Generate what is missing, measure, print the tables, write the page."""
    options = _options()
    options.folder.mkdir(parents=True, exist_ok=True)
    result = _measured(options)
    print(sections(result))
    if options.output:
        options.output.write_text(page(result, options.date), encoding="utf-8")


def _measured(options: argparse.Namespace) -> Result:
    start, quick = time.monotonic(), options.quick
    bench = Bench(options.folder.resolve())
    shutil.rmtree(bench.home, ignore_errors=True)  # what is remembered of an earlier benchmark
    rounds = options.rounds or (_QUICK_ROUNDS if quick else _ROUNDS)
    cold_rounds = _QUICK_COLD_ROUNDS if quick else _COLD_ROUNDS
    patience = _QUICK_PATIENCE if quick else _PATIENCE
    chosen = list(_artifacts(bench.folder, QUICK if quick else FULL, options.only))
    tables = [measure(bench, artifact, rounds, patience, watch_all=not quick) for artifact in chosen]
    inside = [table for table in tables if table.artifact.key in _INSIDE]
    return Result(
        tables=tables,
        breakdowns=[break_down(bench, table.artifact, rounds) for table in inside],
        cold=[measure_cold(bench, table, cold_rounds, patience) for table in inside],
        growth=measure_growth(bench, _QUICK_GROWTH if quick else _GROWTH),
        facts=facts(bench, rounds),
        judged=not quick,
        rounds=rounds,
        cold_rounds=cold_rounds,
        patience=patience,
        folder=bench.folder,
        seconds=time.monotonic() - start,
    )


def _artifacts(folder: Path, scale: artifacts.Scale, keys: list[str]) -> Iterator[Artifact]:
    for key in keys:
        say(f"{key}: generating, unless it is there")
        artifact = _MAKERS[key](folder, scale)
        if artifact is None:
            say(f"{key}: the package it needs is not here; left out")
        else:
            yield artifact


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="smaller artifacts and fewer rounds: under two minutes")
    parser.add_argument(
        "--folder", type=Path, default=Path(".bench"), help="where artifacts are kept (default: .bench)"
    )
    parser.add_argument(
        "--only", nargs="+", choices=_MAKERS, default=list(_MAKERS), help="measure only these artifacts"
    )
    parser.add_argument("--rounds", type=int, help=f"how many (default: {_ROUNDS}, quick {_QUICK_ROUNDS})")
    parser.add_argument("--output", type=Path, help="write the page here")
    parser.add_argument("--date", help="stands on the page; none is looked up")
    return parser.parse_args()


if __name__ == "__main__":
    main()
