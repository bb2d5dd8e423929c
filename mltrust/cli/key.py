"""`mltrust key generate | show | revoke`."""

import os
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.key_revoke import revoke
from mltrust.cli.options import Format, FormatOption, speaking
from mltrust.cli.signers import PasswordFileOption, given_for_signers, public_key
from mltrust.errors import UsageError

if TYPE_CHECKING:
    from mltrust.core.public_key import PublicKey
    from mltrust.interfaces import Dialogue

app = typer.Typer(no_args_is_help=True, rich_markup_mode=None, help="Make, show and revoke the keys that sign.")

_AGENT = "ssh-agent:"


class KeyType(StrEnum):
    """The kinds of keys that are made here."""

    ED25519 = "ed25519"
    P256 = "p256"
    ML_DSA_65 = "ml-dsa-65"
    HYBRID = "hybrid"


@app.command("generate", short_help="make a key pair")
@speaking
def generate(
    console: Console,
    type_: Annotated[
        KeyType, typer.Option("--type", help="hybrid: Ed25519 and ML-DSA-65, which stands against quantum computers.")
    ] = KeyType.ED25519,
    output: Annotated[Path, typer.Option("--output", "-o", metavar="FILE", help="Where to write it.")] = Path(
        "mltrust.key"
    ),
    no_password: Annotated[bool, typer.Option("--no-password", help="Leave the key without a password.")] = False,
    password_file: Annotated[
        Path | None, typer.Option("--password-file", metavar="FILE", help="The password (default: you are asked).")
    ] = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Make a key pair: a private key that only you can read, and FILE.pub to give to others.

    The private key is encrypted with a password that is asked for twice. Keep it out of what you seal. Ed25519 works
    wherever mltrust does; p256 is what OpenSSF Model Signing reads, too; ML-DSA takes a library that has it, here and
    wherever it is verified.

    \b
    Examples:
      mltrust key generate
      mltrust key generate --type hybrid --output ~/keys/release.key
      mltrust key generate --password-file ~/.release-password --output release.key
    """
    from mltrust.cli.home import user_home
    from mltrust.core import private_key
    from mltrust.disk import private_keys

    if no_password and password_file is not None:
        raise UsageError("--no-password goes with no --password-file")
    private_keys.refuse_there(output)  # before anybody types a password
    made = private_key.generate(type_.value, os.urandom)
    password = None if no_password else _new_password(output, password_file, user_home(console).dialogue)
    public = private_keys.write(output, made, password, os.urandom)
    from mltrust.renderers import keys

    if format_ is Format.JSON:
        console.result(keys.generated_as_json(made.public, str(output), str(public)))
    elif not console.quiet:
        console.result(keys.generated(made.public, str(output), str(public)))


def _new_password(output: Path, file: Path | None, dialogue: "Dialogue") -> str:
    from mltrust.disk.keys import read_password

    hint = "Or leave it without one: --no-password."
    if file is not None:
        password = read_password(file)
    else:
        password = dialogue.secret(f"a new password for {output}")
        if password and dialogue.secret("the same again") != password:
            raise UsageError("the two passwords differ", hint="Nothing was written. Run it again.")
    if not password:
        raise UsageError("the password is empty", hint=hint)
    return password


@app.command("show", short_help="show the public key of a key")
@speaking
def show(
    console: Console,
    key: Annotated[
        str, typer.Argument(metavar="KEY", help="A key file, public or private, or what signs.", show_default=False)
    ],
    password_file: PasswordFileOption = None,
    format_: FormatOption = Format.TEXT,
) -> None:
    """Show the public key of a key: its kind, its id, and the key in PEM. Nothing secret is ever shown.

    What is printed can be kept as a public key file. ssh-agent: without a name lists the keys of the SSH agent.

    \b
    Examples:
      mltrust key show release.key.pub
      mltrust key show ~/.ssh/id_ed25519
      mltrust key show ssh-agent:
      mltrust key show 'external:./kms-sign.sh alias/release' > release.pub
    """
    from mltrust.renderers import keys

    given = given_for_signers(password_file=password_file)
    found = _held() if key == _AGENT else [("", public_key(key, console, given))]
    if format_ is Format.JSON:
        console.result(keys.as_json(found))
    else:
        console.exact(keys.as_text(found))


def _held() -> "list[tuple[str, PublicKey]]":
    from mltrust.cli.signers import of_environment
    from mltrust.core.public_key import PublicKey
    from mltrust.signers.ssh_agent import Agent

    return [(key.comment, PublicKey((key.part,))) for key in Agent.from_settings(of_environment()).held()]


app.command("revoke", short_help="add keys to a list of revoked ones")(revoke)
