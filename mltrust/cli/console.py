"""The terminal: results on stdout, talk and progress on stderr, colour as decoration only."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from functools import cached_property
from typing import TYPE_CHECKING

from mltrust.core.names import printable
from mltrust.errors import MltrustError

if TYPE_CHECKING:
    from rich.console import Console as RichConsole
    from rich.progress import Progress as RichProgress
    from rich.progress import TaskID
    from rich.text import Text

    from mltrust.interfaces import Progress


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

    @cached_property
    def _out(self) -> "RichConsole":
        return self._rich(stderr=False)

    @cached_property
    def _err(self) -> "RichConsole":
        return self._rich(stderr=True)

    def _rich(self, *, stderr: bool) -> "RichConsole":
        from rich.console import Console as RichConsole

        stream = sys.stderr if stderr else sys.stdout
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
        forced = {Color.ALWAYS: True, Color.NEVER: False}.get(self.color)
        system = {Color.ALWAYS: "standard", Color.NEVER: None}.get(self.color, "auto")
        return RichConsole(
            file=stream,
            force_terminal=forced,
            no_color=True if self.color is Color.NEVER else None if self.color is Color.AUTO else False,
            color_system=system,  # type: ignore[arg-type]  # one of rich's literals
            soft_wrap=True,
            highlight=False,
            markup=False,
            emoji=False,
        )

    def result(self, text: "Text | str") -> None:
        """Print what was asked for. A reader that went away changes nothing about the outcome."""
        try:
            if isinstance(text, str):  # documents pass as they are
                sys.stdout.write(text if text.endswith("\n") else text + "\n")
            else:
                self._out.print(text)
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())

    def talk(self, text: "Text | str") -> None:
        """Print what is only worth knowing."""
        if not self.quiet:
            self._err.print(printable(text) if isinstance(text, str) else text)

    def error(self, error: MltrustError) -> None:
        """Print an error and its hint."""
        self._err.print(f"error: {printable(str(error))}", style="bold red" if self._err.is_terminal else None)
        if error.hint:
            self._err.print(f"hint: {printable(error.hint)}")

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
        with RichProgress(*columns, console=self._err, transient=True) as bar:
            yield _Bar(bar, bar.add_task("reading", total=None))


@dataclass(frozen=True)
class _Bar:
    """Our progress shown as rich's; rich locks, so any thread may call."""

    bar: "RichProgress"
    task: "TaskID"

    def start(self, files: int, size: int) -> None:  # noqa: ARG002  # the bar counts bytes
        self.bar.update(self.task, total=size)

    def advance(self, size: int) -> None:
        self.bar.advance(self.task, size)
