"""Where the time of `mltrust fingerprint` goes."""

import json
import statistics
import sys
from dataclasses import dataclass
from pathlib import Path

import artifacts
from artifacts import Artifact
from commands import Bench, mltrust
from measure import run
from rounds import say

_CHILD = Path(__file__).with_name("steps.py")
_START = "start and end the process, measured on a model of one tensor"
_STEPS = {
    "list": "list the files, alone",
    "cut": "cut them into segments, alone",
    "hash": "hash the segments, alone",
    "tree": "build the tree, alone",
    "read": "all four as they overlap, and pack the manifest",
}


@dataclass(frozen=True)
class Breakdown:
    """Seconds of every step on one artifact, and of the whole command; medians."""

    artifact: Artifact
    steps: dict[str, float]
    whole: float

    @property
    def start(self) -> float:
        """The seconds of a run that has nothing to read."""
        return self.steps[_START]


def break_down(bench: Bench, artifact: Artifact, rounds: int) -> Breakdown:
    """Run the steps one after the other in a process of their own, each time beside the whole command."""
    say(f"{artifact.title}: where the time goes")
    tiny = artifacts.tiny(bench.folder)
    starts, wholes, steps = [], [], []
    for _ in range(rounds):
        starts.append(_fingerprint(bench, tiny))
        wholes.append(_fingerprint(bench, artifact))
        steps.append(json.loads(run((sys.executable, str(_CHILD), str(artifact.path)), bench.environment).output))
    medians = {told: statistics.median(times[key] for times in steps) for key, told in _STEPS.items()}
    return Breakdown(artifact, {_START: statistics.median(starts), **medians}, statistics.median(wholes))


def _fingerprint(bench: Bench, artifact: Artifact) -> float:
    return run((mltrust(), "fingerprint", str(artifact.path)), bench.environment).seconds
