"""Signed transactions as the transactions trie holds them: EIP-155 legacy, EIP-2930, EIP-1559, EIP-4844 and EIP-7702.

All of these name their chain. One from before EIP-155 could have been replayed from any chain, and is refused as every
unknown type is, such as the deposits of the OP stack, which nobody signed.
"""

from dataclasses import dataclass
from typing import NamedTuple, Self

from mltrust.anchors.ethereum.proof import rlp
from mltrust.anchors.ethereum.proof.keccak import keccak256
from mltrust.errors import FormatError

ADDRESS_SIZE = 20
MAX_CHAIN_ID = 2**53 - 1  # what our documents can name

_U64 = 2**64 - 1
_LIST = 0xC0
_LEGACY = 0
_EIP_155 = 35  # v is twice the chain id, and 35 or 36


class _Layout(NamedTuple):
    """How many fields there are, and where those are that are read; value and data follow `to`, r and s come last."""

    fields: int
    nonce: int
    to: int


_LAYOUTS = {0: _Layout(9, 0, 3), 1: _Layout(11, 1, 4), 2: _Layout(12, 1, 5), 3: _Layout(14, 1, 5), 4: _Layout(13, 1, 5)}


@dataclass(frozen=True, slots=True)
class Transaction:
    """What is read of a transaction; `to` (20 bytes) is None if it makes a contract, `parity` is that of R's y.

    `hash` names it; `signing_hash` is what r, s and the parity are the signature of.
    """

    type: int
    chain_id: int
    nonce: int
    to: bytes | None
    value: int
    data: bytes
    parity: int
    r: int
    s: int
    hash: bytes
    signing_hash: bytes

    @classmethod
    def parse(cls, raw: bytes, where: str) -> Self:
        """Read a raw transaction; any surprise is a `FormatError`. The signature is not checked: see `signature`."""
        kind, payload = split_type(raw, where)
        layout = _LAYOUTS[kind]
        fields = rlp.items(rlp.decode(payload, where), where, layout.fields)
        to, value, data = (rlp.string(field, where) for field in fields[layout.to : layout.to + 3])
        v, r, s = (rlp.integer(field, where) for field in fields[-3:])
        chain_id, parity = _chain_and_parity(kind, fields[0], v, where)
        return cls(
            kind,
            chain_id,
            rlp.integer(fields[layout.nonce], where, _U64),
            rlp.string(to, where, ADDRESS_SIZE) if to else None,
            rlp.integer(value, where),
            data,
            parity,
            r,
            s,
            keccak256(raw),
            _signing_hash(kind, fields[:-3], chain_id),
        )


def split_type(raw: bytes, where: str) -> tuple[int, bytes]:
    """Return the type of a transaction or receipt (EIP-2718; 0 for legacy) and its RLP; `FormatError` if unknown."""
    if raw[:1] >= bytes([_LIST]):
        return _LEGACY, raw
    if raw and raw[0] != _LEGACY and raw[0] in _LAYOUTS:
        return raw[0], raw[1:]
    raise FormatError(where, f"transactions of type 0x{raw[:1].hex()} cannot anchor")


def _chain_and_parity(kind: int, first: rlp.Item, v: int, where: str) -> tuple[int, int]:
    chain_id, parity = divmod(v - _EIP_155, 2) if kind == _LEGACY else (rlp.integer(first, where), v)
    if not 1 <= chain_id <= MAX_CHAIN_ID:
        raise FormatError(where, "a transaction that names no chain, or none below 2^53")
    if parity > 1:
        raise FormatError(where, "a signature with a parity that is neither 0 nor 1")
    return chain_id, parity


def _signing_hash(kind: int, unsigned: list[rlp.Item], chain_id: int) -> bytes:
    if kind != _LEGACY:
        return keccak256(bytes([kind]) + rlp.encode(unsigned))
    chain = chain_id.to_bytes((chain_id.bit_length() + 7) // 8, "big")
    return keccak256(rlp.encode([*unsigned, chain, b"", b""]))
