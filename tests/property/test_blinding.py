"""Blinded trees: one tree, whatever is erased of it, in whatever batches its records come; and drawn salts."""

import pickle
from contextlib import contextmanager
from dataclasses import dataclass
from io import BytesIO
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mltrust.core.blinding import Blinded, Blinding, DrawnSalts, Veil, veiled
from mltrust.core.digest import BLAKE3
from mltrust.core.leaf import Kind, Leaf
from mltrust.core.merkle import Crown, leaf_hash
from mltrust.core.records import Batch, RecordTree
from mltrust.errors import FormatError, UsageError
from mltrust.readers.records.csv import CsvReader
from mltrust.readers.records.jsonl import JsonLinesReader
from mltrust.testing import MemorySource

SECRET = bytes(range(32))


@dataclass(frozen=True)
class Listed:
    """Salts in memory."""

    salts: bytes

    @contextmanager
    def opened(self):
        yield lambda start, count: self.salts[32 * start : 32 * (start + count)]


def batches(records, cuts, names=None):
    edges = [0, *sorted(cut % (len(records) + 1) for cut in cuts), len(records)]
    for start, stop in pairwise(edges):
        some = range(start, stop)
        called = None if names is None else [names[at] for at in some]
        yield Batch([len(records[at]) for at in some], [leaf_hash(records[at]) for at in some], called)


def root_of(how, found):
    with veiled(how) as veil:
        tree = RecordTree(BytesIO(), hashed=veil.hashes)
        for batch in found:
            tree.add(batch)
        tree.add_hashes(veil.rest())
    return tree.summary(b"")[1:4]


def leaves(records, salts, names=None):
    for at, record in enumerate(records):
        name = names[at] if names else ""
        salt = salts[32 * at : 32 * at + 32]
        yield Leaf(Kind.RECORD, name, len(record), leaf_hash(record), salt=salt)


@given(st.data())
def test_a_tree_stays_what_it_is_whatever_is_erased(data):
    records = data.draw(st.lists(st.binary(max_size=4), min_size=1, max_size=40))
    named = data.draw(st.booleans())
    names = [f"n{at}" for at in range(len(records))] if named else None
    salts = data.draw(st.binary(min_size=32 * len(records), max_size=32 * len(records)))
    hashes = [leaf_hash(leaf.data()) for leaf in leaves(records, salts, names)]
    crown = Crown()
    crown.extend(b"".join(hashes))
    whole = root_of(Blinded(Listed(salts)), batches(records, data.draw(st.lists(st.integers(0, 99))), names))
    assert whole[:2] == (crown.root, len(records))

    gone = data.draw(st.sets(st.integers(0, len(records) - 1)))
    left = [at for at in range(len(records)) if at not in gone]
    erased = {at: hashes[at] for at in gone}
    bare = b"".join(bytes(32) if at in gone else salts[32 * at : 32 * at + 32] for at in range(len(records)))
    rest = batches(
        [records[at] for at in left], data.draw(st.lists(st.integers(0, 99))), names and [names[a] for a in left]
    )
    assert root_of(Blinded(Listed(bare), erased), rest) == whole
    veil = Veil(erased=erased)
    assert [veil.place(at) for at in left] == list(range(len(left)))
    assert [veil.index(place) for place in range(len(left))] == left


@given(
    st.lists(st.binary(max_size=4), min_size=2, max_size=20),
    st.integers(0, 99),
    st.sampled_from(["drop", "back", "swap"]),
)
def test_what_is_missing_back_or_moved_shows(records, at, what):
    at %= len(records) - 1
    salts = b"".join(leaf_hash(bytes([number])) for number in range(len(records)))
    whole = root_of(Blinded(Listed(salts)), batches(records, []))
    erased = {at: [leaf_hash(leaf.data()) for leaf in leaves(records, salts)][at]}
    found = {
        "drop": records[:at] + records[at + 1 :],  # and nothing says that it was erased
        "back": records,  # although it was erased
        "swap": [*records[:at], records[at + 1], records[at], *records[at + 2 :]],
    }[what]
    how = Blinded(Listed(salts), erased if what == "back" else {})
    assert (root_of(how, batches(found, [])) == whole) is (what == "swap" and records[at] == records[at + 1])


TEXT = st.lists(st.sampled_from([b"a", b'"', b",", b"\r", b"\n", b"\r\n", b"bc"]), max_size=30).map(b"".join)


@given(TEXT, st.data(), st.sampled_from([("a.jsonl", JsonLinesReader()), ("a.csv", CsvReader())]))
def test_a_text_without_some_records_has_just_the_others(content, data, kind):
    def records_of(content):
        source = MemorySource({path: content})
        (file,) = source.files()
        return file, source, [each for batch in reader.batches(file, source, BLAKE3) for each in batch.digests]

    path, reader = kind
    try:
        file, source, records = records_of(content)
    except FormatError:  # a quote that is never closed
        return
    gone = data.draw(st.sets(st.integers(0, len(records) - 1))) if records else set()
    left = b"".join(reader.without(file, source, gone))
    assert records_of(left)[2] == [record for at, record in enumerate(records) if at not in gone]
    assert gone or left == content


@given(st.integers(0, 300), st.integers(0, 300), st.text(max_size=5))
def test_drawn_salts_are_the_same_in_any_piece_and_of_no_other_file(start, count, path):
    with DrawnSalts(SECRET, path).opened() as take, DrawnSalts(SECRET, path + "x").opened() as other:
        whole = take(0, 600)
        assert take(start, count) == whole[32 * start : 32 * (start + count)]
        assert len({whole[at : at + 32] for at in range(0, len(whole), 32)}) == 600
        assert whole != other(0, 600)


def test_salts_do_not_travel_and_do_not_show():
    assert pickle.loads(pickle.dumps(Blinding())) == Blinding()
    for blinding in (Blinding(secret=SECRET), Blinding({"a": Blinded(Listed(b""))})):
        with pytest.raises(UsageError, match="do not leave this machine"):
            pickle.dumps(blinding)
    assert SECRET.hex() not in repr(Blinding(secret=SECRET)).replace("\\x", "")
    assert repr(SECRET) not in repr(DrawnSalts(SECRET, "a"))
