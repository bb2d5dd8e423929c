"""The simulation of millions of files runs, with a few thousand: it asserts by itself that all it makes agrees."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

SCALE = Path(__file__).parents[1] / "bench" / "scale.py"


@pytest.mark.skipif(sys.platform != "linux", reason="the simulation reads its memory from /proc")
@pytest.mark.parametrize("options", [[], ["--model"]])
def test_every_step_says_what_it_took(options):
    run = subprocess.run([sys.executable, SCALE, "3000", *options], check=True, capture_output=True, text=True)
    lines = [json.loads(line) for line in run.stdout.splitlines()]
    assert [line["step"] for line in lines] == ["build", "tree", "write", "read", "agree", "path"]
    for line in lines:
        assert line["entries"] == 3000
        assert {"seconds", "cpu_seconds", "anonymous_mb", "bytes"} < line.keys()
    assert lines[0]["bytes"] == pytest.approx(10**12, rel=0.05)
    assert lines[2]["bytes"] == lines[3]["bytes"] > 3000 * 100
