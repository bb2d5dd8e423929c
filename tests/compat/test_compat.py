"""What earlier versions wrote is verified for ever: seals, receipts, ledgers, proofs. Nothing frozen is ever edited."""

import json
import shutil
from pathlib import Path

import pytest

import mltrust
from mltrust.core.bundle import Bundle
from mltrust.core.proof import Proof

HERE = Path(__file__).parent
CASES = sorted(path.parent for path in HERE.glob("v*/*/expected.json"))


@pytest.fixture(params=CASES, ids=lambda path: path.relative_to(HERE).as_posix())
def frozen(request, tmp_path):
    """Return a copy of a frozen case, for tests to do with as they like."""
    return Path(shutil.copytree(request.param, tmp_path / "case"))


@pytest.fixture
def expected(frozen):
    return json.loads((frozen / "expected.json").read_text(encoding="utf-8"))


@pytest.fixture
def artifact(frozen, expected):
    return frozen / expected["artifact"]


@pytest.fixture
def weights(artifact):
    return artifact if artifact.is_file() else artifact / "model.safetensors"


@pytest.fixture
def by_key(frozen):
    return mltrust.Trust(anchors=[mltrust.anchor_by_key((frozen / "ledger.vkey").read_text(encoding="utf-8").strip())])


@pytest.fixture
def ledger(frozen, tmp_path):
    return mltrust.open_anchor(f"ledger:{frozen / 'ledger'}", mltrust.Home(tmp_path / "data", tmp_path / "state"))


def test_nothing_was_lost():
    assert {path.name for path in CASES if path.parent.name == "v1"} == {
        f"{kind}-{suite}" for kind in ("folder", "file") for suite in ("blake3", "sha256")
    }


def test_by_content_fingerprint_key_and_ledger(artifact, expected, by_key, ledger):
    trusts = [
        mltrust.Trust(content_only=True),
        mltrust.Trust(fingerprint=expected["fingerprint"]),
        by_key,
        mltrust.Trust(anchors=[ledger]),
    ]
    for trust in trusts:
        report = mltrust.verify(artifact, trust=trust).require()
        assert (report.fingerprint, report.suite) == (expected["fingerprint"], expected["suite"])
        assert all(check.outcome is mltrust.Outcome.PASS for check in report.checks)


def test_nobody_is_still_nobody(artifact):
    assert mltrust.verify(artifact, trust=mltrust.Trust()).verdict is mltrust.Verdict.INCONCLUSIVE


def test_the_seal_is_read_to_the_letter(frozen, expected):
    data = (frozen / expected["seal"]).read_bytes()
    bundle = Bundle.parse(data)
    assert bundle.to_json() == data
    assert str(bundle.statement.digest()) == expected["statement"]


def test_the_ledger_is_sound_and_holds_the_chain(frozen, expected, ledger):
    digests = [str(digest) for _, _, digest in ledger.entries()]
    assert digests[-1] == expected["statement"]
    bundle = mltrust.read_seal_file(frozen / expected["seal"])
    assert bundle.statement.predicate["supersedes"] == digests[0]
    assert ledger.check().unsigned == 0


def test_proofs(frozen, expected, weights, by_key, artifact):
    for name, (file, tensor) in expected["proofs"].items():
        data = (frozen / name).read_bytes()
        assert Proof.parse(data).serialize() == data
        content = artifact if artifact.is_file() else artifact / file
        for given in (None, content):
            report = mltrust.check(frozen / name, trust=by_key, content=given).require()
            assert report.fingerprint == expected["fingerprint"]
        assert mltrust.prove(frozen / expected["seal"], file=file, tensor=tensor).serialize() == data


def test_every_tampered_byte_of_the_weights_is_seen(weights, artifact, by_key):
    data = weights.read_bytes()
    for at in range(0, len(data), 17):
        weights.write_bytes(data[:at] + bytes([data[at] ^ 1]) + data[at + 1 :])
        assert mltrust.verify(artifact, trust=by_key).verdict is mltrust.Verdict.FAILED


def test_added_files_fail_where_they_belong_to_the_artifact(artifact, by_key):
    inside = artifact if artifact.is_dir() else artifact.parent
    (inside / "runs").mkdir(exist_ok=True)
    (inside / "runs/more").write_text("left out")
    mltrust.verify(artifact, trust=by_key).require()
    (inside / "added").write_bytes(b"")
    expected = mltrust.Verdict.FAILED if artifact.is_dir() else mltrust.Verdict.VERIFIED
    assert mltrust.verify(artifact, trust=by_key).verdict is expected


def other(value):
    if isinstance(value, str):
        return ("0" if value[:1] != "0" else "1") + value[1:]
    return 1 if value is None else value + 1


def accepted(ask):
    try:
        return ask().verdict is mltrust.Verdict.VERIFIED
    except mltrust.UnreadableError:
        return False


def test_every_edited_value_of_the_seal_is_refused(frozen, expected, artifact, by_key, edits):
    path = frozen / expected["seal"]
    text = path.read_text(encoding="utf-8")
    for place, copy in edits(json.loads(text), lambda value: [other(value)]):
        path.write_text(json.dumps(copy), encoding="utf-8")
        assert not accepted(lambda: mltrust.verify(artifact, trust=by_key)), place


def test_every_edited_value_of_a_proof_is_refused(frozen, expected, by_key, edits):
    for name in expected["proofs"]:
        text = (frozen / name).read_text(encoding="utf-8")
        for place, copy in edits(json.loads(text), lambda value: [other(value)]):
            (frozen / "edited.json").write_text(json.dumps(copy), encoding="utf-8")
            assert not accepted(lambda: mltrust.check(frozen / "edited.json", trust=by_key)), place


def test_a_tampered_ledger_fails(frozen, artifact, ledger):
    path = frozen / "ledger/entries.jsonl"
    data = path.read_bytes()
    path.write_bytes(data.splitlines(keepends=True)[1])
    assert mltrust.verify(artifact, trust=mltrust.Trust(anchors=[ledger])).verdict is mltrust.Verdict.FAILED
