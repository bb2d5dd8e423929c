"""Write the receipts in this folder: blocks of real nodes, taken apart with the libraries `rlp` and `trie`.

`python tests/vectors/ethereum/make.py ANVIL` starts that anvil and an in-process chain, mines blocks, and writes
`*.json`. Hashes and times are others each time, so run it only when the format gets a new version. Of what reads
receipts, only the batch and the contract are used to make them.
"""

import hashlib
import json
import subprocess
import sys
import urllib.request
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Thread

import rlp
from eth_account import Account
from eth_tester import EthereumTester, PyEVMBackend
from eth_utils import keccak
from trie import HexaryTrie
from web3 import EthereumTesterProvider, Web3

from mltrust.anchors.ethereum.proof import contract
from mltrust.anchors.ethereum.proof.batch import Batch
from mltrust.core.digest import Digest

HERE = Path(__file__).parent
KEY = "0x" + hashlib.sha256(b"mltrust test vectors").hexdigest()
AUTHOR = Account.from_key(KEY)
CROWD = [Account.from_key(hashlib.sha256(b"crowd %d" % number).digest()) for number in range(10)]
ETHER = 10**18
# A contract that passes its call data on to AnchorLog, as wallets do, and its init code, which returns what follows it.
RELAY = bytes.fromhex("365f5f375f5f365f5f73") + contract.ADDRESS + bytes.fromhex("5af1") + bytes.fromhex("00")
RELAY_INIT = bytes.fromhex(f"60{len(RELAY):02x}600a5f3960{len(RELAY):02x}5ff3") + RELAY
# The transaction that deploys the deployment proxy on any chain: made up, so that nobody has the key of its sender.
FACTORY_CODE = (
    "604580600e600039806000f350fe"
    "7f" + "ff" * 31 + "e03601600081602082378035828234f58015156039578182fd5b8082525050506014600cf3"
)
NICK = "0xf8a58085174876e800830186a08080b853" + FACTORY_CODE + "1b" + ("a0" + "22" * 32) * 2
NICKS_SENDER = Account.recover_transaction(NICK)


class Anvil:
    """A chain of anvil, mined by hand."""

    name = "anvil"
    kinds = (0, 1, 2)

    def __init__(self, url):
        self.url = url
        self.chain_id = int(self.call("eth_chainId"), 16)
        self.call("evm_setAutomine", False)
        for account in (AUTHOR, *CROWD):
            self.call("anvil_setBalance", account.address, hex(1000 * ETHER))
        self.deploy()

    def call(self, method, *params):
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        request = urllib.request.Request(self.url, body, {"content-type": "application/json"})
        with urllib.request.urlopen(request) as response:
            answer = json.load(response)
        if "error" in answer:
            raise RuntimeError(method, answer["error"])
        return answer["result"]

    def deploy(self):
        self.mine([sign(self, CROWD[0], to=contract.FACTORY, data=contract.DEPLOYMENT)])
        assert self.call("eth_getCode", "0x" + contract.ADDRESS.hex(), "latest") == "0x" + contract.RUNTIME_CODE.hex()

    def nonce(self, account):
        return int(self.call("eth_getTransactionCount", account.address, "latest"), 16)

    def mine(self, transactions):
        """Mine one block of `transactions` and return its raw header, raw transactions and raw receipts."""
        hashes = [self.call("eth_sendRawTransaction", "0x" + raw.hex()) for raw in transactions]
        self.call("evm_mine")
        block = self.call("eth_getBlockByNumber", "latest", False)
        assert sorted(block["transactions"]) == sorted(hashes)
        raw = {"0x" + keccak(raw).hex(): raw for raw in transactions}
        receipts = self.call("eth_getBlockReceipts", block["number"])
        header = encoded_header(block)
        assert "0x" + keccak(header).hex() == block["hash"]
        return header, [raw[name] for name in block["transactions"]], [encoded_receipt(one) for one in receipts]


class Tester:
    """The in-process chain of eth-tester and py-evm, mined by hand."""

    name = "pyevm"
    kinds = (1, 2)  # eth-tester takes no legacy transaction whose chain id is above 110

    def __init__(self):
        self.tester = EthereumTester(PyEVMBackend())
        self.w3 = Web3(EthereumTesterProvider(self.tester))
        self.chain = self.tester.backend.chain
        self.chain_id = self.w3.eth.chain_id
        rich = self.w3.eth.accounts[0]
        for address in (NICKS_SENDER, AUTHOR.address, *(one.address for one in CROWD)):
            self.w3.eth.send_transaction({"from": rich, "to": address, "value": 10 * ETHER})
        self.w3.eth.send_raw_transaction(NICK)
        self.tester.disable_auto_mine_transactions()
        self.mine([sign(self, CROWD[0], to=contract.FACTORY, data=contract.DEPLOYMENT)])
        assert self.w3.eth.get_code(Web3.to_checksum_address(contract.ADDRESS)) == contract.RUNTIME_CODE

    def nonce(self, account):
        return self.w3.eth.get_transaction_count(account.address)

    def mine(self, transactions):
        for raw in transactions:
            self.w3.eth.send_raw_transaction(raw)
        self.tester.mine_block()
        block = self.chain.get_canonical_block_by_number(self.w3.eth.block_number)
        assert len(block.transactions) == len(transactions)
        receipts = block.get_receipts(self.chain.chaindb)
        return (
            rlp.encode(block.header),
            [one.encode() for one in block.transactions],
            [one.encode() for one in receipts],
        )


def sign(chain, account, *, to, data=b"", nonce=None, kind=2, gas=300_000, **more):
    fees = {"gasPrice": 10**10} if kind < 2 else {"maxFeePerGas": 10**10, "maxPriorityFeePerGas": 10**9}
    typed = {} if kind == 0 else {"type": kind}
    nonce = chain.nonce(account) if nonce is None else nonce
    target = {} if to is None else {"to": Web3.to_checksum_address(to)}
    fields = {"chainId": chain.chain_id, "nonce": nonce, "value": 0, "gas": gas, "data": data}
    return bytes(account.sign_transaction({**fields, **target, **fees, **typed, **more}).raw_transaction)


def number(text):
    value = int(text, 16)
    return value.to_bytes((value.bit_length() + 7) // 8, "big")


def octets(text):
    return bytes.fromhex(text[2:])


def encoded_header(block):
    plain = ["parentHash", "sha3Uncles", "miner", "stateRoot", "transactionsRoot", "receiptsRoot", "logsBloom"]
    fields = [octets(block[name]) for name in plain]
    fields += [number(block[name]) for name in ("difficulty", "number", "gasLimit", "gasUsed", "timestamp")]
    fields += [octets(block[name]) for name in ("extraData", "mixHash", "nonce")]
    later = {"baseFeePerGas": number, "withdrawalsRoot": octets, "blobGasUsed": number, "excessBlobGas": number}
    later |= {"parentBeaconBlockRoot": octets, "requestsHash": octets}
    return rlp.encode(fields + [read(block[name]) for name, read in later.items() if name in block])


def encoded_receipt(receipt):
    logs = [
        [octets(log["address"]), [octets(topic) for topic in log["topics"]], octets(log["data"])]
        for log in receipt["logs"]
    ]
    fields = [number(receipt["status"]), number(receipt["cumulativeGasUsed"]), octets(receipt["logsBloom"]), logs]
    kind = int(receipt["type"], 16)
    return (bytes([kind]) if kind else b"") + rlp.encode(fields)


def proof(values, index, root):
    trie = HexaryTrie({})
    for key, value in enumerate(values):
        trie[rlp.encode(key)] = value
    assert trie.root_hash == root
    return [rlp.encode(node).hex() for node in trie.get_proof(rlp.encode(index))]


def digests(count):
    return [Digest.sha256(b"release %d" % number) for number in range(count)]


def receipt(chain, block, ours, size, *, contract_address=contract.ADDRESS, log_index=0):
    """Return the receipt of the last of `size` digests, whose announcement is the transaction `ours` of `block`."""
    header, transactions, receipts = block
    fields = rlp.decode(header)
    index = transactions.index(ours)
    digest = digests(size)[-1]
    time = datetime.fromtimestamp(int.from_bytes(fields[11], "big"), UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
    evidence = {
        "mode": "event" if contract_address else "calldata",
        "chain_id": chain.chain_id,
        "contract": contract_address.hex() if contract_address else None,
        "batch": Batch(digests(size)).place(digest).to_json(),
        "block_hash": keccak(header).hex(),
        "header": header.hex(),
        "transaction": {
            "index": index,
            "public_key": AUTHOR._key_obj.public_key.to_bytes().hex(),
            "proof": proof(transactions, index, fields[4]),
        },
        "receipt": {"proof": proof(receipts, index, fields[5]), "log_index": log_index if contract_address else None},
    }
    bounds = {"not_before": None, "not_after": time}
    return {"kind": "ethereum", "digest": str(digest), "time": bounds, "evidence": evidence}


def vector(chain, name, ours, size, *, others=(), mode="event", refused=None):
    """Mine `ours` among `others` and write what is expected of the receipt, or why it is `refused`."""
    block = chain.mine([*others, ours])
    address = contract.ADDRESS if mode == "event" else None
    fields = rlp.decode(block[0])
    expected = {
        "mode": mode,
        "chain_id": chain.chain_id,
        "block_hash": keccak(block[0]).hex(),
        "block_number": int.from_bytes(fields[8], "big"),
        "transaction_hash": keccak(ours).hex(),
        "commitment": Batch(digests(size)).commitment.hex(),
        "contract": address.hex() if address else None,
        "author": AUTHOR.address[2:].lower(),
    }
    made = {
        "description": f"{name}: transaction {block[1].index(ours)} of {len(block[1])}, one of {size} digests",
        "receipt": receipt(chain, block, ours, size, contract_address=address),
        **({"expected": expected} if refused is None else {"refused": refused}),
    }
    (HERE / f"{chain.name}-{name}.json").write_text(json.dumps(made, indent=1) + "\n")


def crowd(chain, count):
    """Return so many transactions of others: payments and announcements."""
    found = []
    for number in range(count):
        account = CROWD[number % len(CROWD)]
        nonce = chain.nonce(account) + number // len(CROWD)
        data = contract.encode_anchor(hashlib.sha256(b"%d" % number).digest(), number) if number % 2 else b""
        to = contract.ADDRESS if number % 2 else AUTHOR.address
        found.append(
            sign(chain, account, to=to, data=data, nonce=nonce, kind=chain.kinds[number % len(chain.kinds)], gas=60_000)
        )
    return found


def announce(chain, size, **more):
    data = contract.encode_anchor(Batch(digests(size)).commitment, size)
    return sign(chain, AUTHOR, **{"to": contract.ADDRESS, "data": data, **more})


def to_oneself(chain, size, **more):
    return sign(chain, AUTHOR, to=AUTHOR.address, data=contract.calldata(Batch(digests(size)).commitment), **more)


def common(chain):
    vector(chain, "event-1", announce(chain, 1), 1)
    vector(chain, "event-3", announce(chain, 5, kind=1), 5, others=crowd(chain, 2))
    vector(chain, "calldata-1", to_oneself(chain, 1, kind=chain.kinds[0]), 1, mode="calldata")
    vector(chain, "calldata-3", to_oneself(chain, 7), 7, others=crowd(chain, 2), mode="calldata")


def everything(anvil):
    chain = Anvil(anvil)
    common(chain)
    vector(chain, "event-200", announce(chain, 1000, kind=0), 1000, others=crowd(chain, 199))
    vector(chain, "calldata-200", to_oneself(chain, 1000), 1000, others=crowd(chain, 199), mode="calldata")
    maker, nonce = CROWD[1], chain.nonce(CROWD[1])
    relay = Web3.to_checksum_address(keccak(rlp.encode([octets(maker.address), number(hex(nonce))]))[12:])
    chain.mine([sign(chain, maker, to=None, data=RELAY_INIT)])
    why = "the transaction announces something else, or to somebody else"
    vector(chain, "relayed-3", announce(chain, 2, to=relay), 2, others=crowd(chain, 2), refused=why)
    authorization = CROWD[2].sign_authorization(
        {"chainId": chain.chain_id, "address": relay, "nonce": chain.nonce(CROWD[2])}
    )
    vector(chain, "set-code-1", announce(chain, 1, kind=4, authorizationList=[authorization]), 1)
    common(Tester())


@contextmanager
def running(anvil):
    command = [anvil, "--port", "0", "--host", "127.0.0.1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            line = next(line for line in process.stdout if line.startswith("Listening on "))
            Thread(target=process.stdout.read, daemon=True).start()  # or the pipe fills and it stops
            yield "http://" + line.split()[-1]
        finally:
            process.terminate()


if __name__ == "__main__":
    with running(sys.argv[1]) as url:
        everything(url)
