"""A report as a page."""

from collections.abc import Iterator

from rich.filesize import decimal

from mltrust.core.names import count, counted, printable, shown
from mltrust.core.report import CheckKind, Outcome, Report, Verdict
from mltrust.interfaces import Seen
from mltrust.renderers.findings import short
from mltrust.renderers.html.page import Head, Page, changes_of, environment_of, sized
from mltrust.renderers.html.vouching import vouching_of
from mltrust.renderers.text import not_checked

MAX_LISTED = 200
"""Notices, names that are left out, and reasons that are listed at most."""

_MAX_TEXT = 600
_MAX_NAME = 200
_SIGNS = {
    Verdict.VERIFIED: "\N{CHECK MARK}",
    Verdict.FAILED: "\N{MULTIPLICATION SIGN}",
    Verdict.INCONCLUSIVE: "?",
}
_DECIDE = (CheckKind.CONTENT, CheckKind.PROOF)


def context(found: Report, seen: Seen) -> Page:
    """Return what the page shows of a report."""
    notices = [
        (notice.code, short(shown(notice.path), _MAX_TEXT), short(printable(notice.message), _MAX_TEXT))
        for notice in found.notices[:MAX_LISTED]
    ]
    content = {check.outcome for check in found.checks if check.kind is CheckKind.CONTENT}
    return Page(
        head=_head(found),
        changes=changes_of(found.changes, seen, list(_said(found)), compared=bool(content - {Outcome.UNCHECKED})),
        vouching=vouching_of(found),
        not_checked=list(_not_checked(found)),
        notices=notices,
        more_notices=len(found.notices) - len(notices),
        environment=environment_of(seen, ("Suite", shown(found.suite))),
    )


def _head(found: Report) -> Head:
    scope = found.scope
    what = counted(scope.files, scope.tensors, scope.records, decimal(scope.bytes))
    of_ours = [] if found.suite == "oms" else [("Fingerprint", f"{shown(found.suite)}:{shown(found.fingerprint)}")]
    return Head(
        word=found.verdict.upper(),
        style=found.verdict,
        sign=_SIGNS[found.verdict],
        name=short(shown(found.name), _MAX_NAME),
        sentences=list(_sentences(found)),
        facts=[*of_ours, ("Root", shown(found.root)), ("Read", what)],
    )


def _sentences(found: Report) -> Iterator[str]:
    """Say in plain words what the verdict means, and why it is no better."""
    if found.verdict is Verdict.VERIFIED:
        whose = "Nobody was asked who vouches for it." if found.content_only else "Somebody you trust vouches for it."
        yield f"This is what the {'bundle' if found.suite == 'oms' else 'seal'} says. {whose}"
        return
    failed = found.verdict is Verdict.FAILED
    yield "This is not what it should be:" if failed else "It could not be decided. That is not a yes:"
    yield from (short(printable(reason), _MAX_TEXT) for reason in found.reasons[:MAX_LISTED])


def _said(found: Report) -> Iterator[str]:
    """Yield what the checks of the content found to be right; what is wrong is said above."""
    for check in found.checks[:MAX_LISTED]:
        if check.kind in _DECIDE and check.outcome is Outcome.PASS:
            summary = f"{short(printable(check.summary), _MAX_TEXT)}."
            yield summary if found.changes else f"Nothing differs: {summary}"


def _not_checked(found: Report) -> Iterator[str]:
    scope = found.scope
    if scope.files_not_reread:
        what = sized(scope.files_not_reread, scope.bytes_not_reread)
        yield f"{what} were not read again: unchanged since last read here"
    yield from (what for what, _ in not_checked(found, MAX_LISTED))
    if scope.records_erased:
        yield f"{count(scope.records_erased, 'record')} that were erased since"
    for check in found.checks[:MAX_LISTED]:
        if check.outcome is Outcome.UNCHECKED:
            yield f"{check.kind}, {short(shown(check.name), _MAX_NAME)}: {short(printable(check.summary), _MAX_TEXT)}"
    if scope.excluded:
        rules = ", ".join(shown(rule) for rule in scope.excluded[:MAX_LISTED])
        more = f" and {len(scope.excluded) - MAX_LISTED:,} more" if len(scope.excluded) > MAX_LISTED else ""
        yield f"whatever these rules of the seal leave out: {short(rules, 4 * _MAX_TEXT)}{more}"
