"""One root of a record index has one answer for one key, whoever made the index."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from mltrust.core.record_index import Answer, IndexCrown, IndexPath, Step, lookup, paths

TAG = (22).to_bytes(8, "big") + b"mltrust/record-index/1"

# Keys that differ in few bits, wherever these are: the tree gets deep, and lookups leave it late.
few_bits = st.lists(st.integers(0, 255), max_size=4).map(
    lambda bits: sum(1 << bit for bit in set(bits)).to_bytes(32, "big")
)
keys = few_bits | st.binary(min_size=32, max_size=32)


@given(present=st.sets(keys, max_size=30), asked=st.sets(keys, max_size=10), seed=st.randoms())
def test_exactly_one_answer_can_be_proved(present, asked, seed):
    ordered = sorted([*present, *seed.choices(sorted(present), k=3)]) if present else []
    crown = IndexCrown()
    crown.extend(ordered)
    root, ways = paths(ordered, present | asked)
    assert root == crown.root
    for key in present | asked:
        right = Answer.PRESENT if key in present else Answer.ABSENT
        assert lookup(key, ways[key], root) is right
        assert {lookup(key, way, root) for way in ways.values()} <= {right, None}
        forged = (IndexPath(way.steps, key) for way in ways.values())  # "it ends at just the key you ask for"
        assert {lookup(key, way, root) for way in forged} <= {right, None}


@given(one=st.sets(keys, max_size=20), other=st.sets(keys, max_size=20))
def test_other_keys_have_another_root(one, other):
    roots = []
    for each in (one, other):
        crown = IndexCrown()
        crown.extend(sorted(each))
        roots.append(crown.root)
    assert (roots[0] == roots[1]) == (one == other)


def _hash(tree):
    if isinstance(tree, bytes):
        return sha256(b"\x00" + TAG + tree).digest()
    bit, left, right = tree
    return sha256(b"\x01" + TAG + bit.to_bytes(2, "big") + _hash(left) + _hash(right)).digest()


def _all_paths(tree, steps=()):
    """Yield every way from the root of a tree to a key, wherever the key's own bits would lead."""
    if isinstance(tree, bytes):
        yield IndexPath(steps, tree)
        return
    bit, left, right = tree
    yield from _all_paths(left, (*steps, Step(bit, _hash(right))))
    yield from _all_paths(right, (*steps, Step(bit, _hash(left))))


_bits = st.integers(0, 8) | st.integers(0, 255)
malformed = st.recursive(few_bits, lambda below: st.tuples(_bits, below, below), max_leaves=16)


@given(tree=malformed, asked=st.sets(keys, max_size=6))
def test_no_tree_whatever_answers_both_yes_and_no(tree, asked):
    root, ways = _hash(tree), list(_all_paths(tree))
    for key in asked | {way.found for way in ways}:
        assert len({lookup(key, way, root) for way in ways} - {None}) <= 1
