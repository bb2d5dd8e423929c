"""Receipts of Ethereum: a block header and what leads from it to the digest, convincing to who trusts one block hash.

The header commits to the transactions and to their receipts; the transaction names its chain, is signed, and says what
it announces; its receipt tells that it succeeded and holds the event; what it announces is a commitment to a batch with
the digest in it. No field is believed that is not computed again, and nothing else is needed: no node, no web3.

Whoever makes up a block makes up its receipts too, so *who* announced *what* rests on the signature alone.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, ClassVar, Literal, Self

from pydantic import Field, model_validator

from mltrust.anchors.ethereum.proof import contract
from mltrust.anchors.ethereum.proof.batch import Place
from mltrust.anchors.ethereum.proof.header import Header
from mltrust.anchors.ethereum.proof.receipt_rlp import TransactionReceipt
from mltrust.anchors.ethereum.proof.signature import PUBLIC_KEY_SIZE, sender
from mltrust.anchors.ethereum.proof.transaction import MAX_CHAIN_ID, Transaction
from mltrust.anchors.ethereum.proof.trie import MAX_NODES, index_key, proven_value
from mltrust.core.digest import Digest
from mltrust.core.model import Document
from mltrust.core.receipt import EvidenceDocument, Receipt, TimeBounds
from mltrust.core.report import AnchorState
from mltrust.core.statement import Hex256
from mltrust.errors import ContradictionError, ForeignReceiptError, FormatError

KIND = "ethereum"
MAX_HEADER_BYTES = 2**14
MAX_NODE_BYTES = 2**18  # a node holds the whole transaction or receipt

_WHERE = "ethereum receipt"
_MAX_INDEX = 2**24 - 1  # of transactions in a block, and of events in a transaction


def _hex(size: int) -> object:
    return Field(pattern=rf"^[0-9a-f]{{{2 * size}}}$")


_Index = Annotated[int, Field(ge=0, le=_MAX_INDEX)]
_Bytes = r"^([0-9a-f]{2})+$"
_Proof = Annotated[
    list[Annotated[str, Field(pattern=_Bytes, max_length=2 * MAX_NODE_BYTES)]],
    Field(min_length=1, max_length=MAX_NODES),
]


class TransactionProof(Document):
    """The transaction at `index` of the block: trie nodes, the last of which holds it, and the key that signed it."""

    index: _Index
    public_key: Annotated[str, _hex(PUBLIC_KEY_SIZE)]
    proof: _Proof


class ReceiptProof(Document):
    """The receipt of the transaction: trie nodes, and which of its events it is (None if the data is what counts)."""

    proof: _Proof
    log_index: _Index | None


class Evidence(EvidenceDocument):
    """The evidence of a receipt: bytes are in lower-case hexadecimal, nodes and header as they were hashed.

    `contract` is who emitted the event, None where the transaction's data is the announcement.
    """

    called: ClassVar[str] = _WHERE

    mode: Literal["event", "calldata"]
    chain_id: Annotated[int, Field(ge=1, le=MAX_CHAIN_ID)]
    contract: Annotated[str, _hex(20)] | None
    batch: Place
    block_hash: Hex256
    header: Annotated[str, Field(pattern=_Bytes, max_length=2 * MAX_HEADER_BYTES)]
    transaction: TransactionProof
    receipt: ReceiptProof

    @model_validator(mode="after")
    def _in_one_mode(self) -> Self:
        is_event = self.mode == "event"
        if (self.contract is not None) != is_event or (self.receipt.log_index is not None) != is_event:
            raise ValueError("an event has a contract and a log index, calldata has neither")
        return self


@dataclass(frozen=True, slots=True)
class Proven:
    """What a receipt proves to someone who trusts `block_hash`; nothing here tells whom to trust.

    `author` is the account that announced: the one that signed the transaction, which says so itself, whoever vouches
    for the block. What a call means is up to the contract that is called, so `contract` must be known. Hashes have 32
    bytes, addresses 20.
    """

    mode: Literal["event", "calldata"]
    chain_id: int
    block_hash: bytes
    block_number: int
    transaction_hash: bytes
    commitment: bytes
    contract: bytes | None
    author: bytes
    time: TimeBounds


def receipt_for(digest: Digest, evidence: Evidence) -> Receipt:
    """Return the receipt of `digest` with this evidence, which `prove` has still to check."""
    header = Header.parse(bytes.fromhex(evidence.header), _WHERE)
    return Receipt(kind=KIND, digest=str(digest), time=_time(header), evidence=evidence.to_json())


def prove(receipt: Receipt, digest: Digest) -> Proven:
    """Check what `receipt` proves of `digest`, offline, trusting nothing.

    1. It is a receipt of Ethereum for this digest, with well-formed evidence.
    2. The digest is in the batch, which gives the commitment.
    3. The header has the block hash, and its time is the one that the receipt states.
    4. The header's transactions root leads to the transaction at its index; that is of the chain it is said to be.
    5. The public key is the one that signed the transaction, which gives the author.
    6. The header's receipts root leads to the receipt at the same index; the transaction succeeded.
    7. event: the transaction calls the contract itself to announce commitment and size of the batch, and the event at
       its index is the contract's, and announces the same, by the author.
       calldata: the transaction is to its author, and its data announces the commitment.

    Raises:
        ForeignReceiptError: The receipt is of another kind.
        ContradictionError: It proves nothing.
        AnchorError: Nothing can be checked here, for want of secp256k1.
    """
    # 1.
    if receipt.kind != KIND:
        raise ForeignReceiptError("not a receipt of Ethereum")
    if receipt.digest != str(digest):
        raise _refused("the receipt is for another digest")
    try:
        return _prove(Evidence.of(receipt), digest, receipt.time)
    except FormatError as error:
        raise _refused(f"the receipt proves nothing: {error.what}") from error


def _prove(evidence: Evidence, digest: Digest, time: TimeBounds) -> Proven:
    # 2.
    commitment = evidence.batch.commitment_to(digest)
    if commitment is None:
        raise FormatError(_WHERE, "the digest is not in the batch")
    # 3.
    header = Header.parse(bytes.fromhex(evidence.header), _WHERE)
    if header.hash.hex() != evidence.block_hash:
        raise FormatError(_WHERE, "the header is not of the block")
    if time != _time(header):
        raise FormatError(_WHERE, "the time is not that of the block")
    # 4.
    transaction = _transaction(evidence, header)
    # 5.
    signer = sender(transaction, bytes.fromhex(evidence.transaction.public_key), _WHERE)
    # 6.
    logs = _logs(evidence, header, transaction)
    # 7.
    _require_call(evidence, commitment, transaction, signer)
    if evidence.mode == "event":
        _require_event(evidence, commitment, logs, signer)
    return Proven(
        mode=evidence.mode,
        chain_id=transaction.chain_id,
        block_hash=header.hash,
        block_number=header.number,
        transaction_hash=transaction.hash,
        commitment=commitment,
        contract=None if evidence.contract is None else bytes.fromhex(evidence.contract),
        author=signer,
        time=time,
    )


def _transaction(evidence: Evidence, header: Header) -> Transaction:
    raw = _at(evidence, header.transactions_root, evidence.transaction.proof)
    transaction = Transaction.parse(raw, _WHERE)
    if transaction.chain_id != evidence.chain_id:
        raise FormatError(_WHERE, f"the transaction is of chain {transaction.chain_id}")
    return transaction


def _logs(evidence: Evidence, header: Header, transaction: Transaction) -> tuple[contract.Log, ...]:
    raw = _at(evidence, header.receipts_root, evidence.receipt.proof)
    receipt = TransactionReceipt.parse(raw, _WHERE)
    if receipt.type != transaction.type:
        raise FormatError(_WHERE, "the receipt is of another type than the transaction")
    if not receipt.succeeded:
        raise FormatError(_WHERE, "the transaction failed")
    return receipt.logs


def _at(evidence: Evidence, root: bytes, proof: list[str]) -> bytes:
    nodes = [bytes.fromhex(node) for node in proof]
    return proven_value(root, index_key(evidence.transaction.index), nodes, _WHERE)


def _require_call(evidence: Evidence, commitment: bytes, transaction: Transaction, signer: bytes) -> None:
    """Require that what was signed is the announcement, and nothing besides."""
    if evidence.contract is None:
        to, data = signer, contract.calldata(commitment)
    else:
        to, data = bytes.fromhex(evidence.contract), contract.encode_anchor(commitment, evidence.batch.size)
    if transaction.to != to or transaction.data != data:
        raise FormatError(_WHERE, "the transaction announces something else, or to somebody else")


def _require_event(evidence: Evidence, commitment: bytes, logs: tuple[contract.Log, ...], signer: bytes) -> None:
    index = evidence.receipt.log_index or 0
    log = logs[index] if index < len(logs) else None
    if log is None or log.address.hex() != evidence.contract:
        raise FormatError(_WHERE, "no event of the contract is there")
    if contract.decode_event(log) != contract.Anchored(commitment, signer, evidence.batch.size):
        raise FormatError(_WHERE, "the event announces something else, or by somebody else")


def _time(header: Header) -> TimeBounds:
    try:
        time = datetime.fromtimestamp(header.timestamp, UTC)
    except (ValueError, OverflowError, OSError) as error:
        raise FormatError(_WHERE, "the time of the block is out of range") from error
    return TimeBounds(not_after=time.strftime("%Y-%m-%dT%H:%M:%SZ"))


def _refused(message: str) -> ContradictionError:
    return ContradictionError(message, state=AnchorState.REPLACED)
