"""Annotations of GitHub Actions: workflow commands that a runner reads in the log.

The runner cuts what it shows off at ten errors and ten warnings a step, so there are at most nine, and how many more.
"""

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar

from mltrust.core.changes import Difference
from mltrust.core.names import count
from mltrust.core.report import Report
from mltrust.errors import MltrustError
from mltrust.interfaces import Renderer, Seen
from mltrust.renderers.findings import Finding, Grade, of_difference, of_report, of_trouble, short
from mltrust.renderers.locations import place_of, plain

MAX_ANNOTATIONS = 9


class GithubRenderer(Renderer):
    """One line each: the verdict first, then what failed, what is undecided, and what is worth knowing."""

    name: ClassVar[str] = "github"
    media_type: ClassVar[str] = "text/plain"

    def report(self, found: Report, seen: Seen) -> Iterator[str]:
        """Yield the annotations of a report."""
        yield from _annotations(of_report(found), seen)

    def difference(self, found: Difference, seen: Seen) -> Iterator[str]:
        """Yield the annotations of a difference."""
        yield from _annotations(of_difference(found), seen)

    def trouble(self, error: MltrustError, seen: Seen) -> Iterator[str]:
        """Yield one error."""
        yield from _annotations([of_trouble(error)], seen)


def _annotations(findings: Iterable[Finding], seen: Seen) -> Iterator[str]:
    first, *rest = findings
    rest = [
        finding for grade in (Grade.FAILED, Grade.UNDECIDED, Grade.NOTE) for finding in rest if finding.grade is grade
    ]
    told = [first, *rest]
    yield from (_annotation(finding, seen, verdict=finding is first) for finding in told[:MAX_ANNOTATIONS])
    if len(told) > MAX_ANNOTATIONS:
        yield _more(told[MAX_ANNOTATIONS:])


def _more(left: Sequence[Finding]) -> str:
    message = f"and {count(len(left), 'more finding')}: the job summary and the other formats list them"
    return _command(_word(left[0]), {"title": "mltrust"}, message)


def _annotation(finding: Finding, seen: Seen, *, verdict: bool) -> str:
    properties = {}
    place = place_of(finding.path, seen) if finding.path else ""
    if place and plain(place):  # a name with anything odd in it stands in the message alone, escaped
        properties = {"file": place, "line": "1"}
    return _command(
        _word(finding, verdict=verdict), {**properties, "title": f"mltrust {finding.rule}"}, finding.message
    )


def _word(finding: Finding, *, verdict: bool = False) -> str:
    """Return the command: whatever ends the step with an error is one."""
    if finding.grade is Grade.UNDECIDED:
        return "error" if verdict else "warning"
    return "error" if finding.grade is Grade.FAILED else "notice"


def _command(word: str, properties: dict[str, str], message: str) -> str:
    listed = ",".join(f"{key}={_property(value)}" for key, value in properties.items())
    return f"::{word} {listed}::{_data(short(message, 2000))}\n"


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
