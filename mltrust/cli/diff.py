"""`mltrust diff`."""

from typing import Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.exits import Exit
from mltrust.cli.options import Format, FormatOption, Jobs, speaking


@speaking
def diff(
    console: Console,
    before: Annotated[str, typer.Argument(metavar="A", help="An artifact, a URL or a seal.", show_default=False)],
    after: Annotated[str, typer.Argument(metavar="B", help="An artifact, a URL or a seal.", show_default=False)],
    jobs: Jobs = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Name what differs between two artifacts or seals: files, tensors, shapes, and how many bytes.

    Exit code 0 if nothing differs, 1 if something does.

    \b
    Examples:
      mltrust diff model-v1/ model-v2/
      mltrust diff model-v1.seal.json model-v2/
      mltrust diff model/ s3://bucket/model
    """
    from mltrust import api
    from mltrust.cli.home import remote_settings
    from mltrust.renderers import json_v1, text

    with console.progress() as progress:
        found = api.diff(before, after, means=api.default_means(jobs, progress, remote=remote_settings(before, after)))
    rendered = json_v1.difference(found) if format_ is Format.JSON else text.difference(found, verbose=console.verbose)
    console.result(rendered)
    raise typer.Exit(Exit.FAILED if found.changes else Exit.OK)
