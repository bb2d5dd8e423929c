"""Public keys that sign statements: how they are read, what they are called, and whether a signature is theirs.

| kind | signature | hash |
|---|---|---|
| `ed25519` | RFC 8032, 64 bytes | |
| `p256`, `p384`, `p521` | ECDSA in DER (FIPS 186-5) | SHA-256, SHA-384, SHA-512 |
| `ml-dsa-44`, `ml-dsa-65`, `ml-dsa-87` | FIPS 204 with an empty context: the PAE already says what is signed | |
| `hybrid` | two signatures: of an Ed25519 and of an ML-DSA-65 key | |

A key file holds one key in PEM or DER (SubjectPublicKeyInfo), or one line of OpenSSH; a hybrid one holds two blocks of
PEM, and both keys must have signed. The id of a key is the SHA-256 of its SubjectPublicKeyInfo in DER.
"""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_der_public_key,
    load_pem_public_key,
    load_ssh_public_key,
)

from mltrust.errors import FormatError, UsageError

MAX_KEY_BYTES = 64 * 1024
HYBRID = "hybrid"
_OF_HYBRID = ("ed25519", "ml-dsa-65")
_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\r?\n.*?\r?\n-----END \1-----", re.DOTALL)
_OPENSSH = (b"ssh-", b"ecdsa-sha2-", b"sk-")
_CURVES: dict[str, tuple[str, hashes.HashAlgorithm]] = {
    "secp256r1": ("p256", hashes.SHA256()),
    "secp384r1": ("p384", hashes.SHA384()),
    "secp521r1": ("p521", hashes.SHA512()),
}
NEEDS_ML_DSA = "Install cryptography 47 or newer, built with ML-DSA (OpenSSL 3.5, AWS-LC or BoringSSL)."


@dataclass(frozen=True)
class KeyPart:
    """One public key: its kind, and its SubjectPublicKeyInfo in DER."""

    kind: str
    der: bytes

    @cached_property
    def id(self) -> str:
        """The key id, `sha256:` and hexadecimal digits."""
        return f"sha256:{sha256(self.der).hexdigest()}"

    def verifies(self, message: bytes, signature: bytes) -> bool:
        """Tell whether `signature` is this key's over `message`, as it is (a DSSE signature: over the PAE)."""
        try:
            _verifier(load_der_public_key(self.der))(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True


@dataclass(frozen=True)
class PublicKey:
    """What one signer signs with: a key, or the two of a hybrid one, each of which must have signed."""

    parts: tuple[KeyPart, ...]

    @property
    def kind(self) -> str:
        """The kind of the key, or `hybrid`."""
        return self.parts[0].kind if len(self.parts) == 1 else HYBRID

    @property
    def ids(self) -> tuple[str, ...]:
        """The ids of its parts, by which its signatures are found and it is revoked."""
        return tuple(part.id for part in self.parts)

    @property
    def id(self) -> str:
        """What it is called by: the id of the key, or of the Ed25519 half of a hybrid one."""
        return self.parts[0].id

    def to_pem(self) -> bytes:
        """Write the key as SubjectPublicKeyInfo in PEM, a hybrid one as two blocks."""
        loaded = (load_der_public_key(part.der) for part in self.parts)
        return b"".join(key.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo) for key in loaded)


def part_of(public: Any, where: str) -> KeyPart:  # noqa: ANN401  # whatever cryptography loaded
    """Return the part a loaded public key is; `UsageError` if mltrust does not sign with its kind."""
    der: bytes = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return KeyPart(_kind(public, where), der)


def read_public_key(data: bytes, where: str) -> PublicKey:
    """Read a public key in PEM (two blocks: hybrid), DER or OpenSSH.

    Raises:
        FormatError: It is none of these, or damaged.
        UsageError: It is a key of a kind mltrust does not know, a private key, or one the installed library cannot use.
    """
    if len(data) > MAX_KEY_BYTES:
        raise FormatError(where, f"larger than {MAX_KEY_BYTES} bytes")
    blocks = list(_PEM.finditer(data))
    if any(b"PRIVATE KEY" in found[1] for found in blocks):
        raise UsageError(f"{where}: a private key, where a public one is needed", hint="mltrust key show prints it.")
    if blocks:
        loaded = [_loaded(load_pem_public_key, found[0], where) for found in blocks]
    elif data.startswith(_OPENSSH):
        loaded = [_loaded(load_ssh_public_key, data.strip(), where)]
    else:
        loaded = [_loaded(load_der_public_key, data, where)]
    return together([part_of(public, where) for public in loaded], where)


def together(parts: Sequence[KeyPart], where: str) -> PublicKey:
    """Return the key that `parts` are; two must be the Ed25519 and the ML-DSA-65 key of a hybrid one, in this order."""
    if len(parts) != 1 and tuple(part.kind for part in parts) != _OF_HYBRID:
        found = ", ".join(part.kind for part in parts)
        raise FormatError(where, f"holds {found}; one key is read, or the Ed25519 and ML-DSA-65 keys of a hybrid one")
    return PublicKey(tuple(parts))


def _loaded(load: Callable[[bytes], object], data: bytes, where: str) -> object:
    try:
        return load(data)
    except UnsupportedAlgorithm as error:
        raise UsageError(f"{where}: the installed cryptography library knows no such key", hint=NEEDS_ML_DSA) from error
    except (ValueError, TypeError) as error:
        raise FormatError(where, "not a public key in PEM, DER or OpenSSH form") from error


def _kind(public: object, where: str) -> str:
    if isinstance(public, ed25519.Ed25519PublicKey):
        return "ed25519"
    if isinstance(public, ec.EllipticCurvePublicKey) and public.curve.name in _CURVES:
        return _CURVES[public.curve.name][0]
    name = type(public).__name__  # no class to ask for where the library has no ML-DSA
    for size in ("44", "65", "87"):
        if name == f"MLDSA{size}PublicKey":
            return f"ml-dsa-{size}"
    raise UsageError(
        f"{where}: a kind of key mltrust does not sign with",
        hint="Use Ed25519, P-256, P-384, P-521, ML-DSA or hybrid: mltrust key generate.",
    )


def _verifier(public: Any) -> Callable[[bytes, bytes], None]:  # noqa: ANN401  # whatever cryptography loaded
    if isinstance(public, ec.EllipticCurvePublicKey):
        _, digest = _CURVES[public.curve.name]
        return lambda signature, message: public.verify(signature, message, ec.ECDSA(digest))
    verify: Callable[[bytes, bytes], None] = public.verify
    return verify
