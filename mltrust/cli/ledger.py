"""`mltrust ledger log | check | checkpoint | export`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.exits import Exit
from mltrust.cli.options import Format, FormatOption, speaking
from mltrust.core.names import printable
from mltrust.errors import ContradictionError, UsageError

if TYPE_CHECKING:
    from mltrust.anchors.ledger import LedgerAnchor
    from mltrust.core.canonical import Json

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look into a ledger: your own, or the one --ledger names.",
)

_LedgerOption = Annotated[
    str | None, typer.Option("--ledger", metavar="URI", help="ledger:PATH or a configured name (default: your own).")
]


def _open(uri: str | None, console: Console) -> "LedgerAnchor":
    from mltrust.anchors.ledger import LedgerAnchor
    from mltrust.cli.trusting import open_named, own_ledger

    backend = own_ledger(console) if uri is None else open_named(uri, console)
    if not isinstance(backend, LedgerAnchor):
        raise UsageError(f"{uri} names no ledger", hint="Write ledger:PATH.")
    return backend


@app.command("log")
@speaking
def log(console: Console, ledger: _LedgerOption = None, format_: FormatOption = Format.TEXT) -> None:
    """List the entries: number, time by the keeper's clock, digest of the statement.

    \b
    Examples:
      mltrust ledger log
      mltrust ledger log --ledger ledger:/srv/ledger --format json
    """
    from mltrust.renderers import json_v1

    entries = list(_open(ledger, console).entries())
    if format_ is Format.JSON:
        rows: list[Json] = [{"index": index, "time": time, "digest": str(digest)} for index, time, digest in entries]
        console.result(json_v1.document("ledger-log", {"entries": rows}))
    elif entries:
        console.result("\n".join(f"{index}  {time}  {digest}" for index, time, digest in entries))


@app.command("check")
@speaking
def check(console: Console, ledger: _LedgerOption = None, format_: FormatOption = Format.TEXT) -> None:
    """Check the whole ledger against its signed checkpoint and against the last one seen here.

    Exit code 1 if it was truncated, edited, rolled back or forked.

    \b
    Examples:
      mltrust ledger check
      mltrust ledger check --ledger ledger:/srv/ledger
    """
    from mltrust.renderers import json_v1

    backend = _open(ledger, console)
    try:
        status = backend.check()
    except ContradictionError as error:
        console.error(error)
        for line in "".join(error.evidence).splitlines():
            console.talk(f"| {line}")
        raise typer.Exit(Exit.FAILED) from error
    fields: dict[str, Json] = {
        "ledger": backend.name,
        "origin": status.origin,
        "key": status.verifier_key,
        "size": status.size,
        "root": status.root.hex(),
        "unsigned": status.unsigned,
        "remembered_size": status.remembered_size,
    }
    if format_ is Format.JSON:
        console.result(json_v1.document("ledger-status", fields))
    else:
        console.result(
            "\n".join(f"{key.replace('_', ' '):<16} {printable(str(value))}" for key, value in fields.items())
        )


@app.command("checkpoint")
@speaking
def checkpoint(
    console: Console,
    ledger: _LedgerOption = None,
    key: Annotated[bool, typer.Option("--key", help="Print the verifier key instead.")] = False,
) -> None:
    """Print the signed checkpoint (a C2SP signed note), or the key others need to trust receipts offline.

    \b
    Examples:
      mltrust ledger checkpoint
      mltrust ledger checkpoint --key > ledger.pub
    """
    backend = _open(ledger, console)
    console.exact(backend.verifier_key() if key else backend.checkpoint())


@app.command("export")
@speaking
def export(
    console: Console,
    destination: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new or empty folder.", show_default=False)],
    ledger: _LedgerOption = None,
) -> None:
    """Write the ledger as C2SP tlog-tiles, ready to be served as static files.

    \b
    Examples:
      mltrust ledger export public/
    """
    backend = _open(ledger, console)
    backend.export(destination)
    console.talk(f"{backend.name} exported to {destination}")
