"""The contract `AnchorLog`, and the two ways to write a commitment into a transaction; offline, encoded by hand.

    event     anchor(bytes32 commitment, uint64 size) of AnchorLog, which emits
              Anchored(bytes32 indexed commitment, address indexed by, uint64 size)
    calldata  a transaction to oneself whose data is MAGIC and the commitment: no contract needed

AnchorLog stands at one address on every chain: the deterministic deployment proxy deploys it with CREATE2 (EIP-1014),
so that the address commits to the code. Calls and events are encoded as the contract ABI specification says.
"""

import json
from dataclasses import dataclass
from importlib.resources import files

MAGIC = b"mlt1"
"""The first 4 bytes of the data of a transaction that anchors without a contract."""

FACTORY = bytes.fromhex("4e59b44847b379578588920ca78fbf26c0b4956c")
"""The deterministic deployment proxy: it takes a salt of 32 bytes and init code, and deploys that with CREATE2."""

ADDRESS = bytes.fromhex("69517db5b5a7a08114a7395c473b3682cac31d6b")
"""Where AnchorLog is on every chain on which somebody sent `DEPLOYMENT` to `FACTORY`."""

SALT = bytes(32)
SELECTOR = bytes.fromhex("db2c4aca")
TOPIC = bytes.fromhex("0733e5a0823eaea6686da77c223c685bd0c96ab61f1323c5ab21d5ecc786f53a")

_ARTIFACT = json.loads(files("mltrust.anchors.ethereum").joinpath("AnchorLog.json").read_bytes())
DEPLOYMENT = SALT + bytes.fromhex(_ARTIFACT["bytecode"])
"""The data of the transaction to `FACTORY` that deploys AnchorLog."""

RUNTIME_CODE = bytes.fromhex(_ARTIFACT["deployedBytecode"])
"""What stands at `ADDRESS` once it is deployed."""

_WORD = 32
_TOPICS = 3  # of the event: its own, commitment, by
_ADDRESS_SIZE = 20
_SIZE_BYTES = 8


@dataclass(frozen=True, slots=True)
class Log:
    """An event as a receipt holds it: who emitted it (20 bytes), up to four topics of 32 bytes, and data."""

    address: bytes
    topics: tuple[bytes, ...]
    data: bytes


@dataclass(frozen=True, slots=True)
class Anchored:
    """What an `Anchored` event says: the commitment, the account (20 bytes) that called, the number of digests.

    The word of the contract that emitted it: worth nothing unless that is AnchorLog.
    """

    commitment: bytes
    by: bytes
    size: int


def encode_anchor(commitment: bytes, size: int) -> bytes:
    """Return the data of a call that announces `commitment` (32 bytes), to a batch of `size` (a uint64) digests."""
    return SELECTOR + _checked(commitment) + size.to_bytes(_SIZE_BYTES, "big").rjust(_WORD, b"\0")


def decode_event(log: Log) -> Anchored | None:
    """Return what `log` says if it is an `Anchored` event in the only encoding of one; None if not."""
    if len(log.topics) != _TOPICS or log.topics[0] != TOPIC or len(log.data) != _WORD:
        return None
    padding, by = log.topics[2][:-_ADDRESS_SIZE], log.topics[2][-_ADDRESS_SIZE:]
    more_padding, size = log.data[:-_SIZE_BYTES], log.data[-_SIZE_BYTES:]
    return None if any(padding + more_padding) else Anchored(log.topics[1], by, int.from_bytes(size, "big"))


def calldata(commitment: bytes) -> bytes:
    """Return the data of a transaction to oneself that publishes `commitment` (32 bytes) without a contract."""
    return MAGIC + _checked(commitment)


def _checked(commitment: bytes) -> bytes:
    if len(commitment) != _WORD:
        raise ValueError(f"a commitment has 32 bytes, not {len(commitment)}")
    return commitment
