"""Attacks on the files of a blinded artifact: links, pipes, files that change meanwhile, seals that contradict them."""

import os

import pytest

from mltrust.api import seal, verify
from mltrust.core.bundle import Bundle
from mltrust.core.digest import BLAKE3
from mltrust.core.leaf import Entry, Kind, Leaf, Records
from mltrust.core.manifest import Manifest
from mltrust.erasing import erase
from mltrust.errors import ChangedError, SealError, UsageError
from mltrust.interfaces import Trust
from mltrust.proving import check, prove
from mltrust.statements.seal import Parameters, ReaderVersion, seal_statement
from mltrust.testing import MemoryAnchor

ROWS = "r1\nr2\nr3\n"


@pytest.fixture
def anchor():
    return MemoryAnchor()


@pytest.fixture
def data(tmp_path):
    folder = tmp_path / "data"
    (folder / "real").mkdir(parents=True)
    (folder / "real" / "rows.jsonl").write_text(ROWS)
    return folder


def verdict(folder, anchor):
    return verify(folder, trust=Trust(anchors=(anchor,))).verdict.value


@pytest.mark.parametrize("link", ["link", "link.jsonl"])
def test_of_a_file_under_two_names_nothing_is_erased(data, anchor, link):
    """Each name has leaves of its own: a row that is gone would be missing under the other name for ever."""
    (data / link).symlink_to("real" if link == "link" else "real/rows.jsonl")
    seal(data, anchors=[anchor], blind=True)
    other = "link/rows.jsonl" if link == "link" else link
    for file in (other, "real/rows.jsonl"):
        with pytest.raises(UsageError, match=r"are one file|is a link"):
            erase(data, records=[1], file=file, anchors=[anchor])
    assert (data / "real" / "rows.jsonl").read_text() == ROWS
    assert verdict(data, anchor) == "verified"


def test_a_hard_link_is_a_file_of_its_own(data, anchor):
    os.link(data / "real" / "rows.jsonl", data / "rows.jsonl")
    seal(data, anchors=[anchor], blind=True)
    erase(data, records=[1], file="rows.jsonl", anchors=[anchor])
    assert ((data / "rows.jsonl").read_text(), (data / "real" / "rows.jsonl").read_text()) == ("r2\nr3\n", ROWS)
    assert verdict(data, anchor) == "verified"


def test_a_file_that_changes_while_the_tombstone_is_published_is_not_replaced(data, anchor):
    rows = data / "real" / "rows.jsonl"
    seal(data, anchors=[anchor], blind=True)
    salts = (data / "mltrust.seal.salts").read_bytes()

    class Slow(MemoryAnchor):
        def publish(self, submissions):
            rows.write_text(f"{ROWS}r4\n")
            return super().publish(submissions)

    with pytest.raises(ChangedError):
        erase(data, records=[1], anchors=[Slow()])
    assert rows.read_text() == f"{ROWS}r4\n"
    assert (data / "mltrust.seal.salts").read_bytes() == salts
    assert {path.name for path in data.iterdir()} == {"real", "mltrust.seal.json", "mltrust.seal.salts"}


def test_the_hint_to_finish_an_erasure_runs_nothing_else(data, anchor):
    name = "$(touch x).jsonl"
    (data / name).write_text(ROWS)
    seal(data, anchors=[anchor], blind=True)
    salts = (data / "mltrust.seal.salts").read_bytes()
    erase(data, records=[1], file=name, anchors=[anchor])
    (data / "mltrust.seal.salts").write_bytes(salts)
    (hint,) = [each.hint for each in verify(data, trust=Trust(content_only=True)).checks if each.kind == "erasure"]
    command = "mltrust erase ARTIFACT --file '$(touch x).jsonl' --record 1"
    assert hint == f"Finish it: {command}"


def test_a_record_of_a_file_with_the_longest_name_is_erased(tmp_path, anchor):
    folder, name = tmp_path / "data", "n" * 249 + ".jsonl"
    folder.mkdir()
    (folder / name).write_text(ROWS)
    seal(folder, anchors=[anchor], blind=True)
    erase(folder, records=[2], anchors=[anchor])
    assert (folder / name).read_text() == "r1\nr3\n"
    assert verdict(folder, anchor) == "verified"


def test_no_bytes_are_said_to_be_other_than_a_blinded_file(data, anchor, tmp_path):
    """Its leaf has no digest: neither the file itself nor anything else can be told from a proof of it."""
    sealed = seal(data, anchors=[anchor], blind=True)
    (tmp_path / "p.json").write_bytes(prove(sealed.path, file="real/rows.jsonl").serialize())
    (tmp_path / "other").write_text("other")
    for content in (data / "real" / "rows.jsonl", tmp_path / "other"):
        report = check(tmp_path / "p.json", trust=Trust(anchors=(anchor,)), content=content)
        assert [each.outcome.value for each in report.checks] == ["pass", "pass", "unchecked", "pass"]
        assert report.verdict.value == "inconclusive"


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes here")
def test_a_pipe_in_place_of_the_salts_is_not_waited_for(data):
    seal(data, blind=True)
    (data / "mltrust.seal.salts").unlink()
    os.mkfifo(data / "mltrust.seal.salts")
    with pytest.raises(UsageError, match="does not belong to the seal"):
        seal(data, blind=True)


def test_a_seal_of_records_that_no_reader_reads(tmp_path, anchor):
    folder = tmp_path / "odd"
    folder.mkdir()
    (folder / "rows.bin").write_text(ROWS)
    records = Records("jsonl", bytes(32), blinded=True)
    manifest = Manifest.of([Entry(Leaf(Kind.RECORDS, "rows.bin", 9, b"", bytes(32), 3, records=records))])
    readers = tuple(ReaderVersion(name=name, version=1) for name in ("jsonl", "opaque"))
    parameters = Parameters(exclude=("/mltrust.seal.*",), readers=readers)
    bundle = Bundle(seal_statement("odd", manifest, BLAKE3, parameters), manifest, (), ())
    (folder / "mltrust.seal.json").write_bytes(bundle.to_json())
    (folder / "mltrust.seal.salts").write_bytes(b"mltrust salts 1\n" + b"\1" * 96)
    assert verify(folder, trust=Trust(content_only=True)).verdict.value == "failed"
    with pytest.raises(SealError, match="no reader that reads them"):
        erase(folder, records=[1], anchors=[anchor])
