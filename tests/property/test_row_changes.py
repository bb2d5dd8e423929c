"""Rows compared: what is named explains the difference, whatever two sequences are given."""

from collections import Counter
from hashlib import sha256
from unittest.mock import patch

from hypothesis import given
from hypothesis import strategies as st

from mltrust.core.row_difference import row_difference

# Few different rows, so that many are equal; and many, so that most are not.
ROWS = st.lists(st.integers(0, 5) | st.integers(0, 1000), max_size=40)
# One edited into the other, as files are: what changed is a part of it.
EDIT = st.tuples(st.integers(0, 60), st.integers(0, 6), st.lists(st.integers(0, 1000), max_size=6))


def packed(rows):
    return memoryview(b"".join(sha256(str(row).encode()).digest() for row in rows))


def edited(rows, edits):
    for at, gone, new in edits:
        rows = rows[:at] + new + rows[at + gone :]
    return rows


PAIRS = st.tuples(ROWS, ROWS) | st.builds(
    lambda rows, edits: (rows, edited(rows, edits)), ROWS | st.permutations(range(50)), st.lists(EDIT, max_size=4)
)


def without(rows, *gone):
    gone = {index for each in gone for index in each}
    return [row for index, row in enumerate(rows) if index not in gone]


def check(before, after):
    difference = row_difference(packed(before), packed(after))
    found = difference.by_place()
    (old, new), (left, come) = found.changed, found.moved
    # Each row is told of once,
    assert len({*old, *found.removed, *left}) == len(old) + len(found.removed) + len(left)
    assert len({*new, *found.added, *come}) == len(new) + len(found.added) + len(come)
    # what is not told of is equal, and in one order;
    assert without(before, old, found.removed, left) == without(after, new, found.added, come)
    # what moved is equal, and what changed is not.
    assert [before[index] for index in left] == [after[index] for index in come]
    assert not Counter(before[index] for index in (*old, *found.removed)) & Counter(
        after[index] for index in (*new, *found.added)
    )
    # All are in the order of their numbers, so that the first ones are the first.
    assert all(list(each) == sorted(each) for each in (old, new, found.removed, found.added, left))
    return found


@given(PAIRS)
def test_what_is_named_explains_the_difference(pair):
    found = check(*pair)
    same = Counter(pair[0]) == Counter(pair[1])
    assert same is not bool(found.changed[0] or found.removed or found.added)
    assert (pair[0] == pair[1]) is not bool(found.changed[0] or found.removed or found.added or found.moved[0])


@given(PAIRS)
def test_so_it_does_where_stretches_are_met_again_and_tables_are_small(pair):
    small = patch.multiple("mltrust.core.row_stretches", _FEW=0, _WINDOWS=(2, 5), _TRIES=3, _STRIDE=4)
    with patch.multiple("mltrust.core.row_difference", _AT_ONCE=7), small:
        check(*pair)


@given(st.permutations(range(30)))
def test_what_moved_is_the_least_there_is(order):
    longest = 0
    best = []
    for value in order:  # the plain way, in squares
        best.append(1 + max((best[at] for at in range(len(best)) if order[at] < value), default=0))
        longest = max(longest, best[-1])
    found = row_difference(packed(range(30)), packed(order)).by_place()
    assert len(found.moved[0]) == 30 - longest


@given(st.sets(st.integers(0, 10**6), min_size=1, max_size=30), st.data())
def test_rows_of_one_key_are_the_changed_ones(keys, data):
    keys = sorted(keys)
    kept = data.draw(st.lists(st.sampled_from(keys), unique=True))
    before, after = [("old", key) for key in keys], [("new", key) for key in kept]
    difference = row_difference(packed(before), packed(after))
    found = difference.by_key(
        {str(before[index][1]): index for index in difference.removed},
        {str(after[index][1]): index for index in difference.added},
    )
    assert [before[index][1] for index in found.changed[0]] == [after[index][1] for index in found.changed[1]]
    assert (len(found.changed[0]), len(found.removed), len(found.added)) == (len(kept), len(keys) - len(kept), 0)
