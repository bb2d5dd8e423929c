"""Proofs of Merkle-Patricia tries: the published examples of the trie tests, and everything that proves nothing."""

import pytest
import rlp
from trie import HexaryTrie

from mltrust.anchors.ethereum.proof.keccak import keccak256
from mltrust.anchors.ethereum.proof.trie import MAX_NODES, index_key, proven_value
from mltrust.errors import FormatError

# From the trie tests that all clients share (trietest.json: "puppy", "dogs", "foo").
DOGS = {b"do": b"verb", b"horse": b"stallion", b"doge": b"coin", b"dog": b"puppy"}
DOGS_ROOT = bytes.fromhex("5991bb8c6514148a29db676a14ac506cd2cd5775ace63c30a4fe457715e9ac84")
SHORT = {b"foo": b"bar", b"food": b"bass"}
SHORT_ROOT = bytes.fromhex("17beaa1648bafa633cda809c90c04af50fc8aed3cb40d16efbddee6fdf63c4c3")
MANY = {rlp.encode(index): b"transaction %d " % index * 9 for index in range(300)}


def trie_of(pairs):
    trie = HexaryTrie({})
    for key, value in pairs.items():
        trie[key] = value
    return trie


def proof_of(trie, key):
    """Return the nodes on the way to `key` without those that stand in another."""
    first, *others = [rlp.encode(node) for node in trie.get_proof(key)]
    return [first, *(node for node in others if len(node) >= 32)]


def proves_nothing(root, key, proof, match=None):
    with pytest.raises(FormatError, match=match):
        proven_value(root, key, proof, "proof")


@pytest.mark.parametrize(
    ("pairs", "root"), [(DOGS, DOGS_ROOT), (SHORT, SHORT_ROOT), (MANY, trie_of(MANY).root_hash)], ids=["dogs", "s", "m"]
)
def test_every_key_of_a_trie(pairs, root):
    trie = trie_of(pairs)
    assert trie.root_hash == root
    for key, value in pairs.items():
        assert proven_value(root, key, proof_of(trie, key), "proof") == value


def test_nodes_that_stand_in_others_were_met():
    """Otherwise the published examples would not show how they are read."""
    trie = trie_of(DOGS)
    assert len(trie.get_proof(b"doge")) > len(proof_of(trie, b"doge"))


def test_keys_that_are_not_there():
    for pairs in (DOGS, SHORT, MANY):
        trie = trie_of(pairs)
        for key in (
            b"",
            b"d",
            b"dot",
            b"doges",
            b"horses",
            b"hors",
            b"x",
            b"food!",
            rlp.encode(300),
            rlp.encode(70000),
        ):
            if key not in pairs:
                proves_nothing(trie.root_hash, key, proof_of(trie, key))


def test_one_key_proves_no_other():
    trie = trie_of(MANY)
    proof = proof_of(trie, rlp.encode(7))
    for index in (0, 6, 8, 77, 128, 299, 300):
        proves_nothing(trie.root_hash, rlp.encode(index), proof)


class TestNodes:
    trie = trie_of(MANY)
    root = trie.root_hash
    key = rlp.encode(299)
    proof = proof_of(trie, key)

    def test_the_proof_is_long_enough_for_this(self):
        assert len(self.proof) >= 4
        assert proven_value(self.root, self.key, self.proof, "proof") == MANY[self.key]

    def test_none(self):
        proves_nothing(self.root, self.key, [], "does not lead on")

    @pytest.mark.parametrize("at", range(4))
    def test_one_is_missing(self, at):
        proves_nothing(self.root, self.key, [*self.proof[:at], *self.proof[at + 1 :]])

    @pytest.mark.parametrize("at", range(4))
    def test_one_stands_twice(self, at):
        proves_nothing(self.root, self.key, [*self.proof[: at + 1], *self.proof[at:]])

    def test_one_more_at_the_end(self):
        for extra in (b"", b"\xc0", self.proof[0], self.proof[-1]):
            proves_nothing(self.root, self.key, [*self.proof, extra], "1 more nodes")

    def test_in_another_order(self):
        proves_nothing(self.root, self.key, self.proof[::-1])

    def test_another_root(self):
        for root in (bytes(32), keccak256(self.proof[1]), keccak256(b"\x80")):
            proves_nothing(root, self.key, self.proof)

    def test_too_many(self):
        proves_nothing(self.root, self.key, self.proof * (1 + MAX_NODES), f"more than {MAX_NODES}")


def leaf(path, value=b"v" * 40):
    return [bytes.fromhex(path), value]


def root_of(node):
    return keccak256(rlp.encode(node))


@pytest.mark.parametrize(
    ("node", "match"),
    [
        (leaf("4061"), "hex-prefix"),
        (leaf("8061"), "hex-prefix"),
        (leaf("2161"), "hex-prefix"),
        (leaf("2f61"), "hex-prefix"),
        (leaf("0161"), "hex-prefix"),
        (leaf(""), "hex-prefix"),
        (leaf("20"), "another key"),
        (leaf("206161"), "another key"),
        (leaf("2062"), "another key"),
        (leaf("2061", b""), "nothing is under"),
        (leaf("2061", [b"v"] * 17), "list where a string"),
        ([[b"\x20"], b"v"], "list where a string"),
        (leaf("00", b"h" * 32), "another key"),
        (leaf("0061", b"h" * 31), "nothing is under"),
        (leaf("0061", b"h" * 33), "nothing is under"),
        (leaf("0061", b"h" * 32), "does not lead on"),
        ([b"\x20\x61"], "a node of 1 items"),
        ([b"\x20\x61", b"v", b"w"], "a node of 3 items"),
        ([b""] * 16, "a node of 16 items"),
        ([b""] * 17, "nothing is under"),
        ([b""] * 18, "a node of 18 items"),
        (b"v" * 40, "string where a list"),
    ],
)
def test_nodes_that_are_none(node, match):
    proves_nothing(root_of(node), b"\x61", [rlp.encode(node)], match)


def test_a_node_whose_rlp_has_another_spelling():
    raw = bytes.fromhex("c6") + bytes.fromhex("822061") + bytes.fromhex("8261") + b"v"
    assert proven_value(keccak256(raw), b"\x61", [raw], "proof") == b"av"
    longer = bytes.fromhex("f806") + raw[1:]
    proves_nothing(keccak256(longer), b"\x61", [longer], "shortest form")


def test_a_short_node_stands_in_the_one_before():
    short, long = leaf("31", b"v"), leaf("31")
    assert proven_value(*_below([b"", short])) == b"v"
    assert proven_value(*_below([rlp.encode(long)], root_of(long))) == b"v" * 40
    proves_nothing(*_below([rlp.encode(short)], root_of(short))[:3], "should stand in another")
    proves_nothing(*_below([b"", long])[:3], "should be named by its hash")


def _below(rest, reference=None):
    """Return a proof through a branch whose child 6 is the node, as it is or by its hash."""
    child = reference or rest.pop()
    branch = [b""] * 6 + [child] + [b"x" * 32] + [b""] * 9
    return root_of(branch), b"\x61", [rlp.encode(branch), *(node for node in rest if node)], "proof"


def test_the_value_of_a_branch_is_where_the_key_ends():
    branch = [b"x" * 32] * 16 + [b"here"]
    assert proven_value(root_of(branch), b"", [rlp.encode(branch)], "proof") == b"here"


def test_keys_of_a_block():
    assert [index_key(index).hex() for index in (0, 1, 127, 128, 256)] == ["80", "01", "7f", "8180", "820100"]


def test_a_node_that_leads_to_another_is_short():
    last = leaf("31")
    for size, proves in ((400, True), (2000, False)):
        branch = [b""] * 6 + [root_of(last)] + [b""] * 9 + [b"v" * size]
        proof = [rlp.encode(branch), rlp.encode(last)]
        if proves:
            assert proven_value(root_of(branch), b"\x61", proof, "proof") == b"v" * 40
        else:
            proves_nothing(root_of(branch), b"\x61", proof, "bytes before the last")
