"""Forged receipts of Ethereum. The forger makes whole blocks as it likes; the victim trusts one block hash only."""

import json
from copy import deepcopy

import pytest
import rlp
from eth_account import Account
from eth_keys import keys
from eth_utils import keccak
from trie import HexaryTrie

from mltrust import Outcome, open_anchor
from mltrust.anchors.ethereum.proof import contract
from mltrust.anchors.ethereum.proof.batch import Batch
from mltrust.anchors.ethereum.proof.evidence import Evidence, prove, receipt_for
from mltrust.core.digest import Digest
from mltrust.core.receipt import Receipt, TimeBounds
from mltrust.core.report import AnchorState
from mltrust.errors import ContradictionError, ForeignReceiptError, FormatError
from mltrust.interfaces import Home

ORDER = 0xFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFFEBAAEDCE6AF48A03BBFD25E8CD0364141
CHAIN = 11155111
VICTIM = Account.from_key(b"\x01" * 32)
FORGER = Account.from_key(b"\x02" * 32)
VICTIMS_ADDRESS = bytes.fromhex(VICTIM.address[2:])
IMPOSTOR = b"\x66" * 20  # a contract of the forger
DIGESTS = [Digest.sha256(b"%d" % number) for number in range(5)]
DIGEST = DIGESTS[2]
BATCH = Batch(DIGESTS)
CALL = contract.encode_anchor(BATCH.commitment, BATCH.size)


def signed(account=VICTIM, chain=CHAIN, to=contract.ADDRESS, data=CALL, **fields):
    fees = {} if "gasPrice" in fields else {"maxFeePerGas": 10, "maxPriorityFeePerGas": 1}
    common = {"chainId": chain, "nonce": 1, "gas": 50_000, "value": 0}
    return bytes(account.sign_transaction({**common, **fees, "to": to, "data": data, **fields}).raw_transaction)


def event(address=contract.ADDRESS, commitment=BATCH.commitment, by=VICTIMS_ADDRESS, size=BATCH.size):
    return [address, [contract.TOPIC, commitment, bytes(12) + by], size.to_bytes(32, "big")]


def outcome(*logs, status=1, prefix=b"\x02"):
    return prefix + rlp.encode([status, 23_827, bytes(256), list(logs)])


OTHER = (signed(FORGER, nonce=9, to=IMPOSTOR, data=b""), outcome())
OURS = (signed(), outcome(event()))


def proof(values, index):
    trie = HexaryTrie({})
    for key, value in enumerate(values):
        trie[rlp.encode(key)] = value
    return trie.root_hash, [rlp.encode(node).hex() for node in trie.get_proof(rlp.encode(index))]


def header(transactions_root, receipts_root, timestamp=1_790_000_000):
    roots = [bytes(32), bytes(32), bytes(20), bytes(32), transactions_root, receipts_root, bytes(256)]
    return rlp.encode([*roots, 0, 6_000_000, 30_000_000, 21_000, timestamp, b"", bytes(32), bytes(8), 7, bytes(32)])


def forged(block=(OTHER, OURS, OTHER), index=1, account=VICTIM, timestamp=1_790_000_000, **fields):
    """Return the evidence of a block: pairs of a raw transaction and a raw receipt."""
    transactions, receipts = zip(*block, strict=True)
    transactions_root, transaction_proof = proof(transactions, index)
    receipts_root, receipt_proof = proof(receipts, index)
    raw = header(transactions_root, receipts_root, timestamp)
    key = account._key_obj.public_key.to_bytes().hex()
    return {
        "mode": "event",
        "chain_id": CHAIN,
        "contract": contract.ADDRESS.hex(),
        "batch": BATCH.place(DIGEST).to_json(),
        "block_hash": keccak(raw).hex(),
        "header": raw.hex(),
        "transaction": {"index": index, "public_key": key, "proof": transaction_proof},
        "receipt": {"proof": receipt_proof, "log_index": 0},
        **fields,
    }


def proven(evidence, digest=DIGEST):
    return prove(receipt_for(digest, Evidence.model_validate(evidence)), digest)


def refused(evidence, match=None, digest=DIGEST):
    """A forgery is a finding, whether its document is damaged or what it says is untrue."""
    time = TimeBounds(not_after="2026-09-21T14:13:20Z")
    receipt = Receipt.model_construct(kind="ethereum", digest=str(digest), time=time, evidence=evidence)
    with pytest.raises(ContradictionError, match=match) as caught:
        prove(receipt, digest)
    assert caught.value.state == AnchorState.REPLACED
    assert str(caught.value).isprintable()
    return True


def alone(transaction, receipt=OURS[1], **more):
    return forged([(transaction, receipt)], index=0, **more)


def in_oneself(transaction, receipt=None, **more):
    """Return the evidence of a transaction to oneself."""
    receipt = outcome() if receipt is None else receipt
    found = alone(transaction, receipt, mode="calldata", contract=None, **more)
    found["receipt"]["log_index"] = None
    return found


def edited(evidence, *path, value):
    copy = deepcopy(evidence)
    place = copy
    for key in path[:-1]:
        place = place[key]
    place[path[-1]] = value
    return copy


def test_the_builder_makes_receipts_that_hold():
    """Otherwise nothing below would show why a forgery is refused."""
    found = proven(forged())
    assert (found.author, found.contract) == (VICTIMS_ADDRESS, contract.ADDRESS)
    assert (found.chain_id, found.block_number) == (CHAIN, 6_000_000)
    assert found.time == TimeBounds(not_after="2026-09-21T14:13:20Z")
    assert found.transaction_hash == keccak(OURS[0])
    data = contract.calldata(BATCH.commitment)
    assert proven(in_oneself(signed(to=VICTIMS_ADDRESS, data=data))).author == VICTIMS_ADDRESS


class TestWhomToBelieve:
    """What `prove` cannot decide it must at least not hide."""

    def test_a_block_of_the_forgers_own(self):
        """It proves all it likes, of another block."""
        trusted = proven(forged()).block_hash
        assert proven(forged([(signed(), OURS[1])], index=0)).block_hash != trusted

    def test_a_contract_that_names_the_victim_as_its_caller(self):
        receipt = outcome(event(address=IMPOSTOR))
        refused(alone(signed(FORGER, to=IMPOSTOR), receipt, account=FORGER, contract=IMPOSTOR.hex()), "somebody else")
        found = proven(alone(signed(to=IMPOSTOR), receipt, contract=IMPOSTOR.hex()))
        assert found.contract == IMPOSTOR != contract.ADDRESS, "what the call means there is for the caller to judge"

    def test_that_contract_under_the_name_of_the_real_one(self):
        receipt = outcome(event(address=IMPOSTOR))
        refused(alone(signed(FORGER, to=IMPOSTOR), receipt, account=FORGER), "somebody else")
        refused(alone(signed(), receipt), "no event of the contract")

    def test_a_victim_lured_to_a_contract_that_announces(self):
        """The victim signed, and did not announce: the contract it called did."""
        for data in (b"", CALL):
            for by in (IMPOSTOR, VICTIMS_ADDRESS):
                refused(alone(signed(to=IMPOSTOR, data=data), outcome(event(by=by))), "to somebody else")

    def test_a_copy_of_the_announcement(self):
        """Anybody may announce what somebody else did: it is then its own announcement."""
        by = bytes.fromhex(FORGER.address[2:])
        assert proven(alone(signed(FORGER), outcome(event(by=by)), account=FORGER)).author == by


class TestReceiptsMadeUp:
    """Nobody signs the trie of receipts: in a block of its own the forger lets AnchorLog say whatever it likes."""

    @pytest.mark.parametrize(("to", "data"), [(b"\x11" * 20, b""), (IMPOSTOR, CALL), (contract.ADDRESS, CALL)])
    def test_an_event_by_the_victim_beside_a_transaction_of_the_forger(self, to, data):
        refused(alone(signed(FORGER, to=to, data=data), account=FORGER), "by somebody else|to somebody else")

    def test_beside_another_transaction_of_the_victim(self):
        """The victim did sign something: a payment, or the announcement of something else."""
        other = contract.encode_anchor(b"\1" * 32, BATCH.size)
        for to in (contract.ADDRESS, IMPOSTOR, VICTIMS_ADDRESS, b""):
            for data in (b"", other, contract.encode_anchor(BATCH.commitment, BATCH.size + 1), CALL + b"\0", CALL[:-1]):
                refused(alone(signed(to=to, data=data)), "something else")
        for to in (IMPOSTOR, VICTIMS_ADDRESS, b""):
            refused(alone(signed(to=to)), "to somebody else")

    def test_the_victims_announcement_under_another_name(self):
        refused(alone(signed(), outcome(event(by=bytes.fromhex(FORGER.address[2:])))), "by somebody else")

    def test_whoever_vouches_for_that_block(self, tmp_path):
        """Even where it is the very block that the caller trusts, the victim did not announce."""
        false = alone(signed(FORGER, to=b"\x11" * 20, data=b""), account=FORGER)
        genuine = alone(signed())
        blocks = ["0x" + evidence["block_hash"] for evidence in (false, genuine)]
        settings = {"authors": VICTIM.address, "trust_block": blocks}
        anchor = open_anchor("ethereum:sepolia", Home(tmp_path / "data", tmp_path / "state"), settings)
        check = anchor.confirm(receipt_for(DIGEST, Evidence.model_validate(genuine)), DIGEST)
        assert (check.outcome, check.level) == (Outcome.PASS, "given-block")
        check = anchor.confirm(receipt_for(DIGEST, Evidence.model_validate(false)), DIGEST)
        assert (check.outcome, check.state) == (Outcome.FAIL, AnchorState.REPLACED)
        assert "to somebody else" in check.summary


class TestChains:
    def test_a_transaction_of_another_chain(self):
        refused(alone(signed(chain=31337)), "of chain 31337")
        assert proven(alone(signed(chain=31337), chain_id=31337)).chain_id == 31337

    def test_a_transaction_of_any_chain(self):
        """From before EIP-155: signed without a chain, so that it could be played on each."""
        unsigned = [1, 10, 50_000, contract.ADDRESS, 0, CALL]
        made = VICTIM._key_obj.sign_msg_hash(keccak(rlp.encode(unsigned)))
        raw = rlp.encode([*unsigned, made.v + 27, made.r, made.s])
        refused(alone(raw, outcome(event(), prefix=b"")), "names no chain")

    def test_a_deposit(self):
        """Of the OP stack: nobody signed it, and its sender is what it says."""
        deposit = b"\x7e" + rlp.encode([bytes(32), VICTIMS_ADDRESS, contract.ADDRESS, 0, 0, 50_000, b"", CALL])
        status = b"\x7e" + rlp.encode([1, 23_827, bytes(256), [event()], 1, 1])
        refused(alone(deposit, status), "0x7e cannot anchor")
        refused(alone(signed(), status), "0x7e cannot anchor")
        refused(alone(signed(), b"\x02" + status[1:]), "6 items where 4 belong")


class TestSignatures:
    def test_the_key_of_somebody_else(self):
        refused(alone(signed(), account=FORGER), "not that of the signature")

    def test_the_victims_key_on_the_forgers_transaction(self):
        refused(alone(signed(FORGER), account=VICTIM), "not that of the signature")

    def test_the_twin_of_a_signature(self):
        fields = rlp.decode(signed()[1:])
        fields[-1] = ORDER - int.from_bytes(fields[-1], "big")
        fields[-3] = 1 - int.from_bytes(fields[-3], "big")
        refused(alone(b"\x02" + rlp.encode(fields)), "upper half")

    def test_the_other_key_of_a_signature(self):
        fields = rlp.decode(signed()[1:])
        r, s = (int.from_bytes(field, "big") for field in fields[-2:])
        digest = keccak(b"\x02" + rlp.encode(fields[:-3]))
        found = [keys.Signature(vrs=(v, r, s)).recover_public_key_from_msg_hash(digest) for v in (0, 1)]
        assert VICTIM._key_obj.public_key in found
        (other,) = (key for key in found if key != VICTIM._key_obj.public_key)
        refused(edited(alone(signed()), "transaction", "public_key", value=other.to_bytes().hex()), "not that of")

    def test_a_signature_moved_to_another_announcement(self):
        fields = rlp.decode(signed(data=b"harmless")[1:])
        fields[7] = CALL
        refused(alone(b"\x02" + rlp.encode(fields)), "not that of the signature")


class TestOutcomes:
    def test_a_transaction_that_failed(self):
        refused(alone(signed(), outcome(status=0)), "the transaction failed")
        refused(alone(signed(), outcome(event(), status=0)), "the transaction failed")

    def test_one_to_oneself_that_failed(self):
        made = signed(to=VICTIMS_ADDRESS, data=contract.calldata(BATCH.commitment))
        refused(in_oneself(made, outcome(status=0)), "the transaction failed")

    @pytest.mark.parametrize("status", [2, 255, 256, b"\0", b"\0\1", bytes(32), b"\1" * 32, [], [b"\1"]])
    def test_a_status_that_is_none(self, status):
        """32 bytes are the state root of before EIP-658, which every failed transaction has too."""
        refused(alone(signed(), outcome(event(), status=status)))

    def test_an_event_that_is_gone(self):
        refused(alone(signed(), outcome()), "no event")
        refused(edited(alone(signed(), outcome(event())), "receipt", "log_index", value=1), "no event")

    def test_the_event_of_another_place(self):
        evidence = alone(signed(), outcome(event(commitment=b"\1" * 32), event()))
        refused(evidence, "something else")
        assert proven(edited(evidence, "receipt", "log_index", value=1)).author == VICTIMS_ADDRESS

    def test_an_announcement_of_something_else(self):
        refused(alone(signed(), outcome(event(commitment=BATCH.place(DIGEST).root.encode()[:32]))), "something else")
        for size in (0, 1, BATCH.size + 1, 2**64 - 1):
            refused(alone(signed(), outcome(event(size=size))), "something else")

    def test_another_kind_of_event(self):
        log = event()
        for topics in (log[1][:2], [*log[1], bytes(32)], [b"\1" * 32, *log[1][1:]], []):
            refused(alone(signed(), outcome([log[0], topics, log[2]])), "something else")
        for data in (b"", log[2][:31], log[2] + bytes(32), b"\1" + log[2][1:]):
            refused(alone(signed(), outcome([log[0], log[1], data])), "something else")

    def test_an_event_that_is_malformed(self):
        log = event()
        for bad in ([log[0][:19], *log[1:]], [log[0], [bytes(31)], log[2]], [log[0], [bytes(32)] * 5, log[2]], log[:2]):
            refused(alone(signed(), outcome(bad)))
            refused(alone(signed(), outcome(event(), bad)))

    def test_a_receipt_of_another_type(self):
        refused(alone(signed(), outcome(event(), prefix=b"")), "another type")
        refused(alone(signed(), outcome(event(), prefix=b"\1")), "another type")
        refused(alone(signed(), outcome(event(), prefix=b"\5")), "0x05 cannot anchor")

    def test_a_bloom_of_another_size(self):
        refused(alone(signed(), b"\x02" + rlp.encode([1, 23_827, bytes(255), [event()]])), "255 bytes")


class TestCalldata:
    data = contract.calldata(BATCH.commitment)

    def test_to_somebody_else(self):
        """To a contract it could mean anything: only what one says to oneself can mean nothing else."""
        for to in (contract.ADDRESS, IMPOSTOR, bytes(20)):
            refused(in_oneself(signed(to=to, data=self.data)), "or to somebody")
        refused(in_oneself(signed(FORGER, to=VICTIMS_ADDRESS, data=self.data), account=FORGER), "or to somebody")

    def test_a_new_contract(self):
        refused(in_oneself(signed(to=b"", data=self.data)), "or to somebody")

    def test_other_data(self):
        for data in (b"", self.data[4:], self.data + b"\0", b"\0" + self.data, self.data[:-1], b"mlt2" + self.data[4:]):
            refused(in_oneself(signed(to=VICTIMS_ADDRESS, data=data)), "something else")
        refused(in_oneself(signed(to=VICTIMS_ADDRESS, data=CALL)), "something else")

    def test_one_mode_as_the_other(self):
        to_oneself = signed(to=VICTIMS_ADDRESS, data=self.data)
        refused(alone(to_oneself, outcome()), "something else")
        refused(alone(to_oneself), "something else")
        refused(in_oneself(signed(), OURS[1]), "something else")

    def test_half_of_a_mode(self):
        refused(edited(forged(), "contract", value=None), "has a contract")
        refused(edited(forged(), "receipt", "log_index", value=None), "has a contract")
        refused(edited(forged(), "mode", value="calldata"), "has neither")
        refused(edited(in_oneself(signed()), "mode", value="event"), "has a contract")
        refused(edited(forged(), "mode", value="storage"))


class TestPlaces:
    def test_another_transaction_of_the_block(self):
        for index in (0, 2, 3, 128, 2**24 - 1):
            refused(edited(forged(), "transaction", "index", value=index), "another key|nothing is under|lead on")

    def test_the_receipt_of_another_transaction(self):
        other = forged(index=0)["receipt"]["proof"]
        refused(edited(forged(), "receipt", "proof", value=other), "another key|does not lead")

    def test_the_transaction_of_another_receipt(self):
        """The victim's transaction stands beside a receipt of the forger's: one index decides both."""
        block = [(signed(data=b""), outcome()), (signed(FORGER), OURS[1])]
        refused(forged(block, index=0), "something else")
        refused(forged(block, index=1), "not that of the signature")

    def test_the_roots_swapped(self):
        found = forged()
        fields = rlp.decode(bytes.fromhex(found["header"]))
        fields[4], fields[5] = fields[5], fields[4]
        raw = rlp.encode(fields)
        refused({**found, "header": raw.hex(), "block_hash": keccak(raw).hex()}, "does not lead on")

    def test_the_proofs_swapped(self):
        found = forged()
        one, two = found["transaction"]["proof"], found["receipt"]["proof"]
        swapped = edited(edited(found, "transaction", "proof", value=two), "receipt", "proof", value=one)
        refused(swapped, "does not lead on")

    @pytest.mark.parametrize("which", ["transaction", "receipt"])
    def test_nodes_too_many_too_few_or_twice(self, which):
        nodes = forged()[which]["proof"]
        assert len(nodes) == 3
        few = [nodes[:1], nodes[:2], nodes[1:], [nodes[0], nodes[2]]]
        many = [[nodes[0], *nodes], [*nodes, nodes[2]], [*nodes, "c0"], [*nodes[:2], nodes[1], nodes[2]]]
        for bad in (*few, *many, nodes[::-1]):
            refused(edited(forged(), which, "proof", value=bad))

    def test_a_leaf_in_the_place_of_the_root(self):
        """A transaction whose data is a node: that node has no place in the trie of the block."""
        node = rlp.encode([b"\x20\x80", signed()])
        inner = signed(FORGER, data=node)
        found = forged([(inner, outcome())], index=0)
        refused(edited(found, "transaction", "proof", value=[node.hex()]), "does not lead on")
        refused(edited(found, "transaction", "proof", value=[*found["transaction"]["proof"], node.hex()]), "more nodes")


class TestHeaders:
    def test_the_hash_of_another_block(self):
        refused(edited(forged(), "block_hash", value="00" * 32), "not of the block")
        refused(edited(forged(), "header", value=forged(timestamp=1_790_000_001)["header"]), "not of the block")

    def test_another_time(self):
        evidence = forged(timestamp=1_790_000_012)
        refused(evidence, "not that of the block")
        assert proven(evidence).time == TimeBounds(not_after="2026-09-21T14:13:32Z")

    @pytest.mark.parametrize("timestamp", [2**64 - 1, 2**63, 253_402_300_800, 2**64, 2**255])
    def test_times_beyond_the_calendar(self, timestamp):
        refused(forged(timestamp=timestamp), "out of range|no integer")
        with pytest.raises(FormatError):
            receipt_for(DIGEST, Evidence.model_validate(forged(timestamp=timestamp)))

    def test_what_is_no_header(self):
        fields = rlp.decode(bytes.fromhex(forged()["header"]))
        short, odd = fields[:14], [*fields[:4], fields[4][:31], *fields[5:]]
        zeros = [*fields[:11], b"\0" + fields[11], *fields[12:]]
        nested = [*fields[:12], [b""], *fields[13:]]
        for bad in (short, odd, zeros, nested, [], b"", b"x" * 600):
            raw = rlp.encode(bad)
            refused({**forged(), "header": raw.hex(), "block_hash": keccak(raw).hex()})

    def test_fields_of_later_forks_are_not_read(self):
        found = forged()
        raw = rlp.encode([*rlp.decode(bytes.fromhex(found["header"])), b"x" * 99, [[b"new"]]])
        assert proven({**found, "header": raw.hex(), "block_hash": keccak(raw).hex()}).author == VICTIMS_ADDRESS


class TestSpellings:
    """The forger has a block in which a transaction, receipt or header is not written as RLP says."""

    def long_form(self, raw):
        """Write the outermost list of `raw` with a length one byte longer than needed."""
        prefix = raw[:1] if raw[0] < 0xC0 else b""
        digits = raw[len(prefix)] - 0xF7
        length = raw[len(prefix) + 1 : len(prefix) + 1 + digits]
        return prefix + bytes([0xF8 + digits]) + b"\0" + length + raw[len(prefix) + 1 + digits :]

    def test_transactions(self):
        refused(alone(self.long_form(signed())), "shortest form")
        refused(alone(signed() + b"\0"), "after the RLP item")
        fields = rlp.decode(signed()[1:])
        for at in (0, 1, -1, -2):
            zero = [*fields]
            zero[at] = b"\0" + zero[at]
            refused(alone(b"\x02" + rlp.encode(zero)), "no integer")

    def test_receipts(self):
        refused(alone(signed(), self.long_form(OURS[1])), "shortest form")
        refused(alone(signed(), OURS[1] + b"\0"), "after the RLP item")
        refused(alone(signed(), OURS[1][:-1]), "goes on after")

    def test_headers(self):
        raw = self.long_form(bytes.fromhex(forged()["header"]))
        refused({**forged(), "header": raw.hex(), "block_hash": keccak(raw).hex()}, "shortest form")

    def test_depth(self):
        deep = b"\xc0"
        for _ in range(5000):
            size = len(deep)
            digits = size.to_bytes((size.bit_length() + 7) // 8, "big")
            deep = (bytes([0xC0 + size]) if size < 56 else bytes([0xF7 + len(digits)]) + digits) + deep
        refused(alone(b"\x02" + deep), "nested deeper")
        refused(alone(signed(), b"\x02" + deep), "nested deeper")
        refused({**forged(), "header": deep[-15_000:].hex(), "block_hash": keccak(deep[-15_000:]).hex()})


class TestBatches:
    def test_a_digest_that_is_not_in_it(self):
        refused(forged(), "not in the batch", digest=Digest.sha256(b"forged"))
        refused(forged(), "not in the batch", digest=DIGESTS[0])

    def test_an_inner_node(self):
        """A digest made to equal a hash inside the tree: leaves are hashed, so it is none."""
        place = BATCH.place(DIGEST)
        inner = Digest("sha256", bytes.fromhex(place.path[-1]))
        for size, path in ((1, []), (2, place.path[:1]), (BATCH.size, place.path)):
            batch = {"size": size, "index": 0, "root": place.root, "path": path}
            refused(forged(batch=batch), "not in the batch", digest=inner)

    def test_a_false_size(self):
        """Both in the document and in the event: the commitment is to the true one."""
        for size in range(1, 20):
            if size != BATCH.size:
                batch = {**BATCH.place(DIGEST).to_json(), "size": size}
                refused(alone(signed(), outcome(event(size=size)), batch=batch))

    def test_the_root_in_the_place_of_the_commitment(self):
        root = bytes.fromhex(BATCH.place(DIGEST).root)
        refused(alone(signed(), outcome(event(commitment=root))), "something else")


class TestDocuments:
    @pytest.mark.parametrize("key", list(forged()))
    def test_a_key_is_missing_or_of_another_type(self, key):
        found = forged()
        refused({name: value for name, value in found.items() if name != key})
        for bad in (None, True, 1.5, -1, 2**64, "", "x", "0x00", "\ud800", [], {}, [found[key]], {key: found[key]}):
            refused({**found, key: bad})

    def test_a_key_too_many(self):
        refused({**forged(), "rpc": "http://127.0.0.1/"})
        refused(edited(forged(), "transaction", "hash", value="00" * 32))

    def test_sizes(self):
        huge = "c0" * (2**18 + 1)
        for path in (("header",), ("transaction", "proof", 1), ("receipt", "proof", 1), ("transaction", "public_key")):
            refused(edited(forged(), *path, value=huge))
        refused(edited(forged(), "transaction", "proof", value=["c0"] * 65))
        refused(edited(forged(), "transaction", "proof", value=[]))
        refused(edited(forged(), "batch", "path", value=["00" * 32] * 54))

    def test_spellings_of_bytes(self):
        found = forged()
        for path in (("header",), ("block_hash",), ("contract",), ("transaction", "proof", 0), ("receipt", "proof", 1)):
            value = found
            for key in path:
                value = value[key]
            for bad in (value.upper(), "0x" + value, value + " ", value + "\n", value[:-1], value[:-2] + "é0"):
                refused(edited(found, *path, value=bad))

    def test_another_kind(self):
        receipt = receipt_for(DIGEST, Evidence.model_validate(forged()))
        with pytest.raises(ForeignReceiptError) as caught:
            prove(receipt.model_copy(update={"kind": "ledger"}), DIGEST)
        assert caught.value.state == AnchorState.UNKNOWN_KEY

    def test_another_digest(self):
        receipt = receipt_for(DIGEST, Evidence.model_validate(forged()))
        for other in (DIGESTS[0], Digest.sha256(b"")):
            with pytest.raises(ContradictionError, match="another digest"):
                prove(receipt, other)
            with pytest.raises(ContradictionError, match="another digest"):
                prove(receipt.model_copy(update={"digest": str(other)}), DIGEST)

    @pytest.mark.parametrize("field", ["not_before", "not_after"])
    def test_another_time(self, field):
        receipt = receipt_for(DIGEST, Evidence.model_validate(forged()))
        time = receipt.time.model_copy(update={field: "2001-01-01T00:00:00Z"})
        with pytest.raises(ContradictionError, match="not that of the block"):
            prove(receipt.model_copy(update={"time": time}), DIGEST)

    def test_it_survives_json(self):
        receipt = receipt_for(DIGEST, Evidence.model_validate(forged()))
        again = Receipt.from_json(json.loads(json.dumps(receipt.to_json())), "receipt")
        assert prove(again, DIGEST) == prove(receipt, DIGEST)
