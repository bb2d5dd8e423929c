"""One page that anybody can open: no script, nothing that is loaded, every name escaped."""

from collections.abc import Iterator
from typing import ClassVar

from mltrust.core.changes import Difference
from mltrust.core.report import Report
from mltrust.errors import MltrustError
from mltrust.interfaces import Renderer, Seen


class HtmlRenderer(Renderer):
    """A page in one file. What draws it is loaded when one is made: `UsageError` where that is not installed."""

    name: ClassVar[str] = "html"
    media_type: ClassVar[str] = "text/html"

    def __init__(self) -> None:
        from mltrust.renderers.html import page

        page.environment()

    def report(self, found: Report, seen: Seen) -> Iterator[str]:
        """Yield the verdict, what differs, who vouches and since when, and what was not checked."""
        from mltrust.renderers.html import page
        from mltrust.renderers.html.of_report import context

        yield from page.written(context(found, seen))

    def difference(self, found: Difference, seen: Seen) -> Iterator[str]:
        """Yield what differs, and what is the same all the same."""
        from mltrust.renderers.html import page
        from mltrust.renderers.html.of_difference import context

        yield from page.written(context(found, seen))

    def trouble(self, error: MltrustError, seen: Seen) -> Iterator[str]:
        """Yield why there is neither, and what can be done."""
        from mltrust.renderers.html import page
        from mltrust.renderers.html.of_trouble import context

        yield from page.written(context(error, seen))
