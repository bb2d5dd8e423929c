"""Whom a Sigstore signature leads to: certificate authorities, logs and time-stamp authorities that the user trusts."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import metadata, resources
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import quote

from mltrust.core import canonical
from mltrust.disk.documents import read_document
from mltrust.errors import UnreadableError, UsageError
from mltrust.signers.sigstore.library import reason

if TYPE_CHECKING:
    from sigstore.models import ClientTrustConfig, TrustedRoot

MAX_CONFIG_BYTES = 2**22
STAGING = "staging"

_SHIPPED = "https://tuf-repo-cdn.sigstore.dev"
_HINT = "Give a trusted_root.json or a client trust configuration of the Sigstore instance."


@dataclass(frozen=True)
class Root:
    """A trusted root, and what it is called in reports."""

    name: str
    trusted: "TrustedRoot"


def root_of(file: Path | None) -> Root:
    """Return the root in `file`, or that of the public instance which the library brings; nothing is fetched.

    Raises:
        UsageError: The file is not there, or neither a trusted root nor a client trust configuration.
        UnreadableError: The library brings none.
    """
    if file is None:
        return _shipped_root()
    text = _text(file)
    with _reading(file):
        document = canonical.loads(text.encode(), str(file), floats=True)
        kind = document.get("mediaType") if isinstance(document, dict) else None
        if isinstance(kind, str) and "clienttrustconfig" in kind:
            return Root(str(file), _config(text).trusted_root)
        return Root(str(file), _from_file(file))


def config_of(where: str) -> "ClientTrustConfig":
    """Return where to sign: the public instance (``), the staging one, or that of the client trust config in a file.

    The configurations of the first two are kept up to date by TUF, over the network.
    """
    from sigstore.models import ClientTrustConfig

    if where in ("", STAGING):
        return ClientTrustConfig.staging() if where else ClientTrustConfig.production()
    file = Path(where)
    text = _text(file)
    with _reading(file):
        return _config(text)


def _shipped_root() -> Root:
    # Not by TrustUpdater: it writes to the user's folders, and reads from there what nobody signed.
    shipped = resources.files("sigstore") / "_store" / quote(_SHIPPED, safe="") / "trusted_root.json"
    name = f"the public instance, as known to sigstore {metadata.version('sigstore')}"
    try:
        with resources.as_file(shipped) as file:
            return Root(name, _from_file(file))
    except OSError as error:
        raise UnreadableError("the library sigstore brings no trusted root", hint=_HINT) from error


def _config(text: str) -> "ClientTrustConfig":
    from sigstore.models import ClientTrustConfig

    return ClientTrustConfig.from_json(text)


def _from_file(file: Path) -> "TrustedRoot":
    from sigstore.models import TrustedRoot

    return TrustedRoot.from_file(str(file))


def _text(file: Path) -> str:
    try:
        return read_document(file, MAX_CONFIG_BYTES).decode()
    except UnreadableError as error:
        raise UsageError(f"Sigstore configuration: {error}", hint=_HINT) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"Sigstore configuration: {file}: not UTF-8 text", hint=_HINT) from error


@contextmanager
def _reading(file: Path) -> Iterator[None]:
    from sigstore.errors import Error

    try:
        yield
    except (Error, UnreadableError, ValueError) as error:
        raise UsageError(f"{file} is no Sigstore configuration: {reason(error)}", hint=_HINT) from error
