"""The page `docs/benchmarks.md`: the tables, the machine they were measured on, and how to read them."""

from collections.abc import Iterator, Sequence

from machine import machine
from tables import Result, missed, runs_of, sections

_INTRO = """# Benchmarks

Ratios are what mltrust promises, not seconds: every command runs as a whole process on the same bytes, right
after a run of `b3sum` on them, and its ratio is the median over the rounds of its seconds by those of that `b3sum`.
This page is written by `make bench`.
"""
_METHOD = """## How it was measured

- The page cache is warm, but in the section on cold runs: a first round, not counted, reads everything and watches
  memory every 4 ms (all processes of a command together; RSS includes mapped files, anonymous memory does not). In
  quick mode it watches mltrust alone.
- Commands take turns round by round, and no round is dropped. A peer runs in as many rounds as fit into
  {patience:.0f} s, at least one: "quiet runs" says of how many. A run is called quiet if other processes used less than
  a twentieth of the machine meanwhile. Where few runs are quiet, trust ratios more than seconds.
- `b3sum`, the `sha256` programs and Git LFS get a ready list of files, the others list the folder themselves. Git LFS
  takes one file at a time, so it is a process for each.
- DVC remembers hashes by what `stat` says: what it remembers is removed before every run, so that it hashes.
- mltrust `seal` publishes nowhere (`--no-anchor`) and `verify` asks nobody who vouches (`--content-only`): networks and
  ledgers are not measured here. `seal --reread` and `verify` read everything. Both write or read a seal that names
  every file and every tensor.
- `seal, unchanged` seals again over the seal that is there, and `verify --quick` verifies again; both may use what
  mltrust remembers of the last time, and say how much of the bytes they did not reread (the least over the rounds).
  `1 shard changed` seals a second folder of the same shards, one of which is written to before each run.
- mltrust has a home of its own here, which is empty when the benchmark starts.
- Where the time goes: each step runs alone, one after the other, in one process with a warm cache. In the command
  itself they overlap, so they do not add up to it.
- Cold: all files are written out, the cache is emptied, then the same command runs on a model of one tensor, so that
  the programs themselves are warm, and then on the artifact. All commands of a round are compared with its one `b3sum`.
- At scale: digests and sizes are drawn, nothing is hashed. `build` packs the manifest and hashes its leaves, `tree`
  makes the statement, `write` and `read` are about the seal file, `agree` compares what was written with what was read,
  `path` proves one entry. Memory is the peak of the process during a step, with all that the steps before left in it.
- Network file systems and other processors are not measured here.

## Measure again

```sh
make bench            # full size: about 12 GB of disk in .bench/, about twenty minutes
make bench QUICK=1    # an eighth to a twentieth of it, under two minutes
make bench ARGS='--output docs/benchmarks.md --date 2025-01-31'
```
"""


def page(result: Result, date: str | None) -> str:
    """Return the whole page."""
    about = machine(result.folder)
    lines = [
        *([f"- date: {date}"] if date else []),
        *about,
        f"- rounds: {result.rounds}, cold {result.cold_rounds}; {result.seconds / 60:.1f} minutes in all",
    ]
    told = "\n".join(("## The machine", "", *lines, ""))
    return "\n".join((_INTRO, told, sections(result), "", _reading(result), _METHOD.format(patience=result.patience)))


def _reading(result: Result) -> str:
    lines = ["## Reading", "", *_kept(list(missed(result)), judged=result.judged), "", _quiet(result), ""]
    return "\n".join([*lines, *_notes(result)])


def _kept(found: Sequence[str], *, judged: bool) -> Iterator[str]:
    if not judged:
        yield "Sizes are the quick ones, at which the start of a process weighs more: only absolute numbers are judged."
        yield ""
    if found:
        yield from ("Promises missed in this run:", "", *found)
    else:
        yield "Every promise that was judged in this run was kept."


def _quiet(result: Result) -> str:
    runs = runs_of(result)
    quiet = sum(run.quiet for run in runs)
    return f"{quiet} of {len(runs)} runs were quiet; during the rest others used the machine, too."


def _notes(result: Result) -> Iterator[str]:
    for breakdown in result.breakdowns[:1]:
        yield f"To start and end mltrust takes {breakdown.start:.2f} s of every run, however little there is to read."
    yield "Where `b3sum` itself takes less than a tenth of a second, ratios to it say little."
    yield ""
