"""`mltrust verify`."""

from pathlib import Path
from typing import Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.naming import Named, trusting
from mltrust.cli.options import Artifact, Engine, Format, FormatOption, Jobs, SaltsOption, finish, speaking


@speaking
@trusting
def verify(
    named: Named,
    console: Console,
    artifact: Artifact,
    seal: Annotated[Path | None, typer.Option("--seal", help="The seal (default: the one kept with it).")] = None,
    content_only: Annotated[
        bool, typer.Option("--content-only", help="Compare bytes with the seal; ask nobody who vouches for it.")
    ] = False,
    salts: SaltsOption = None,
    quick: Annotated[
        bool, typer.Option("--quick", help="Do not reread files unchanged since they were last read here; say so.")
    ] = False,
    expect: Annotated[
        list[Path] | None,
        typer.Option("--expect", metavar="FILE", help="Compare with published digests (Croissant, Hub). Repeatable."),
    ] = None,
    jobs: Jobs = None,
    engine: Engine = "threads",
    format_: FormatOption = Format.TEXT,
    output: Annotated[Path | None, typer.Option("--output", "-o", help="Write the report to a file.")] = None,
) -> None:
    """Tell whether a file or folder holds the sealed bytes, and if not, exactly what differs.

    Who vouches for the seal is asked of the anchors, keys, fingerprint or policy you name, else of those in
    your configuration's [trust] table, else of your own ledger; the seal itself never says whom to trust. If
    nobody you trust knows it, the answer is 'inconclusive' (exit 3).

    \b
    Examples:
      mltrust verify model/
      mltrust verify model/ --anchor ledger:/srv/ledger
      mltrust verify model/ --key ledger.pub
      mltrust verify model/ --anchor git-notes:. --fetch origin --key acme.pub
      mltrust verify model/ --policy release-policy.toml
      mltrust verify model/ --content-only --format json
      mltrust verify model/ --quick
      mltrust verify data/ --expect croissant.json
      mltrust verify s3://bucket/model --seal model.seal.json
      mltrust verify /mnt/model --engine dask://scheduler:8786
    """
    from mltrust import api
    from mltrust.cli.home import digest_cache, remote_settings
    from mltrust.interfaces import Trust
    from mltrust.renderers import json_v1, text

    whom = Trust(content_only=True)
    if named.anybody or named.policy or not content_only:  # else nobody is asked, and nothing is loaded to ask with
        from mltrust.cli.trusting import trust

        whom = trust(named, console, content_only=content_only)
    with console.progress() as progress:
        means = api.default_means(jobs, progress, engine, remote_settings(artifact))
        cache = digest_cache(console) if quick else None
        report = api.verify(artifact, trust=whom, seal=seal, means=means, quick=cache, salts=salts, expect=expect or ())
    rendered = json_v1.report(report) if format_ is Format.JSON else text.report(report, verbose=console.verbose)
    finish(console, rendered, report.verdict, output)
