"""Following a transaction that was sent, until it is in a block and the evidence for it is in the journal."""

from contextlib import suppress

from mltrust.anchors.ethereum.chain.build import MovedError, build
from mltrust.anchors.ethereum.chain.node import Node, Place
from mltrust.anchors.ethereum.chain.rpc import RefusedError
from mltrust.anchors.ethereum.proof.addresses import checksummed
from mltrust.anchors.ethereum.proof.evidence import Evidence, prove, receipt_for
from mltrust.anchors.ethereum.sending.journal import Attempt, Entry, Purpose, Stage
from mltrust.anchors.ethereum.sending.sending import BUMP, RESUME, rebroadcast
from mltrust.anchors.ethereum.sending.session import Session
from mltrust.errors import AnchorError

_POLL_SECONDS = 0.1
_MAX_POLL_SECONDS = 4.0
_SLOWER = 1.5


def settle(session: Session, entry: Entry) -> Entry:
    """Follow `entry` until it is in a block, and note the evidence; return it as it is then.

    1. Every hash that was ever signed for its nonce is looked for, on every node.
    2. Found: the evidence is built, unless there is one of that block. A transaction that failed is over.
    3. Not found, and its nonce is used: if another transaction with it is final, this one is over.
    4. Not found, and no node has it waiting: it is sent again, and what is pending below it.

    One that was in a block is looked for again, unless the block was final: the chain may have been rearranged.

    Raises:
        AnchorError: It is not included in time, it failed, or another transaction took its nonce.
    """
    if entry.stage is Stage.FINAL:
        return entry
    deadline, pause = session.clock() + session.config.timeout, _POLL_SECONDS
    while True:
        with suppress(MovedError):  # rearranged while it was read
            # 1.
            found = locate(session, entry)
            if found is not None:
                # 2.
                return _included(session, entry, *found)
            # 3. and 4.
            entry = _missing(session, entry)
        if session.clock() >= deadline:
            raise _late(session, entry)
        session.sleep(pause)
        pause = min(_MAX_POLL_SECONDS, pause * _SLOWER)


def locate(session: Session, entry: Entry) -> tuple[Node, Attempt, Place] | None:
    """Return which attempt is in which block, and which node says so; None if none is."""
    trouble: AnchorError | None = None
    answered = False
    for node in session.nodes:
        try:
            for attempt in reversed(entry.attempts):
                place = node.place(attempt.hash_bytes)
                if place is not None:
                    return node, attempt, place
            answered = True
        except AnchorError as error:
            trouble = error
    if trouble is not None and not answered:
        raise AnchorError(str(trouble), hint=RESUME) from trouble
    return None


def observed(session: Session, entry: Entry) -> Stage:
    """Return how far `entry` has come by now, and change nothing."""
    if entry.is_over or entry.stage is Stage.FINAL:
        return entry.stage
    found = locate(session, entry)
    if found is None:
        known = any(_knows(node, entry) for node in session.nodes)
        return Stage.SENT if known else Stage.JOURNALED
    return _stage(session, found[0], found[2])


def _included(session: Session, entry: Entry, node: Node, attempt: Attempt, place: Place) -> Entry:
    stage, evidence = _stage(session, node, place), entry.evidence
    is_stale = evidence is None or evidence.block_hash != place.block.hash.hex()
    if is_stale and place.succeeded and entry.purpose is Purpose.ANCHOR:
        evidence = _evidence(entry, node, attempt, place)
    if (stage, evidence, str(place.paid)) != (entry.stage, entry.evidence, entry.paid):
        with session.journal.changing(entry) as now:
            entry = now.changed(stage=stage, evidence=evidence, paid=str(place.paid))
            session.journal.write(entry)
    if stage is Stage.FAILED:
        raise AnchorError(f"the transaction {attempt.hash} was included, and failed", hint="Publish it again.")
    return entry


def _stage(session: Session, node: Node, place: Place) -> Stage:
    if not place.succeeded:
        return Stage.FAILED
    final = None
    with suppress(AnchorError):
        final = node.finalized(session.config.confirmations)
    return Stage.INCLUDED if final is None or final.number < place.block.number else Stage.FINAL


def _evidence(entry: Entry, node: Node, attempt: Attempt, place: Place) -> Evidence:
    digest, batch = entry.listed()[0], entry.batch()
    evidence = build(node, attempt.hash_bytes, place, entry.contract_bytes, batch.place(digest))
    prove(receipt_for(digest, evidence), digest)  # nothing goes into the journal that would not convince
    return evidence


def _missing(session: Session, entry: Entry) -> Entry:
    if _used(session, entry, "latest") > entry.nonce:
        with session.journal.changing(entry) as now:
            if locate(session, now) is None:  # or it was included, or replaced by us, in the meantime
                _taken(session, now)
            return now
    if not any(_knows(node, entry) for node in session.nodes):
        with session.journal.changing(entry) as now:
            earlier = [other for other in session.journal.entries(entry.sender) if other.nonce < entry.nonce]
            again = now if now.is_pending else now.changed(stage=Stage.JOURNALED)
            rebroadcast(session, [*earlier, again])
            return now
    return entry


def _taken(session: Session, entry: Entry) -> None:
    message = f"another transaction took nonce {entry.nonce} of {checksummed(entry.sender)}"
    if _used(session, entry, "finalized") > entry.nonce:
        session.journal.write(entry.changed(stage=Stage.LOST))
        raise AnchorError(f"{message}, and is final", hint="Publish again: this one can never be included.")
    raise AnchorError(f"{message}, and is not final yet", hint=f"Wait until it is. {RESUME}")


def _used(session: Session, entry: Entry, tag: str) -> int:
    """Return the least that a node counts: one that lags, or cannot tell, is no reason to give a transaction up."""
    counts = []
    for node in session.nodes:
        try:
            counts.append(node.used(entry.sender, tag))
        except RefusedError:
            counts.append(0)
        except AnchorError:
            continue
    return min(counts, default=0)


def _knows(node: Node, entry: Entry) -> bool:
    try:
        return node.knows(entry.attempts[-1].hash_bytes)
    except AnchorError:
        return False


def _late(session: Session, entry: Entry) -> AnchorError:
    message = f"{entry.attempts[-1].hash} is in no block after {session.config.timeout:g} s"
    used = _used(session, entry, "latest")
    if used < entry.nonce:
        message += f": it has nonce {entry.nonce}, and {checksummed(entry.sender)} has used {used} so far"
        return AnchorError(message, hint=f"Something has to take nonce {used} first. {RESUME}")
    return AnchorError(message, hint=f"{RESUME}. {BUMP}")
