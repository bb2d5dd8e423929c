"""`mltrust anchor`."""

from pathlib import Path
from typing import Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.naming import Publishing, publishing
from mltrust.cli.options import Format, FormatOption, speaking


@speaking
@publishing
def anchor(
    how: Publishing,
    console: Console,
    seals: Annotated[
        list[Path],
        typer.Argument(
            metavar="SEAL...", help="Seal files, or the files or folders they are kept with.", show_default=False
        ),
    ],
    to: Annotated[str, typer.Option("--to", metavar="URI", help="An anchor's URI or short name.")],
    key: Annotated[
        Path | None, typer.Option("--key", metavar="PEM", help="git-notes: sign with this Ed25519 key, not your own.")
    ] = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Publish one or more seals through an anchor, in one batch, and add the receipts to the seal files.

    \b
    Examples:
      mltrust anchor model/mltrust.seal.json --to ledger:/srv/ledger
      mltrust anchor model/mltrust.seal.json --to git-notes:. --push origin
      mltrust anchor releases/*.seal.json --to ethereum:sepolia --signer keystore:key.json
    """
    from mltrust import api, sealfile
    from mltrust.cli.trusting import open_named
    from mltrust.renderers import json_v1

    given = how.given if key is None else {**how.given, "key": str(key.absolute())}
    backend = open_named(to, console, given, yes=how.yes)
    paths = [sealfile.seal_file(path) for path in seals]
    bundles = api.anchor(paths, backend)
    if format_ is Format.JSON:
        console.result(json_v1.published(backend.name, zip(map(str, paths), bundles, strict=True)))
        return
    for path in paths:
        console.talk(f"{path}: published in {backend.name}")
