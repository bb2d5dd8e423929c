"""Long work as people see it: a bar on a terminal, now and then a line in a log that asked for more."""

from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from time import monotonic
from typing import TYPE_CHECKING

from rich.cells import cell_len
from rich.filesize import decimal
from rich.progress import BarColumn, DownloadColumn, Progress, ProgressColumn, TimeRemainingColumn, TransferSpeedColumn
from rich.table import Column
from rich.text import Text

from mltrust.core.names import shown

if TYPE_CHECKING:
    from rich.console import Console, ConsoleOptions, RenderResult
    from rich.progress import Task

_REDRAW_SECONDS = 0.1
_LINE_SECONDS = 30
_FIGURES = (DownloadColumn, TransferSpeedColumn, TimeRemainingColumn)
_FEWEST_CELLS = 8  # a shorter piece of a name says nothing


def bar(terminal: "Console") -> Progress:
    """Return a bar with bytes, rate, time left and what is being read; nothing of it stays."""
    figures = (each(table_column=Column(no_wrap=True)) for each in _FIGURES)
    columns = (BarColumn(20), *figures, _NameColumn())
    # Without a thread of its own to refresh it: an engine may copy the process only while it has one thread.
    return Progress(*columns, console=terminal, transient=True, auto_refresh=False, expand=True)


class _NameColumn(ProgressColumn):
    """The name of the file that is being read, in the room that is left."""

    def __init__(self) -> None:
        super().__init__(Column(ratio=1, no_wrap=True))

    def render(self, task: "Task") -> "_Name":
        return _Name(str(task.fields.get("path", "")))


@dataclass(frozen=True)
class _Name:
    path: str

    def __rich_console__(self, console: "Console", options: "ConsoleOptions") -> "RenderResult":
        name = shown(self.path).encode(console.encoding, "backslashreplace").decode(console.encoding)
        yield Text(_shortened(name, options.max_width), end="")


def _shortened(name: str, cells: int) -> str:
    """Return the end of `name`, which tells files apart, in so many cells of a terminal."""
    if cell_len(name) <= cells:
        return name
    if cells < _FEWEST_CELLS:
        return ""
    while cell_len(name) > cells - 3:
        name = name[max(1, (len(name) - cells) // 2) :]
    return f"...{name}"


@dataclass
class _Watch:
    """Adds up what any thread reports, and shows it no more often than every `seconds`."""

    show: "Callable[[_Watch], None]"
    seconds: float
    shown: float
    total: int = 0
    done: int = 0
    path: str = ""
    lock: Lock = field(default_factory=Lock)

    def expect(self, files: int, size: int) -> None:  # noqa: ARG002  # bytes are counted
        with self.lock:
            self.total += size

    def reading(self, path: str) -> None:
        self.path = path

    def advance(self, size: int) -> None:
        now = monotonic()
        with self.lock:
            self.done += size
            if now - self.shown < self.seconds:
                return
            self.shown = now
        self.show(self)


class Bar(_Watch):
    """A progress that is shown as a bar of rich's, which any thread may draw."""

    def __init__(self, drawn: Progress) -> None:
        super().__init__(self._draw, _REDRAW_SECONDS, 0.0)
        self._drawn, self._task = drawn, drawn.add_task("", total=None)

    def expect(self, files: int, size: int) -> None:
        """Take in what is to come, and show the bar, which a question may have put away."""
        super().expect(files, size)
        self._drawn.update(self._task, total=self.total)
        self._drawn.start()

    def _draw(self, _: _Watch) -> None:
        self._drawn.update(self._task, completed=self.done, path=self.path)
        self._drawn.refresh()


class Lines(_Watch):
    """A progress that says a line, where something takes long."""

    def __init__(self, say: Callable[[str], None]) -> None:
        self._begun = monotonic()
        super().__init__(lambda _: say(self._line()), _LINE_SECONDS, self._begun)

    def _line(self) -> str:
        rate = self.done / max(monotonic() - self._begun, 1e-3)
        left = f", {_clock((self.total - self.done) / rate)} left" if 0 < self.done <= self.total else ""
        return f"{decimal(self.done)} of {decimal(self.total)}, {decimal(int(rate))}/s{left}: {shown(self.path)}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}"
