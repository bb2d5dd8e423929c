"""Following a transaction that was sent, until it is in a block and the evidence for it is in the journal."""

from contextlib import suppress
from dataclasses import dataclass

from mltrust.anchors.ethereum.chain.build import MovedError, build, succeeded
from mltrust.anchors.ethereum.chain.finality import Opinion, Said, ask, judge
from mltrust.anchors.ethereum.chain.node import Block, Node, Place
from mltrust.anchors.ethereum.chain.rpc import RefusedError
from mltrust.anchors.ethereum.proof.addresses import checksummed
from mltrust.anchors.ethereum.proof.evidence import Evidence, prove, receipt_for
from mltrust.anchors.ethereum.proof.header import Header
from mltrust.anchors.ethereum.sending.journal import Attempt, Entry, Purpose, Stage
from mltrust.anchors.ethereum.sending.sending import BUMP, RESUME, rebroadcast
from mltrust.anchors.ethereum.sending.session import Session
from mltrust.core.report import Outcome
from mltrust.errors import AnchorError

_POLL_SECONDS = 0.1
_MAX_POLL_SECONDS = 4.0
_SLOWER = 1.5
_WHERE = "journal"


def settle(session: Session, entry: Entry) -> Entry:
    """Follow `entry` until it is in a block, and note the evidence; return it as it is then.

    1. If there is evidence and no node disowns its block, nothing is looked for. The chain may have been rearranged,
       though, and even what was final here may be in no block any more: then the story goes on.
    2. Every hash that was ever signed for its nonce is looked for, on every node.
    3. Found: the evidence is built, unless there is one of that block. A transaction that failed is over once its
       receipt is proven and its block final.
    4. Not found, and its nonce is used: if another transaction with it is final, this one is over.
    5. Not found, and no node has it waiting: it is sent again, and what is pending below it.

    What ends a story (final, failed, lost) is noted only where the quorum that verifying asks for says it is final.

    Raises:
        AnchorError: It is not included in time, it failed, or another transaction took its nonce.
    """
    # 1.
    standing = _standing(session, entry)
    if standing is not None:
        return _noted(session, entry, stage=standing)
    deadline, pause = session.clock() + session.config.timeout, _POLL_SECONDS
    while True:
        with suppress(MovedError):  # rearranged while it was read
            # 2.
            found = locate(session, entry)
            if found is not None:
                # 3.
                return _included(session, entry, found)
            # 4. and 5.
            entry = _missing(session, entry)
        if session.clock() >= deadline:
            raise _late(session, entry)
        session.sleep(pause)
        pause = min(_MAX_POLL_SECONDS, pause * _SLOWER)


@dataclass(frozen=True, slots=True)
class Found:
    """Which attempt is in which block, whether it did what it was for, and the evidence of that, if there is any."""

    attempt: Attempt
    place: Place
    succeeded: bool
    evidence: Evidence | None


def locate(session: Session, entry: Entry) -> Found | None:
    """Return in which block an attempt is, as the first node says that can prove it; None if it is in none.

    Raises:
        MovedError: The chain was rearranged while it was read.
        AnchorError: No node answers, or those that know a block cannot prove it.
    """
    trouble: AnchorError | None = None
    claimed: AnchorError | None = None
    answered = False
    for node in session.nodes:
        try:
            told = _told(node, entry)
        except AnchorError as error:
            trouble = error
            continue
        answered = True
        try:
            if told is not None:
                return _proven(entry, node, *told)
        except AnchorError as error:
            claimed = claimed or error
    if claimed is not None:
        raise claimed
    if trouble is not None and not answered:
        raise AnchorError(str(trouble), hint=RESUME) from trouble
    return None


def observed(session: Session, entry: Entry) -> Stage:
    """Return how far `entry` has come by now, and change nothing."""
    if entry.is_over or entry.stage is Stage.FINAL:
        return entry.stage
    standing = _standing(session, entry)
    if standing is not None:
        return standing
    found = locate(session, entry)
    if found is None:
        known = any(_knows(node, entry) for node in session.nodes)
        return Stage.SENT if known else Stage.JOURNALED
    return _stage(session, found)


def _standing(session: Session, entry: Entry) -> Stage | None:
    """Return how far the block in the evidence is; None if there is none, or a node says that it is not in the chain.

    The block is asked for and not the transaction: nodes forget after a while where old transactions are.
    """
    if entry.evidence is None:
        return Stage.FINAL if entry.stage is Stage.FINAL else None  # a deployment: the contract itself is looked at
    number = Header.parse(bytes.fromhex(entry.evidence.header), _WHERE).number
    block = Block(number, bytes.fromhex(entry.evidence.block_hash))
    opinions = _opinions(session, block, entry.attempts[-1].hash_bytes)
    if judge(opinions, session.config.quorum, block).outcome is Outcome.PASS:
        return Stage.FINAL
    said = {opinion.said for opinion in opinions}
    if entry.stage is Stage.FINAL and said <= {Said.FINAL, Said.INCLUDED, Said.SILENT}:
        return Stage.FINAL
    return Stage.INCLUDED if said and said <= {Said.FINAL, Said.INCLUDED} else None


def _opinions(session: Session, block: Block, transaction: bytes) -> list[Opinion]:
    config = session.config
    return ask(session.nodes, config.profile.chain_id, block, transaction, config.confirmations)


def _told(node: Node, entry: Entry) -> tuple[Attempt, Place] | None:
    for attempt in reversed(entry.attempts):
        place = node.place(attempt.hash_bytes)
        if place is not None:
            return attempt, place
    return None


def _proven(entry: Entry, node: Node, attempt: Attempt, place: Place) -> Found:
    if not (place.succeeded or succeeded(node, attempt.hash_bytes, place)):
        return Found(attempt, place, False, None)
    evidence = entry.evidence
    is_stale = evidence is None or evidence.block_hash != place.block.hash.hex()
    if is_stale and entry.purpose is Purpose.ANCHOR:
        evidence = _evidence(entry, node, attempt, place)
    return Found(attempt, place, True, evidence)


def _included(session: Session, entry: Entry, found: Found) -> Entry:
    stage = _stage(session, found)
    paid = None if found.place.paid is None else str(found.place.paid)
    entry = _noted(session, entry, stage=stage, evidence=found.evidence, paid=paid)
    if found.succeeded:
        return entry
    message = f"the transaction {found.attempt.hash} was included, and failed"
    if stage is Stage.FAILED:
        raise AnchorError(message, hint="Publish it again.")
    raise AnchorError(f"{message}; its block is not final yet", hint="Wait until it is, and publish it again then.")


def _noted(session: Session, entry: Entry, **fields: object) -> Entry:
    """Note what has changed; one that is not final any more has nothing delivered either."""
    if all(getattr(entry, name) == value for name, value in fields.items()):
        return entry
    with session.journal.changing(entry) as now:
        delivered = now.delivered and fields["stage"] is Stage.FINAL
        entry = now.changed(**fields, delivered=delivered)
        session.journal.write(entry)
    return entry


def _stage(session: Session, found: Found) -> Stage:
    opinions = _opinions(session, found.place.block, found.attempt.hash_bytes)
    if judge(opinions, session.config.quorum, found.place.block).outcome is not Outcome.PASS:
        return Stage.INCLUDED
    return Stage.FINAL if found.succeeded else Stage.FAILED


def _evidence(entry: Entry, node: Node, attempt: Attempt, place: Place) -> Evidence:
    digest, batch = entry.listed()[0], entry.batch()
    evidence = build(node, attempt.hash_bytes, place, entry.contract_bytes, batch.place(digest))
    prove(receipt_for(digest, evidence), digest)  # nothing goes into the journal that would not convince
    return evidence


def _missing(session: Session, entry: Entry) -> Entry:
    if min(_used(session, entry, "latest"), default=0) > entry.nonce:
        with session.journal.changing(entry) as now:
            if locate(session, now) is None:  # or it was included, or replaced by us, in the meantime
                _taken(session, now)
            return now
    if not any(_knows(node, entry) for node in session.nodes):
        with session.journal.changing(entry) as now:
            earlier = [other for other in session.journal.entries(entry.sender) if other.nonce < entry.nonce]
            again = now if now.is_pending else now.changed(stage=Stage.JOURNALED, delivered=False)
            if again is not now:
                session.journal.write(again)  # what was final, too: it is handed out no more
            rebroadcast(session, [*earlier, again])
            return again
    return entry


def _taken(session: Session, entry: Entry) -> None:
    message = f"another transaction took nonce {entry.nonce} of {checksummed(entry.sender)}"
    counts = _used(session, entry, "finalized")
    # Counted first: of what is final by then, a node that was asked afterwards would have known.
    gone = sum(_lacks(node, entry) for node in session.nodes)
    if min(len(counts), gone) >= session.config.quorum and min(counts) > entry.nonce:
        session.journal.write(entry.changed(stage=Stage.LOST))
        raise AnchorError(f"{message}, and is final", hint="Publish again: this one can never be included.")
    raise AnchorError(f"{message}, and is not final yet", hint=f"Wait until it is. {RESUME}")


def _used(session: Session, entry: Entry, tag: str) -> list[int]:
    """Return what each node counts: one that lags, or cannot tell, is no reason to give a transaction up."""
    counts = []
    for node in session.nodes:
        try:
            counts.append(node.used(entry.sender, tag))
        except RefusedError:
            counts.append(0)
        except AnchorError:
            continue
    return counts


def _lacks(node: Node, entry: Entry) -> bool:
    try:
        return _told(node, entry) is None
    except AnchorError:
        return False


def _knows(node: Node, entry: Entry) -> bool:
    try:
        return node.knows(entry.attempts[-1].hash_bytes)
    except AnchorError:
        return False


def _late(session: Session, entry: Entry) -> AnchorError:
    message = f"{entry.attempts[-1].hash} is in no block after {session.config.timeout:g} s"
    used = min(_used(session, entry, "latest"), default=0)
    if used < entry.nonce:
        message += f": it has nonce {entry.nonce}, and {checksummed(entry.sender)} has used {used} so far"
        return AnchorError(message, hint=f"Something has to take nonce {used} first. {RESUME}")
    return AnchorError(message, hint=f"{RESUME}. {BUMP}")
