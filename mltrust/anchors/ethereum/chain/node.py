"""What a node says about a chain, strictly parsed. Nothing here is believed further than the node is.

Hashes are 32 bytes, addresses 20; a number the node does not know is None.
"""

import re
from dataclasses import dataclass

from mltrust.anchors.ethereum.chain.rpc import RefusedError, Rpc, UnreachableError
from mltrust.core.canonical import MAX_INTEGER, Json

_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
_DATA = re.compile(r"0x(?:[0-9a-fA-F]{2})*")

_MAX_PAID = 10**30  # wei: more than there is of any coin

Object = dict[str, Json]


class NoFinalityError(RefusedError):
    """The node has no tag `finalized`, and nothing was said about confirmations."""


@dataclass(frozen=True, slots=True)
class Block:
    """A block by number and hash."""

    number: int
    hash: bytes


@dataclass(frozen=True, slots=True)
class Place:
    """Where a node says a transaction was included, whether it succeeded, and what it cost in wei (None: nonsense)."""

    block: Block
    index: int
    succeeded: bool
    paid: int | None


class Node:
    """One node, asked typed questions. An answer of the wrong form is an `UnreachableError`."""

    def __init__(self, rpc: Rpc) -> None:
        self.rpc = rpc
        self.name = rpc.name

    def chain_id(self) -> int:
        """Return the chain id (EIP-155) the node says it serves."""
        return self.number(self.rpc.read("eth_chainId"), "eth_chainId")

    def finalized(self, confirmations: int | None) -> Block | None:
        """Return the last block under the tag `finalized`; None if there is none yet.

        Where the node does not know the tag, that is the one so many `confirmations` below the head.

        Raises:
            NoFinalityError: It does not know the tag, and `confirmations` is None.
        """
        try:
            return self.block("finalized")
        except RefusedError as error:
            if confirmations is None:
                raise NoFinalityError(f"{self.name} does not know which blocks are final", error.said) from error
        head = self.block("latest")
        return None if head is None or head.number < confirmations else self.block(head.number - confirmations)

    def block(self, which: int | str) -> Block | None:
        """Return the canonical block of a number or under a tag; None if there is none."""
        found = self.raw_block(which)
        if found is None:
            return None
        block = Block(self.count(found.get("number"), "block"), self.data(found.get("hash"), "block", 32))
        if isinstance(which, int) and block.number != which:
            raise self._surprise("eth_getBlockByNumber")
        return block

    def raw_block(self, which: int | str, *, full: bool = False) -> Object | None:
        """Return a canonical block as the node tells it, with its transactions if `full`."""
        tag = hex(which) if isinstance(which, int) else which
        return self.object_or_none(self.rpc.read("eth_getBlockByNumber", tag, full), "eth_getBlockByNumber")

    def place(self, transaction: bytes) -> Place | None:
        """Return where a transaction was included; None if it was not, as far as the node knows."""
        method = "eth_getTransactionReceipt"
        found = self.object_or_none(self.rpc.read(method, _hex(transaction)), method)
        if found is None or found.get("blockHash") is None:
            return None
        if self.data(found.get("transactionHash"), method, 32) != transaction:
            raise self._surprise(method)
        block = Block(self.count(found.get("blockNumber"), method), self.data(found.get("blockHash"), method, 32))
        gas, price = (self.number(found.get(key, "0x0"), method) for key in ("gasUsed", "effectiveGasPrice"))
        index, status = (self.number(found.get(key), method) for key in ("transactionIndex", "status"))
        return Place(block, index, status == 1, gas * price if gas * price < _MAX_PAID else None)

    def knows(self, transaction: bytes) -> bool:
        """Tell whether the node has a transaction, included or waiting."""
        method = "eth_getTransactionByHash"
        return self.object_or_none(self.rpc.read(method, _hex(transaction)), method) is not None

    def code(self, address: bytes) -> bytes:
        """Return the code at an address, empty if there is none."""
        return self.data(self.rpc.read("eth_getCode", _hex(address), "latest"), "eth_getCode")

    def used(self, address: bytes, tag: str) -> int:
        """Return how many nonces of an account are used as of `tag`: `latest` counts included transactions only."""
        answer = self.rpc.read("eth_getTransactionCount", _hex(address), tag)
        return self.count(answer, "eth_getTransactionCount")

    def number(self, value: Json, what: str) -> int:
        """Parse a quantity."""
        if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
            raise self._surprise(what)
        return int(value, 16)

    def count(self, value: Json, what: str) -> int:
        """Parse a quantity of what is counted one by one, so that it stays below 2^53."""
        if (number := self.number(value, what)) > MAX_INTEGER:
            raise self._surprise(what)
        return number

    def data(self, value: Json, what: str, size: int | None = None) -> bytes:
        """Parse bytes, of `size` if given."""
        if not isinstance(value, str) or not _DATA.fullmatch(value) or size not in (None, len(value) // 2 - 1):
            raise self._surprise(what)
        return bytes.fromhex(value[2:])

    def object_or_none(self, value: Json, what: str) -> Object | None:
        """Return an object, or None for null."""
        if value is not None and not isinstance(value, dict):
            raise self._surprise(what)
        return value

    def _surprise(self, what: str) -> UnreachableError:
        return UnreachableError(f"{self.name} gave {what} another form than it has", hint="Name another node.")


def _hex(data: bytes) -> str:
    return "0x" + data.hex()
