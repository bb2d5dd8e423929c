"""`mltrust diff`."""

from typing import Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.options import Jobs, speaking
from mltrust.cli.reporting import Reports, reporting


@speaking
@reporting
def diff(
    reports: Reports,
    console: Console,
    before: Annotated[str, typer.Argument(metavar="A", help="An artifact, a URL or a seal.", show_default=False)],
    after: Annotated[str, typer.Argument(metavar="B", help="An artifact, a URL or a seal.", show_default=False)],
    limit: Annotated[
        int,
        typer.Option(
            "--limit", metavar="N", min=0, max=10_000, help="How many rows of each kind to name in a file of records."
        ),
    ] = 20,
    key_column: Annotated[
        str | None,
        typer.Option("--key-column", metavar="NAME", help="The column whose value tells which row became which."),
    ] = None,
    preview: Annotated[bool, typer.Option("--preview", help="Show the text of the rows that are named.")] = False,
    jobs: Jobs = None,
) -> None:
    """Name what differs between two artifacts or seals: files, tensors, shapes, rows, and how many bytes.

    Two files are compared with each other whatever they are called; files in folders are compared by name. Rows of a
    seal can be named if it was made with --records keep. Exit code 0 if nothing differs, 1 if something does.

    \b
    Examples:
      mltrust diff model-v1/ model-v2/
      mltrust diff model-v1.seal.json model-v2/
      mltrust diff model/ s3://bucket/model
      mltrust diff data-v1/ data-v2/ --key-column id --preview
      mltrust diff model-v1/ model-v2/ --format markdown --output changes.md
    """
    from mltrust import api, comparing
    from mltrust.cli.home import remote_settings
    from mltrust.operations.rows import RowOptions

    with console.progress() as progress:
        means = api.default_means(jobs, progress, remote=remote_settings(before, after))
        found, seen = comparing.diff_seen(before, after, means=means, rows=RowOptions(limit, key_column, preview))
    reports.finish(console, found, seen)
