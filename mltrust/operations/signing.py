"""Sign a statement: each signer once, and nothing twice."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol, Self, TypeVar

from mltrust.core.dsse import MAX_SIGNATURES, Signature, pae
from mltrust.core.statement import Statement
from mltrust.errors import FormatError, UsageError
from mltrust.interfaces import Signer

if TYPE_CHECKING:
    from mltrust.core.public_key import KeyPart, PublicKey  # brings cryptography, which most commands do without


class _Stated(Protocol):
    """A statement and the signatures beside it: of a seal, or of an erasure."""

    @property
    def statement(self) -> Statement: ...
    @property
    def signatures(self) -> tuple[Signature, ...]: ...
    def with_signatures(self, signatures: Sequence[Signature]) -> Self: ...


_S = TypeVar("_S", bound=_Stated)


def prepare(signers: Sequence[Signer]) -> None:
    """Have `signers` open their keys: nobody should wait for a password while files are read, or after."""
    for signer in signers:
        signer.public_key()


def new_signatures(stated: _Stated, signers: Sequence[Signer]) -> list[Signature]:
    """Return the signatures of those of `signers` over the statement that have not signed it yet.

    A key has if for each of its parts a good signature is there; by a certificate each signing is a new one.

    Raises:
        UsageError: There would be too many; or a key is not there or not to be used.
        SigningError: Somebody did not sign.
    """
    payload = stated.statement.payload()
    made: list[Signature] = []
    for signer in signers:
        key = signer.public_key()
        if key is None or not _has_signed(key, payload, (*stated.signatures, *made)):
            made += signer.sign(payload)
    with_signatures(stated, made)
    return made


def with_signatures(stated: _S, signatures: Sequence[Signature]) -> _S:
    """Return what is stated with `signatures` added; `UsageError` if that are more than can stand beside it."""
    signed = stated.with_signatures(signatures)
    if len(signed.signatures) > MAX_SIGNATURES:
        raise UsageError(f"a seal has at most {MAX_SIGNATURES} signatures", hint="Remove some that nobody needs.")
    return signed


def _has_signed(key: "PublicKey", payload: bytes, signatures: Sequence[Signature]) -> bool:
    message = pae(payload)
    return all(any(_is_by(part, message, each) for each in signatures) for part in key.parts)


def _is_by(part: "KeyPart", message: bytes, signature: Signature) -> bool:
    from cryptography.exceptions import UnsupportedAlgorithm

    try:
        return signature.keyid == part.id and part.verifies(message, signature.value())
    except (FormatError, UnsupportedAlgorithm):  # not base64; or not to be checked here, as its signer will say
        return False
