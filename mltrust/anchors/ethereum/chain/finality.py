"""Whether a block is final: what each node says of it, and what all of that amounts to.

Weakest to strongest, the levels of trust that end up in a report: `single-rpc`, `rpc-quorum`, `given-block`; and
`remembered`, which is as strong as what was seen. The tag `finalized` decides, not a count of confirmations: a chain
knows best when it stops changing.
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum
from queue import SimpleQueue
from threading import Thread

from mltrust.anchors.ethereum.chain.node import Block, Node
from mltrust.core.names import count
from mltrust.core.report import AnchorState, Outcome
from mltrust.errors import AnchorError

SINGLE_RPC, RPC_QUORUM, REMEMBERED, GIVEN_BLOCK = "single-rpc", "rpc-quorum", "remembered", "given-block"
REFRESH = "Run mltrust anchors SEAL --refresh with this anchor; if you sent it, mltrust ethereum resume before."


class Said(StrEnum):
    """What a node says of the block a receipt is of."""

    FINAL = "that it is final"
    OTHER = "that another block is final there"
    INCLUDED = "that it is not final yet"
    MOVED = "that the transaction is in another block"
    GONE = "that the block is no longer in the chain"
    BEHIND = "that its chain does not reach that block"
    SILENT = "nothing"


_CONTRARY = frozenset((Said.OTHER, Said.MOVED, Said.GONE))
_DISSENT = _CONTRARY | {Said.BEHIND}  # a block made up is beyond the honest chain as well as beside it


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the node called `name` says; `trouble` is why it is silent."""

    name: str
    said: Said
    trouble: AnchorError | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the opinions amount to, in the terms of a check.

    `level` is None where nothing was settled; `agreed` is how many nodes it then rests on. `is_contrary` tells that the
    block is not in the chain for at least a quorum, `is_contested` that it is not for one or more.
    """

    outcome: Outcome
    state: AnchorState
    summary: str
    level: str | None = None
    hint: str | None = None
    agreed: int = 0
    is_contrary: bool = False
    is_contested: bool = False


def ask(
    nodes: Sequence[Node], chain_id: int, block: Block, transaction: bytes, confirmations: int | None
) -> list[Opinion]:
    """Ask all nodes at once about `block`, in which a receipt says `transaction` is."""

    def opinion(node: Node) -> Opinion:
        try:
            require_chain(node, chain_id)
            return Opinion(node.name, _said(node, block, transaction, confirmations))
        except AnchorError as error:
            return Opinion(node.name, Said.SILENT, error)

    answers: SimpleQueue[tuple[int, Opinion | Exception]] = SimpleQueue()

    def answer(number: int, node: Node) -> None:
        try:
            answers.put((number, opinion(node)))
        except Exception as error:  # noqa: BLE001  # raised below, where somebody waits for it
            answers.put((number, error))

    # Daemons: whoever interrupts the command does not wait for a node that hangs.
    for number, node in enumerate(nodes):
        Thread(target=answer, args=(number, node), daemon=True).start()
    found = dict(answers.get() for _ in nodes)
    return [_raised(found[number]) for number in range(len(nodes))]


def _raised(answer: Opinion | Exception) -> Opinion:
    if isinstance(answer, Exception):
        raise answer
    return answer


def require_chain(node: Node, chain_id: int) -> None:
    """Raise `AnchorError` unless `node` says it serves the chain of this id."""
    found = node.chain_id()
    if found != chain_id:
        message = f"{node.name} serves chain {found}, not {chain_id}"
        raise AnchorError(message, hint="Mend rpc in your configuration.")


def _said(node: Node, block: Block, transaction: bytes, confirmations: int | None) -> Said:
    # The last final block is asked for first: it only grows, so what is canonical afterwards at its height is final.
    final = node.finalized(confirmations)
    found = node.block(block.number)
    settled = final is not None and final.number >= block.number
    if found is not None and found.hash == block.hash:
        return Said.FINAL if settled else Said.INCLUDED
    place = node.place(transaction)
    if place is not None and place.block.hash != block.hash:
        return Said.MOVED  # also where that is final: the receipt is mended by building it anew
    if found is None:
        return _without(node, block, settled=settled)
    if settled:
        return Said.OTHER
    return Said.GONE if place is None else Said.INCLUDED


def _without(node: Node, block: Block, *, settled: bool) -> Said:
    """Say what it means that there is nothing at the height: a node may keep no old blocks, or be behind."""
    if settled:
        message = f"{node.name} does not show block {block.number}, though it is beyond it"
        raise AnchorError(message, hint="Name a node under rpc that keeps old blocks.")
    return Said.BEHIND


def judge(opinions: Sequence[Opinion], quorum: int, block: Block) -> Judgement:
    """Say what the nodes together say of `block`.

    1. Final, if at least `quorum` say so, and more than say that the block is not there: that another is final at its
       height, that the transaction is elsewhere, or that the chain does not have it. Who does is named.
    2. Rolled back, if at least `quorum` say that another is final, and more than say that this one is.
    3. Where some say the one and some the other, or too few anything, nothing is known: neither pass nor tampering.
    4. Else it is included, and not final.
    """
    found = _verdict(opinions, quorum, block)
    contrary = _count(opinions, *_CONTRARY)
    return replace(found, is_contrary=contrary >= quorum, is_contested=contrary > 0)


def _verdict(opinions: Sequence[Opinion], quorum: int, block: Block) -> Judgement:
    final, other, dissent = (_count(opinions, *said) for said in ((Said.FINAL,), (Said.OTHER,), _DISSENT))
    # 1.
    if final >= quorum and final > dissent:
        level = RPC_QUORUM if final > 1 else SINGLE_RPC
        summary = f"block {block.number} is final for {_votes(opinions, Said.FINAL)}"
        return Judgement(Outcome.PASS, AnchorState.VERIFIED, summary, level, agreed=final)
    # 2.
    if other >= quorum and other > final:
        summary = f"another block than the receipt's {block.number} is final for {_votes(opinions, Said.OTHER)}"
        hint = "The transaction was lost, or the receipt was never of this chain. Publish again, or ask other nodes."
        return Judgement(Outcome.FAIL, AnchorState.ROLLBACK, summary, hint=hint)
    # 3.
    answered = len(opinions) - _count(opinions, Said.SILENT)
    if other or answered < quorum or (final and dissent):
        return _unknown(opinions, quorum, answered)
    # 4.
    return _not_final(opinions, block)


def _unknown(opinions: Sequence[Opinion], quorum: int, answered: int) -> Judgement:
    trouble = next((opinion.trouble for opinion in opinions if opinion.trouble is not None), None)
    if trouble is None or _count(opinions, *_DISSENT):  # who says that it is not there is always named
        said = "; ".join(f"{opinion.name} says {opinion.said}" for opinion in opinions)
        few = answered < quorum
        summary = f"{answered} of {quorum} nodes needed answered: {said}" if few else f"the nodes disagree: {said}"
        hint = "One of them lies or lags. Name more nodes under rpc."
        return Judgement(Outcome.UNCHECKED, AnchorState.UNAVAILABLE, summary, hint=hint)
    summary = str(trouble) if len(opinions) == 1 else f"{answered} of {quorum} nodes needed answered: {trouble}"
    return Judgement(Outcome.UNCHECKED, AnchorState.UNAVAILABLE, summary, hint=trouble.hint)


def _not_final(opinions: Sequence[Opinion], block: Block) -> Judgement:
    contrary = "; ".join(f"{each.name} says {each.said}" for each in opinions if each.said in _CONTRARY)
    summary, hint = f"block {block.number} is not final yet", "Wait, and verify again: on Ethereum about 15 minutes."
    if contrary:
        summary, hint = f"not in block {block.number} any more: {contrary}", REFRESH
    return Judgement(Outcome.UNCHECKED, AnchorState.NOT_FINAL, summary, hint=hint)


def remembered(agreed: int, block: int) -> Judgement:
    """Return what it amounts to that so many nodes agreed here before, and none asked now says otherwise."""
    summary = f"block {block} was seen final here before, {seen_by(agreed)}"
    return Judgement(Outcome.PASS, AnchorState.VERIFIED, summary, REMEMBERED, agreed=agreed)


def seen_by(agreed: int) -> str:
    """Say on how many nodes it rested that a block was seen final."""
    return f"by {count(agreed, 'node')} ({RPC_QUORUM if agreed > 1 else SINGLE_RPC})"


def _votes(opinions: Sequence[Opinion], said: Said) -> str:
    """Name those who say so if they are few, else count them; and name who says otherwise."""
    for_it = [opinion for opinion in opinions if opinion.said is said]
    if len(opinions) == 1:
        return opinions[0].name
    against = [f"{opinion.name} says {opinion.said}" for opinion in opinions if opinion.said is not said]
    dissent = f" ({'; '.join(against)})" if against else ""
    return f"{len(for_it)} of {count(len(opinions), 'node')}{dissent}"


def _count(opinions: Sequence[Opinion], *said: Said) -> int:
    return sum(opinion.said in said for opinion in opinions)
