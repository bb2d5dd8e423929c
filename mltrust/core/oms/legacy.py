"""What model-signing 0.2.0 signed in place of the PAE of DSSE, by mistake; nobody else did, before or since.

    "DSSEV1" SP LEN(type) SP type SP LEN(payload) SP repr(payload)        repr as Python writes bytes: b'...'

and always with SHA-256, whatever the curve. It is tried only where the caller asks for it.
"""

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import load_der_public_key

from mltrust.core.dsse import PAYLOAD_TYPE
from mltrust.core.public_key import KeyPart


def verifies_old(key: KeyPart, payload: bytes, signature: bytes) -> bool:
    """Tell whether `signature` over `payload` is one that model-signing 0.2.0 made with `key`."""
    message = f"DSSEV1 {len(PAYLOAD_TYPE)} {PAYLOAD_TYPE} {len(payload)} {payload!r}".encode()
    try:
        public = load_der_public_key(key.der)
        if not isinstance(public, ec.EllipticCurvePublicKey):
            return False
        public.verify(signature, message, ec.ECDSA(hashes.SHA256()))
    except (InvalidSignature, UnsupportedAlgorithm, ValueError):
        return False
    return True
