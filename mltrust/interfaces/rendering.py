"""The socket of rendering: a report or a difference, written in a format that people or other programs read."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import ClassVar, Protocol

from mltrust.core.changes import Difference
from mltrust.core.manifest import Manifest
from mltrust.core.report import Report
from mltrust.errors import MltrustError

Found = Report | Difference | MltrustError
"""What a renderer writes: what was found, or why nothing was."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a report or a difference was made of, beside itself: for formats that show the whole, or point into files.

    `artifact` is what the user named, `seal` the seal file if one was read, as paths or URLs. `folder` is where the
    paths of files start from: the artifact, or what it lies in if it is a single file. Of two artifacts, they are the
    second. `before` is what is sealed, or the first side of a difference, and `after` what was read, or the second
    side; None where they are not at hand, as with bundles of others.

    `exit_code` is what the command ends with, if it is one that asks. `verbose` asks for all there is, where a format
    else lists the first of many.
    """

    artifact: str = ""
    seal: str | None = None
    folder: str = ""
    before: Manifest | None = None
    after: Manifest | None = None
    exit_code: int | None = None
    verbose: bool = False


class Renderer(Protocol):
    """Writes one format, a text. A plug inherits from this class, and is made without arguments.

    It is made before anything is read: if something it needs is not installed, it raises `UsageError` then.
    Every name that comes from outside is escaped so that it stays a name in that format: no control character, no
    markup, no command to whatever reads it. The same report gives the same text, which ends with a line. Nothing is
    left out silently: where a format has room for some, it says how many more there are. Only what is verified, or
    does not differ, looks like a success.
    """

    name: ClassVar[str]
    media_type: ClassVar[str]

    def report(self, found: Report, seen: Seen) -> Iterator[str]:
        """Yield the text of the report on an artifact in pieces."""

    def difference(self, found: Difference, seen: Seen) -> Iterator[str]:
        """Yield the text of a difference in pieces."""

    def trouble(self, error: MltrustError, seen: Seen) -> Iterator[str]:
        """Yield the text that says, in pieces, that there is neither: why, and what can be done; never a success.

        Of what is `seen`, there is no more than the artifact as the user named it, and the exit code.
        """


def written(renderer: Renderer, found: Found, seen: Seen) -> Iterator[str]:
    """Yield the text of a report, a difference or an error in pieces."""
    if isinstance(found, Report):
        return renderer.report(found, seen)
    return renderer.difference(found, seen) if isinstance(found, Difference) else renderer.trouble(found, seen)
