"""Who vouches, since when, and what every check found."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mltrust.core.names import printable, shown
from mltrust.core.report import Check, CheckKind, Outcome, Report
from mltrust.renderers.findings import short
from mltrust.renderers.text import said

MAX_CHECKS, MAX_EVIDENCE, MAX_NAMES = 200, 16, 200
"""Checks, signed documents of one, and names that one speaks of, that are shown at most."""

_MAX_TEXT = 2000
_MAX_DOCUMENT = 20_000
_WORDS = {Outcome.PASS: "passed", Outcome.FAIL: "failed", Outcome.UNCHECKED: "unchecked"}
_SIGNS = {
    Outcome.PASS: "\N{CHECK MARK}",
    Outcome.FAIL: "\N{MULTIPLICATION SIGN}",
    Outcome.UNCHECKED: "?",
}
_OF_SOMEBODY = (CheckKind.ANCHOR, CheckKind.SIGNATURE, CheckKind.FINGERPRINT, CheckKind.POLICY)


@dataclass(frozen=True, slots=True)
class Told:
    """One check; `facts` are what it says beside its summary, by name."""

    kind: str
    name: str
    outcome: str
    sign: str
    summary: str
    facts: Sequence[tuple[str, str]]
    names: Sequence[str]
    more_names: int
    evidence: Sequence[str]
    more_evidence: int


@dataclass(frozen=True, slots=True)
class Vouching:
    """What is known of who vouches, and the checks: those of somebody's word, and the others."""

    sentence: str
    of_somebody: Sequence[Told]
    others: Sequence[Told]
    more: int


def vouching_of(found: Report) -> Vouching:
    """Return who vouches for what is reported, and what every check found."""
    listed = found.checks[:MAX_CHECKS]
    return Vouching(
        _sentence(found),
        [_told(check) for check in listed if check.kind in _OF_SOMEBODY],
        [_told(check) for check in listed if check.kind not in _OF_SOMEBODY],
        len(found.checks) - len(listed),
    )


def _sentence(found: Report) -> str:
    if not found.vouchers:
        asked = "Nobody was asked to" if found.content_only else "Nobody who is trusted was found to"
        return f"{asked} vouch for the statement of the seal."
    names = ", ".join(dict.fromkeys(shown(check.name) for check in found.vouchers))
    verb = "vouches" if len(found.vouchers) == 1 else "vouch"
    times = [check.time.not_after for check in found.vouchers if check.time and check.time.not_after]
    since = f"By that word, it was there at {min(times)} at the latest." if times else "Since when is not said."
    return f"{short(names)} {verb} for the statement of the seal. {since}"


def _told(check: Check) -> Told:
    return Told(
        kind=check.kind,
        name=short(shown(check.name), _MAX_TEXT),
        outcome=_WORDS[check.outcome],
        sign=_SIGNS[check.outcome],
        summary=short(said(check), _MAX_TEXT),
        facts=[(what, short(text, _MAX_TEXT)) for what, text in _facts(check)],
        names=[short(shown(name)) for name in check.names[:MAX_NAMES]],
        more_names=max(len(check.names) - MAX_NAMES, 0),
        evidence=[_document(document) for document in check.evidence[:MAX_EVIDENCE]],
        more_evidence=max(len(check.evidence) - MAX_EVIDENCE, 0),
    )


def _facts(check: Check) -> Iterator[tuple[str, str]]:
    facts = {
        "Not before": shown(check.time.not_before or "") if check.time else "",
        "Not after": shown(check.time.not_after or "") if check.time else "",
        "Rests on": printable(check.level or ""),
        "Stronger": printable(check.stronger or ""),
        "Kind": shown(", ".join(check.kinds)),
        "Voice": shown(check.voice or ""),
        "Certified by": shown(", ".join(check.certified_by)),
        "Required": "by whoever asked" if check.required else "",
        "Vouches": "" if check.vouches else "no: it says since when, not whose it is",
        "Hint": printable(check.hint or ""),
    }
    return ((what, value) for what, value in facts.items() if value)


def _document(text: str) -> str:
    """Return a signed document line by line, each escaped."""
    lines = "\n".join(printable(line) for line in text[:_MAX_DOCUMENT].splitlines())
    return lines if len(text) <= _MAX_DOCUMENT else f"{lines}\n... and {len(text) - _MAX_DOCUMENT:,} more characters"
