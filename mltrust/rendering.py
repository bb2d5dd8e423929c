"""Reports and differences in any format that is installed."""

from collections.abc import Iterator

from mltrust import registry
from mltrust.interfaces import Renderer, Seen
from mltrust.interfaces.rendering import Found, written


def render(found: Found, name: str, seen: Seen | None = None) -> Iterator[str]:
    """Yield the text of a report, a difference, or the error instead of one, in pieces.

    `name` is that of the format: text, json, ndjson, sarif, junit, github, markdown, html, or what a package brings;
    `UsageError` if there is none. `seen` is what `verify_seen`, `verify_oms_seen` and `diff_seen` return beside it.
    """
    renderer: Renderer = registry.load("renderers", name)()
    return written(renderer, found, seen or Seen())
