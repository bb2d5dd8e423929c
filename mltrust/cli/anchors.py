"""`mltrust anchors`."""

import typer

from mltrust.cli.console import Console
from mltrust.cli.exits import Exit
from mltrust.cli.options import Anchors, Format, FormatOption, Keys, SealFile, speaking


@speaking
def anchors(
    console: Console,
    seal: SealFile,
    anchor: Anchors = None,
    key: Keys = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Say what the receipts of a seal claim, and what the anchors you trust say of them. The artifact is not read.

    \b
    Examples:
      mltrust anchors model/mltrust.seal.json
      mltrust anchors model/mltrust.seal.json --anchor ledger:/srv/ledger
    """
    from mltrust import api
    from mltrust.cli.trusting import trust
    from mltrust.renderers import json_v1, text

    bundle, checks = api.consult(api.seal_file(seal), trust(anchor, key, None))
    if format_ is Format.JSON:
        console.result(json_v1.receipts(bundle, checks))
    else:
        console.result(text.receipts(bundle, checks))
    if any(check.outcome == "fail" for check in checks):
        raise typer.Exit(Exit.FAILED)
