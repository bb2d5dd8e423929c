"""The page: a template that escapes all it is given, and a policy by which a browser loads and runs nothing."""

from base64 import b64encode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import version
from importlib.resources import files
from typing import TYPE_CHECKING

from mltrust.core.changes import Change
from mltrust.core.names import count, shown
from mltrust.errors import UsageError
from mltrust.interfaces import Seen
from mltrust.renderers.findings import short
from mltrust.renderers.html import treemap
from mltrust.renderers.html.census import MAX_WALKED, Tally, census_of
from mltrust.renderers.html.grid import Grid, grid_of
from mltrust.renderers.html.pieces import pieces_of
from mltrust.renderers.html.statuses import Status
from mltrust.renderers.html.strips import Strip, strips_of
from mltrust.renderers.html.table import Row, rows_of, summary
from mltrust.renderers.html.treemap import Box
from mltrust.renderers.html.vouching import Vouching

if TYPE_CHECKING:
    from jinja2 import Environment

MAX_STRIPS = 50
"""Files of records whose rows are drawn."""

_MAX_TEXT = 600


@dataclass(frozen=True, slots=True)
class Head:
    """What the page says first: one word, its class in the style sheet and its sign, and what it is of."""

    word: str
    style: str
    sign: str
    name: str
    sentences: Sequence[str]
    facts: Sequence[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Changes:
    """What differs: in words, drawn, and listed."""

    sentences: Sequence[str]
    grid: Grid
    boxes: Sequence[Box]
    legend: Sequence[Status]
    notes: Sequence[str]
    strips: Sequence[Strip]
    more_strips: int
    rows: Sequence[Row]


@dataclass(frozen=True, slots=True)
class Page:
    """All that the template is given. What there is none of is left out, or said to be none."""

    head: Head
    changes: Changes | None = None
    vouching: Vouching | None = None
    not_checked: Sequence[str] | None = None
    notices: Sequence[tuple[str, str, str]] = ()
    more_notices: int = 0
    environment: Sequence[tuple[str, str]] = ()


def written(page: Page) -> Iterator[str]:
    """Yield the page in pieces: the same page, the same text."""
    style = _text("style.css")
    template = environment().get_template("page.html.jinja")
    digest = b64encode(sha256(style.encode("utf-8")).digest()).decode("ascii")
    yield from template.generate(page=page, style=style, style_digest=digest)
    yield "\n"


@cache
def environment() -> "Environment":
    """Return what fills the templates; `UsageError` where a library that draws the page is missing."""
    try:
        import squarify  # noqa: F401  # a page is not begun that could not be ended
        from jinja2 import DictLoader, Environment, StrictUndefined
    except ImportError as error:
        hint = "Install it: pip install 'mltrust[html]'"
        raise UsageError(f"the format html needs the library {error.name}", hint=hint) from error
    loader = DictLoader({name: _text(name) for name in ("page.html.jinja", "parts.html.jinja")})
    return Environment(loader=loader, autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)


def _text(name: str) -> str:
    return files("mltrust.renderers.html").joinpath(name).read_text(encoding="utf-8")


def changes_of(found: Sequence[Change], seen: Seen, sentences: Sequence[str], *, compared: bool) -> Changes:
    """Return what is shown of differences; nothing is drawn as the same unless the sides were `compared`."""
    sides = [side for side in (seen.before, seen.after) if side is not None] if compared else []
    total = max((side.bytes for side in sides), default=0)
    known = seen if compared else Seen()
    census = census_of(pieces_of(found, known), treemap.large_in(total))
    whole = census.whole
    strips = strips_of(found)
    boxes = list(treemap.boxes(census)) if sum(whole.bytes.values()) else []
    return Changes(
        sentences=[*([f"{summary(found)}."] if found else []), *sentences],
        grid=grid_of(census),
        boxes=boxes if sum(box.style != "group" for box in boxes) > 1 else [],  # one alone is as large as itself
        legend=[status for status in Status if status in whole.counts],
        notes=_notes(whole, census.unseen, len(sides)),
        strips=[strip for strip, _ in zip(strips, range(MAX_STRIPS), strict=False)],
        more_strips=max(sum(change.rows is not None for change in found) - MAX_STRIPS, 0),
        rows=list(rows_of(found)),
    )


def _notes(whole: Tally, unseen: Tally, sides: int) -> list[str]:
    """Say what is not drawn as it is."""
    notes = [] if sides else ["Only what differs is drawn: what else there is, is not at hand."]
    if unseen.total:
        notes.append(f"Of more than {MAX_WALKED:,} tensors and files, {unseen.total:,} are drawn as one.")
    empty = whole.total and not sum(whole.bytes.values())
    return [*notes, *(["Nothing has a size that is known, so nothing is drawn by size."] if empty else [])]


def environment_of(seen: Seen, *more: tuple[str, str]) -> list[tuple[str, str]]:
    """Return by what and of what a page was made; no time and no machine, so that it can be made again."""
    named = [("Artifact", seen.artifact), ("Seal", seen.seal or "")]
    told = [(what, short(shown(name), _MAX_TEXT)) for what, name in named if name]
    return [("mltrust", version("mltrust")), *more, *told]


def sized(files: int, size: int) -> str:
    """Return a number of files and of bytes in words."""
    return f"{count(files, 'file')} ({count(size, 'byte')})"
