"""The contract as it is shipped: the code is of the source, the address of the code, and our encoding the ABI's."""

import hashlib
import json
import shutil
import subprocess
from importlib.resources import files
from pathlib import Path

import pytest
from eth_abi import decode, encode
from eth_utils import keccak
from eth_utils.abi import event_abi_to_log_topic, function_abi_to_4byte_selector
from web3 import EthereumTesterProvider, Web3

from mltrust.anchors.ethereum.proof import contract
from mltrust.anchors.ethereum.proof.contract import Anchored, Log

NODE = Path(__file__).parents[1] / "node"
PACKAGE = files("mltrust.anchors.ethereum")
SOURCE = PACKAGE / "AnchorLog.sol"
ARTIFACT = json.loads((PACKAGE / "AnchorLog.json").read_bytes())
ABI = {entry["name"]: entry for entry in ARTIFACT["abi"]}
INIT_CODE = bytes.fromhex(ARTIFACT["bytecode"])
COMMITMENT = hashlib.sha256(b"commitment").digest()
BY = bytes.fromhex("be" * 20)
EVENT = Log(contract.ADDRESS, (contract.TOPIC, COMMITMENT, bytes(12) + BY), (7).to_bytes(32, "big"))


class TestArtifact:
    def test_the_source_is_the_shipped_one(self):
        digest = hashlib.sha256(SOURCE.read_bytes()).hexdigest()
        assert ARTIFACT["source_sha256"] == {"AnchorLog.sol": digest}, "run tests/node/compile.mjs"

    def test_it_says_how_it_was_made(self):
        assert ARTIFACT["solc"].startswith("0.8.37+commit.")
        assert ARTIFACT["settings"]["evmVersion"] == "cancun"
        assert ARTIFACT["settings"]["metadata"] == {"appendCBOR": False, "bytecodeHash": "none"}

    def test_the_init_code_returns_the_code(self):
        assert INIT_CODE.endswith(contract.RUNTIME_CODE)
        assert contract.RUNTIME_CODE.hex() == ARTIFACT["deployedBytecode"]

    def test_it_has_one_function_and_one_event(self):
        assert {name: entry["type"] for name, entry in ABI.items()} == {"anchor": "function", "Anchored": "event"}
        assert ABI["anchor"]["stateMutability"] == "nonpayable"

    def test_it_compiles_to_the_same(self):
        node = shutil.which("node")
        if node is None or not (NODE / "node_modules" / "solc").is_dir():
            pytest.skip("needs node, and: npm --prefix tests/node install --no-save")
        command = [node, str(NODE / "compile.mjs"), str(SOURCE)]
        made = subprocess.run(command, capture_output=True, text=True, check=True, cwd=NODE)
        assert made.stdout == (PACKAGE / "AnchorLog.json").read_text()


class TestAddress:
    def test_it_is_that_of_create2(self):
        """EIP-1014."""
        made = keccak(b"\xff" + contract.FACTORY + contract.SALT + keccak(INIT_CODE))[12:]
        assert made == contract.ADDRESS

    def test_the_factory_is_told_salt_and_init_code(self):
        assert contract.DEPLOYMENT == contract.SALT + INIT_CODE
        assert len(contract.SALT) == 32
        assert contract.FACTORY.hex() == "4e59b44847b379578588920ca78fbf26c0b4956c"

    def test_the_specification_says_the_same(self):
        text = (Path(__file__).parents[2] / "docs" / "format.md").read_text("utf-8")
        for value in (Web3.to_checksum_address(contract.ADDRESS), Web3.to_checksum_address(contract.FACTORY)):
            assert f"`{value}`" in text
        assert f"`0x{contract.SELECTOR.hex()}`" in text
        assert f"`0x{contract.TOPIC.hex()}`" in text
        assert f"`{contract.MAGIC.decode()}`" in text


class TestEncoding:
    def test_names_of_function_and_event(self):
        assert function_abi_to_4byte_selector(ABI["anchor"]) == contract.SELECTOR
        assert event_abi_to_log_topic(ABI["Anchored"]) == contract.TOPIC

    @pytest.mark.parametrize("size", [0, 1, 1000, 2**64 - 1])
    def test_calls(self, size):
        data = contract.encode_anchor(COMMITMENT, size)
        assert data == contract.SELECTOR + encode(["bytes32", "uint64"], [COMMITMENT, size])
        assert decode(["bytes32", "uint64"], data[4:]) == (COMMITMENT, size)

    def test_calldata(self):
        assert contract.calldata(COMMITMENT) == b"mlt1" + COMMITMENT
        assert contract.MAGIC != contract.SELECTOR

    @pytest.mark.parametrize("commitment", [b"", COMMITMENT[:-1], COMMITMENT + b"\0"])
    def test_commitments_of_another_size(self, commitment):
        for write in (contract.calldata, lambda value: contract.encode_anchor(value, 1)):
            with pytest.raises(ValueError, match="32 bytes"):
                write(commitment)

    def test_sizes_that_are_no_uint64(self):
        for size in (-1, 2**64):
            with pytest.raises(OverflowError):
                contract.encode_anchor(COMMITMENT, size)


class TestEvents:
    def test_one(self):
        assert contract.decode_event(EVENT) == Anchored(COMMITMENT, BY, 7)

    @pytest.mark.parametrize("size", [0, 1, 2**64 - 1])
    def test_sizes(self, size):
        log = Log(EVENT.address, EVENT.topics, encode(["uint64"], [size]))
        assert contract.decode_event(log) == Anchored(COMMITMENT, BY, size)

    @pytest.mark.parametrize(
        ("topics", "data"),
        [
            ((), EVENT.data),
            (EVENT.topics[:2], EVENT.data),
            ((*EVENT.topics, bytes(32)), EVENT.data),
            ((COMMITMENT, *EVENT.topics[1:]), EVENT.data),
            ((*EVENT.topics[:2], b"\1" + bytes(11) + BY), EVENT.data),
            ((*EVENT.topics[:2], bytes(11) + b"\1" + BY), EVENT.data),
            (EVENT.topics, b""),
            (EVENT.topics, EVENT.data[1:]),
            (EVENT.topics, EVENT.data + bytes(32)),
            (EVENT.topics, bytes(23) + b"\1" + bytes(8)),
            (EVENT.topics, b"\xff" * 32),
        ],
    )
    def test_what_is_none(self, topics, data):
        assert contract.decode_event(Log(EVENT.address, topics, data)) is None


@pytest.fixture(scope="module")
def chain():
    """Return a chain on which the contract stands, though not at its address."""
    w3 = Web3(EthereumTesterProvider())
    made = w3.eth.contract(abi=ARTIFACT["abi"], bytecode=ARTIFACT["bytecode"]).constructor()
    receipt = w3.eth.wait_for_transaction_receipt(made.transact({"from": w3.eth.accounts[0]}))
    return w3, receipt["contractAddress"]


class TestOnAChain:
    def test_the_code_is_the_shipped_one(self, chain):
        w3, address = chain
        assert bytes(w3.eth.get_code(address)) == contract.RUNTIME_CODE

    @pytest.mark.parametrize("size", [0, 1, 2**64 - 1])
    def test_it_announces_what_it_is_told_and_who_called(self, chain, size):
        w3, address = chain
        who = w3.eth.accounts[1]
        data = contract.encode_anchor(COMMITMENT, size)
        receipt = w3.eth.wait_for_transaction_receipt(
            w3.eth.send_transaction({"from": who, "to": address, "data": data})
        )
        (log,) = receipt["logs"]
        found = Log(bytes.fromhex(log["address"][2:]), tuple(map(bytes, log["topics"])), bytes(log["data"]))
        assert contract.decode_event(found) == Anchored(COMMITMENT, bytes.fromhex(who[2:]), size)
        assert receipt["status"] == 1
        assert receipt["gasUsed"] < 24_000

    @pytest.mark.parametrize(
        ("data", "value"),
        [
            (contract.encode_anchor(COMMITMENT, 1), 1),
            (contract.encode_anchor(COMMITMENT, 1)[:-1], 0),
            (contract.SELECTOR + COMMITMENT + b"\xff" * 32, 0),
            (contract.calldata(COMMITMENT), 0),
            (b"", 0),
        ],
    )
    def test_it_takes_no_money_and_nothing_else(self, chain, data, value):
        w3, address = chain
        sent = {"from": w3.eth.accounts[1], "to": address, "data": data, "value": value, "gas": 100_000}
        assert w3.eth.wait_for_transaction_receipt(w3.eth.send_transaction(sent))["status"] == 0
