"""The record index by its definition, and everything that could be offered as a path and is not one."""

import io
from hashlib import sha256

import pytest

from mltrust.core import records
from mltrust.core.record_index import (
    EMPTY_INDEX_ROOT,
    KEY_BITS,
    Answer,
    IndexCrown,
    IndexPath,
    Step,
    lookup,
    paths,
)

TAG = (22).to_bytes(8, "big") + b"mltrust/record-index/1"
KEYS = sorted(sha256(bytes([number])).digest() for number in range(50))
ABSENT = sha256(b"absent").digest()
PRESENT = KEYS[17]


def bit_of(key, bit):
    return key[bit // 8] >> (7 - bit % 8) & 1


def key_hash(key):
    return sha256(b"\x00" + TAG + key).digest()


def node_hash(bit, left, right):
    return sha256(b"\x01" + TAG + bit.to_bytes(2, "big") + left + right).digest()


def root_by_definition(keys):
    keys = sorted(set(keys))
    if not keys:
        return sha256(b"\x02" + TAG).digest()
    if len(keys) == 1:
        return key_hash(keys[0])
    bit = next(bit for bit in range(KEY_BITS) if len({bit_of(key, bit) for key in keys}) == 2)
    sides = [[key for key in keys if bit_of(key, bit) == side] for side in (0, 1)]
    return node_hash(bit, *map(root_by_definition, sides))


def root_of(keys):
    crown = IndexCrown()
    crown.extend(sorted(keys))
    return crown.root


def chained(key, steps, found):
    """Return the root that a path leads to, whatever it is."""
    node = key_hash(found)
    for bit, sibling in reversed(steps):
        node = node_hash(bit, sibling, node) if bit_of(key, bit) else node_hash(bit, node, sibling)
    return node


ROOT = root_of(KEYS)
WAYS = paths(KEYS, [ABSENT, PRESENT])[1]


def flipped(data, bit=0):
    return (int.from_bytes(data, "big") ^ 1 << bit).to_bytes(len(data), "big")


@pytest.mark.parametrize("count", range(len(KEYS) + 1))
def test_the_root_is_that_of_the_definition(count):
    assert root_of(KEYS[:count]) == root_by_definition(KEYS[:count])
    assert paths(KEYS[:count], [ABSENT])[0] == root_by_definition(KEYS[:count])


def test_the_extremes():
    zero, one, low, high = bytes(32), bytes(31) + b"\x01", b"\x80" + bytes(31), b"\xff" * 32
    deep = [bytes(32), *((1 << bit).to_bytes(32, "big") for bit in range(KEY_BITS))]  # one node for every bit
    for keys in ([zero], [zero, one], [zero, high], [zero, one, low, high], deep):
        assert root_of(keys) == root_by_definition(keys)
        root, ways = paths(sorted(keys), [*keys, ABSENT])
        assert {lookup(key, ways[key], root) for key in keys} == {Answer.PRESENT}
        assert lookup(ABSENT, ways[ABSENT], root) is Answer.ABSENT
    assert len(paths(sorted(deep), [zero])[1][zero].steps) == KEY_BITS


def test_the_vectors_of_the_specification():
    assert EMPTY_INDEX_ROOT.hex() == "b867b212948f6cbd21b1dc934ea1e46023f94e684f7e42d72e898ae123993076"
    assert (
        root_of([sha256(b"one").digest()]).hex() == "5a7002d51b8955669ae9d08b88d6a63396ea363f3ff31a63adc57c471603aa91"
    )
    keys = [sha256(text).digest() for text in (b"one", b"two", b"three")]
    assert root_of(keys).hex() == "7fc510a4feccd5326c332533754602e60fdfdcf7c97200865c66c0670f956751"


def test_keys_count_once_and_may_come_in_any_number_of_runs():
    twice = sorted([*KEYS, *KEYS, KEYS[3]])
    assert root_of(twice) == ROOT
    assert paths(twice, [ABSENT])[0] == ROOT
    for cut in range(0, len(twice), 7):
        crown = IndexCrown()
        crown.extend(twice[:cut])
        assert crown.root == root_by_definition(twice[:cut])  # to look changes nothing
        crown.extend(twice[cut:])
        assert crown.root == ROOT


def test_the_empty_index_has_nothing_and_no_other_has():
    assert lookup(ABSENT, IndexPath((), b""), EMPTY_INDEX_ROOT) is Answer.ABSENT
    assert lookup(ABSENT, IndexPath((), b""), ROOT) is None
    assert lookup(ABSENT, IndexPath((Step(3, ABSENT),), b""), EMPTY_INDEX_ROOT) is None
    assert lookup(ABSENT, IndexPath((), ABSENT), EMPTY_INDEX_ROOT) is None


def test_every_key_has_one_answer():
    others = [sha256(bytes([number, 1])).digest() for number in range(200)]
    root, ways = paths(KEYS, [*KEYS, *others])
    for key in [*KEYS, *others]:
        right = Answer.PRESENT if key in KEYS else Answer.ABSENT
        assert lookup(key, ways[key], root) is right
        assert {lookup(key, way, root) for way in ways.values()} <= {right, None}


@pytest.mark.parametrize("at_once", [1, 7, 49, 50, 1000])
def test_a_file_is_indexed_in_one_sorted_pass_or_in_many(monkeypatch, at_once):
    monkeypatch.setattr(records, "_RUN", 32 * at_once)
    digests = [sha256(bytes([number // 2])).digest() for number in range(50)]  # each twice
    batch = records.Batch([1] * 50, digests)
    tree = records.RecordTree(io.BytesIO(), io.BytesIO())
    tree.add(batch.part(0, 20))
    tree.add(batch.part(20, 50))
    found = tree.summary(bytes(32))
    assert found.index_root == root_by_definition(digests)
    assert records.Summary.unpack(found.pack()) == found
    tree = records.RecordTree(io.BytesIO())
    tree.add(batch)
    assert tree.summary(bytes(32)) == found._replace(index_root=b"")


def test_records_with_names_are_not_indexed():
    tree = records.RecordTree(io.BytesIO(), io.BytesIO())
    tree.add(records.Batch([1], [bytes(32)], ["name"]))
    assert tree.summary(bytes(32)).index_root == b""
    assert records.RecordTree(io.BytesIO(), io.BytesIO()).summary(bytes(32)).index_root == EMPTY_INDEX_ROOT


class TestAttacks:
    """What is offered in place of the path."""

    @pytest.mark.parametrize("key", [ABSENT, PRESENT])
    def test_a_flipped_bit_anywhere(self, key):
        steps, found = WAYS[key]
        for at in range(256):
            assert lookup(key, IndexPath(steps, flipped(found, at)), ROOT) is None
            assert lookup(key, WAYS[key], flipped(ROOT, at)) is None
        for number, (bit, sibling) in enumerate(steps):
            for other in (Step(bit, flipped(sibling, 9)), Step(bit ^ 1, sibling), Step(bit + 1, sibling)):
                assert lookup(key, IndexPath((*steps[:number], other, *steps[number + 1 :]), found), ROOT) is None

    @pytest.mark.parametrize("key", [ABSENT, PRESENT])
    def test_a_path_cut_short_or_made_longer(self, key):
        steps, found = WAYS[key]
        for cut in range(len(steps)):
            assert lookup(key, IndexPath(steps[:cut], found), ROOT) is None
            assert lookup(key, IndexPath(steps[cut + 1 :], found), ROOT) is None
            assert lookup(key, IndexPath((*steps[:cut], *steps[cut + 1 :]), found), ROOT) is None
        assert lookup(key, IndexPath((*steps, Step(255, ABSENT)), found), ROOT) is None
        assert lookup(key, IndexPath(steps, b""), ROOT) is None

    def test_a_node_in_place_of_a_key(self):
        for key in (ABSENT, PRESENT):
            steps, found = WAYS[key]
            for cut in range(len(steps)):
                node = chained(key, steps[cut:], found)
                assert lookup(key, IndexPath(steps[:cut], node), ROOT) is None
                left, right = (steps[cut].sibling, chained(key, steps[cut + 1 :], found))
                inside = steps[cut].bit.to_bytes(2, "big") + left + right
                assert lookup(key, IndexPath(steps[:cut], inside), ROOT) is None

    def test_a_key_in_place_of_a_node(self):
        # A root that is a key's: whatever stands below, there is no way past it.
        root = root_of([PRESENT])
        assert lookup(PRESENT, IndexPath((), PRESENT), root) is Answer.PRESENT
        assert lookup(PRESENT, IndexPath((Step(0, PRESENT),), PRESENT), root) is None

    def test_presence_as_absence_and_absence_as_presence(self):
        steps, found = WAYS[PRESENT]
        assert lookup(PRESENT, WAYS[PRESENT], ROOT) is Answer.PRESENT
        assert {lookup(PRESENT, IndexPath(steps, other), ROOT) for other in KEYS if other != found} == {None}
        steps, found = WAYS[ABSENT]
        assert found != ABSENT
        assert lookup(ABSENT, IndexPath(steps, ABSENT), ROOT) is None

    def test_the_absence_of_one_key_offered_for_another(self):
        steps, found = WAYS[ABSENT]
        for bit in range(KEY_BITS):
            other = flipped(ABSENT, KEY_BITS - 1 - bit)
            # It is about every key with these bits, and about none that has one of them otherwise.
            tested = bit in [step.bit for step in steps]
            assert lookup(other, WAYS[ABSENT], ROOT) is (None if tested else Answer.ABSENT)
            assert other not in KEYS
        assert lookup(found, WAYS[ABSENT], ROOT) is Answer.PRESENT
        assert lookup(PRESENT, WAYS[ABSENT], ROOT) is (Answer.PRESENT if found == PRESENT else None)

    def test_another_index(self):
        for keys in (KEYS[:-1], [*KEYS, ABSENT], KEYS[::2]):
            assert lookup(ABSENT, WAYS[ABSENT], root_of(keys)) is None
            assert lookup(PRESENT, WAYS[PRESENT], root_of(keys)) is None

    @pytest.mark.parametrize("bits", [(5, 5), (7, 3), (3, 7, 7), (3, 7, 6), (0, 256), (-1, 3)])
    def test_bits_that_do_not_grow_or_are_none(self, bits):
        steps = tuple(Step(bit, sha256(bytes([number])).digest()) for number, bit in enumerate(bits))
        try:
            root = chained(ABSENT, steps, PRESENT)  # what a sealer could make who makes the index like that
        except (IndexError, OverflowError):
            root = ROOT
        assert lookup(ABSENT, IndexPath(steps, PRESENT), root) is None
        assert lookup(ABSENT, IndexPath(steps, ABSENT), chained(ABSENT, (), ABSENT)) is None

    def test_257_levels(self):
        every = tuple(Step(bit, KEYS[bit % 50]) for bit in range(KEY_BITS))
        assert lookup(PRESENT, IndexPath(every, PRESENT), chained(PRESENT, every, PRESENT)) is Answer.PRESENT
        for more in (255, 256):
            steps = (*every, Step(more, ABSENT))
            root = chained(PRESENT, every, node_hash(255, key_hash(PRESENT), ABSENT))
            assert lookup(PRESENT, IndexPath(steps, PRESENT), root) is None

    def test_a_key_that_stands_where_it_does_not_belong(self):
        # Under bit 0 the sealer put a key of the other side: a lookup that comes by there proves nothing.
        zero, one = bytes(32), b"\x80" + bytes(31)
        root = node_hash(0, key_hash(one), key_hash(zero))
        assert lookup(zero, IndexPath((Step(0, key_hash(zero)),), one), root) is None
        assert lookup(zero, IndexPath((Step(0, key_hash(one)),), zero), root) is None

    @pytest.mark.parametrize("wrong", [b"", b"x", ABSENT[:-1], ABSENT + b"\0"])
    def test_what_is_no_hash(self, wrong):
        steps, found = WAYS[PRESENT]
        assert lookup(wrong, WAYS[PRESENT], ROOT) is None
        assert lookup(PRESENT, WAYS[PRESENT], wrong) is None
        assert lookup(PRESENT, IndexPath(steps, wrong), ROOT) is None
        assert lookup(PRESENT, IndexPath((Step(steps[0].bit, wrong), *steps[1:]), found), ROOT) is None
