"""The options by which commands name anchors: whom to trust, and how to publish."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from mltrust.cli.options import with_options
from mltrust.errors import UsageError

if TYPE_CHECKING:
    from mltrust.interfaces import Settings

_Texts = list[str] | None

_ROOTS = (
    Annotated[Path | None, typer.Option("--roots", metavar="PEM", help="rfc3161: the authority's roots.")],
    None,
)

_TRUST: Mapping[str, tuple[object, object]] = {
    "anchor": (
        Annotated[
            _Texts, typer.Option("--anchor", metavar="URI", help="Trust this anchor (or short name). Repeatable.")
        ],
        None,
    ),
    "key": (
        Annotated[
            _Texts,
            typer.Option(
                "--key", metavar="PUB", help="Trust this key (file, text or signer's name), or a ledger's. Repeatable."
            ),
        ],
        None,
    ),
    "certificate_chain": (
        Annotated[
            Path | None,
            typer.Option("--certificate-chain", metavar="PEM", help="Trust who signs with a certificate under these."),
        ],
        None,
    ),
    "identity": (
        Annotated[
            str | None, typer.Option("--identity", metavar="ID", help="sigstore: trust this identity, with --issuer.")
        ],
        None,
    ),
    "issuer": (
        Annotated[
            str | None, typer.Option("--issuer", metavar="URL", help="sigstore: the provider that knows the identity.")
        ],
        None,
    ),
    "trust_root": (
        Annotated[
            Path | None,
            typer.Option("--trust-root", metavar="FILE", help="sigstore: another root than the public one."),
        ],
        None,
    ),
    "witness": (
        Annotated[
            _Texts, typer.Option("--witness", metavar="PUB", help="ledger: this witness must cosign. Repeatable.")
        ],
        None,
    ),
    "fingerprint": (
        Annotated[
            str | None,
            typer.Option("--fingerprint", metavar="HEX", help="Trust this fingerprint, known from elsewhere."),
        ],
        None,
    ),
    "policy": (
        Annotated[
            Path | None, typer.Option("--policy", metavar="FILE", help="Trust as the [trust] table of this file asks.")
        ],
        None,
    ),
    "fetch": (
        Annotated[str | None, typer.Option("--fetch", metavar="REMOTE", help="git-notes: fetch the notes first.")],
        None,
    ),
    "roots": _ROOTS,
    "author": (
        Annotated[_Texts, typer.Option("--author", metavar="0x...", help="ethereum: trust this sender. Repeatable.")],
        None,
    ),
    "contract": (
        Annotated[
            str | None, typer.Option("--contract", metavar="0x...", help="ethereum: another contract than ours.")
        ],
        None,
    ),
    "trust_block": (
        Annotated[
            str | None, typer.Option("--trust-block", metavar="0x...", help="ethereum: a block hash known to be final.")
        ],
        None,
    ),
}

_SIGNING: Mapping[str, tuple[object, object]] = {
    "signer": (
        Annotated[
            str | None,
            typer.Option("--signer", metavar="WHERE", help="ethereum: keystore:FILE, keyring:NAME, external:..."),
        ],
        None,
    ),
    "password_file": (
        Annotated[
            Path | None,
            typer.Option(
                "--password-file", metavar="FILE", help="What opens a key or a keystore (default: you are asked)."
            ),
        ],
        None,
    ),
    "yes": (Annotated[bool, typer.Option("--yes", "-y", help="Consent to the cost of a transaction.")], False),
}

_PUBLISHING: Mapping[str, tuple[object, object]] = {
    "push": (
        Annotated[str | None, typer.Option("--push", metavar="REMOTE", help="git-notes: push the notes there.")],
        None,
    ),
    "roots": _ROOTS,
    **_SIGNING,
}


@dataclass(frozen=True)
class Identity:
    """Who signs without a key of their own, as an issuer knows them, under a root."""

    name: str
    issuer: str
    root: Path | None


@dataclass(frozen=True)
class Named:
    """Whom the options of a command name to be trusted; `given` are settings for whichever anchor understands them."""

    anchors: tuple[str, ...]
    keys: tuple[str, ...]
    certificates: Path | None
    identity: "Identity | None"
    fingerprint: str | None
    policy: Path | None
    given: "Settings"

    @property
    def anybody(self) -> bool:
        """Whether somebody is named."""
        signers = self.keys or self.certificates or self.identity
        return bool(self.anchors or signers or self.fingerprint is not None or self.given)


@dataclass(frozen=True)
class Publishing:
    """How the options of a command want something published; `yes` consents to what it costs."""

    given: "Settings"
    yes: bool


def trusting(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` the options that name whom to trust, and a `Named` made of them as first argument."""
    return with_options(command, _TRUST, _named)


def publishing(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` the options of publishing, and a `Publishing` made of them as first argument."""
    return with_options(command, _PUBLISHING, _how)


def signing(command: Callable[..., None]) -> Callable[..., None]:
    """Give `command` those options of publishing that a transaction needs, and a `Publishing` as first argument."""
    return with_options(command, _SIGNING, _how)


def _how(yes: bool, **given: object) -> Publishing:  # Typer hands the flag over by name
    return Publishing(_present(given), yes)


def _named(
    anchor: _Texts,
    key: _Texts,
    certificate_chain: Path | None,
    identity: str | None,
    issuer: str | None,
    trust_root: Path | None,
    fingerprint: str | None,
    policy: Path | None,
    author: _Texts,
    witness: _Texts,
    **given: object,
) -> Named:
    given |= {"authors": author or None, "witnesses": witness or None}
    return Named(
        tuple(anchor or ()),
        tuple(key or ()),
        certificate_chain,
        _identity(identity, issuer, trust_root),
        fingerprint,
        policy,
        _present(given),
    )


def _identity(name: str | None, issuer: str | None, root: Path | None) -> Identity | None:
    if name is None and issuer is None and root is None:
        return None
    if not name or not issuer:
        hint = "Everybody can have the same name elsewhere: say which provider knows it."
        raise UsageError("--identity and --issuer go together; --trust-root goes with them", hint=hint)
    return Identity(name, issuer, root)


def _present(given: "Mapping[str, object]") -> "Settings":
    """Return what was given; paths count from the working folder here and nowhere else."""
    return {
        name: str(value.absolute()) if isinstance(value, Path) else value
        for name, value in given.items()
        if value is not None
    }
