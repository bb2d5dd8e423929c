"""The sockets of anchoring: anchors publish and confirm, a dialogue asks the user."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, Protocol, Self, runtime_checkable

from mltrust.core.digest import Digest
from mltrust.core.receipt import Receipt
from mltrust.core.report import Check
from mltrust.errors import UsageError
from mltrust.interfaces.settings import Settings


class Dialogue(Protocol):
    """Talks with whoever started the command; a plug has no other way to be heard or to ask."""

    def tell(self, message: str) -> None:
        """Say something worth knowing: what it will cost, what to run next."""

    def secret(self, prompt: str) -> str:
        """Ask for a password without showing it; raise `UsageError` where nobody can be asked."""

    def agree(self, question: str) -> bool:
        """Ask for consent before something that costs or cannot be undone; consent given in advance counts."""


class Mute:
    """A dialogue with nobody: it says nothing, knows no secret and agrees to nothing."""

    def tell(self, message: str) -> None:
        """Say nothing."""

    def secret(self, prompt: str) -> str:
        """Refuse: there is nobody to ask."""
        raise UsageError(f"nobody can be asked for {prompt}", hint="Name a password file, or run it on a terminal.")

    def agree(self, question: str) -> bool:  # noqa: ARG002  # the socket's
        """Agree to nothing."""
        return False


@dataclass(frozen=True)
class Home:
    """What a plug may use of the user's: folders to keep things in, and a voice. No plug looks for its own.

    `data` holds keys and the default ledger, `state` what was remembered of others (last checkpoints) and what is
    under way (journals).
    """

    data: Path
    state: Path
    dialogue: Dialogue = field(default_factory=Mute)


@dataclass(frozen=True, slots=True)
class Submission:
    """What an anchor is asked to publish or to find: a digest; and where the seal file with its statement is.

    Only anchors that stand beside files, as git does, look at `path`; `content` is the file as it will be written
    there, and only given to anchors whose receipts are not carried in it.
    """

    digest: Digest
    path: Path | None = None
    content: bytes | None = None


@runtime_checkable
class Anchor(Protocol):
    """Publishes digests where nobody can quietly change them, and says later what became of them.

    An anchor sees a digest, never an artifact. Nothing in a receipt chooses whom to ask or whom to trust. A plug
    inherits from this class: what has a body here is right for anchors without keys, settings or afterthoughts.
    """

    scheme: ClassVar[str]
    settings: ClassVar[frozenset[str]] = frozenset()
    """The names of the settings it understands; it is never given another."""
    carried: ClassVar[bool] = True
    """Whether receipts are written into the seal file. False where the anchor itself holds all evidence beside the
    file, which then stays as it is."""

    by_path: ClassVar[bool] = False
    """Whether what follows the scheme in its URIs is a path on this machine."""
    vouches: ClassVar[bool] = True
    """Whether it says whose a digest is. False where it says only since when: by itself that verifies nothing."""

    @property
    def name(self) -> str:
        """How the anchor is called in reports and messages."""

    @classmethod
    def from_uri(cls, uri: str, home: Home, settings: Settings) -> Self:
        """Return the anchor that `uri` (`scheme:rest`) names; raise `UsageError` if it or a setting makes no sense.

        It opens nothing: no file, no connection.
        """

    @classmethod
    def from_key(cls, key: str, settings: Settings) -> "Anchor | None":  # noqa: ARG003  # for those who have keys
        """Return an anchor that confirms receipts offline by a public key alone; None if `key` is not of its kind."""
        return None

    def publish(self, submissions: Sequence[Submission]) -> Sequence[Receipt]:
        """Publish durably, in one go; return one receipt each. Publishing again changes nothing."""

    def confirm(self, receipt: Receipt, digest: Digest) -> Check:
        """Check that `receipt` proves `digest` here.

        A mismatch is a failed check; being out of reach is `unavailable`; another's receipt is `unknown-key`.
        """

    def find(self, submission: Submission) -> Sequence[Receipt]:
        """Return receipts for the digest if it is published here; none if it is absent or cannot be looked up.

        A `ContradictionError` tells that the anchor contradicts itself or its past, any other `AnchorError` that it
        is out of reach.
        """

    def refresh(self, receipt: Receipt, digest: Digest) -> Receipt:  # noqa: ARG002  # for those whose receipts ripen
        """Return `receipt` as the anchor would give it today: final, rebuilt or witnessed; itself if nothing changed.

        Raises what `find` does, and `AnchorError` if the anchor no longer stands by it.
        """
        return receipt
