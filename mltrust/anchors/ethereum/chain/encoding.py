"""From what nodes tell in JSON back to the bytes that are hashed: headers, transactions, receipts.

Each result is held against a hash (of the block, the transaction, the trie), so a field that a later fork adds, or that
a node tells in its own way, ends as "not the bytes" and never as a wrong proof.
"""

import re
from collections.abc import Mapping, Sequence

from mltrust.anchors.ethereum.chain.node import Object
from mltrust.anchors.ethereum.proof import rlp
from mltrust.anchors.ethereum.proof.keccak import keccak256
from mltrust.core.canonical import Json
from mltrust.errors import FormatError

_WHERE = "node"
_QUANTITY = re.compile(r"0x[0-9a-fA-F]{1,64}")
_LAST_TYPE = 0x7F  # EIP-2718
_DEPOSIT = 0x7E  # OP stack: a transaction that the rollup makes, and nobody signs

# Yellow Paper 4.4.3; EIP-1559, EIP-4895, EIP-4844, EIP-4788, EIP-7685. `#` marks integers.
_HEADER = (
    "parentHash sha3Uncles miner stateRoot transactionsRoot receiptsRoot logsBloom #difficulty #number #gasLimit "
    "#gasUsed #timestamp extraData mixHash nonce #baseFeePerGas withdrawalsRoot #blobGasUsed #excessBlobGas "
    "parentBeaconBlockRoot requestsHash"
)
_OLDEST_HEADER = 15

_FEES = "#chainId #nonce #maxPriorityFeePerGas #maxFeePerGas #gas to #value input"
_TRANSACTIONS = {
    0: "#nonce #gasPrice #gas to #value input #v #r #s",
    1: "#chainId #nonce #gasPrice #gas to #value input accessList #yParity #r #s",
    2: f"{_FEES} accessList #yParity #r #s",
    3: f"{_FEES} accessList #maxFeePerBlobGas blobVersionedHashes #yParity #r #s",
    4: f"{_FEES} accessList authorizationList #yParity #r #s",
    _DEPOSIT: "sourceHash from to #mint #value #gas isSystemTx input",
}
_LISTS: Mapping[str, Sequence[str]] = {
    "accessList": ("address", "storageKeys"),
    "authorizationList": ("#chainId", "address", "#nonce", "#yParity", "#r", "#s"),
}
_INSTEAD = {"#yParity": "v", "input": "data"}  # what some nodes call it
_ABSENT: Mapping[str, Json] = {"#mint": "0x0", "to": "0x"}


def header(block: Object, block_hash: bytes) -> bytes | None:
    """Return the raw header of `block` if these are the bytes that `block_hash` is the hash of."""
    present = [name for name in _HEADER.split() if block.get(name.lstrip("#")) is not None]
    try:
        fields = [_field(block, name) for name in present]
    except FormatError:
        return None
    raws = (rlp.encode(fields[:size]) for size in range(len(fields), _OLDEST_HEADER - 1, -1))
    return next((raw for raw in raws if keccak256(raw) == block_hash), None)


def transaction(told: Object) -> bytes | None:
    """Return the raw transaction if it is one of a known type and these are the bytes that have its hash."""
    try:
        kind = _kind(told)
        names = _TRANSACTIONS[kind].split()
        raw = _typed(kind, [_field(told, name) for name in names])
        return raw if keccak256(raw) == _bytes(told.get("hash")) else None
    except (FormatError, KeyError):
        return None


def receipt(told: Object) -> bytes | None:
    """Return the raw receipt as the trie would hold it; None if it cannot be written. Only the trie tells if right."""
    try:
        kind = _kind(told)
        fields = [_field(told, name) for name in ("#status", "#cumulativeGasUsed", "logsBloom")]
        fields.append([_log(log) for log in _list(told.get("logs"))])
        if kind == _DEPOSIT:  # since Regolith and Canyon
            fields += [_field(told, f"#{n}") for n in ("depositNonce", "depositReceiptVersion") if told.get(n)]
        return _typed(kind, fields)
    except FormatError:
        return None


def _typed(kind: int, fields: Sequence[rlp.Encodable]) -> bytes:
    return (bytes([kind]) if kind else b"") + rlp.encode(fields)


def _kind(told: Object) -> int:
    kind = _integer(told.get("type", "0x0"))
    if kind > _LAST_TYPE:
        raise FormatError(_WHERE, "no type of a transaction")
    return kind


def _field(told: Object, name: str) -> rlp.Encodable:
    """Return the field called `name` as RLP takes it; `#` before it says it is an integer."""
    value = told.get(name.lstrip("#"))
    if value is None:
        value = told.get(_INSTEAD.get(name, ""), _ABSENT.get(name))
    if name in _LISTS:
        return [_entry(entry, _LISTS[name]) for entry in _list(value)]
    if isinstance(value, list):
        return [_bytes(item) for item in value]
    if name.startswith("#"):
        return _minimal(_integer(value))
    if name == "isSystemTx":
        return b"\x01" if value is True else b""
    return _bytes(value)


def _entry(value: Json, names: Sequence[str]) -> rlp.Encodable:
    entry = _object(value)
    return [_field(entry, name) for name in names]


def _log(value: Json) -> rlp.Encodable:
    log = _object(value)
    return [_field(log, name) for name in ("address", "topics", "data")]


def _object(value: Json) -> Object:
    if not isinstance(value, dict):
        raise FormatError(_WHERE, "not an object")
    return value


def _list(value: Json) -> list[Json]:
    if not isinstance(value, list):
        raise FormatError(_WHERE, "not a list")
    return value


def _bytes(value: Json) -> bytes:
    try:
        if isinstance(value, str) and value.startswith("0x"):
            return bytes.fromhex(value[2:])
    except ValueError:
        pass
    raise FormatError(_WHERE, "not bytes")


def _integer(value: Json) -> int:
    if not isinstance(value, str) or not _QUANTITY.fullmatch(value):
        raise FormatError(_WHERE, "not a quantity")
    return int(value, 16)


def _minimal(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
