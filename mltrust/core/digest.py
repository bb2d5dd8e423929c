"""Digests and suites: which hash names content, and which name that choice has."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, Self

from blake3 import blake3

from mltrust.errors import FormatError, UsageError

DIGEST_SIZE = 32


class Hasher(Protocol):
    """An incremental hash with a 32-byte result."""

    def update(self, data: bytes | bytearray | memoryview, /) -> object:
        """Absorb `data`."""

    def digest(self) -> bytes:
        """Return the 32-byte digest of all that was absorbed."""


@dataclass(frozen=True, slots=True)
class Digest:
    """A digest that carries the name of its algorithm, written `algorithm:hex`."""

    algorithm: str
    value: bytes

    def __str__(self) -> str:
        return f"{self.algorithm}:{self.value.hex()}"

    @property
    def hex(self) -> str:
        """The value as lower-case hexadecimal."""
        return self.value.hex()

    @classmethod
    def sha256(cls, data: bytes) -> Self:
        """Digest `data` with SHA-256."""
        return cls("sha256", hashlib.sha256(data).digest())

    @classmethod
    def parse(cls, text: str) -> Self:
        """Parse `sha256:<64 lower-case hex digits>`; anything else is a `FormatError`."""
        algorithm, _, value = text.partition(":")
        if algorithm != "sha256":
            raise FormatError("digest", f"expected 'sha256:…', found {text[:80]!r}")
        return cls(algorithm, parse_hex(value, "digest"))


def parse_hex(text: str, where: str) -> bytes:
    """Parse exactly 32 bytes of lower-case hexadecimal, the only spelling of a hash in our documents."""
    if len(text) != 2 * DIGEST_SIZE or not set(text) <= set("0123456789abcdef"):
        raise FormatError(where, f"expected 64 lower-case hexadecimal digits, found {text[:80]!r}")
    return bytes.fromhex(text)


def parse_fingerprint(text: str, where: str) -> str:
    """Return the hexadecimal digits of a fingerprint, also as reports show it: `mltrust-1:...`."""
    suite, _, digits = text.rpartition(":")
    if suite:
        suite_named(suite)
    return parse_hex(digits, where).hex()


@dataclass(frozen=True, slots=True)
class Suite:
    """A closed choice of algorithms: `name` stands in every seal, `content` is the hash of file bytes.

    `new` starts a hash, `threaded` one that uses so many threads, `digest` returns the 32 bytes of what is in memory.
    Trees are RFC 9162 with SHA-256 in every suite. Agility is by whole suite only.
    """

    name: str
    content: str
    new: Callable[[], Hasher]
    threaded: Callable[[int], Hasher]
    digest: Callable[[bytes], bytes]


def _threaded_blake3(threads: int) -> Hasher:
    return blake3(max_threads=threads)


def _plain_sha256(_threads: int) -> Hasher:
    return hashlib.sha256()


def _blake3_of(data: bytes) -> bytes:
    return blake3(data).digest()


def _sha256_of(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()


BLAKE3 = Suite("mltrust-1", "blake3", blake3, _threaded_blake3, _blake3_of)
SHA256 = Suite("mltrust-1-sha256", "sha256", hashlib.sha256, _plain_sha256, _sha256_of)
SUITES = {suite.name: suite for suite in (BLAKE3, SHA256)}


def suite_named(name: str) -> Suite:
    """Return the suite a document names; an unknown one is refused, never guessed."""
    if name not in SUITES:
        raise FormatError("suite", f"unknown suite {name[:80]!r}", hint="A newer mltrust may know it.")
    return SUITES[name]


def suite_for(content: str) -> Suite:
    """Return the suite whose content hash is `content` (`blake3` or `sha256`), as asked on a command line."""
    for suite in SUITES.values():
        if suite.content == content:
            return suite
    known = ", ".join(suite.content for suite in SUITES.values())
    raise UsageError(f"unknown suite {content!r}", hint=f"Choose one of: {known}.")
