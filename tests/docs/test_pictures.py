"""The pictures show what the commands print, and every page that shows one says in words what is on it."""

import os
import re
import runpy
from pathlib import Path

import pytest

DOCS = Path(__file__).parents[2] / "docs"


@pytest.mark.skipif(os.name == "nt", reason="paths in the pictures are those of other systems")
def test_pictures_show_what_the_commands_print(tmp_path):
    generate = runpy.run_path(str(DOCS / "generate"))
    model = generate["published_model"]()
    if model is None:
        pytest.skip("the model of the pictures is not installed")
    drawn = generate["pictures"](model, tmp_path)
    shown = {path.stem: path.read_text(encoding="utf-8") for path in DOCS.glob("images/*.svg")}
    stale = [name for name, svg in drawn.items() if generate["said"](shown[name]) != generate["said"](svg)]
    assert stale == [], "run: make docs"
    assert any("value.weight" in line for line in generate["said"](drawn["verify"]))


def test_pictures_are_there_described_and_used(all_pages):
    shown = [(page, *found) for page in all_pages for found in re.findall(r"!\[([^\]]*)\]\(([^)]+)\)", page.prose)]
    missing = [(page.name, target) for page, _, target in shown if not (page.path.parent / target).is_file()]
    assert missing == []
    assert [target for _, description, target in shown if len(description) < 40] == []
    used = {(page.path.parent / target).resolve() for page, _, target in shown}
    assert {path.resolve() for path in DOCS.glob("images/*")} <= used
