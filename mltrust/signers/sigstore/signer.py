"""Signing with a certificate that Sigstore gives whoever shows who they are."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Self

from mltrust.core.dsse import PAYLOAD_TYPE, Signature, decoded
from mltrust.errors import SigningError, UsageError
from mltrust.interfaces import Home, Settings, Signer
from mltrust.signers.sigstore.library import reason, require
from mltrust.signers.sigstore.roots import config_of
from mltrust.signers.sigstore.token import identity_token

if TYPE_CHECKING:
    from sigstore.models import Bundle, ClientTrustConfig
    from sigstore.oidc import IdentityToken

    from mltrust.core.public_key import PublicKey


class SigstoreSigner(Signer):
    """Signs as whoever a token says; every signature has a certificate and a log entry of its own.

    `sigstore:` is the public instance, `sigstore:staging` the one for trying it out, `sigstore:FILE` that of a client
    trust configuration. Identity, and digest of what is signed, are published in the log of the instance.
    """

    scheme: ClassVar[str] = "sigstore"
    settings: ClassVar[frozenset[str]] = frozenset({"identity_token_file"})

    def __init__(self, where: str, home: Home, token_file: Path | None = None) -> None:
        self._where = where
        self._home = home
        self._token_file = token_file
        self._token: IdentityToken | None = None

    @property
    def name(self) -> str:
        """How the signer is called: as its URI."""
        return f"{self.scheme}:{self._where}"

    @classmethod
    def from_uri(cls, uri: str, home: Home, settings: Settings) -> Self:
        """Return the signer that `sigstore:`, `sigstore:staging` or `sigstore:FILE` names.

        Settings: `identity_token_file`, a file with the token of an identity provider.
        """
        scheme, colon, where = uri.partition(":")
        file = settings.get("identity_token_file")
        if scheme != cls.scheme or not colon:
            raise UsageError(f"{ascii(uri)[:120]} names no signer", hint="Write sigstore: or sigstore:FILE.")
        if file is not None and not isinstance(file, str | Path):
            raise UsageError("identity_token_file is not the path of a file")
        return cls(where, home, None if file is None else Path(file))

    def public_key(self) -> "PublicKey | None":
        """Return None: each signature brings a certificate for a key that is gone."""
        return None

    def sign(self, payload: bytes) -> Sequence[Signature]:
        """Return one signature over the PAE of `payload`, with certificate, log entry and time stamps as its material.

        1. The instance, and who signs, are known.
        2. The authority certifies a new key for this identity, the key signs, and the log takes the signature in.
        3. What came back is verified as others will: the library does not look at what the log answered.

        Raises:
            UsageError: The extra is not installed, or configuration or token are not good.
            SigningError: One of the services is out of reach, refuses, or answers with what proves nothing.
        """
        require()
        try:
            # 1.
            config = config_of(self._where)
            token = self._identity(config)
            # 2.
            bundle = _signed(config, token, payload)
            # 3.
            _require_good(config, bundle, payload)
        except (UsageError, SigningError):
            raise
        except Exception as error:  # the library has a dozen errors of no common kind, and lets those of others through
            raise SigningError(f"{self.name} did not sign: {reason(error)}", hint="Try again, or later.") from error
        from mltrust.signers.sigstore.identity import named

        self._home.dialogue.tell(f"Signed as {named(bundle.signing_certificate)}")
        return (_signature(bundle),)

    def _identity(self, config: "ClientTrustConfig") -> "IdentityToken":
        if self._token is None or not self._token.in_validity_period():
            self._token = identity_token(self._token_file, config, self._home.dialogue)
        return self._token


def _signed(config: "ClientTrustConfig", token: "IdentityToken", payload: bytes) -> "Bundle":
    from sigstore.dsse import Statement
    from sigstore.sign import SigningContext

    class AnyStatement(Statement):
        """The library's own refuses subjects named by other digests than SHA-2 and SHA-3, as ours are by suite."""

        def __init__(self, contents: bytes) -> None:
            self._contents = contents

    with SigningContext.from_trust_config(config).signer(token) as signer:
        return signer.sign_dsse(AnyStatement(payload))


def _require_good(config: "ClientTrustConfig", bundle: "Bundle", payload: bytes) -> None:
    from sigstore.verify import Verifier

    from mltrust.signers.sigstore.identity import Anybody

    found = Verifier(trusted_root=config.trusted_root).verify_dsse(bundle, Anybody())
    if found != (PAYLOAD_TYPE, payload):
        raise SigningError("the library signed something else", hint="Upgrade the library sigstore, or report it.")


def _signature(bundle: "Bundle") -> Signature:
    document = json.loads(bundle.to_json())
    (signature,) = document["dsseEnvelope"]["signatures"]
    return Signature.of("", decoded(signature["sig"], "signature"), document["verificationMaterial"])
