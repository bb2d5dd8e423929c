"""Checkpoints, as C2SP tlog-checkpoint (c2sp.org/tlog-checkpoint) defines them: what a log commits to, signed.

The text of the note is three lines: the origin, which names the log; the size, in decimal digits without leading
zeros; the RFC 9162 root, in base64. Extension lines, which the specification allows and advises against, are refused:
nobody who monitors a log could check them. The log's key has the origin for its name.
"""

import base64
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from mltrust.core.digest import DIGEST_SIZE
from mltrust.core.note import Note, NoteSignature, Signed, Signer, VerifierKey
from mltrust.errors import FormatError

_TEXT = re.compile(r"([^\n]+)\n(0|[1-9][0-9]{0,19})\n([A-Za-z0-9+/]{43}=)\n")
_MAX_SIZE = 2**64 - 1


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The head of a log: its origin, the number of its entries, and their RFC 9162 root of 32 bytes."""

    origin: str
    size: int
    root: bytes

    def format(self) -> str:
        """Write the text of the checkpoint."""
        return f"{self.origin}\n{self.size}\n{base64.b64encode(self.root).decode()}\n"

    @classmethod
    def parse(cls, text: str, where: str) -> Self:
        """Parse the text of a checkpoint; every surprise is a `FormatError` that names `where`."""
        found = _TEXT.fullmatch(text)
        if not found:
            raise FormatError(where, "not a checkpoint: expected an origin, a size and a root, one line each")
        checkpoint = cls(found[1], int(found[2]), base64.b64decode(found[3]))
        if checkpoint.size > _MAX_SIZE or len(checkpoint.root) != DIGEST_SIZE or checkpoint.format() != text:
            raise FormatError(where, f"{text[-80:]!a} is not the one spelling of a checkpoint")
        return checkpoint

    def sign(self, signer: Signer) -> "SignedCheckpoint":
        """Sign the checkpoint as the log that `signer` is named after."""
        return SignedCheckpoint(self, signer.sign(self.format()))


@dataclass(frozen=True, slots=True)
class SignedCheckpoint:
    """A checkpoint and the note it came in, which is the evidence for it."""

    checkpoint: Checkpoint
    note: Note

    @property
    def text(self) -> str:
        """The signed note, as it is written to files and receipts."""
        return self.note.format()

    @classmethod
    def parse(cls, data: bytes, where: str) -> Self:
        """Parse a signed checkpoint strictly (`FormatError`). It verifies no signature: ask `signed_by`."""
        note = Note.parse(data, where)
        return cls(Checkpoint.parse(note.text, where), note)

    def signed_by(self, key: VerifierKey) -> Signed:
        """Tell what `key`, as the key of a log, says of this checkpoint; one of another origin is UNKNOWN to it."""
        return self.note.signed_by(key) if self.checkpoint.origin == key.name else Signed.UNKNOWN

    def with_signatures(self, signatures: Iterable[NoteSignature]) -> "SignedCheckpoint":
        """Return the checkpoint with more signatures; see `Note.with_signatures`."""
        return SignedCheckpoint(self.checkpoint, self.note.with_signatures(signatures))
