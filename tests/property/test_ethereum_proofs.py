"""RLP, tries, transactions and receipts against the libraries of others, and against every mutation."""

import json
from pathlib import Path

import pytest
import rlp as reference
from eth_account import Account
from hypothesis import assume, example, given, settings
from hypothesis import strategies as st
from trie import HexaryTrie

from mltrust.anchors.ethereum.proof import rlp
from mltrust.anchors.ethereum.proof.batch import Batch
from mltrust.anchors.ethereum.proof.evidence import prove
from mltrust.anchors.ethereum.proof.signature import sender
from mltrust.anchors.ethereum.proof.transaction import Transaction
from mltrust.anchors.ethereum.proof.trie import proven_value
from mltrust.core.digest import Digest
from mltrust.core.receipt import Receipt
from mltrust.errors import ContradictionError, FormatError

FOLDER = Path(__file__).parents[1] / "vectors" / "ethereum"
RECEIPTS = {path.stem: json.loads(path.read_bytes())["receipt"] for path in sorted(FOLDER.glob("*.json"))}
HEX = "0123456789abcdef"

ITEMS = st.recursive(st.binary(max_size=70), lambda items: st.lists(items, max_size=6), max_leaves=30)
KEYS = st.binary(min_size=1, max_size=4)
TRIES = st.dictionaries(KEYS, st.binary(min_size=1, max_size=60), min_size=1, max_size=40)


def read(decode, data):
    """Return what a decoder says: the item, or None if it refuses."""
    try:
        return decode(data)
    except (FormatError, reference.DecodingError):
        return None


class TestRlp:
    @given(ITEMS)
    def test_it_writes_and_reads_what_the_library_does(self, item):
        encoded = rlp.encode(item)
        assert encoded == reference.encode(item)
        assert rlp.decode(encoded, "item") == item

    @given(st.one_of(st.binary(max_size=200), ITEMS.map(reference.encode)), st.data())
    @example(b"\x81\x00", None)
    @example(b"\xb8\x01a", None)
    def test_it_reads_only_what_it_would_write(self, data, draw):
        if draw is not None and data:
            at = draw.draw(st.integers(0, len(data) - 1))
            data = data[:at] + bytes([draw.draw(st.integers(0, 255))]) + data[at + 1 :]
        item = read(lambda value: rlp.decode(value, "item"), data)
        if item is not None:
            assert rlp.encode(item) == data
        theirs = read(lambda value: reference.decode(value, strict=True), data)
        if theirs is None or reference.encode(theirs) != data:
            assert item is None
        else:
            assert item == theirs

    @given(st.integers(0, 2**256 - 1))
    def test_integers(self, value):
        encoded = rlp.encode_integer(value)
        assert encoded == reference.encode(value)
        assert rlp.integer(rlp.decode(encoded, "integer"), "integer") == value


def trie_of(pairs):
    trie = HexaryTrie({})
    for key, value in pairs.items():
        trie[key] = value
    return trie


def proof_of(trie, key):
    first, *others = [reference.encode(node) for node in trie.get_proof(key)]
    return [first, *(node for node in others if len(node) >= 32)]


class TestTries:
    @given(TRIES, KEYS)
    def test_inclusion_is_proven_and_nothing_else(self, pairs, other):
        trie = trie_of(pairs)
        proofs = {key: proof_of(trie, key) for key in {*pairs, other}}
        for key, proof in proofs.items():
            if key in pairs:
                assert proven_value(trie.root_hash, key, proof, "proof") == pairs[key]
            else:
                with pytest.raises(FormatError):
                    proven_value(trie.root_hash, key, proof, "proof")

    @given(TRIES, st.data())
    def test_no_bit_can_change(self, pairs, data):
        trie = trie_of(pairs)
        key = data.draw(st.sampled_from(sorted(pairs)))
        proof = proof_of(trie, key)
        at = data.draw(st.integers(0, len(proof) - 1))
        bit = data.draw(st.integers(0, 8 * len(proof[at]) - 1))
        value = int.from_bytes(proof[at], "big") ^ (1 << bit)
        proof[at] = value.to_bytes(len(proof[at]), "big")
        with pytest.raises(FormatError):
            proven_value(trie.root_hash, key, proof, "proof")

    @given(st.lists(st.binary(min_size=1, max_size=80), max_size=5), KEYS, st.binary(min_size=32, max_size=32))
    def test_hostile_nodes(self, proof, key, root):
        with pytest.raises(FormatError):
            proven_value(root, key, proof, "proof")


FIELDS = st.fixed_dictionaries(
    {
        "chainId": st.integers(1, 2**53 - 1),
        "nonce": st.integers(0, 2**64 - 2),
        "gas": st.integers(21_000, 2**40),
        "to": st.binary(min_size=20, max_size=20),
        "value": st.integers(0, 2**128),
        "data": st.binary(max_size=100),
    }
)
FEES = st.one_of(
    st.fixed_dictionaries({"gasPrice": st.integers(0, 2**64)}),
    st.fixed_dictionaries({"type": st.just(1), "gasPrice": st.integers(0, 2**64)}),
    st.fixed_dictionaries({"maxFeePerGas": st.integers(0, 2**64), "maxPriorityFeePerGas": st.just(0)}),
)


class TestTransactions:
    @settings(max_examples=40)
    @given(st.binary(min_size=32, max_size=32), FIELDS, FEES)
    def test_they_are_read_as_they_were_signed(self, secret, fields, fees):
        assume(0 < int.from_bytes(secret, "big") < 2**255)
        account = Account.from_key(secret)
        made = account.sign_transaction({**fields, **fees})
        found = Transaction.parse(bytes(made.raw_transaction), "transaction")
        read = {"chainId": found.chain_id, "nonce": found.nonce, "to": found.to, "value": found.value}
        assert {**read, "gas": fields["gas"], "data": found.data} == fields
        assert found.hash == bytes(made.hash)
        key = account._key_obj.public_key.to_bytes()
        assert "0x" + sender(found, key, "transaction").hex() == account.address.lower()
        assert "0x" + sender(found, key, "t").hex() == Account.recover_transaction(made.raw_transaction).lower()


class TestBatches:
    @given(st.sets(st.integers(0, 2**32), min_size=1, max_size=70), st.integers(0, 2**32))
    def test_members_have_places_and_others_none(self, numbers, other):
        digests = [Digest.sha256(b"%d" % number) for number in numbers]
        batch = Batch(digests)
        places = [batch.place(digest) for digest in digests]
        assert {place.index for place in places} == set(range(len(digests)))
        for digest, place in zip(digests, places, strict=True):
            assert place.commitment_to(digest) == batch.commitment
            if other not in numbers:
                assert place.commitment_to(Digest.sha256(b"%d" % other)) is None


def strings(value, path=()):
    """Yield the path of every string and number in a document."""
    if isinstance(value, dict | list):
        for key, part in value.items() if isinstance(value, dict) else enumerate(value):
            yield from strings(part, (*path, key))
    elif value is not None:
        yield path


def at(document, path):
    for key in path:
        document = document[key]
    return document


def replaced(document, path, value):
    copy = json.loads(json.dumps(document))
    at(copy, path[:-1])[path[-1]] = value
    return copy


def outcome(document, digest):
    """Return what a receipt proves, or None if it is refused."""
    try:
        return prove(Receipt.from_json(document, "receipt"), digest)
    except (ContradictionError, FormatError):
        return None


class TestReceipts:
    @pytest.mark.parametrize("name", ["anvil-event-1", "pyevm-event-3", "anvil-calldata-3"])
    def test_no_digit_can_change(self, name):
        """Every hexadecimal digit, number and letter of a receipt, one after the other."""
        document = RECEIPTS[name]
        digest = Digest.parse(document["digest"])
        assert outcome(document, digest) is not None
        for path in strings(document):
            value = at(document, path)
            if isinstance(value, int):
                changes = [value + 1, value - 1, -value - 1, str(value)]
            else:
                digits = ((place, HEX[HEX.index(old) ^ 1] if old in HEX else "0") for place, old in enumerate(value))
                changes = [value[:place] + new + value[place + 1 :] for place, new in digits if new != value[place]]
            assert changes
            for change in changes:
                assert outcome(replaced(document, path, change), digest) is None, (path, change)

    @settings(max_examples=300)
    @given(st.data())
    def test_nothing_else_is_proven(self, data):
        document = data.draw(st.sampled_from(list(RECEIPTS.values())))
        digest = Digest.parse(document["digest"])
        path = data.draw(st.sampled_from([path for path in strings(document) if isinstance(at(document, path), str)]))
        value = at(document, path)
        start = data.draw(st.integers(0, len(value)))
        end = data.draw(st.integers(start, min(len(value), start + 4)))
        new = value[:start] + data.draw(st.text(alphabet=HEX + "xA:", max_size=4)) + value[end:]
        found = outcome(replaced(document, path, new), digest)
        assert found is None or (new == value and found == outcome(document, digest))

    @given(st.data())
    def test_parts_of_two_receipts_prove_nothing(self, data):
        one, two = data.draw(st.lists(st.sampled_from(list(RECEIPTS.values())), min_size=2, max_size=2))
        path = data.draw(st.sampled_from([("evidence", key) for key in one["evidence"]] + [("digest",), ("time",)]))
        mixed = replaced(one, path, at(two, path))
        if mixed != one:
            assert outcome(mixed, Digest.parse(one["digest"])) is None
