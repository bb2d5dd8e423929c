"""The socket of exporting: a seal, said in a format that others read."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import ClassVar, Protocol

from mltrust.core.bundle import Bundle
from mltrust.core.digest import SHA256
from mltrust.errors import UsageError
from mltrust.interfaces.signing import Signer
from mltrust.statements.seal import read_seal


@dataclass(frozen=True)
class Sealing:
    """What is exported: a bundle, the name of its seal file, who signs what is made of it, and what was left out.

    `left_out` are the paths inside the artifact that the seal does not cover, files and folders, sorted, for formats
    that say them. `created` is when the document is made, for formats that must say so; None leaves that to receipts.
    """

    bundle: Bundle
    seal_name: str
    signers: Sequence[Signer] = ()
    left_out: Sequence[str] = ()
    created: datetime | None = None

    def sha256s(self) -> Sequence[bytes]:
        """Return the SHA-256 of each file, in the order of the manifest; `UsageError` where the seal says none."""
        manifest = self.bundle.manifest
        if manifest.has_sha256:
            return manifest.sha256s
        if read_seal(self.bundle.statement).suite == SHA256.name:
            found = [entry.leaf.digest for entry in manifest.entries]
            if all(found):
                return found
        raise UsageError("the seal says no SHA-256 of whole files", hint="Seal again with --with-sha256.")


class Exporter(Protocol):
    """Writes one format, a text in UTF-8. A plug inherits from this class.

    The same seal gives the same bytes, up to signatures.
    """

    name: ClassVar[str]
    ending: ClassVar[str]
    """What the names of its files end with."""
    needs_sha256: ClassVar[bool] = False
    """Whether it says the SHA-256 of whole files, which a seal has where it was made with it."""
    signs: ClassVar[bool] = False
    """Whether somebody has to sign what it writes."""
    dated: ClassVar[bool] = False
    """Whether it says when it was made."""
    says_left_out: ClassVar[bool] = False
    """Whether it says what the seal does not cover, which has to be looked for then."""

    def export(self, sealing: Sealing) -> bytes:
        """Return the document; `UsageError` where the seal lacks what it needs, or cannot be said in the format."""

    def check(self, signers: Sequence[Signer]) -> None:
        """Raise `UsageError` if none of `signers` can sign it: known before an artifact is read. It signs nothing."""

    def omitted(self, sealing: Sealing) -> Sequence[str]:  # noqa: ARG002  # most formats say all they can
        """Say in words what the seal covers, or who signed it, and the document does not."""
        return ()
