"""`mltrust verify`."""

import os
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, NamedTuple

import typer

from mltrust.cli.console import Console
from mltrust.cli.naming import Named, trusting
from mltrust.cli.options import Engine, Jobs, SaltsOption, speaking
from mltrust.cli.reporting import Reports, reporting
from mltrust.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

    from mltrust.interfaces import Trust


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
    seal: Annotated[
        Path | None, typer.Option("--seal", metavar="FILE", help="The seal (default: the one kept with it).")
    ] = None,
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
    from mltrust.cli.home import digest_cache, remote_settings
    from mltrust.means import default_means

    _refuse_together({
        "ARTIFACT": artifact, "--oms": oms, "--exclude": exclude, "--oms-legacy": oms_legacy, "--seal": seal,
        "--salts": salts, "--quick": quick, "--expect": expect, "--with-sha256": with_sha256, "--download": download,
        "--into": into, "--staged": staged,
    })  # fmt: skip
    if artifact is None and not staged and not _in_git():
        hint = "Name one: mltrust verify model/. In a git repository, none stands for all whose seals are staged."
        raise UsageError("no ARTIFACT is named", hint=hint)
    whom = _whom(named, console, content_only=content_only)
    if staged or artifact is None:
        from mltrust.cli.tracked import Tracked

        tracked = Tracked(staged, whom, seal, salts, expect or (), with_sha256, quick, jobs, engine)
        tracked.verify(artifact, reports, console)
    with console.progress() as progress:
        means = default_means(jobs, progress, engine, remote_settings(artifact))
        if oms is not None:
            from mltrust.foreign import verify_oms_seen

            report, seen = verify_oms_seen(
                artifact, oms, trust=whom, exclude=exclude or (), old=oms_legacy, means=means
            )
        elif into is not None:
            from mltrust.downloading import download_seen

            report, seen = download_seen(
                artifact, into, trust=whom, seal=seal, means=means, expect=expect or (), with_sha256=with_sha256
            )
        else:
            from mltrust.verifying import verify_seen

            report, seen = verify_seen(
                artifact,
                trust=whom,
                seal=seal,
                means=means,
                quick=digest_cache(console) if quick else None,
                salts=salts,
                expect=expect or (),
                with_sha256=with_sha256,
                download=download,
            )
    if into is not None:
        console.talk(f"kept in {into}" if report.verdict == "verified" else "nothing was kept")
    reports.finish(console, report, seen)


def _in_git() -> bool:
    """Tell whether git is likely to have something staged here, without asking it."""
    here = Path.cwd()
    return "GIT_DIR" in os.environ or any((folder / ".git").exists() for folder in (here, *here.parents))


class _Rule(NamedTuple):
    """Where `option` is given (or, if not `given`, is not), none of the `others` may be."""

    option: str
    given: bool
    others: tuple[str, ...]
    says: str
    hint: str


_RULES = (
    _Rule(
        "--oms", True,
        ("--seal", "--salts", "--quick", "--expect", "--with-sha256", "--download", "--into", "--staged"),
        "goes with a seal, and --oms takes none", "A bundle and a seal are verified each by itself.",
    ),
    _Rule("--oms", False, ("--exclude", "--oms-legacy"), "goes with --oms alone", "Name the bundle: --oms FILE."),
    _Rule("--into", True, ("--quick", "--salts"), "goes with no --into", "Verify the folder afterwards."),
    _Rule(
        "--staged", True, ("--quick", "--download", "--into"),
        "goes with no --staged", "Without it, the work tree is verified.",
    ),
    _Rule(
        "ARTIFACT", False, ("--oms", "--seal", "--salts", "--expect", "--download", "--into"),
        "goes with an ARTIFACT", "Name the file or folder.",
    ),
)  # fmt: skip


def _refuse_together(options: "Mapping[str, object]") -> None:
    """Raise `UsageError` for the first option that goes not with another, or not without it."""
    given = {option for option, value in options.items() if value not in (None, False, [])}
    for rule in _RULES:
        refused = [other for other in rule.others if other in given]
        if refused and (rule.option in given) is rule.given:
            raise UsageError(f"{refused[0]} {rule.says}", hint=rule.hint)


def _whom(named: Named, console: Console, *, content_only: bool) -> "Trust":
    from mltrust.interfaces import Trust

    if content_only and not named.anybody and not named.policy:
        return Trust(content_only=True)  # nobody is asked, and nothing is loaded to ask with
    from mltrust.cli.trusting import trust

    return trust(named, console, content_only=content_only)
