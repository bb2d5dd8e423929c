"""The ledger as an anchor: the folder, the signing key, the memory and the witnesses brought together."""

import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import ClassVar, Self

from mltrust.anchors.ledger import anchored, log, tiles, witnessed
from mltrust.anchors.ledger.anchored import Anchored
from mltrust.anchors.ledger.checkpoint import SignedCheckpoint
from mltrust.anchors.ledger.cosignature import SETTINGS, CosignerKey, Witnesses
from mltrust.anchors.ledger.evidence import KIND, Proven, prove, receipt_for
from mltrust.anchors.ledger.keeper import Keeper
from mltrust.anchors.ledger.memory import Memory, contradiction, refuse_rollback
from mltrust.anchors.ledger.offline import LedgerKey, confirmed
from mltrust.anchors.ledger.reading import Reading, Seen
from mltrust.anchors.ledger.witness import Witness
from mltrust.core.digest import Digest
from mltrust.core.note import Signed
from mltrust.core.receipt import Receipt
from mltrust.core.report import AnchorState, Check
from mltrust.disk import keys
from mltrust.errors import AnchorError, ContradictionError, UsageError
from mltrust.interfaces import Anchor, Home, Settings, Submission

LOCK_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class LedgerStatus:
    """What `LedgerAnchor.check` found: all of it is checked.

    `size` counts signed entries, `unsigned` the entries after them, `torn` the bytes after those; `remembered_size` is
    the size of the last checkpoint seen before, None if there was none; `witnessed_size` the size up to which enough of
    the witnesses that were named have cosigned, None if none was named. `root` is 32 bytes.
    """

    origin: str
    verifier_key: str
    size: int
    root: bytes
    unsigned: int
    torn: int
    remembered_size: int | None
    witnessed_size: int | None


class LedgerAnchor(Anchor):
    """A transparency log in a folder.

    Reading needs no right to write there, but remembers in `home.state` what it saw. The first digest published begins
    the ledger, with a signing key in `home.data`; a folder inside `home.data` is created with its parents. With
    `witnesses` an entry counts once enough of them cosigned a checkpoint that covers it.
    """

    scheme: ClassVar[str] = KIND
    by_path: ClassVar[bool] = True
    settings: ClassVar[frozenset[str]] = SETTINGS

    def __init__(
        self,
        folder: Path,
        home: Home,
        *,
        witnesses: Witnesses = Witnesses(),
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
        random: Callable[[int], bytes] = secrets.token_bytes,
        lock_seconds: float = LOCK_SECONDS,
    ) -> None:
        self.folder = folder
        self._home = home
        self._witnesses = witnesses
        self._clock = clock
        self._random = random
        self._lock_seconds = lock_seconds
        self._reading = Reading(folder, Memory(home.state, lock_seconds))
        self._keeper = Keeper(self._reading, home.data, clock, random, lock_seconds)

    @property
    def name(self) -> str:
        """How the ledger is called in reports and messages: as its URI."""
        return f"{self.scheme}:{self.folder}"

    @classmethod
    def from_uri(cls, uri: str, home: Home, settings: Settings) -> Self:
        """Return the ledger that `ledger:PATH` names; a relative path counts from the working folder.

        The settings are `witnesses`, a list of their keys, and `at_least`, how many must have cosigned (all).
        """
        scheme, _, path = uri.partition(":")
        if scheme != cls.scheme or not path or "\0" in path:
            raise UsageError(f"{uri[:120]!a} names no ledger", hint="Write ledger:PATH, PATH being a folder.")
        return cls(Path(path), home, witnesses=Witnesses.of(settings))

    @classmethod
    def from_key(cls, key: str, settings: Settings) -> LedgerKey | None:
        """Return what confirms receipts offline by a ledger's verifier key; None if `key` is not one."""
        return LedgerKey.from_key(key, settings)

    def exists(self) -> bool:
        """Tell whether there is a ledger, sound or not."""
        return log.exists(self.folder)

    def begun(self) -> bool:
        """Tell whether there is a ledger, or was one when this folder was last seen."""
        return self.exists() or self._reading.memory.pinned(self.folder) is not None

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
        published = self._keeper.append(digests)
        indices = published.log.indices(digests)
        return tuple(self._receipt(published, indices[digest]) for digest in digests)

    def confirm(self, receipt: Receipt, digest: Digest) -> Check:
        """Check that `receipt` proves `digest`, and that the ledger still stands by it.

        1-4. The receipt is right by itself, under the key of this ledger: see `evidence.prove`.
        5. The ledger is there, all of it is what its checkpoint says, and it goes with what was ever seen of it: see
           `Reading.read`. It begins with what the receipt's checkpoint commits to, so the entry stands at its index.
        6. Enough witnesses cosigned the receipt's checkpoint, or one of this ledger that covers the entry.
        """
        try:
            # 1-4. The key that was pinned, or on first use the one the folder names.
            proven = prove(receipt, digest, self._reading.key())
            self._witnesses.refuse_false(proven.checkpoint)
            # 5.
            seen = self._standing_by(proven)
        except AnchorError as error:
            return Check.of_trouble(self.name, error)
        # 6.
        covering = [proven.checkpoint, *seen.covering(proven.index)]
        where = f"entry {proven.index} of {seen.log.size} in the ledger"
        level = "own-ledger" if self._keeper.is_own else "ledger"
        return confirmed(self.name, proven, (where, level), self._witnesses, covering)

    def find(self, submission: Submission) -> Sequence[Receipt]:
        """Return the receipt of the first signed entry for the digest, if there is one."""
        seen = self._reading.read()
        index = seen.log.indices([submission.digest]).get(submission.digest, seen.log.size)
        return (self._receipt(seen, index),) if index < seen.log.size else ()

    def refresh(self, receipt: Receipt, digest: Digest) -> Receipt:
        """Return the receipt with a checkpoint that more witnesses cosigned, if there is one now."""
        proven = prove(receipt, digest, self._reading.key())
        seen = self._standing_by(proven)
        best = self._best(seen, proven.index)
        if self._witnesses.voices(best) <= self._witnesses.voices(proven.checkpoint):
            return receipt
        return receipt_for(seen.log, proven.index, best)

    def entries(self) -> Iterator[tuple[int, str, Digest]]:
        """Yield index, time and digest of every signed entry, in order, of a ledger found sound."""
        ledger = self._reading.read().log
        return ((index, entry.time, entry.digest) for index, entry in enumerate(ledger.entries()))

    def check(self) -> LedgerStatus:
        """Check all of the ledger and compare it with what was remembered of it, as every reading does.

        Raises:
            ContradictionError: It contradicts itself or what was remembered.
            AnchorError: There is none, or it cannot be read, or not be remembered.
        """
        seen = self._reading.read()
        head = seen.log.signed.checkpoint
        return LedgerStatus(
            origin=head.origin,
            verifier_key=str(seen.log.key),
            size=head.size,
            root=head.root,
            unsigned=seen.log.unsigned,
            torn=seen.log.torn,
            remembered_size=None if seen.before is None else seen.before.checkpoint.size,
            witnessed_size=self._witnesses.reach((*seen.witnessed, seen.head)),
        )

    def head(self) -> SignedCheckpoint:
        """Return the checkpoint of a ledger found sound, with the cosignatures it has."""
        return self._reading.read().head

    def checkpoint(self) -> str:
        """Return the checkpoint (a C2SP signed note) of a ledger found sound, with the cosignatures it has."""
        return self.head().text

    def verifier_key(self) -> str:
        """Return the verifier key of a ledger found sound: what others need to trust its receipts."""
        return str(self._reading.read().log.key)

    def export(self, destination: Path) -> None:
        """Write a ledger found sound as C2SP tlog-tiles into `destination`, a new or empty folder."""
        seen = self._reading.read()
        tiles.export(seen.log, seen.head, destination)

    def cosigner_key(self) -> CosignerKey:
        """Return the key under which this user cosigns ledgers of others, made on first use."""
        return CosignerKey.of(keys.witness(self._home.data, self._random))

    def cosign(self) -> SignedCheckpoint:
        """Return the checkpoint, cosigned as its witness; see `Witness.cosign`. The folder is only read."""
        signer = keys.witness(self._home.data, self._random)
        memory = self._reading.memory
        return Witness(signer, memory, lambda: int(self._clock().timestamp())).cosign(self.folder)

    def keeps_key(self) -> bool:
        """Tell whether the signing key of the ledger is kept by this user, who is then no witness of it."""
        return keys.load(self._home.data, self._reading.key().name) is not None

    def take_in(self, signed: SignedCheckpoint, witnesses: Witnesses | None = None) -> Sequence[CosignerKey]:
        """Keep in the folder what `witnesses`, or else those that were named, cosigned; return which of them did.

        Raises:
            AnchorError: It is of another ledger, or none of the witnesses cosigned it; or the folder cannot be written.
            ContradictionError: The key of this ledger signed it, and the ledger does not hold it.
        """
        log = self._reading.read().log
        if signed.signed_by(log.key) is not Signed.VALID:
            raise AnchorError(f"not a checkpoint that {self.name} signed", hint="Name its ledger with --ledger.")
        if not log.holds(signed.checkpoint):
            raise contradiction(log, signed, "Somebody was shown another ledger. Keep both checkpoints: they prove it.")
        who = (witnesses or self._witnesses).who([signed])
        plain = witnessed.without_cosignatures(signed, log.key)
        for key in who:
            (line,) = [each for each in signed.note.signatures if (each.name, each.key_id) == (key.name, key.id)]
            witnessed.keep(self.folder, key, plain.with_signatures([line]), self._lock_seconds)
        if not who:
            raise AnchorError("none of the witnesses cosigned it", hint="Name its key with --witness.")
        return tuple(who)

    def keep_cosigned(self, signed: SignedCheckpoint) -> None:
        """Keep in the folder what `cosign` returned."""
        witnessed.keep(self.folder, self.cosigner_key(), signed, self._lock_seconds)

    def anchored(self, *others: bytes) -> Sequence[Anchored]:
        """Return the checkpoints that were published elsewhere, from large to small: those of the folder and `others`.

        Raises:
            ContradictionError: The ledger does not hold what one of them covers; or is not sound.
            FormatError: One is no such document.
            AnchorError: One is not signed by the key of this ledger, or cannot be read.
        """
        log = self._reading.read().log
        given = [Anchored.parse(data, self.folder, "anchored checkpoint") for data in others]
        found = [anchored.require(each, log) for each in (*given, *anchored.read(self.folder))]
        return sorted(found, key=lambda each: each.signed.checkpoint.size, reverse=True)

    def prepare_anchored(self) -> Anchored:
        """Return the current checkpoint with the receipts it has, ready to be published through another anchor."""
        head = self.head()
        if head.checkpoint.size == 0:
            raise AnchorError(f"{self.name} has no entries yet", hint="Publish something first.")
        same = [each for each in self.anchored() if each.signed.checkpoint == head.checkpoint]
        found = Anchored(head, same[0].receipts if same else (), self.folder)
        anchored.prepare(found, self._lock_seconds)
        return found

    def write_note(self, what: Anchored) -> bytes:
        """Write the checkpoint to the file beside which anchors stand that keep their receipts themselves."""
        return anchored.write_note(what, self._lock_seconds)

    def keep_anchored(self, what: Anchored, receipt: Receipt, instead_of: Receipt | None) -> None:
        """Keep the receipt of an anchored checkpoint in the folder, durably; `instead_of` is the one it replaces."""
        anchored.keep(what, receipt, instead_of, self._lock_seconds)

    def _standing_by(self, proven: Proven) -> Seen:
        seen = self._reading.read()
        refuse_rollback(seen.log, proven.checkpoint, "The receipt holds the evidence: keep it.")
        if seen.log.line(proven.index) != proven.entry.format():
            raise ContradictionError("the ledger has another entry there", state=AnchorState.REPLACED)
        return seen

    def _receipt(self, seen: Seen, index: int) -> Receipt:
        return receipt_for(seen.log, index, self._best(seen, index))

    def _best(self, seen: Seen, index: int) -> SignedCheckpoint:
        # Of the checkpoints that cover the entry, the one most witnesses cosigned, and of those the newest.
        return max(seen.covering(index), key=lambda each: (self._witnesses.voices(each), each.checkpoint.size))
