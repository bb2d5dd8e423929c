"""DSSE, the Dead Simple Signing Envelope (v1.0): what exactly is signed, and how signatures stand beside it.

Signed are never the bytes of a payload alone, but its pre-authentication encoding (PAE), which binds their type:

    "DSSEv1" SP LEN(type) SP type SP LEN(payload) SP payload        LEN in ASCII decimal, SP = 0x20

A key id is a hint which key to try, and proves nothing. Several signatures may stand side by side.
"""

import base64
import binascii
from collections.abc import Sequence
from typing import Annotated, ClassVar

from pydantic import Field

from mltrust.core import canonical
from mltrust.core.model import Document, SparseDocument
from mltrust.errors import FormatError

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAX_SIGNATURES = 64  # beside one payload; each may cost whoever checks it a try with every key
MAX_SIGNATURE = 65536  # characters of base64
MAX_KEYID = 4096


def pae(payload: bytes, payload_type: str = PAYLOAD_TYPE) -> bytes:
    """Return the pre-authentication encoding of `payload`: exactly what is signed."""
    kind = payload_type.encode("utf-8")
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


class Signature(SparseDocument):
    """One signature over the PAE of a payload: a hint at the key, base64, and what else it takes to check it.

    `verificationMaterial` is that of a Sigstore bundle (certificates, log entries, time stamps); keys need none.
    """

    spare: ClassVar[frozenset[str]] = frozenset({"verificationMaterial"})

    keyid: Annotated[str, Field(max_length=MAX_KEYID)]
    sig: Annotated[str, Field(max_length=MAX_SIGNATURE)]
    material: Annotated[dict[str, canonical.Json] | None, Field(alias="verificationMaterial")] = None

    @classmethod
    def of(cls, keyid: str, value: bytes, material: dict[str, canonical.Json] | None = None) -> "Signature":
        """Return the signature whose bytes are `value`."""
        return cls(keyid=keyid, sig=base64.b64encode(value).decode("ascii"), material=material)

    def value(self) -> bytes:
        """Return the bytes of the signature; `FormatError` if they are not spelled in base64, the one way there is."""
        return decoded(self.sig, "signature")


def together_signed(signatures: Sequence[Signature], more: Sequence[Signature]) -> tuple[Signature, ...]:
    """Return `signatures` with `more` added; one of a key that signed before takes the place of its older one.

    Those by certificates have no key that stays: each is kept.
    """
    new = {each.keyid for each in more if each.material is None}
    kept = (each for each in signatures if each.keyid not in new and each not in more)
    return (*kept, *more)


class Envelope(Document):
    """A DSSE envelope: a payload in base64, its type, and its signatures."""

    payload_type: Annotated[str, Field(alias="payloadType", max_length=4096)]
    payload: str
    signatures: Annotated[tuple[Signature, ...], Field(max_length=MAX_SIGNATURES)]

    @classmethod
    def around(cls, payload: bytes, signatures: Sequence[Signature]) -> "Envelope":
        """Put `payload`, an in-toto statement, into an envelope."""
        encoded = base64.b64encode(payload).decode("ascii")
        return cls(payload_type=PAYLOAD_TYPE, payload=encoded, signatures=tuple(signatures))


def decoded(text: str, where: str) -> bytes:
    """Return the bytes of canonical base64; `FormatError` names `where`."""
    try:
        raw = base64.b64decode(text.encode("ascii"), validate=True)
    except (UnicodeEncodeError, binascii.Error) as error:
        raise FormatError(where, f"{text[:80]!a} is not base64") from error
    if base64.b64encode(raw).decode("ascii") != text:
        raise FormatError(where, f"{text[:80]!a} is not the canonical base64 of its bytes")
    return raw
