"""Whether a block is final: what each node says of it, and what all of that amounts to.

Weakest to strongest, the levels of trust that end up in a report: `single-rpc`, `rpc-quorum`, `remembered`,
`given-block`. The tag `finalized` decides, not a count of confirmations: a chain knows best when it stops changing.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from enum import StrEnum

from mltrust.anchors.ethereum.chain.node import Block, Node
from mltrust.core.names import count
from mltrust.core.report import AnchorState, Outcome
from mltrust.errors import AnchorError

SINGLE_RPC, RPC_QUORUM, REMEMBERED, GIVEN_BLOCK = "single-rpc", "rpc-quorum", "remembered", "given-block"
REFRESH = "Run mltrust anchors SEAL --refresh with this anchor."


class Said(StrEnum):
    """What a node says of the block a receipt is of."""

    FINAL = "that it is final"
    OTHER = "that another block is final there"
    INCLUDED = "that it is not final yet"
    MOVED = "that the transaction is in another block"
    GONE = "that the block is no longer in the chain"
    SILENT = "nothing"


@dataclass(frozen=True, slots=True)
class Opinion:
    """What the node called `name` says; `trouble` is why it is silent."""

    name: str
    said: Said
    trouble: AnchorError | None = None


@dataclass(frozen=True, slots=True)
class Judgement:
    """What the opinions amount to, in the terms of a check.

    `level` is None where nothing was settled; `is_contrary` tells that the block is not in the chain for those asked.
    """

    outcome: Outcome
    state: AnchorState
    summary: str
    level: str | None = None
    hint: str | None = None
    is_contrary: bool = False


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

    with ThreadPoolExecutor(len(nodes)) as pool:
        return list(pool.map(opinion, nodes))


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
    if place is not None:
        return Said.MOVED if place.block.hash != block.hash else Said.INCLUDED
    return Said.OTHER if settled else Said.GONE


def judge(opinions: Sequence[Opinion], quorum: int, block: Block) -> Judgement:
    """Say what the nodes together say of `block`.

    1. Final, if at least `quorum` say so, and more than say that another block is final at its height.
    2. Rolled back, the other way round.
    3. Where some say the one and some the other, or too few anything, nothing is known: neither pass nor tampering.
    4. Else it is included, and not final.
    """
    final, other = (_count(opinions, said) for said in (Said.FINAL, Said.OTHER))
    what = f"block {block.number} is final"
    # 1.
    if final >= quorum and final > other:
        level = RPC_QUORUM if final > 1 else SINGLE_RPC
        return Judgement(Outcome.PASS, AnchorState.VERIFIED, f"{what} for {_votes(opinions, Said.FINAL)}", level)
    # 2.
    if other >= quorum and other > final:
        summary = f"another block than the receipt's {block.number} is final for {_votes(opinions, Said.OTHER)}"
        hint = "The transaction was lost, or the receipt was never of this chain. Publish again, or ask other nodes."
        return Judgement(Outcome.FAIL, AnchorState.ROLLBACK, summary, hint=hint, is_contrary=True)
    # 3.
    answered = len(opinions) - _count(opinions, Said.SILENT)
    if other or answered < quorum:
        return _unknown(opinions, quorum, answered)
    # 4.
    return _not_final(opinions, block)


def _unknown(opinions: Sequence[Opinion], quorum: int, answered: int) -> Judgement:
    trouble = next((opinion.trouble for opinion in opinions if opinion.trouble is not None), None)
    if answered >= quorum or trouble is None:
        said = "; ".join(f"{opinion.name} says {opinion.said}" for opinion in opinions)
        hint = "One of them lies or lags. Name more nodes under rpc."
        return Judgement(Outcome.UNCHECKED, AnchorState.UNAVAILABLE, f"the nodes disagree: {said}", hint=hint)
    summary = str(trouble) if len(opinions) == 1 else f"{answered} of {quorum} nodes needed answered: {trouble}"
    return Judgement(Outcome.UNCHECKED, AnchorState.UNAVAILABLE, summary, hint=trouble.hint)


def _not_final(opinions: Sequence[Opinion], block: Block) -> Judgement:
    summary, hint = f"block {block.number} is not final yet", "Wait, and verify again: on Ethereum about 15 minutes."
    for said in (Said.MOVED, Said.GONE):
        if _count(opinions, said):
            summary = f"not in block {block.number} any more: {_votes(opinions, said)} says {said}"
            return Judgement(Outcome.UNCHECKED, AnchorState.NOT_FINAL, summary, hint=REFRESH, is_contrary=True)
    return Judgement(Outcome.UNCHECKED, AnchorState.NOT_FINAL, summary, hint=hint)


def _votes(opinions: Sequence[Opinion], said: Said) -> str:
    """Name those who say so if they are few, else count them; and name who says otherwise."""
    for_it = [opinion for opinion in opinions if opinion.said is said]
    if len(opinions) == 1:
        return opinions[0].name
    against = [f"{opinion.name} says {opinion.said}" for opinion in opinions if opinion.said is not said]
    dissent = f" ({'; '.join(against)})" if against else ""
    return f"{len(for_it)} of {count(len(opinions), 'node')}{dissent}"


def _count(opinions: Sequence[Opinion], said: Said) -> int:
    return sum(opinion.said is said for opinion in opinions)
