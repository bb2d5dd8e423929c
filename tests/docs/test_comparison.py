"""The comparison page says what the tools say: a part of its table is made again, with what is here anyway."""

import os
import runpy
import shutil
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
pytestmark = pytest.mark.skipif(os.name == "nt", reason="the tools are started as on other systems")


@pytest.fixture(scope="module")
def compare():
    return runpy.run_path(str(ROOT / "docs/compare"))


@pytest.fixture(scope="module")
def observed(compare):
    """Return the cells of the page: by tool, then by what happened."""
    text = compare["PAGE"].read_text(encoding="utf-8").partition(compare["BEGIN"])[2].partition(compare["END"])[0]
    (_, *heads), _, *rows = ([cell.strip() for cell in line.strip("|").split("|")]
                             for line in text.splitlines() if line.startswith("|"))  # fmt: skip
    return {
        name: {title: cells[place] for title, *cells in rows}
        for place, head in enumerate(heads)
        for name in head.split(", ")
    }


@pytest.mark.parametrize(
    ("name", "titles"),
    [
        ("mltrust", ("two tensors of one shape trade places", "rows in another order")),
        ("sha256sum", ("nothing", "one byte of one tensor", "a file is added", "a file is renamed")),
        ("Git LFS", ("one byte of one tensor", "a file is added")),
    ],
)
def test_the_table_shows_what_is_said(compare, observed, tmp_path, name, titles):
    if name != "mltrust" and shutil.which(name.lower().replace(" ", "-")) is None:
        pytest.skip(f"{name} is not installed")
    maker = compare["makers"](tmp_path)[name]
    changes = {change.title: change for change in compare["CHANGES"]}
    for title in titles:
        _, found = compare["_tried"](name, maker, changes[title], tmp_path)
        assert found == observed[name][title], title


def test_every_tool_has_a_column_or_a_reason(compare, observed, tmp_path):
    page = compare["PAGE"].read_text(encoding="utf-8")
    titles = {*(change.title for change in compare["CHANGES"]), compare["FORGED"].title, compare["NO_NETWORK"]}
    for name in compare["makers"](tmp_path):
        assert set(observed.get(name, ())) == titles or f"{name}: not run" in page
