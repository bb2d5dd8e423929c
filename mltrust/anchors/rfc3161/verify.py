"""Whether a time stamp is one of an authority the user trusts (RFC 3161, section 2.2 and appendix B; RFC 5816).

The library parses the response once more, by itself, and has OpenSSL check signature and chain. What it leaves open is
checked here. It is an optional extra and imported when it is needed.
"""

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

from mltrust.anchors.rfc3161 import der
from mltrust.anchors.rfc3161.der import Value
from mltrust.anchors.rfc3161.stamp import Signer, Stamp
from mltrust.core.names import printable
from mltrust.core.report import AnchorState
from mltrust.errors import AnchorError, ContradictionError, ForeignReceiptError, FormatError

if TYPE_CHECKING:
    from cryptography.x509 import Certificate
    from rfc3161_client import TimeStampRequest, TimeStampResponse

_DIGESTS = {f"2.16.840.1.101.3.4.2.{number}": name for number, name in ((1, "SHA256"), (2, "SHA384"), (3, "SHA512"))}
_RSA = "1.2.840.113549.1.1."
_ECDSA = "1.2.840.10045.4.3."
# What may stand as the algorithm of a signature over each digest. OpenSSL goes by key and digest and ignores it.
_SIGNATURES = {
    "SHA256": (_RSA + "1", _RSA + "11", _ECDSA + "2"),
    "SHA384": (_RSA + "1", _RSA + "12", _ECDSA + "3"),
    "SHA512": (_RSA + "1", _RSA + "13", _ECDSA + "4"),
}
_CONTENT_TYPE, _TST_INFO = "1.2.840.113549.1.9.3", "1.2.840.113549.1.9.16.1.4"
_CERTIFICATE_V1, _CERTIFICATE_V2 = "1.2.840.113549.1.9.16.2.12", "1.2.840.113549.1.9.16.2.47"
_CHAIN = re.compile(r"Verify error: ([\w ()-]{1,100})")
_FOREIGN = ("issuer", "self-signed", "self signed", "first certificate", "certificate signature failure")
_MAX_NAME = 120


@dataclass(frozen=True, slots=True)
class Roots:
    """Whom the user trusts: certificates, and the policy that is required, if one is."""

    roots: "list[Certificate]"
    intermediates: "list[Certificate]"
    policy: str | None


def request(data: bytes) -> "TimeStampRequest":
    """Return a request over `data`, hashed with SHA-256, with a nonce, that asks for the certificate."""
    _require_library()
    from rfc3161_client import HashAlgorithm, TimestampRequestBuilder

    with _library("make a request"):
        builder = TimestampRequestBuilder().data(data).hash_algorithm(HashAlgorithm.SHA256)
        return builder.nonce(nonce=True).cert_request(cert_request=True).build()


def decode(response: bytes) -> "TimeStampResponse":
    """Return a response as the library reads it, which is strict as well; what it refuses is a `FormatError`."""
    _require_library()
    from rfc3161_client import decode_timestamp_response

    with _library("read it"):
        return decode_timestamp_response(response)


def require_trusted(stamp: Stamp, roots: Roots, data: bytes, nonce: int | None = None) -> str:
    """Check that an authority the user trusts stamped `data`; return the name in its certificate, escaped.

    1. One certificate in the response is the signer's: the one it names, and whose hash it signed (RFC 5816).
    2. The signed attributes are those of a time stamp; digest and signature algorithm are known and fit.
    3. The library agrees, under the user's roots and at the time stated: the chain leads to a root, the certificate is
       for time stamps and nothing else (critical extended key usage), the signature is good, and status, nonce,
       policy and imprint are the expected ones.
    4. The library read the same time as we did.

    Raises:
        ForeignReceiptError: The chain leads to none of the roots.
        ContradictionError: The time stamp proves nothing.
        FormatError: It is not well-formed.
        AnchorError: The library is not installed.
    """
    # 1.
    certificate = stamp.certificate()
    _require_named(certificate, stamp.signer)
    # 2.
    _require_known(stamp.signer)
    # 3.
    decoded = decode(stamp.response)
    _require_chain(decoded, roots, data, nonce)
    # 4.
    with _library("read its time"):
        if decoded.tst_info.gen_time != stamp.info.time:
            raise false("two readers read two times in it")
    return _name(certificate)


def false(what: str) -> ContradictionError:
    """Return the error for a time stamp that proves nothing."""
    return ContradictionError(f"the time stamp is false: {what}", state=AnchorState.UNSIGNED)


def _require_named(certificate: bytes, signer: Signer) -> None:
    """Compare the certificate with each hash of one that was signed (RFC 2634 section 5.4, RFC 5035 section 5.4)."""
    hashes = [(each, signer.attributes.get(each)) for each in (_CERTIFICATE_V1, _CERTIFICATE_V2)]
    found = [_hash_of(certificate, version, value) for version, value in hashes if value is not None]
    if not found or not all(found):
        raise false("the signature is not bound to the certificate it names")


def _hash_of(certificate: bytes, version: str, value: Value) -> bool:
    """Tell whether the first certificate listed in a signing-certificate attribute is this one."""
    first = value.parts().take(der.SEQUENCE).elements(der.SEQUENCE)[:1]
    if not first:
        return False
    fields, algorithm = first[0].parts(), "sha1" if version == _CERTIFICATE_V1 else "SHA256"
    named = fields.maybe(der.SEQUENCE) if version == _CERTIFICATE_V2 else None
    if named is not None:
        algorithm = _DIGESTS.get(named.parts().take(der.OID).oid(), "")
    if not algorithm:
        return False
    return hashlib.new(algorithm, certificate, usedforsecurity=False).digest() == fields.take(der.OCTET_STRING).content


def _require_known(signer: Signer) -> None:
    kind = signer.attributes.get(_CONTENT_TYPE)
    if kind is None or kind.tag != der.OID or kind.oid() != _TST_INFO:
        raise false("what was signed is something else")
    if signer.signature not in _SIGNATURES.get(_DIGESTS.get(signer.digest, ""), ()):
        raise false("its signature is made with algorithms that are weak, unknown or do not fit")


def _require_chain(decoded: "TimeStampResponse", roots: Roots, data: bytes, nonce: int | None) -> None:
    from cryptography.x509 import ObjectIdentifier
    from rfc3161_client import VerificationError, VerifierBuilder

    with _library("verify it"):
        policy = ObjectIdentifier(roots.policy) if roots.policy else None
        builder = VerifierBuilder(policy, None, roots.intermediates, roots.roots, nonce)
        try:
            builder.build().verify_message(decoded, data)
        except VerificationError as error:
            raise _explained(str(error)) from error


def _explained(said: str) -> ContradictionError:
    chain = _CHAIN.search(said)
    if chain is None:
        return false("its signature does not hold" if "pkcs7" in said else _lowered(said))
    if any(word in chain[1] for word in _FOREIGN):
        message = f"the time stamp is of an authority that your roots do not lead to ({chain[1]})"
        return ForeignReceiptError(message, hint="Are they the roots of this authority?")
    return false(f"at the time it states, {chain[1]}")


def _lowered(said: str) -> str:
    said = printable(said[:_MAX_NAME])
    return said[:1].lower() + said[1:]


def _name(certificate: bytes) -> str:
    from cryptography import x509

    with _library("read its certificate"):
        subject = x509.load_der_x509_certificate(certificate).subject
        names = [str(each.value) for each in subject.get_attributes_for_oid(x509.NameOID.COMMON_NAME)]
        return printable((names[0] if names else subject.rfc4514_string())[:_MAX_NAME])


def _require_library() -> None:
    try:
        import_module("rfc3161_client")
    except ImportError as error:
        hint = "Install it: pip install 'mltrust[rfc3161]'"
        raise AnchorError("time stamps need the library rfc3161-client", hint=hint) from error


@contextmanager
def _library(doing: str) -> Iterator[None]:
    """Turn whatever the library raises into a `FormatError`; a panic of its Rust is no `Exception`."""
    try:
        yield
    except (AnchorError, FormatError, KeyboardInterrupt, SystemExit):
        raise
    except BaseException as error:
        what = printable(str(error)[:_MAX_NAME])
        raise FormatError("time stamp", f"could not {doing}: {what or type(error).__name__}") from error
