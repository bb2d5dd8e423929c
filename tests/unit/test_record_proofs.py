"""Proofs of records as documents, and how records are found: by number, by bytes, by value."""

import io
import json
import tarfile
from hashlib import sha256

import pytest

from mltrust.core.bundle import Bundle
from mltrust.core.digest import BLAKE3
from mltrust.core.leaf import Kind, Leaf, Records
from mltrust.core.manifest import Manifest
from mltrust.core.merkle import Tree, leaf_hash
from mltrust.core.proof import Absence, LeafFields, Proof, broken_level
from mltrust.core.record_index import EMPTY_INDEX_ROOT
from mltrust.engines.threads import ThreadsEngine
from mltrust.errors import ArtifactError, FormatError, SealError, UsageError
from mltrust.interfaces import Means, Silent
from mltrust.operations.prove_records import RecordFile, prove_records
from mltrust.operations.seal import Labels, seal
from mltrust.readers.opaque import OpaqueReader
from mltrust.readers.records.csv import CsvReader
from mltrust.readers.records.jsonl import JsonLinesReader
from mltrust.readers.records.parquet import ParquetReader
from mltrust.readers.records.tar import TarReader
from mltrust.statements.seal import read_seal, seal_statement
from mltrust.testing.memory_source import MemorySource

LINES = [b'{"id": 1, "ok": true}', b'{"id": 2}', b"[1, 2]", b'{"id": 2}', b"no JSON", b'{"id": 1.0, "ok": true}']
DATA = b"\n".join(LINES) + b"\n"
READERS = (JsonLinesReader(), CsvReader(), TarReader(), ParquetReader(), OpaqueReader())


def sealed(files, *, indexed=True):
    """Return a function that asks for records of `path`, and the bundle."""
    source = MemorySource(files)
    readers = [reader.indexing() if indexed and reader is not READERS[-1] else reader for reader in READERS]
    bundle, _ = seal(source, Means(readers, ThreadsEngine(1), Silent()), BLAKE3, Labels("data", {}))

    def ask(path, *asked, here=source):
        return prove_records(bundle, path, asked, RecordFile(here, READERS))

    ask.bundle = bundle
    return ask


@pytest.fixture(scope="module")
def ask():
    return sealed({"a.jsonl": DATA, "b.csv": b"id,text\n1,x\n2,y\n", "c.txt": b"x", "empty.jsonl": b""})


def root_of(bundle):
    return bundle.manifest.size, bundle.manifest.root


def asked_about(answer):
    """Return how many records an answer means, and the index of the first."""
    return answer.matches, answer.proof.levels[-1].index


def test_every_record_by_its_number(ask):
    answers = ask("a.jsonl", *range(1, 7))
    for index, answer in enumerate(answers):
        assert asked_about(answer) == (1, index)
        assert answer.proof.target == Leaf(Kind.RECORD, "", len(LINES[index]), BLAKE3.digest(LINES[index]))
        assert broken_level(answer.proof.levels, *root_of(ask.bundle)) is None
        assert Proof.parse(answer.proof.serialize()) == answer.proof


def test_by_bytes_before_value(ask):
    answers = ask("a.jsonl", b'{"id": 2}', b"[1, 2]", b"no JSON", b'{"id":2}', b"[1,2]")
    assert [asked_about(answer) for answer in answers] == [(2, 1), (1, 2), (1, 4), (2, 1), (1, 2)]


def test_values_are_equal_only_if_they_are_spelled_by_the_same_words(ask):
    found = ask("a.jsonl", b'{"ok":true,"id":1}', b'{"ok":true,"id":1.0}', b'{"ok":1,"id":1}', b'{"ok":true,"id":true}')
    assert [answer.matches for answer in found] == [1, 1, 0, 0]
    assert [answer.proof.levels[-1].index for answer in found[:2]] == [0, 5]


def test_a_row_of_a_csv_file_is_known_by_its_values_too(ask):
    assert [asked_about(answer) for answer in ask("b.csv", b"2,y", b'{"text": "x", "id": "1"}')] == [(1, 1), (1, 0)]
    assert ask("b.csv", b"id,text")[0].matches == 0  # the header is no record
    with pytest.raises(UsageError, match="does not say which bytes"):
        ask("b.csv", b'{"text": "x", "id": "3"}')


def test_a_row_of_a_table_is_known_by_all_its_values():
    pa = pytest.importorskip("pyarrow")
    pq = pytest.importorskip("pyarrow.parquet")
    found = io.BytesIO()
    table = pa.table({"id": pa.array([1, 2]), "half": pa.array([0.5, None]), "day": pa.array([0, 1], pa.date32())})
    pq.write_table(table, found)
    ask = sealed({"a.parquet": found.getvalue()})
    there = b'{"id": 2, "day": "1970-01-02", "half": null}'
    assert asked_about(ask("a.parquet", there)[0]) == (1, 1)
    for wrong in (
        b'{"id": 3}',
        b"x",
        b'{"id": 3, "half": 1, "day": "1970-01-02"}',
        b'{"id": 3, "half": 1.0, "day": 1}',
    ):
        with pytest.raises(UsageError, match="does not say which bytes"):
            ask("a.parquet", wrong)
    ask = sealed({"a.parquet": plain_table(pa, pq)})
    answers = ask("a.parquet", b'{"text": "b", "id": 2}', b'{"text": "b", "id": 3}', b'{"id": 3, "text": "b"}')
    assert [answer.matches for answer in answers] == [1, 0, 0]
    assert answers[1] == answers[2]
    assert answers[1].proof.target.digest == BLAKE3.digest(
        b"\1" + (3).to_bytes(8, "big") + b"\1" + (1).to_bytes(8, "big") + b"b"
    )


def plain_table(pa, pq):
    found = io.BytesIO()
    pq.write_table(pa.table({"id": [1, 2], "text": ["a", "b"]}), found)
    return found.getvalue()


def test_absence_is_proved_by_the_index(ask):
    for path in ("a.jsonl", "b.csv", "empty.jsonl"):
        [answer] = ask(path, b"not there")
        assert answer.matches == 0
        [level] = answer.proof.levels
        assert broken_level(answer.proof.levels, *root_of(ask.bundle)) is None
        assert answer.proof.absence.holds(bytes.fromhex(level.leaf.records.index_root))
        assert not answer.proof.absence.holds(EMPTY_INDEX_ROOT) or path == "empty.jsonl"
        assert answer.proof.target == Leaf(Kind.RECORD, "", 0, BLAKE3.digest(b"not there"))
        assert Proof.parse(answer.proof.serialize()) == answer.proof


def test_without_an_index_nothing_is_proved_absent():
    ask = sealed({"a.jsonl": DATA}, indexed=False)
    assert ask("a.jsonl", b"not there", 1)[0] == (0, None)
    assert ask("a.jsonl", b"not there", 1)[1].matches == 1


def test_records_with_names_get_no_index(tar_bytes):
    ask = sealed({"a.tar": tar_bytes({"x.txt": b"1", "y.txt": b"2"})})
    assert ask.bundle.manifest.entries[0].leaf.records.index_root == b""
    assert not ask.bundle.manifest.indexed
    [answer] = ask("a.tar", 2)
    assert (answer.proof.target.name, answer.proof.target.size) == ("y", 1)
    assert broken_level(answer.proof.levels, *root_of(ask.bundle)) is None
    assert ask("a.tar", b"1")[0] == (0, None)


@pytest.fixture
def tar_bytes():
    def build(files):
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w", format=tarfile.USTAR_FORMAT) as archive:
            for name, data in files.items():
                info = tarfile.TarInfo(name)
                info.size = len(data)
                archive.addfile(info, io.BytesIO(data))
        return made.getvalue()

    return build


@pytest.mark.parametrize("number", [0, -1, 7, 2**70])
def test_a_number_that_no_record_has(ask, number):
    with pytest.raises(UsageError, match="no record"):
        ask("a.jsonl", number)


def test_files_without_records(ask):
    with pytest.raises(UsageError, match="not sealed record by record"):
        ask("c.txt", 1)
    with pytest.raises(UsageError, match="no record 1"):
        ask("empty.jsonl", 1)


@pytest.mark.parametrize("data", [DATA[:-2], DATA + b"x\n", DATA.replace(b"1", b"3", 1), b"", DATA[10:]])
def test_other_bytes_prove_nothing(ask, data):
    for asked in (1, b"[1, 2]", b"not there"):
        with pytest.raises(ArtifactError, match="does not hold the sealed records"):
            ask("a.jsonl", asked, here=MemorySource({"a.jsonl": data}))


def test_the_same_records_elsewhere_prove_as_much(ask):
    other = MemorySource({"a.jsonl": b"\r\n".join(LINES)})  # the same lines, ended otherwise
    assert ask("a.jsonl", 3, b"not there", here=other) == ask("a.jsonl", 3, b"not there")


def test_an_index_of_other_records_proves_nothing(ask):
    found = ask.bundle.manifest
    leaf = found.entry(0).leaf
    other = leaf._replace(records=leaf.records._replace(index_root=sha256(b"other").digest()))
    entries = [entry._replace(leaf=other) if entry.leaf == leaf else entry for entry in found.entries]
    forged = sealed_as(ask.bundle, entries)
    here = RecordFile(MemorySource({"a.jsonl": DATA}), READERS)
    assert prove_records(forged, "a.jsonl", [1], here)[0].matches == 1
    with pytest.raises(SealError, match="not that of its records"):
        prove_records(forged, "a.jsonl", [b"not there"], here)


def test_a_seal_without_the_reader_proves_nothing(ask):
    parameters = read_seal(ask.bundle.statement).parameters
    bare = parameters.model_copy(update={"readers": parameters.readers[-1:]})
    forged = sealed_as(ask.bundle, ask.bundle.manifest.entries, bare)
    with pytest.raises(SealError, match="no reader that reads them"):
        prove_records(forged, "a.jsonl", [1], RecordFile(MemorySource({"a.jsonl": DATA}), READERS))


def sealed_as(bundle, entries, parameters=None):
    """Return a seal that agrees with itself, of entries that somebody made up."""
    manifest, predicate = Manifest.of(entries), read_seal(bundle.statement)
    return Bundle(seal_statement("data", manifest, BLAKE3, parameters or predicate.parameters), manifest)


class TestDocuments:
    """The keys of a proof: each in one place, in one spelling."""

    FIELDS = LeafFields.of(Leaf(Kind.RECORDS, "a", 1, bytes(32), bytes(32), 1, records=Records("jsonl", bytes(32))))

    def test_what_a_leaf_has_not_is_left_out(self):
        assert set(self.FIELDS.to_json()["records"]) == {"format", "set_root"}
        assert "salt" not in self.FIELDS.to_json()
        plain = LeafFields.of(Leaf(Kind.FILE, "a", 1, bytes(32))).to_json()
        assert list(plain) == ["kind", "name", "size", "digest", "child_root", "child_size", "dtype", "shape"]

    def test_what_it_has_comes_back(self):
        for leaf in (
            self.FIELDS.leaf(),
            Leaf(Kind.RECORDS, "a", 1, bytes(32), bytes(32), records=Records("x", b"1" * 32, b"2" * 32, b"3" * 32)),
            Leaf(Kind.RECORDS, "a", 1, b"", bytes(32), 1, records=Records("x", bytes(32), blinded=True)),
            Leaf(Kind.RECORD, "name", 1, bytes(32), salt=b"s" * 32),
        ):
            assert LeafFields.from_json(LeafFields.of(leaf).to_json(), "x").leaf() == leaf

    @pytest.mark.parametrize(
        "change",
        [
            {"records": None},
            {"salt": None},
            {"salt": "00" * 32},
            {"kind": "record"},
            {"kind": "file"},
            {"records": {"format": "jsonl", "set_root": "00" * 32, "header": None}},
            {"records": {"format": "jsonl", "set_root": "00" * 32, "blinded": False}},
            {"records": {"format": "jsonl", "set_root": "00" * 32, "index_root": "00" * 32, "blinded": True}},
            {"records": {"format": "Jsonl", "set_root": "00" * 32}},
            {"records": {"format": "jsonl"}},
            {"records": {"format": "jsonl", "set_root": "00" * 32, "more": 1}},
            {"records": {"format": "jsonl", "set_root": "0" * 63}},
            {"dtype": "F32"},
        ],
    )
    def test_a_second_spelling_or_what_does_not_belong_is_refused(self, change):
        with pytest.raises(FormatError):
            LeafFields.from_json({**self.FIELDS.to_json(), **change}, "x")

    def test_a_lookup_is_read_strictly(self, ask):
        absence = ask("a.jsonl", b"not there")[0].proof.absence.to_json()
        for change in ({"digest": None}, {"digest": "00"}, {"size": 9}, {"found": ""}, {"path": None}):
            with pytest.raises(FormatError):
                Absence.from_json({**absence, **change}, "x")
        for step in ({"bit": 256}, {"bit": -1}, {"bit": True}, {"bit": 1.0}, {"sibling": ""}):
            with pytest.raises(FormatError):
                Absence.from_json({**absence, "path": [{**absence["path"][0], **step}]}, "x")
        with pytest.raises(FormatError):
            Absence.from_json({**absence, "path": absence["path"][:1] * 257}, "x")

    def test_absence_needs_an_index_to_be_absent_from(self, ask):
        proofs = [answer.proof for answer in ask("a.jsonl", b"not there", 1)]
        absence, presence = (json.loads(proof.serialize()) for proof in proofs)
        for levels in (presence["levels"], [without_index(absence["levels"][0])]):
            with pytest.raises(FormatError, match="absence where the last level has no record index"):
                Proof.parse(json.dumps({**absence, "levels": levels}).encode())
        with pytest.raises(FormatError):
            Proof.parse(json.dumps({**presence, "absence": None}).encode())
        with pytest.raises(FormatError, match="signatures"):  # each may cost whoever checks it
            Proof.parse(json.dumps({**presence, "signatures": [{"keyid": "", "sig": ""}] * 65}).encode())


def without_index(level):
    records = {key: value for key, value in level["leaf"]["records"].items() if key != "index_root"}
    return {**level, "leaf": {**level["leaf"], "records": records}}


def test_an_inner_node_is_no_record(ask):
    """The hashes of two records side by side lead to the root as a leaf would, were they not hashed as one."""
    leaves = [Leaf(Kind.RECORD, "", len(line), BLAKE3.digest(line)).data() for line in LINES]
    tree = Tree(leaves)
    level, record = ask("a.jsonl", 1)[0].proof.levels
    assert tree.root.hex() == level.leaf.child_root
    pair = leaf_hash(leaves[0]) + leaf_hash(leaves[1])
    shorter = record.model_copy(update={"path": record.path[1:]})
    for digest in (sha256(b"\x01" + pair).hexdigest(), sha256(b"\x00" + pair).hexdigest(), record.path[0]):
        node = shorter.model_copy(update={"leaf": record.leaf.model_copy(update={"digest": digest})})
        assert broken_level((level, node), *root_of(ask.bundle)) == 1
    fewer = level.model_copy(update={"leaf": level.leaf.model_copy(update={"child_size": 3})})
    assert broken_level((fewer, shorter), *root_of(ask.bundle)) == 0
