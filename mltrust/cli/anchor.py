"""`mltrust anchor`."""

from pathlib import Path
from typing import Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.options import speaking


@speaking
def anchor(
    console: Console,
    seals: Annotated[list[Path], typer.Argument(metavar="SEAL...", help="Seal files.", show_default=False)],
    to: Annotated[str, typer.Option("--to", metavar="URI", help="ledger:PATH or a configured name.")],
) -> None:
    """Publish one or more seals through an anchor, in one batch, and add the receipts to the seal files.

    \b
    Examples:
      mltrust anchor model/mltrust.seal.json --to ledger:/srv/ledger
      mltrust anchor releases/*.seal.json --to ledger:/srv/ledger
    """
    from mltrust import api
    from mltrust.cli.trusting import open_named

    backend = open_named(to)
    paths = [api.seal_file(path) for path in seals]
    api.anchor(paths, backend)
    for path in paths:
        console.talk(f"{path}: published in {backend.name}")
