"""Names from outside: what may be one, and that none of them acts when it is shown."""

import io
import unicodedata

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console
from rich.text import Text

from mltrust.core.names import MAX_NAME_BYTES, check_path, check_text, collisions, is_obeyed, printable, shown
from mltrust.errors import FormatError

HOSTILE = {
    "\x1b[31mred\x1b[0m": r"\x1b[31mred\x1b[0m",
    "\x1b]8;;http://evil\x07click\x1b]8;;\x07": r"\x1b]8;;http://evil\x07click\x1b]8;;\x07",
    "\x1b]0;title\x07": r"\x1b]0;title\x07",
    "\x9b2J": r"\x9b2J",
    "a\nVERIFIED": r"a\nVERIFIED",
    "a\r\nb": r"a\r\nb",
    "over\rwritten": r"over\rwritten",
    "b\x08\x08": r"b\x08\x08",
    "\x00": r"\x00",
    "\x7f": r"\x7f",
    "\t": r"\t",
    "a\u2028b\u2029c\x85d\x0be\x0cf": r"a\u2028b\u2029c\x85d\x0be\x0cf",
    "\u202egnp.exe": r"\u202egnp.exe",
    "\u2066a\u2069\u200e\u200f\u061c": r"\u2066a\u2069\u200e\u200f\u061c",
    "zero\u200bwidth\u200c\u200d\u2060\ufeff": r"zero\u200bwidth\u200c\u200d\u2060\ufeff",
    "soft\u00adhyphen": r"soft\xadhyphen",
    "tag\U000e0041\U000e007f": r"tag\U000e0041\U000e007f",
    "variation\ufe0f\U000e0100": r"variation\ufe0f\U000e0100",
    "joiner\u034ffiller\u115f\u1160\u3164\uffa0": r"joiner\u034ffiller\u115f\u1160\u3164\uffa0",
    "mongolian\u180b\u180e braille\u2800": r"mongolian\u180b\u180e braille\u2800",
    "spaces\u00a0\u2003\u3000": r"spaces\xa0\u2003\u3000",
    "private\ue000\U0010ffff": r"private\ue000\U0010ffff",
    "surrogate\ud800\udc80": r"surrogate\ud800\udc80",
    "back\\slash \\x1b": r"back\\slash \\x1b",
    "[red]x[/red]": "[red]x[/red]",
    "[link=http://evil]x": "[link=http://evil]x",
    "::error::x": ":\\x3aerror::x",
    "<script>&amp;": "<script>&amp;",
    "naïve 模型 モデル 😀": "naïve 模型 モデル 😀",
    "": "",
}


@pytest.mark.parametrize("name", HOSTILE)
def test_shown(name):
    assert shown(name) == HOSTILE[name]


@pytest.mark.parametrize(
    "text", ["a\n ::error::x", "##[x]", "a##vso[x.y]", "a\x08", "a\x1b[m", "\x85", "\u2028", "\u202e", "\u2066"]
)
def test_what_a_terminal_or_a_log_obeys(text):
    assert is_obeyed(text)
    assert not is_obeyed("\n".join(map(printable, text.split("\n"))))


@pytest.mark.parametrize(
    "text", ["", "a\nb\n", "a\tb", "a::b", "## [x]", "\u3000 \xa0 \u2764\ufe0f \U0001f917", "-- =1+1 <b>"]
)
def test_what_they_only_show(text):
    assert not is_obeyed(text)


@given(st.text())
def test_what_is_shown_stays_in_its_line_and_takes_its_space(name):
    out = shown(name)
    assert out.isprintable()
    assert len(out.splitlines()) <= 1
    assert not any(unicodedata.category(character)[0] == "C" for character in out)
    out.encode("utf-8")


@given(st.text(), st.text())
def test_two_names_are_never_shown_alike(one, two):
    assert (shown(one) == shown(two)) == (one == two)


@given(st.text())
def test_what_is_shown_can_be_read_back(name):
    assert shown(name).encode("latin-1", "backslashreplace").decode("unicode_escape") == name


def test_markup_stays_text_on_a_terminal():
    out = io.StringIO()
    for name in HOSTILE:
        Console(file=out, force_terminal=True, width=200, color_system="truecolor").print(Text(shown(name)))
    assert "\x1b" not in out.getvalue()
    assert "[red]x[/red]" in out.getvalue()


@pytest.mark.parametrize(
    "path",
    [
        *["/", "/a", "a/", "a//b", ".", "..", "./a", "a/.", "a/../b", "../a", "a/.."],
        "",
        "a\0b",
        "\0",
        "\ud800",
        "\udcff/x",
        "x" * 4097,
        "é" * 2049,
    ],
)
def test_paths_that_are_none(path):
    with pytest.raises(FormatError) as caught:
        check_path(path, "there")
    assert caught.value.where == "there"
    assert str(caught.value).isascii()
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("path", ["a", ".a", "..a", "a..", "...", "a/b/c", " ", "a\nb", "~", "C:\\x", "*", "x" * 4096])
def test_paths_that_are_some(path):
    assert check_path(path, "there") == path


def test_a_name_may_be_anything_but_endless_or_no_text():
    for name in ("", "..", "/", "\0", "é" * (MAX_NAME_BYTES // 2)):
        assert check_text(name, "there") == name
    for name in ("x" * (MAX_NAME_BYTES + 1), "\udc80"):
        with pytest.raises(FormatError):
            check_text(name, "there")


def test_collisions():
    names = ["README", "readme", "a", "straße", "STRASSE", "é", "e\u0301", "É", "b/c", "B/c", "unique"]
    assert collisions(names) == [["README", "readme"], ["straße", "STRASSE"], ["é", "e\u0301", "É"], ["b/c", "B/c"]]
    assert collisions([]) == []
