"""Publishing: the steps from digests to receipts, deploying the contract, and ending what was begun."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from mltrust.anchors.ethereum.proof import contract
from mltrust.anchors.ethereum.proof.addresses import checksummed
from mltrust.anchors.ethereum.proof.batch import Batch
from mltrust.anchors.ethereum.proof.evidence import receipt_for
from mltrust.anchors.ethereum.sending.following import observed, settle
from mltrust.anchors.ethereum.sending.journal import MAX_BATCH, Entry, Purpose, Stage
from mltrust.anchors.ethereum.sending.offers import offer
from mltrust.anchors.ethereum.sending.sending import Message, bump, submit
from mltrust.anchors.ethereum.sending.session import Session
from mltrust.anchors.ethereum.sending.signers import TransactionSigner, open_signer
from mltrust.core.digest import Digest
from mltrust.core.names import count
from mltrust.core.receipt import Receipt
from mltrust.errors import AnchorError, UsageError
from mltrust.interfaces import Submission

_NO_FACTORY = (
    "It is the deterministic deployment proxy (Arachnid), which a transaction signed once for all chains puts there. "
    'Or set mode = "calldata", which needs no contract.'
)
_IN_A_BLOCK = (Stage.INCLUDED, Stage.FINAL)


@dataclass(frozen=True)
class Publishing:
    """Publishes on one chain. Only what `authors` (20 bytes each) sent counts as published; None: what anybody did."""

    session: Session
    authors: frozenset[bytes] | None

    def publish(self, submissions: Sequence[Submission]) -> list[Receipt]:
        """Return a receipt for each digest, publishing those that are not published yet in one transaction.

        1. The nodes serve the chain: see `Session.begin`. Digests in the journal are left alone.
        2. For the others, the contract is there, and the signer is one whose word counts here.
        3. What it costs is within the caps, told, and agreed to: see `offers.offer`. The key is unlocked.
        4. With the journal locked, what was published meanwhile is left alone; the rest is signed, written down and
           sent: see `sending.submit`.
        5. Every transaction with one of the digests is followed into a block: see `following.settle`.
        """
        # 1.
        wanted = list(dict.fromkeys(submission.digest for submission in submissions))
        if self._new(submissions):
            # 2. to 4.
            self._submit(submissions)
        # 5.
        standing = self._standing()
        entries = {(standing[digest].author, standing[digest].nonce): standing[digest] for digest in wanted}
        receipts: dict[Digest, Receipt] = {}
        for entry in entries.values():
            receipts.update(_receipts(settle(self.session, entry), wanted))
        return [receipts[submission.digest] for submission in submissions]

    def deploy(self) -> str | None:
        """Deploy AnchorLog at its address; return the hash of the transaction, None if it was there already."""
        session = self.session
        if session.config.contract is not None:
            raise UsageError("the address of the contract follows from its code: it cannot be chosen")
        if session.is_deployed():
            return None
        begun = [entry for entry in session.journal.entries() if entry.purpose is Purpose.DEPLOY and not entry.is_over]
        settled = settle(session, begun[0] if begun else self._deployment())
        if not session.is_deployed():
            raise AnchorError(f"{session.config.name}: the contract is not there yet", hint="Run it again.")
        return settled.attempts[-1].hash

    def status(self) -> Iterator[tuple[Entry, Stage]]:
        """Yield every entry of the journal, and how far it has come by now."""
        for entry in self.session.journal.entries():
            yield entry, observed(self.session, entry)

    def resume(self, *, raise_fees: bool = False) -> Iterator[tuple[Entry, AnchorError | None]]:
        """End what was begun: yield each entry that is not over or delivered, as it is then, or why it is in no block.

        `raise_fees` first replaces what is pending by a transaction that offers more, under the same nonce. Where one
        was waited for in vain, those after it are not waited for.
        """
        session = self.session
        for entry in self.session.journal.entries():
            if entry.is_over or entry.delivered:
                continue
            try:
                now = self._raised(entry) if raise_fees and entry.is_pending else entry
                settled = settle(session, now)
            except AnchorError as error:
                session = session.hurried()
                yield entry, error
            else:
                yield settled, None

    def delivered(self, entry: Entry) -> None:
        """Note that the seal files hold the receipts of `entry`, if those are final: nothing more can become of it."""
        if entry.stage is Stage.FINAL:
            with self.session.journal.changing(entry) as now:
                self.session.journal.write(now.changed(delivered=True))

    def _submit(self, submissions: Sequence[Submission]) -> None:
        session = self.session
        # 2.
        if session.config.mode == "event" and not session.is_deployed():
            what = f"{session.config.name}: AnchorLog is not at {checksummed(session.contract)}"
            hint = f'Run: mltrust ethereum deploy --to {session.config.name}. Or set mode = "calldata".'
            raise AnchorError(what, hint=hint)
        signer = self._signer()
        # 3.
        message = _message(session, signer.address, self._new(submissions))
        offered = offer(session, signer.address, message.to, message.data, count(len(message.digests), "digest"))
        signer.unlock()
        # 4.
        with session.journal.locked(signer.address):
            left = self._new(submissions)
            if left:
                submit(session, _message(session, signer.address, left), offered, signer)

    def _deployment(self) -> Entry:
        session = self.session
        if not session.nodes[0].code(contract.FACTORY):
            what = f"{session.config.name}: there is no factory at {checksummed(contract.FACTORY)}"
            raise AnchorError(what, hint=_NO_FACTORY)
        signer = self._signer()
        message = Message(Purpose.DEPLOY, "event", contract.ADDRESS, contract.FACTORY, contract.DEPLOYMENT)
        offered = offer(session, signer.address, message.to, message.data, "deploying AnchorLog")
        signer.unlock()
        with session.journal.locked(signer.address):
            return submit(session, message, offered, signer)

    def _raised(self, entry: Entry) -> Entry:
        signer = self._signer()
        if signer.address != entry.sender:
            message = (
                f"nonce {entry.nonce} is of {checksummed(entry.sender)}, the signer is {checksummed(signer.address)}"
            )
            raise AnchorError(message, hint="Name the signer that sent it.")
        return bump(self.session, entry, signer)

    def _signer(self) -> TransactionSigner:
        signer = open_signer(self.session.config, self.session.dialogue)
        if self.authors is not None and signer.address not in self.authors:
            message = f"the signer's address {checksummed(signer.address)} is not among your authors"
            raise UsageError(message, hint="You would not believe your own receipts: add it, or sign by another.")
        return signer

    def _new(self, submissions: Sequence[Submission]) -> list[Submission]:
        """Return the submissions of digests that are not in the journal, one for each digest."""
        standing = self._standing()
        first: dict[Digest, Submission] = {}
        for submission in submissions:
            if submission.digest not in standing:
                first.setdefault(submission.digest, submission)
        return list(first.values())

    def _standing(self) -> dict[Digest, Entry]:
        """Return for each digest the entry that publishes it; one that is in a block before one that is not."""
        found: dict[Digest, Entry] = {}
        entries = [entry for entry in self.session.journal.entries() if self._counts(entry)]
        for entry in sorted(entries, key=lambda entry: entry.stage in _IN_A_BLOCK):
            found.update(dict.fromkeys(entry.listed(), entry))
        return found

    def _counts(self, entry: Entry) -> bool:
        ours = entry.contract_bytes in (None, self.session.contract)
        by = self.authors is None or entry.sender in self.authors
        return entry.purpose is Purpose.ANCHOR and not entry.is_over and ours and by


def receipts_of(entries: Iterable[Entry], digest: Digest, contract_address: bytes) -> list[Receipt]:
    """Return the receipts for `digest` that are in a journal: of the contract at this address, or of none."""
    return [
        receipt
        for entry in entries
        if entry.stage in _IN_A_BLOCK and entry.contract_bytes in (None, contract_address) and entry.holds(digest)
        for _, receipt in _receipts(entry, [digest])
    ]


def _message(session: Session, sender: bytes, submissions: Sequence[Submission]) -> Message:
    if len(submissions) > MAX_BATCH:
        raise UsageError(f"{len(submissions)} digests, at most {MAX_BATCH} are published at once", hint="Make parts.")
    digests = [submission.digest for submission in submissions]
    paths = ["" if submission.path is None else str(submission.path.absolute()) for submission in submissions]
    batch = Batch(digests)
    if session.config.mode == "calldata":
        data = contract.calldata(batch.commitment)
        return Message(Purpose.ANCHOR, "calldata", None, sender, data, digests, paths)
    data = contract.encode_anchor(batch.commitment, batch.size)
    return Message(Purpose.ANCHOR, "event", session.contract, session.contract, data, digests, paths)


def _receipts(entry: Entry, wanted: Sequence[Digest]) -> Iterator[tuple[Digest, Receipt]]:
    if entry.evidence is None:
        return
    batch, held = entry.batch(), set(entry.listed())
    for digest in wanted:
        if digest in held:
            yield digest, receipt_for(digest, entry.evidence.model_copy(update={"batch": batch.place(digest)}))
