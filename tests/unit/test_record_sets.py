"""The order-free root of many records: sorted in pieces, whatever their hashes are, and the file stays as it was."""

import io
from hashlib import sha256

import pytest

from mltrust.core import records
from mltrust.core.leaf import ns, u64


@pytest.mark.parametrize("kind", ["all different", "all equal", "backwards", "one first byte"])
@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 8, 9, 100])
def test_runs_make_the_same_root(size, kind, monkeypatch):
    made = [sha256(b"%d" % number).digest() for number in range(size)]
    if kind == "all equal":
        made = made[:1] * size
    elif kind == "backwards":
        made.sort(reverse=True)
    elif kind == "one first byte":
        made = [b"\0" + each[1:] for each in made]
    expected = sha256(ns(b"mltrust/record-set/1") + u64(size) + b"".join(sorted(made))).digest()
    for run, block in ((2**20, 2**12), (1, 1), (2, 3), (4, 1), (64, 5)):
        monkeypatch.setattr(records, "_RUN", run * 32)
        monkeypatch.setattr(records, "_BLOCK", block)
        kept = io.BytesIO()
        tree = records.RecordTree(kept)
        tree.add_hashes(b"".join(made))
        assert tree.summary(b"\1" * 32).set_root == expected
        assert kept.getvalue() == b"".join(made)


def test_many_equal_records_take_no_memory_each(tmp_path, monkeypatch, memory_below):
    monkeypatch.setattr(records, "_RUN", 2**16 * 32)
    with (tmp_path / "kept").open("w+b") as kept:
        tree = records.RecordTree(kept)
        for _ in range(2**6):
            tree.add_hashes(b"\7" * 32 * 2**14)
        with memory_below(24 * 2**20):
            tree.summary(b"\1" * 32)
