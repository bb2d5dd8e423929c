"""The manual pages: fresh, whole, and as roff has it."""

import json
import re
import runpy
import shutil
import subprocess
from importlib.metadata import distribution
from pathlib import Path

import pytest

from mltrust.cli.commands import whole_grammar

DOCS = Path(__file__).parents[2] / "docs"
PAGES = sorted(DOCS.glob("man/*.1"))


def test_generating_again_changes_nothing():
    pages = runpy.run_path(str(DOCS / "generate"))["manual"]()
    assert pages == {path.name: path.read_text(encoding="utf-8") for path in PAGES}, "run: make docs"


def test_every_command_and_option_has_its_place():
    whole = whole_grammar()
    main = plain(DOCS / "man/mltrust.1")
    for command in whole.below:
        assert f"mltrust-{command.words[0]}" in main
        page = plain(DOCS / f"man/mltrust-{command.words[0]}.1")
        for leaf in command.all():
            assert f"mltrust {' '.join(leaf.words)}" in page
            for parameter in leaf.parameters if not leaf.below else ():
                assert parameter.told in page
                assert all(flag in page for flag in parameter.flags)


def plain(path):
    text = path.read_text(encoding="utf-8")
    for code, mark in {"\\(aq": "'", "\\(ga": "`", "\\(ti": "~", "\\(dq": '"', "\\(ha": "^", "\\-": "-"}.items():
        text = text.replace(code, mark)
    return re.sub(r"\\f.", "", text).replace("\\e", "\\")


@pytest.mark.parametrize(
    "command",
    [("groff", "-man", "-ww", "-z", "-Tutf8"), ("mandoc", "-Tlint", "-W", "warning")],
    ids=lambda command: command[0],
)
def test_nothing_is_wrong_with_their_roff(command):
    if shutil.which(command[0]) is None:
        pytest.skip(f"{command[0]} is not installed")
    done = subprocess.run([*command, *PAGES], capture_output=True, text=True, check=False, timeout=60)
    said = [line for line in (done.stdout + done.stderr).splitlines() if "missing date" not in line]  # they have none
    assert said == []


def test_pages_are_in_ascii_and_no_text_is_a_request():
    for path in PAGES:
        text = path.read_text(encoding="utf-8")
        assert text.isascii()
        requests = set(re.findall(r"^\.(\S*)", text, re.M))
        assert requests <= {'\\"', "TH", "SH", "SS", "TP", "PP", "B", "I", "BR", "br", "nf", "fi", "EX", "EE"}


def test_the_package_installs_them():
    package = distribution("mltrust")
    origin = json.loads(package.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        pytest.skip("the package is linked, not installed")
    installed = {file.name for file in package.files or () if file.parent.name == "man1"}
    assert installed == {path.name for path in PAGES}
