"""Whole processes, measured from outside."""

import os
import subprocess
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

MIB = 2**20
_EVERY = 0.004  # seconds between two looks at the memory
_PROC = Path("/proc")
_BUSY = (0, 1, 2, 5, 6, 7)  # user, nice, system, irq, softirq, steal of the first line of /proc/stat


@dataclass(frozen=True)
class Run:
    """One run: wall-clock seconds, CPU seconds of the process with its children, and of everybody else meanwhile."""

    seconds: float
    cpu: float
    others: float
    output: str

    @property
    def quiet(self) -> bool:
        """Whether others used less than a twentieth of the machine meanwhile."""
        return self.others < 0.05 * self.seconds * (os.cpu_count() or 1) + 0.02


@dataclass(frozen=True)
class Memory:
    """The peak of a process with its children in MB: all that is resident, and the anonymous part of it."""

    resident: float
    anonymous: float


def run(argv: Sequence[str], environment: dict[str, str]) -> Run:
    """Run a command to its end; a failure ends the benchmark, so that no error passes for speed."""
    with tempfile.TemporaryFile("w+") as out, tempfile.TemporaryFile("w+") as err:
        busy, start = _machine_busy(), time.perf_counter()
        process = subprocess.Popen(argv, stdout=out, stderr=err, env=environment)
        _, status, usage = os.wait4(process.pid, 0)
        seconds = time.perf_counter() - start
        process.returncode = os.waitstatus_to_exitcode(status)
        err.seek(0)
        if process.returncode:
            raise SystemExit(f"{' '.join(argv[:6])} ended with {process.returncode}: {err.read()[-500:]}")
        cpu = usage.ru_utime + usage.ru_stime
        out.seek(0)
        return Run(seconds, cpu, max(0.0, _machine_busy() - busy - cpu), out.read(MIB))


def memory(argv: Sequence[str], environment: dict[str, str]) -> Memory | None:
    """Run a command only to watch its memory; None where the kernel does not show it, or there was no time to look."""
    if not (_PROC / "self/smaps_rollup").exists():
        return None
    resident = anonymous = 0
    process = subprocess.Popen(argv, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    while process.poll() is None:
        now = [_resident(pid) for pid in _tree(process.pid)]
        resident = max(resident, sum(pages for pages, _ in now))
        anonymous = max(anonymous, sum(pages for _, pages in now))
        time.sleep(_EVERY)
    return Memory(resident * 1024 / 1e6, anonymous * 1024 / 1e6) if resident else None


def _machine_busy() -> float:
    """Return the seconds all processors have been busy."""
    try:
        fields = (_PROC / "stat").read_text().splitlines()[0].split()[1:]
    except FileNotFoundError:
        return 0.0
    return sum(int(fields[place]) for place in _BUSY) / os.sysconf("SC_CLK_TCK")


def _tree(pid: int) -> Iterator[int]:
    yield pid
    with suppress(OSError):
        for children in (_PROC / str(pid) / "task").glob("*/children"):
            for child in children.read_text().split():
                yield from _tree(int(child))


def _resident(pid: int) -> tuple[int, int]:
    """Return the resident and the anonymous KiB of a process; pages it shares with others count by its part."""
    try:
        text = (_PROC / str(pid) / "smaps_rollup").read_text()
    except OSError:  # it has ended
        return 0, 0
    sizes = {line.split()[0]: int(line.split()[1]) for line in text.splitlines()[1:]}
    return sizes.get("Rss:", 0), sizes.get("Pss_Anon:", sizes.get("Anonymous:", 0))
