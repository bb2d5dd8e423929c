"""JSON, one object a line, for logs and streams: a header, each check, change and notice, and the verdict last."""

from collections.abc import Iterable, Iterator
from typing import ClassVar

from mltrust.core.canonical import Json
from mltrust.core.changes import Change, Difference
from mltrust.core.report import Report
from mltrust.errors import MltrustError
from mltrust.interfaces import Renderer, Seen
from mltrust.renderers.json_v1 import line, media_type, trouble_fields


class NdjsonRenderer(Renderer):
    """Lines of JSON, in ASCII. A reader that misses the last one knows that something is missing."""

    name: ClassVar[str] = "ndjson"
    media_type: ClassVar[str] = "application/x-ndjson"

    def report(self, found: Report, seen: Seen) -> Iterator[str]:
        """Yield the lines of a report; its scope is in the last one."""
        yield _header("report-lines", seen, name=found.name, fingerprint=found.fingerprint, suite=found.suite)
        yield from (line({"type": "check", **check.to_json()}) for check in found.checks)
        yield from _changes(found.changes)
        yield from (line({"type": "notice", **notice.to_json()}) for notice in found.notices)
        scope: dict[str, Json] = {"scope": found.scope.to_json(), "content_only": found.content_only}
        yield line({"type": "verdict", "verdict": found.verdict.value, **scope})

    def difference(self, found: Difference, seen: Seen) -> Iterator[str]:
        """Yield the lines of a difference; its sums are in the last one."""
        yield _header("diff-lines", seen, before=found.before, after=found.after)
        yield from _changes(found.changes)
        sums = {key: value for key, value in found.to_json().items() if key not in ("before", "after", "changes")}
        yield line({"type": "verdict", "verdict": "different" if found.changes else "same", **sums})

    def trouble(self, error: MltrustError, seen: Seen) -> Iterator[str]:
        """Yield two lines: there is no verdict."""
        yield _header("trouble-lines", seen)
        yield line({"type": "trouble", **trouble_fields(error, seen.exit_code)})


def _header(kind: str, seen: Seen, **fields: Json) -> str:
    where: dict[str, Json] = {"artifact": seen.artifact or None, "seal": seen.seal}
    return line({"type": "header", "mediaType": media_type(kind), **where, **fields})


def _changes(changes: Iterable[Change]) -> Iterator[str]:
    return (line({"type": "change", **change.to_json()}) for change in changes)
