"""Reading a ledger: the folder and the memory of it brought together, by everybody who looks at it.

A folder that was seen before is never taken for a new one: if its ledger is gone, or another stands there, that is an
error until somebody forgets the old one on purpose.
"""

from dataclasses import dataclass
from pathlib import Path

from mltrust.anchors.ledger import log, witnessed
from mltrust.anchors.ledger.checkpoint import SignedCheckpoint
from mltrust.anchors.ledger.log import Log
from mltrust.anchors.ledger.memory import Memory, contradiction, refuse_other_key, refuse_rollback
from mltrust.core.note import VerifierKey
from mltrust.core.report import AnchorState
from mltrust.errors import AnchorError, ContradictionError


@dataclass(frozen=True, slots=True)
class Seen:
    """What one reading found, all of it checked.

    `before` is what was remembered until then; `witnessed` are the cosigned checkpoints, from small to large, all of
    which the ledger holds.
    """

    log: Log
    before: SignedCheckpoint | None
    witnessed: tuple[SignedCheckpoint, ...]

    @property
    def head(self) -> SignedCheckpoint:
        """The checkpoint of the log, with what witnesses cosigned of it."""
        text = self.log.signed.note.text
        return next((each for each in self.witnessed if each.note.text == text), self.log.signed)

    def covering(self, index: int) -> list[SignedCheckpoint]:
        """Return the checkpoints with which the log begins that cover the entry at `index`; the head is among them."""
        known = (*self.witnessed, self.head)
        return [each for each in known if index < each.checkpoint.size <= self.log.size]


class Reading:
    """A ledger's folder, and what this user remembers of it."""

    def __init__(self, folder: Path, memory: Memory) -> None:
        self.folder = folder
        self.memory = memory

    def key(self) -> VerifierKey:
        """Return the key that was pinned, or on first use the one the folder names."""
        pinned = self.memory.pinned(self.folder)
        if pinned is not None:
            return pinned
        key = log.verifier_key(self.folder)
        if not log.exists(self.folder):
            raise AnchorError(f"there is no ledger at {self.folder}", hint="Is the path right? Is the disk mounted?")
        if key is None:
            raise AnchorError(f"{self.folder}: nothing says whose ledger it is", hint="Trust it by its key.")
        return key

    def read(self) -> Seen:
        """Read all of it, checked against itself and against the memory, which it then enters.

        1. The key is the pinned one, if one was pinned, and the ledger at this path is of that key.
        2. What witnesses cosigned is read, before the log.
        3. The log is what its checkpoint says: see `log.read`.
        4. It holds all that the key signed for witnesses.
        5. It begins with the largest checkpoint ever seen of it; the one it has now is remembered.

        Raises:
            ContradictionError: It contradicts itself or what was remembered.
            AnchorError: There is none, or it cannot be read, or not be remembered.
        """
        # 1.
        key = self.key()
        self._refuse_other_ledger(key)
        # 2.
        cosigned = witnessed.read(self.folder, key)
        # 3.
        ledger = log.read(self.folder, key)
        # 4.
        for signed in cosigned:
            if not ledger.holds(signed.checkpoint):
                raise contradiction(ledger, signed, "A witness cosigned what is missing. Restore it from a backup.")
        # 5.
        ledger, before = self._remembered(ledger)
        return Seen(ledger, before, cosigned)

    def refuse_to_begin_again(self) -> None:
        """Raise a `ContradictionError` if a ledger was seen at this path and is not there any more."""
        pinned = self.memory.pinned(self.folder)
        if pinned is not None:
            self._refuse_other_ledger(pinned)

    def _remembered(self, ledger: Log) -> tuple[Log, SignedCheckpoint | None]:
        key = ledger.key
        last = self.memory.last(key)
        if last == ledger.signed and self.memory.pinned(self.folder) == key:
            return ledger, last  # nothing new, so the memory need not be writable
        with self.memory.locked():
            last = self.memory.last(key)
            if last is not None and last.checkpoint.size > ledger.size:
                ledger = log.read(self.folder, key)  # it may have grown, and been seen by another, in the meantime
            refuse_rollback(ledger, last, f"Restore it. To forget: remove '{self.memory.checkpoint_file(key)}'.")
            self.memory.keep(ledger)
        return ledger, last

    def _refuse_other_ledger(self, key: VerifierKey) -> None:
        if not log.exists(self.folder):
            pin = self.memory.pin_file(self.folder)
            hint = f"Restore it, or mount its disk. To begin a new one on purpose, remove '{pin}'."
            raise ContradictionError(f"the ledger at {self.folder} is gone", state=AnchorState.REMOVED, hint=hint)
        found = log.verifier_key(self.folder)
        if found is not None:
            refuse_other_key(found, key, self.memory.pin_file(self.folder))
