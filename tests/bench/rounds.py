"""Rounds: every command in turn, each beside a run of the yardstick."""

import json
import os
import statistics
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from artifacts import Artifact
from commands import Bench, Command, mltrust
from measure import Memory, Run, memory, run
from ours import ours, readers
from peers import peers


@dataclass(frozen=True)
class Row:
    """What came out for one command, round by round.

    `ratios` are to the run of the yardstick just before; `shares` to the full run of the same command in that round.
    """

    command: Command
    runs: tuple[Run, ...]
    ratios: tuple[float, ...]
    shares: tuple[float, ...] = ()
    memory: Memory | None = None

    @property
    def seconds(self) -> float:
        """The median of the seconds."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def ratio(self) -> float | None:
        """The median of the ratios; None where the yardstick is not here."""
        return statistics.median(self.ratios) if self.ratios else None

    @property
    def share(self) -> float | None:
        """The median of the shares."""
        return statistics.median(self.shares) if self.shares else None


@dataclass(frozen=True)
class Table:
    """What came out for one artifact: the load average before and after, and the readers its seal names."""

    artifact: Artifact
    rows: tuple[Row, ...]
    load: tuple[float, float]
    readers: tuple[str, ...]


@dataclass(frozen=True)
class Fact:
    """A promise in absolute numbers: what was measured, each time, and the limit."""

    name: str
    unit: str
    values: tuple[float, ...]
    limit: float

    @property
    def value(self) -> float:
        """The median."""
        return statistics.median(self.values)


def measure(bench: Bench, artifact: Artifact, rounds: int, patience: float, *, watch_all: bool) -> Table:
    """Measure all commands on one artifact: first a round that warms the cache and watches memory, then the rounds.

    A peer runs in as many rounds as fit into `patience` seconds, at least one; without `watch_all` it takes no part
    in the first.
    """
    say(f"{artifact.title}: preparing")
    yardstick, *others = commands = [bench.yardstick(artifact), *peers(bench, artifact), *ours(bench, artifact)]
    load = os.getloadavg()[0]
    peaks = {command.name: _peak(bench, command) for command in commands if watch_all or command.ours}
    runs: dict[str, list[Run]] = {command.name: [] for command in commands}
    beside: dict[str, list[Run]] = {command.name: [] for command in commands}
    for number in range(rounds):
        say(f"{artifact.title}: round {number + 1} of {rounds}")
        for command in others:
            if _takes_part(command, runs[command.name], patience):
                beside[command.name] += [timed(bench, yardstick)] if yardstick.argv else []
                runs[command.name].append(timed(bench, command))
    beside[yardstick.name] = runs[yardstick.name] = [run for found in beside.values() for run in found]
    rows = (_row(command, runs, beside[command.name], peaks.get(command.name)) for command in commands)
    return Table(artifact, tuple(rows), (load, os.getloadavg()[0]), readers(bench, artifact))


def _takes_part(command: Command, runs: list[Run], patience: float) -> bool:
    spent = sum(run.seconds for run in runs)
    return bool(command.argv) and (command.ours or not runs or spent + runs[-1].seconds <= patience)


def _row(command: Command, runs: dict[str, list[Run]], beside: list[Run], peak: Memory | None) -> Row:
    own = runs[command.name]
    return Row(command, tuple(own), ratios(own, beside), ratios(own, runs.get(command.full, [])), peak)


def ratios(runs: Sequence[Run], others: Sequence[Run]) -> tuple[float, ...]:
    """Return the seconds of each run by those of the other of its round."""
    return tuple(run.seconds / other.seconds for run, other in zip(runs, others, strict=False))


def facts(bench: Bench, rounds: int) -> list[Fact]:
    """Measure what is promised in absolute numbers: the start of the program and the tree of a million leaves."""
    say("the start of the program and the tree")
    helps = [run((mltrust(), "--help"), bench.environment).seconds for _ in range(3 * rounds)]
    build = (sys.executable, str(Path(__file__).with_name("tree.py")))
    trees = [json.loads(run(build, bench.environment).output) for _ in range(rounds)]
    peak = memory(build, bench.environment)
    found = [
        Fact("mltrust --help, whole process", "s", tuple(helps), 0.25),
        Fact("tree of 1,000,000 leaves, built", "s", tuple(tree["build"] for tree in trees), 2.5),
        Fact("one inclusion path in it", "ms", tuple(1000 * tree["path"] for tree in trees), 0.2),
    ]
    if peak is not None:
        found.append(Fact("anonymous memory of that process", "MB", (peak.anonymous,), 200))
    return found


def say(text: str) -> None:
    """Say how far the benchmark is."""
    print(text, file=sys.stderr, flush=True)


def timed(bench: Bench, command: Command) -> Run:
    """Run a command once, with what must be done before."""
    command.before()
    return run(command.argv, bench.environment)


def _peak(bench: Bench, command: Command) -> Memory | None:
    """Run a command once, uncounted, to watch its memory."""
    if not command.argv:
        return None
    command.before()
    return memory(command.argv, bench.environment)
