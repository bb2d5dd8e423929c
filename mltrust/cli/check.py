"""`mltrust check`."""

from pathlib import Path
from typing import Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.naming import Named, trusting
from mltrust.cli.options import Format, FormatOption, finish, speaking


@speaking
@trusting
def check(
    named: Named,
    console: Console,
    proof: Annotated[Path, typer.Argument(metavar="PROOF", help="A proof file.", show_default=False)],
    content: Annotated[
        Path | None,
        typer.Option(
            "--content", metavar="FILE", help="Bytes to check: the raw tensor or record, or the file that holds it."
        ),
    ] = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Check a proof that one file, tensor or record is part of a sealed artifact, or a record is not, offline.

    \b
    Examples:
      mltrust check proof.json --content tensor.bin
      mltrust check proof.json --content model.safetensors --key ledger.pub
      mltrust check proof.json --content record.json
    """
    from mltrust import api, proving
    from mltrust.cli.trusting import trust
    from mltrust.renderers import json_v1, text

    whom = trust(named, console)
    with console.progress() as progress:
        report = proving.check(proof, trust=whom, content=content, means=api.default_means(progress=progress))
    rendered = json_v1.report(report) if format_ is Format.JSON else text.report(report, verbose=console.verbose)
    finish(console, rendered, report.verdict)
