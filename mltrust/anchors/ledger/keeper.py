"""What the keeper of a ledger does: begin it, and append to it."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from mltrust.anchors.ledger import log
from mltrust.anchors.ledger.entry import Entry
from mltrust.anchors.ledger.log import Log
from mltrust.anchors.ledger.reading import Reading, Seen
from mltrust.core.digest import Digest
from mltrust.core.note import Signer, VerifierKey
from mltrust.core.receipt import timestamp
from mltrust.core.report import AnchorState
from mltrust.disk import keys, state
from mltrust.errors import AnchorError, ContradictionError


@dataclass(frozen=True)
class Keeper:
    """Whoever has the signing key, in the data folder `data`; or has none yet, and begins the ledger with a new one."""

    reading: Reading
    data: Path
    clock: Callable[[], datetime]
    random: Callable[[int], bytes]
    lock_seconds: float

    @property
    def is_own(self) -> bool:
        """Whether the ledger is the user's own: inside the data folder."""
        return self.data in self.reading.folder.parents

    def append(self, digests: Sequence[Digest]) -> Seen:
        """Append those of `digests` that are not there, beginning the ledger if need be; durable when it returns."""
        self.reading.refuse_to_begin_again()
        state.make_folder(self.reading.folder, parents=self.is_own)
        with state.locked(self.reading.folder / log.LOCK, self.lock_seconds):
            return self._append(digests)

    def _append(self, digests: Sequence[Digest]) -> Seen:
        folder = self.reading.folder
        if not log.exists(folder):
            self.reading.refuse_to_begin_again()
            log.begin(folder, self._new_signer())
        seen = self.reading.read()
        known = seen.log.indices(digests)
        new = [digest for digest in dict.fromkeys(digests) if digest not in known]
        if not new and not seen.log.unsigned:
            state.sync_folder(folder)  # whoever wrote the checkpoint may have died before this
            return seen
        entries = [Entry(digest, self._time(seen.log)) for digest in new]
        ledger = log.append(seen.log, entries, self._signer(seen.log.key))
        with self.reading.memory.locked():
            self.reading.memory.keep(ledger)
        return Seen(ledger, seen.before, seen.witnessed)

    def _time(self, ledger: Log) -> str:
        # Times never run backwards in a ledger, even where the clock does.
        now = timestamp(self.clock())
        size = ledger.tree.size
        return max(now, Entry.parse(ledger.line(size - 1), log.ENTRIES).time) if size else now

    def _new_signer(self) -> Signer:
        # A crash may have left a key without its first checkpoint: it is taken up again, unless it ever signed.
        folder = self.reading.folder
        key = log.verifier_key(folder)
        if key is None:
            make = keys.own if self.is_own else keys.create
            return make(self.data, self.random)
        if self.reading.memory.last(key) is not None or keys.load(self.data, key.name) is None:
            message = f"{folder} names a ledger whose entries are gone"
            raise ContradictionError(message, state=AnchorState.REMOVED, hint="Restore them, or name another folder.")
        return self._signer(key)

    def _signer(self, key: VerifierKey) -> Signer:
        signer = keys.load(self.data, key.name)
        if signer is None or signer.verifier_key != key:
            file = keys.path(self.data, key.name)
            hint = f"Publish where the ledger was begun, or bring its key to '{file}'."
            message = f"the signing key of the ledger at {self.reading.folder} is not kept here"
            raise AnchorError(message, hint=hint)
        return signer
