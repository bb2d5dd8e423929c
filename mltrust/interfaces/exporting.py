"""The socket of exporting: a seal, said in a format that others read."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, Protocol

from mltrust.core.bundle import Bundle
from mltrust.interfaces.signing import Signer


@dataclass(frozen=True)
class Sealing:
    """What is exported: a bundle, the name of its seal file, who signs what is made of it, and what was left out.

    `left_out` are the paths inside the artifact that the seal does not cover, files and folders, sorted.
    """

    bundle: Bundle
    seal_name: str
    signers: Sequence[Signer] = ()
    left_out: Sequence[str] = ()


class Exporter(Protocol):
    """Writes one format. A plug inherits from this class; the same seal gives the same bytes, up to signatures."""

    name: ClassVar[str]
    ending: ClassVar[str]
    """What the names of its files end with."""
    needs_sha256: ClassVar[bool] = False
    """Whether it says the SHA-256 of whole files, which a seal has where it was made with it."""
    signs: ClassVar[bool] = False
    """Whether somebody has to sign what it writes."""

    def export(self, sealing: Sealing) -> bytes:
        """Return the document; `UsageError` where the seal lacks what it needs, or cannot be said in the format."""
