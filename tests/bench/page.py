"""The tables, and the page `docs/benchmarks.md` made of them."""

import os
import platform
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from rounds import Fact, Row, Table

_HEADINGS = ("command", "s, median (min-max)", "MB/s", "CPU s", "RSS MiB", "anonymous MiB", "x b3sum")
_TAIL = ("quiet runs", "promised", "")
_INTRO = """# Benchmarks

Ratios are what mltrust promises, not seconds: every command runs as a whole process on the same bytes, right
after a run of `b3sum` on them, and its ratio is the median over the rounds of its seconds by those of that `b3sum`.
"""
_METHOD = """## How it was measured

- The page cache is warm: a first round, not counted, reads everything and watches memory (all processes of a
  command together; RSS includes mapped files, anonymous memory does not).
- Commands take turns round by round; no round is dropped. A run is called quiet if other processes used less than
  a twentieth of the machine meanwhile. Where few runs are quiet, trust ratios more than seconds.
- `b3sum` and the `sha256` programs get a ready list of files; mltrust and model-signing list the folder themselves.
- mltrust `fingerprint`, `seal` and `verify` name every tensor and check before and after reading that no file
  changed; `seal` also writes the seal durably and cross-checks headers with the safetensors library.
- Cold caches, network file systems and other processors are not measured here.

## Measure again

```sh
make bench            # full size: about 9 GB of disk in .bench/, about twenty minutes
make bench QUICK=1    # a quarter to a tenth of it, under two minutes
make bench ARGS='--output docs/benchmarks.md --date 2025-01-31'
```
"""


_NOTES = """On large files mltrust is bound by the same BLAKE3 as `b3sum`; what it adds is the start of Python, a fixed
tenth to fifth of a second, which on small artifacts is all there is to see. On many small files it is bound by what
Python does for each file: list, stat, open, check twice, read, make a leaf; `b3sum` there gets its list for nothing.
Where `b3sum` itself takes less than a tenth of a second, ratios to it say little.
"""


@dataclass(frozen=True)
class Result:
    """Everything that was measured; `judged` tells whether the sizes are those the ratios are promised for."""

    tables: Sequence[Table]
    facts: Sequence[Fact]
    judged: bool
    rounds: int


def tables(result: Result) -> str:
    """Return every table as text."""
    parts = [f"## {table.artifact.title}\n\n{_table(table, result)}" for table in result.tables]
    return "\n\n".join([*parts, f"## Promised in absolute numbers\n\n{_facts(result.facts)}"])


def page(result: Result, date: str | None) -> str:
    """Return the whole page."""
    return "\n".join((_INTRO, _machine(result, date), tables(result), "", _reading(result), _METHOD))


def _table(table: Table, result: Result) -> str:
    rows = [_cells(row, table.artifact.size, judged=result.judged) for row in table.rows]
    before, after = table.load
    return f"{_grid((*_HEADINGS, *_TAIL), rows)}\n\nLoad average {before:.1f} before, {after:.1f} after."


def _cells(row: Row, size: int, *, judged: bool) -> tuple[str, ...]:
    if not row.runs:
        return (row.command.name, "not installed", *[""] * 8)
    times = [run.seconds for run in row.runs]
    cpu = sorted(run.cpu for run in row.runs)[len(row.runs) // 2]
    memory = (f"{row.memory.resident:.0f}", f"{row.memory.anonymous:.0f}") if row.memory else ("?", "?")
    quiet = f"{sum(run.quiet for run in row.runs)}/{len(row.runs)}"
    promised, verdict = _verdict(row, judged=judged)
    return (
        row.command.name,
        f"{row.seconds:.2f} ({min(times):.2f}-{max(times):.2f})",
        f"{size / row.seconds / 1e6:,.0f}",
        f"{cpu:.2f}",
        *memory,
        f"{row.ratio:.2f}",
        quiet,
        promised,
        verdict,
    )


def _verdict(row: Row, *, judged: bool) -> tuple[str, str]:
    limit, anonymous = row.command.limit, row.command.anonymous
    if limit is None:
        return "", ""
    promised = f"≤ {limit:.2f}" + (", ≤ 200 MB anonymous" if anonymous else "")
    if not judged:
        return promised, "at full size"
    good = row.ratio <= limit and not (anonymous and row.memory and row.memory.anonymous > anonymous)
    return promised, _word(good=good)


def _word(*, good: bool) -> str:
    return "ok" if good else "MISSED"


def _facts(facts: Sequence[Fact]) -> str:
    rows = [
        (fact.name, f"{fact.value:.3g} {fact.unit}", f"{min(fact.values):.3g}-{max(fact.values):.3g}",
         f"≤ {fact.limit:g} {fact.unit}", _word(good=fact.value <= fact.limit))
        for fact in facts
    ]  # fmt: skip
    return _grid(("what", "median", "min-max", "promised", ""), rows)


def _grid(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(headings, *rows, strict=True)]
    lines = [headings, ["-" * width for width in widths], *rows]
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)


def _machine(result: Result, date: str | None) -> str:
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30
    lines = [
        *([f"- date: {date}"] if date else []),
        f"- processor: {_processor()}, {os.cpu_count()} cores; {memory:.0f} GiB of memory",
        f"- system: {platform.system()} {platform.machine()}, Python {platform.python_version()}",
        f"- versions: {', '.join(_versions())}",
        f"- rounds: {result.rounds}",
    ]
    return "\n".join(("## The machine", "", *lines, ""))


def _processor() -> str:
    cpuinfo = Path("/proc/cpuinfo")
    names = [line.partition(":")[2].strip() for line in cpuinfo.read_text().splitlines() if "model name" in line]
    flags = cpuinfo.read_text() if names else ""
    has = [name for name, flag in (("AVX-512", " avx512f"), ("SHA", " sha_ni")) if flag in flags]
    return " with ".join(filter(None, (names[0] if names else platform.processor(), " and ".join(has))))


def _versions() -> Iterator[str]:
    for package in ("mltrust", "blake3", "safetensors", "model-signing"):
        try:
            yield f"{package} {version(package)}"
        except PackageNotFoundError:
            yield f"{package} not installed"
    for command in (("b3sum", "--version"), ("sha256sum", "--version"), ("openssl", "version")):
        try:
            out = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        except (OSError, subprocess.CalledProcessError):
            yield f"{command[0]} not installed"
        else:
            yield out.splitlines()[0].split("(Library")[0].strip()


def _reading(result: Result) -> str:
    missed = [*_missed_ratios(result), *_missed_facts(result.facts)]
    head = "Promises missed in this run:" if missed else "Every promise that was judged in this run was kept."
    lines = ["## Reading", "", head, *([""] if missed else []), *missed, "", _quiet(result), ""]
    if not result.judged:
        lines += ["Sizes are the quick ones, at which the start of a process weighs more: ratios are not judged.", ""]
    return "\n".join([*lines, _NOTES])


def _quiet(result: Result) -> str:
    runs = [run for table in result.tables for row in table.rows for run in row.runs]
    quiet = sum(run.quiet for run in runs)
    return f"{quiet} of {len(runs)} runs were quiet; during the rest others used the machine, too."


def _missed_ratios(result: Result) -> Iterator[str]:
    for table in result.tables if result.judged else ():
        for row in table.rows:
            promised, verdict = _verdict(row, judged=True)
            if row.runs and verdict == _word(good=False):
                yield f"- {row.command.name} on {table.artifact.title}: {row.ratio:.2f} x b3sum, promised {promised}"


def _missed_facts(facts: Sequence[Fact]) -> Iterator[str]:
    for fact in facts:
        if fact.value > fact.limit:
            yield f"- {fact.name}: {fact.value:.3g} {fact.unit}, promised ≤ {fact.limit:g} {fact.unit}"
