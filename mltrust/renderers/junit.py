"""JUnit XML, as CI services read it: one suite, a test case for the verdict, each check and each file that differs."""

from collections.abc import Iterable, Iterator, Sequence
from typing import ClassVar
from xml.sax.saxutils import quoteattr

from mltrust.core.changes import Difference
from mltrust.core.names import count, printable
from mltrust.core.report import Report, Verdict
from mltrust.errors import MltrustError
from mltrust.interfaces import Renderer, Seen
from mltrust.renderers.findings import Finding, Grade, of_difference, of_report, of_trouble, short
from mltrust.renderers.text import not_checked

MAX_CASES = 1000
"""How many files that differ are test cases of their own."""


class JunitRenderer(Renderer):
    """What failed is a `failure`, and what could not be decided an `error`.

    It is `skipped` where the artifact is verified without it.
    """

    name: ClassVar[str] = "junit"
    media_type: ClassVar[str] = "application/xml"

    def report(self, found: Report, seen: Seen) -> Iterator[str]:
        """Yield the suite of a report; notices and what was not checked are its output."""
        findings = list(of_report(found))
        undecided = "skipped" if found.verdict is Verdict.VERIFIED else "error"
        said = [finding.message for finding in findings if finding.grade is Grade.NOTE]
        said += [f"not checked: {what}" for what, _ in not_checked(found, None)]
        said = list(dict.fromkeys(said))
        yield from _document(f"mltrust verify {findings[0].subject}", findings, undecided, said)

    def difference(self, found: Difference, seen: Seen) -> Iterator[str]:
        """Yield the suite of a difference."""
        findings = list(of_difference(found))
        yield from _document(f"mltrust diff {findings[0].subject}", findings, "error")

    def trouble(self, error: MltrustError, seen: Seen) -> Iterator[str]:
        """Yield a suite with one error."""
        yield from _document("mltrust", [of_trouble(error)], "error")


def _document(name: str, findings: Iterable[Finding], undecided: str, said: Sequence[str] = ()) -> Iterator[str]:
    cases = _cases([finding for finding in findings if finding.grade is not Grade.NOTE], undecided)
    outcomes = [outcome for _, outcome in cases]
    counted = {"tests": len(cases), "failures": outcomes.count("failure"), "errors": outcomes.count("error")}
    sums = " ".join(f'{key}="{number}"' for key, number in counted.items())
    yield '<?xml version="1.0" encoding="UTF-8"?>\n'
    yield f'<testsuites name="mltrust" {sums}>\n'
    yield f'<testsuite name={_attribute(name)} {sums} skipped="{outcomes.count("skipped")}">\n'
    for finding, outcome in cases:
        yield _case(finding, outcome)
    if said:
        yield f"<system-out>{_text(chr(10).join(said))}</system-out>\n"
    yield "</testsuite>\n</testsuites>\n"


def _cases(findings: Sequence[Finding], undecided: str) -> list[tuple[Finding, str]]:
    """Return what becomes a test case, and its outcome; of files that differ, the first ones and how many more."""
    files = [finding for finding in findings if finding.path is not None]
    others = [finding for finding in findings if finding.path is None]
    if len(files) > MAX_CASES:
        message = f"and {count(len(files) - MAX_CASES, 'more file')}"
        files = [*files[:MAX_CASES], Finding("more", files[0].grade, message, message, "")]
    words = {Grade.PASSED: "", Grade.FAILED: "failure", Grade.UNDECIDED: undecided}
    return [(finding, words[finding.grade]) for finding in (*others, *files)]


def _case(finding: Finding, outcome: str) -> str:
    group = "mltrust.file" if finding.path is not None else "mltrust.check"
    name = finding.subject if finding.rule.startswith(("check-", "unchecked-", "change-", "more")) else "verdict"
    opened = f"<testcase classname={_attribute(group)} name={_attribute(short(name))}"
    if not outcome:
        return f"{opened}/>\n"
    result = f"<{outcome} type={_attribute(finding.rule)} message={_attribute(finding.message)}/>"
    if outcome == "skipped":
        result = f"<skipped message={_attribute(finding.message)}/>"
    return f"{opened}>{result}</testcase>\n"


def _attribute(text: str) -> str:
    return quoteattr(_legal(text), {"\n": "&#10;"})


def _text(text: str) -> str:
    return _legal(text).replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def _legal(text: str) -> str:
    """Escape what XML 1.0 cannot say (section 2.2): findings are escaped so, and this is the last line of defence."""
    return "\n".join(map(printable, text.split("\n")))
