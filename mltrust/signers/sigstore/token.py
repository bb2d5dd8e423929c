"""Who one is: a token (OpenID Connect) of an identity provider, which the certificate authority believes."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from mltrust.disk.documents import read_with_status
from mltrust.disk.keys import refuse_readable_by_others
from mltrust.errors import SigningError, UnreadableError, UsageError
from mltrust.interfaces.anchoring import Dialogue
from mltrust.signers.sigstore.library import reason

if TYPE_CHECKING:
    from sigstore.models import ClientTrustConfig
    from sigstore.oidc import IdentityToken

_MAX_TOKEN_BYTES = 2**16
_CONSENT = "Sigstore publishes who you are (an e-mail address, or a user name) in a log forever. Go on in your browser?"
_HINT = "Name a file with --identity-token-file, sign where a CI service says who it is, or sign at a terminal."


def identity_token(file: Path | None, config: "ClientTrustConfig", dialogue: Dialogue) -> "IdentityToken":
    """Return a token: the one in `file`, else that of the CI service this runs in, else one of the user's browser.

    Raises:
        UsageError: The token cannot be read, or is not valid now; or there is none and nobody to be asked.
        SigningError: The CI service, or the identity provider, gives none.
    """
    if file is not None:
        return _token(_read(file))
    ambient = _ambient()
    return _token(ambient) if ambient else _of_browser(config, dialogue)


def _token(raw: str) -> "IdentityToken":
    from sigstore.oidc import IdentityError, IdentityToken

    try:
        return IdentityToken(raw)
    except IdentityError as error:
        raise UsageError(
            f"identity token: {reason(error)}", hint="Get a new one, for the audience sigstore."
        ) from error


def _read(file: Path) -> str:
    try:
        data, status = read_with_status(file, _MAX_TOKEN_BYTES)
        refuse_readable_by_others(file, status, "identity token")
    except UnreadableError as error:
        raise UsageError(f"identity token: {error}") from error
    return data.decode("ascii", "replace").strip()


def _ambient() -> str | None:
    from sigstore.oidc import IdentityError, detect_credential

    try:
        return detect_credential()
    except IdentityError as error:
        hint = "On GitHub, the job needs `permissions: id-token: write`."
        raise SigningError(f"the CI service does not say who it is: {reason(error)}", hint=hint) from error


def _of_browser(config: "ClientTrustConfig", dialogue: Dialogue) -> "IdentityToken":
    """Ask the user to log in: the library opens a browser, or says where to go and asks for a code."""
    from sigstore.oidc import Issuer

    if sys.stdin is None or not sys.stdin.isatty():  # consent in advance is no user who could log in
        raise UsageError("nobody says who signs", hint=_HINT)
    if not dialogue.agree(_CONSENT):
        raise UsageError("not signed: you did not agree", hint=_HINT)
    try:
        return Issuer(config.signing_config.get_oidc_url()).identity_token()
    except Exception as error:
        raise SigningError(f"the identity provider gave no token: {reason(error)}") from error
