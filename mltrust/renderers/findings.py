"""What a report, a difference or a trouble amounts to, one by one: what formats are made of that list findings."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum

from mltrust.core.changes import Change, Difference
from mltrust.core.names import count, printable, shown
from mltrust.core.report import Check, CheckKind, Notice, Outcome, Report, Verdict
from mltrust.errors import MltrustError
from mltrust.renderers.changes import called, facts_of, inside
from mltrust.renderers.text import said

PARTS = 20
"""How many parts and rows of a file a finding names."""


class Grade(Enum):
    """What a finding is worth; what is undecided is never a success."""

    PASSED = "passed"
    NOTE = "note"
    UNDECIDED = "undecided"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that is worth telling.

    `rule` says of which kind it is, and stays the same from release to release; `subject` is what it is of, escaped.
    The `message` is plain text in one line, escaped for people and logs, not for any format. `path` is the one inside
    the artifact, as it is, if it is of a file, and `parts` are names of parts of that file, as they are.
    """

    rule: str
    grade: Grade
    subject: str
    message: str
    path: str | None = None
    parts: tuple[str, ...] = ()


_VERDICTS = {
    Verdict.VERIFIED: Grade.PASSED,
    Verdict.FAILED: Grade.FAILED,
    Verdict.INCONCLUSIVE: Grade.UNDECIDED,
}
_OUTCOMES = {
    Outcome.PASS: ("check", Grade.PASSED),
    Outcome.FAIL: ("check", Grade.FAILED),
    Outcome.UNCHECKED: ("unchecked", Grade.UNDECIDED),
}


def of_report(found: Report) -> Iterator[Finding]:
    """Yield the verdict, then each check, each change and each notice, and which bytes nobody looked at."""
    yield verdict_of(found)
    yield from map(_of_check, found.checks)
    content = [check.outcome for check in found.checks if check.kind is CheckKind.CONTENT]
    grade = Grade.FAILED if Outcome.FAIL in content else Grade.UNDECIDED  # only pointers differ
    yield from (_of_change(change, grade) for change in found.changes)
    yield from map(_of_notice, found.notices)
    if found.scope.not_here:
        message = f"not checked: {printable(found.scope.not_here)}"
        yield Finding("notice-not-here", Grade.NOTE, shown(found.name), message)


def verdict_of(found: Report) -> Finding:
    """Return the verdict, with the reasons why it is no better, or with what nobody looked at all the same."""
    reasons = "; ".join(printable(reason) for reason in found.reasons)
    message = f"{found.verdict.upper()}: {shown(found.name)}"
    if reasons:
        message += f": {reasons}"
    if unlooked := list(_unlooked(found)):
        message += f" (not checked: {'; '.join(unlooked)})"
    return Finding(found.verdict, _VERDICTS[found.verdict], shown(found.name), message)


def _unlooked(found: Report) -> Iterator[str]:
    if found.scope.files_not_reread:
        yield f"{count(found.scope.files_not_reread, 'file')}, unchanged since last read here"
    if found.scope.not_here:
        yield printable(found.scope.not_here)
    if found.content_only:
        yield "who vouches for it (--content-only)"


def _of_check(check: Check) -> Finding:
    prefix, grade = _OUTCOMES[check.outcome]
    message = f"{said(check)} (hint: {printable(check.hint)})" if check.hint else said(check)
    subject = str(check.kind) if check.name == check.kind else f"{check.kind} {shown(check.name)}"
    return Finding(f"{prefix}-{check.kind}", grade, subject, message)


def _of_change(change: Change, grade: Grade) -> Finding:
    told = "; ".join([*facts_of(change), *inside(change, PARTS)])
    parts = tuple(called(part) if not part.name else part.name for part in change.parts[:PARTS])
    message = f"{change.kind}: {called(change)}"
    return Finding(
        f"change-{change.kind}", grade, called(change), f"{message}: {told}" if told else message, change.name, parts
    )


def _of_notice(notice: Notice) -> Finding:
    message = f"{shown(notice.path)}: {printable(notice.message)}"
    return Finding(f"notice-{notice.code}", Grade.NOTE, shown(notice.path), message, notice.path)


def of_difference(found: Difference) -> Iterator[Finding]:
    """Yield what the difference comes to, then each change."""
    yield outcome_of(found)
    yield from (_of_change(change, Grade.FAILED) for change in found.changes)


def outcome_of(found: Difference) -> Finding:
    """Return whether the sides are the same."""
    sides = f"{shown(found.before)} and {shown(found.after)}"
    if not found.changes:
        return Finding("same", Grade.PASSED, sides, f"SAME: {sides}")
    message = f"DIFFERENT: {sides}: {count(len(found.changes), 'difference')}"
    return Finding("different", Grade.FAILED, sides, message)


def of_trouble(error: MltrustError) -> Finding:
    """Return why there is neither a report nor a difference."""
    hint = f" (hint: {printable(error.hint)})" if error.hint else ""
    return Finding("no-report", Grade.UNDECIDED, "mltrust", f"NO REPORT: {printable(str(error))}{hint}")


def short(text: str, limit: int = 400) -> str:
    """Return a text, or of a long one the beginning, and how much more there is."""
    return text if len(text) <= limit else f"{text[:limit]}... and {count(len(text) - limit, 'more character')}"
