"""`mltrust erase`."""

from dataclasses import replace
from pathlib import Path
from typing import Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.naming import Publishing, publishing
from mltrust.cli.options import Format, FormatOption, SaltsOption, speaking
from mltrust.cli.signers import KeyOption, TokenFileOption, given_for_signers, refuse_inside, signing_and_publishing


@speaking
@publishing
def erase(
    how: Publishing,
    console: Console,
    artifact: Annotated[
        str, typer.Argument(metavar="ARTIFACT", help="A file or folder on this machine.", show_default=False)
    ],
    record: Annotated[
        list[int],
        typer.Option("--record", metavar="N", help="Erase the record of this number, from 1. Repeatable.", min=1),
    ],
    file: Annotated[
        str | None, typer.Option("--file", metavar="PATH", help="The file it is in, where several are blinded.")
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option(
            "--reason", metavar="TEXT", help="Why, or on whose word. It goes where the seal goes: name no person."
        ),
    ] = None,
    anchor: Annotated[
        list[str] | None,
        typer.Option("--anchor", metavar="URI", help="Publish here instead of your own ledger. Repeatable."),
    ] = None,
    key: KeyOption = None,
    identity_token_file: TokenFileOption = None,
    seal: Annotated[
        Path | None, typer.Option("--seal", metavar="FILE", help="The seal (default: the one kept with it).")
    ] = None,
    salts: SaltsOption = None,
    rewritten: Annotated[
        Path | None, typer.Option("--rewritten", metavar="FILE", help="The file without the records, written by you.")
    ] = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Erase records of a blinded artifact; its seal stays good.

    A tombstone is signed, if you name a key, published, and kept beside the seal; the salts are overwritten, and the
    rows are taken out of the file. Numbers are those of the sealed file, also after earlier erasures. If it is
    interrupted, run it again, with the same reason; so you add a signature or an anchor later, too.

    Rows are taken out of JSONL, CSV and TSV files that are not compressed. Of all others, write the file without the
    rows to another place, and name it with --rewritten.

    \b
    Examples:
      mltrust erase people.jsonl --record 17 --reason "request 2026-031"
      mltrust erase data/ --file train/people.csv --record 17 --record 901
      mltrust erase data/ --record 17 --key ~/keys/release.key
      mltrust erase data/ --file people.parquet --record 17 --rewritten /tmp/people.parquet
    """
    from mltrust import api, erasing
    from mltrust.cli.trusting import open_publishing, own_ledger
    from mltrust.renderers import erased

    token = given_for_signers(identity_token_file=identity_token_file)
    signers, given = signing_and_publishing(key or (), anchor or (), how, console, token)
    how = replace(how, given=given)
    refuse_inside(artifact, key or ())
    chosen = anchor or how.given
    anchors = open_publishing(anchor or (), console, how.given, yes=how.yes) if chosen else [own_ledger(console)]
    if not any(backend.vouches for backend in anchors):
        console.talk("note: these anchors say since when, not on whose word; name one that does as well")
    with console.progress() as progress:
        done = erasing.erase(
            artifact,
            records=record,
            anchors=anchors,
            signers=signers,
            file=file,
            reason=reason,
            seal=seal,
            salts=salts,
            rewritten=rewritten,
            means=api.default_means(progress=progress),
        )
    names = [backend.name for backend in anchors]
    if format_ is Format.JSON:
        console.result(erased.as_json(done.tombstone, names, before=done.before))
    elif not console.quiet:
        console.result(erased.as_text(done.tombstone, names, before=done.before))
