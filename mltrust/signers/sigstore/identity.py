"""Whom a certificate names, and whether it is the one who was asked for."""

from cryptography.x509 import (
    Certificate,
    RFC822Name,
    SubjectAlternativeName,
    UniformResourceIdentifier,
    UnrecognizedExtension,
)
from sigstore.errors import VerificationError
from sigstore.verify import policy

from mltrust.core.names import shown

_ISSUER, _OLD_ISSUER = "1.3.6.1.4.1.57264.1.8", "1.3.6.1.4.1.57264.1.1"


class SomebodyElseError(VerificationError):
    """A certificate of another identity, or one that another provider knows."""


class Anybody:
    """The policy of whoever has just signed."""

    def verify(self, cert: Certificate) -> None:
        """Agree."""


class Identity:
    """The policy that asks for one identity, as one provider knows it; both as they are, to the letter."""

    def __init__(self, identity: str, issuer: str) -> None:
        self._identity, self._issuer = identity, issuer

    def verify(self, cert: Certificate) -> None:
        """Raise `SomebodyElseError` for another: the provider stands in a new extension, or only in the old one."""
        provider = policy.OIDCIssuerV2 if _ISSUER in _extensions(cert) else policy.OIDCIssuer
        try:
            policy.AllOf([policy.Identity(identity=self._identity), provider(self._issuer)]).verify(cert)
        except VerificationError as error:
            raise SomebodyElseError(f"the certificate is that of {named(cert)}") from error


def named(certificate: Certificate) -> str:
    """Return in words whom a certificate names, and which provider knows them."""
    extensions = _extensions(certificate)
    names = certificate.extensions.get_extension_for_class(SubjectAlternativeName).value
    found = [*names.get_values_for_type(RFC822Name), *names.get_values_for_type(UniformResourceIdentifier)]
    issuer = extensions.get(_OLD_ISSUER)
    known = issuer.value.decode() if isinstance(issuer, UnrecognizedExtension) else "a provider it does not name"
    return f"{shown(', '.join(found) or 'nobody')}, known to {shown(known)}"


def _extensions(certificate: Certificate) -> dict[str, object]:
    return {each.oid.dotted_string: each.value for each in certificate.extensions}
