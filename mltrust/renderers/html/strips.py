"""Where in a file of records rows differ: two lanes, how it was and how it is, with a mark for each row."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from mltrust.core.changes import Change
from mltrust.core.names import shown
from mltrust.core.row_changes import RowChange, RowChanges
from mltrust.renderers.findings import short
from mltrust.renderers.html.statuses import Status, of_row
from mltrust.renderers.rows import about, cut, how_many, where

WIDTH = 1000
"""Of a lane."""

MAX_ROWS = 100
"""Rows of a file that are listed."""

_BINS = 400  # places in a lane that can be told apart
_MAX_NAME = 300


class Mark(NamedTuple):
    """One place in a lane where a row differs."""

    x: float
    status: Status


@dataclass(frozen=True, slots=True)
class Line:
    """One row: what became of it, which it is, and what it said before and after, if that was asked for."""

    status: Status
    words: str
    before: str | None
    after: str | None


@dataclass(frozen=True, slots=True)
class Strip:
    """The rows of one file."""

    name: str
    said: Sequence[str]
    before: Sequence[Mark]
    after: Sequence[Mark]
    rows_before: str
    rows_after: str
    lines: Sequence[Line]
    more: int

    @property
    def has_texts(self) -> bool:
        """Whether any row says what it was or is."""
        return any(line.before is not None or line.after is not None for line in self.lines)


def strips_of(changes: Iterable[Change]) -> Iterator[Strip]:
    """Yield a strip for each file of which it is known what rows differ."""
    for change in changes:
        if change.rows is not None:
            yield _strip(change, change.rows)


def _strip(change: Change, rows: RowChanges) -> Strip:
    listed, total = rows.listed, how_many(rows)
    drawn = [] if len(listed) == total else [f"marked are the {len(listed):,} that are named"]
    return Strip(
        name=short(shown(change.name), _MAX_NAME),
        said=[*about(rows), *drawn],
        before=_marks(((row.before, of_row(row.kind)) for row in listed), rows.rows_before),
        after=_marks(((row.after, of_row(row.kind)) for row in listed), rows.rows_after),
        rows_before=f"{rows.rows_before:,}",
        rows_after=f"{rows.rows_after:,}",
        lines=[_line(row, rows.key_column) for row in listed[:MAX_ROWS]],
        more=total - min(len(listed), MAX_ROWS),
    )


def _marks(rows: Iterable[tuple[int | None, Status]], total: int) -> list[Mark]:
    """Return where the rows are that a side has, each place once."""
    places = {((row - 1) * _BINS // total, status) for row, status in rows if row is not None and 0 < row <= total}
    return [Mark(place * WIDTH / _BINS, status) for place, status in sorted(places)]


def _line(row: RowChange, column: str | None) -> Line:
    texts = (None if text is None else cut(text) for text in (row.text_before, row.text_after))
    return Line(of_row(row.kind), short(where(row, column), _MAX_NAME), *texts)
