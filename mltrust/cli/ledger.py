"""`mltrust ledger log | check | checkpoint | export | witness`."""

import os
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.exits import Exit
from mltrust.cli.naming import Publishing, publishing
from mltrust.cli.options import Format, FormatOption, speaking
from mltrust.core.names import printable
from mltrust.errors import ContradictionError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

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


@app.command("log", short_help="list the entries")
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


@app.command("check", short_help="check the whole ledger, and that it only grew")
@speaking
def check(
    console: Console,
    ledger: _LedgerOption = None,
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

    backend = _open(ledger, console)
    with _showing_evidence(console):
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
    else:
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
    ledger: _LedgerOption = None,
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
    backend = _open(ledger, console)
    if anchor is not None:
        if key:
            raise UsageError("--key prints, --anchor publishes: name one of them")
        _publish(backend, anchor, how, console, format_)
    elif how.given or format_ is not Format.TEXT:
        raise UsageError("a checkpoint is printed as it is; these options go with --anchor")
    else:
        console.exact(backend.verifier_key() if key else backend.checkpoint())


def _publish(backend: "LedgerAnchor", uri: str, how: Publishing, console: Console, format_: Format) -> None:
    from mltrust.cli.ledger_pins import published
    from mltrust.cli.trusting import open_named
    from mltrust.renderers import json_v1

    through = open_named(uri, console, how.given, yes=how.yes)
    with _showing_evidence(console):
        done = published(backend, through)
    if format_ is Format.JSON:
        console.result(json_v1.document("ledger-anchored", done.to_json()))
    else:
        console.result("\n".join(done.lines()))


@app.command("export", short_help="write it as static tiles (C2SP tlog-tiles)")
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


@app.command("witness", short_help="cosign the ledger of somebody else")
@speaking
def witness(
    console: Console,
    ledger: _LedgerOption = None,
    key: Annotated[bool, typer.Option("--key", help="Print your key as a witness instead.")] = False,
    print_only: Annotated[bool, typer.Option("--print", help="Write nothing into the ledger's folder.")] = False,
    add: Annotated[
        Path | None, typer.Option("--add", metavar="FILE", help="Take in what a witness cosigned ('-': from stdin).")
    ] = None,
    of: Annotated[
        list[str] | None,
        typer.Option("--witness", metavar="PUB", help="With --add: a witness's key (default: as configured)."),
    ] = None,
) -> None:
    """Cosign the ledger of somebody else, if it holds all you ever saw of it; print the cosigned checkpoint.

    Where you may write in the ledger's folder, the cosignature is kept there; else send the output to the keeper, who
    takes it in with --add. Your key as a witness is made on first use. Exit code 1, with both checkpoints, if the
    ledger contradicts itself or what you saw: nothing is signed then.

    \b
    Examples:
      mltrust ledger witness --ledger ledger:/mnt/theirs
      mltrust ledger witness --key
      mltrust ledger witness --add cosigned --witness mltrust.witness/...
    """
    backend = _open(ledger, console)
    if sum((key, print_only, add is not None)) > 1 or (of and add is None):
        raise UsageError("--key, --print and --add exclude each other, and --witness goes with --add")
    with _showing_evidence(console):
        if key:
            console.exact(str(backend.cosigner_key()))
        elif add is not None:
            _take_in(backend, add, of or (), console)
        else:
            _cosign(backend, console, deliver=not print_only)


def _cosign(backend: "LedgerAnchor", console: Console, *, deliver: bool) -> None:
    signed = backend.cosign()
    console.exact(signed.text)
    if backend.keeps_key():
        console.talk("The signing key of this ledger is kept here too: a witness should be somebody else.")
    if deliver and os.access(backend.folder, os.W_OK):
        backend.keep_cosigned(signed)
        console.talk(f"cosigned {backend.name} at size {signed.checkpoint.size}, and kept there")
    else:
        console.talk("Send this to the keeper, who takes it in: mltrust ledger witness --add FILE")


def _take_in(backend: "LedgerAnchor", path: Path, keys: "Sequence[str]", console: Console) -> None:
    from mltrust.anchors.ledger.checkpoint import SignedCheckpoint
    from mltrust.anchors.ledger.cosignature import Witnesses
    from mltrust.core.note import MAX_NOTE_BYTES
    from mltrust.disk.documents import read_document

    read = sys.stdin.buffer.read(MAX_NOTE_BYTES + 1) if str(path) == "-" else read_document(path, MAX_NOTE_BYTES)
    known = Witnesses.of({"witnesses": list(keys)}) if keys else None
    for each in backend.take_in(SignedCheckpoint.parse(read, str(path)), known):
        console.talk(f"{backend.name}: took in the cosignature of {each.name}")


@contextmanager
def _showing_evidence(console: Console) -> "Iterator[None]":
    """End with FAILED where the ledger contradicts itself, showing what was signed that contradicts each other."""
    try:
        yield
    except ContradictionError as error:
        console.error(error)
        for line in "\n".join(error.evidence).splitlines():
            console.talk(f"| {line}")
        raise typer.Exit(Exit.FAILED) from error
