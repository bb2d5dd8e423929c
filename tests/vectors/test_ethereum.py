"""Receipts from blocks of real nodes: what each proves is written beside it, also for a Python without any of web3."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from mltrust.anchors.ethereum.proof.evidence import prove
from mltrust.core import canonical
from mltrust.core.digest import Digest
from mltrust.core.receipt import Receipt
from mltrust.errors import ContradictionError

FOLDER = Path(__file__).parent / "ethereum"
ALL = {path.stem: json.loads(path.read_bytes()) for path in sorted(FOLDER.glob("*.json"))}
VECTORS = {name: vector for name, vector in ALL.items() if "expected" in vector}
REFUSED = {name: vector for name, vector in ALL.items() if "refused" in vector}

# What none of the libraries that made the receipts, nor web3, may be needed for.
ALONE = """
import json
import sys

for name in ("web3", "eth_account", "eth_keys", "eth_utils", "eth_hash", "eth_abi", "rlp", "trie", "eth", "requests"):
    sys.modules[name] = None  # importing it fails

from mltrust.anchors.ethereum.proof.evidence import prove
from mltrust.core.digest import Digest
from mltrust.core.receipt import Receipt

for vector in json.load(sys.stdin):
    receipt = Receipt.from_json(vector["receipt"], "vector")
    proven = prove(receipt, Digest.parse(receipt.digest))
    print(proven.block_hash.hex(), proven.author.hex(), proven.time.not_after)
"""


def test_there_are_vectors_of_both_modes_and_all_sizes():
    assert {"anvil-event-1", "anvil-event-3", "anvil-event-200", "anvil-calldata-1", "anvil-calldata-200"} <= set(
        VECTORS
    )
    assert {"pyevm-event-1", "pyevm-calldata-1", "anvil-set-code-1"} <= set(VECTORS)
    assert set(REFUSED) == {"anvil-relayed-3"}
    assert len(ALL) == len(VECTORS) + len(REFUSED)


@pytest.mark.parametrize("name", VECTORS)
def test_it_proves_what_is_expected(name):
    vector = VECTORS[name]
    receipt = Receipt.from_json(vector["receipt"], "vector")
    proven = prove(receipt, Digest.parse(receipt.digest))
    found = {key: getattr(proven, key) for key in vector["expected"]}
    assert {key: value.hex() if isinstance(value, bytes) else value for key, value in found.items()} == vector[
        "expected"
    ]
    assert proven.time == receipt.time


@pytest.mark.parametrize("name", REFUSED)
def test_it_is_refused(name):
    receipt = Receipt.from_json(REFUSED[name]["receipt"], "vector")
    with pytest.raises(ContradictionError, match=REFUSED[name]["refused"]):
        prove(receipt, Digest.parse(receipt.digest))


@pytest.mark.parametrize("name", ALL)
def test_it_proves_nothing_else(name):
    receipt = Receipt.from_json(ALL[name]["receipt"], "vector")
    with pytest.raises(ContradictionError):
        prove(receipt, Digest.sha256(b"another"))


def test_the_block_says_when():
    vector = VECTORS["anvil-event-1"]
    assert vector["receipt"]["time"]["not_before"] is None
    assert vector["receipt"]["time"]["not_after"].startswith("20")


def test_a_plain_python_is_enough():
    text = json.dumps(list(VECTORS.values()))
    command = [sys.executable, "-W", "error", "-c", ALONE]
    lines = subprocess.run(command, input=text, capture_output=True, text=True, check=True).stdout.splitlines()
    expected = [(vector["expected"], vector["receipt"]["time"]["not_after"]) for vector in VECTORS.values()]
    assert lines == [f"{one['block_hash']} {one['author']} {time}" for one, time in expected]


def test_vectors_are_documents():
    for path in FOLDER.glob("*.json"):
        canonical.loads(path.read_bytes(), path.name)
