"""A few commands on a terminal and where only ASCII is spoken: hostile names do no more than plain ones."""

import re
import sys
from collections import Counter
from functools import partial

import pytest

from mltrust.cli.crash import show_crash
from mltrust.testing.hostile_names import NAMES, commands, hidden

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="such names exist on POSIX only")


def test_where_only_ascii_is_spoken(worlds):
    """What cannot be said is escaped once more; what can is what moves cursors and begins lines."""
    hostile, _ = worlds
    ascii_alone = {"PYTHONIOENCODING": "ascii", "LC_ALL": "C"}
    for command, (_, out, err) in hostile.all(lambda given: hostile.run(given, **ascii_alone), "seen"):
        plain = re.sub(r"\x1b\[[\d;]*m", "", out) if "--color" in command else out
        harm = [*hidden(plain), *commands(plain)]
        assert [*harm, *hidden(err), *commands(err)] == [], command
        assert (out + err).isascii(), command


# What rich does to a terminal: lines, and the bar, which is drawn in one line again and again, without a cursor.
DRAWN = {"draw", "linefeed", "carriage_return", "cursor_up", "erase_in_line", "select_graphic_rendition"}
CURSOR = {("set_mode", 25), ("reset_mode", 25)}


class Screen:
    """A terminal that keeps what it is told to do."""

    def __init__(self):
        self.done, self.text = Counter(), []

    def __getattr__(self, name):
        return lambda *arguments, **_: self.done.update([(name, *arguments)])

    def draw(self, text):
        self.text.append(text)


def _lines(sent):
    """Return how many lines stay, without those of a program that was started, which may say several."""
    return sent.count("\n") - sent.count("\x1b[1A") - len(re.findall(r"^/.*?/external: ", sent, re.M))


def test_on_a_terminal(worlds, on_terminal):
    """A terminal moves, colours and titles nothing but what it does for plain names."""
    pyte = pytest.importorskip("pyte")
    screens, lines = [], []
    for world in worlds:
        screens.append(Screen())
        lines.append([])
        stream = pyte.Stream(screens[-1], strict=False)
        for command, (code, sent) in world.all(partial(world.on, on_terminal), "seen"):
            assert code in (0, 1, 2, 3), command
            stream.feed(sent)
            lines[-1].append(_lines(sent))
            assert not re.search(r"\x1b(?!\[)|[\x80-\x9f]", sent), f"another sequence than of colours: {command}"
            assert commands(re.sub(r"\x1b\[[^A-Za-z]*[A-Za-z]", "", sent).replace("\r", "\n")) == [], command
    hostile = screens[0]
    assert {name for name, *_ in hostile.done} - DRAWN <= {name for name, _ in CURSOR}
    assert {each for each in hostile.done if each[0] in ("set_mode", "reset_mode")} <= CURSOR
    for screen in screens:
        assert hidden("".join(screen.text)) == []
    assert lines[0] == lines[1]
    coloured = [{each for each in screen.done if each[0] == "select_graphic_rendition"} for screen in screens]
    assert coloured[0] <= coloured[1]
    assert any("\\x1b[31mred" in text for text in hostile.text)


@pytest.mark.parametrize("debug", ["", "1"])
def test_a_crash(capsys, monkeypatch, debug):
    monkeypatch.setenv("MLTRUST_DEBUG", debug)
    for name in NAMES:
        error = RuntimeError(name)
        error.__cause__ = ValueError(name)
        show_crash(error)
        out, err = capsys.readouterr()
        assert out == ""
        assert [*hidden(err), *commands(err)] == []
