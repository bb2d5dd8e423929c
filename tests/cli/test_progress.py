"""What is told while something takes long: how far it is, and what is being read."""

import functools
import io
import json
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len
from rich.console import Console as Terminal

import mltrust as package
from mltrust.cli import progress
from mltrust.cli.console import Console
from mltrust.interfaces import Silent


class Counter(Silent):
    """Adds up what it hears."""

    def __init__(self):
        self.size = self.done = 0
        self.paths = set()

    def expect(self, files, size):
        self.size += size

    def reading(self, path):
        self.paths.add(path)

    def advance(self, size):
        assert size >= 0
        self.done += size


@pytest.fixture
def counter():
    return Counter()


def shown_on(on_terminal, mltrust, *arguments, **environment):
    start = functools.partial(mltrust.popen, *arguments, env={"COLUMNS": "100", **environment})
    code, screen = on_terminal(start)
    assert code == 0
    return screen


def test_the_bar_names_what_is_read_and_nothing_in_a_name_moves_the_cursor(mltrust, on_terminal):
    folder = mltrust.cwd / "plain"
    folder.mkdir()
    (folder / "a\x1b[9Jb\u202ec.bin").write_bytes(bytes(300_000))
    screen = shown_on(on_terminal, mltrust, "fingerprint", folder)
    assert r"a\x1b[9Jb\u202ec.bin" in screen
    assert "\x1b[9J" not in screen
    assert "\u202e" not in screen
    quiet = [("-q",), ("--verbose",)]
    for more, environment in zip(quiet, ({}, {"TERM": "dumb"}), strict=True):
        screen = shown_on(on_terminal, mltrust, "fingerprint", folder, *more, **environment)
        assert re.fullmatch(r"[0-9a-f]{64}\r\n", screen), screen


def test_the_bar_is_one_line_however_narrow_the_terminal():
    written = io.StringIO()
    with progress.bar(Terminal(file=written, force_terminal=True, width=30)) as drawn:
        told = progress.Bar(drawn)
        told.expect(1, 200_000_000_000)
        told.reading("model-00001-of-00008.safetensors")
        told.advance(1_600_000_000)
        assert "1.6/200" in written.getvalue()
        assert "\n" not in written.getvalue()


@given(st.text(st.characters(exclude_categories=["C", "M"]), max_size=80), st.integers(0, 60))
def test_a_name_is_shortened_to_its_end(name, cells):
    short = progress._shortened(name, cells)
    assert cell_len(short) <= cells
    assert name.endswith(short.removeprefix("..."))
    assert (short == name) is (cell_len(name) <= cells) or not short


def test_a_log_that_asks_for_more_gets_a_line_now_and_then(monkeypatch):
    now, said = [1000.0], []
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    lines = progress.Lines(said.append)
    lines.expect(2, 4_000_000_000)
    lines.reading("shard-1\n.safetensors")
    for _ in range(2):
        for _ in range(10):
            now[0] += 3
            lines.advance(100_000_000)
    assert said == [
        "1.0 GB of 4.0 GB, 33.3 MB/s, 0:01:30 left: shard-1\\n.safetensors",
        "2.0 GB of 4.0 GB, 33.3 MB/s, 0:01:00 left: shard-1\\n.safetensors",
    ]


def test_who_hears_what_without_a_terminal():
    for console, kind in ((Console(), Silent), (Console(verbose=True), progress.Lines), (Console(quiet=True), Silent)):
        with console.progress() as told:
            assert isinstance(told, kind)


@pytest.fixture
def people(tmp_path):
    """Return a blinded file of records, of which some are long."""
    path = tmp_path / "people.jsonl"
    path.write_text("".join(json.dumps({"id": number, "text": "x" * 900}) + "\n" for number in range(5000)))
    package.seal(path, blind=True)
    return path


def test_what_no_engine_reads_is_counted_as_well(people, counter, tmp_path):
    means, size, seal = package.default_means(1, counter), people.stat().st_size, f"{people}.seal.json"
    [answer] = package.prove_records(seal, [4711], file=people.name, means=means)
    assert (counter.done, counter.size, counter.paths) == (size, size, {people.name})
    (tmp_path / "proof").write_bytes(answer.proof.serialize())

    package.check(tmp_path / "proof", trust=package.Trust(content_only=True), content=people, means=means)
    assert counter.done == counter.size > 2 * size  # once as a file, and as many records as it takes

    before = counter.done
    package.erase(people, records=[3], anchors=[], means=means)
    assert counter.done == counter.size >= before + 2 * size + people.stat().st_size
    assert any(path.endswith(people.name) and path != people.name for path in counter.paths)  # the file without it


def test_rows_that_are_read_again_are_counted(counter, tmp_path):
    for side in "ab":
        (tmp_path / f"{side}.csv").write_text("id,text\n" + "".join(f"{n},{side * (n % 7)}\n" for n in range(3000)))
    size = sum((tmp_path / f"{side}.csv").stat().st_size for side in "ab")
    means, rows = package.default_means(1, counter), package.RowOptions(key_column="id", preview=True)
    package.diff(tmp_path / "a.csv", tmp_path / "b.csv", means=means, rows=rows)
    assert counter.done == counter.size > size
