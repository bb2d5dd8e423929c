"""Transaction receipts as the receipts trie holds them (EIP-2718, EIP-658; Yellow Paper, section 4.4.1)."""

from dataclasses import dataclass
from typing import Self

from mltrust.anchors.ethereum.proof import rlp
from mltrust.anchors.ethereum.proof.contract import Log
from mltrust.anchors.ethereum.proof.transaction import split_type
from mltrust.errors import FormatError

_U64 = 2**64 - 1
_FIELDS, _LOG_FIELDS = 4, 3  # status, gas used so far, bloom, logs; and address, topics, data
_BLOOM, _ADDRESS, _WORD = 256, 20, 32
_MAX_TOPICS = 4


@dataclass(frozen=True, slots=True)
class TransactionReceipt:
    """What became of a transaction of `type`: whether it succeeded, and the events of its contracts, in order."""

    type: int
    succeeded: bool
    logs: tuple[Log, ...]

    @classmethod
    def parse(cls, raw: bytes, where: str) -> Self:
        """Read a receipt of a kind of transaction that can anchor; any surprise is a `FormatError`.

        One from before EIP-658 has no status, and one of a deposit (OP stack) has more fields: both are refused.
        """
        kind, payload = split_type(raw, where)
        fields = rlp.items(rlp.decode(payload, where), where, _FIELDS)
        status = rlp.integer(fields[0], where, 1)
        rlp.integer(fields[1], where, _U64)
        rlp.string(fields[2], where, _BLOOM)
        return cls(kind, status == 1, tuple(_log(item, where) for item in rlp.items(fields[3], where)))


def _log(item: rlp.Item, where: str) -> Log:
    fields = rlp.items(item, where, _LOG_FIELDS)
    topics = rlp.items(fields[1], where)
    if len(topics) > _MAX_TOPICS:
        raise FormatError(where, f"an event of {len(topics)} topics")
    return Log(
        rlp.string(fields[0], where, _ADDRESS),
        tuple(rlp.string(topic, where, _WORD) for topic in topics),
        rlp.string(fields[2], where),
    )
