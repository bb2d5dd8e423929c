"""What was seen of ledgers: the only thing that tells a ledger put back, as a whole, to an earlier state.

Under `ledgers` in the caller's state folder, each file named by a SHA-256:

    paths/<of the path>           the verifier key of the ledger at that path, pinned when it was first read
    checkpoints/<of the key>      the largest checkpoint seen from that key, as the key signed it
    cosigned/<of the origin>      what a witness cosigned last of that origin (`witness.py`)

A path is remembered as it was named, made absolute, links not followed: a link that is turned to another ledger must
not look like a path never seen. A file that does not hold what belongs there is an error, never a clean slate.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path

from mltrust.anchors.ledger.checkpoint import SignedCheckpoint
from mltrust.anchors.ledger.log import Log
from mltrust.core.note import MAX_NOTE_BYTES, Signed, VerifierKey
from mltrust.core.report import AnchorState
from mltrust.disk import state
from mltrust.errors import AnchorError, ContradictionError, FormatError

_MAX_KEY_BYTES = 4096


class Memory:
    """The memory kept in a state folder; many processes may use it at once."""

    def __init__(self, state: Path, lock_timeout: float) -> None:
        self._root = state / "ledgers"
        self._lock_timeout = lock_timeout

    def pin_file(self, folder: Path) -> Path:
        """Return the file that remembers whose ledger is at `folder`; removing it forgets that on purpose."""
        return self._root / "paths" / sha256(os.fsencode(os.path.normpath(folder.absolute()))).hexdigest()

    def checkpoint_file(self, key: VerifierKey) -> Path:
        """Return the file that remembers the last checkpoint of `key`; removing it forgets that on purpose."""
        return self._root / "checkpoints" / sha256(str(key).encode()).hexdigest()

    def cosigned_folder(self) -> Path:
        """Return the folder where a witness remembers what it cosigned: see `witness`."""
        return self._root / "cosigned"

    def pinned(self, folder: Path) -> VerifierKey | None:
        """Return the key of the ledger that was seen at `folder`; None if none was."""
        file = self.pin_file(folder)
        data = state.read(file, _MAX_KEY_BYTES)
        try:
            return None if data is None else VerifierKey.parse(data.decode(), str(file))
        except (UnicodeDecodeError, FormatError) as error:
            raise _damaged(file) from error

    def last(self, key: VerifierKey) -> SignedCheckpoint | None:
        """Return the largest checkpoint seen of `key`; None if none was."""
        file = self.checkpoint_file(key)
        data = state.read(file, MAX_NOTE_BYTES)
        try:
            last = None if data is None else SignedCheckpoint.parse(data, str(file))
        except FormatError as error:
            raise _damaged(file) from error
        if last is not None and last.signed_by(key) is not Signed.VALID:
            raise _damaged(file)
        return last

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from changing the memory."""
        for folder in (self._root, self._root / "paths", self._root / "checkpoints", self.cosigned_folder()):
            state.make_folder(folder, parents=True)
        with state.locked(self._root / "lock", self._lock_timeout):
            yield

    def keep(self, log: Log) -> None:
        """Remember `log` as the ledger of its folder and, if larger than before, its checkpoint. Call it `locked`."""
        pinned, last = self.pinned(log.folder), self.last(log.key)
        refuse_other_key(log.key, pinned, self.pin_file(log.folder))
        if last is None or last.checkpoint.size < log.size:
            state.replace(self.checkpoint_file(log.key), log.signed.text.encode())
        if pinned is None:
            state.replace(self.pin_file(log.folder), str(log.key).encode())


def refuse_other_key(key: VerifierKey, pinned: VerifierKey | None, pin_file: Path) -> None:
    """Raise a `ContradictionError` if `key` is not the one that was pinned."""
    if pinned is not None and key != pinned:
        message = f"the ledger has the key {str(key)!a}, but {str(pinned)!a} was seen at this path before"
        hint = f"If it was replaced on purpose, forget the old one: remove '{pin_file}'."
        raise ContradictionError(message, state=AnchorState.UNKNOWN_KEY, hint=hint)


def refuse_rollback(log: Log, last: SignedCheckpoint | None, hint: str) -> None:
    """Raise a `ContradictionError` that holds both checkpoints if `log` does not begin with what `last` commits to."""
    if last is not None and not log.begins_with(last.checkpoint):
        raise contradiction(log, last, hint)


def contradiction(log: Log, last: SignedCheckpoint, hint: str) -> ContradictionError:
    """Return the error that `log` does not go with `last`, which its key signed too."""
    seen, found = last.checkpoint.size, log.size
    what = f"contradicts a checkpoint it signed at size {seen}"
    if seen > found:
        what = f"goes back behind a checkpoint it signed: from size {seen} to {found}"
    message = f"{log.folder}: the ledger {what}"
    return ContradictionError(message, state=AnchorState.ROLLBACK, hint=hint, evidence=(last.text, log.signed.text))


def _damaged(file: Path) -> AnchorError:
    hint = f"Restore it from a backup; or, to forget what was seen of that ledger, remove '{file}'."
    return AnchorError(f"{file}: what was remembered of a ledger is damaged", hint=hint)
