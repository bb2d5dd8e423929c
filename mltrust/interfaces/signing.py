"""The sockets of signing: signers sign statements, verifiers tell whether somebody did."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, Protocol, Self, runtime_checkable

from mltrust.core.dsse import Signature
from mltrust.core.report import Check
from mltrust.interfaces.anchoring import Home
from mltrust.interfaces.settings import Settings

if TYPE_CHECKING:
    from mltrust.core.public_key import PublicKey  # brings cryptography, which most commands do without


@runtime_checkable
class Signer(Protocol):
    """Signs payloads as DSSE does. A plug inherits from this class.

    What it needs of the user (a password, a consent) it asks for by `home.dialogue`, when it signs.
    """

    scheme: ClassVar[str]
    settings: ClassVar[frozenset[str]] = frozenset()
    """The names of the settings it understands; it is never given another."""

    @property
    def name(self) -> str:
        """How the signer is called in messages."""

    @classmethod
    def from_uri(cls, uri: str, home: Home, settings: Settings) -> Self:
        """Return the signer that `uri` (`scheme:rest`) names; `UsageError` if it makes no sense. It opens nothing."""

    def public_key(self) -> "PublicKey | None":
        """Return the key its signatures are checked with; None where they bring a certificate instead."""

    def sign(self, payload: bytes) -> Sequence[Signature]:
        """Return signatures over the PAE of `payload`, an in-toto statement: one for each part of its key.

        Raises `UsageError` where the key is not there or not to be used, `SigningError` if signing did not work.
        """


class SignatureVerifier(Protocol):
    """Somebody whose signatures the caller trusts: a key, or an identity that certificates name."""

    @property
    def name(self) -> str:
        """How the caller called it, in reports."""

    @property
    def kinds(self) -> frozenset[str]:
        """The kinds of keys that must all have signed (`ed25519`, `ml-dsa-65`, `hybrid`, ...), or `sigstore`."""

    @property
    def ids(self) -> tuple[str, ...]:
        """By what it is revoked: ids of keys, or the identity."""

    def confirm(self, payload: bytes, signatures: Sequence[Signature]) -> Check:
        """Tell whether one of `signatures` is good, for each part of the key, over the PAE of `payload`.

        The check is of kind `signature`. It fails where there is none, or a false one; whatever cannot be checked here
        is unchecked, never a pass. Its `voice` is one for all ways to name the same signer.
        """
