"""The options commands share, and the decorator that gives every command its console."""

import inspect
from collections.abc import Callable, Mapping
from enum import StrEnum
from functools import wraps
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from mltrust.cli.console import Color, Console
from mltrust.cli.exits import for_verdict
from mltrust.errors import UsageError, WriteError

if TYPE_CHECKING:
    from mltrust.core.report import Verdict
    from mltrust.renderers.styled import Text


class Format(StrEnum):
    """How a result is written."""

    TEXT = "text"
    JSON = "json"


class SuiteChoice(StrEnum):
    """The content hash of a suite."""

    BLAKE3 = "blake3"
    SHA256 = "sha256"


class RecordsChoice(StrEnum):
    """Whether the records of a file are told apart, and their hashes kept beside the seal."""

    AUTO = "auto"
    KEEP = "keep"
    OFF = "off"


Artifact = Annotated[
    str, typer.Argument(metavar="ARTIFACT", help="A file, a folder, or a URL such as s3://...", show_default=False)
]
SealFile = Annotated[
    Path, typer.Argument(metavar="SEAL", help="A seal file, or the file or folder it is kept with.", show_default=False)
]
FormatOption = Annotated[Format, typer.Option("--format", help="How to write the result.")]
Jobs = Annotated[
    int | None,
    typer.Option("--jobs", "-j", metavar="N", help="Threads to hash with (default: one a core), or pieces at once."),
]
Engine = Annotated[str, typer.Option("--engine", metavar="URI", help="Who hashes: threads, or dask://HOST:PORT.")]
Suite = Annotated[SuiteChoice, typer.Option("--suite", help="The hash of file content (sha256 for FIPS).")]
Exclude = Annotated[
    list[str] | None,
    typer.Option("--exclude", metavar="PATTERN", help="Leave out what matches a gitignore pattern. Repeatable."),
]
RecordsOption = Annotated[
    RecordsChoice,
    typer.Option(
        "--records",
        help="Tell records of JSONL, CSV, Parquet and tar files apart; keep: and their hashes, to name what changes.",
    ),
]
RecordsIndexOption = Annotated[
    bool, typer.Option("--records-index", help="Index records, so that it can be proved that one is not there.")
]
SaltsOption = Annotated[
    Path | None, typer.Option("--salts", metavar="FILE", help="The salts of a blinded seal (default: beside it).")
]
_Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="Say nothing but errors and what was asked for.")]
_Verbose = Annotated[bool, typer.Option("--verbose", "-v", help="Say more.")]
_Color = Annotated[Color, typer.Option("--color", help="When to colour (NO_COLOR works too).")]


def check_records(records: RecordsChoice, *, index: bool, blind: bool = False) -> None:
    """Refuse options that contradict each other."""
    if blind and (index or records is RecordsChoice.OFF):
        wrong = "--records-index: it is looked up by" if index else "--records off: it blinds"
        what = "what records hold, which blinding hides" if index else "records"
        raise UsageError(f"--blind goes with no {wrong} {what}")
    if index and records is RecordsChoice.OFF:
        raise UsageError("--records-index goes with no --records off: an index is made of records")


def finish(console: Console, rendered: "Text | str", verdict: "Verdict") -> None:
    """Print a report, and end with the code of its verdict."""
    if not (console.quiet and verdict == "verified" and not isinstance(rendered, str)):
        console.result(rendered)
    raise typer.Exit(for_verdict(verdict))


def write_result(path: Path, data: bytes) -> None:
    """Write a result to the file the user named; a device or a pipe is written to, never replaced."""
    from mltrust.disk.documents import write_atomically

    if path.parent != Path("/dev") and (path.is_file() or path.is_dir() or not path.exists()):
        write_atomically(path, data)
        return
    try:
        with path.open("ab") as opened:  # what a redirected /dev/stdout holds already stays
            opened.write(data)
    except OSError as error:
        raise WriteError(f"{path}: cannot be written: {error.strerror or error}") from error


def speaking(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` the options --quiet, --verbose and --color, and a `Console` made of them as first argument."""
    shared = {"quiet": (_Quiet, False), "verbose": (_Verbose, False), "color": (_Color, Color.AUTO)}
    return with_options(command, shared, Console)


def with_options(
    command: Callable[..., None], options: Mapping[str, tuple[object, object]], make: Callable[..., object]
) -> Callable[..., None]:
    """Give `command` more options, name to type and default; what `make` makes of them is its first argument."""
    _, *own = inspect.signature(command).parameters.values()
    shared = [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=default, annotation=kind)
        for name, (kind, default) in options.items()
    ]
    keyword = [parameter.replace(kind=inspect.Parameter.KEYWORD_ONLY) for parameter in own]

    @wraps(command)
    def run(*arguments: Any, **keywords: Any) -> None:  # noqa: ANN401  # whatever its options are
        made = make(**{name: keywords.pop(name) for name in options})
        command(made, *arguments, **keywords)

    run.__signature__ = inspect.Signature([*keyword, *shared])  # type: ignore[attr-defined]  # inspect looks for it
    run.__annotations__ = {parameter.name: parameter.annotation for parameter in (*keyword, *shared)}
    return run
