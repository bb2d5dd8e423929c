"""The tables: what was measured, in rows and columns, and whether promises were kept."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from breakdown import Breakdown
from cold import ColdTable
from growth import Growth
from measure import Run
from ours import not_reread
from rounds import Fact, Row, Table

_HEADINGS = ("command", "s, median (min-max)", "MB/s", "CPU s", "RSS MB", "anonymous MB", "x b3sum")
_AGAIN = ("x full run", "not reread")
_TAIL = ("quiet runs", "promised", "")
_MISSED = "MISSED"


@dataclass(frozen=True)
class Result:
    """Everything that was measured, in how many rounds, where, and in how many seconds.

    `judged` tells whether the sizes are those the promises are made for; a slow peer had `patience` seconds.
    """

    tables: Sequence[Table]
    cold: Sequence[ColdTable]
    breakdowns: Sequence[Breakdown]
    growth: Sequence[Growth]
    facts: Sequence[Fact]
    judged: bool
    rounds: int
    cold_rounds: int
    patience: float
    folder: Path
    seconds: float


def sections(result: Result) -> str:
    """Return every table with its heading."""
    parts = [f"## {table.artifact.title}\n\n{_table(table, result)}" for table in result.tables]
    if result.cold:
        parts += ["## Cold", *map(_cold, result.cold)]
    if result.breakdowns:
        parts += ["## Where the time goes", *map(_breakdown, result.breakdowns)]
    parts += [f"## At scale\n\n{_growth(result.growth)}"]
    if result.facts:
        parts += [f"## Promised in absolute numbers\n\n{_facts(result.facts)}"]
    return "\n\n".join(parts)


def missed(result: Result) -> Iterator[str]:
    """Yield a line for every promise that was judged and not kept."""
    for table in result.tables if result.judged else ():
        for row in table.rows:
            for told, found, kept in _promises(row):
                if kept is False:
                    yield f"- {row.command.name} on {table.artifact.title}: {found}, promised {told}"
    for fact in result.facts:
        if fact.value > fact.limit:
            yield f"- {fact.name}: {fact.value:.3g} {fact.unit}, promised ≤ {fact.limit:g} {fact.unit}"


def runs_of(result: Result) -> list[Run]:
    """Return every run that was counted."""
    warm, cold = ([row for table in tables for row in table.rows] for tables in (result.tables, result.cold))
    return [run for row in (*warm, *cold) for run in row.runs]


def _table(table: Table, result: Result) -> str:
    again = any(row.shares for row in table.rows)
    rows = [_cells(row, table.artifact.size, again=again, judged=result.judged) for row in table.rows]
    headings = (*_HEADINGS, *(_AGAIN if again else ()), *_TAIL)
    before, after = table.load
    return f"{grid(headings, rows)}\n\n{_read_as(table)}Load average {before:.1f} before, {after:.1f} after."


def _read_as(table: Table) -> str:
    if not table.readers:
        return ""
    if table.readers == ("opaque",):
        return "mltrust read every file here as a whole: no reader cut it into records or tensors. "
    return f"mltrust cut what could be cut with the readers {', '.join(table.readers)}. "


def _cells(row: Row, size: int, *, again: bool, judged: bool) -> tuple[str, ...]:
    if not row.runs:
        columns = len(_HEADINGS) + len(_AGAIN) * again + len(_TAIL)
        return (row.command.name, row.command.why, *[""] * (columns - 2))
    promises = list(_promises(row))
    verdict = _verdict([kept for *_, kept in promises], judged=judged)
    return (
        row.command.name,
        *_speed(row, size),
        f"{_middle([run.cpu for run in row.runs]):.2f}",
        *((f"{row.memory.resident:.0f}", f"{row.memory.anonymous:.0f}") if row.memory else ("", "")),
        _told(row.ratio, 2),
        *(_of_full(row, size) if again else ()),
        _quiet(row),
        ", ".join(told for told, *_ in promises),
        verdict if promises else "",
    )


def _promises(row: Row) -> Iterator[tuple[str, str, bool | None]]:
    """Yield what was promised of a row, what was found, and whether that is within it; None if nothing was found."""
    promise, anonymous = row.command.promise, row.memory.anonymous if row.memory else None
    for limit, found, places, unit in (
        (promise.ratio, row.ratio, 2, "x b3sum"),
        (promise.share, row.share, 2, "x full run"),
        (promise.seconds, row.seconds, 1, "s"),
        (promise.anonymous, anonymous, 0, "MB anonymous"),
    ):
        if limit is not None:
            kept = None if found is None else found <= limit
            yield f"≤ {limit:.{places}f} {unit}", f"{_told(found, places)} {unit}", kept


def _verdict(kept: Sequence[bool | None], *, judged: bool) -> str:
    if not judged:
        return "at full size"
    return _MISSED if False in kept else "not judged" if None in kept else "ok"


def _of_full(row: Row, size: int) -> tuple[str, str]:
    if row.share is None:
        return "", ""
    return f"{row.share:.2f}", f"{min(not_reread(run.output) for run in row.runs) / size:.0%}"


def _speed(row: Row, size: int) -> tuple[str, str]:
    times = [run.seconds for run in row.runs]
    places = 2 if row.seconds >= 1 else 3
    told = f"{row.seconds:.{places}f} ({min(times):.{places}f}-{max(times):.{places}f})"
    return told, f"{size / row.seconds / 1e6:,.0f}"


def _quiet(row: Row) -> str:
    return f"{sum(run.quiet for run in row.runs)}/{len(row.runs)}"


def _middle(values: Sequence[float]) -> float:
    return sorted(values)[len(values) // 2]


def _cold(table: ColdTable) -> str:
    rows = [
        (row.command.name, *_speed(row, table.artifact.size), _told(row.ratio, 2), _quiet(row)) for row in table.rows
    ]
    headings = ("command", "s, median (min-max)", "MB/s", "x b3sum", "quiet runs")
    return f"{table.artifact.title}; before each run: {table.how}.\n\n{grid(headings, rows)}"


def _breakdown(breakdown: Breakdown) -> str:
    whole = breakdown.whole
    rows = [(told, f"{seconds:.3f}", f"{seconds / whole:.0%}") for told, seconds in breakdown.steps.items()]
    rows.append(("the whole command", f"{whole:.3f}", "100%"))
    title = f"`mltrust fingerprint` on {breakdown.artifact.title}:"
    return f"{title}\n\n{grid(('step', 's, median', 'of the whole'), rows)}"


def _growth(growth: Sequence[Growth]) -> str:
    rows = [
        (
            f"{one.entries:,} {one.kind}",
            one.step,
            _told(one.seconds, 3),
            _told(one.anonymous_mb, 0),
            _told(one.bytes, 0),
        )
        for one in growth
    ]
    return grid(("entries", "step", "s", "anonymous MB", "bytes"), rows)


def _told(value: float | None, places: int) -> str:
    return "" if value is None else f"{value:,.{places}f}"


def _facts(facts: Sequence[Fact]) -> str:
    rows = [
        (fact.name, f"{fact.value:.3g} {fact.unit}", f"{min(fact.values):.3g}-{max(fact.values):.3g}",
         f"≤ {fact.limit:g} {fact.unit}", "ok" if fact.value <= fact.limit else _MISSED)
        for fact in facts
    ]  # fmt: skip
    return grid(("what", "median", "min-max", "promised", ""), rows)


def grid(headings: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """Return a Markdown table whose columns stand straight in the source, too."""
    widths = [max(1, *map(len, column)) for column in zip(headings, *rows, strict=True)]  # no dash, no table
    lines = [headings, ["-" * width for width in widths], *rows]
    return "\n".join("| " + " | ".join(map(str.ljust, line, widths)) + " |" for line in lines)
