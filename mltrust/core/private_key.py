"""Private keys that sign statements: how they are read, made and written, and how they sign.

Read are PKCS #8 in PEM or DER, encrypted or not, the older PEM of OpenSSL for elliptic curves (SEC 1), and the private
key files of OpenSSH. A hybrid key is two blocks of PEM in one file, Ed25519 first, then ML-DSA-65.

Written is PKCS #8 in PEM. Encrypted, it is PBES2 (RFC 8018) with scrypt (RFC 7914; N = 2^14, r = 8, p = 5) and AES-256
in CBC mode, which OpenSSL reads: the library's own encryption stretches a password by 2048 rounds only.
"""

import base64
import binascii
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Any

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes
from cryptography.hazmat.primitives.kdf.scrypt import Scrypt
from cryptography.hazmat.primitives.padding import PKCS7
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_der_private_key,
    load_pem_private_key,
    load_ssh_private_key,
)

from mltrust.core.public_key import (
    DAMAGED,
    HYBRID,
    MAX_KEY_BYTES,
    NEEDS_ML_DSA,
    OPENSSH_KINDS,
    KeyPart,
    PublicKey,
    armored,
    ecdsa,
    part_of,
    pem_blocks,
    together,
)
from mltrust.errors import FormatError, UsageError

KINDS = ("ed25519", "p256", "ml-dsa-65", HYBRID)
"""The kinds that are made here; others are read."""
NEEDS_BCRYPT = "Install it: pip install 'mltrust[ssh]'"

_ML_DSA = bytes.fromhex("06096086480165030403")  # the object identifiers of its three sizes begin so
_SEED_ONLY = "Of an ML-DSA key the seed is read: openssl pkey -provparam ml-dsa.output_formats=seed-only"
_OPENSSH = b"OPENSSH PRIVATE KEY"
_LOG_N, _R, _P = 14, 8, 5
_SEQUENCE, _OBJECT, _OCTETS, _INTEGER = 0x30, 0x06, 0x04, 0x02
_PBES2 = bytes.fromhex("2a864886f70d01050d")  # 1.2.840.113549.1.5.13
_SCRYPT = bytes.fromhex("2b06010401da47040b")  # 1.3.6.1.4.1.11591.4.11
_AES_256_CBC = bytes.fromhex("60864801650304012a")  # 2.16.840.1.101.3.4.1.42


@dataclass(frozen=True)
class PrivatePart:
    """A private key and its public part."""

    public: KeyPart
    loaded: Any = field(repr=False)

    def sign(self, message: bytes) -> bytes:
        """Return the signature over `message`, as it is (a DSSE signature: over the PAE)."""
        if isinstance(self.loaded, ec.EllipticCurvePrivateKey):
            return self.loaded.sign(message, ecdsa(self.loaded.curve))
        signature: bytes = self.loaded.sign(message)
        return signature


@dataclass(frozen=True)
class PrivateKey:
    """What one signer signs with: a key, or the two of a hybrid one."""

    parts: tuple[PrivatePart, ...]

    @property
    def public(self) -> PublicKey:
        """The public key."""
        return PublicKey(tuple(part.public for part in self.parts))

    def to_pem(self, password: str | None, random: Callable[[int], bytes]) -> bytes:
        """Write the key as PKCS #8 in PEM, encrypted if there is a `password`; a hybrid one as two blocks."""
        return b"".join(_pem(part.loaded, password, random) for part in self.parts)


def generate(kind: str, random: Callable[[int], bytes]) -> PrivateKey:
    """Make a key of one of `KINDS` from `random` bytes, which must be fit for keys."""
    made = [_made(each, random) for each in (("ed25519", "ml-dsa-65") if kind == HYBRID else (kind,))]
    return _together(made, "the new key")


def _made(kind: str, random: Callable[[int], bytes]) -> object:
    if kind == "ed25519":
        return ed25519.Ed25519PrivateKey.from_private_bytes(random(32))
    if kind == "p256":  # FIPS 186-5, A.2.1: 64 bits more than the order has, so that its remainder is even
        curve = ec.SECP256R1()
        order = curve.group_order
        return ec.derive_private_key(1 + int.from_bytes(random(40)) % (order - 1), curve)
    if kind == "ml-dsa-65":
        try:
            from cryptography.hazmat.primitives.asymmetric.mldsa import MLDSA65PrivateKey

            return MLDSA65PrivateKey.from_seed_bytes(random(32))
        except (ImportError, UnsupportedAlgorithm) as error:
            raise UsageError("the installed cryptography library has no ML-DSA", hint=NEEDS_ML_DSA) from error
    raise UsageError(f"{ascii(kind)[:40]} is no kind of key", hint=f"There are: {', '.join(KINDS)}.")


def read_private_key(data: bytes, where: str, password: Callable[[], str]) -> PrivateKey:
    """Read a private key; `password` is asked once, and only for one that is encrypted.

    Raises:
        FormatError: It is not a private key, or damaged.
        UsageError: The password is wrong; it is a public key, or of a kind mltrust does not sign with, or that the
            installed library cannot use.
    """
    if len(data) > MAX_KEY_BYTES:
        raise FormatError(where, f"larger than {MAX_KEY_BYTES} bytes")
    refuse_public(data, where)
    blocks = pem_blocks(data, where)
    private = [(block, label) for block, label in blocks if label.endswith(b"PRIVATE KEY")]  # besides, EC PARAMETERS
    if blocks and not private:
        raise FormatError(where, "holds no private key")
    secret = cache(password)
    if not private:
        return _together([_loaded(load_der_private_key, data, where, secret)], where)
    loaders = [load_ssh_private_key if label == _OPENSSH else load_pem_private_key for _, label in private]
    return _together(
        [_loaded(load, block, where, secret) for load, (block, _) in zip(loaders, private, strict=True)], where
    )


def refuse_public(data: bytes, where: str) -> None:
    """Raise a `UsageError` if the data is a public key, in PEM or as OpenSSH has it; `FormatError` for half a file."""
    labels = [label for _, label in pem_blocks(data, where)]
    if any(label.endswith(b"PUBLIC KEY") for label in labels) or data.startswith(OPENSSH_KINDS):
        hint = "Name the private key: what mltrust made is called so without .pub."
        raise UsageError(f"{where}: a public key, where a private one is needed", hint=hint)


def unpanicked(load: Callable[..., object], data: bytes, password: bytes | None) -> object:
    """Load a private key by the library's `load`; where that panics, it is a `ValueError` as for all damaged keys."""
    try:
        return load(data, password)
    except BaseException as error:
        # The library's panics are no `Exception`, and have a type that cannot be imported; so does a short IV end.
        if type(error).__name__ != "PanicException":
            raise
        raise ValueError("the library cannot load it") from error


def _loaded(load: Callable[..., object], data: bytes, where: str, secret: Callable[[], str]) -> object:
    try:
        try:
            return unpanicked(load, data, None)
        except TypeError:  # it is encrypted
            given = secret().encode()
        try:
            return unpanicked(load, data, given)
        except DAMAGED as error:
            raise UsageError(f"{where}: the password is wrong, or the key is damaged") from error
    except UnsupportedAlgorithm as error:
        if "bcrypt" in str(error):
            raise UsageError(f"{where}: an encrypted OpenSSH key needs bcrypt", hint=NEEDS_BCRYPT) from error
        raise UsageError(f"{where}: the installed cryptography library knows no such key", hint=NEEDS_ML_DSA) from error
    except DAMAGED as error:
        hint = _SEED_ONLY if _ML_DSA in _der_of(data) else None
        raise FormatError(where, "not a private key in PEM, DER or OpenSSH form", hint=hint) from error


def _der_of(data: bytes) -> bytes:
    if not data.startswith(b"-----"):
        return data
    try:
        return base64.b64decode(b"".join(data.splitlines()[1:-1]))
    except binascii.Error:
        return b""


def _together(loaded: Sequence[Any], where: str) -> PrivateKey:
    for each in loaded:
        if not hasattr(each, "sign"):
            raise UsageError(f"{where}: a kind of key that does not sign")
    parts = tuple(PrivatePart(part_of(each.public_key(), where), each) for each in loaded)
    together([part.public for part in parts], where)
    return PrivateKey(parts)


def _pem(loaded: Any, password: str | None, random: Callable[[int], bytes]) -> bytes:  # noqa: ANN401  # of any kind
    plain: bytes = loaded.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    if password is None:
        return armored("PRIVATE KEY", plain)
    return armored("ENCRYPTED PRIVATE KEY", _encrypted(plain, password, random))


def _encrypted(plain: bytes, password: str, random: Callable[[int], bytes]) -> bytes:
    """Return an EncryptedPrivateKeyInfo (RFC 5958, section 3)."""
    salt, start = random(16), random(16)
    key = Scrypt(salt=salt, length=32, n=2**_LOG_N, r=_R, p=_P).derive(password.encode())
    padder = PKCS7(128).padder()
    encryptor = Cipher(algorithms.AES(key), modes.CBC(start)).encryptor()
    sealed = encryptor.update(padder.update(plain) + padder.finalize()) + encryptor.finalize()
    costs = b"".join(_der(_INTEGER, cost.to_bytes(cost.bit_length() // 8 + 1)) for cost in (2**_LOG_N, _R, _P))
    stretching = _algorithm(_SCRYPT, _der(_SEQUENCE, _der(_OCTETS, salt) + costs))
    scheme = _algorithm(_PBES2, _der(_SEQUENCE, stretching + _algorithm(_AES_256_CBC, _der(_OCTETS, start))))
    return _der(_SEQUENCE, scheme + _der(_OCTETS, sealed))


def _algorithm(identifier: bytes, parameters: bytes) -> bytes:
    return _der(_SEQUENCE, _der(_OBJECT, identifier) + parameters)


def _der(tag: int, content: bytes) -> bytes:
    size = len(content)
    if size < 0x80:  # noqa: PLR2004  # X.690, 8.1.3: a short length
        return bytes([tag, size]) + content
    length = size.to_bytes((size.bit_length() + 7) // 8)
    return bytes([tag, 0x80 | len(length)]) + length + content
