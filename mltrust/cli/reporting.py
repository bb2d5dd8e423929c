"""The options by which a command writes its report: in which formats, and where.

What is written is one report, in as many formats as are asked for:

1. Formats and files are looked at before anything is read. An unknown format, or a file that is itself read or lies in
   an artifact, is a usage error, and nothing is touched.
2. The files of a former run are removed: whatever ends this one, none of them stands for it.
3. The command does its work. If it ends with trouble, that is written in each format instead of a report: a file always
   tells of this run, and never of a success that was none.
4. Each file is written, atomically, whether or not another one could be; then stdout. What could not be written is
   trouble (exit code 3), and else the code is that of the verdict.
"""

import os
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import cache, partial, wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, NoReturn

import typer

from mltrust.cli.console import Console
from mltrust.cli.exits import Exit, as_trouble, for_error, for_verdict
from mltrust.cli.options import with_options, write_result
from mltrust.errors import MltrustError, UsageError, WriteError

if TYPE_CHECKING:
    from mltrust.core.changes import Difference
    from mltrust.core.report import Report
    from mltrust.interfaces import Seen
    from mltrust.interfaces.rendering import Found
    from mltrust.renderers.styled import Text

_TEXT = "text"
_GITHUB = "github"
_SUMMARY = "GITHUB_STEP_SUMMARY"
_SUMMARY_BYTES = 2**20  # what GitHub takes of one step; of more it shows nothing
_CUT = "\n\nThe summary is too long: the rest is in the other formats.\n"
_NAMED = ("artifact", "before", "after", "key")  # options and arguments that name what is read, if not by their type

_OPTIONS: Mapping[str, tuple[object, object]] = {
    "format_": (
        Annotated[
            str,
            typer.Option(
                "--format",
                metavar="NAME",
                help="How to write the report: text, json, ndjson, sarif, junit, github, markdown or html.",
            ),
        ],
        _TEXT,
    ),
    "output": (
        Annotated[
            Path | None,
            typer.Option("--output", "-o", metavar="FILE", help="Write the report to a file, not to stdout."),
        ],
        None,
    ),
    "report": (
        Annotated[
            list[str] | None,
            typer.Option("--report", metavar="NAME=FILE", help="Write it to a file in this format, too. Repeatable."),
        ],
        None,
    ),
}


@dataclass
class Reports:
    """What a command was asked to write: a `format` on stdout or to `output`, and `others`, formats and files.

    It is `finished` once there was something to report, even if that could not be written.
    """

    format: str
    output: Path | None
    others: tuple[tuple[str, Path], ...]
    artifact: str = ""
    finished: bool = field(default=False, init=False)

    @property
    def files(self) -> list[tuple[str, Path]]:
        """All formats and files."""
        return [*([(self.format, self.output)] if self.output else []), *self.others]

    def finish(self, console: Console, found: "Report | Difference", seen: "Seen") -> NoReturn:
        """Write what was found everywhere, and end with the code of it."""
        from mltrust.core.report import Report

        if isinstance(found, Report):
            code = for_verdict(found.verdict)
            quiet = console.quiet and code is Exit.OK and self.format == _TEXT
        else:
            code, quiet = Exit.FAILED if found.changes else Exit.OK, False
        self.finished = True
        self._write(console, found, replace(seen, exit_code=int(code), verbose=console.verbose), quiet=quiet)
        raise typer.Exit(code)

    def tell(self, console: Console, trouble: MltrustError) -> None:
        """Write why there is nothing to report; on stdout only where a program reads it."""
        if self.finished:  # it is told of the report itself, which could not be written
            return
        from mltrust.interfaces import Seen

        seen = Seen(artifact=self.artifact, folder=self.artifact, exit_code=int(for_error(trouble)))
        try:
            self._write(console, trouble, seen, quiet=self.format == _TEXT)
        except MltrustError as error:
            console.error(error)

    def _write(self, console: Console, found: "Found", seen: "Seen", *, quiet: bool) -> None:
        from mltrust.rendering import render

        @cache
        def made(name: str) -> str:
            return "".join(render(found, name, seen))

        def to_file(name: str, file: Path) -> None:
            write_result(file, _encoded(made(name)))

        writing = [partial(to_file, name, file) for name, file in self.files]
        if self.format == _GITHUB and (summary := os.environ.get(_SUMMARY)):
            short = "".join(render(found, "markdown", replace(seen, verbose=False)))
            writing.append(partial(_append, Path(summary), _encoded(short)))
        if self.output is None and not quiet:
            drawn = _drawn(found, console) if self.format == _TEXT else made(self.format)
            writing.append(partial(console.result, drawn))
        _all_of(writing)


def _all_of(writing: Iterable[Callable[[], None]]) -> None:
    """Do each, whatever becomes of the others; then raise what went wrong first, and say so of all."""
    failed: list[MltrustError] = []
    for write in writing:
        try:
            write()
        except MltrustError as error:
            failed.append(error)
    if len(failed) == 1:
        raise failed[0]
    if failed:
        raise WriteError("; ".join(map(str, failed)), hint=failed[0].hint)


def _drawn(found: "Found", console: Console) -> "Text":
    from mltrust.core.report import Report
    from mltrust.renderers import text

    if isinstance(found, Report):
        return text.report(found, verbose=console.verbose)
    assert not isinstance(found, MltrustError)  # noqa: S101  # it is told on stderr
    return text.difference(found, verbose=console.verbose)


def _encoded(text: str) -> bytes:
    return text.encode("utf-8", "backslashreplace")


def _append(summary: Path, data: bytes) -> None:
    """Add to the summary of a job, as far as there is room in it."""
    try:
        with summary.open("ab") as opened:
            room = _SUMMARY_BYTES - opened.tell()
            if len(data) > room:
                kept = data[: max(0, room - len(_CUT))]
                data = kept[: kept.rfind(b"\n") + 1] + _CUT.encode()
            if len(data) <= room:
                opened.write(data)
    except OSError as error:
        raise WriteError(f"{summary}: the summary cannot be written: {error.strerror or error}") from error


def reporting(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` the options --format, --output and --report, and `Reports` made of them as first argument.

    Around it belongs `speaking`. It ends with `Reports.finish`.
    """

    @wraps(command)
    def run(reports: Reports, console: Console, *arguments: Any, **keywords: Any) -> None:  # noqa: ANN401  # as with_options
        named = str(keywords.get("after") or keywords.get("artifact") or "")
        reports.artifact = "" if "://" in named else named  # what signs a URL is in no report
        _check_files(reports.files, keywords)
        _remove(reports.files)
        try:
            command(reports, console, *arguments, **keywords)
        except Exception as error:
            trouble = as_trouble(error)
            if trouble is not None:
                reports.tell(console, trouble)
            raise

    return with_options(run, _OPTIONS, _asked)


def _asked(format_: str, output: Path | None, report: list[str] | None) -> Reports:
    from mltrust import registry

    others = []
    for each in report or ():
        name, mark, file = each.partition("=")
        if not (mark and name and file):
            raise UsageError(f"--report {each[:200]!a} names no format and file", hint="Write --report NAME=FILE.")
        others.append((name, Path(file)))
    for name in (format_, *(name for name, _ in others)):
        if name != _TEXT:
            registry.load("renderers", name)()  # what it needs may not be installed
    return Reports(format_, output, tuple(others))


def _check_files(files: Sequence[tuple[str, Path]], keywords: Mapping[str, object]) -> None:
    read = list(_read_by(keywords)) if files else []
    seen: set[Path] = set()
    for _, file in files:
        if file.is_dir() or not file.parent.is_dir():
            why = "it is a folder" if file.is_dir() else "its folder is not there"
            raise WriteError(f"{file}: cannot be written: {why}", hint="Name a file in a folder that is there.")
        where = file.parent.resolve() / file.name
        if where in seen:
            raise UsageError(f"two reports are to be written to {file}", hint="Name a file for each.")
        seen.add(where)
        if any(where == each or where.is_relative_to(each) for each in read):
            hint = "Name one elsewhere: inside, it would be an added file the next time."
            raise UsageError(f"the report {file} is to be written over or into what is read", hint=hint)


def _read_by(keywords: Mapping[str, object]) -> Iterator[Path]:
    """Yield what a command reads: every path it was given, and what is kept beside it, as far as that is here."""
    for name, value in keywords.items():
        for each in value if isinstance(value, list | tuple) else (value,):
            if isinstance(each, Path) or (isinstance(each, str) and name in _NAMED and "://" not in each):
                yield from _places(Path(each))
    if "artifact" in keywords and keywords["artifact"] is None:
        from mltrust.staging import staged

        with suppress(MltrustError), staged("", os.environ) as files:  # if nothing is there, the command will say so
            yield from (place for each in files.sealed() for place in _places(each))


def _places(path: Path) -> Iterator[Path]:
    """Yield a path with and without links, and where its seal is, and what is kept beside that, if it is a file."""
    yield from (path.resolve(), path.parent.resolve() / path.name)
    if not os.path.isdir(path):  # noqa: PTH112  # Path.is_dir raises for a long text of a key
        from mltrust.beside.paths import erasures_path, salts_path, store_path
        from mltrust.core.exclusion import SEAL_ENDING

        for seal in (path, path.with_name(path.name + SEAL_ENDING)):  # it may be a seal itself
            yield from (each.resolve() for each in (seal, salts_path(seal), erasures_path(seal), store_path(seal)))


def _remove(files: Iterable[tuple[str, Path]]) -> None:
    for _, file in files:
        if file.is_file() and file.parent != Path("/dev"):  # a pipe or a terminal holds nothing of a former run
            try:
                file.unlink()
            except OSError as error:
                raise WriteError(f"{file}: cannot be written: {error.strerror or error}") from error
