"""`mltrust export`."""

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.options import speaking, write_result
from mltrust.cli.signers import KeyOption, PasswordFileOption, TokenFileOption, given_for_signers, open_signers
from mltrust.errors import MltrustError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from mltrust.api import Sealed
    from mltrust.exporting import Exported
    from mltrust.interfaces import Signer

_FORMAT = typer.Argument(metavar="FORMAT", help="dsse, oms, sha256sum, cyclonedx or spdx.", show_default=False)
_SEAL = typer.Argument(metavar="SEAL", help="A seal file, or the file or folder it is kept with.", show_default=False)


@speaking
def export(
    console: Console,
    format_: Annotated[str | None, _FORMAT] = None,
    seal: Annotated[Path | None, _SEAL] = None,
    output: Annotated[
        Path | None, typer.Option("--output", "-o", metavar="FILE", help="Where to write (default: stdout).")
    ] = None,
    key: KeyOption = None,
    password_file: PasswordFileOption = None,
    identity_token_file: TokenFileOption = None,
    created: Annotated[
        datetime | None,
        typer.Option(
            "--created",
            formats=["%Y-%m-%dT%H:%M:%SZ"],
            metavar="TIME",
            help="spdx: when the document is made, such as 2026-01-31T12:00:00Z (default: what a receipt says).",
        ),
    ] = None,
) -> None:
    """Write what a seal says in a format that others read.

    \b
    dsse       the statement and its signatures by keys, as in-toto's tools read them
    oms        an OpenSSF Model Signing bundle, as model_signing reads it; --key signs it
    sha256sum  a list for sha256sum --check
    cyclonedx  a bill of materials (CycloneDX)
    spdx       a bill of materials (SPDX 3)

    oms and sha256sum need a seal made with --with-sha256.

    \b
    Examples:
      mltrust export dsse model/ > model.dsse.json
      mltrust export oms model/ --key signing.pem --output model.sig
      mltrust export sha256sum model/ -o model.sha256; (cd model && sha256sum --check ../model.sha256)
      mltrust export cyclonedx model/ -o model.cdx.json
    """
    from mltrust import registry, sealfile
    from mltrust.exporting import exported

    if format_ is None or seal is None:
        known = ", ".join(registry.names("exports"))
        raise UsageError(f"name a format and a seal; formats: {known}", hint="mltrust export sha256sum model/")
    given = given_for_signers(password_file=password_file, identity_token_file=identity_token_file)
    done = exported(
        sealfile.seal_file(seal),
        format_,
        signers=open_signers(key or (), console, given),
        created=created and created.replace(tzinfo=UTC),
        output=output,
    )
    _tell(done, console)
    if output is None:
        _print(done.document.decode("utf-8"), console)
    else:
        write_result(output, done.document)
        console.talk(f"{format_} written to {output}")


def check_bundle(path: Path | None, seal: Path, signers: "Sequence[Signer]", with_sha256: bool | None) -> bool | None:
    """Refuse an OMS bundle of a new seal that could not be written: nobody should find out after all is read.

    Return whether to record SHA-256, which one needs.
    """
    if path is None:
        return with_sha256
    from mltrust.exporting import check_place_for_bundle, exporter

    if with_sha256 is False:
        raise UsageError("--oms goes with no --no-with-sha256: such a bundle says the SHA-256 of every file")
    check_place_for_bundle(path, seal)
    exporter("oms", signers)
    return True


def write_bundle(path: Path | None, sealed: "Sealed", signers: "Sequence[Signer]", console: Console) -> None:
    """Write an OMS bundle of what has just been sealed, if there is to be one."""
    if path is None:
        return
    from mltrust.exporting import check_place_for_bundle, exported_with

    try:
        check_place_for_bundle(path, sealed.path)  # something may be there now
        done = exported_with(sealed, "oms", signers)
        write_result(path, done.document)
    except MltrustError as error:
        again = f"The seal is written; mltrust export oms {sealed.path} makes the bundle, too."
        error.hint = f"{error.hint} {again}" if error.hint else again
        raise
    _tell(done, console)
    console.talk(f"OMS bundle written to {path}")


def _print(document: str, console: Console) -> None:
    """Print a document: of JSON another spelling, in which no name can upset a terminal or a log."""
    from mltrust.renderers import json_v1

    safe = json_v1.as_ascii(document) if document.startswith("{") else document
    console.exact(safe, otherwise="Write it to a file: --output.")


def _tell(done: "Exported", console: Console) -> None:
    for what in done.omitted:
        console.talk(f"left out: {what}")
