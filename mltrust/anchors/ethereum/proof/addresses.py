"""Addresses as people write them: hexadecimal with the checksum of EIP-55."""

import re

from mltrust.anchors.ethereum.proof.keccak import keccak256
from mltrust.errors import UsageError

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_PRIVATE_KEY = re.compile(r"(?:0x)?[0-9a-fA-F]{64}")
_HIGH = 8


def parse_address(text: str, what: str) -> bytes:
    """Return the 20 bytes of an address; `UsageError` naming `what` if it is none, or its checksum is wrong (EIP-55).

    All digits in lower or all in upper case carry no checksum, and pass.
    """
    if not _ADDRESS.fullmatch(text):
        raise UsageError(f"{what}: {shown_word(text)} is no address", hint="Write 0x and 40 hexadecimal digits.")
    address = bytes.fromhex(text[2:])
    digits = text[2:]
    if digits not in (digits.lower(), digits.upper()) and text != checksummed(address):
        raise UsageError(f"{what}: {text} is mistyped: its checksum is wrong", hint="Copy it as a whole.")
    return address


def checksummed(address: bytes) -> str:
    """Write the 20 bytes of an address with the checksum of EIP-55."""
    digits = address.hex()
    marks = keccak256(digits.encode()).hex()
    return "0x" + "".join(
        digit.upper() if int(mark, 16) >= _HIGH else digit for digit, mark in zip(digits, marks, strict=False)
    )


def shown_word(text: str) -> str:
    """Quote what was given instead of something else; what may be a private key is never repeated."""
    return "a private key" if looks_like_a_key(text) else f"{text[:80]!a}"


def looks_like_a_key(text: str) -> bool:
    """Tell whether `text` may be a private key."""
    return _PRIVATE_KEY.fullmatch(text.strip()) is not None
