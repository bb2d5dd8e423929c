"""`mltrust prove`."""

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from mltrust.cli.console import Console
from mltrust.cli.exits import Exit
from mltrust.cli.options import SaltsOption, SealFile, speaking, write_result
from mltrust.core.names import count, shown
from mltrust.errors import MltrustError, UsageError

if TYPE_CHECKING:
    from mltrust.core.proof import Proof
    from mltrust.interfaces import Means, Progress
    from mltrust.operations.prove_records import Answer, Asked


@speaking
def prove(
    console: Console,
    seal: SealFile,
    file: Annotated[str, typer.Option("--file", metavar="PATH", help="A file of the sealed artifact.")],
    tensor: Annotated[str | None, typer.Option("--tensor", metavar="NAME", help="One tensor of it.")] = None,
    record: Annotated[
        int | None, typer.Option("--record", metavar="N", help="One record of it, by its number: the first is 1.")
    ] = None,
    match: Annotated[
        str | None,
        typer.Option(
            "--match", metavar="TEXT", help="The record that is this, byte for byte or as JSON; @FILE, or - for stdin."
        ),
    ] = None,
    absent: Annotated[
        bool, typer.Option("--absent", help="Prove that no record is what --match says, or exit with 1.")
    ] = False,
    artifact: Annotated[
        str | None,
        typer.Option(
            "--artifact",
            metavar="ARTIFACT",
            help="Where to read the records (default: where the seal is kept with them).",
        ),
    ] = None,
    salts: SaltsOption = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write (default: stdout).")
    ] = None,
) -> None:
    """Write a proof that one file, tensor or record is part of the sealed artifact, or that a record is not.

    The proof carries everything to check it offline: the statement, the path to its root, the receipts. Of other
    records it has nothing but hashes. For records the file itself is read again. That a record is not there can be
    proved for a seal made with --records-index.

    \b
    Examples:
      mltrust prove model/mltrust.seal.json --file model.safetensors --tensor lm_head.weight -o proof.json
      mltrust prove model/ --file config.json > proof.json
      mltrust prove data/ --file train.jsonl --record 17 -o proof.json
      mltrust prove data/ --file train.jsonl --match @mine.json -o proof.json
    """
    from mltrust import proving, sealfile

    path = sealfile.seal_file(seal)
    if sum(each is not None for each in (tensor, record, match)) > 1:
        raise UsageError("--tensor, --record and --match each say what to prove: give one of them")
    if (absent and match is None) or (artifact and record is None and match is None):
        raise UsageError("--absent goes with --match, and --artifact with --record or --match")
    if record is None and match is None:
        _write(proving.prove(path, file=file, tensor=tensor), output, console)
        return
    asked = record if record is not None else _matched(match or "")
    with console.progress() as progress:
        means = _means(artifact, progress)
        [answer] = proving.prove_records(path, [asked], file=file, artifact=artifact, means=means, salts=salts)
    _write(_proof(answer, asked, file, console, absent=absent), output, console)


def _write(proof: "Proof", output: Path | None, console: Console) -> None:
    from mltrust.renderers import json_v1

    data = proof.serialize()
    if output is None:
        console.result(json_v1.as_ascii(data.decode("utf-8")))
    else:
        write_result(output, data)
        console.talk(f"proof written to {output}")


def _proof(answer: "Answer", asked: "Asked", file: str, console: Console, *, absent: bool) -> "Proof":
    """Return the proof of an answer if it is of what was asked for; say so and end with 1 if it is not."""
    if answer.matches and absent:
        _end(f"record {_number(answer)} of {shown(file)} is that", None, console)
    if answer.proof is None:
        hint = "Absence can be proved only for a seal made with --records-index, and of records without names."
        _end(f"no such record in {shown(file)}", hint, console)
    if not answer.matches:
        console.talk(f"no such record in {shown(file)}: this is a proof of absence")
    elif answer.matches > 1:
        console.talk(
            f"{count(answer.matches, 'record')} of {shown(file)} are that: this is the first, {_number(answer)}"
        )
    elif not isinstance(asked, int):
        console.talk(f"record {_number(answer)} of {shown(file)}")
    return answer.proof


def _number(answer: "Answer") -> str:
    return f"{answer.proof.levels[-1].index + 1:,}" if answer.proof is not None else ""


def _end(message: str, hint: str | None, console: Console) -> NoReturn:
    console.error(MltrustError(message, hint=hint))
    raise typer.Exit(Exit.FAILED)


def _matched(text: str) -> bytes:
    """Return what --match names: a text, or what a file or stdin holds without the line break at its end."""
    from mltrust.core.records import MAX_RECORD
    from mltrust.disk.documents import read_document

    if text == "-":
        found = sys.stdin.buffer.read(MAX_RECORD + 1)
    elif text.startswith("@"):
        found = read_document(Path(text[1:]), MAX_RECORD)
    else:
        return os.fsencode(text)
    if len(found) > MAX_RECORD:
        raise UsageError(f"no record has more than {MAX_RECORD:,} bytes")
    return found.removesuffix(b"\n").removesuffix(b"\r") if found.endswith(b"\n") else found


def _means(artifact: str | None, progress: "Progress") -> "Means":
    from mltrust import api
    from mltrust.cli.home import remote_settings

    return api.default_means(progress=progress, remote=remote_settings(artifact or ""))
