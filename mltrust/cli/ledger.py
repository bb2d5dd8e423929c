"""`mltrust ledger log | check | checkpoint | export | witness`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.ledger_opening import ESCAPED, LedgerOption, open_ledger, showing_evidence
from mltrust.cli.ledger_witness import witness
from mltrust.cli.naming import Publishing, publishing
from mltrust.cli.options import Format, FormatOption, speaking
from mltrust.core.names import printable
from mltrust.errors import UsageError

if TYPE_CHECKING:
    from mltrust.anchors.ledger import LedgerAnchor
    from mltrust.core.canonical import Json

app = typer.Typer(
    no_args_is_help=True,
    rich_markup_mode=None,
    help="Look into a ledger: your own, or the one --ledger names.",
)


@app.command("log", short_help="list the entries")
@speaking
def log(console: Console, ledger: LedgerOption = None, format_: FormatOption = Format.TEXT) -> None:
    """List the entries: number, time by the keeper's clock, digest of the statement.

    \b
    Examples:
      mltrust ledger log
      mltrust ledger log --ledger ledger:/srv/ledger --format json
    """
    from mltrust.renderers import json_v1

    entries = list(open_ledger(ledger, console).entries())
    if format_ is Format.JSON:
        rows: list[Json] = [{"index": index, "time": time, "digest": str(digest)} for index, time, digest in entries]
        console.result(json_v1.document("ledger-log", {"entries": rows}))
    elif entries:
        console.result("\n".join(f"{index}  {time}  {digest}" for index, time, digest in entries))


@app.command("check", short_help="check the whole ledger, and that it only grew")
@speaking
def check(
    console: Console,
    ledger: LedgerOption = None,
    anchor: Annotated[
        list[str] | None,
        typer.Option("--anchor", metavar="URI", help="This anchor must vouch for a checkpoint. Repeatable."),
    ] = None,
    begins_with: Annotated[
        list[Path] | None,
        typer.Option("--begins-with", metavar="FILE", help="A checkpoint you have from elsewhere. Repeatable."),
    ] = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Check the whole ledger against its signed checkpoint, the last one seen here, and what witnesses cosigned.

    With --anchor also against the checkpoints its keeper published through that anchor (mltrust ledger checkpoint
    --anchor): the ledger must hold all they cover, and the anchor must vouch for one. Exit code 1 if it was truncated,
    edited, rolled back or forked, or the anchor is silent; 3 if the anchor cannot be reached.

    \b
    Examples:
      mltrust ledger check
      mltrust ledger check --ledger ledger:/srv/ledger
      mltrust ledger check --ledger ledger:/srv/ledger --anchor ethereum:sepolia
    """
    from mltrust.cli.ledger_pins import asked, exit_for, rows
    from mltrust.renderers import json_v1

    backend = open_ledger(ledger, console)
    with showing_evidence(console):
        status = backend.check()
        answers = asked(backend, anchor or (), begins_with or (), console)
    fields: dict[str, Json] = {
        "ledger": backend.name,
        "origin": status.origin,
        "key": status.verifier_key,
        "size": status.size,
        "root": status.root.hex(),
        "unsigned": status.unsigned,
        "remembered_size": status.remembered_size,
        "witnessed_size": status.witnessed_size,
    }
    if format_ is Format.JSON:
        console.result(json_v1.document("ledger-status", {**fields, "anchored": [each.to_json() for each in answers]}))
    elif not console.quiet or exit_for(answers):
        told = {key: value for key, value in fields.items() if (key, value) != ("witnessed_size", None)}
        lines = [f"{key.replace('_', ' '):<16} {printable(str(value))}" for key, value in told.items()]
        console.result("\n".join([*lines, *rows(answers)]))
    raise typer.Exit(exit_for(answers))


@app.command("checkpoint", short_help="print the signed checkpoint, or the key")
@speaking
@publishing
def checkpoint(
    how: Publishing,
    console: Console,
    ledger: LedgerOption = None,
    key: Annotated[bool, typer.Option("--key", help="Print the verifier key instead.")] = False,
    anchor: Annotated[
        str | None, typer.Option("--anchor", metavar="URI", help="Publish the checkpoint through this anchor.")
    ] = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Print the signed checkpoint (a C2SP signed note), or the key others need to trust receipts offline.

    With --anchor the checkpoint is published elsewhere, which covers all entries so far, and the receipt is kept in the
    ledger's folder: mltrust ledger check --anchor looks at it. Run it again once the anchor's receipt has become final.

    \b
    Examples:
      mltrust ledger checkpoint
      mltrust ledger checkpoint --key > ledger.pub
      mltrust ledger checkpoint --anchor rfc3161:https://tsa.example/tsr
    """
    backend = open_ledger(ledger, console)
    if anchor is not None:
        if key:
            raise UsageError("--key prints, --anchor publishes: name one of them")
        _publish(backend, anchor, how, console, format_)
    elif how.given:
        raise UsageError("a checkpoint is printed as it is; these options go with --anchor")
    elif format_ is Format.JSON:
        console.result(_checkpoint_as_json(backend))
    else:
        console.exact(backend.verifier_key() if key else backend.checkpoint(), otherwise=ESCAPED)


def _checkpoint_as_json(backend: "LedgerAnchor") -> str:
    from mltrust.renderers import json_v1

    head = backend.head()
    fields: dict[str, Json] = {
        "ledger": backend.name,
        "key": backend.verifier_key(),
        "origin": head.checkpoint.origin,
        "size": head.checkpoint.size,
        "root": head.checkpoint.root.hex(),
        "checkpoint": head.text,
    }
    return json_v1.document("ledger-checkpoint", fields)


def _publish(backend: "LedgerAnchor", uri: str, how: Publishing, console: Console, format_: Format) -> None:
    from mltrust.cli.ledger_pins import published
    from mltrust.cli.trusting import open_named
    from mltrust.renderers import json_v1

    through = open_named(uri, console, how.given, yes=how.yes)
    with showing_evidence(console):
        done = published(backend, through)
    if format_ is Format.JSON:
        console.result(json_v1.document("ledger-anchored", done.to_json()))
    elif not console.quiet:
        console.result("\n".join(done.lines()))


@app.command("export", short_help="write it as static tiles (C2SP tlog-tiles)")
@speaking
def export(
    console: Console,
    destination: Annotated[Path, typer.Argument(metavar="FOLDER", help="A new or empty folder.", show_default=False)],
    ledger: LedgerOption = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Write the ledger as C2SP tlog-tiles, ready to be served as static files.

    \b
    Examples:
      mltrust ledger export public/
    """
    backend = open_ledger(ledger, console)
    backend.export(destination)
    if format_ is Format.JSON:
        from mltrust.renderers import json_v1

        console.result(json_v1.document("ledger-exported", {"ledger": backend.name, "folder": str(destination)}))
    else:
        console.talk(f"{backend.name} exported to {destination}")


app.command("witness", short_help="cosign the ledger of somebody else")(witness)
