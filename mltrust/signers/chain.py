"""Chains of certificates: whether one leads to another that is trusted (RFC 5280 section 6.1)."""

import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import dsa, ec, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID

from mltrust.core.canonical import Json
from mltrust.core.dsse import decoded
from mltrust.core.names import shown
from mltrust.core.report import SignatureState

_MAX_CHAIN = 8  # certificates in a bundle
_MAX_CERTIFICATE = 2**15  # characters of base64
_MAX_SHOWN = 200
_HASHES = (hashes.SHA256, hashes.SHA384, hashes.SHA512, hashes.SHA3_256, hashes.SHA3_384, hashes.SHA3_512)
_LEAST_BITS = {rsa.RSAPublicKey: 2048, dsa.DSAPublicKey: 2048, ec.EllipticCurvePublicKey: 224}  # SP 800-57, table 2
_PURPOSES = (ExtendedKeyUsageOID.CODE_SIGNING, ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE)
_KNOWN = frozenset(  # critical extensions that are heeded, or ask for nothing here
    kind.oid for kind in (x509.BasicConstraints, x509.KeyUsage, x509.ExtendedKeyUsage, x509.SubjectAlternativeName)
) | {x509.CertificatePolicies.oid}
TROUBLE = (  # of the library, with certificates that are none; some of it comes late
    ValueError,
    TypeError,
    UnsupportedAlgorithm,
    x509.DuplicateExtension,
    x509.InvalidVersion,
    x509.UnsupportedGeneralNameType,
)


class RefusedError(Exception):
    """A certificate, or a signature by it, that does not count; `state` says why."""

    def __init__(self, state: SignatureState, what: str) -> None:
        super().__init__(what)
        self.state = state


def certificates_of(material: dict[str, Json] | None) -> list[x509.Certificate]:
    """Return the certificates of a signature as they stand, the signer's first; `RefusedError` if there are none."""
    chain = (material or {}).get("x509CertificateChain")
    found = chain.get("certificates") if isinstance(chain, dict) else None
    if not isinstance(found, list) or not found:
        raise RefusedError(SignatureState.ABSENT, "the signature bears no chain of certificates")
    if len(found) > _MAX_CHAIN:
        raise RefusedError(SignatureState.INVALID, f"{len(found)} certificates, at most {_MAX_CHAIN} are read")
    return [_certificate(each.get("rawBytes") if isinstance(each, dict) else None) for each in found]


def _certificate(raw: Json) -> x509.Certificate:
    if not isinstance(raw, str) or len(raw) > _MAX_CERTIFICATE:
        raise RefusedError(SignatureState.INVALID, "a certificate that is none, or too long")
    der = decoded(raw, "certificate")
    found = x509.load_der_x509_certificate(der)
    if der[-len(found.signature) - 1]:  # bits of it that would not count: the same certificate in other bytes
        raise RefusedError(SignatureState.INVALID, "a certificate whose signature is no whole number of bytes")
    return found


@contextmanager
def quietly() -> Iterator[None]:
    """Look at certificates without warnings, of odd names or what will be an error one day: nobody is to read them."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def paths_up(
    leaf: x509.Certificate,
    others: Sequence[x509.Certificate],
    trusted: Sequence[x509.Certificate],
    odd: list[RefusedError],
) -> Iterator[Sequence[x509.Certificate]]:
    """Yield paths from `leaf` to `trusted` certificates, short ones first; each of the `others` is taken once.

    Why certificates that certified others do not count goes to `odd`. Nothing here asks for the time.
    """
    _check_extensions(leaf)
    paths, left = [[leaf]], others
    while paths:
        path = paths.pop(0)
        if path[-1] in trusted:
            yield path
        yield from ([*path, each] for each in trusted if _issued(path, each, odd))
        onward = [each for each in left if _issued(path, each, odd)]
        left = [each for each in left if each not in onward]
        paths += ([*path, each] for each in onward)


def _issued(path: Sequence[x509.Certificate], issuer: x509.Certificate, odd: list[RefusedError]) -> bool:
    """Tell whether `issuer` certified the last of `path`; why one that did does not count goes to `odd`."""
    last = path[-1]
    try:
        if last.issuer != issuer.subject or issuer in path:
            return False
        last.verify_directly_issued_by(issuer)
        _check_issuer(path, issuer)
    except RefusedError as error:
        odd.append(error)
        return False
    except (InvalidSignature, *TROUBLE):
        return False
    return True


def _check_issuer(path: Sequence[x509.Certificate], issuer: x509.Certificate) -> None:
    """Refuse one that may not certify, or not so far down (RFC 5280 sections 6.1.3 and 6.1.4), or by a broken hash."""
    by, untrusted = who(issuer), SignatureState.UNTRUSTED
    used = path[-1].signature_hash_algorithm
    if used is not None and not isinstance(used, _HASHES):
        raise RefusedError(untrusted, f"the certificate of {who(path[-1])} is signed with {used.name}, which is broken")
    key, bits = issuer.public_key(), getattr(issuer.public_key(), "key_size", 0)
    if any(isinstance(key, kind) and bits < least for kind, least in _LEAST_BITS.items()):
        raise RefusedError(untrusted, f"the key of {by} is too short: {bits} bits")
    _check_extensions(issuer)
    basic, usage = extension(issuer, x509.BasicConstraints), extension(issuer, x509.KeyUsage)
    if basic is None or not basic.ca or not (usage is None or usage.key_cert_sign):
        raise RefusedError(untrusted, f"{by} may not certify: it is no certificate authority")
    between = sum(each.subject != each.issuer for each in path[1:])
    if basic.path_length is not None and between > basic.path_length:
        raise RefusedError(untrusted, f"{by} may not certify so far down: {between} authorities are between")


def _check_extensions(certificate: x509.Certificate) -> None:
    """Refuse what limits a certificate to something else, or in a way that is not heeded (RFC 5280 section 4.2)."""
    for each in certificate.extensions:
        if isinstance(each.value, x509.NameConstraints) or (each.critical and each.oid not in _KNOWN):
            what = f"the certificate of {who(certificate)} has an extension not heeded here: {each.oid.dotted_string}"
            raise RefusedError(SignatureState.UNSUPPORTED, what)
    purposes = extension(certificate, x509.ExtendedKeyUsage)
    if purposes is not None and not any(each in purposes for each in _PURPOSES):
        raise RefusedError(SignatureState.UNTRUSTED, f"the certificate of {who(certificate)} is not for signing code")


_Extension = TypeVar("_Extension", bound=x509.ExtensionType)


def extension(certificate: x509.Certificate, kind: type[_Extension]) -> _Extension | None:
    """Return an extension of a certificate, if it has it."""
    try:
        return certificate.extensions.get_extension_for_class(kind).value
    except x509.ExtensionNotFound:
        return None


def who(certificate: x509.Certificate) -> str:
    """Name whom a certificate is of, for people."""
    return shown(certificate.subject.rfc4514_string())[:_MAX_SHOWN] or "nobody by name"
