"""What differs, as the rows of a table: the files, and below each its parts."""

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mltrust.core.changes import Change, ChangeKind, Facts
from mltrust.core.names import count, shown
from mltrust.renderers.changes import called, remarks_on
from mltrust.renderers.findings import short
from mltrust.renderers.html.statuses import Status, of_kind

MAX_CHANGES, MAX_PARTS, MAX_ROWS = 500, 200, 1500
"""Files, parts of one file, and both together that are listed at most."""

_MAX_TEXT = 600


@dataclass(frozen=True, slots=True)
class Side:
    """How something was or is: its facts in words, and the whole digest."""

    words: str
    digest: str


@dataclass(frozen=True, slots=True)
class Row:
    """One difference, or (without a kind) a sentence on how many more there are."""

    name: str
    kind: ChangeKind | None = None
    status: Status = Status.SAME
    is_part: bool = False
    before: Side | None = None
    after: Side | None = None
    remarks: Sequence[str] = ()


def summary(changes: Sequence[Change]) -> str:
    """Say how many differences there are of each kind."""
    kinds = Counter(change.kind for change in changes)
    of_each = ", ".join(f"{kinds[kind]:,} {kind}" for kind in ChangeKind if kinds[kind])
    inside = sum(len(change.parts) for change in changes)
    parts = f"; in files, {count(inside, 'part')}" if inside else ""
    return f"{count(len(changes), 'difference')}: {of_each}{parts}"


def rows_of(changes: Sequence[Change]) -> Iterator[Row]:
    """Yield the rows, as many as there is room for, and in place of the others how many they are."""
    room = MAX_ROWS
    for listed, change in enumerate(changes):
        if listed == MAX_CHANGES or room <= 0:
            yield Row(f"and {count(len(changes) - listed, 'more difference')}, which the JSON report lists")
            return
        yield _row(change, is_part=False)
        parts = change.parts[: min(MAX_PARTS, room)]
        yield from (_row(part, is_part=True) for part in parts)
        if len(change.parts) > len(parts):
            yield Row(f"and {count(len(change.parts) - len(parts), 'more part')} of this file", is_part=True)
        room -= 1 + len(parts)


def _row(change: Change, *, is_part: bool) -> Row:
    return Row(
        name=short(called(change), _MAX_TEXT) or "(no name)",
        kind=change.kind,
        status=of_kind(change.kind),
        is_part=is_part,
        before=_side(change.before),
        after=_side(change.after),
        remarks=[short(remark, _MAX_TEXT) for remark in remarks_on(change)],
    )


def _side(facts: Facts | None) -> Side | None:
    if facts is None:
        return None
    words = []
    if facts.dtype is not None:
        words.append(f"{shown(facts.dtype)} {list(facts.shape or ())}")
    if facts.size is not None:
        words.append(count(facts.size, "byte"))
    if facts.records is not None:
        words.append(count(facts.records, "record"))
    return Side(short(", ".join(words), _MAX_TEXT), short(shown(facts.digest), _MAX_TEXT))
