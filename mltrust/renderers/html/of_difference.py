"""A difference as a page."""

from collections.abc import Iterator

from rich.filesize import decimal

from mltrust.core.changes import Difference
from mltrust.core.names import shown
from mltrust.interfaces import Seen
from mltrust.renderers.changes import share
from mltrust.renderers.findings import short
from mltrust.renderers.html.page import Head, Page, changes_of, environment_of
from mltrust.renderers.rows import same_rows

_MAX_NAME = 200


def context(found: Difference, seen: Seen) -> Page:
    """Return what the page shows of a difference."""
    return Page(
        head=_head(found, seen),
        changes=changes_of(found.changes, seen, [], compared=True),
        environment=environment_of(Seen(), *zip(("Before", "After"), _sides(found), strict=True)),
    )


def _head(found: Difference, seen: Seen) -> Head:
    before, after = _sides(found)
    word, style, sign = ("DIFFERENT", "different", "\N{NOT EQUAL TO}") if found.changes else ("SAME", "verified", "=")
    return Head(
        word=word,
        style=style,
        sign=sign,
        name=f"{before} and {after}",
        sentences=list(_said(found)),
        facts=list(_roots(seen)),
    )


def _sides(found: Difference) -> tuple[str, str]:
    return short(shown(found.before), _MAX_NAME), short(shown(found.after), _MAX_NAME)


def _roots(seen: Seen) -> Iterator[tuple[str, str]]:
    for side, manifest in (("before", seen.before), ("after", seen.after)):
        if manifest is not None:
            yield f"Root {side}", manifest.root.hex()


def _said(found: Difference) -> Iterator[str]:
    """Say how much differs, and what is the same all the same."""
    if not found.changes:
        yield "Every byte and every name is equal."
        return
    how = "" if found.measured else ", counted by whole tensors and files"
    yield f"{share(found.bytes_changed, found.bytes_total)} of {decimal(found.bytes_total)} differ{how}."
    if found.same_content:
        yield "The same weights in other files: every tensor and all metadata are equal."
    if (rows := same_rows(found)) is not None:
        yield f"{str(rows).strip().capitalize()}."
