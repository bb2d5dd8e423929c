"""Segments are grouped into pieces of work: all of them, each once."""

from hypothesis import given
from hypothesis import strategies as st

from mltrust.engines.dask.work import LARGEST, OPENING, pieces
from mltrust.interfaces import FileEntry, Segment

FILE = FileEntry("file", 0, ())


@given(st.lists(st.integers(0, 2**40) | st.integers(0, 2**20)), st.integers(0, 5000))
def test_every_segment_is_in_one_piece(lengths, threads):
    found = pieces([Segment(FILE, 0, length) for length in lengths], threads)
    assert sorted(index for piece in found for index in piece) == list(range(len(lengths)))
    costs = [sum(lengths[index] + OPENING for index in piece) for piece in found]
    assert costs == sorted(costs, reverse=True)
    assert all(cost <= LARGEST or len(piece) == 1 for cost, piece in zip(costs, found, strict=True))
