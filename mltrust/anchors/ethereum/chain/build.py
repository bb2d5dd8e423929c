"""Building the evidence of a receipt from what a node tells, so that nobody has to ask a node again.

Nothing told is believed: the header must have the block hash, and the tries of transactions and receipts, built anew,
the roots in the header. So a node can make up a whole block, and nothing within one; whether the chain has that block
is not decided here.
"""

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from mltrust.anchors.ethereum.chain import encoding
from mltrust.anchors.ethereum.chain.node import Node, Object, Place
from mltrust.anchors.ethereum.chain.recovery import INSTALL, public_key
from mltrust.anchors.ethereum.chain.rpc import RefusedError
from mltrust.anchors.ethereum.proof import rlp
from mltrust.anchors.ethereum.proof.batch import Place as BatchPlace
from mltrust.anchors.ethereum.proof.batch import commitment
from mltrust.anchors.ethereum.proof.contract import decode_event
from mltrust.anchors.ethereum.proof.evidence import Evidence, ReceiptProof, TransactionProof
from mltrust.anchors.ethereum.proof.header import Header
from mltrust.anchors.ethereum.proof.keccak import keccak256
from mltrust.anchors.ethereum.proof.receipt_rlp import TransactionReceipt
from mltrust.anchors.ethereum.proof.transaction import Transaction
from mltrust.anchors.ethereum.proof.trie import index_key
from mltrust.core.canonical import Json
from mltrust.errors import AnchorError, FormatError

BUDGET_SECONDS = 120.0

_WHERE = "ethereum node"
_MAX_TRANSACTIONS = 20_000  # no block of any known chain holds as many
_HASH = 32
_OTHER_NODE = "Name another node under rpc; one that answers debug_getRawHeader and debug_getRawReceipts helps."


class MovedError(AnchorError):
    """The chain changed while the block was read: asking again is right."""

    def __init__(self, node: Node, place: Place) -> None:
        super().__init__(f"{node.name}: block {place.block.number} was replaced", hint="Run it again.")


def build(node: Node, transaction: bytes, place: Place, contract: bytes | None, batch: BatchPlace) -> Evidence:
    """Return the evidence that `transaction` is at `place` and announces what `batch` commits to.

    `contract` is whose event counts; without one the data of the transaction does.

    1. The block of the place, with all its transactions; its header, written again, has the block hash.
    2. Its transactions, written again, have their hashes, and their trie the root in the header.
    3. Its receipts, written again: their trie has the root in the header.
    4. The transaction at its index is the one asked for, and its signature gives the public key.
    5. Among its events is the contract's.

    Raises:
        MovedError: The block is no longer in the chain.
        AnchorError: The node does not tell enough, or a fork changed what blocks are made of.
    """
    try:
        # 1. to 4.
        found = _found(node, transaction, place)
        # 5.
        log_index = None if contract is None else _log_index(found.receipt, contract, batch)
    except FormatError as error:
        raise _unreadable(node, place, error) from error
    return Evidence(
        mode="calldata" if contract is None else "event",
        chain_id=found.parsed.chain_id,
        contract=None if contract is None else contract.hex(),
        batch=batch,
        block_hash=place.block.hash.hex(),
        header=found.header.hex(),
        transaction=TransactionProof(
            index=place.index,
            public_key=public_key(found.parsed).hex(),
            proof=found.transactions.proof(place.index),
        ),
        receipt=ReceiptProof(proof=found.receipts.proof(place.index), log_index=log_index),
    )


def succeeded(node: Node, transaction: bytes, place: Place) -> bool:
    """Tell whether `transaction`, which is at `place`, did what it was for: by its receipt, proven as in `build`.

    Raises:
        MovedError: The block is no longer in the chain.
        AnchorError: The node does not tell enough, or a fork changed what blocks are made of.
    """
    try:
        return TransactionReceipt.parse(_found(node, transaction, place).receipt, _WHERE).succeeded
    except FormatError as error:
        raise _unreadable(node, place, error) from error


@dataclass(frozen=True, slots=True)
class _Found:
    """A transaction in its block: all that was told of it makes the roots in a header that has the block's hash."""

    header: bytes
    transactions: "_Values"
    receipts: "_Values"
    parsed: Transaction
    receipt: bytes


def _found(node: Node, transaction: bytes, place: Place) -> _Found:
    """Take steps 1 to 4 of `build`, within `BUDGET_SECONDS` for what is asked one by one."""
    deadline = _Deadline(node, place)
    # 1.
    block = node.raw_block(place.block.number, full=True)
    if block is None or node.data(block.get("hash"), "block", _HASH) != place.block.hash:
        raise MovedError(node, place)
    raw_header = _header(node, block, place.block.hash)
    header = Header.parse(raw_header, _WHERE)
    # 2.
    told = [lambda: _transactions(node, block, deadline)]
    transactions = _of_root(header.transactions_root, told, place, "transactions")
    # 3.
    receipts = _of_root(header.receipts_root, _ways(node, place, block, deadline), place, "receipts")
    # 4.
    if keccak256(transactions.values[place.index]) != transaction:
        raise MovedError(node, place)
    parsed = Transaction.parse(transactions.values[place.index], _WHERE)
    return _Found(raw_header, transactions, receipts, parsed, receipts.values[place.index])


class _Deadline:
    """Ends what asks a node many times: each answer may take a while, and a block has thousands of transactions."""

    def __init__(self, node: Node, place: Place) -> None:
        self._node, self._place = node, place
        self._end = time.monotonic() + BUDGET_SECONDS

    def check(self) -> None:
        """Raise `AnchorError` if it has passed."""
        if time.monotonic() > self._end:
            what = f"{self._node.name} did not tell block {self._place.block.number} within {BUDGET_SECONDS:g} s"
            raise AnchorError(what, hint=_OTHER_NODE)


def _unreadable(node: Node, place: Place, error: FormatError) -> AnchorError:
    return AnchorError(f"{node.name}: block {place.block.number}: {error.what}", hint=_OTHER_NODE)


class _Values:
    """The transactions or receipts of a block, and the trie they make by index (Yellow Paper, section 4.4.1)."""

    def __init__(self, values: Sequence[bytes]) -> None:
        try:
            from trie.hexary import HexaryTrie
        except ImportError as error:
            raise AnchorError("receipts are built with the extra ethereum", hint=INSTALL) from error
        self.values = values
        self._trie: Any = HexaryTrie({})
        for index, value in enumerate(values):
            self._trie[index_key(index)] = value

    @property
    def root(self) -> bytes:
        return bytes(self._trie.root_hash)

    def proof(self, index: int) -> list[str]:
        """Return the nodes to the value at `index`, without those that stand in another."""
        nodes = [rlp.encode(node) for node in self._trie.get_proof(index_key(index))]
        return [node.hex() for number, node in enumerate(nodes) if number == 0 or len(node) >= _HASH]


_Way = Callable[[], Iterable[bytes | None]]


def _of_root(root: bytes, ways: Iterable[_Way], place: Place, what: str) -> _Values:
    """Return the values from the first way of asking that gives all of them, and this root."""
    for way in ways:
        raws = list(way())
        values = [raw for raw in raws if raw is not None]
        if place.index < len(values) == len(raws):
            found = _Values(values)
            if found.root == root:
                return found
    raise AnchorError(f"the {what} of block {place.block.number} do not make its root as told", hint=_OTHER_NODE)


def _header(node: Node, block: Object, block_hash: bytes) -> bytes:
    ways: tuple[_Way, ...] = (
        lambda: [encoding.header(block, block_hash)],
        lambda: [_asked(node, "debug_getRawHeader", block.get("number"))],
        lambda: [_header_of(_asked(node, "debug_getRawBlock", block.get("number")))],
    )
    for way in ways:
        for raw in way():
            if raw is not None and keccak256(raw) == block_hash:
                return raw
    message = f"{node.name}: the header of block 0x{block_hash.hex()} has an unknown header field"
    raise AnchorError(message, hint=f"A newer mltrust may know it. {_OTHER_NODE}")


def _header_of(block: bytes | None) -> bytes | None:
    parts = [] if block is None else rlp.items(rlp.decode(block, _WHERE), _WHERE)
    return rlp.encode(parts[0]) if parts else None


def _transactions(node: Node, block: Object, deadline: _Deadline) -> Iterator[bytes]:
    for told in _objects(block.get("transactions")):
        deadline.check()
        yield encoding.transaction(told) or _raw(node, told)


def _raw(node: Node, told: Object) -> bytes:
    # Of a type that is not known here, or told in a way of its own.
    for method in ("eth_getRawTransactionByHash", "debug_getRawTransaction"):
        raw = _asked(node, method, told.get("hash"))
        if raw is not None and keccak256(raw) == node.data(told.get("hash"), method, _HASH):
            return raw
    message = f"{node.name}: a transaction of type {str(told.get('type'))[:10]!a} in the block cannot be read"
    raise AnchorError(message, hint="Name a node that answers eth_getRawTransactionByHash.")


def _ways(node: Node, place: Place, block: Object, deadline: _Deadline) -> Iterator[_Way]:
    number = hex(place.block.number)
    yield lambda: map(encoding.receipt, _objects(_asked_json(node, "eth_getBlockReceipts", number)))
    yield lambda: [_bytes(node, raw) for raw in _list(_asked_json(node, "debug_getRawReceipts", number))]
    yield lambda: map(encoding.receipt, _one_by_one(node, block, deadline))


def _one_by_one(node: Node, block: Object, deadline: _Deadline) -> Iterator[Object]:
    for told in _objects(block.get("transactions")):
        deadline.check()
        yield from _objects([_asked_json(node, "eth_getTransactionReceipt", told.get("hash"))])


def _log_index(raw: bytes, contract: bytes, batch: BatchPlace) -> int:
    wanted = (commitment(batch.size, bytes.fromhex(batch.root)), batch.size)
    for index, log in enumerate(TransactionReceipt.parse(raw, _WHERE).logs):
        event = decode_event(log) if log.address == contract else None
        if event is not None and (event.commitment, event.size) == wanted:
            return index
    raise AnchorError("the transaction announced something else", hint="Is the contract the right one?")


def _asked(node: Node, method: str, parameter: Json) -> bytes | None:
    return _bytes(node, _asked_json(node, method, parameter))


def _asked_json(node: Node, method: str, parameter: Json) -> Json:
    """Ask; a node that does not know the method knows nothing."""
    try:
        return node.rpc.read(method, parameter)
    except RefusedError:
        return None


def _bytes(node: Node, value: Json) -> bytes | None:
    return None if value is None else node.data(value, "raw data")


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) and len(value) <= _MAX_TRANSACTIONS else []


def _objects(value: Json) -> list[Object]:
    return [one for one in _list(value) if isinstance(one, dict)]
