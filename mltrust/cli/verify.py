"""`mltrust verify`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.naming import Named, trusting
from mltrust.cli.options import Artifact, Engine, Format, FormatOption, Jobs, SaltsOption, finish, speaking
from mltrust.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mltrust.core.report import Report
    from mltrust.interfaces import Means, Trust


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
    with_sha256: Annotated[
        bool, typer.Option("--with-sha256", help="Compare the SHA-256 of every file with the sealed one, too.")
    ] = False,
    oms: Annotated[
        Path | None,
        typer.Option("--oms", metavar="FILE", help="Verify against this OpenSSF Model Signing bundle, not a seal."),
    ] = None,
    exclude: Annotated[
        list[str] | None,
        typer.Option("--exclude", metavar="PATTERN", help="oms: leave out what the bundle does not say. Repeatable."),
    ] = None,
    oms_legacy: Annotated[
        bool, typer.Option("--oms-legacy", help="oms: take signatures of model-signing 0.2.0, made by certificates.")
    ] = False,
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
      mltrust verify model/ --key release.key.pub
      mltrust verify model/ --key ledger.pub
      mltrust verify model/ --anchor git-notes:. --fetch origin --key acme.pub
      mltrust verify model/ --policy release-policy.toml
      mltrust verify model/ --content-only --format json
      mltrust verify model/ --quick
      mltrust verify data/ --expect croissant.json
      mltrust verify s3://bucket/model --seal model.seal.json
      mltrust verify /mnt/model --engine dask://scheduler:8786
      mltrust verify model/ --oms model.sig --key signer.pub
      mltrust verify model/ --oms model.sig --certificate-chain roots.pem
    """
    from mltrust import api
    from mltrust.cli.home import digest_cache, remote_settings
    from mltrust.renderers import json_v1, text

    with_seal = {"--seal": seal, "--salts": salts, "--quick": quick, "--expect": expect, "--with-sha256": with_sha256}
    _refuse_together(oms, with_seal, {"--exclude": exclude, "--oms-legacy": oms_legacy})
    whom = _whom(named, console, content_only=content_only)
    with console.progress() as progress:
        means = api.default_means(jobs, progress, engine, remote_settings(artifact))
        if oms is not None:
            report = _of_bundle(artifact, oms, whom, means, exclude or (), old=oms_legacy)
        else:
            cache = digest_cache(console) if quick else None
            report = api.verify(
                artifact,
                trust=whom,
                seal=seal,
                means=means,
                quick=cache,
                salts=salts,
                expect=expect or (),
                with_sha256=with_sha256,
            )
    rendered = json_v1.report(report) if format_ is Format.JSON else text.report(report, verbose=console.verbose)
    finish(console, rendered, report.verdict, output)


def _refuse_together(oms: Path | None, with_seal: "Mapping[str, object]", with_oms: "Mapping[str, object]") -> None:
    for option, value in (with_seal if oms is not None else with_oms).items():
        if value and oms is None:
            raise UsageError(f"{option} goes with --oms alone", hint="Name the bundle: --oms FILE.")
        if value:
            hint = "A bundle and a seal are verified each by itself."
            raise UsageError(f"{option} goes with a seal, and --oms takes none", hint=hint)


def _whom(named: Named, console: Console, *, content_only: bool) -> "Trust":
    from mltrust.interfaces import Trust

    if content_only and not named.anybody and not named.policy:
        return Trust(content_only=True)  # nobody is asked, and nothing is loaded to ask with
    from mltrust.cli.trusting import trust

    return trust(named, console, content_only=content_only)


def _of_bundle(
    artifact: str, oms: Path, whom: "Trust", means: "Means", exclude: "Sequence[str]", *, old: bool
) -> "Report":
    from mltrust.foreign import verify_oms

    return verify_oms(artifact, oms, trust=whom, exclude=exclude, old=old, means=means)
