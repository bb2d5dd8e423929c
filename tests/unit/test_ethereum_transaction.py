"""Transactions and who signed them, held against eth_account; and everything that is not signed by whom it says."""

import pytest
import rlp
from eth_account import Account
from eth_keys import keys
from eth_keys.backends.native.ecdsa import ecdsa_raw_recover

from mltrust.anchors.ethereum.proof.keccak import keccak256
from mltrust.anchors.ethereum.proof.signature import address_of, sender
from mltrust.anchors.ethereum.proof.transaction import Transaction
from mltrust.errors import FormatError

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
ACCOUNT = Account.from_key(b"\x46" * 32)
KEY = ACCOUNT._key_obj.public_key.to_bytes()
ADDRESS = bytes.fromhex(ACCOUNT.address[2:])
TO = bytes.fromhex("35" * 20)
COMMON = {"chainId": 11155111, "nonce": 7, "gas": 50_000, "to": TO, "value": 3, "data": b"\x01\x02\x03"}
FEES = {"maxFeePerGas": 30, "maxPriorityFeePerGas": 2}
ACCESS = [{"address": "0x" + "11" * 20, "storageKeys": ["0x" + "22" * 32, "0x" + "00" * 32]}]
AUTHORIZATION = Account.from_key(b"\x47" * 32).sign_authorization({"chainId": 0, "address": TO, "nonce": 1})
KINDS = {
    "legacy": (0, {"gasPrice": 20}),
    "access list": (1, {"type": 1, "gasPrice": 20, "accessList": ACCESS}),
    "dynamic fee": (2, {"type": 2, "accessList": ACCESS, **FEES}),
    "set code": (4, {"type": 4, "authorizationList": [AUTHORIZATION], **FEES}),
}
# The example of EIP-155.
EIP_155 = bytes.fromhex(
    "f86c098504a817c800825208943535353535353535353535353535353535353535880de0b6b3a76400008025a0"
    "28ef61340bd939bc2195fe537567866003e1a15d3c71ff63e1590620aa636276a0"
    "67cbe9d8997f761aecb703304b3800ccf555c9f3dc64214b297fb1966a3b6d83"
)


def signed(**fields):
    return ACCOUNT.sign_transaction({**COMMON, **fields})


def blob(chain=11155111, nonce=7):
    """Return a blob transaction as blocks hold it, without its blobs, and its hash for signing."""
    unsigned = [chain, nonce, 2, 30, 50_000, TO, 3, b"\x01\x02\x03", [], 9, [b"\x01" + b"h" * 31]]
    digest = keccak256(b"\x03" + rlp.encode(unsigned))
    found = keys.PrivateKey(b"\x46" * 32).sign_msg_hash(digest)
    return b"\x03" + rlp.encode([*unsigned, found.v, found.r, found.s]), digest


def edited(raw, at, value):
    """Return a raw transaction with another field."""
    prefix = raw[:1] if raw[0] < 0xC0 else b""
    fields = rlp.decode(raw[len(prefix) :])
    fields[at] = value
    return prefix + rlp.encode(fields)


def parse(raw):
    return Transaction.parse(bytes(raw), "transaction")


def refused(raw, match):
    with pytest.raises(FormatError, match=match):
        parse(raw)


class TestKinds:
    @pytest.mark.parametrize(("kind", "fields"), KINDS.values(), ids=KINDS)
    def test_as_eth_account_signs_them(self, kind, fields):
        made = signed(**fields)
        found = parse(made.raw_transaction)
        assert (found.type, found.chain_id, found.nonce) == (kind, 11155111, 7)
        assert (found.to, found.value, found.data) == (TO, 3, b"\x01\x02\x03")
        assert (found.r, found.s, found.hash) == (made.r, made.s, bytes(made.hash))
        assert sender(found, KEY, "transaction") == ADDRESS

    def test_blobs(self):
        raw, digest = blob()
        found = parse(raw)
        assert (found.type, found.chain_id, found.nonce, found.to) == (3, 11155111, 7, TO)
        assert (found.value, found.data, found.hash) == (3, b"\x01\x02\x03", keccak256(raw))
        assert found.signing_hash == digest
        assert sender(found, KEY, "transaction") == ADDRESS

    def test_the_example_of_eip_155(self):
        found = parse(EIP_155)
        assert (found.chain_id, found.nonce, found.to, found.value) == (1, 9, TO, 10**18)
        assert found.signing_hash.hex() == "daf5a779ae972f972197303d7b574746c7ef83eadac0f2791ad23db92e4c8e53"
        assert sender(found, KEY, "transaction").hex() == "9d8a62f656a8d1615c1294fd71e9cfb3e4855a4f"

    def test_a_new_contract_is_to_nobody(self):
        made = ACCOUNT.sign_transaction({**COMMON, "to": b"", **FEES})
        assert parse(made.raw_transaction).to is None

    @pytest.mark.parametrize("chain", [1, 2, 55, 128, 31337, 2**32, 2**53 - 1])
    @pytest.mark.parametrize("fields", [{"gasPrice": 20}, FEES], ids=["legacy", "dynamic fee"])
    def test_chains(self, chain, fields):
        found = parse(signed(chainId=chain, **fields).raw_transaction)
        assert found.chain_id == chain
        assert sender(found, KEY, "transaction") == ADDRESS


class TestRefused:
    raw = bytes(signed(type=2, **FEES).raw_transaction)
    legacy = bytes(signed(gasPrice=20).raw_transaction)

    @pytest.mark.parametrize("first", ["", "00", "05", "64", "7e", "7f", "80", "bf"])
    def test_types_that_cannot_anchor(self, first):
        refused(bytes.fromhex(first) + self.raw[1:] if first else b"", "cannot anchor")

    @pytest.mark.parametrize("v", [0, 1, 27, 28, 34, 35, 36])
    def test_legacy_ones_that_name_no_chain(self, v):
        refused(edited(self.legacy, 6, v), "names no chain")

    def test_chains_that_cannot_be_named(self):
        for chain in (0, 2**53, 2**255):
            refused(edited(self.raw, 0, chain), "names no chain")
        refused(edited(self.legacy, 6, 2 * 2**53 + 35), "names no chain")

    @pytest.mark.parametrize("other", [1, 2, 3, 4])
    def test_one_type_is_not_another(self, other):
        for raw in (blob()[0], *(bytes(signed(**fields).raw_transaction) for _, fields in KINDS.values())):
            if raw[0] not in (other, *range(0xC0, 0x100)):
                refused(bytes([other]) + raw[1:], "where 1[0-9] belong")

    def test_parities_above_one(self):
        for parity in (2, 27, 37):
            refused(edited(self.raw, -3, parity), "parity")

    def test_addresses_of_another_size(self):
        for to in (b"\0", b"x" * 19, b"x" * 21, b"x" * 32):
            refused(edited(self.raw, 5, to), "where 20 belong")

    @pytest.mark.parametrize("at", [0, 1, 5, 6, 7, 9, 10, 11])
    def test_lists_where_strings_belong(self, at):
        refused(edited(self.raw, at, []), "where a string belongs")

    def test_what_is_no_rlp_list(self):
        refused(b"\x02" + rlp.encode(b"x" * 60), "string where a list")
        refused(self.raw + b"\0", "1 bytes after")
        refused(self.raw[:-1], "goes on after")
        refused(self.raw[:1], "ends at byte 0")


class TestSenders:
    raw = bytes(signed(type=2, **FEES).raw_transaction)
    transaction = Transaction.parse(raw, "transaction")

    def refused(self, raw, key=KEY, match="not that of the signature"):
        with pytest.raises(FormatError, match=match):
            sender(parse(raw), key, "transaction")

    def test_the_key_of_somebody_else(self):
        self.refused(self.raw, Account.from_key(b"\x48" * 32)._key_obj.public_key.to_bytes())

    def test_the_other_key_that_fits(self):
        """ECDSA alone takes both keys; Ethereum recovers one."""
        found = self.transaction
        other = ecdsa_raw_recover(found.signing_hash, (1 - found.parity, found.r, found.s))
        assert other != KEY
        self.refused(self.raw, other)
        turned = edited(self.raw, -3, 1 - found.parity)
        self.refused(turned)
        assert sender(parse(turned), other, "transaction") == address_of(other)

    def test_the_mirror_of_the_key(self):
        p = 2**256 - 2**32 - 977
        self.refused(self.raw, KEY[:32] + (p - int.from_bytes(KEY[32:], "big")).to_bytes(32, "big"))

    def test_what_is_no_point(self):
        for key in (b"", KEY[:-1], KEY + b"\0", bytes(64), b"\xff" * 64, KEY[32:] + KEY[:32], KEY[:63] + b"\0"):
            self.refused(self.raw, key)

    def test_high_s(self):
        """The twin of every signature, of which EIP-2 allows one."""
        found = self.transaction
        twin = edited(edited(self.raw, -1, ORDER - found.s), -3, 1 - found.parity)
        self.refused(twin, match="upper half")

    @pytest.mark.parametrize(("at", "value"), [(-2, 0), (-2, ORDER), (-2, 2**256 - 1), (-1, 0), (-1, ORDER)])
    def test_out_of_range(self, at, value):
        self.refused(edited(self.raw, at, value), match="out of range")

    @pytest.mark.parametrize("at", [0, 1, 2, 3, 4, 6])
    def test_any_field_changed(self, at):
        self.refused(edited(self.raw, at, 12345))

    def test_data_and_receiver_changed(self):
        self.refused(edited(self.raw, 5, b"\x36" * 20))
        self.refused(edited(self.raw, 7, b"\x01\x02\x04"))
        self.refused(edited(self.raw, 8, [[b"\x11" * 20, []]]))

    def test_r_that_is_no_x_of_the_curve(self):
        found = self.transaction
        self.refused(edited(self.raw, -2, found.r + 1))
        self.refused(edited(self.raw, -2, 5))  # x = 5 is on no point of secp256k1
