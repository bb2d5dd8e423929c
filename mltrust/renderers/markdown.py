"""Markdown, as GitHub reads it: the verdict first, then tables. Also the summary of a job.

Whatever comes from outside stands in a code span, where nothing is read: no HTML, link, image, mention or reference. In
such a span only a backtick could end it, and only a pipe the cell of a table, so both are escaped as `shown` escapes.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

from mltrust.core.changes import Change, Difference
from mltrust.core.names import count, counted, printable, shown
from mltrust.core.report import Check, Notice, Outcome, Report
from mltrust.errors import MltrustError
from mltrust.interfaces import Renderer, Seen
from mltrust.renderers.changes import called, facts_of, inside
from mltrust.renderers.findings import PARTS, short
from mltrust.renderers.rows import same_rows
from mltrust.renderers.text import MAX_LISTED, OUTCOMES, not_checked, said

_WORDS = re.compile(r"(?:[A-Za-z0-9 ()'%+-]| -> |[.:;,](?= |$)|,(?=\d)|T\d\d:\d\d:\d\dZ)+")
_ODD = re.compile(r"[0-9a-fA-F]{7}|GH-|^(?:[0-9]*[.)]|[ +-])")  # like a commit, an issue, or the beginning of a list
_SPACE = re.compile(r"^ | $|(?<= ) ")
_ESCAPED_SPACE = r"\\x20"


class MarkdownRenderer(Renderer):
    """A heading and tables."""

    name: ClassVar[str] = "markdown"
    media_type: ClassVar[str] = "text/markdown"

    def report(self, found: Report, seen: Seen) -> Iterator[str]:
        """Yield the verdict, the checks, every difference, and what was not looked at."""
        yield _whole(self._report(found, seen))

    def _report(self, found: Report, seen: Seen) -> Iterator[str]:
        limit = None if seen.verbose else MAX_LISTED
        yield f"## {found.verdict.upper()}: {code(shown(found.name))}\n\n"
        yield from _facts(found)
        yield from _table("Check", "Outcome", "What was found", rows=map(_check, found.checks))
        yield from _changes(found.changes, limit)
        yield from _listed("Worth knowing", map(_notice, found.notices), limit)
        yield from _listed("Not checked", (_text(what) for what, _ in not_checked(found, limit)), None)

    def difference(self, found: Difference, seen: Seen) -> Iterator[str]:
        """Yield what changed, then what stayed the same all the same."""
        yield _whole(self._difference(found, seen))

    def _difference(self, found: Difference, seen: Seen) -> Iterator[str]:
        word = "DIFFERENT" if found.changes else "SAME"
        yield f"## {word}: {code(shown(found.before))} and {code(shown(found.after))}\n\n"
        yield from _changes(found.changes, None if seen.verbose else MAX_LISTED)
        if found.changes:
            how = "" if found.measured else ", counted by whole tensors and files"
            yield f"{found.bytes_changed:,} of {count(found.bytes_total, 'byte')} differ{how}.\n\n"
        if found.changes and found.same_content:
            yield "Same weights, other files: every tensor and all metadata are equal.\n\n"
        if found.changes and (rows := same_rows(found)) is not None:
            yield f"{_text(str(rows).strip().capitalize())}.\n\n"

    def trouble(self, error: MltrustError, seen: Seen) -> Iterator[str]:
        """Yield the error and its hint."""
        yield f"## NO REPORT\n\n{_text(printable(str(error)))}\n"
        if error.hint:
            yield f"\nHint: {_text(printable(error.hint))}\n"


def _whole(blocks: Iterable[str]) -> str:
    """Return the text without the empty line at the end."""
    return "".join(blocks).rstrip("\n") + "\n"


def _facts(found: Report) -> Iterator[str]:
    scope = found.scope
    what = counted(scope.files, scope.tensors, scope.records, count(scope.bytes, "byte"))
    kind = "Root" if found.suite == "oms" else "Fingerprint"
    yield f"{kind} {code(shown(f'{found.suite}:{found.fingerprint}'))}; read were {what}.\n\n"
    if scope.files_not_reread:
        rest = f"{count(scope.files_not_reread, 'file')} ({count(scope.bytes_not_reread, 'byte')})"
        yield f"Not reread: {rest}, unchanged since last read here.\n\n"


def _check(check: Check) -> Sequence[str]:
    word, _ = OUTCOMES[check.outcome]
    what = _text(said(check))
    if check.hint:
        what += f"<br>Hint: {_text(printable(check.hint))}"
    if check.evidence:
        what += "<br>The signed evidence is in the JSON format."
    bold = word if check.outcome is Outcome.PASS else f"**{'unchecked' if word == '?' else word}**"
    who = "" if check.name == check.kind else f" {code(shown(check.name))}"
    return f"{check.kind}{who}", bold, what


def _changes(changes: Sequence[Change], limit: int | None) -> Iterator[str]:
    if not changes:
        return
    yield f"### {count(len(changes), 'difference')}\n\n"
    yield from _table("File", "Change", "What is known", rows=(_change(change, limit) for change in changes[:limit]))
    if limit is not None and len(changes) > limit:
        yield f"and {count(len(changes) - limit, 'more difference')} (--verbose lists all)\n\n"


def _change(change: Change, limit: int | None) -> Sequence[str]:
    told = [*facts_of(change), *inside(change, None if limit is None else PARTS)]
    return code(called(change)), str(change.kind), "<br>".join(map(_text, told))


def _notice(notice: Notice) -> str:
    return f"{code(shown(notice.path))}: {_text(printable(notice.message))}"


def _listed(title: str, lines: Iterable[str], limit: int | None) -> Iterator[str]:
    lines = list(lines)
    if not lines:
        return
    yield f"### {title}\n\n"
    yield from (f"- {line}\n" for line in lines[:limit])
    if limit is not None and len(lines) > limit:
        yield f"- and {len(lines) - limit:,} more (--verbose lists all)\n"
    yield "\n"


def _table(*titles: str, rows: Iterable[Sequence[str]]) -> Iterator[str]:
    yield f"| {' | '.join(titles)} |\n|{' --- |' * len(titles)}\n"
    yield from (f"| {' | '.join(row)} |\n" for row in rows)
    yield "\n"


def _text(message: str) -> str:
    """Return a message as text if it is nothing but words, which mean nothing to Markdown, and else as code."""
    if _WORDS.fullmatch(message) and not _ODD.search(message):
        return message
    return code(message)


def code(escaped: str) -> str:
    """Return a code span of a text in one line that is escaped already."""
    text = short(escaped).replace("`", r"\x60").replace("|", r"\x7c")
    return f"`{_SPACE.sub(_ESCAPED_SPACE, text)}`" if text else "(empty)"
