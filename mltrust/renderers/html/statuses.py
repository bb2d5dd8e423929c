"""What became of a file, a tensor or a row: one word, one sign and one colour each."""

from collections.abc import Iterable
from enum import StrEnum

from mltrust.core.changes import ChangeKind
from mltrust.core.row_changes import RowKind


class Status(StrEnum):
    """What became of something, the gravest first; the value is also its class in the style sheet."""

    REMOVED = "removed"
    CHANGED = "changed"
    ADDED = "added"
    MOVED = "moved"
    ABSENT = "absent"
    SAME = "same"

    @property
    def sign(self) -> str:
        """What stands for it where there is no room for a word: colour alone tells nothing to some."""
        return _SIGNS[self]

    @property
    def meaning(self) -> str:
        """What it says, for a legend."""
        return _MEANINGS[self]


_SIGNS = {
    Status.REMOVED: "\N{MINUS SIGN}",
    Status.CHANGED: "\N{NOT EQUAL TO}",
    Status.ADDED: "+",
    Status.MOVED: "\N{RIGHTWARDS ARROW}",
    Status.ABSENT: "?",
    Status.SAME: "",
}
_MEANINGS = {
    Status.REMOVED: "no longer there",
    Status.CHANGED: "other content",
    Status.ADDED: "was not there",
    Status.MOVED: "same content, elsewhere or written otherwise",
    Status.ABSENT: "only a pointer is here",
    Status.SAME: "no difference",
}
_OF_KINDS = {
    ChangeKind.ADDED: Status.ADDED,
    ChangeKind.REMOVED: Status.REMOVED,
    ChangeKind.RENAMED: Status.MOVED,
    ChangeKind.REWRITTEN: Status.MOVED,
    ChangeKind.SHUFFLED: Status.MOVED,
    ChangeKind.POINTER: Status.ABSENT,
}
_OF_ROWS = {
    RowKind.CHANGED: Status.CHANGED,
    RowKind.ADDED: Status.ADDED,
    RowKind.REMOVED: Status.REMOVED,
    RowKind.MOVED: Status.MOVED,
}


def of_kind(kind: ChangeKind) -> Status:
    """Return what a difference of a kind amounts to; of the kinds not named here, that the content is another."""
    return _OF_KINDS.get(kind, Status.CHANGED)


def of_row(kind: RowKind) -> Status:
    """Return what became of a row."""
    return _OF_ROWS[kind]


def gravest(found: Iterable[Status]) -> Status:
    """Return the gravest of several; of none, that nothing differs."""
    present = set(found)
    return next((status for status in Status if status in present), Status.SAME)
