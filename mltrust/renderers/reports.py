"""The two formats every command has: text for people, and JSON, version 1, for programs."""

from collections.abc import Iterator
from typing import ClassVar

from mltrust.core.changes import Difference
from mltrust.core.names import printable
from mltrust.core.report import Report
from mltrust.errors import MltrustError
from mltrust.interfaces import Renderer, Seen
from mltrust.renderers import json_v1, text


class TextRenderer(Renderer):
    """Plain text; a terminal is shown the same with colours."""

    name: ClassVar[str] = "text"
    media_type: ClassVar[str] = "text/plain"

    def report(self, found: Report, seen: Seen) -> Iterator[str]:
        """Yield the verdict, each check, every difference, and what was not looked at."""
        yield f"{text.report(found, verbose=seen.verbose)}\n"

    def difference(self, found: Difference, seen: Seen) -> Iterator[str]:
        """Yield what changed, then what stayed the same all the same."""
        yield f"{text.difference(found, verbose=seen.verbose)}\n"

    def trouble(self, error: MltrustError, seen: Seen) -> Iterator[str]:
        """Yield the error and its hint, as they are shown."""
        yield f"error: {printable(str(error))}\n"
        if error.hint:
            yield f"hint: {printable(error.hint)}\n"


class JsonRenderer(Renderer):
    """One object."""

    name: ClassVar[str] = "json"
    media_type: ClassVar[str] = "application/json"

    def report(self, found: Report, seen: Seen) -> Iterator[str]:
        """Yield the report with its verdict."""
        yield json_v1.report(found) + "\n"

    def difference(self, found: Difference, seen: Seen) -> Iterator[str]:
        """Yield the difference."""
        yield json_v1.difference(found) + "\n"

    def trouble(self, error: MltrustError, seen: Seen) -> Iterator[str]:
        """Yield the error, and the code with which the command ends."""
        yield json_v1.trouble(error, seen.exit_code) + "\n"
