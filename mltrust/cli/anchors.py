"""`mltrust anchors`."""

from typing import Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.exits import Exit
from mltrust.cli.naming import Named, trusting
from mltrust.cli.options import Format, FormatOption, SealFile, speaking


@speaking
@trusting
def anchors(
    named: Named,
    console: Console,
    seal: SealFile,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Ask them for their receipts as they are today; write those to the seal.")
    ] = False,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Say who vouches for a seal, since when, resting on whose word, and what would make it stronger.

    The anchors you trust are asked as verify asks them; the artifact is not read. --refresh replaces receipts that
    have become final, were witnessed, or were moved to another block.

    \b
    Examples:
      mltrust anchors model/mltrust.seal.json
      mltrust anchors model/mltrust.seal.json --anchor ledger:/srv/ledger
      mltrust anchors model/mltrust.seal.json --anchor ethereum:sepolia --refresh
    """
    from mltrust import api, sealfile
    from mltrust.cli.trusting import trust
    from mltrust.renderers import json_v1, text

    bundle, checks = api.consult(sealfile.seal_file(seal), trust(named, console), refresh=refresh)
    if format_ is Format.JSON:
        console.result(json_v1.receipts(bundle, checks))
    else:
        console.result(text.receipts(bundle, checks))
    if any(check.outcome == "fail" for check in checks):
        raise typer.Exit(Exit.FAILED)
    passed = [check for check in checks if check.outcome == "pass"]
    if not passed or any(check.required and check not in passed for check in checks):
        raise typer.Exit(Exit.UNDECIDED)
