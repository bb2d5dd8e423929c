"""`mltrust ledger witness`."""

import os
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.ledger_opening import ESCAPED, LedgerOption, open_ledger, showing_evidence
from mltrust.cli.options import Format, FormatOption, speaking
from mltrust.errors import UsageError

if TYPE_CHECKING:
    from mltrust.anchors.ledger import LedgerAnchor
    from mltrust.core.canonical import Json


@dataclass(frozen=True)
class _Witnessed:
    """What was done: whose cosignatures it is about, the checkpoint, if there is one, and whether it was kept."""

    ledger: str
    witnesses: Sequence[str]
    checkpoint: str | None = None
    kept: bool = False

    def to_json(self) -> "dict[str, Json]":
        return {
            "ledger": self.ledger,
            "witnesses": list(self.witnesses),
            "checkpoint": self.checkpoint,
            "kept": self.kept,
        }


@speaking
def witness(
    console: Console,
    ledger: LedgerOption = None,
    key: Annotated[bool, typer.Option("--key", help="Print your key as a witness instead.")] = False,
    print_only: Annotated[bool, typer.Option("--print", help="Write nothing into the ledger's folder.")] = False,
    add: Annotated[
        Path | None, typer.Option("--add", metavar="FILE", help="Take in what a witness cosigned ('-': from stdin).")
    ] = None,
    of: Annotated[
        list[str] | None,
        typer.Option("--witness", metavar="PUB", help="With --add: a witness's key (default: as configured)."),
    ] = None,
    format_: FormatOption = Format.TEXT,
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
    from mltrust.renderers import json_v1

    backend = open_ledger(ledger, console)
    if sum((key, print_only, add is not None)) > 1 or (of and add is None):
        raise UsageError("--key, --print and --add exclude each other, and --witness goes with --add")
    with showing_evidence(console):
        if key:
            done = _Witnessed(backend.name, [str(backend.cosigner_key())])
        elif add is not None:
            done = _take_in(backend, add, of or (), console)
        else:
            done = _cosign(backend, console, format_, deliver=not print_only)
    if format_ is Format.JSON:
        console.result(json_v1.document("ledger-witness", done.to_json()))
    elif key:
        console.exact(done.witnesses[0])


def _cosign(backend: "LedgerAnchor", console: Console, format_: Format, *, deliver: bool) -> _Witnessed:
    signed = backend.cosign()
    if format_ is Format.TEXT:
        console.exact(signed.text, otherwise=ESCAPED)  # before it is kept, which may fail
    if backend.keeps_key():
        console.talk("The signing key of this ledger is kept here too: a witness should be somebody else.")
    kept = deliver and os.access(backend.folder, os.W_OK)
    if kept:
        backend.keep_cosigned(signed)
        console.talk(f"cosigned {backend.name} at size {signed.checkpoint.size}, and kept there")
    else:
        console.talk("Send this to the keeper, who takes it in: mltrust ledger witness --add FILE")
    return _Witnessed(backend.name, [str(backend.cosigner_key())], signed.text, kept)


def _take_in(backend: "LedgerAnchor", path: Path, keys: Sequence[str], console: Console) -> _Witnessed:
    from mltrust.anchors.ledger.checkpoint import SignedCheckpoint
    from mltrust.anchors.ledger.cosignature import Witnesses
    from mltrust.core.note import MAX_NOTE_BYTES
    from mltrust.disk.documents import read_document

    read = sys.stdin.buffer.read(MAX_NOTE_BYTES + 1) if str(path) == "-" else read_document(path, MAX_NOTE_BYTES)
    known = Witnesses.of({"witnesses": list(keys)}) if keys else None
    signed = SignedCheckpoint.parse(read, str(path))
    witnesses = backend.take_in(signed, known)
    for each in witnesses:
        console.talk(f"{backend.name}: took in the cosignature of {each.name}")
    return _Witnessed(backend.name, list(map(str, witnesses)), signed.text, kept=True)
