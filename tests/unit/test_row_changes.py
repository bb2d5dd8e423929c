"""Rows compared: what is said of edits as people make them, and what it takes for many rows."""

import random
from hashlib import sha256

from mltrust.core.row_changes import RowKind, first_of
from mltrust.core.row_difference import row_difference

MANY = 200_000


def packed(rows):
    return memoryview(b"".join(sha256(row.encode()).digest() for row in rows))


def named(before, after, limit=100):
    found = first_of(row_difference(packed(before), packed(after)).by_place(), limit)
    return [(each.kind.value, each.before, each.after) for each in found]


class TestEdits:
    def test_one_row_edited_in_place(self):
        assert named("abcdef", "abXdef") == [("changed", 3, 3)]

    def test_one_added_and_one_removed(self):
        assert named("abcdef", "Xabcdef") == [("added", None, 1)]
        assert named("abcdef", "abcdefX") == [("added", None, 7)]
        assert named("abcdef", "bcdef") == [("removed", 1, None)]
        assert named("abcdef", "aXbcdf") == [("added", None, 2), ("removed", 5, None)]

    def test_more_rows_than_there_were_in_one_place(self):
        assert named("abc", "aXYZc") == [("changed", 2, 2), ("added", None, 3), ("added", None, 4)]

    def test_one_row_moved(self):
        assert named("abcdef", "acdefb") == [("moved", 2, 6)]

    def test_two_swapped(self):
        assert len(named("abcdef", "aecdbf")) == 2
        assert {kind for kind, _, _ in named("abcdef", "aecdbf")} == {"moved"}

    def test_a_row_that_is_there_several_times(self):
        assert named("axxxb", "axxb") == [("removed", 4, None)]
        assert named("aaaa", "aaaaaa") == [("added", None, 5), ("added", None, 6)]

    def test_an_edit_beside_many_equal_rows_moves_nothing(self):
        # A blank line after every row, as some write them.
        before = [row for number in range(50) for row in (f"{number}", "")]
        after = ["new", "", *before[:60], "other", *before[61:]]
        assert named(before, after) == [("changed", 61, 63), ("added", None, 1), ("added", None, 2)]

    def test_from_nothing_and_to_nothing(self):
        assert named("", "ab") == [("added", None, 1), ("added", None, 2)]
        assert named("ab", "") == [("removed", 1, None), ("removed", 2, None)]
        assert named("", "") == []

    def test_the_first_of_each_kind_are_named(self):
        found = row_difference(packed(map(str, range(100))), packed(f"{n}?" for n in range(100))).by_place()
        assert [(each.kind, each.before) for each in first_of(found, 3)] == [(RowKind.CHANGED, n) for n in (1, 2, 3)]
        assert len(found.changed[0]) == 100


class TestMany:
    ROWS = tuple(map(str, range(MANY)))

    def test_few_edits_far_apart(self, memory_below):
        after = list(self.ROWS)
        after[5], after[MANY - 9] = "X", "Y"
        after.insert(MANY // 2, "Z")
        del after[1000]
        one, two = packed(self.ROWS), packed(after)
        with memory_below(2**22):  # beside the hashes
            found = list(first_of(row_difference(one, two).by_place(), 10))
        assert [(each.kind.value, each.before, each.after) for each in found] == [
            ("changed", 6, 6),
            ("changed", MANY - 8, MANY - 8),
            ("added", None, MANY // 2),
            ("removed", 1001, None),
        ]

    def test_every_second_row_changed(self):
        after = [row if number % 2 else f"{row}!" for number, row in enumerate(self.ROWS)]
        found = row_difference(packed(self.ROWS), packed(after)).by_place()
        assert list(found.changed[0]) == list(found.changed[1]) == list(range(0, MANY, 2))
        assert [len(each) for each in (found.added, found.removed, found.moved[0])] == [0, 0, 0]

    def test_all_other_rows_in_bounded_memory(self, memory_below):
        one, two = packed(self.ROWS), packed(f"{row}!" for row in self.ROWS)
        with memory_below(150 * MANY + 2**26):
            found = row_difference(one, two).by_place()
        assert len(found.changed[0]) == MANY

    def test_shuffled(self):
        after = list(self.ROWS)
        random.Random(1).shuffle(after)
        found = row_difference(packed(self.ROWS), packed(after)).by_place()
        assert len(found.moved[0]) > 0.99 * MANY
        assert [len(each) for each in (found.added, found.removed, found.changed[0])] == [0, 0, 0]
