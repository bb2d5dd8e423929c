"""`mltrust sign`."""

from pathlib import Path
from typing import Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.options import Format, FormatOption, speaking
from mltrust.cli.signers import PasswordFileOption, RequiredKeyOption, TokenFileOption, given_for_signers, open_signers


@speaking
def sign(
    console: Console,
    seals: Annotated[
        list[Path],
        typer.Argument(
            metavar="SEAL...", help="Seal files, or the files or folders they are kept with.", show_default=False
        ),
    ],
    key: RequiredKeyOption,
    password_file: PasswordFileOption = None,
    identity_token_file: TokenFileOption = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Sign seals: add signatures to the seal files.

    Signed is what the seal states, not the files: verify before you sign what somebody else sealed. A key that signed a
    seal already does not sign it again.

    \b
    Examples:
      mltrust sign model/ --key release.key
      mltrust sign releases/*.seal.json --key release.key --key ssh-agent:ada@example.org
      mltrust sign model/ --key 'external:./kms-sign.sh alias/release'
    """
    from mltrust import sealfile
    from mltrust.renderers import json_v1, text
    from mltrust.signing import sign_file

    given = given_for_signers(password_file=password_file, identity_token_file=identity_token_file)
    signers = open_signers(key, console, given)
    signed = []
    for path in map(sealfile.seal_file, seals):
        done = sign_file(path, signers)
        signed.append((str(path), done.bundle, done.added))
        if format_ is Format.TEXT and not console.quiet:
            console.result(text.signed(done.bundle, str(path), done.added))
    if format_ is Format.JSON:
        console.result(json_v1.signed(signed))
