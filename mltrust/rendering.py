"""Reports and differences in any format that is installed."""

from collections.abc import Iterator

from mltrust import registry
from mltrust.core.changes import Difference
from mltrust.core.report import Report
from mltrust.errors import MltrustError
from mltrust.interfaces import Renderer, Seen


def render(found: Report | Difference | MltrustError, name: str, seen: Seen | None = None) -> Iterator[str]:
    """Yield the text of a report, a difference, or the error instead of one, in pieces.

    `name` is that of the format: text, json, ndjson, sarif, junit, github, markdown, html, or what a package brings;
    `UsageError` if there is none. `seen` is what `verify_seen`, `verify_oms_seen` and `diff_seen` return beside it.
    """
    renderer: Renderer = registry.load("renderers", name)()
    seen = seen or Seen()
    if isinstance(found, Report):
        return renderer.report(found, seen)
    return renderer.difference(found, seen) if isinstance(found, Difference) else renderer.trouble(found, seen)
