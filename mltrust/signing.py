"""The Python face of signing: signers by URI, and signatures added to seal files."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from mltrust import registry
from mltrust.artifacts import AnyPath
from mltrust.core.bundle import Bundle
from mltrust.core.dsse import Signature
from mltrust.errors import UsageError
from mltrust.interfaces import Home, Settings, Signer
from mltrust.operations.signing import new_signatures, with_signatures
from mltrust.sealfile import SealFile

_FILE = "file"


@dataclass(frozen=True)
class Signed:
    """A seal as it is signed now, and the signatures that were added."""

    bundle: Bundle
    added: tuple[Signature, ...]


def signer_scheme(uri: str) -> str:
    """Return the scheme of a signer's URI; what has none that is known is the path of a key file."""
    scheme, colon, _ = uri.partition(":")
    return scheme if colon and scheme in registry.names("signers") else _FILE


def signer_settings(uri: str) -> frozenset[str]:
    """Return the names of the settings that the signer of a URI understands."""
    plug: type[Signer] = registry.load("signers", signer_scheme(uri))
    return plug.settings


def open_signer(uri: str, home: Home, settings: Settings | None = None) -> Signer:
    """Return the signer that a URI such as `ssh-agent:COMMENT` or the path of a key file names; it opens nothing.

    `home` is where it may ask the user; `settings` that mean nothing to that kind of signer are a `UsageError`.
    """
    refuse_private(uri)
    scheme, settings = signer_scheme(uri), settings or {}
    plug: type[Signer] = registry.load("signers", scheme)
    if unknown := sorted(set(settings) - plug.settings):
        known = ", ".join(sorted(plug.settings)) or "none"
        raise UsageError(f"{ascii(unknown[0])[:80]} is no setting of {scheme} signers", hint=f"There are: {known}.")
    return plug.from_uri(uri if uri.startswith(f"{scheme}:") else f"{scheme}:{uri}", home, settings)


def refuse_private(text: str) -> None:
    """Raise a `UsageError`, which does not repeat it, if `text` is a private key and not the name of one."""
    if "PRIVATE KEY" in text:
        raise UsageError("a private key was given where its file is named", hint="Others can read command lines.")


def sign(seal: AnyPath, signers: Sequence[Signer]) -> Bundle:
    """Have each of `signers` sign the statement of a seal file, and add the signatures to it; return it as it is now.

    A key that signed it already does not sign again.

    Raises:
        SealError: The parts of the seal contradict each other, or it states something else by now.
        UsageError: Nobody is named, or a key is not there or not to be used.
        SigningError: Somebody did not sign.
    """
    return sign_file(Path(seal), signers).bundle


def sign_file(seal: Path, signers: Sequence[Signer]) -> Signed:
    """Do what `sign` does; return what was added, too."""
    if not signers:
        raise UsageError("nobody is named to sign")
    found = SealFile.read(seal, whole=True)
    made = tuple(new_signatures(found.bundle, signers))
    return Signed(found.update(lambda now: with_signatures(now, made)), made)
