"""The terminal: results on stdout, talk and progress on stderr, colour as decoration only."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from io import StringIO, TextIOWrapper
from typing import TYPE_CHECKING, TextIO

from mltrust.core.names import is_obeyed, printable
from mltrust.errors import MltrustError, UsageError, WriteError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.progress import Progress as RichProgress

    from mltrust.interfaces import Progress
    from mltrust.renderers.styled import Text


class Color(StrEnum):
    """When to colour: `auto` asks the terminal and NO_COLOR."""

    AUTO = "auto"
    ALWAYS = "always"
    NEVER = "never"


@dataclass(frozen=True)
class Console:
    """Where a command speaks. `quiet` leaves stderr to errors and stdout to what was asked for."""

    quiet: bool = False
    verbose: bool = False
    color: Color = Color.AUTO
    _bars: "list[RichProgress]" = field(default_factory=list, init=False, repr=False, compare=False)

    def _rich(self, stream: TextIO, file: TextIO) -> "RichConsole":
        """Return a console that draws into `file` what suits `stream`."""
        from rich.console import Console as RichConsole

        forced = {Color.ALWAYS: True, Color.NEVER: False}.get(self.color)
        system = {Color.ALWAYS: "standard", Color.NEVER: None}.get(self.color, "auto")
        return RichConsole(
            file=file,
            force_terminal=stream.isatty() or None if forced is None else forced,
            no_color=True if self.color is Color.NEVER else None if self.color is Color.AUTO else False,
            color_system=system,  # type: ignore[arg-type]  # one of rich's literals
            soft_wrap=True,
            highlight=False,
            markup=False,
            emoji=False,
        )

    def _write(self, stream: TextIO, text: "Text | str", style: str | None = None) -> None:
        """Draw, then write: where the reader went away, rich itself would exit with 1."""
        _write(stream, self._drawn(stream, text, style) if self._draws(stream) else f"{text}\n")

    def _draws(self, stream: TextIO) -> bool:
        """Tell whether there may be anything to draw: to load rich takes longer than to render most results."""
        asked = self.color is Color.ALWAYS or os.environ.get("FORCE_COLOR") or os.environ.get("TTY_COMPATIBLE") == "1"
        return self.color is not Color.NEVER and (stream.isatty() or bool(asked))

    def _drawn(self, stream: TextIO, text: "Text | str", style: str | None) -> str:
        from rich.text import Text as RichText

        drawn, spans = StringIO(), [(text, "")] if isinstance(text, str) else text.spans
        self._rich(stream, drawn).print(RichText.assemble(*spans), style=style)
        return drawn.getvalue()

    def result(self, text: "Text | str") -> None:
        """Print what was asked for. A reader that went away changes nothing about the outcome."""
        if isinstance(text, str):  # documents pass as they are
            _write(sys.stdout, text if text.endswith("\n") else text + "\n")
        else:
            self._write(sys.stdout, text)

    def exact(self, text: str, *, otherwise: str = "") -> None:
        """Print a text others check to the byte: UTF-8 whatever the terminal speaks; escaped where people read it.

        What somebody else wrote has a hint how to have it `otherwise`; it is a `UsageError` if a log would obey it.
        """
        if sys.stdout.isatty():
            text = "\n".join(map(printable, text.split("\n")))
        elif otherwise and is_obeyed(text):
            raise UsageError("a terminal or a CI service would obey what is in it: it is not printed", hint=otherwise)
        elif isinstance(sys.stdout, TextIOWrapper):
            sys.stdout.reconfigure(encoding="utf-8", newline="\n")
        self.result(text)

    def talk(self, text: "Text | str") -> None:
        """Print what is only worth knowing."""
        if not self.quiet:
            self._say(printable(text) if isinstance(text, str) else text)

    def error(self, error: MltrustError) -> None:
        """Print an error and its hint."""
        self._say(f"error: {printable(str(error))}", style="bold red")
        if error.hint:
            self._say(f"hint: {printable(error.hint)}")

    def _say(self, text: "Text | str", style: str | None = None) -> None:
        """Print to stderr; that nobody can read it changes nothing about the outcome."""
        with suppress(WriteError):
            self._write(sys.stderr, text, style)

    @contextmanager
    def progress(self) -> Iterator["Progress"]:
        """Show how far it is while the block runs: a bar on a terminal; elsewhere lines, with --verbose alone."""
        bar = not self.quiet and sys.stderr.isatty() and os.environ.get("TERM") != "dumb"
        if not bar and (self.quiet or not self.verbose):
            from mltrust.interfaces import Silent

            yield Silent()
            return
        from mltrust.cli import progress

        if not bar:
            yield progress.Lines(self.talk)
            return
        drawn = progress.bar(self._rich(sys.stderr, sys.stderr))
        self._bars.append(drawn)
        try:
            yield progress.Bar(drawn)
        finally:
            self.put_bars_away()
            self._bars.remove(drawn)

    def put_bars_away(self) -> None:
        """Leave the terminal to a question; a bar comes back with the next thing to read."""
        for bar in self._bars:
            bar.stop()


def _write(stream: TextIO, text: str) -> None:
    try:
        stream.write(text)
        stream.flush()
    except OSError as error:
        os.dup2(os.open(os.devnull, os.O_WRONLY), stream.fileno())  # the interpreter flushes again when it ends
        if not isinstance(error, BrokenPipeError):
            raise WriteError(f"the result cannot be written: {error.strerror or error}") from error
