"""Sending: one nonce for one batch, whatever happens.

The raw transaction is on disk before it is sent. Whoever comes back after a crash, a lost reply or a long wait finds it
there, and sends the same bytes again or replaces them under the same nonce.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal

from mltrust.anchors.ethereum.chain.node import Node
from mltrust.anchors.ethereum.chain.rpc import RefusedError
from mltrust.anchors.ethereum.proof.addresses import checksummed
from mltrust.anchors.ethereum.sending.journal import MAX_ATTEMPTS, Attempt, Entry, Purpose, Stage
from mltrust.anchors.ethereum.sending.offers import Offer, raised
from mltrust.anchors.ethereum.sending.session import Session
from mltrust.anchors.ethereum.sending.signers import TransactionSigner
from mltrust.anchors.ethereum.sending.unsigned import Unsigned
from mltrust.anchors.ethereum.sending.writer import Taken
from mltrust.core.digest import Digest
from mltrust.errors import AnchorError

RESUME = "Nothing is lost. Run: mltrust ethereum resume"
BUMP = "To offer more for it, add --bump."
MAX_WAITING = 16  # transactions of other programs; nodes keep no more of an account for sure


@dataclass(frozen=True, slots=True)
class Message:
    """What a transaction says, and what the journal notes of it: digests, and the seal file of each ("" for none)."""

    purpose: Purpose
    mode: Literal["event", "calldata"]
    contract: bytes | None
    to: bytes
    data: bytes
    digests: Sequence[Digest] = ()
    paths: Sequence[str] = ()


def submit(session: Session, message: Message, offer: Offer, signer: TransactionSigner) -> Entry:
    """Sign, journal and send. Call it with the journal locked for the signer's address.

    When it returns, or fails after step 4, the transaction is on disk and `following.settle` goes on with it.

    1. All that is still pending is sent again, in order, so that no nonce stays open below the new one.
    2. The next nonce: above all that the nodes count, and all that the journal holds; see `next_nonce`.
    3. The transaction is signed, and found to be the one that was asked for.
    4. It is on disk, with its hash.
    5. It is sent.
    """
    # 1.
    entries = session.journal.entries(signer.address)
    rebroadcast(session, entries)
    # 2.
    nonce = next_nonce(session, signer.address, entries)
    # 3.
    chain_id = session.config.profile.chain_id
    unsigned = Unsigned(chain_id, nonce, message.to, message.data, offer.gas, offer.max_fee, offer.max_tip)
    attempt = _signed(unsigned, signer)
    # 4.
    entry = Entry(
        chain_id=chain_id,
        author=f"0x{signer.address.hex()}",
        nonce=nonce,
        purpose=message.purpose,
        mode=message.mode,
        contract=None if message.contract is None else f"0x{message.contract.hex()}",
        digests="".join(digest.hex for digest in message.digests),
        paths=list(message.paths),
        attempts=[attempt],
        stage=Stage.JOURNALED,
    )
    session.journal.write(entry)
    # 5.
    session.dialogue.tell(f"sending transaction {attempt.hash}, nonce {nonce}")
    return send(session, entry)


def next_nonce(session: Session, sender: bytes, entries: Sequence[Entry]) -> int:
    """Return the nonce above all that the nodes count and the journal holds.

    What waits is seen by one node alone, perhaps, so the highest count decides. One far above what is included would
    leave a gap that nobody can fill, and `sender` could never send again: such a node is refused.

    Raises:
        AnchorError: A node counts nonsense, or none counts.
    """
    own = max((entry.nonce + 1 for entry in entries), default=0)
    counts = list(_counts(session, sender))
    included = sorted((latest for _, latest, _ in counts), reverse=True)
    most = max(own, included[min(session.config.quorum, len(included)) - 1]) + MAX_WAITING
    for node, _, pending in counts:
        if pending > most:
            message = f"{node.name} says that {pending} nonces of {checksummed(sender)} are used; {most} is believable"
            raise AnchorError(message, hint="It lies or is broken, or others send from this account. Nothing was sent.")
    return max(own, *(pending for _, _, pending in counts))


def _counts(session: Session, sender: bytes) -> Iterator[tuple[Node, int, int]]:
    """Yield the nodes that answer, and how many nonces they count: included, and with those that wait."""
    trouble: AnchorError | None = None
    answered = False
    for node in session.nodes:
        try:
            counts = node.used(sender, "latest"), node.used(sender, "pending")
        except AnchorError as error:
            trouble = trouble or error
        else:
            answered = True
            yield node, *counts
    if not answered and trouble is not None:
        raise trouble


def bump(session: Session, entry: Entry, signer: TransactionSigner) -> Entry:
    """Replace a pending transaction by one that offers more, under the same nonce, for the same batch."""
    if len(entry.attempts) == MAX_ATTEMPTS:
        raise AnchorError(f"nonce {entry.nonce} was replaced {MAX_ATTEMPTS} times", hint="Wait for one of them.")
    old = Unsigned.of(bytes.fromhex(entry.attempts[-1].raw[2:]))
    what = f"replacing transaction {entry.attempts[-1].hash}, nonce {entry.nonce},"
    offer = raised(session, old, signer.address, what)
    signer.unlock()
    with session.journal.changing(entry) as now:
        if now.attempts != entry.attempts or not now.is_pending:
            return now  # another process was faster
        unsigned = Unsigned(old.chain_id, old.nonce, old.to, old.data, offer.gas, offer.max_fee, offer.max_tip)
        replaced = now.changed(attempts=[*now.attempts, _signed(unsigned, signer)], stage=Stage.JOURNALED)
        session.journal.write(replaced)
        return send(session, replaced)


def rebroadcast(session: Session, entries: Sequence[Entry]) -> None:
    """Send again what of `entries` was not seen in a block: the same bytes as before, in the order of nonces."""
    for entry in sorted(entries, key=lambda entry: entry.nonce):
        if entry.is_pending:
            send(session, entry)


def send(session: Session, entry: Entry) -> Entry:
    """Give the last attempt to every node; one that takes it is enough. Call it locked.

    That none answers is no error: `following.settle` finds out whether one took it nevertheless.

    Raises:
        AnchorError: All that answer refuse it, for a reason that has nothing to do with the nonce.
    """
    attempt = entry.attempts[-1]
    answers: set[Taken] = set()
    refusal: RefusedError | None = None
    for node in session.nodes:
        try:
            answers.add(session.writer(node).send(bytes.fromhex(attempt.raw[2:]), attempt.hash_bytes))
        except RefusedError as error:
            refusal = error
    if Taken.ACCEPTED in answers and entry.stage is Stage.JOURNALED:
        entry = entry.changed(stage=Stage.SENT)
        session.journal.write(entry)
    if refusal is not None and not answers:
        message = f"the transaction {attempt.hash} is not taken: {refusal.said}"
        raise AnchorError(message, hint=f"{RESUME}. {BUMP}") from refusal
    return entry


def _signed(unsigned: Unsigned, signer: TransactionSigner) -> Attempt:
    raw = signer.sign(unsigned)
    transaction = unsigned.require_signed(raw, signer.address)
    return Attempt(raw=f"0x{raw.hex()}", hash=f"0x{transaction.hex()}")
