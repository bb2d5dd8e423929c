"""`mltrust verify --oms`, as it is installed."""

import base64
import json
import shutil
from pathlib import Path

import pytest

HISTORY = Path(__file__).parents[1] / "vectors" / "oms" / "history"


@pytest.fixture
def run(run_many, tmp_path):
    model = tmp_path / "model"
    model.mkdir()
    (model / "signme-1").write_bytes(b"signme-1\n")
    (model / "signme-2").write_bytes(b"signme-2")
    shutil.copy(HISTORY / "v1.1.0-elliptic-key" / "model.sig", model / "model.sig")
    old = json.loads((HISTORY / "v1.0.0-elliptic-key" / "model.sig").read_text())
    key = base64.b64decode(old["verificationMaterial"]["publicKey"]["rawBytes"])
    (tmp_path / "signer.pub").write_bytes(key)

    def run(*many):
        commands = [("verify", "model", "--oms", "model/model.sig", *arguments) for arguments in many]
        return run_many(tmp_path, commands, MLTRUST_HOME=str(tmp_path / "home"))

    return run


def test_exit_codes_and_words(run, tmp_path):
    good, nobody, content = run(["--key", "signer.pub"], [], ["--content-only"])
    assert (good.code, good.err) == (0, "")
    assert "VERIFIED  v1.1.0-elliptic-key" in good.out
    assert "not checked  left out by the bundle's rules: model.sig" in good.out
    assert nobody.code == 3
    assert "--identity and --issuer" in nobody.out
    assert content.code == 0
    assert "signature" not in content.out

    (tmp_path / "model" / "signme-2").unlink()
    (bad,) = run(["--key", "signer.pub", "--format", "json"])
    report = bad.json()
    assert (bad.code, report["verdict"], report["suite"]) == (1, "failed", "oms")
    [change] = report["changes"]
    assert (change["kind"], change["name"], change["before"]["size"]) == ("removed", "signme-2", None)
    assert {check["kind"]: check["outcome"] for check in report["checks"]} == {
        "seal": "pass",
        "content": "fail",
        "signature": "pass",
    }


def test_what_makes_no_sense_is_refused(run):
    named, anchored, absent = run(
        ["--fingerprint", "ab" * 32], ["--anchor", "ledger:l", "--key", "signer.pub"], ["--key", "no.pub"]
    )
    assert named.code == anchored.code == 2
    assert "error: ledger:l vouches for seals, and a bundle is none" in anchored.err
    assert "a fingerprint is that of a seal" in named.err
    assert absent.code == 2
