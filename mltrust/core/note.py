"""Signed notes, as C2SP signed-note 1.0 (c2sp.org/signed-note) defines them: text, and who signed it.

A note is UTF-8 without control characters (below U+0020) other than newline:

    <text: one or more lines, each ended by a newline; empty lines allowed>
    <an empty line: the last one of the note>
    — <key name> <base64(key id || signature)>       one line or more, each ended by a newline

The dash is U+2014. A key name is not empty and has neither Unicode spaces nor a plus. Base64 is the standard alphabet
with padding, in its one canonical spelling. A key id is the first four bytes of SHA-256(name || 0x0A || type || public
key). The type here is 0x01: Ed25519 (RFC 8032) over the text with its final newline, without the empty line.

A verifier key is written `<name>+<key id, 8 hex digits>+<base64(type || 32-byte public key)>`. A subclass of it with a
type of its own says what that type signs.

Signatures of unknown keys are ignored. Two things are refused beyond the specification, so that a note has one
spelling and bounded cost: a note above 64 KiB, and two signatures of one key.
"""

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from enum import Enum, auto
from typing import ClassVar, Self

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey

from mltrust.errors import FormatError

MAX_NOTE_BYTES = 64 * 1024

_PUBLIC_KEY_BYTES = 32
_ED25519 = bytes.fromhex("302a300506032b6570032100")  # what stands before the key in its SubjectPublicKeyInfo
_ID_BYTES = 4
_MAX_KEY_CHARS = 4096
_CONTROL = re.compile("[\x00-\x09\x0b-\x1f]")
_LOOKS_LIKE_A_KEY = re.compile(r"[^+\s]+\+[0-9a-f]{8}\+\S+")  # name+id+key
_NOT_IN_NAME = re.compile("[\x00-\x1f+\ud800-\udfff]")
_DASH = "— "


class Signed(Enum):
    """What a key says of a note."""

    VALID = auto()
    INVALID = auto()
    UNKNOWN = auto()


@dataclass(frozen=True, slots=True)
class VerifierKey:
    """An Ed25519 public key of 32 bytes under a name."""

    type: ClassVar[bytes] = b"\x01"
    called: ClassVar[str] = "an Ed25519 key"

    name: str
    public: bytes

    @property
    def id(self) -> bytes:
        """The key id: 4 bytes that tell keys of one name apart; it proves nothing."""
        return hashlib.sha256(self.name.encode() + b"\n" + self.type + self.public).digest()[:_ID_BYTES]

    @property
    def voice(self) -> str:
        """The id of the key as a signer's (`core.public_key`): one under whatever name, and for whatever it signs."""
        return f"sha256:{hashlib.sha256(_ED25519 + self.public).hexdigest()}"

    def __str__(self) -> str:
        return f"{self.name}+{self.id.hex()}+{base64.b64encode(self.type + self.public).decode()}"

    @classmethod
    def parse(cls, text: str, where: str) -> Self:
        """Parse a verifier key; every surprise is a `FormatError` that names `where`."""
        fields = text.split("+", 2) if len(text) <= _MAX_KEY_CHARS else []
        if len(fields) != 3:  # noqa: PLR2004  # name, id, key
            raise FormatError(where, f"{_quoted(text)} is not a verifier key, name+id+key")
        name, key_id, encoded = fields
        raw = _unbase64(encoded, where)
        if raw[:1] != cls.type or len(raw) != 1 + _PUBLIC_KEY_BYTES:
            raise FormatError(where, f"{_quoted(text)} is not {cls.called}")
        key = cls(_checked_name(name, where), raw[1:])
        if key_id != key.id.hex():
            raise FormatError(where, f"{_quoted(text)} has not the id of its key")
        return key

    def verifies(self, text: str, signature: bytes) -> bool:
        """Tell whether `signature` is this key's over `text`."""
        try:
            Ed25519PublicKey.from_public_bytes(self.public).verify(signature, text.encode())
        except (InvalidSignature, ValueError):
            return False
        return True


def looks_like_a_key(text: str) -> bool:
    """Tell whether a text reads as a verifier key, well-formed or not; no URI does."""
    return _LOOKS_LIKE_A_KEY.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class NoteSignature:
    """One signature line: the name and the 4-byte id of a key, and its signature."""

    name: str
    key_id: bytes
    value: bytes

    def format(self) -> str:
        """Write the signature line, with its newline."""
        return f"{_DASH}{self.name} {base64.b64encode(self.key_id + self.value).decode()}\n"

    @classmethod
    def parse(cls, line: str, where: str) -> Self:
        """Parse a signature line without its newline."""
        name, space, encoded = line.removeprefix(_DASH).partition(" ")
        if not line.startswith(_DASH) or not space:
            raise FormatError(where, f"{_quoted(line)} is not a signature line")
        raw = _unbase64(encoded, where)
        if len(raw) <= _ID_BYTES:
            raise FormatError(where, f"{_quoted(line)} has no signature")
        return cls(_checked_name(name, where), raw[:_ID_BYTES], raw[_ID_BYTES:])


@dataclass(frozen=True, slots=True)
class Note:
    """A text, which ends in a newline, and its signatures; `parse` of what `format` wrote gives the note back."""

    text: str
    signatures: tuple[NoteSignature, ...]

    def format(self) -> str:
        """Write the note."""
        return self.text + "\n" + "".join(signature.format() for signature in self.signatures)

    @classmethod
    def parse(cls, data: bytes, where: str) -> Self:
        """Parse a note strictly; every surprise is a `FormatError` that names `where`. It verifies nothing."""
        if len(data) > MAX_NOTE_BYTES:
            raise FormatError(where, f"larger than {MAX_NOTE_BYTES} bytes")
        try:
            body = data.decode("utf-8")
        except UnicodeDecodeError as error:
            raise FormatError(where, f"not UTF-8 at byte {error.start}") from error
        _check_text(body, where)
        text, blank, lines = body.rpartition("\n\n")
        if not blank or not text or not lines:
            raise FormatError(where, "not a signed note: no signature after an empty line")
        signatures = tuple(NoteSignature.parse(line, where) for line in lines[:-1].split("\n"))
        if len({(signature.name, signature.key_id) for signature in signatures}) != len(signatures):
            raise FormatError(where, "two signatures of one key")
        return cls(text + "\n", signatures)

    def signed_by(self, key: VerifierKey) -> Signed:
        """Tell what `key` says of this note. UNKNOWN if it did not sign: whoever did may be anybody."""
        signature = self.signature_of(key)
        if signature is None:
            return Signed.UNKNOWN
        return Signed.VALID if key.verifies(self.text, signature.value) else Signed.INVALID

    def signature_of(self, key: VerifierKey) -> NoteSignature | None:
        """Return the signature that bears the name and the id of `key`, verified or not; None if there is none."""
        mine = (key.name, key.id)
        return next((each for each in self.signatures if (each.name, each.key_id) == mine), None)

    def with_signatures(self, signatures: Iterable[NoteSignature]) -> Self:
        """Return the note with more signatures; one of a key that signed before takes the place of its older one."""
        kept = {(each.name, each.key_id): each for each in (*self.signatures, *signatures)}
        return replace(self, signatures=tuple(kept.values()))


@dataclass(frozen=True, slots=True)
class Signer:
    """An Ed25519 private key under a name."""

    name: str
    private: Ed25519PrivateKey

    @property
    def verifier_key(self) -> VerifierKey:
        """The public half."""
        return VerifierKey(self.name, self.private.public_key().public_bytes_raw())

    def sign(self, text: str) -> Note:
        """Sign `text`, which must be fit for a note (`FormatError`) and end in a newline."""
        _check_text(text, "note")
        _checked_name(self.name, "note")
        return Note(text, (NoteSignature(self.name, self.verifier_key.id, self.private.sign(text.encode())),))


def _check_text(text: str, where: str) -> None:
    if not text.endswith("\n"):
        raise FormatError(where, "does not end in a newline")
    if found := _CONTROL.search(text):
        hint = (
            "Line ends were changed; keep git from it with '* -text' in .gitattributes." if found[0] == "\r" else None
        )
        raise FormatError(where, f"control character {found[0]!a} at {found.start()}", hint=hint)


def _checked_name(name: str, where: str) -> str:
    if not name or _NOT_IN_NAME.search(name) or any(character.isspace() for character in name):
        raise FormatError(where, f"{_quoted(name)} is not a key name")
    return name


def _unbase64(text: str, where: str) -> bytes:
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise FormatError(where, f"{_quoted(text)} is not base64") from error
    if base64.b64encode(raw).decode() != text:
        raise FormatError(where, f"{_quoted(text)} is not the canonical base64 of its bytes")
    return raw


def _quoted(text: str) -> str:
    return ascii(text[:120])
