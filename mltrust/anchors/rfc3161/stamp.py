"""What a time-stamp response says (RFC 3161, section 2.4.2), read strictly and believed not at all.

`trust` makes it believable. The library it uses checks neither that the signer names its certificate (RFC 5816) nor
the versions and algorithms around the signature, and it rounds times down; so the response is read here as well.
"""

import hashlib
import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fractions import Fraction
from typing import Self

from mltrust.anchors.rfc3161 import der
from mltrust.anchors.rfc3161.der import Parts, Value, surprise
from mltrust.core.names import printable

MAX_RESPONSE_BYTES = 64 * 1024

_SIGNED_DATA = "1.2.840.113549.1.7.2"
_TST_INFO = "1.2.840.113549.1.9.16.1.4"
_SHA256 = "2.16.840.1.101.3.4.2.1"
_GRANTED = 0
_SIGNED_DATA_VERSION, _SIGNER_VERSION, _TST_VERSION = 3, 1, 1
_MAX_WORDS = 200
_MAX_ACCURACY = 86_400  # seconds; what knows the time no better is no clock
_TIME = re.compile(rb"(\d{14})(?:\.(\d{0,8}[1-9]))?Z")


@dataclass(frozen=True, slots=True)
class Signer:
    """What the signature says of itself: the certificate it names, by issuer and serial; algorithms; attributes."""

    issuer: bytes
    serial: int
    digest: str
    signature: str
    attributes: dict[str, Value]


@dataclass(frozen=True, slots=True)
class Info:
    """What is signed: `imprint` is a SHA-256, `time` is cut to seconds, `not_after` the latest it can have been."""

    policy: str
    imprint: bytes
    nonce: int | None
    time: datetime
    not_after: str


@dataclass(frozen=True, slots=True)
class Stamp:
    """A time stamp that was granted; `certificates` are DER, as they came: hints, from anybody."""

    response: bytes
    info: Info
    certificates: tuple[bytes, ...]
    signer: Signer

    @classmethod
    def parse(cls, response: bytes) -> Self:
        """Read a response of at most 64 KiB; any surprise is a `FormatError`."""
        if len(response) > MAX_RESPONSE_BYTES:
            raise surprise(f"{len(response)} bytes, at most {MAX_RESPONSE_BYTES} are read")
        fields = Value.parse(response).parts()
        _require_granted(fields.take(der.SEQUENCE))
        token = fields.take(der.SEQUENCE).parts()
        fields.end()
        _require_oid(token, _SIGNED_DATA)
        explicit = token.take(der.context(0)).parts()
        token.end()
        signed = explicit.take(der.SEQUENCE).parts()
        explicit.end()
        return cls._of(response, signed)

    @classmethod
    def _of(cls, response: bytes, signed: Parts) -> Self:
        _require_version(signed, _SIGNED_DATA_VERSION, "signed data")
        signed.take(der.SET)
        info = _info(_encapsulated(signed.take(der.SEQUENCE).parts()))
        certificates = signed.maybe(der.context(0))
        signed.maybe(der.context(1))  # revocation lists, which nobody here reads
        signers = signed.take(der.SET).elements(der.SEQUENCE)
        signed.end()
        if len(signers) != 1:
            raise surprise(f"{len(signers)} signatures, not one")
        hints = tuple(each.encoded for each in certificates.elements(der.SEQUENCE)) if certificates else ()
        return cls(response, info, hints, _signer(signers[0].parts()))

    def in_order(self) -> Self:
        """Return the response with its certificates in the order DER has for a set.

        CMS is BER (RFC 5652, section 5.1), so authorities send them in any order, which the library refuses. Nothing
        that is signed changes.
        """
        sent, ordered = b"".join(self.certificates), b"".join(sorted(self.certificates))
        if sent == ordered or self.response.count(sent) != 1:
            return self
        return self.parse(self.response.replace(sent, ordered))

    def certificate(self) -> bytes:
        """Return the one certificate that the signature names."""
        found = [each for each in self.certificates if _names(each) == (self.signer.issuer, self.signer.serial)]
        if len(found) != 1:
            raise surprise(f"{len(found)} certificates of its signer, not one")
        return found[0]


def imprint_of(digest: bytes) -> bytes:
    """Return the message imprint of a 32-byte digest: what is stamped are its bytes, hashed once more."""
    return hashlib.sha256(digest).digest()


def refusal(response: bytes) -> str | None:
    """Say why an authority refused, in its words, escaped; None if it did not, or if that cannot be read."""
    fields = Value.parse(response).parts().take(der.SEQUENCE).parts()
    status = fields.take(der.INTEGER).integer()
    text = fields.maybe(der.SEQUENCE)
    words = [each.content.decode("utf-8", "replace") for each in text.elements(der.UTF8_STRING)] if text else []
    said = printable(" ".join(words)[:_MAX_WORDS])
    return None if status == _GRANTED else f"status {status}" + (f", {said}" if said else "")


def _require_granted(status: Value) -> None:
    if status.parts().take(der.INTEGER).integer() != _GRANTED:
        raise surprise("it was not granted as asked for")


def _encapsulated(content: Parts) -> Parts:
    _require_oid(content, _TST_INFO)
    explicit = content.take(der.context(0)).parts()
    content.end()
    octets = explicit.take(der.OCTET_STRING)
    explicit.end()
    return Value.parse(octets.content).parts()


def _info(fields: Parts) -> Info:
    _require_version(fields, _TST_VERSION, "time stamp")
    policy = fields.take(der.OID).oid()
    imprint = _imprint(fields.take(der.SEQUENCE).parts())
    fields.take(der.INTEGER)
    text = fields.take(der.GENERALIZED_TIME).content
    accuracy = fields.maybe(der.SEQUENCE)
    fields.maybe(der.BOOLEAN)
    nonce = fields.maybe(der.INTEGER)
    fields.maybe(der.context(0))
    _require_nothing_critical(fields.maybe(der.context(1)))
    fields.end()
    time, latest = _times(text, _accuracy(accuracy))
    return Info(policy, imprint, nonce.integer() if nonce else None, time, latest)


def _imprint(fields: Parts) -> bytes:
    if fields.take(der.SEQUENCE).parts().take(der.OID).oid() != _SHA256:
        raise surprise("its imprint is not SHA-256")
    imprint = fields.take(der.OCTET_STRING).content
    fields.end()
    return imprint


def _accuracy(value: Value | None) -> Fraction:
    """Return how many seconds the clock may be off; none stated counts as none."""
    if value is None:
        return Fraction(0)
    fields = value.parts()
    tags = (der.INTEGER, der.context(0, constructed=False), der.context(1, constructed=False))
    numbers = [each.integer() if each else 0 for each in map(fields.maybe, tags)]
    fields.end()
    seconds = sum((Fraction(number, 1000**power) for power, number in enumerate(numbers)), Fraction(0))
    if min(numbers) < 0 or seconds > _MAX_ACCURACY:
        raise surprise("its accuracy is no number of seconds up to a day")
    return seconds


def _times(text: bytes, accuracy: Fraction) -> tuple[datetime, str]:
    """Return the time that is stated, cut to seconds, and the latest it may have been: rounded up, RFC 3339."""
    found = _TIME.fullmatch(text)
    if found is None:
        raise surprise("its time is not as RFC 3161 writes it")
    fraction = Fraction(int(found[2]), 10 ** len(found[2])) if found[2] else Fraction(0)
    try:
        time = datetime.strptime(found[1].decode(), "%Y%m%d%H%M%S").replace(tzinfo=UTC)
        latest = time + timedelta(seconds=-(-(fraction + accuracy) // 1))
    except (ValueError, OverflowError) as error:
        raise surprise("its time is none") from error
    return time, latest.isoformat().replace("+00:00", "Z")


def _require_nothing_critical(extensions: Value | None) -> None:
    for extension in extensions.elements(der.SEQUENCE) if extensions else ():
        fields = extension.parts()
        fields.take(der.OID)
        if fields.maybe(der.BOOLEAN):
            raise surprise("a critical extension that is not known here")


def _signer(fields: Parts) -> Signer:
    _require_version(fields, _SIGNER_VERSION, "signature")
    named = fields.take(der.SEQUENCE).parts()
    issuer, serial = named.take(der.SEQUENCE).encoded, named.take(der.INTEGER).integer()
    named.end()
    digest = fields.take(der.SEQUENCE).parts().take(der.OID).oid()
    attributes = _attributes(fields.take(der.context(0)))
    signature = fields.take(der.SEQUENCE).parts().take(der.OID).oid()
    fields.take(der.OCTET_STRING)
    fields.maybe(der.context(1))
    fields.end()
    return Signer(issuer, serial, digest, signature, attributes)


def _attributes(value: Value) -> dict[str, Value]:
    """Return the one value of each signed attribute (RFC 5652, section 5.3)."""
    found: dict[str, Value] = {}
    for attribute in value.elements(der.SEQUENCE):
        fields = attribute.parts()
        name = fields.take(der.OID).oid()
        values = Value.parse(fields.take(der.SET).content)
        fields.end()
        if found.setdefault(name, values) is not values:
            raise surprise(f"attribute {name} twice")
    return found


def _names(certificate: bytes) -> tuple[bytes, int]:
    """Return issuer and serial of a certificate (RFC 5280, section 4.1)."""
    fields = Value.parse(certificate).parts().take(der.SEQUENCE).parts()
    fields.maybe(der.context(0))
    serial = fields.take(der.INTEGER).integer()
    fields.take(der.SEQUENCE)
    return fields.take(der.SEQUENCE).encoded, serial


def _require_oid(fields: Parts, oid: str) -> None:
    if fields.take(der.OID).oid() != oid:
        raise surprise(f"it is not of type {oid}")


def _require_version(fields: Parts, version: int, what: str) -> None:
    if fields.take(der.INTEGER).integer() != version:
        raise surprise(f"{what} of an unknown version")
