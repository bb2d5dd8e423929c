"""SARIF 2.1.0 (OASIS), for code scanning: findings as results, each in its file, with rules that stay the same."""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from hashlib import sha256
from importlib.metadata import version
from typing import ClassVar

from mltrust.core.canonical import Json
from mltrust.core.changes import ChangeKind, Difference
from mltrust.core.names import count, shown
from mltrust.core.report import CheckKind, Report
from mltrust.errors import MltrustError
from mltrust.interfaces import Renderer, Seen
from mltrust.renderers.findings import Finding, Grade, of_difference, of_report, of_trouble
from mltrust.renderers.json_v1 import harmless
from mltrust.renderers.locations import place_of, uri_of
from mltrust.renderers.text import MAX_LISTED, not_checked

_SCHEMA = "https://docs.oasis-open.org/sarif/sarif/v2.1.0/errata01/os/schemas/sarif-schema-2.1.0.json"
_HOME = "https://github.com/mltrust/mltrust"
MAX_RESULTS = 5000
"""As many as GitHub shows; it refuses files with more than 25,000."""

_CHANGES = {
    ChangeKind.CHANGED: "Other bytes",
    ChangeKind.ADDED: "A file or part that should not be there",
    ChangeKind.REMOVED: "A file or part that is missing",
    ChangeKind.RENAMED: "The same bytes under another name",
    ChangeKind.SWAPPED: "The bytes of two names are swapped",
    ChangeKind.TRUNCATED: "Shorter than it was",
    ChangeKind.HEADER_ONLY: "Another header, the same tensors",
    ChangeKind.DTYPE: "A tensor of another type",
    ChangeKind.SHAPE: "A tensor of another shape",
    ChangeKind.REWRITTEN: "The same records in the same order, other bytes",
    ChangeKind.SHUFFLED: "The same records in another order",
    ChangeKind.MALFORMED: "Not of the format its name says",
    ChangeKind.POINTER: "A Git LFS pointer instead of its content",
}
_RULES = {
    "inconclusive": "It could not be decided whether this is what was sealed",
    "no-report": "Nothing was decided: there is neither a report nor a difference",
    "more": "More results than are listed",
    **{f"change-{kind}": text for kind, text in _CHANGES.items()},
    **{f"check-{kind}": f"The check of the {kind} failed" for kind in CheckKind},
    **{f"unchecked-{kind}": f"The check of the {kind} could not be made" for kind in CheckKind},
}


class SarifRenderer(Renderer):
    """One log with one run. What is verified has no results but notes."""

    name: ClassVar[str] = "sarif"
    media_type: ClassVar[str] = "application/sarif+json"

    def report(self, found: Report, seen: Seen) -> Iterator[str]:
        """Yield the log of a report. Nothing but a decision is an execution that was successful."""
        said = [f"not checked: {what}" for what, _ in not_checked(found, MAX_LISTED)]
        yield _log(of_report(found), seen, said, decided=found.verdict != "inconclusive")

    def difference(self, found: Difference, seen: Seen) -> Iterator[str]:
        """Yield the log of a difference."""
        yield _log(of_difference(found), seen, decided=True)

    def trouble(self, error: MltrustError, seen: Seen) -> Iterator[str]:
        """Yield a log with one result: a log without any would close what is open."""
        yield _log([of_trouble(error)], seen, decided=False)


def _log(findings: Iterable[Finding], seen: Seen, said: Sequence[str] = (), *, decided: bool) -> str:
    first, *rest = findings
    told = [finding for finding in rest if finding.grade is not Grade.PASSED]
    if first.grade is Grade.UNDECIDED:  # what failed says so by what failed
        told.insert(0, first)
    listed = told[:MAX_RESULTS]
    if len(told) > MAX_RESULTS:
        message = f"and {count(len(told) - MAX_RESULTS, 'more result')}, which the other formats list"
        listed.append(Finding("more", max(told, key=_weight).grade, "", message))
    rules = {**_RULES, **{f.rule: f"Worth knowing: {f.rule}" for f in listed if f.rule not in _RULES}}
    indexes = {rule: index for index, rule in enumerate(rules)}
    run: Json = {
        "tool": {"driver": _driver(rules)},
        "invocations": [_invocation([first.message, *said], seen, decided=decided)],
        "columnKind": "unicodeCodePoints",
        "results": [_result(finding, seen, indexes) for finding in listed],
    }
    log: Json = {"$schema": _SCHEMA, "version": "2.1.0", "runs": [run]}
    return harmless(json.dumps(log, indent=1)) + "\n"


def _weight(finding: Finding) -> int:
    return [Grade.PASSED, Grade.NOTE, Grade.UNDECIDED, Grade.FAILED].index(finding.grade)


def _driver(rules: Mapping[str, str]) -> Json:
    listed: list[Json] = [
        {"id": rule, "shortDescription": {"text": text}, "defaultConfiguration": {"level": _default_level(rule)}}
        for rule, text in rules.items()
    ]
    return {"name": "mltrust", "version": version("mltrust"), "informationUri": _HOME, "rules": listed}


def _default_level(rule: str) -> str:
    return {"notice": "note", "unchecked": "warning"}.get(rule.partition("-")[0], "error")


def _invocation(said: Sequence[str], seen: Seen, *, decided: bool) -> Json:
    found: dict[str, Json] = {"executionSuccessful": decided}
    if seen.exit_code is not None:
        found["exitCode"] = seen.exit_code
    levels = ["note" if decided else "error", *("note" for _ in said[1:])]
    notes = zip(levels, map(_message, said), strict=True)
    found["toolExecutionNotifications"] = [{"level": level, "message": message} for level, message in notes]
    return found


def _result(finding: Finding, seen: Seen, indexes: Mapping[str, int]) -> Json:
    uri = uri_of(_place(finding, seen))
    digest = sha256(json.dumps([finding.rule, uri, finding.subject]).encode()).hexdigest()
    return {
        "ruleId": finding.rule,
        "ruleIndex": indexes[finding.rule],
        "level": _level(finding),
        "message": _message(finding.message),
        "locations": [_location(uri, finding.parts)],
        "partialFingerprints": {"mltrustFinding/v1": digest, "primaryLocationLineHash": f"{digest[:16]}:1"},
    }


def _level(finding: Finding) -> str:
    """Return the level: no verdict is an error, as it is of the command; a check that was not made is a warning."""
    if finding.grade is Grade.UNDECIDED:
        return "warning" if finding.rule.startswith(("unchecked-", "change-")) else "error"
    return "error" if finding.grade is Grade.FAILED else "note"


def _place(finding: Finding, seen: Seen) -> str:
    """Return where the file is, or else the seal: code scanning wants a place for everything."""
    return place_of(finding.path, seen) if finding.path else seen.seal or seen.artifact or "."


def _location(uri: str, parts: Iterable[str]) -> Json:
    inside: list[Json] = [{"fullyQualifiedName": shown(part)} for part in parts]
    physical: Json = {"artifactLocation": {"uri": uri}, "region": {"startLine": 1}}
    return {"physicalLocation": physical, **({"logicalLocations": inside} if inside else {})}


def _message(text: str) -> Json:
    """Return a plain text message: no placeholders (section 3.11.5), and no links (section 3.11.6)."""
    for odd, escaped in (("](", r"\x5d("), ("{", "{{"), ("}", "}}")):
        text = text.replace(odd, escaped)
    return {"text": text}
