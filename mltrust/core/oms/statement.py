"""What an OpenSSF Model Signing bundle states: which files a model has, and a hash of each (OMS 1.0).

A bundle is a Sigstore bundle around a DSSE envelope, signed as a seal is; its payload is an in-toto statement with this
predicate. Its root is a hash over the hashes alone: it binds no names, which the signed predicate does.
"""

from collections.abc import Iterable
from hashlib import sha256
from typing import Annotated, ClassVar

from pydantic import ConfigDict, Field

from mltrust.core.model import SparseDocument
from mltrust.core.public_key import PublicKey

PREDICATE_TYPE = "https://model_signing/signature/v1.0"

GIT_PATHS = (".git", ".gitattributes", ".github", ".gitignore")
"""What OMS leaves out at the top of every model, signed or not (section 6.2)."""

MAX_RESOURCES = 1_000_000
MAX_IGNORED = 2**16
"""How many paths a bundle may say were left out."""

_Word = Annotated[str, Field(min_length=1, max_length=64)]
_Path = Annotated[str, Field(min_length=1, max_length=4096)]


class Serialization(SparseDocument):
    """How files became resources. What is one of `ignore_paths`, or lies below one, was left out.

    Keys that are not known here are passed over, as they are in all of the predicate (section 5.2.1).
    """

    model_config = ConfigDict(extra="ignore")
    spare: ClassVar[frozenset[str]] = frozenset({"ignore_paths", "shard_size"})

    method: _Word
    hash_type: _Word
    allow_symlinks: bool
    ignore_paths: tuple[_Path, ...] | None = None
    shard_size: Annotated[int, Field(ge=1)] | None = None


def root_of(digests: Iterable[bytes]) -> bytes:
    """Return the root digest (section 6.5.1): SHA-256 over the raw hashes of the resources, in the order they stand."""
    return sha256(b"".join(digests)).digest()


def key_hint(key: PublicKey) -> str:
    """Return how a bundle hints at the key that signed it: SHA-256 of its SubjectPublicKeyInfo as PEM text."""
    return sha256(key.to_pem()).hexdigest()
