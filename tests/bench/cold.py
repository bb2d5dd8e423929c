"""Cold: the same commands when nothing of the artifact is in the page cache."""

import os
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import artifacts
from artifacts import Artifact
from commands import Bench, Command
from measure import Run
from ours import ours
from peers import peers
from rounds import Row, Table, ratios, say, timed

_DROP = Path("/proc/sys/vm/drop_caches")
_EVERYTHING = "3"  # pages, and what is known of folders and files
_NAMES = ("openssl dgst -sha256", "model_signing verify key", "mltrust verify")


@dataclass(frozen=True)
class ColdTable:
    """What came out for one artifact, and how the cache was emptied."""

    artifact: Artifact
    rows: tuple[Row, ...]
    how: str


def measure_cold(bench: Bench, warm: Table, rounds: int, patience: float) -> ColdTable:
    """Measure some commands again, each after the cache was emptied; all of a round are compared with its one b3sum.

    Before each, the same command runs on a tiny artifact: the programs themselves are warm. What took more than
    `patience` seconds with a warm cache runs in one round only.
    """
    known = {row.command.name: row for row in warm.rows}
    rows = [row for row in (warm.rows[0], *map(known.get, _NAMES)) if row and row.runs]
    starts = _starts(bench)
    runs: dict[str, list[Run]] = {row.command.name: [] for row in rows}
    how = ""
    for number in range(rounds):
        say(f"{warm.artifact.title}: cold round {number + 1} of {rounds}")
        for command in (row.command for row in rows if number == 0 or row.seconds <= patience):
            how = empty_cache(warm.artifact.files)
            timed(bench, starts[command.name])
            runs[command.name].append(timed(bench, command))
    beside = runs.get(warm.rows[0].command.name, [])
    return ColdTable(warm.artifact, tuple(_row(row.command, runs[row.command.name], beside) for row in rows), how)


def _starts(bench: Bench) -> dict[str, Command]:
    tiny = artifacts.tiny(bench.folder)
    return {row.name: row for row in (bench.yardstick(tiny), *peers(bench, tiny), *ours(bench, tiny))}


def _row(command: Command, runs: list[Run], beside: list[Run]) -> Row:
    return Row(command, tuple(runs), ratios(runs, beside))


def empty_cache(files: Sequence[Path]) -> str:
    """Drop everything the kernel keeps of files; where that is not allowed, ask it to drop the bytes of these files."""
    os.sync()  # what is not written yet stays
    with suppress(OSError):
        _DROP.write_text(_EVERYTHING)
        return f"{_EVERYTHING} written to {_DROP}"
    for file in files:
        with file.open("rb") as opened:
            os.posix_fadvise(opened.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
    return "posix_fadvise(DONTNEED) on every file; what the kernel knows of folders and file sizes stays warm"
