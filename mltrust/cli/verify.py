"""`mltrust verify`."""

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.naming import Named, trusting
from mltrust.cli.options import Engine, Jobs, SaltsOption, speaking
from mltrust.cli.reporting import Reports, reporting
from mltrust.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from mltrust.core.report import Report
    from mltrust.interfaces import Means, Seen, Trust


@speaking
@reporting
@trusting
def verify(
    named: Named,
    reports: Reports,
    console: Console,
    artifact: Annotated[
        str | None,
        typer.Argument(
            metavar="[ARTIFACT]",
            help="A file, a folder, or a URL such as s3://... (default: all whose seals git has staged here).",
            show_default=False,
        ),
    ] = None,
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
    download: Annotated[
        bool, typer.Option("--download", help="hf: read all bytes, also of files that the Hub lists by their SHA-256.")
    ] = False,
    into: Annotated[
        Path | None,
        typer.Option("--into", metavar="DIR", help="hf: download into this new folder; it is kept only if verified."),
    ] = None,
    staged: Annotated[
        bool, typer.Option("--staged", help="Verify what is staged in git, by the seal that is; read no work tree.")
    ] = False,
    jobs: Jobs = None,
    engine: Engine = "threads",
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
      mltrust verify model/ --report sarif=out/verify.sarif --report html=out/verify.html
      mltrust verify model/ --quick
      mltrust verify data/ --expect croissant.json
      mltrust verify s3://bucket/model --seal model.seal.json
      mltrust verify hf://org/model@v1 --key release.key.pub
      mltrust verify hf://org/model@v1 --key release.key.pub --into model/
      mltrust verify /mnt/model --engine dask://scheduler:8786
      mltrust verify --staged --content-only
      mltrust verify model/ --oms model.sig --key signer.pub
      mltrust verify model/ --oms model.sig --certificate-chain roots.pem
    """
    from mltrust import api
    from mltrust.cli.home import digest_cache, remote_settings

    with_seal = {"--seal": seal, "--salts": salts, "--quick": quick, "--expect": expect, "--with-sha256": with_sha256}
    with_seal |= {"--download": download, "--into": into}
    if into is not None and (quick or salts is not None):
        raise UsageError("--into goes with neither --quick nor --salts", hint="Verify the folder afterwards.")
    _refuse_together(oms, with_seal, {"--exclude": exclude, "--oms-legacy": oms_legacy})
    whom = _whom(named, console, content_only=content_only)
    if staged or artifact is None:
        from mltrust.cli.tracked import Tracked, refuse

        if staged:
            elsewhere = {"--oms": oms, "--quick": quick, "--download": download, "--into": into}
            refuse(elsewhere, "goes with no --staged", "Without it, the work tree is verified.")
        if artifact is None:
            of_one = {"--oms": oms, "--seal": seal, "--salts": salts, "--expect": expect, "--into": into}
            refuse(of_one, "goes with an ARTIFACT", "Name the file or folder.")
        tracked = Tracked(staged, whom, seal, salts, expect or (), with_sha256, quick, jobs, engine)
        tracked.verify(artifact, reports, console)
    with console.progress() as progress:
        means = api.default_means(jobs, progress, engine, remote_settings(artifact))
        if oms is not None:
            report, seen = _of_bundle(artifact, oms, whom, means, exclude or (), old=oms_legacy)
        elif into is not None:
            from mltrust.downloading import download_seen

            report, seen = download_seen(
                artifact, into, trust=whom, seal=seal, means=means, expect=expect or (), with_sha256=with_sha256
            )
        else:
            cache = digest_cache(console) if quick else None
            report, seen = api.verify_seen(
                artifact,
                trust=whom,
                seal=seal,
                means=means,
                quick=cache,
                salts=salts,
                expect=expect or (),
                with_sha256=with_sha256,
                download=download,
            )
    if into is not None:
        console.talk(f"kept in {into}" if report.verdict == "verified" else "nothing was kept")
    reports.finish(console, report, seen)


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
) -> "tuple[Report, Seen]":
    from mltrust.foreign import verify_oms_seen

    return verify_oms_seen(artifact, oms, trust=whom, exclude=exclude, old=old, means=means)
