"""RLP: the examples of its specification, and every other spelling refused."""

import pytest

from mltrust.anchors.ethereum.proof import rlp
from mltrust.errors import FormatError

LOREM = b"Lorem ipsum dolor sit amet, consectetur adipisicing elit"
EXAMPLES = {
    "83646f67": b"dog",
    "c88363617483646f67": [b"cat", b"dog"],
    "80": b"",
    "c0": [],
    "00": b"\0",
    "0f": b"\x0f",
    "7f": b"\x7f",
    "8180": b"\x80",
    "820400": b"\x04\x00",
    "c7c0c1c0c3c0c1c0": [[], [[]], [[], [[]]]],
    "b838" + LOREM.hex(): LOREM,
    "b7" + "61" * 55: b"a" * 55,
    "b90400" + "61" * 1024: b"a" * 1024,
    "f83a" + "b838" + LOREM.hex(): [LOREM],
    "f7" + "61" * 55: [b"a"] * 55,
    "f838" + "61" * 56: [b"a"] * 56,
}
OTHERWISE = {
    "nothing": "",
    "a small byte after its length": "8161",
    "zero after its length": "8100",
    "a short string in long form": "b80161",
    "55 bytes in long form": "b837" + "61" * 55,
    "a length with a leading zero": "b90038" + "61" * 56,
    "a short list in long form": "f80161",
    "a list length with a leading zero": "f90038" + "61" * 56,
    "a string cut off": "8361",
    "a long string cut off": "b838" + "61" * 55,
    "a length cut off": "b9",
    "a length cut in the middle": "b904",
    "a list cut off": "c26",
    "a list that ends in an item": "c28261",
    "an item that goes on after its list": "c1820102",
    "a length beyond the list though not beyond the data": "c5b83800000061616161",
    "a length of eight bytes": "bf" + "ff" * 8,
    "a list length of eight bytes": "ff" + "ff" * 8,
    "a byte after the item": "c000",
    "two items": "6161",
}


@pytest.mark.parametrize(("encoded", "item"), EXAMPLES.items())
def test_examples(encoded, item):
    assert rlp.decode(bytes.fromhex(encoded), "example") == item
    assert rlp.encode(item) == bytes.fromhex(encoded)


@pytest.mark.parametrize("encoded", OTHERWISE.values(), ids=OTHERWISE)
def test_other_spellings(encoded):
    with pytest.raises(FormatError, match="example: "):
        rlp.decode(bytes.fromhex(encoded.ljust(len(encoded) + len(encoded) % 2, "0")), "example")


def test_a_small_string_in_a_list_must_be_shortest():
    with pytest.raises(FormatError, match="at byte 1 is not in its shortest form"):
        rlp.decode(bytes.fromhex("c28161"), "example")


@pytest.mark.parametrize(("value", "encoded"), [(0, "80"), (1, "01"), (127, "7f"), (128, "8180"), (1024, "820400")])
def test_integers(value, encoded):
    assert rlp.encode_integer(value).hex() == encoded
    assert rlp.integer(rlp.decode(bytes.fromhex(encoded), "example"), "example") == value


def test_integers_have_no_leading_zeros_and_a_limit():
    assert rlp.integer(b"\xff", "example", 255) == 255
    assert rlp.integer(b"\xff" * 32, "example") == 2**256 - 1
    for item, most in ((b"\0", 255), (b"\0\1", 255), (b"\1\0", 255), (b"\2", 1), (b"\xff" * 33, 2**256 - 1), ([], 255)):
        with pytest.raises(FormatError):
            rlp.integer(item, "example", most)


def test_a_string_is_no_list_and_of_its_size():
    assert rlp.string(b"ab", "example", 2) == b"ab"
    assert rlp.string(b"", "example", 0) == b""
    for item, size in ((b"ab", 3), (b"a", 0), ([], None), ([], 0)):
        with pytest.raises(FormatError):
            rlp.string(item, "example", size)


def test_a_list_is_no_string_and_of_its_length():
    assert rlp.items([b"a"], "example", 1) == [b"a"]
    for item, count in ((b"ab", None), (b"ab", 2), ([b"a"], 2), ([], 1), ([b""], 0)):
        with pytest.raises(FormatError):
            rlp.items(item, "example", count)


def lists(depth):
    """Return so many lists, each in the next, without help of what is tested."""
    encoded = b""
    for _ in range(depth):
        length = len(encoded)
        digits = length.to_bytes((length.bit_length() + 7) // 8, "big")
        encoded = (bytes([0xC0 + length]) if length < 56 else bytes([0xF7 + len(digits)]) + digits) + encoded
    return encoded


@pytest.mark.parametrize("depth", [1, 2, rlp.MAX_DEPTH])
def test_depth(depth):
    assert rlp.encode(rlp.decode(lists(depth), "example")) == lists(depth)


@pytest.mark.parametrize("depth", [rlp.MAX_DEPTH + 1, 100, 1000, 10_000])
def test_depth_is_bounded(depth):
    with pytest.raises(FormatError, match="nested deeper"):
        rlp.decode(lists(depth), "example")


def test_the_number_of_items_is_bounded():
    most = rlp.MAX_ITEMS - 1  # and the list itself
    payload = b"\x01" * most
    assert len(rlp.decode(b"\xf9" + most.to_bytes(2, "big") + payload, "example")) == most
    with pytest.raises(FormatError, match="more than 16384 items"):
        rlp.decode(b"\xf9" + (most + 1).to_bytes(2, "big") + payload + b"\x01", "example")
