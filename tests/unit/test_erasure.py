"""Tombstones and salts: what is read strictly, what contradicts a seal; a salt is overwritten where it stands."""

import json

import pytest

from mltrust.core.blinding import NO_SALT
from mltrust.core.digest import BLAKE3
from mltrust.core.leaf import Kind, Leaf, Records
from mltrust.core.manifest import Entry, Manifest
from mltrust.core.receipt import Receipt
from mltrust.core.rows import manifest_from, manifest_text
from mltrust.core.statement import Subject
from mltrust.disk.salts import MAGIC, blocks_of, erase_salts, kept_salts, write_salts
from mltrust.errors import FormatError, UnreadableError, UsageError
from mltrust.statements.erasure import (
    Erasure,
    Tombstone,
    contradiction,
    erasure_statement,
    erasures_text,
    read_erasure,
    read_erasures,
)
from mltrust.statements.seal import Parameters, ReaderVersion, seal_statement

HASH = bytes(range(32))


def blinded(path, count):
    records = Records("jsonl", HASH, blinded=True)
    return Entry(Leaf(Kind.RECORDS, path, 100, b"", HASH, count, records=records))


MANIFEST = Manifest.of([blinded("a.jsonl", 3), blinded("b.jsonl", 2)])
READ = Parameters(exclude=(), readers=(ReaderVersion(name="jsonl", version=1),))
SEAL = seal_statement("data", MANIFEST, BLAKE3, READ)
SIZES = {"a.jsonl": 3, "b.jsonl": 2}


def tombstone(file="a.jsonl", indexes=(1,), reason=None, previous=None, seal=SEAL):
    erasure = Erasure(file, dict.fromkeys(indexes, HASH), reason)
    return Tombstone(statement=erasure_statement(seal, erasure, previous and previous.statement))


def odd(*tombstones):
    return contradiction(tombstones, SEAL, lambda path: SIZES.get(path, 0))


def edited(one, **changes):
    predicate = {**one.statement.predicate, **changes}
    return one.model_copy(update={"statement": one.statement.model_copy(update={"predicate": predicate})})


def test_tombstones_survive_being_written_and_form_a_chain():
    first = tombstone(reason="request 7 — ünicode")
    second = tombstone("b.jsonl", (0, 1), previous=first)
    assert read_erasures(erasures_text([first, second]), "here") == (first, second)
    assert read_erasure(second.statement).previous == str(first.statement.digest())
    assert second.erased == {0: HASH, 1: HASH}
    assert odd() is odd(first) is odd(first, second) is None
    assert tombstone().statement == tombstone().statement  # no clock, no chance


def test_what_contradicts_the_seal_or_the_chain_is_named():
    first = tombstone()
    second = tombstone("b.jsonl", previous=first)
    other = SEAL.model_copy(update={"subject": (Subject(name="x", digest={"mltrust-1": "0" * 64}),)})
    assert "another seal" in odd(tombstone(seal=other))
    foreign = first.model_copy(update={"statement": first.statement.model_copy(update={"subject": other.subject})})
    assert "another seal" in odd(foreign)
    assert "does not follow" in odd(second)
    assert "does not follow" in odd(first, tombstone("b.jsonl"))
    assert "does not follow" in odd(edited(first, reason="other"), second)
    assert "no blinded file" in odd(tombstone(indexes=(3,)))
    assert "no blinded file" in odd(tombstone("c.jsonl", (0,)))
    assert "erased before" in odd(first, tombstone(indexes=(1, 2), previous=first))
    receipt = Receipt(kind="ledger", digest=str(SEAL.digest()), evidence={})
    assert "receipt" in odd(first.with_receipts((receipt,)))


@pytest.mark.parametrize(
    "change",
    [
        lambda v: v.pop("erasures"),
        lambda v: v.update(erasures=[]),
        lambda v: v.update(more=1),
        lambda v: v["erasures"][0].pop("signatures"),
        lambda v: v["erasures"][0]["statement"].update(predicateType="https://mltrust/seal/v1"),
        lambda v: v["erasures"][0]["statement"]["predicate"].update(records=[]),
        lambda v: v["erasures"][0]["statement"]["predicate"].update(reason=""),
        lambda v: v["erasures"][0]["statement"]["predicate"].pop("reason"),
        lambda v: v["erasures"][0]["statement"]["predicate"]["records"].reverse(),
        lambda v: v["erasures"][0]["statement"]["predicate"]["records"].append({"index": 1, "leaf": "0" * 64}),
        lambda v: v["erasures"][0]["statement"]["predicate"]["records"][0].update(leaf="AB" * 32),
        lambda v: v["erasures"][0]["statement"]["predicate"]["records"][0].update(index=-1),
    ],
)
def test_a_file_of_tombstones_is_read_strictly(change):
    value = json.loads(erasures_text([tombstone(indexes=(0, 1))]))
    change(value)
    with pytest.raises(FormatError):
        read_erasures(json.dumps(value).encode(), "here")


def test_what_cannot_be_stated_is_a_usage_error():
    for bad in ({"reason": "x" * 4097}, {"reason": "\udc80"}, {"indexes": range(5000)}):
        with pytest.raises(UsageError):
            tombstone(**bad)


def test_a_blinded_row_has_no_digest_and_only_one_spelling():
    rows = [json.loads(row) for row in "".join(manifest_text(MANIFEST)).split(",\n")]
    assert manifest_from({"entries": rows}, "here") == MANIFEST
    assert rows[0]["blinded"] is True
    assert "digest" not in rows[0]
    odd = [{"blinded": value} for value in (False, 1, None)]
    for change in ({"digest": "0" * 64}, {"index_root": "0" * 64}, *odd):
        with pytest.raises(FormatError):
            manifest_from({"entries": [{**rows[0], **change}]}, "here")
    assert b'"blinded":true' in MANIFEST.entry(0).leaf.attributes()
    assert b"blinded" not in Leaf(Kind.RECORDS, "a", 1, HASH, HASH, 1, records=Records("jsonl", HASH)).attributes()


@pytest.fixture
def salts(tmp_path):
    path = tmp_path / "salts"
    write_salts(path, [bytes([number + 1]) * 32 for number in range(5)])
    return path


def test_salts_are_the_owners_alone_and_each_file_has_its_own(salts):
    assert salts.stat().st_mode & 0o777 == 0o600
    kept = kept_salts(salts, MANIFEST)
    assert b"".join(blocks_of(kept["a.jsonl"], 3)) == b"\1" * 32 + b"\2" * 32 + b"\3" * 32
    assert b"".join(blocks_of(kept["b.jsonl"], 2)) == b"\4" * 32 + b"\5" * 32
    with kept["a.jsonl"].opened() as take:
        assert take(2, 9) == b"\3" * 32  # never those of the next file
        assert take(3, 1) == take(9, 1) == b""


def test_a_salt_is_overwritten_where_it_stands(salts):
    before = salts.stat()
    with salts.open("rb") as opened:
        erase_salts(kept_salts(salts, MANIFEST)["b.jsonl"], [0])
        assert opened.read() == MAGIC + b"".join(
            NO_SALT if number == 3 else bytes([number + 1]) * 32 for number in range(5)
        )  # whoever has it open sees it: it is the same file
    assert salts.stat().st_ino == before.st_ino
    assert list(salts.parent.iterdir()) == [salts]


@pytest.mark.parametrize("damage", ["short", "long", "magic", "gone", "folder"])
def test_salts_of_another_size_or_kind_are_refused(salts, damage):
    data = salts.read_bytes()
    salts.unlink()
    if damage == "folder":
        salts.mkdir()
    elif damage != "gone":
        salts.write_bytes({"short": data[:-1], "long": data + b"x", "magic": b"x" + data[1:]}[damage])
    with pytest.raises(UnreadableError):
        kept_salts(salts, MANIFEST)
