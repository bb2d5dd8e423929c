"""Rows that differ inside files of records, as text for people."""

from collections.abc import Iterator

from mltrust.core.changes import Change, ChangeKind, Difference
from mltrust.core.names import count, printable, shown
from mltrust.core.row_changes import RowChange, RowChanges, RowKind
from mltrust.renderers.styled import Text

_TEXT = 200  # characters of a row
_SAID = {
    ChangeKind.REWRITTEN: "the same rows in the same order, other bytes",
    ChangeKind.SHUFFLED: "the same rows in another order",
}


def said_of(change: Change) -> str:
    """Say in words what became of a file of records as a whole; nothing of any other."""
    return _SAID.get(change.kind, "")


def row_lines(change: Change, indent: int) -> Iterator[Text]:
    """Render the rows that differ inside a file."""
    rows = change.rows
    if rows is None:
        return
    margin = " " * indent
    yield Text(f"{margin}{_counts(rows)}")
    if rows.header:
        yield Text(f"{margin}the header differs", style="red")
    if rows.note:
        yield Text(f"{margin}{printable(rows.note)}", style="yellow")
    for row in rows.listed:
        yield from _row(row, margin, rows.key_column)
    more = how_many(rows) - len(rows.listed)
    if more:
        yield Text(f"{margin}... and {count(more, 'more row')} (diff --limit N names more)")


def rows_said(change: Change, limit: int | None) -> Iterator[str]:
    """Yield what is told of the rows that differ, the first `limit` by number; not what they hold."""
    rows = change.rows
    if rows is None:
        return
    yield from about(rows)
    listed = rows.listed[:limit]
    yield from (f"{row.kind} {where(row, rows.key_column)}" for row in listed)
    more = how_many(rows) - len(listed)
    if more:
        yield f"and {count(more, 'more row')}"


def about(rows: RowChanges) -> Iterator[str]:
    """Yield what is told of the rows that differ without naming one."""
    yield _counts(rows)
    yield from filter(None, ("the header differs" if rows.header else "", printable(rows.note)))


def how_many(rows: RowChanges) -> int:
    """Return how many rows differ."""
    return rows.changed + rows.moved + rows.added + rows.removed


def _counts(rows: RowChanges) -> str:
    found = ((rows.changed, "changed"), (rows.added, "added"), (rows.removed, "removed"), (rows.moved, "moved"))
    what = ", ".join(f"{number:,} {word}" for number, word in found if number) or "none differs"
    total = f"{rows.rows_before:,}"
    if rows.rows_after != rows.rows_before:
        total += f" -> {rows.rows_after:,}"
    by = f", paired by {shown(rows.key_column)}" if rows.key_column is not None else ""
    return f"rows: {what}, of {total}{by}"


def where(row: RowChange, column: str | None) -> str:
    """Return the numbers of a row, and its key."""
    number = row.after if row.before is None else row.before
    where = f"row {number:,}"
    if row.before is not None and row.after is not None and row.before != row.after:
        where += f", now {row.after:,}"
    what = "named" if column is None else shown(column)  # without a key column, a key is the record's own name
    return f"{where}, {what} {shown(row.key)}" if row.key is not None else where


def _row(row: RowChange, margin: str, column: str | None) -> Iterator[Text]:
    style = "yellow" if row.kind is RowKind.MOVED else "red"
    yield Text.assemble(margin, (f"{row.kind:<8}", style), f" {where(row, column)}")
    for sign, text in (("-", row.text_before), ("+", row.text_after)):
        if text is not None:
            yield Text(f"{margin}  {sign} {cut(text)}", style="dim")


def cut(text: str) -> str:
    """Return what a row says, of a long one the beginning."""
    return printable(text if len(text) <= _TEXT else f"{text[:_TEXT]}...")  # backslashes of JSON stay as they are


def same_rows(found: Difference) -> Text | None:
    """Say that all rows are equal though files differ; None where they are not, or there are none."""
    if not found.same_rows:
        return None
    kinds = {change.kind for change in found.changes}
    how = "other files"
    if ChangeKind.SHUFFLED in kinds:
        how = "in another order"
    elif ChangeKind.REWRITTEN in kinds:
        how = "rewritten files"
    return Text(f"  same rows, {how}: every record is equal", style="green")
