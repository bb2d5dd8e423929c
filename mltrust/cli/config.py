"""`mltrust config show | path | names`."""

from enum import StrEnum
from typing import Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.options import Format, FormatOption, speaking
from mltrust.core.names import shown

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Show what is configured, and where it comes from.")


class Named(StrEnum):
    """What has short names."""

    ANCHORS = "anchors"
    SIGNERS = "signers"


@app.command("show", short_help="show every value, and where it comes from")
@speaking
def show(console: Console, format_: FormatOption = Format.TEXT) -> None:
    """Show every value that is set, with its origin: the default, an environment variable, or a file and the key in it.

    First come the files that were looked for. Passwords, tokens and keys are left out, and of URLs all but where they
    lead. A configuration that cannot be read, or makes no sense, is an error (exit 2), here as for every command.

    \b
    Examples:
      mltrust config show
      mltrust config show --format json
    """
    from mltrust.cli import settings
    from mltrust.renderers import origins

    for name in settings.unknown_variables():
        console.talk(f"note: {name} means nothing to mltrust")
    found = settings.found(console)
    console.result(origins.as_json(found) if format_ is Format.JSON else origins.as_text(found))


@app.command("path", short_help="print where the configuration is")
@speaking
def path(console: Console) -> None:
    """Print where the configuration file is, or would be: nothing but its path.

    \b
    Examples:
      mltrust config path
      "$EDITOR" "$(mltrust config path)"
    """
    from mltrust.cli.home import config_path

    console.exact(str(config_path()))


@app.command("names", short_help="print short names, one a line")
@speaking
def names(
    console: Console,
    kind: Annotated[Named, typer.Argument(metavar="KIND", help="anchors or signers.", show_default=False)],
) -> None:
    """Print the short names of anchors or signers in your configuration, one a line. Completion asks for them.

    \b
    Examples:
      mltrust config names anchors
    """
    from mltrust.cli.home import config_path, is_there
    from mltrust.disk.tables import read_tables

    place = config_path()
    table = read_tables(place).get(kind.value) if is_there(place) else None
    found = sorted(name for name in table if shown(name) == name) if isinstance(table, dict) else []
    if found:
        console.exact("\n".join(found))
