"""The ledger as an anchor: the folder, the signing key and the memory brought together.

A folder that was seen before is never taken for a new one: if its ledger is gone, or another stands there, that is an
error until somebody forgets the old one on purpose.
"""

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Self

from mltrust.anchors.ledger import log, tiles
from mltrust.anchors.ledger.checkpoint import SignedCheckpoint
from mltrust.anchors.ledger.entry import Entry, timestamp
from mltrust.anchors.ledger.evidence import KIND, prove, receipt_for
from mltrust.anchors.ledger.log import Log
from mltrust.anchors.ledger.memory import Memory, refuse_other_key, refuse_rollback
from mltrust.anchors.ledger.offline import LedgerKey, refused, verified
from mltrust.core.digest import Digest
from mltrust.core.note import Signer, VerifierKey
from mltrust.core.receipt import Receipt
from mltrust.core.report import AnchorState, Check
from mltrust.disk import keys, state
from mltrust.errors import AnchorError, ContradictionError, UsageError
from mltrust.interfaces import Anchor, Home, Settings, Submission

LOCK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class LedgerStatus:
    """What `LedgerAnchor.check` found: all of it is checked.

    `size` counts signed entries, `unsigned` the entries after them, `torn` the bytes after those; `remembered_size` is
    the size of the last checkpoint seen before, None if there was none. `root` is 32 bytes.
    """

    origin: str
    verifier_key: str
    size: int
    root: bytes
    unsigned: int
    torn: int
    remembered_size: int | None


class LedgerAnchor(Anchor):
    """A transparency log in a folder.

    Reading needs no right to write there, but remembers in `home.state` what it saw. The first digest published begins
    the ledger, with a signing key in `home.data`; a folder inside `home.data` is created with its parents.
    """

    scheme: ClassVar[str] = KIND

    def __init__(
        self,
        folder: Path,
        home: Home,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        random: Callable[[int], bytes] = secrets.token_bytes,
        lock_seconds: float = LOCK_SECONDS,
    ) -> None:
        self._folder = folder
        self._home = home
        self._clock = clock
        self._random = random
        self._lock_seconds = lock_seconds
        self._memory = Memory(home.state, lock_seconds)

    @property
    def name(self) -> str:
        """How the ledger is called in reports and messages: as its URI."""
        return f"{self.scheme}:{self._folder}"

    @classmethod
    def from_uri(cls, uri: str, home: Home, settings: Settings) -> Self:  # noqa: ARG003  # it knows none
        """Return the ledger that `ledger:PATH` names; a relative path counts from the working folder."""
        scheme, _, path = uri.partition(":")
        if scheme != cls.scheme or not path or "\0" in path:
            raise UsageError(f"{uri[:120]!a} names no ledger", hint="Write ledger:PATH, PATH being a folder.")
        return cls(Path(path), home)

    @classmethod
    def from_key(cls, key: str, settings: Settings) -> LedgerKey | None:
        """Return what confirms receipts offline by a ledger's verifier key; None if `key` is not one."""
        return LedgerKey.from_key(key, settings)

    def exists(self) -> bool:
        """Tell whether there is a ledger, sound or not."""
        return log.exists(self._folder)

    def publish(self, submissions: Sequence[Submission]) -> Sequence[Receipt]:
        """Publish SHA-256 digests in one append; return one receipt each, for an entry already there too.

        When it returns, the entries are durable and the new checkpoint is remembered. On an `AnchorError` they may
        have been published nevertheless; publishing them again is right and changes nothing then.

        Raises:
            UsageError: A digest is not SHA-256, or others can read the signing key.
            ContradictionError: The ledger contradicts itself or what was remembered of it, or is gone; nothing was
                written.
            AnchorError: The folder cannot be written, or the signing key is not kept here.
        """
        digests = [submission.digest for submission in submissions]
        for digest in digests:
            if digest.algorithm != "sha256":
                raise UsageError(f"a ledger takes SHA-256 digests, not {digest}")
        if not digests:
            return ()
        self._refuse_to_begin_again()
        state.make_folder(self._folder, parents=self._is_own())
        with state.locked(self._folder / log.LOCK, self._lock_seconds):
            published = self._append(digests)
        indices = published.indices(digests)
        return tuple(receipt_for(published, indices[digest]) for digest in digests)

    def confirm(self, receipt: Receipt, digest: Digest) -> Check:
        """Check that `receipt` proves `digest`, and that the ledger still stands by it.

        1-4. The receipt is right by itself, under the key of this ledger: see `evidence.prove`.
        5. The ledger is there and all of it is what its checkpoint says: see `log.read`.
        6. It begins with the largest checkpoint ever seen of it; the one it has now is remembered.
        7. It begins with what the receipt's checkpoint commits to.
        8. So the entry stands at its index.
        """
        try:
            # 1-4. The key that was pinned, or on first use the one the folder names.
            proven = prove(receipt, digest, self._key())
            # 5. and 6.
            ledger, _ = self._read()
            # 7.
            refuse_rollback(ledger, proven.checkpoint, "The receipt holds the evidence: keep it.")
            # 8.
            if ledger.line(proven.index) != proven.entry.format():
                raise ContradictionError("the ledger has another entry there", state=AnchorState.REPLACED)
        except AnchorError as error:
            return refused(self.name, error)
        return verified(self.name, proven, f"entry {proven.index} of {ledger.size} in the ledger")

    def find(self, submission: Submission) -> Sequence[Receipt]:
        """Return the receipt of the first signed entry for the digest, if there is one."""
        ledger, _ = self._read()
        index = ledger.indices([submission.digest]).get(submission.digest, ledger.size)
        return (receipt_for(ledger, index),) if index < ledger.size else ()

    def entries(self) -> Iterator[tuple[int, str, Digest]]:
        """Yield index, time and digest of every signed entry, in order, of a ledger found sound."""
        ledger, _ = self._read()
        return ((index, entry.time, entry.digest) for index, entry in enumerate(ledger.entries()))

    def check(self) -> LedgerStatus:
        """Check all of the ledger and compare it with what was remembered of it, as every reading does.

        Raises:
            ContradictionError: It contradicts itself or what was remembered.
            AnchorError: There is none, or it cannot be read, or not be remembered.
        """
        ledger, last = self._read()
        head = ledger.signed.checkpoint
        return LedgerStatus(
            origin=head.origin,
            verifier_key=str(ledger.key),
            size=head.size,
            root=head.root,
            unsigned=ledger.unsigned,
            torn=ledger.torn,
            remembered_size=None if last is None else last.checkpoint.size,
        )

    def checkpoint(self) -> str:
        """Return the signed checkpoint (a C2SP signed note) of a ledger found sound."""
        return self._read()[0].signed.text

    def verifier_key(self) -> str:
        """Return the verifier key of a ledger found sound: what others need to trust its receipts."""
        return str(self._read()[0].key)

    def export(self, destination: Path) -> None:
        """Write a ledger found sound as C2SP tlog-tiles into `destination`, a new or empty folder."""
        tiles.export(self._read()[0], destination)

    def _key(self) -> VerifierKey:
        pinned = self._memory.pinned(self._folder)
        if pinned is not None:
            return pinned
        key = log.verifier_key(self._folder)
        if not log.exists(self._folder):
            raise AnchorError(f"there is no ledger at {self._folder}", hint="Is the path right? Is the disk mounted?")
        if key is None:
            raise AnchorError(f"{self._folder}: nothing says whose ledger it is", hint="Trust it by its key.")
        return key

    def _read(self) -> tuple[Log, SignedCheckpoint | None]:
        # All of the ledger, checked against itself and against the memory, which it then enters; and what was
        # remembered before.
        key = self._key()
        self._refuse_other_ledger(key)
        ledger = log.read(self._folder, key)
        last = self._memory.last(key)
        if last == ledger.signed and self._memory.pinned(self._folder) == key:
            return ledger, last  # nothing new, so the memory need not be writable
        with self._memory.locked():
            last = self._memory.last(key)
            if last is not None and last.checkpoint.size > ledger.size:
                ledger = log.read(self._folder, key)  # it may have grown, and been seen by another, in the meantime
            refuse_rollback(ledger, last, f"Restore it. To forget: remove '{self._memory.checkpoint_file(key)}'.")
            self._memory.keep(ledger)
        return ledger, last

    def _refuse_other_ledger(self, key: VerifierKey) -> None:
        if not log.exists(self._folder):
            pin = self._memory.pin_file(self._folder)
            hint = f"Restore it, or mount its disk. To begin a new one on purpose, remove '{pin}'."
            raise ContradictionError(f"the ledger at {self._folder} is gone", state=AnchorState.REMOVED, hint=hint)
        found = log.verifier_key(self._folder)
        if found is not None:
            refuse_other_key(found, key, self._memory.pin_file(self._folder))

    def _append(self, digests: Sequence[Digest]) -> Log:
        if not log.exists(self._folder):
            self._refuse_to_begin_again()
            log.begin(self._folder, self._new_signer())
        ledger, _ = self._read()
        known = ledger.indices(digests)
        new = [digest for digest in dict.fromkeys(digests) if digest not in known]
        if not new and not ledger.unsigned:
            state.sync_folder(self._folder)  # whoever wrote the checkpoint may have died before this
            return ledger
        ledger = log.append(ledger, [Entry(digest, self._time(ledger)) for digest in new], self._signer(ledger.key))
        with self._memory.locked():
            self._memory.keep(ledger)
        return ledger

    def _time(self, ledger: Log) -> str:
        # Times never run backwards in a ledger, even where the clock does.
        now = timestamp(self._clock())
        size = ledger.tree.size
        return max(now, Entry.parse(ledger.line(size - 1), log.ENTRIES).time) if size else now

    def _refuse_to_begin_again(self) -> None:
        pinned = self._memory.pinned(self._folder)
        if pinned is not None:
            self._refuse_other_ledger(pinned)

    def _new_signer(self) -> Signer:
        # A crash may have left a key without its first checkpoint: it is taken up again, unless it ever signed.
        key = log.verifier_key(self._folder)
        if key is None:
            make = keys.own if self._is_own() else keys.create
            return make(self._home.data, self._random)
        if self._memory.last(key) is not None or keys.load(self._home.data, key.name) is None:
            message = f"{self._folder} names a ledger whose entries are gone"
            raise ContradictionError(message, state=AnchorState.REMOVED, hint="Restore them, or name another folder.")
        return self._signer(key)

    def _is_own(self) -> bool:
        return self._home.data in self._folder.parents

    def _signer(self, key: VerifierKey) -> Signer:
        signer = keys.load(self._home.data, key.name)
        if signer is None or signer.verifier_key != key:
            file = keys.path(self._home.data, key.name)
            hint = f"Publish where the ledger was begun, or bring its key to '{file}'."
            raise AnchorError(f"the signing key of the ledger at {self._folder} is not kept here", hint=hint)
        return signer
