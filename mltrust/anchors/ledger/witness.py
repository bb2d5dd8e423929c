"""What a witness does: check a ledger of somebody else, and sign what it is now.

Under `ledgers` in the state folder of the witness:

    cosigned/<SHA-256 of the origin>     the last checkpoint this witness cosigned of that origin, with its cosignature

It is kept apart from what is remembered of ledgers, since forgetting that on purpose must not let two cosignatures out
that contradict each other; and by origin, which is all that a cosignature names.
"""

from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from mltrust.anchors.ledger.checkpoint import SignedCheckpoint
from mltrust.anchors.ledger.cosignature import CosignerKey, cosign, time_of
from mltrust.anchors.ledger.log import Log
from mltrust.anchors.ledger.memory import Memory, contradiction
from mltrust.anchors.ledger.reading import Reading
from mltrust.anchors.ledger.witnessed import without_cosignatures
from mltrust.core.note import MAX_NOTE_BYTES, Signed, Signer
from mltrust.core.report import AnchorState
from mltrust.disk import state
from mltrust.errors import AnchorError, ContradictionError, FormatError

_ATTEMPTS = 10


class Witness:
    """Somebody who cosigns: a signer, the memory of what was seen and cosigned, and a clock in seconds since 1970."""

    def __init__(self, signer: Signer, memory: Memory, clock: Callable[[], int]) -> None:
        self._signer = signer
        self._key = CosignerKey.of(signer)
        self._memory = memory
        self._clock = clock

    def cosign(self, folder: Path) -> SignedCheckpoint:
        """Return the checkpoint of the ledger in `folder`, cosigned, in the steps that C2SP tlog-witness asks for.

        1. All of the ledger is read and checked, and that it begins with the largest checkpoint ever seen of its key.
        2. From here on nobody else may cosign or remember: what was read must still be the largest seen, else again.
        3. It begins with the last checkpoint cosigned of that origin, which the same key had signed.
        4. It is signed, at a time not before the last one.
        5. It is remembered durably.
        6. Only then is it handed out.

        Raises:
            ContradictionError: The ledger contradicts itself, or what was seen or cosigned before; nothing was signed.
            AnchorError: It cannot be read, or not be remembered.
        """
        reading = Reading(folder, self._memory)
        for _ in range(_ATTEMPTS):
            # 1.
            log = reading.read().log
            # 2.
            with self._memory.locked():
                last = self._memory.last(log.key)
                if last is not None and last.checkpoint == log.signed.checkpoint:
                    return self._cosigned(log)
        raise AnchorError(f"{folder}: the ledger grows faster than it is read", hint="Run it again in a quiet moment.")

    def _cosigned(self, log: Log) -> SignedCheckpoint:
        file = self._file(log)
        # 3.
        last = self._last(file, log)
        if last is not None and not log.begins_with(last.checkpoint):
            raise contradiction(log, last, f"{_NEVER} Ask the keeper, and show both checkpoints to others.")
        # 4.
        before = 0 if last is None else time_of(last, self._key) or 0
        signed = cosign(without_cosignatures(log.signed, log.key), self._signer, max(self._clock(), before))
        # 5.
        state.replace(file, signed.text.encode())
        # 6.
        return signed

    def _file(self, log: Log) -> Path:
        return self._memory.cosigned_folder() / sha256(log.signed.checkpoint.origin.encode()).hexdigest()

    def _last(self, file: Path, log: Log) -> SignedCheckpoint | None:
        data = state.read(file, MAX_NOTE_BYTES)
        if data is None:
            return None
        try:
            last = SignedCheckpoint.parse(data, str(file))
        except FormatError as error:
            raise _damaged(file) from error
        if time_of(last, self._key) is None:
            raise _damaged(file)
        if last.signed_by(log.key) is not Signed.VALID:
            message = f"{log.folder}: a ledger of this name, with another key, was cosigned before"
            raise ContradictionError(
                message, state=AnchorState.UNKNOWN_KEY, hint=_NEVER, evidence=(last.text, log.signed.text)
            )
        return last


_NEVER = "A witness never cosigns what contradicts what it cosigned before."


def _damaged(file: Path) -> AnchorError:
    hint = f"Restore '{file}' from a backup. A witness that forgot what it cosigned needs another key."
    return AnchorError(f"{file}: what this witness cosigned is damaged", hint=hint)
