"""Keccak-256 as Ethereum uses it: with the padding of the submission, not that of SHA-3 (FIPS 202)."""

from Crypto.Hash import keccak


def keccak256(data: bytes) -> bytes:
    """Hash `data` to 32 bytes."""
    return keccak.new(digest_bits=256, data=data).digest()
