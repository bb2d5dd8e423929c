"""Bundles of OpenSSF Model Signing, read: a Sigstore bundle around a DSSE envelope, strictly and within bounds.

What is tolerated is what signers in use have written: the media types of Sigstore bundles 0.1 to 0.3, a key by its hint
or in full, certificates with or without an entry of a log, key ids that are text, empty, null or not there, and keys
beside those that are known. Anything else is refused. Nothing here is checked by a signature: that comes later.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from mltrust.core import canonical
from mltrust.core.canonical import Json
from mltrust.core.dsse import MAX_KEYID, MAX_SIGNATURE, MAX_SIGNATURES, PAYLOAD_TYPE, Signature, decoded
from mltrust.core.oms.reading import OmsStatement, read_statement
from mltrust.core.public_key import read_public_key
from mltrust.core.sigstore_bundle import MEDIA_TYPE
from mltrust.errors import FormatError, MltrustError

MAX_BUNDLE_BYTES = 2**28  # at about 300 bytes a file
_MAX_VALUES = 2**14  # of the bundle around the payload: certificates, entries of a log, hashes of their proofs
_MEDIA_TYPES = (MEDIA_TYPE, *(f"application/vnd.dev.sigstore.bundle+json;version=0.{minor}" for minor in (1, 2, 3)))
_MATERIALS = ("publicKey", "x509CertificateChain", "certificate")


@dataclass(frozen=True)
class OmsBundle:
    """A bundle: the payload, whose PAE is signed, what it states, and the signatures with what it takes to check them.

    Each signature bears as key id what the bundle says of the key: its id in mltrust where it holds the key itself.
    """

    payload: bytes
    statement: OmsStatement
    signatures: tuple[Signature, ...]


def read_bundle(data: bytes, where: str) -> OmsBundle:
    """Parse a bundle of at most `MAX_BUNDLE_BYTES`; `FormatError` names `where` and what is wrong with it.

    Raises `UnreadableError` if it is a bundle that mltrust does not read, such as one of shards.
    """
    if len(data) > MAX_BUNDLE_BYTES:
        raise FormatError(where, f"larger than {MAX_BUNDLE_BYTES} bytes")
    bundle = _object(canonical.loads(data, where, max_values=_MAX_VALUES, floats=True), where, "the bundle")
    if bundle.get("mediaType") not in _MEDIA_TYPES:
        raise FormatError(where, "not a Sigstore bundle: its mediaType is none of versions 0.1 to 0.3")
    if "messageSignature" in bundle:
        raise FormatError(where, "a signature over one file, not over a model: it has a messageSignature")
    envelope = _object(bundle.get("dsseEnvelope"), where, "dsseEnvelope")
    if envelope.get("payloadType") != PAYLOAD_TYPE:
        raise FormatError(where, f"its payloadType is not {PAYLOAD_TYPE}")
    payload = decoded(_text(envelope.get("payload"), where, "payload", len(data)), f"{where}: payload")
    signatures = _signatures(envelope.get("signatures"), _material(bundle, where), where)
    return OmsBundle(payload, read_statement(payload, f"{where}: payload"), signatures)


def _material(bundle: Mapping[str, Json], where: str) -> dict[str, Json]:
    material = _object(bundle.get("verificationMaterial"), where, "verificationMaterial")
    found = [name for name in _MATERIALS if material.get(name) is not None]
    if len(found) != 1:
        raise FormatError(where, f"verificationMaterial has {len(found)} of {', '.join(_MATERIALS)}, and one is needed")
    _object(material[found[0]], where, found[0])
    return material


def _signatures(found: Json, material: dict[str, Json], where: str) -> tuple[Signature, ...]:
    if not isinstance(found, list) or not 1 <= len(found) <= MAX_SIGNATURES:
        raise FormatError(where, f"signatures: expected 1 to {MAX_SIGNATURES} of them")
    return tuple(_signature(_object(each, where, "signatures"), material, where) for each in found)


def _signature(found: Mapping[str, Json], material: dict[str, Json], where: str) -> Signature:
    sig = _text(found.get("sig"), where, "sig", MAX_SIGNATURE)
    decoded(sig, f"{where}: sig")
    keyid = _text(found.get("keyid") or "", where, "keyid", MAX_KEYID)
    return Signature(keyid=keyid or _key_id(material, where), sig=sig, material=material)


def _key_id(material: Mapping[str, Json], where: str) -> str:
    """Return the id of the key that stands in the bundle, or else the hint at it. A key there is no reason to trust."""
    key = material.get("publicKey")
    if not isinstance(key, dict):
        return ""
    if (raw := key.get("rawBytes")) is None:
        return _text(key.get("hint") or "", where, "hint", MAX_KEYID)
    data = decoded(_text(raw, where, "rawBytes", MAX_SIGNATURE), f"{where}: rawBytes")
    try:
        return read_public_key(data, where).id
    except MltrustError:  # of a kind that nobody here signs with: a hint like any other
        return ""


def _object(value: Json, where: str, what: str) -> dict[str, Json]:
    if not isinstance(value, dict):
        raise FormatError(where, f"{what} is not there, or not an object")
    return value


def _text(value: Json, where: str, what: str, limit: int) -> str:
    if not isinstance(value, str) or len(value) > limit:
        raise FormatError(where, f"{what} is not there, or not a text of at most {limit} characters")
    return value
