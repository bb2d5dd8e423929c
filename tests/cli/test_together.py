"""Several commands change one seal file at once: nothing that one of them wrote is undone by another."""

import json
import sys

import pytest

SLOW = """
import subprocess, sys
from pathlib import Path
import mltrust
from mltrust.testing import MemoryAnchor

class Slow(MemoryAnchor):
    def publish(self, submissions):
        subprocess.run(sys.argv[2:], check=True, capture_output=True)
        return super().publish(submissions)

    def refresh(self, receipt, digest):
        subprocess.run(sys.argv[2:], check=True, capture_output=True)
        return receipt
"""
ANCHOR = SLOW + "mltrust.anchor([sys.argv[1]], Slow())"


def receipts(seal):
    return sorted(receipt["kind"] for receipt in json.loads(seal.read_text())["receipts"])


@pytest.fixture
def seal(seal_file):
    return seal_file


def command(mltrust, *arguments):
    return [sys.executable, "-m", "mltrust", *map(str, arguments)]


def test_a_receipt_added_meanwhile_stays(mltrust, seal):
    done = mltrust.python(ANCHOR, seal, *command(mltrust, "anchor", seal, "--to", f"ledger:{mltrust.cwd / 'other'}"))
    assert done.code == 0, done.err
    assert receipts(seal) == ["ledger", "ledger", "memory"]


def test_a_release_sealed_meanwhile_is_not_put_back(mltrust, model, seal):
    (model / "new").write_text("new")
    done = mltrust.python(ANCHOR, seal, *command(mltrust, "seal", model))
    assert done.code != 0
    assert "was sealed anew meanwhile" in done.err
    assert mltrust("verify", model).code == 0


def test_sealing_while_a_receipt_is_added_keeps_it(mltrust, seal):
    code = SLOW + "mltrust.seal(Path(sys.argv[1]).parent, annotations={'license': 'mit'}, anchors=[Slow()])"
    added = command(mltrust, "anchor", seal, "--to", f"ledger:{mltrust.cwd / 'other'}")
    assert mltrust.python(code, seal, *added).code == 0
    assert receipts(seal) == ["ledger", "ledger", "memory"]


def test_two_who_seal_at_once_do_not_overwrite_each_other(mltrust, bare):
    code = SLOW + "mltrust.seal(sys.argv[1], anchors=[Slow()])"
    other = command(mltrust, "seal", bare, "--name", "other")
    done = mltrust.python(code, bare, *other)
    assert done.code != 0
    assert "was sealed by somebody else meanwhile" in done.err
    assert json.loads((bare / "mltrust.seal.json").read_text())["statement"]["subject"][0]["name"] == "other"


def test_many_at_once(mltrust, seal):
    running = [mltrust.popen("anchor", seal, "--to", f"ledger:{mltrust.cwd / str(number)}") for number in range(6)]
    assert [process.wait() for process in running] == [0] * 6
    assert receipts(seal) == ["ledger"] * 7


def test_one_of_a_batch_cannot_be_written(mltrust, fill_model):
    folders = [fill_model(mltrust.cwd / name) for name in "abc"]
    for folder in folders:
        assert mltrust("seal", folder, "--no-anchor").code == 0
    seals = [folder / "mltrust.seal.json" for folder in folders]
    spoil = "import pathlib; p = pathlib.Path(r'" + str(seals[1]) + "'); p.write_text(p.read_text()[:-9])"
    code = SLOW + "mltrust.anchor(sys.argv[5:], Slow())"
    done = mltrust.python(code.replace("sys.argv[2:]", "sys.argv[2:5]"), "x", sys.executable, "-c", spoil, *seals)
    assert "published, but 1 of 3 seal files have no receipt" in done.err
    assert [receipts(seal) for seal in (seals[0], seals[2])] == [["memory"], ["memory"]]


def test_a_later_anchor_that_fails_says_what_is_published(mltrust, bare):
    done = mltrust("seal", bare, "--anchor", "ledger:one", "--anchor", "rfc3161:http://127.0.0.1:9/")
    assert done.code == 3
    assert "It is published in ledger:one already" in done.err
    assert not (bare / "mltrust.seal.json").exists()
