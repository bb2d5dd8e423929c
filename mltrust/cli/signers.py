"""From options to signers: whom the user named to sign, with what each understands of what was given."""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mltrust.cli.console import Console
from mltrust.errors import FormatError, UsageError

if TYPE_CHECKING:
    from mltrust.cli.naming import Publishing
    from mltrust.core.public_key import PublicKey
    from mltrust.interfaces import Settings, Signer

_KEY = typer.Option(
    "--key", metavar="KEY", help="Sign with this: a key file, ssh-agent:..., external:..., sigstore:... Repeatable."
)
KeyOption = Annotated[list[str] | None, _KEY]
RequiredKeyOption = Annotated[list[str], _KEY]
PasswordFileOption = Annotated[
    Path | None, typer.Option("--password-file", metavar="FILE", help="What opens the key (default: you are asked).")
]
TokenFileOption = Annotated[
    Path | None,
    typer.Option(
        "--identity-token-file",
        metavar="FILE",
        help="sigstore: says who you are (default: the CI service, or you log in).",
    ),
]


def given_for_signers(**files: Path | None) -> "Settings":
    """Return what the options of a command give to signers, files by their absolute paths."""
    return {name: str(file.absolute()) for name, file in files.items() if file is not None}


def open_signers(uris: Sequence[str], console: Console, given: "Settings", *, yes: bool = False) -> "list[Signer]":
    """Return the signers of URIs and paths; what none of them understands of `given` is a `UsageError`."""
    from mltrust.cli.home import user_home
    from mltrust.signing import open_signer, signer_settings

    understood = [signer_settings(uri) for uri in uris]
    if lost := sorted(set(given) - frozenset().union(*understood)):
        whom = f"is not for the key {', '.join(uris)}" if uris else "goes with a --key"
        raise UsageError(f"--{lost[0].replace('_', '-')} {whom}")
    home, known = user_home(console, yes=yes), {**of_environment(), **given}
    pairs = zip(uris, understood, strict=True)
    return [open_signer(uri, home, {key: known[key] for key in known if key in names}) for uri, names in pairs]


def signing_and_publishing(
    keys: Sequence[str], anchors: Sequence[str], how: "Publishing", console: Console, given: "Settings"
) -> "tuple[list[Signer], Settings]":
    """Return the signers, and what is given for the anchors: a password file is for whichever understands it.

    `given` is for the signers alone.
    """
    if not keys and not given:
        return [], how.given
    from mltrust.signing import signer_settings

    known, publishing = frozenset().union(*map(signer_settings, keys)), frozenset[str]()
    if anchors:
        from mltrust import opening
        from mltrust.cli.home import user_configuration

        publishing = publishing.union(*(opening.settings_of(user_configuration().uri(name)) for name in anchors))
    for_signers = {name: how.given[name] for name in how.given if name in known}
    for_anchors = {name: how.given[name] for name in how.given if name not in known or name in publishing}
    return open_signers(keys, console, {**for_signers, **given}, yes=how.yes), for_anchors


def public_key(key: str, console: Console, given: "Settings") -> "PublicKey":
    """Return the public key of a key file, public or private, or of what signs; a password may be asked for."""
    if (found := _in_public_file(key)) is not None:
        return found
    (signer,) = open_signers([key], console, given)
    if (public := signer.public_key()) is None:
        raise UsageError(f"{signer.name} signs by certificates: there is no key to show")
    return public


def _in_public_file(key: str) -> "PublicKey | None":
    """Return the key in a public key file; None if that may be a private one, or `key` names no file."""
    from mltrust.core.public_key import read_public_key
    from mltrust.disk.private_keys import read_key_file
    from mltrust.signing import refuse_private, signer_scheme

    refuse_private(key)
    if signer_scheme(key) != "file":
        return None
    path = Path(key.removeprefix("file:"))
    data = read_key_file(path)
    if b"PRIVATE KEY-----" in data:
        return None
    try:
        return read_public_key(data, str(path))
    except FormatError:
        if data.startswith(b"\x30"):  # DER: of a private key, perhaps
            return None
        raise


def refuse_inside(artifact: str, keys: Sequence[str]) -> None:
    """Raise a `UsageError` if a private key file lies in what is sealed, which is given to others."""
    from mltrust.signing import signer_scheme

    folder = Path(artifact).resolve()
    for key in keys:
        path = Path(key.removeprefix("file:"))
        places = (path.resolve(), path.parent.resolve() / path.name)  # also a link inside: who copies may follow it
        if signer_scheme(key) == "file" and any(place.is_relative_to(folder) for place in places):
            what = f"the private key {key} lies in {artifact}: it would be sealed with it, and given away"
            raise UsageError(what, hint="Move it elsewhere.")


def of_environment() -> "Settings":
    """Return what the environment says: a library looks nowhere by itself."""
    path = os.environ.get("SSH_AUTH_SOCK")
    return {"socket": path} if path else {}
