"""What differs, in words: the lines of a text, and the pieces of which other formats make theirs."""

from collections.abc import Iterable, Iterator

from mltrust.core.changes import Change, ChangeKind, changed_bytes
from mltrust.core.manifest import Kind
from mltrust.core.names import count, printable, shown
from mltrust.renderers.rows import row_lines, rows_said, said_of
from mltrust.renderers.styled import Text

_MILD = (ChangeKind.RENAMED, ChangeKind.HEADER_ONLY, ChangeKind.POINTER, ChangeKind.REWRITTEN, ChangeKind.SHUFFLED)
_HEADER = "(header)"
_LEAST_PERCENT = 0.01


def changes(found: Iterable[Change], *, indent: int = 2, limit: int | None = None) -> Iterator[Text]:
    """Render changes, the parts of a file below it."""
    listed = list(found)
    for change in listed[:limit]:
        yield _change_line(change, indent)
        yield from changes(change.parts, indent=indent + 2, limit=limit)
        yield from row_lines(change, indent + 2)
    if limit is not None and len(listed) > limit:
        yield Text(f"{'':{indent}}... and {len(listed) - limit} more (--verbose lists all)")


def _change_line(change: Change, indent: int) -> Text:
    style = "yellow" if change.kind in _MILD else "red"
    facts = "  ".join(facts_of(change))
    return Text.assemble(
        " " * indent, (f"{change.kind:<13}", style), f" {called(change)}", (f"  {facts}" if facts else "", "dim")
    )


def called(change: Change) -> str:
    """Return how a change calls the file or part that it is of."""
    return _HEADER if change.of is Kind.ST_HEADER else shown(change.name)


def facts_of(change: Change) -> list[str]:
    """Return what is told of a change beside its kind and name."""
    words = (_relation(change), said_of(change), _facts(change), _touched(change), printable(change.note))
    return [word for word in words if word]


def remarks_on(change: Change) -> list[str]:
    """Return the same without the facts of either side, for whoever shows those by themselves."""
    words = (_relation(change), said_of(change), _touched(change), printable(change.note))
    return [word for word in words if word]


def inside(change: Change, limit: int | None) -> list[str]:
    """Return what is told of the parts of a file, and of its rows, the first `limit` of each by name."""
    told = [": ".join((f"{part.kind} {called(part)}", *facts_of(part))) for part in change.parts[:limit]]
    if limit is not None and len(change.parts) > limit:
        told.append(f"and {count(len(change.parts) - limit, 'more part')}")
    return [*told, *rows_said(change, limit)]


def _relation(change: Change) -> str:
    if change.other is None:
        return ""
    other = shown(change.other)
    words = {ChangeKind.RENAMED: f"was {other}", ChangeKind.SWAPPED: f"with {other}"}
    return words.get(change.kind, f"now holds the bytes of {other}")


def _facts(change: Change) -> str:
    before, after = change.before, change.after
    only = after or before
    if only is None or only.dtype is None or only.shape is None:
        sizes = [side.size for side in (before, after) if side and side.size is not None]
        if len(sizes) == 2 and sizes[0] != sizes[1]:  # noqa: PLR2004  # both are known
            return f"{sizes[0]:,} -> {sizes[1]:,} bytes"
        return ""
    now = f"{shown(only.dtype)} {list(only.shape)}"
    if before and after and (before.dtype, before.shape) != (after.dtype, after.shape):
        return f"{shown(before.dtype or '')} {list(before.shape or ())} -> {now}"
    return now


def _touched(change: Change) -> str:
    """Say how many of its bytes a change touches, where that was counted or is made of parts."""
    size = max((side.size or 0 for side in (change.before, change.after) if side), default=0)
    if change.bytes_changed is None and not change.parts:
        return ""
    touched = changed_bytes(change)
    return f"{touched:,} of {size:,} bytes ({share(touched, size)})"


def share(part: int, whole: int) -> str:
    """Return a part of a whole in percent."""
    percent = 100 * part / whole if whole else 0
    if 0 < percent < _LEAST_PERCENT:
        return f"less than {_LEAST_PERCENT} %"
    return f"{percent:.2g} %" if 0 < percent < 1 else f"{percent:.0f} %"
