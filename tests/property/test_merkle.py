"""The tree against the definitions of RFC 9162 section 2.1, written down here as they stand there."""

import hashlib
from functools import cache

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mltrust.core.merkle import EMPTY_ROOT, Tree, leaf_hash, verify_consistency, verify_inclusion

MOST = 130
LEAVES = [f"leaf {index}".encode() for index in range(MOST)]
TREE = Tree(LEAVES)


def split_of(n):
    k = 1
    while 2 * k < n:
        k *= 2
    return k


@cache
def mth(start, end):
    if start == end:
        return hashlib.sha256(b"").digest()
    if end - start == 1:
        return hashlib.sha256(b"\x00" + LEAVES[start]).digest()
    k = split_of(end - start)
    return hashlib.sha256(b"\x01" + mth(start, start + k) + mth(start + k, end)).digest()


def path(m, start, end):
    """PATH(m, D[start:end]), each hash with the side it stands on."""
    if end - start == 1:
        return []
    k = split_of(end - start)
    if m < k:
        return [*path(m, start, start + k), ("right", mth(start + k, end))]
    return [*path(m - k, start + k, end), ("left", mth(start, start + k))]


def subproof(m, start, end, complete):
    """SUBPROOF(m, D[start:end], complete), each hash with the side it stands on."""
    if m == end - start:
        return [] if complete else [("start", mth(start, end))]
    k = split_of(end - start)
    if m <= k:
        return [*subproof(m, start, start + k, complete), ("right", mth(start + k, end))]
    return [*subproof(m - k, start + k, end, False), ("left", mth(start, start + k))]


def hashes(steps):
    return [value for _, value in steps]


def shape(steps):
    return [side for side, _ in steps]


def flipped(data, bit):
    changed = bytearray(data)
    changed[bit // 8] ^= 1 << bit % 8
    return bytes(changed)


def one_bit_changed(data):
    return st.integers(0, 8 * len(data) - 1).map(lambda bit: flipped(data, bit))


def sizes(least=1):
    return st.integers(least, MOST)


@st.composite
def inclusions(draw):
    size = draw(sizes())
    index = draw(st.integers(0, size - 1))
    return {
        "leaf": LEAVES[index],
        "index": index,
        "size": size,
        "path": TREE.inclusion_path(index, size),
        "root": TREE.root_at(size),
    }


@st.composite
def consistencies(draw):
    size = draw(sizes())
    old_size = draw(st.integers(1, size))
    return {
        "old_size": old_size,
        "size": size,
        "old_root": TREE.root_at(old_size),
        "root": TREE.root_at(size),
        "path": TREE.consistency_path(old_size, size),
    }


@st.composite
def changed_paths(draw, path):
    """The path with one hash changed, dropped, added, or two distinct ones swapped."""
    other = draw(st.binary(min_size=32, max_size=32))
    at = draw(st.integers(0, len(path)))
    if at == len(path) or draw(st.booleans()):
        return [*path[:at], other, *path[at:]]
    if draw(st.booleans()):
        return [*path[:at], *path[at + 1 :]]
    if draw(st.booleans()) and at > 0:
        return [*path[: at - 1], path[at], path[at - 1], *path[at + 1 :]]
    return [*path[:at], draw(one_bit_changed(path[at])), *path[at + 1 :]]


@pytest.mark.parametrize("size", range(MOST + 1))
def test_roots_and_inclusion_paths_are_those_of_the_rfc(size):
    tree = Tree(LEAVES[:size])
    assert tree.root == TREE.root_at(size) == mth(0, size)
    for index in range(size):
        expected = hashes(path(index, 0, size))
        assert tree.inclusion_path(index) == TREE.inclusion_path(index, size) == expected
        assert verify_inclusion(LEAVES[index], index, size, expected, tree.root)


def assert_consistency_path_is_that_of_the_rfc(old_size, size):
    expected = hashes(subproof(old_size, 0, size, True))
    assert TREE.consistency_path(old_size, size) == expected
    assert verify_consistency(old_size, size, mth(0, old_size), mth(0, size), expected)


@pytest.mark.parametrize("size", range(1, 41))
def test_consistency_paths_are_those_of_the_rfc(size):
    for old_size in range(1, size + 1):
        assert_consistency_path_is_that_of_the_rfc(old_size, size)


@given(st.data())
def test_larger_consistency_paths_are_those_of_the_rfc(data):
    size = data.draw(sizes(least=41))
    assert_consistency_path_is_that_of_the_rfc(data.draw(st.integers(1, size)), size)


@given(sizes(least=0))
def test_every_tree_begins_with_the_empty_one(size):
    assert TREE.consistency_path(0, size) == []
    assert verify_consistency(0, size, EMPTY_ROOT, TREE.root_at(size), [])
    assert not verify_consistency(0, size, EMPTY_ROOT, TREE.root_at(size), [EMPTY_ROOT])
    assert not verify_consistency(0, size, TREE.root_at(1), TREE.root_at(size), [])


@given(st.lists(st.binary()), st.data())
def test_any_leaves_round_trip(leaves, data):
    tree = Tree(leaves)
    size = data.draw(st.integers(0, len(leaves)))
    old_size = data.draw(st.integers(0, size))
    consistency = tree.consistency_path(old_size, size)
    assert verify_consistency(old_size, size, tree.root_at(old_size), tree.root_at(size), consistency)
    for index in range(size):
        assert verify_inclusion(leaves[index], index, size, tree.inclusion_path(index, size), tree.root_at(size))


@given(st.lists(st.binary(), min_size=1), st.data())
def test_any_one_change_of_a_leaf_changes_the_root(leaves, data):
    index = data.draw(st.integers(0, len(leaves) - 1))
    other = data.draw(st.binary().filter(lambda leaf: leaf != leaves[index]))
    assert Tree([*leaves[:index], other, *leaves[index + 1 :]]).root != Tree(leaves).root


@given(inclusions(), st.data())
def test_inclusion_with_one_change_is_refused(proof, data):
    assert verify_inclusion(**proof)
    name = data.draw(st.sampled_from(["leaf", "root", "path"]))
    change = changed_paths if name == "path" else one_bit_changed
    changed = data.draw(change(proof[name]).filter(lambda value: value != proof[name]))
    assert verify_inclusion(**{**proof, name: changed}) is False


@given(consistencies(), st.data())
def test_consistency_with_one_change_is_refused(proof, data):
    assert verify_consistency(**proof)
    name = data.draw(st.sampled_from(["old_root", "root", "path"]))
    change = changed_paths if name == "path" else one_bit_changed
    changed = data.draw(change(proof[name]).filter(lambda value: value != proof[name]))
    assert verify_consistency(**{**proof, name: changed}) is False


@pytest.mark.parametrize("size", range(1, 18))
def test_inclusion_is_bound_to_index_and_shape(size):
    """A root does not commit to its size: another size or index is refused just where the path has another shape."""
    for index in range(size):
        steps = path(index, 0, size)
        for other in range(40):
            for other_size in range(40):
                same = other < other_size and shape(path(other, 0, other_size)) == shape(steps)
                assert verify_inclusion(LEAVES[index], other, other_size, hashes(steps), mth(0, size)) is same


@pytest.mark.parametrize("size", range(2, 18))
def test_consistency_is_bound_to_shape(size):
    """Other sizes are refused just where the path between them has another shape."""
    for old_size in range(1, size):
        steps = subproof(old_size, 0, size, True)
        for other in range(1, 40):
            for other_size in range(other + 1, 40):
                same = shape(subproof(other, 0, other_size, True)) == shape(steps)
                arguments = (other, other_size, mth(0, old_size), mth(0, size), hashes(steps))
                assert verify_consistency(*arguments) is same


@given(inclusions(), st.integers())
def test_inclusion_at_another_index_is_refused(proof, index):
    assert verify_inclusion(**{**proof, "index": index}) is (index == proof["index"])


@given(consistencies(), st.integers())
def test_consistency_from_another_old_size_is_refused(proof, old_size):
    assert verify_consistency(**{**proof, "old_size": old_size}) is (old_size == proof["old_size"])


@given(sizes(least=2), st.data())
def test_an_interior_node_is_no_leaf(size, data):
    index = data.draw(st.integers(0, size - 1))
    steps = path(index, 0, size)
    node = leaf_hash(LEAVES[index])
    for at, (side, value) in enumerate(steps):
        children = value + node if side == "left" else node + value
        node = hashlib.sha256(b"\x01" + children).digest()
        rest = hashes(steps[at + 1 :])
        for leaf in (node, children, b"\x01" + children):
            for other in range(size):
                assert verify_inclusion(leaf, other, size, rest, mth(0, size)) is False


def iter_of(value):
    return iter([value])


GARBAGE = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.integers(2**62, 2**70)
    | st.just(1 << 10_000)
    | st.floats()
    | st.complex_numbers()
    | st.text()
    | st.binary(max_size=70)
    | st.binary(min_size=32, max_size=32)
    | st.binary(min_size=32, max_size=32).map(bytearray)
    | st.binary(min_size=32, max_size=32).map(memoryview)
    | st.builds(object)
    | st.just(bytes),
    lambda inner: st.lists(inner) | st.tuples(inner, inner) | st.dictionaries(st.text(), inner) | inner.map(iter_of),
    max_leaves=5,
)


@given(st.tuples(GARBAGE, GARBAGE, GARBAGE, GARBAGE, GARBAGE))
def test_garbage_proves_nothing(arguments):
    assert verify_inclusion(*arguments) is False
    assert verify_consistency(*arguments) is False


@given(inclusions(), st.sampled_from(["leaf", "index", "size", "path", "root"]), GARBAGE)
def test_inclusion_with_garbage_in_one_place_never_raises(proof, name, garbage):
    assert type(verify_inclusion(**{**proof, name: garbage})) is bool


@given(consistencies(), st.sampled_from(["old_size", "size", "old_root", "root", "path"]), GARBAGE)
def test_consistency_with_garbage_in_one_place_never_raises(proof, name, garbage):
    assert type(verify_consistency(**{**proof, name: garbage})) is bool


SIZES = st.integers(-2, 2**65)
PATHS = st.lists(st.binary(min_size=32, max_size=32), max_size=140)
HASHES = st.binary(min_size=32, max_size=32)


@given(st.binary(), SIZES, SIZES, PATHS, HASHES)
def test_well_formed_nonsense_proves_nothing(leaf, index, size, nonsense, root):
    assert verify_inclusion(leaf, index, size, nonsense, root) is False
    assert verify_consistency(index, size, root, leaf_hash(leaf), nonsense) is False
