"""What is said of the rows of a file of records that changed."""

from collections.abc import Iterator
from enum import StrEnum
from typing import TYPE_CHECKING

from mltrust.core.model import Document

if TYPE_CHECKING:
    from mltrust.core.row_difference import Numbers

LIMIT = 20
"""Rows of each kind that are named where nobody says how many."""


class RowKind(StrEnum):
    """What became of a row; one that `moved` is on both sides, and its neighbours are others."""

    CHANGED = "changed"
    ADDED = "added"
    REMOVED = "removed"
    MOVED = "moved"


class RowChange(Document):
    """One row, by its numbers before and after, from 1.

    `key` is what the column of the key or the format calls it; the texts are there where they were asked for.
    """

    kind: RowKind
    before: int | None = None
    after: int | None = None
    key: str | None = None
    text_before: str | None = None
    text_after: str | None = None


class RowChanges(Document):
    """How many rows differ, and the first of them by number.

    `rows_before` and `rows_after` are how many there are. `header` tells that what stands once for all rows differs.
    `key_column` is whose values say which row became which; None: their places do. `note` says why, if one was named.
    """

    rows_before: int
    rows_after: int
    changed: int
    added: int
    removed: int
    moved: int
    header: bool
    key_column: str | None = None
    note: str = ""
    listed: tuple[RowChange, ...] = ()


def first_of(numbers: "Numbers", limit: int) -> Iterator[RowChange]:
    """Yield the first `limit` rows of each kind."""
    for kind, (old, new) in ((RowKind.CHANGED, numbers.changed), (RowKind.MOVED, numbers.moved)):
        for one, two in zip(old[:limit], new[:limit], strict=True):
            yield RowChange(kind=kind, before=one + 1, after=two + 1)
    for index in numbers.added[:limit]:
        yield RowChange(kind=RowKind.ADDED, after=index + 1)
    for index in numbers.removed[:limit]:
        yield RowChange(kind=RowKind.REMOVED, before=index + 1)
