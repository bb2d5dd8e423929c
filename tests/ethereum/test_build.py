"""Receipts built from what nodes tell: blocks with all kinds of transactions, nodes that tell too little, and lies."""

from contextlib import suppress

import pytest
import rlp
from eth_account import Account

from mltrust import Outcome
from mltrust.anchors.ethereum.chain import encoding
from mltrust.anchors.ethereum.proof.keccak import keccak256
from mltrust.core.digest import Digest
from mltrust.errors import AnchorError, MltrustError
from mltrust.interfaces import Submission

KEY = "11" * 32
ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
FEES = {
    "maxFeePerGas": 3 * 10**9,
    "maxPriorityFeePerGas": 10**9,
    "chainId": 31337,
    "nonce": 0,
    "gas": 100_000,
    "value": 1,
}
ACCESS = [{"address": ADDRESS, "storageKeys": ["0x" + "00" * 32, "0x" + "01" * 32]}]
DIGEST = Digest.sha256(b"a")


@pytest.fixture
def made(anvil, deployed):
    return deployed(anvil)


@pytest.fixture
def crowded(made):
    """Publish in the middle of a block with transactions of many kinds."""
    chain = made.chain
    accounts = chain.rpc("eth_accounts")
    chain.rpc("evm_setAutomine", False)

    def crowd(number):
        for index in range(number):
            sender, kind = accounts[1 + index % 8], index % 3
            asked = {
                "from": sender,
                "to": accounts[9],
                "value": hex(index),
                "gas": hex(50_000),
                "data": "0x" + "ab" * index,
            }
            if kind == 0:
                asked |= {"gasPrice": hex(3 * 10**9)}
            elif kind == 1:
                asked |= {"accessList": ACCESS, "gasPrice": hex(3 * 10**9), "type": "0x1"}
            else:
                asked |= {"maxFeePerGas": hex(3 * 10**9), "maxPriorityFeePerGas": hex(2 * 10**9), "type": "0x2"}
            chain.rpc("eth_sendTransaction", asked)

    crowd(90)
    with pytest.raises(AnchorError):
        made.anchor(timeout=0).publish([Submission(DIGEST)])
    crowd(60)
    chain.mine(1)
    return made


def test_a_crowded_block(crowded):
    block = crowded.chain.rpc("eth_getBlockByNumber", "latest", True)
    assert len(block["transactions"]) == 151
    assert {transaction["type"] for transaction in block["transactions"]} == {"0x0", "0x1", "0x2"}
    (receipt,) = crowded.publish(DIGEST)
    assert len(receipt.evidence["transaction"]["proof"]) >= 2
    assert crowded.anchor().confirm(receipt, DIGEST).outcome is Outcome.PASS


@pytest.mark.parametrize("missing", ["eth_getBlockReceipts", "everything that is raw"])
def test_a_node_that_tells_little(crowded, between, missing):
    def sparse(request, pass_on):
        asked = request["method"]
        if asked == missing or (missing != "eth_getBlockReceipts" and "Raw" in asked and "send" not in asked):
            return {"error": {"code": -32601, "message": "the method does not exist"}}
        return pass_on(request)

    (receipt,) = crowded.publish(DIGEST, rpc=[between(crowded.chain, sparse).url])
    assert crowded.anchor().confirm(receipt, DIGEST).outcome is Outcome.PASS


def altered(field, value, method="eth_getBlockByNumber"):
    def alter(request, pass_on):
        answer = pass_on(request)
        if request["method"] == method and request["params"][1:] != [False]:
            told = answer["result"]
            for one in told if isinstance(told, list) else [told]:
                one[field] = value
        return answer

    return alter


@pytest.mark.parametrize(
    ("field", "value", "method"),
    [
        ("stateRoot", "0x" + "11" * 32, "eth_getBlockByNumber"),
        ("logsBloom", "junk", "eth_getBlockByNumber"),
        ("transactions", [], "eth_getBlockByNumber"),
        ("transactions", "junk", "eth_getBlockByNumber"),
        ("transactions", [{"hash": "0x" + "11" * 32}], "eth_getBlockByNumber"),
        ("cumulativeGasUsed", "0x1", "eth_getBlockReceipts"),
        ("status", "0x0", "eth_getBlockReceipts"),
        ("logs", [], "eth_getBlockReceipts"),
        ("logs", "junk", "eth_getBlockReceipts"),
        ("logs", [{"address": 5}], "eth_getBlockReceipts"),
    ],
)
def test_a_node_cannot_lie_about_a_block(made, between, field, value, method):
    """Whatever it alters makes no wrong receipt: either the truth is found another way, or nothing is."""
    made.chain.rpc("anvil_mine", "0x1")
    node = between(made.chain, altered(field, value, method))
    receipts = []
    with suppress(AnchorError):
        receipts = made.publish(DIGEST, rpc=[node.url], timeout=2)
    assert all(made.anchor().confirm(receipt, DIGEST).outcome is Outcome.PASS for receipt in receipts)
    assert len(receipts) == (1 if method == "eth_getBlockReceipts" else 0)


def test_a_header_with_a_field_of_a_later_fork(made, between):
    (receipt,) = made.publish(DIGEST)
    block = made.chain.rpc("eth_getBlockByNumber", receipt_number(made, receipt), True)
    fields = rlp.decode(bytes.fromhex(receipt.evidence["header"]))
    later = rlp.encode([*fields, b"\x99" * 32])
    told = {**block, "hash": "0x" + keccak256(later).hex(), "blockAccessListHash": "0x" + "99" * 32}
    assert encoding.header(told, keccak256(later)) is None
    assert encoding.header(block, bytes.fromhex(block["hash"][2:])) == bytes.fromhex(receipt.evidence["header"])
    oldest = rlp.encode(fields[:15])
    assert encoding.header(block, keccak256(oldest)) == oldest


def receipt_number(made, receipt):
    return made.chain.rpc("eth_getBlockByHash", "0x" + receipt.evidence["block_hash"], False)["number"]


def test_an_unknown_header_field_ends_in_a_clear_error_or_in_the_raw_header(made, between):
    def later(request, pass_on):
        answer = pass_on(request)
        if request["method"] == "eth_getBlockByNumber":
            del answer["result"]["requestsHash"]
        if request["method"].startswith("debug_"):
            return {"error": {"code": -32601, "message": "no such method"}}
        return answer

    with pytest.raises(AnchorError, match="unknown header field") as raised:
        made.anchor(rpc=[between(made.chain, later).url]).publish([Submission(DIGEST)])
    assert "debug_getRawHeader" in raised.value.hint

    raw = {}

    def with_raw_header(request, pass_on):
        if request["method"] == "debug_getRawHeader":
            return {"result": raw["header"]}
        return later(request, pass_on)

    (known,) = made.publish(DIGEST)
    raw["header"] = "0x" + known.evidence["header"]
    made.folder = made.folder.with_name("again")  # which knows nothing of it
    (found,) = made.anchor(rpc=[between(made.chain, with_raw_header).url], authors=[author(made.chain)]).find(
        Submission(DIGEST)
    )
    assert found == known


def author(chain):
    from mltrust.anchors.ethereum.proof.addresses import checksummed

    return checksummed(bytes.fromhex(chain.rpc("eth_accounts")[0][2:]))


def told(raw, **fields):
    """Return a signed transaction as a node tells it."""
    hexed = {
        key: hex(value) if isinstance(value, int) and not isinstance(value, bool) else value
        for key, value in fields.items()
    }
    return {**hexed, "hash": "0x" + keccak256(raw).hex()}


def signed(transaction):
    done = Account.from_key(KEY).sign_transaction(transaction)
    fields = {key: value for key, value in transaction.items() if key not in ("data", "type", "authorizationList")}
    fields |= {"input": transaction.get("data", "0x"), "r": done.r, "s": done.s, "v": done.v}
    fields |= {"type": hex(transaction.get("type", 0)), "to": transaction.get("to")}
    return bytes(done.raw_transaction), fields


@pytest.mark.parametrize(
    "transaction",
    [
        {"gasPrice": 10**9, "chainId": 1, "nonce": 0, "gas": 100_000, "value": 0, "to": ADDRESS, "data": "0x01"},
        {"gasPrice": 10**9, "chainId": 1, "nonce": 5, "gas": 100_000, "value": 0, "data": "0x6000"},
        {"gasPrice": 1, "chainId": 1, "nonce": 0, "gas": 9, "value": 2, "to": ADDRESS, "type": 1, "accessList": ACCESS},
        {**FEES, "to": ADDRESS, "type": 2, "accessList": ACCESS, "data": "0x" + "ff" * 70},
        {**FEES, "type": 2, "accessList": [], "data": "0x6000"},
    ],
)
def test_transactions_are_written_as_they_were_signed(transaction):
    raw, fields = signed(transaction)
    assert encoding.transaction(told(raw, **fields)) == raw
    assert encoding.transaction(told(raw, **fields, yParity=fields["v"])) == raw
    for key in fields:
        assert encoding.transaction({**told(raw, **fields), key: "junk"}) is None or key in ("chainId",)
    assert encoding.transaction({**told(raw, **fields), "hash": "0x" + "00" * 32}) is None


def test_a_transaction_that_sets_code():
    account = Account.from_key(KEY)
    authorization = account.sign_authorization({"chainId": 1, "address": ADDRESS, "nonce": 3})
    transaction = {**FEES, "to": ADDRESS, "type": 4, "accessList": [], "authorizationList": [authorization]}
    raw, fields = signed(transaction)
    listed = {
        "chainId": "0x1",
        "address": ADDRESS,
        "nonce": "0x3",
        "yParity": hex(authorization.y_parity),
        "r": hex(authorization.r),
        "s": hex(authorization.s),
    }
    assert encoding.transaction({**told(raw, **fields), "authorizationList": [listed]}) == raw


def test_a_deposit_of_the_op_stack():
    """Its layout is from the OP Stack specification (deposits); depositNonce and version are in its receipt."""
    source, sender, to = b"\x11" * 32, b"\x22" * 20, b"\x33" * 20
    raw = b"\x7e" + rlp.encode([source, sender, to, 0, 0, 1_000_000, False, b"\x44" * 10])
    fields = {"type": "0x7e", "sourceHash": "0x" + source.hex(), "from": "0x" + sender.hex(), "to": "0x" + to.hex()}
    fields |= {"value": "0x0", "gas": hex(1_000_000), "isSystemTx": False, "input": "0x" + "44" * 10, "nonce": "0x5"}
    assert encoding.transaction({**fields, "hash": "0x" + keccak256(raw).hex()}) == raw
    bloom = bytes(256)
    for extra in ([], [7], [7, 1]):
        names = dict(zip(("depositNonce", "depositReceiptVersion"), map(hex, extra), strict=False))
        receipt = {"type": "0x7e", "status": "0x1", "cumulativeGasUsed": "0xabcd", "logsBloom": "0x" + bloom.hex()}
        expected = b"\x7e" + rlp.encode([1, 0xABCD, bloom, [], *extra])
        assert encoding.receipt({**receipt, "logs": [], **names}) == expected


def test_a_transaction_of_an_unknown_type_needs_its_raw_bytes(made, between):
    """Another transaction of the block is one that nobody here can write."""
    made.publish(DIGEST)
    raws = {}

    def odd(request, pass_on):
        answer = pass_on(request)
        if request["method"] == "eth_getBlockByNumber" and request["params"][1] is True:
            for transaction in answer["result"]["transactions"]:
                transaction["type"] = "0x6a"
                del transaction["v"], transaction["r"]
        if "getRaw" in request["method"]:
            return {"result": raws[request["params"][0]]} if raws else {"error": {"code": 1, "message": "no"}}
        return answer

    node = between(made.chain, odd)
    reader = type(made)(made.chain, made.folder.with_name("reader"), made.batch)
    settings = {"rpc": [node.url], "authors": [author(made.chain)]}
    with pytest.raises(AnchorError, match="a transaction of type '0x6a' in the block cannot be read"):
        reader.anchor(**settings).find(Submission(DIGEST))
    for entry in made.anchor().journal.everywhere():
        raws[entry.attempts[0].hash] = entry.attempts[0].raw
    assert len(reader.anchor(**settings).find(Submission(DIGEST))) == 1


def test_without_the_extra_the_command_that_installs_it_is_named(made, monkeypatch):
    for module in ("web3", "eth_keys.datatypes", "trie.hexary", "eth_account"):
        with monkeypatch.context() as patch:
            patch.setitem(__import__("sys").modules, module, None)
            with pytest.raises(MltrustError) as raised:
                made.anchor().publish([Submission(Digest.sha256(module.encode()))])
            assert "pip install 'mltrust[ethereum]'" in raised.value.hint


def test_confirming_and_refreshing_need_no_extra(made, monkeypatch):
    (receipt,) = made.publish(DIGEST)
    for module in ("web3", "eth_keys", "eth_account", "trie", "rlp"):
        monkeypatch.setitem(__import__("sys").modules, module, None)
    assert made.anchor().confirm(receipt, DIGEST).outcome is Outcome.PASS
    assert made.anchor().refresh(receipt, DIGEST) == receipt
