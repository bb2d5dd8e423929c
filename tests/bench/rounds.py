"""Rounds: every command in turn, each beside a run of the yardstick."""

import json
import os
import statistics
import sys
import time
from dataclasses import dataclass
from pathlib import Path

from artifacts import Artifact
from commands import Bench, Command, mltrust
from measure import Memory, Run, memory, run


@dataclass(frozen=True)
class Row:
    """What came out for one command; `ratios` are to the run of the yardstick just before, round by round."""

    command: Command
    runs: tuple[Run, ...]
    ratios: tuple[float, ...]
    memory: Memory | None

    @property
    def seconds(self) -> float:
        """The median of the seconds."""
        return statistics.median(run.seconds for run in self.runs)

    @property
    def ratio(self) -> float:
        """The median of the ratios."""
        return statistics.median(self.ratios)


@dataclass(frozen=True)
class Table:
    """What came out for one artifact."""

    artifact: Artifact
    rows: tuple[Row, ...]
    load: tuple[float, float]


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


def measure(bench: Bench, artifact: Artifact, rounds: int, patience: float) -> Table:
    """Measure all commands on one artifact: first a round that warms the cache and watches memory, then the rounds.

    A peer that took more than `patience` seconds then runs in one round only; its row says so.
    """
    say(f"{artifact.title}: preparing")
    yardstick, *others = commands = [bench.yardstick(artifact), *bench.commands(artifact)]
    if not yardstick.argv:
        raise SystemExit("b3sum is not installed, and everything is compared with it")
    load = os.getloadavg()[0]
    warm = {command.name: _warm(bench, command) for command in commands}
    runs: dict[str, list[Run]] = {command.name: [] for command in commands}
    ratios: dict[str, list[float]] = {command.name: [] for command in commands}
    for number in range(rounds):
        say(f"{artifact.title}: round {number + 1} of {rounds}")
        for command in (c for c in others if c.argv and (number == 0 or c.ours or warm[c.name][1] <= patience)):
            beside = _run(bench, yardstick)
            runs[yardstick.name].append(beside)
            ratios[yardstick.name].append(1.0)
            runs[command.name].append(_run(bench, command))
            ratios[command.name].append(runs[command.name][-1].seconds / beside.seconds)
    rows = (Row(c, tuple(runs[c.name]), tuple(ratios[c.name]), warm[c.name][0]) for c in commands)
    return Table(artifact, tuple(rows), (load, os.getloadavg()[0]))


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
        found.append(Fact("anonymous memory of that process", "MB", (peak.anonymous * 2**20 / 1e6,), 200))
    return found


def say(text: str) -> None:
    """Say how far the benchmark is."""
    print(text, file=sys.stderr, flush=True)


def _run(bench: Bench, command: Command) -> Run:
    for path in command.remove:
        path.unlink(missing_ok=True)
    return run(command.argv, bench.environment)


def _warm(bench: Bench, command: Command) -> tuple[Memory | None, float]:
    """Run a command once, uncounted; return its peak of memory and its seconds."""
    for path in command.remove:
        path.unlink(missing_ok=True)
    start = time.perf_counter()
    peak = memory(command.argv, bench.environment) if command.argv else None
    return peak, time.perf_counter() - start
