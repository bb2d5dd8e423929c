"""Batches: the commitment by hand, and what no place can be made to say."""

import hashlib

import pytest
from pydantic import ValidationError

from mltrust.anchors.ethereum.proof.batch import Batch, Place
from mltrust.core.digest import Digest
from mltrust.core.merkle import Tree, leaf_hash, node_hash

DIGESTS = [Digest.sha256(b"%d" % number) for number in range(1000)]


def ns(field):
    return len(field).to_bytes(8, "big") + field


def by_hand(size, root):
    return hashlib.sha256(ns(b"mltrust/batch/1") + ns(size.to_bytes(8, "big")) + ns(root)).digest()


def edited(place, **fields):
    return Place.model_validate({**place.to_json(), **fields})


def test_one():
    (one,) = DIGESTS[:1]
    batch = Batch([one])
    root = hashlib.sha256(b"\0" + one.value).digest()
    assert batch.size == 1
    assert batch.commitment == by_hand(1, root)
    assert batch.place(one) == Place(size=1, index=0, root=root.hex(), path=[])


def test_three():
    first, second, third = sorted(DIGESTS[:3], key=lambda digest: digest.value)
    root = node_hash(node_hash(leaf_hash(first.value), leaf_hash(second.value)), leaf_hash(third.value))
    batch = Batch(DIGESTS[:3])
    assert batch.commitment == by_hand(3, root)
    assert batch.place(third).index == 2


@pytest.mark.parametrize("size", [1, 2, 3, 7, 8, 100, 1000])
def test_every_digest_has_a_place(size):
    batch = Batch(DIGESTS[:size])
    for digest in DIGESTS[:size]:
        place = batch.place(digest)
        assert place.commitment_to(digest) == batch.commitment
        assert len(place.path) <= (size - 1).bit_length()


def test_order_and_repetition_do_not_matter():
    batch = Batch(DIGESTS[:5])
    again = Batch([*reversed(DIGESTS[:5]), DIGESTS[0]])
    assert (again.commitment, again.size) == (batch.commitment, 5)


def test_a_digest_of_another_batch_has_no_place():
    with pytest.raises(KeyError):
        Batch(DIGESTS[:5]).place(DIGESTS[5])


def test_nothing_is_no_batch():
    with pytest.raises(ValueError, match="nothing"):
        Batch([])


def test_a_place_is_for_one_digest():
    batch = Batch(DIGESTS[:8])
    place = batch.place(DIGESTS[0])
    assert all(place.commitment_to(digest) is None for digest in DIGESTS[1:9])


def test_an_inner_node_is_no_leaf():
    """Neither a node of 32 bytes, nor two of them side by side, is a digest of the batch."""
    values = sorted(digest.value for digest in DIGESTS[:4])
    batch = Batch(DIGESTS[:4])
    inner = node_hash(leaf_hash(values[0]), leaf_hash(values[1]))
    other = node_hash(leaf_hash(values[2]), leaf_hash(values[3]))
    root = Tree(values).root.hex()
    assert batch.commitment == by_hand(4, bytes.fromhex(root))
    for value, path in ((inner, [other]), (leaf_hash(values[0]), [leaf_hash(values[1]), other]), (inner + other, [])):
        for size in (1, 2, 4):
            claim = Place(size=size, index=0, root=root, path=[node.hex() for node in path])
            assert claim.commitment_to(Digest("sha256", value)) is None


def test_a_false_size_is_another_commitment():
    """The path of the first leaf also fits trees of other sizes: the commitment tells them apart."""
    batch = Batch(DIGESTS[:8])
    digest = min(DIGESTS[:8], key=lambda digest: digest.value)
    place = batch.place(digest)
    found = {size: edited(place, size=size).commitment_to(digest) for size in range(1, 20)}
    assert found[8] == batch.commitment
    assert found[7] not in (None, batch.commitment)
    assert [size for size, value in found.items() if value == batch.commitment] == [8]


@pytest.mark.parametrize(
    "fields",
    [
        {"size": 0},
        {"size": -1},
        {"size": 2**53},
        {"size": "8"},
        {"size": 8.0},
        {"size": True},
        {"index": -1},
        {"index": 2**53},
        {"root": "00"},
        {"root": "AA" * 32},
        {"path": ["00"]},
        {"path": ["0x" + "00" * 31]},
        {"path": ["00" * 32] * 54},
        {"path": None},
        {"more": 1},
    ],
)
def test_what_is_no_place(fields):
    with pytest.raises(ValidationError):
        edited(Batch(DIGESTS[:8]).place(DIGESTS[0]), **fields)


@pytest.mark.parametrize("fields", [{"index": 8}, {"index": 7}, {"path": []}, {"path": ["00" * 32] * 3}])
def test_places_that_lead_nowhere(fields):
    digest = min(DIGESTS[:8], key=lambda digest: digest.value)
    assert edited(Batch(DIGESTS[:8]).place(digest), **fields).commitment_to(digest) is None


def test_the_vector():
    """What stands in the specification."""
    batch = Batch([Digest.sha256(word) for word in (b"one", b"two", b"three")])
    assert batch.place(Digest.sha256(b"one")).root == "df9f813d093819ac6ca09823b600281cea7d6308c77bda9297c8b3306980a630"
    assert batch.commitment.hex() == "e1cc536b1f2696880bc0267ebb65d395e0957eb4610b4bbd9ea47821a57f0e6f"
