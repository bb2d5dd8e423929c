"""Datasets that earlier versions sealed are verified for ever: records, stores, proofs, blinding, erasures."""

import json
import shutil
from pathlib import Path

import pytest

import mltrust
from mltrust.core.bundle import Bundle
from mltrust.core.proof import Proof

HERE = Path(__file__).parent
CASES = sorted(path.parent for path in HERE.glob("records-v*/*/expected.json"))


@pytest.fixture(params=CASES, ids=lambda path: path.relative_to(HERE).as_posix())
def frozen(request, tmp_path):
    """Return a copy of a frozen case, for tests to do with as they like."""
    folder = Path(shutil.copytree(request.param, tmp_path / "case"))
    for salts in folder.glob("*.salts"):
        salts.chmod(0o600)  # version control keeps no such mode
    return folder


@pytest.fixture
def expected(frozen):
    return json.loads((frozen / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture
def by_key(frozen):
    return mltrust.Trust(anchors=[mltrust.anchor_by_key((frozen / "ledger.vkey").read_text(encoding="utf-8").strip())])


def test_nothing_was_lost():
    kinds = {f"{kind}-{suite}" for kind in ("open", "blinded") for suite in ("blake3", "sha256")}
    assert {path.name for path in CASES if path.parent.name == "records-v1"} == kinds


def test_it_verifies(frozen, expected, by_key):
    report = mltrust.verify(frozen / expected["artifact"], trust=by_key).require()
    assert report.fingerprint == expected["fingerprint"]
    assert report.scope.records + report.scope.records_erased == expected["records"]
    assert report.scope.records_erased == (2 if "people" in expected["artifact"] else 0)


def test_the_seal_is_read_to_the_letter(frozen, expected):
    data = (frozen / expected["seal"]).read_bytes()
    bundle = Bundle.parse(data)
    assert bundle.to_json() == data
    assert str(bundle.statement.digest()) == expected["statement"]


def test_its_proofs_are_good(frozen, expected, by_key):
    proofs = sorted(frozen.glob("*.proof.json"))
    assert len(proofs) == expected["proofs"]
    for path in proofs:
        assert Proof.parse(path.read_bytes()).serialize() == path.read_bytes()
        mltrust.check(path, trust=by_key).require()


def test_one_changed_row_is_found(frozen, expected, by_key):
    artifact = frozen / expected["artifact"]
    rows = artifact if artifact.is_file() else artifact / "train.jsonl"
    rows.write_bytes(rows.read_bytes().replace(b"Zeile 6", b"Zeile 9"))
    report = mltrust.verify(artifact, trust=by_key)
    assert report.verdict is mltrust.Verdict.FAILED
    assert [change.name for change in report.changes] == [rows.name]
    if artifact.is_dir():
        assert [row.before for row in report.changes[0].rows.listed] == [6]
