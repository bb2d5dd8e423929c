"""JSON with one spelling: what is refused on the way in, and what comes out."""

import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mltrust.core import canonical
from mltrust.core.canonical import MAX_DEPTH, MAX_INTEGER, dumps, loads
from mltrust.errors import FormatError

REFUSED = {
    "": "not JSON",
    " ": "not JSON",
    "{": "not JSON",
    "}": "not JSON",
    "{}{}": "not JSON",
    "{} x": "not JSON",
    "{'a': 1}": "not JSON",
    '{"a": 1,}': "not JSON",
    "[1,]": "not JSON",
    '{"a" 1}': "not JSON",
    "{1: 2}": "not JSON",
    "// x\n{}": "not JSON",
    "True": "not JSON",
    "\ufeff{}": "not JSON",
    "\u00a0{}": "not JSON",
    "{}\0": "not JSON",
    '"a\nb"': "not JSON",
    '"\t"': "not JSON",
    r'"\x41"': "not JSON",
    r'"\u12"': "not JSON",
    '"': "not JSON",
    '"\\"': "not JSON",
    "\\": "not JSON",
    "01": "not JSON",
    "+1": "not JSON",
    "1.0": "number 1.0 is not an integer",
    "1e3": "number 1e3 is not an integer",
    "-0": "integer -0",
    "-0.0": "number -0.0",
    str(2**53): "not below 2^53",
    str(-(2**53)): "not below 2^53",
    "9" * 400: "not below 2^53",
    "1" + "0" * 10_000: "not below 2^53",
    "NaN": "NaN is not JSON",
    "-Infinity": "-Infinity is not JSON",
    '{"a": 1, "a": 1}': "duplicate key 'a'",
    r'{"a": 1, "\u0061": 2}': "duplicate key 'a'",
    '[{"x": {"b": 1, "c": 2, "b": 3}}]': "duplicate key 'b'",
    r'"\ud800"': "lone surrogate",
    r'{"\udc00": 1}': "lone surrogate",
    r'"\ud800\u0041"': "lone surrogate",
    r'["\uDC00\uD800"]': "lone surrogate",
    "[" * 33: "nested deeper than 32",
    "[" * 33 + "]" * 33: "nested deeper than 32",
    '{"a":' * 33 + "1" + "}" * 33: "nested deeper than 32",
    "[" * 10**6: "nested deeper",
    "[1," + '{"a":[' * 10**5: "nested deeper",
    '"' + r"\"" * 10**6: "not JSON",
    '"' + "\\" * (2**20 + 1): "not JSON",
}


@pytest.mark.parametrize("text", REFUSED, ids=lambda text: ascii(text)[:40])
def test_refused(text):
    with pytest.raises(FormatError) as caught:
        loads(text.encode("utf-8"), "there")
    assert REFUSED[text] in caught.value.what
    assert caught.value.where == "there"
    assert len(str(caught.value)) < 200


@pytest.mark.parametrize("data", [b'"\xff"', b'"\xc0\x80"', b'"\xed\xa0\x80"', b"\xff\xfe{\0}\0"])
def test_not_utf8(data):
    with pytest.raises(FormatError, match="not UTF-8 at byte"):
        loads(data, "there")


def test_the_bounds_are_exact():
    assert loads(b"[" * MAX_DEPTH + b"]" * MAX_DEPTH, "there")
    assert loads(b"%d" % MAX_INTEGER, "there") == MAX_INTEGER
    assert loads(b"%d" % -MAX_INTEGER, "there") == -MAX_INTEGER
    assert loads(b"[1,2,3]", "there", max_values=4) == [1, 2, 3]
    with pytest.raises(FormatError, match="more than 4 values"):
        loads(b"[1,2,3,4]", "there", max_values=4)
    assert loads(rb'"\ud83d\ude00"', "there") == "😀"


def test_brackets_and_commas_in_strings_do_not_count():
    """However strings, escapes and blocks of the scanner fall together."""
    chance = random.Random(5)
    for length in (canonical._BLOCK - 3, canonical._BLOCK, 2 * canonical._BLOCK + 1):
        noise = "".join(chance.choices(r'[]{},"\ a', k=length))
        for start in range(4):
            value = ["x" * start, noise, "\\" * length, '"' * 9]
            assert loads(json.dumps(value).encode(), "there", max_values=8, max_depth=1) == value


def test_floats_pass_where_a_document_is_anothers():
    assert loads(b"[1.5, 1e400, 2]", "there", floats=True) == [1.5, float("inf"), 2]


TEXT = st.text(st.characters(exclude_categories=["Cs"]))
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-MAX_INTEGER, MAX_INTEGER) | TEXT,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4),
    max_leaves=20,
)


@given(VALUES)
def test_round_trip_and_one_spelling(value):
    text = dumps(value)
    assert loads(text, "there") == value
    assert dumps(loads(json.dumps(value, indent=1).encode(), "there")) == text


@given(st.binary(max_size=60) | st.text('[]{},":\\ 0-1eEu\n', max_size=60).map(str.encode))
def test_whatever_comes_in_ends_in_a_value_or_a_format_error(data):
    try:
        value = loads(data, "there")
    except FormatError:
        return
    assert json.loads(data) == value
