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

import base64
import binascii
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from hashlib import sha256
from typing import Any

from cryptography.exceptions import InternalError, InvalidSignature, UnsupportedAlgorithm
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
DAMAGED = (ValueError, TypeError, NotImplementedError, InternalError)
"""What the library raises of a key that is none."""

_PEM = re.compile(rb"-----BEGIN ([A-Z0-9 ]+)-----\r?\n.*?\r?\n-----END \1-----", re.DOTALL)
_MAX_BLOCKS = 8
OPENSSH_KINDS = (b"ssh-", b"ecdsa-sha2-", b"sk-")
"""What a public key of OpenSSH begins with."""
_CURVES: dict[str, tuple[str, hashes.HashAlgorithm]] = {
    "secp256r1": ("p256", hashes.SHA256()),
    "secp384r1": ("p384", hashes.SHA384()),
    "secp521r1": ("p521", hashes.SHA512()),
}
CURVES = tuple(kind for kind, _ in _CURVES.values())
"""The kinds of keys on a NIST curve."""
_ML_DSA = tuple(  # kind, object identifier, size of the key
    (f"ml-dsa-{level}", bytes.fromhex(f"6086480165030403{last}"), size)
    for level, last, size in ((44, "11", 1312), (65, "12", 1952), (87, "13", 2592))
)
_P25519 = 2**255 - 19
# The second coordinates of the eight points of edwards25519 whose order divides 8.
_SMALL_ORDER = frozenset(
    {
        0,
        1,
        _P25519 - 1,
        2707385501144840649318225287225658788936804267575313519463743609750303402022,
        55188659117513257062467267217118295137698188065244968500265048394206261417927,
    }
)
NEEDS_ML_DSA = "Install cryptography 48 or newer: pip install 'cryptography>=48'"


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
        """Tell whether `signature` is this key's over `message`, as it is (a DSSE signature: over the PAE).

        Raises `UnsupportedAlgorithm` where the installed library knows no such key.
        """
        public = self._loaded()
        try:
            _verifier(public)(signature, message)
        except (InvalidSignature, ValueError):
            return False
        return True

    def _loaded(self) -> object:
        try:
            return load_der_public_key(self.der)
        except ValueError as error:  # how some versions of the library say that they do not know a kind of key
            raise UnsupportedAlgorithm(f"{self.kind}: {error}") from error


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
        return b"".join(armored("PUBLIC KEY", part.der) for part in self.parts)


def part_of(public: Any, where: str) -> KeyPart:  # noqa: ANN401  # whatever cryptography loaded
    """Return the part a loaded public key is; `UsageError` if mltrust does not sign with its kind."""
    der: bytes = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
    return KeyPart(_kind(public, where), der)


def read_public_key(data: bytes, where: str) -> PublicKey:
    """Read a public key in PEM (two blocks: hybrid), DER or OpenSSH.

    An ML-DSA key is also read where the installed library has none: whoever asks it to verify is told.

    Raises:
        FormatError: It is none of these, or damaged.
        UsageError: It is a key of a kind mltrust does not know, a private key, or one with which anybody can sign.
    """
    if len(data) > MAX_KEY_BYTES:
        raise FormatError(where, f"larger than {MAX_KEY_BYTES} bytes")
    blocks = pem_blocks(data, where)
    if any(b"PRIVATE KEY" in label for _, label in blocks):
        hint = "mltrust key show prints its public key."
        raise UsageError(f"{where}: a private key, where a public one is needed", hint=hint)
    if blocks:
        parts = [_read(load_pem_public_key, block, where) for block, _ in blocks]
    elif data.startswith(OPENSSH_KINDS):
        if len(data.split(b"\n")) > 1 + data.endswith(b"\n"):
            raise FormatError(where, "holds more than one line; of OpenSSH, one key is read")
        parts = [_read(load_ssh_public_key, data.strip(), where)]
    else:
        parts = [_read(load_der_public_key, data, where)]
    return together(parts, where)


def pem_blocks(data: bytes, where: str) -> list[tuple[bytes, bytes]]:
    """Return the blocks of PEM, each with its label; `FormatError` if one is cut short or there are many.

    Half a file is not read: what is left of a hybrid key would be another one.
    """
    begun = data.count(b"-----BEGIN ")
    blocks = [(found[0], found[1]) for found in _PEM.finditer(data)] if begun <= _MAX_BLOCKS else []
    if len(blocks) != begun:
        raise FormatError(where, f"{begun} blocks of PEM begin, and not all of them end, or they are too many")
    return blocks


def armored(label: str, der: bytes) -> bytes:
    """Return a block of PEM (RFC 7468)."""
    text = base64.b64encode(der).decode("ascii")
    lines = [text[start : start + 64] for start in range(0, len(text), 64)]
    return "\n".join([f"-----BEGIN {label}-----", *lines, f"-----END {label}-----", ""]).encode("ascii")


def together(parts: Sequence[KeyPart], where: str) -> PublicKey:
    """Return the key that `parts` are; two must be the Ed25519 and the ML-DSA-65 key of a hybrid one, in this order."""
    if len(parts) != 1 and tuple(part.kind for part in parts) != _OF_HYBRID:
        found = ", ".join(part.kind for part in parts)
        raise FormatError(where, f"holds {found}; one key is read, or the Ed25519 and ML-DSA-65 keys of a hybrid one")
    return PublicKey(tuple(parts))


def ecdsa(curve: ec.EllipticCurve) -> ec.ECDSA:
    """Return how keys on a curve sign: the hash is that of the curve's size."""
    return ec.ECDSA(_CURVES[curve.name][1])


def _read(load: Callable[[bytes], object], data: bytes, where: str) -> KeyPart:
    try:
        return part_of(load(data), where)
    except (UnsupportedAlgorithm, *DAMAGED) as error:
        if (unknown := _ml_dsa(data)) is not None:
            return unknown
        if isinstance(error, UnsupportedAlgorithm):
            what = f"{where}: the installed cryptography library knows no such key"
            raise UsageError(what, hint=NEEDS_ML_DSA) from error
        raise FormatError(where, "not a public key in PEM, DER or OpenSSH form") from error


def _ml_dsa(data: bytes) -> KeyPart | None:
    """Return the ML-DSA key in PEM or DER, of which there is one spelling (RFC 9881); None if it is none."""
    der = data
    if data.startswith(b"-----BEGIN PUBLIC KEY-----"):
        try:
            der = base64.b64decode(b"".join(data.split()[3:-3]), validate=True)  # between the words of the lines
        except binascii.Error:
            return None
    for kind, oid, size in _ML_DSA:
        bits = b"\x03\x82" + (size + 1).to_bytes(2, "big") + b"\x00"
        inner = b"\x30\x0b\x06\x09" + oid + bits
        if len(der) == 4 + len(inner) + size and der[4:].startswith(inner) and der == _sequence(der[4:]):
            return KeyPart(kind, der)
    return None


def _sequence(content: bytes) -> bytes:
    return b"\x30\x82" + len(content).to_bytes(2, "big") + content


def _kind(public: object, where: str) -> str:
    if isinstance(public, ed25519.Ed25519PublicKey):
        _refuse_small_order(public.public_bytes_raw(), where)
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


def _refuse_small_order(raw: bytes, where: str) -> None:
    """Refuse the points of small order: under them anybody can make signatures, some over every message."""
    if (int.from_bytes(raw, "little") & (2**255 - 1)) % _P25519 in _SMALL_ORDER:
        raise UsageError(f"{where}: a key of small order, with which anybody can sign", hint="Trust no such key.")


def _verifier(public: Any) -> Callable[[bytes, bytes], None]:  # noqa: ANN401  # whatever cryptography loaded
    if isinstance(public, ec.EllipticCurvePublicKey):
        return lambda signature, message: public.verify(signature, message, ecdsa(public.curve))
    verify: Callable[[bytes, bytes], None] = public.verify
    return verify
