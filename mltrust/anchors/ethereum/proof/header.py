"""Block headers as their raw RLP, which is what a block hash is the Keccak-256 of (Yellow Paper, section 4.4.3).

The first fifteen fields have stood where they are since the first block; forks add more at the end. Those after the
fifteenth are not read, so that the headers of later forks are read too.
"""

from dataclasses import dataclass
from typing import Self

from mltrust.anchors.ethereum.proof import rlp
from mltrust.anchors.ethereum.proof.keccak import keccak256
from mltrust.errors import FormatError

_U64 = 2**64 - 1
_TRANSACTIONS_ROOT, _RECEIPTS_ROOT, _NUMBER, _TIMESTAMP = 4, 5, 8, 11
_SIZES = {0: 32, 1: 32, 2: 20, 3: 32, 4: 32, 5: 32, 6: 256, 13: 32, 14: 8}
_INTEGERS = {7: 2**256 - 1, 8: _U64, 9: _U64, 10: _U64, 11: _U64}
_EXTRA_DATA = 12
_FIELDS = 15


@dataclass(frozen=True, slots=True)
class Header:
    """What is read of a header: hash and roots (32 bytes each), number, and the time in seconds since 1970 (UTC)."""

    hash: bytes
    number: int
    timestamp: int
    transactions_root: bytes
    receipts_root: bytes

    @classmethod
    def parse(cls, raw: bytes, where: str) -> Self:
        """Read the RLP of a header; any surprise in its first fifteen fields is a `FormatError`."""
        fields = rlp.items(rlp.decode(raw, where), where)
        if len(fields) < _FIELDS:
            raise FormatError(where, f"a header of {len(fields)} fields, fewer than {_FIELDS}")
        strings = {index: rlp.string(fields[index], where, size) for index, size in _SIZES.items()}
        integers = {index: rlp.integer(fields[index], where, most) for index, most in _INTEGERS.items()}
        rlp.string(fields[_EXTRA_DATA], where)
        return cls(
            keccak256(raw),
            integers[_NUMBER],
            integers[_TIMESTAMP],
            strings[_TRANSACTIONS_ROOT],
            strings[_RECEIPTS_ROOT],
        )
