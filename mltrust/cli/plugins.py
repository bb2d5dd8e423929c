"""`mltrust plugins`."""

import sys
from contextlib import redirect_stdout
from typing import Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.exits import Exit
from mltrust.cli.options import Format, FormatOption, speaking


@speaking
def plugins(
    console: Console,
    check: Annotated[bool, typer.Option("--check", help="Import every plug, too, which runs its code.")] = False,
    format_: FormatOption = Format.TEXT,
) -> None:
    """List all plugs by kind, the package that each comes from, and what they lack.

    Nothing is imported, unless you say --check. What a plug lacks is what the extra it names would install; some do a
    part of their work without it. Exit code 3 if a name is claimed twice, or with --check if one cannot be imported.

    \b
    Examples:
      mltrust plugins
      mltrust plugins --check --format json
    """
    from mltrust import registry
    from mltrust.cli import plug_list

    listed = [plug for kind in registry.KINDS for plug in registry.plugs(kind)]
    with redirect_stdout(sys.stderr):  # what a plug prints is no result
        troubles = [registry.trouble_with(plug) if check else None for plug in listed]
    found = [plug_list.Found(*each, checked=check) for each in zip(listed, troubles, strict=True)]
    console.result(plug_list.as_json(found) if format_ is Format.JSON else plug_list.as_text(found))
    if any(each.plug.claimed_by or each.trouble for each in found):
        raise typer.Exit(Exit.UNDECIDED)
