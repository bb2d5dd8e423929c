"""Searching a chain for a digest: the events of the contract that announce it alone.

A digest of a larger batch cannot be searched for, since its commitment is not known. A node may leave events out, so
what is found is proven anew, and that nothing is found proves nothing.
"""

import time

from mltrust.anchors.ethereum.chain.build import build
from mltrust.anchors.ethereum.chain.node import Node, Object
from mltrust.anchors.ethereum.chain.rpc import RefusedError
from mltrust.anchors.ethereum.proof import contract
from mltrust.anchors.ethereum.proof.batch import Batch, Place
from mltrust.anchors.ethereum.proof.evidence import prove, receipt_for
from mltrust.anchors.ethereum.sending.session import Session
from mltrust.core.canonical import Json
from mltrust.core.digest import Digest
from mltrust.core.receipt import Receipt
from mltrust.errors import AnchorError, ContradictionError

_MAX_FOUND = 8
_WINDOW = 10_000  # blocks: what nodes that bound a search still take
_WINDOWS = 32
_METHOD = "eth_getLogs"
_BUDGET_SECONDS = 60.0


def receipts(session: Session, digest: Digest, authors: frozenset[bytes]) -> list[Receipt]:
    """Return receipts for `digest`, announced alone by one of `authors`; none if none is found."""
    batch, node = Batch([digest]), session.nodes[0]
    place = batch.place(digest)
    found = []
    deadline = time.monotonic() + _BUDGET_SECONDS
    for transaction in _transactions(node, session.contract, batch.commitment, authors, deadline):
        _require_time(node, deadline)
        receipt = _receipt(session, node, transaction, place, digest)
        if receipt is not None:
            found.append(receipt)
    return found


def _receipt(session: Session, node: Node, transaction: bytes, batch: Place, digest: Digest) -> Receipt | None:
    place = node.place(transaction)
    if place is None:
        return None
    receipt = receipt_for(digest, build(node, transaction, place, session.contract, batch))
    try:
        prove(receipt, digest)
    except ContradictionError:
        return None  # of a call through another contract, or the node made it up: no more than not found
    return receipt


def _transactions(
    node: Node, address: bytes, commitment: bytes, authors: frozenset[bytes], deadline: float
) -> list[bytes]:
    by: list[Json] = [f"0x{author.hex():0>64}" for author in sorted(authors)]
    topics: list[Json] = [f"0x{contract.TOPIC.hex()}", f"0x{commitment.hex()}", by]
    asked: Object = {"address": f"0x{address.hex()}", "topics": topics}
    hashes = [node.data(log.get("transactionHash"), _METHOD, 32) for log in _logs(node, asked, deadline)]
    return list(dict.fromkeys(hashes))[:_MAX_FOUND]


def _logs(node: Node, asked: Object, deadline: float) -> list[Object]:
    """Search the whole chain; where the node bounds a search, the last blocks, window by window."""
    try:
        return _asked(node, asked, 0, None)
    except RefusedError:
        head = node.block("latest")
    try:
        for last in range(head.number if head else -1, -1, -_WINDOW)[:_WINDOWS]:
            _require_time(node, deadline)
            if found := _asked(node, asked, max(0, last - _WINDOW + 1), last):
                return found
    except RefusedError:
        pass  # it does not search
    return []


def _require_time(node: Node, deadline: float) -> None:
    if time.monotonic() > deadline:
        raise AnchorError(f"{node.name} takes too long to search", hint="Name a faster node under rpc.")


def _asked(node: Node, asked: Object, first: int, last: int | None) -> list[Object]:
    to = "latest" if last is None else hex(last)
    found = node.rpc.read(_METHOD, {**asked, "fromBlock": hex(first), "toBlock": to})
    return [log for log in found if isinstance(log, dict)] if isinstance(found, list) else []
