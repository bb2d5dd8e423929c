"""Transactions before and after they are signed: EIP-1559, sending no money."""

from dataclasses import dataclass

from mltrust.anchors.ethereum.chain.recovery import public_key
from mltrust.anchors.ethereum.proof import rlp
from mltrust.anchors.ethereum.proof.addresses import checksummed
from mltrust.anchors.ethereum.proof.keccak import keccak256
from mltrust.anchors.ethereum.proof.signature import address_of
from mltrust.anchors.ethereum.proof.transaction import Transaction
from mltrust.core.canonical import Json
from mltrust.errors import AnchorError, FormatError

_TYPE = b"\x02"
_SIGNATURE_FIELDS = 3
_WHERE = "signed transaction"


@dataclass(frozen=True, slots=True)
class Unsigned:
    """A transaction to be signed. `max_fee` and `max_tip` are of a unit of gas, in wei; `to` has 20 bytes."""

    chain_id: int
    nonce: int
    to: bytes
    data: bytes
    gas: int
    max_fee: int
    max_tip: int

    @property
    def max_cost(self) -> int:
        """What it can cost at most, in wei; an OP-stack chain adds its fee for data."""
        return self.gas * self.max_fee

    def fields(self) -> list[rlp.Encodable]:
        """Return the fields as RLP takes them, without the signature (EIP-1559)."""
        heads = (self.chain_id, self.nonce, self.max_tip, self.max_fee, self.gas)
        return [*map(_minimal, heads), self.to, b"", self.data, []]

    def to_json(self) -> dict[str, Json]:
        """Return what an external signer is given: the names and the hexadecimal of the execution API."""
        return {
            "type": "0x2",
            "chainId": hex(self.chain_id),
            "nonce": hex(self.nonce),
            "maxPriorityFeePerGas": hex(self.max_tip),
            "maxFeePerGas": hex(self.max_fee),
            "gas": hex(self.gas),
            "to": checksummed(self.to),
            "value": "0x0",
            "data": "0x" + self.data.hex(),
            "accessList": [],
        }

    @classmethod
    def of(cls, raw: bytes) -> "Unsigned":
        """Read back what was signed, from a raw transaction of ours."""
        fields = rlp.items(rlp.decode(raw[1:], _WHERE), _WHERE)
        chain_id, nonce, tip, fee, gas = (rlp.integer(field, _WHERE) for field in fields[:5])
        to, _, data = (rlp.string(field, _WHERE) for field in fields[5:8])
        return cls(chain_id, nonce, to, data, gas, fee, tip)

    def require_signed(self, raw: bytes, address: bytes) -> bytes:
        """Return the hash of `raw` if it is this transaction and nothing else, signed by `address`.

        Raises:
            AnchorError: It is not.
        """
        try:
            parts = rlp.items(rlp.decode(raw[1:], _WHERE), _WHERE)
            parsed = Transaction.parse(raw, _WHERE)
        except FormatError as error:
            raise AnchorError(f"what the signer gave is no transaction: {error.what}") from error
        if raw[:1] != _TYPE or parts[:-_SIGNATURE_FIELDS] != self.fields():
            raise AnchorError("the signer signed another transaction than it was asked to", hint="Nothing was sent.")
        if address_of(public_key(parsed)) != address:
            raise AnchorError("the signer signed with another key than that of its address", hint="Nothing was sent.")
        return keccak256(raw)


def _minimal(value: int) -> bytes:
    return value.to_bytes((value.bit_length() + 7) // 8, "big")
