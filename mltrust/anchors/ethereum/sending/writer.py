"""What it takes to send: fees, gas, balances and raw transactions, through web3 over our own bounded transport.

web3 is only needed here. Its transport is not used, and so neither are its retries, which repeat
`eth_sendRawTransaction`; and reading by redirect (CCIP-read, EIP-3668) is off: a contract must not choose whom this
machine calls.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from mltrust.anchors.ethereum.chain.node import Node
from mltrust.anchors.ethereum.chain.recovery import INSTALL
from mltrust.anchors.ethereum.chain.rpc import RefusedError, Rpc, UnreachableError
from mltrust.anchors.ethereum.proof.addresses import checksummed
from mltrust.errors import AnchorError

if TYPE_CHECKING:
    from web3 import Web3

MIN_TIP = 1_000_000  # wei; an idle chain says 0, with which some nodes take nothing
MAX_GAS = 2**24  # a transaction may use no more (EIP-7825)

_HISTORY = 10
_PERCENTILE = 50.0
_ROOM = 6, 5  # of the estimate: the state may change before the transaction is included

# Each node has words and codes of its own; families of words are what they share.
_KNOWN = re.compile(
    r"already known|already imported|known transaction|already exists|already in (the )?(mem)?pool", re.I
)
_NONCE = re.compile(r"nonce (is )?too low|invalid nonce|nonce has already|nonce already|old nonce", re.I)
_UNDERPRICED = re.compile(r"replac\w* .*(underpriced|fee|gas)|underpriced", re.I)


class Taken(StrEnum):
    """What a node said of a raw transaction: `nonce` and `replacing` tell that another took its place, or holds it."""

    ACCEPTED = "accepted"
    NONCE = "nonce"
    REPLACING = "replacing"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True)
class Fees:
    """What a unit of gas costs, in wei: in the next block, and the tip that half of the senders gave lately."""

    base: int
    tip: int

    @property
    def most(self) -> int:
        """What to offer at most: enough while the base fee doubles."""
        return 2 * self.base + self.tip


class Writer:
    """One node, asked for what sending takes."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self._web3 = _connect(node.rpc)

    def fees(self) -> Fees:
        """Return what a unit of gas costs now."""
        with self._asking("eth_feeHistory"):
            told: Any = self._web3.eth.fee_history(_HISTORY, "latest", [_PERCENTILE])
            tips = sorted(int(reward[0]) for reward in told.get("reward") or [[0]])
            bases = told["baseFeePerGas"] or [self._web3.eth.get_block("latest")["baseFeePerGas"]]  # of a new chain
            return Fees(int(bases[-1]), max(MIN_TIP, tips[len(tips) // 2]))

    def gas(self, sender: bytes, to: bytes, data: bytes) -> int:
        """Return how much gas a transaction needs, with some room; a node that refuses tells that it would fail."""
        asked: Any = {"from": checksummed(sender), "to": checksummed(to), "data": "0x" + data.hex(), "value": 0}
        with self._asking("eth_estimateGas"):
            estimate = int(self._web3.eth.estimate_gas(asked))
        if not 0 < estimate <= MAX_GAS:
            raise AnchorError(f"{self.node.name}: the transaction would need {estimate} gas", hint="Name another node.")
        return min(MAX_GAS, estimate * _ROOM[0] // _ROOM[1])

    def balance(self, address: bytes) -> int:
        """Return what an account has, in wei."""
        asked: Any = checksummed(address)
        with self._asking("eth_getBalance"):
            return int(self._web3.eth.get_balance(asked))

    def send(self, raw: bytes, transaction: bytes) -> Taken:
        """Send a raw transaction, once; `transaction` is its hash.

        Whatever the node answers, or does not, what counts is whether it has the transaction.

        Raises:
            RefusedError: The node does not take it, for a reason that has nothing to do with its nonce.
        """
        try:
            with self._asking("eth_sendRawTransaction"):
                self._web3.eth.send_raw_transaction(raw)
        except RefusedError as error:
            return self._despite(error, transaction)
        except UnreachableError:
            return Taken.ACCEPTED if self._has(transaction) else Taken.UNKNOWN
        return Taken.ACCEPTED

    def _despite(self, error: RefusedError, transaction: bytes) -> Taken:
        if _KNOWN.search(error.said) or self._has(transaction):
            return Taken.ACCEPTED
        if _NONCE.search(error.said):
            return Taken.NONCE
        if _UNDERPRICED.search(error.said):
            return Taken.REPLACING
        raise error

    def _has(self, transaction: bytes) -> bool:
        try:
            return self.node.knows(transaction)
        except AnchorError:
            return False

    @contextmanager
    def _asking(self, method: str) -> Iterator[None]:
        try:
            yield
        except AnchorError:
            raise
        except Exception as error:  # the socket of web3: what a node answers may break it in any way
            raise UnreachableError(
                f"{self.node.name} gave {method} another form than it has: {type(error).__name__}",
                hint="Name another node.",
            ) from error


def _connect(rpc: Rpc) -> "Web3":
    try:
        from web3 import Web3
        from web3.providers.base import JSONBaseProvider
    except ImportError as error:
        raise AnchorError("sending needs the extra ethereum", hint=INSTALL) from error

    class Transport(JSONBaseProvider):
        global_ccip_read_enabled = False

        def make_request(self, method: Any, params: Any) -> Any:  # noqa: ANN401  # as web3 declares it
            ask: Callable[..., object] = rpc.call if method == "eth_sendRawTransaction" else rpc.read
            return {"jsonrpc": "2.0", "id": 1, "result": ask(str(method), *params)}

    return Web3(Transport(), middleware=[])
