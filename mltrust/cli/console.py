"""The terminal: results on stdout, talk and progress on stderr, colour as decoration only."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from enum import StrEnum
from io import StringIO, TextIOWrapper
from time import monotonic
from typing import TYPE_CHECKING, TextIO

from mltrust.core.names import printable
from mltrust.errors import MltrustError, WriteError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID

    from mltrust.interfaces import Progress
    from mltrust.renderers.styled import Text


_REDRAW_SECONDS = 0.1


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

    def exact(self, text: str) -> None:
        """Print a text others check to the byte: UTF-8 whatever the terminal speaks; escaped where people read it."""
        if sys.stdout.isatty():
            text = "\n".join(map(printable, text.split("\n")))
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
        """Show a bar with bytes, rate and time left while the block runs, if stderr is a terminal."""
        if self.quiet or not sys.stderr.isatty() or os.environ.get("TERM") == "dumb":
            from mltrust.interfaces import Silent

            yield Silent()
            return
        from rich.progress import BarColumn, DownloadColumn, TimeRemainingColumn, TransferSpeedColumn
        from rich.progress import Progress as RichProgress

        columns = (BarColumn(), DownloadColumn(), TransferSpeedColumn(), TimeRemainingColumn())
        terminal = self._rich(sys.stderr, sys.stderr)
        # Without a thread of its own to refresh it: an engine may copy the process only while it has one thread.
        bar = RichProgress(*columns, console=terminal, transient=True, auto_refresh=False)
        self._bars.append(bar)
        try:
            yield _Bar(bar, bar.add_task("reading", total=None))
        finally:
            self.put_bars_away()
            self._bars.remove(bar)

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


@dataclass
class _Bar:
    """Our progress shown as rich's, drawn anew when it moves; rich locks, so any thread may call."""

    bar: "RichProgress"
    task: "TaskID"
    total: int = 0
    drawn: float = 0.0

    def expect(self, files: int, size: int) -> None:  # noqa: ARG002  # the bar counts bytes
        self.total += size
        self.bar.update(self.task, total=self.total)
        self.bar.start()

    def advance(self, size: int) -> None:
        self.bar.advance(self.task, size)
        now = monotonic()
        if now - self.drawn >= _REDRAW_SECONDS:
            self.drawn = now
            self.bar.refresh()
