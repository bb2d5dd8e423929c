"""Who signed a transaction, without recovering keys: the public key is given, and shown to be the one.

secp256k1 comes from `cryptography`, and no arithmetic on the curve is ours.
"""

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import Prehashed, encode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from mltrust.anchors.ethereum.proof.keccak import keccak256
from mltrust.anchors.ethereum.proof.transaction import ADDRESS_SIZE, Transaction
from mltrust.errors import AnchorError, FormatError

PUBLIC_KEY_SIZE = 64

_ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141  # of secp256k1 (SEC 2, section 2.4.1)
_WORD = 32


def address_of(public_key: bytes) -> bytes:
    """Return the 20-byte address of an uncompressed public key of 64 bytes."""
    return keccak256(public_key)[-ADDRESS_SIZE:]


def sender(transaction: Transaction, public_key: bytes, where: str) -> bytes:
    """Return the address that signed `transaction`, if `public_key` (x and y, 64 bytes) is its key, else `FormatError`.

    Two keys fit r and s; the parity of R's y tells which one Ethereum recovers, Q = (s R - z G) / r (SEC 1, section
    4.1.6, z being the hash). A verification with R in the place of the public key computes just that point:

    1. r and s are in range, s in its lower half (EIP-2).
    2. The signature (r, s) over z is of the key: it is one of the two.
    3. With R as the key, (x, x r / s) is a signature over -x z / s, where x is that of the key: it is the one.

    Raises:
        AnchorError: This machine's OpenSSL has no secp256k1.
    """
    r, s, z = transaction.r, transaction.s, int.from_bytes(transaction.signing_hash, "big")
    # 1.
    if not (0 < r < _ORDER and 0 < s <= _ORDER // 2):
        raise FormatError(where, "a signature out of range, or with its s in the upper half")
    x, scale = int.from_bytes(public_key[:_WORD], "big") % _ORDER, pow(s, -1, _ORDER)
    try:
        # 2.
        _verify(b"\x04" + public_key, z, r, s)
        # 3.
        _verify(bytes([2 + transaction.parity]) + r.to_bytes(_WORD, "big"), -x * z * scale % _ORDER, x, x * r * scale)
    except (InvalidSignature, ValueError) as error:
        raise FormatError(where, "the public key is not that of the signature") from error
    except UnsupportedAlgorithm as error:
        raise AnchorError("OpenSSL has no secp256k1 here", hint="The wheels of cryptography have one.") from error
    return address_of(public_key)


def _verify(point: bytes, message: int, r: int, s: int) -> None:
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256K1(), point)
    signature = encode_dss_signature(r, s % _ORDER)
    key.verify(signature, message.to_bytes(_WORD, "big"), ec.ECDSA(Prehashed(SHA256())))
