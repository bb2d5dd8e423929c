"""Safetensors files that lie, by name: what is refused, in which words, and what is accepted."""

# ruff: noqa: E501  # one line a case

from typing import NamedTuple

import numpy as np
import pytest
import safetensors
import safetensors.numpy
from blake3 import blake3
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from mltrust.core.digest import BLAKE3
from mltrust.core.manifest import Kind
from mltrust.core.report import Verdict
from mltrust.errors import FormatError
from mltrust.operations.fingerprint import fingerprint
from mltrust.readers.safetensors.header import BITS
from mltrust.sources.local import LocalSource


def tensor(name="a", begin=0, end=4, dtype='"U8"', shape="[4]", *, offsets=None):
    """Spell one header entry; every field is raw JSON."""
    return f'"{name}":{{"dtype":{dtype},"shape":{shape},"data_offsets":{offsets or f"[{begin},{end}]"}}}'


def header(*fields):
    return "{" + ",".join(fields) + "}"


A, B = tensor("a"), tensor("b", 4, 8)
GOOD = header(A)


class Case(NamedTuple):
    name: str
    data: object  # a function of the builder
    words: str


REFUSED = [
    # the length field
    Case("length 0", lambda f: f(b"", 0, 0), "too small for a header"),
    Case("length 1", lambda f: f(b"{", 3, 1), "too small for a header"),
    Case("length over the file", lambda f: f(GOOD, 4, len(GOOD) + 5), "truncated: the header needs"),
    Case("length over the limit", lambda f: f(GOOD, 4, 100_000_001), "over the limit of 100000000"),
    Case("length 2^63", lambda f: f(GOOD, 4, 2**63), "over the limit"),
    Case("length 2^64 - 1", lambda f: f(GOOD, 4, 2**64 - 1), "over the limit"),
    Case("length cuts the header", lambda f: f(GOOD, 4, len(GOOD) - 1), "not JSON"),
    Case("length takes in the buffer", lambda f: f(GOOD, 8, len(GOOD) + 4), "does not begin with '{' and end with"),
    *[Case(f"{n} bytes", lambda f, n=n: f(GOOD, 4)[:n], "too few for a safetensors file") for n in range(8)],
    # around the JSON
    Case("byte order mark", lambda f: f(b"\xef\xbb\xbf" + GOOD.encode(), 4), "does not begin with '{'"),
    Case("leading space", lambda f: f(" " + GOOD, 4), "does not begin with '{'"),
    Case("leading newline", lambda f: f("\n" + GOOD, 4), "does not begin with '{'"),
    Case("leading tab", lambda f: f("\t" + GOOD, 4), "does not begin with '{'"),
    Case("NUL padding", lambda f: f(GOOD + "\0\0", 4), "end with '}' and spaces"),
    Case("tab padding", lambda f: f(GOOD + "\t", 4), "end with '}' and spaces"),
    Case("newline padding", lambda f: f(GOOD + "\n", 4), "end with '}' and spaces"),
    Case("junk after the JSON", lambda f: f(GOOD + "junk", 4), "end with '}' and spaces"),
    Case("second object after the JSON", lambda f: f(GOOD + "{}", 4), "not JSON: Extra data"),
    Case("truncated JSON", lambda f: f(GOOD[:-2] + "}", 4), "not JSON"),
    Case("a list for a header", lambda f: f("[1]"), "does not begin with '{'"),
    Case("lone surrogate name", lambda f: f(header(tensor(r"\ud800")), 4), "a lone surrogate"),
    Case("swapped surrogates", lambda f: f(header(tensor(r"\udc00\ud800")), 4), "a lone surrogate"),
    Case("invalid UTF-8", lambda f: f(GOOD.replace("a", "\xff", 1).encode("latin-1"), 4), "not UTF-8 at byte"),
    Case("overlong UTF-8", lambda f: f(GOOD.encode().replace(b'"a"', b'"\xc1\xa1"'), 4), "not UTF-8"),
    Case("CESU surrogate", lambda f: f(GOOD.encode().replace(b'"a"', b'"\xed\xa0\x80"'), 4), "not UTF-8"),
    Case("raw control character", lambda f: f(header(tensor("a\nb")), 4), "not JSON: Invalid control character"),
    Case("single quotes", lambda f: f(GOOD.replace('"', "'"), 4), "not JSON"),
    Case("comment", lambda f: f("{/**/" + GOOD[1:], 4), "not JSON"),
    Case("trailing comma", lambda f: f(GOOD[:-1] + ",}", 4), "not JSON"),
    Case("unterminated string of escapes", lambda f: f('{"' + r"\"" * 500_000 + "}"), "not JSON: Unterminated string"),
    # names
    Case("duplicate name", lambda f: f(header(A, A), 4), "duplicate key 'a'"),
    Case("duplicate name, escaped", lambda f: f(header(A, tensor(r"\u0061")), 4), "duplicate key 'a'"),
    Case("duplicate name, other dtype", lambda f: f(header(A, tensor("a", dtype='"I8"')), 4), "duplicate key 'a'"),
    Case("duplicate name, other place", lambda f: f(header(A, tensor("a", 4, 8)), 8), "duplicate key 'a'"),
    Case("duplicate __metadata__", lambda f: f(header('"__metadata__":{}', '"__metadata__":{}', A), 4), "duplicate key"),
    Case("duplicate metadata key", lambda f: f(header('"__metadata__":{"k":"1","k":"2"}', A), 4), "duplicate key 'k'"),
    Case("duplicate field", lambda f: f(GOOD.replace('"shape":[4]', '"shape":[4],"shape":[4]'), 4), "duplicate key 'shape'"),
    Case("name of 5000 bytes", lambda f: f(header(tensor("n" * 5000)), 4), "name of 5000 bytes, at most 4096"),
    # the shape of an entry
    Case("extra field", lambda f: f(GOOD.replace('"shape"', '"x":1,"shape"'), 4), "dtype, shape and data_offsets and nothing else"),
    Case("array for an entry", lambda f: f('{"a":["U8",[4],[0,4]]}', 4), "nothing else, found no object"),
    Case("scalar for an entry", lambda f: f('{"a":4}', 4), "nothing else, found no object"),
    Case("null for an entry", lambda f: f('{"a":null}', 4), "nothing else, found no object"),
    Case("empty entry", lambda f: f('{"a":{}}', 4), "needs dtype, shape and data_offsets"),
    Case("no dtype", lambda f: f('{"a":{"shape":[4],"data_offsets":[0,4]}}', 4), "needs dtype, shape"),
    Case("no shape", lambda f: f('{"a":{"dtype":"U8","data_offsets":[0,4]}}', 4), "needs dtype, shape"),
    Case("no offsets", lambda f: f('{"a":{"dtype":"U8","shape":[4]}}', 4), "needs dtype, shape"),
    Case("field in other case", lambda f: f(GOOD.replace("dtype", "DType"), 4), "found 'DType'"),
    # dtypes
    Case("empty dtype", lambda f: f(header(tensor(dtype='""')), 4), "dtype '' is not a word"),
    Case("dtype with a control character", lambda f: f(header(tensor(dtype=r'"U8\u001b[0m"')), 4), "is not a word"),
    Case("dtype with a newline", lambda f: f(header(tensor(dtype=r'"U8\n"')), 4), "is not a word"),
    Case("dtype of 65 letters", lambda f: f(header(tensor(dtype=f'"{"X" * 65}"')), 4), "is not a word"),
    Case("number for a dtype", lambda f: f(header(tensor(dtype="8")), 4), "dtype 8 is not a word"),
    Case("wrong size for the dtype", lambda f: f(header(tensor(dtype='"F32"')), 4), "F32 of shape [4] takes 16 bytes, not 4"),
    Case("odd number of F4", lambda f: f(header(tensor(end=2, dtype='"F4"', shape="[3]")), 2), "takes 1.5 bytes, not 2"),
    Case("F6 that ends inside a byte", lambda f: f(header(tensor(end=1, dtype='"F6_E2M3"', shape="[1]")), 1), "takes 0.75 bytes"),
    # shapes
    Case("float in a shape", lambda f: f(header(tensor(shape="[4.0]")), 4), "number 4.0 is not an integer"),
    Case("negative in a shape", lambda f: f(header(tensor(shape="[-4]")), 4), "shape holds -4, not a whole number"),
    Case("two negatives in a shape", lambda f: f(header(tensor(shape="[-2,-2]")), 4), "not a whole number"),
    Case("bool in a shape", lambda f: f(header(tensor(shape="[4,true]")), 4), "shape holds True"),
    Case("text in a shape", lambda f: f(header(tensor(shape='["4"]')), 4), "shape holds '4'"),
    Case("shape of lists", lambda f: f(header(tensor(shape="[[4]]")), 4), "shape holds [4]"),
    Case("number for a shape", lambda f: f(header(tensor(shape="4")), 4), "shape is not a list"),
    Case("shape that wraps around 2^64", lambda f: f(header(tensor(shape="[4294967296,4294967296,4]")), 4), "2^53 elements or more"),
    Case("shape that wraps to the right size", lambda f: f(header(tensor(shape=f"[{2**52},{2**12 + 1},4]")), 4), "2^53"),
    Case("1025 dimensions", lambda f: f(header(tensor(shape=str([1] * 1024 + [4]))), 4), "at most 1024"),
    # offsets
    Case("float offset", lambda f: f(header(tensor(offsets="[0,4.0]")), 4), "number 4.0 is not an integer"),
    Case("exponent", lambda f: f(header(tensor(offsets="[0,4e0]")), 4), "number 4e0 is not an integer"),
    Case("1e3", lambda f: f(header(tensor(offsets="[0,1e3]")), 4), "number 1e3 is not an integer"),
    Case("minus zero", lambda f: f(header(tensor(offsets="[-0,4]")), 4), "integer -0"),
    Case("leading zero", lambda f: f(header(tensor(offsets="[0,04]")), 4), "not JSON"),
    Case("plus sign", lambda f: f(header(tensor(offsets="[0,+4]")), 4), "not JSON"),
    Case("NaN", lambda f: f(header(tensor(offsets="[0,NaN]")), 4), "NaN is not JSON"),
    Case("infinity", lambda f: f(header(tensor(offsets="[0,Infinity]")), 4), "Infinity is not JSON"),
    Case("negative offset", lambda f: f(header(tensor(offsets="[-4,0]")), 4), "data_offsets holds -4"),
    Case("bool offset", lambda f: f(header(tensor(offsets="[false,4]")), 4), "data_offsets holds False"),
    Case("null offset", lambda f: f(header(tensor(offsets="[null,4]")), 4), "data_offsets holds None"),
    Case("offset 2^53", lambda f: f(header(tensor(offsets=f"[0,{2**53}]")), 4), "not below 2^53"),
    Case("offset 2^64 + 4", lambda f: f(header(tensor(offsets=f"[0,{2**64 + 4}]")), 4), "not below 2^53"),
    Case("offset of 10,000 digits", lambda f: f(header(tensor(offsets=f"[0,{'9' * 10_000}]")), 4), "not below 2^53"),
    Case("one offset", lambda f: f(header(tensor(offsets="[4]")), 4), "not a range"),
    Case("three offsets", lambda f: f(header(tensor(offsets="[0,4,4]")), 4), "not a range"),
    Case("begin after end", lambda f: f(header(tensor(offsets="[4,0]")), 4), "not a range"),
    # tiling
    Case("overlap", lambda f: f(header(A, tensor("b", 2, 6)), 6), "'a' and 'b' overlap"),
    Case("alias", lambda f: f(header(A, tensor("b")), 4), "'a' and 'b' overlap"),
    Case("one inside another", lambda f: f(header(tensor("a", 0, 8, shape="[8]"), tensor("b", 2, 6)), 8), "overlap"),
    Case("hole at the start", lambda f: f(header(tensor("a", 4, 8)), 8), "4 bytes after the header belong to no tensor"),
    Case("hole in the middle", lambda f: f(header(A, tensor("b", 6, 10)), 10), "'a' and 'b' leave a hole"),
    Case("hole at the end", lambda f: f(GOOD, 5), "1 bytes at the end belong to no tensor"),
    Case("bytes after no tensor at all", lambda f: f("{}", 3), "3 bytes at the end belong to no tensor"),
    Case("empty tensor in a hole", lambda f: f(header(A, tensor("b", 5, 5, shape="[0]")), 4), "leave a hole"),
    Case("empty tensor inside another", lambda f: f(header(A, tensor("b", 2, 2, shape="[0]")), 4), "overlap"),
    Case("cut by a byte", lambda f: f(GOOD, 3), "truncated: the tensors need"),
    Case("cut after the header", lambda f: f(GOOD), "truncated: the tensors need"),
    Case("cut inside the header", lambda f: f(GOOD, 4)[:30], "truncated: the header needs"),
    # metadata
    Case("number in the metadata", lambda f: f(header('"__metadata__":{"k":1}', A), 4), "value of 'k' is not a string"),
    Case("null in the metadata", lambda f: f(header('"__metadata__":{"k":null}', A), 4), "value of 'k' is not a string"),
    Case("nested metadata", lambda f: f(header('"__metadata__":{"k":{"x":"y"}}', A), 4), "value of 'k' is not a string"),
    Case("metadata a list", lambda f: f(header('"__metadata__":[]', A), 4), "__metadata__ is not an object"),
    Case("metadata text", lambda f: f(header('"__metadata__":"x"', A), 4), "__metadata__ is not an object"),
    Case("metadata false", lambda f: f(header('"__metadata__":false', A), 4), "__metadata__ is not an object"),
    Case("a tensor called __metadata__", lambda f: f(header(tensor("__metadata__")), 4), "value of 'shape' is not a string"),
    # resources
    Case("deep JSON", lambda f: f('{"a":' + "[" * 100_000 + "]" * 100_000 + "}"), "nested deeper than 4 levels"),
    Case("deep JSON, unclosed", lambda f: f('{"a":' * 100_000 + "}"), "nested deeper than 4 levels"),
]  # fmt: skip

ACCEPTED = [
    Case("no tensors", lambda f: f("{}"), ""),
    Case("metadata alone", lambda f: f('{"__metadata__":{"k":"v"}}'), ""),
    Case("metadata null", lambda f: f(header('"__metadata__":null', A), 4), "a"),
    Case("metadata last", lambda f: f(header(A, '"__metadata__":{"z":"1","a":"2"}'), 4), "a"),
    Case("space padding", lambda f: f(GOOD + " " * 9, 4), "a"),
    Case("white space inside", lambda f: f(GOOD.replace(",", " ,\n\t"), 4), "a"),
    Case("escaped name", lambda f: f(header(tensor(r"\u0061")), 4), "a"),
    Case("scalar", lambda f: f(header(tensor(end=1, shape="[]")), 1), "a"),
    Case("one empty tensor", lambda f: f(header(tensor(end=0, shape="[0]"))), "a"),
    Case("empty tensors at one offset", lambda f: f(header(A, *[tensor(n, 4, 4, shape="[0,7]") for n in "xyz"], B), 8), "a b x y z"),
    Case("empty tensors at both ends", lambda f: f(header(tensor("x", 0, 0, shape="[0]"), A, tensor("y", 4, 4, shape="[0]")), 4), "a x y"),
    Case("unaligned", lambda f: f(header(tensor("b", 0, 1, shape="[1]"), tensor("a", 1, 9, '"F32"', "[2]")), 9), "a b"),
    Case("header order is not offset order", lambda f: f(header(B, A), 8), "a b"),
    Case("the library's twelve dimensions", lambda f: f(header(tensor(shape=str([1] * 11 + [4]))), 4), "a"),
    Case("empty name", lambda f: f(header(tensor("")), 4), ""),
    Case("name of 4096 bytes", lambda f: f(header(tensor("é" * 2048)), 4), "é" * 2048),
    Case("a path for a name", lambda f: f(header(tensor("../../x")), 4), "../../x"),
    Case("NUL in a name", lambda f: f(header(tensor(r"a\u0000b")), 4), "a\0b"),
    Case("NFC beside NFD", lambda f: f(header(tensor("\u00e9"), tensor("e\u0301", 4, 8)), 8), "e\u0301 \u00e9"),
    Case("markup", lambda f: f(header(tensor("[red]x[/red]"), tensor("::error::", 4, 8)), 8), "::error:: [red]x[/red]"),
    Case("terminal escapes", lambda f: f(header(tensor(r"\u001b[2J\r\u202e")), 4), "\x1b[2J\r\u202e"),
]  # fmt: skip

by_name = pytest.mark.parametrize("case", REFUSED, ids=lambda case: case.name)
accepted_by_name = pytest.mark.parametrize("case", ACCEPTED, ids=lambda case: case.name)


def read(path, means):
    return fingerprint(LocalSource(path), means, BLAKE3).manifest


@by_name
def test_refused(case, *, tmp_path, safetensors_bytes, means, seal_folder, verify_folder):
    path = tmp_path / "model" / "m.safetensors"
    path.parent.mkdir()
    path.write_bytes(safetensors_bytes(header(A, B), 8))
    bundle = seal_folder(path.parent)
    path.write_bytes(case.data(safetensors_bytes))
    with pytest.raises(FormatError) as caught:
        read(path.parent, means)
    assert case.words in str(caught.value)
    assert str(caught.value).startswith("m.safetensors: ")
    report = verify_folder(path.parent, bundle)
    assert report.verdict is Verdict.FAILED
    [change] = report.changes
    assert change.name == "m.safetensors"
    assert case.words in change.note or change.kind == "truncated"


def test_a_file_that_was_no_safetensors_file_never_was_one_by_its_looks(tmp_path, safetensors_bytes, means):
    """Only the name makes a file be read as tensors; the same bytes elsewhere are opaque."""
    (tmp_path / "m.bin").write_bytes(safetensors_bytes(header(A), 4))
    [entry] = read(tmp_path, means).entries
    assert entry.leaf.kind is Kind.FILE


@accepted_by_name
def test_accepted_as_the_library_reads_it(case, *, tmp_path, safetensors_bytes, means, seal_folder, verify_folder):
    path = tmp_path / "m.safetensors"
    path.write_bytes(case.data(safetensors_bytes))
    [entry] = read(tmp_path, means).entries
    found = list(entry.tensors())
    if found:
        assert sorted(case.words.split(" ")) == sorted(tensor.name for tensor in found)
    with safetensors.safe_open(path, framework="numpy") as theirs:
        assert sorted(theirs.keys()) == sorted(tensor.name for tensor in found)
        for tensor in found:
            part = theirs.get_slice(tensor.name)
            assert (part.get_dtype(), tuple(part.get_shape())) == (tensor.dtype, tensor.shape)
            assert tensor.digest == blake3(theirs.get_tensor(tensor.name).tobytes()).digest()
        assert (theirs.metadata() or {}) == dict(entry.metadata)
    assert verify_folder(tmp_path, seal_folder(tmp_path)).verdict is Verdict.VERIFIED


def test_an_unknown_dtype_is_an_opaque_word(tmp_path, safetensors_bytes, means, seal_folder, verify_folder):
    (tmp_path / "m.safetensors").write_bytes(
        safetensors_bytes(header(tensor(end=7, dtype='"F3_new"', shape="[19]")), 7)
    )
    [entry] = read(tmp_path, means).entries
    [found] = entry.tensors()
    assert (found.dtype, found.shape, found.size) == ("F3_new", (19,), 7)
    assert verify_folder(tmp_path, seal_folder(tmp_path)).verdict is Verdict.VERIFIED


@pytest.mark.parametrize("dtype", sorted(BITS))
def test_every_known_dtype_has_the_librarys_size(dtype, tmp_path, safetensors_bytes, means, seal_folder):
    """Eight elements fill whole bytes at any width; sealing asks the library whether it agrees."""
    size = BITS[dtype]
    (tmp_path / "m.safetensors").write_bytes(
        safetensors_bytes(header(tensor(end=size, dtype=f'"{dtype}"', shape="[8]")), size)
    )
    assert seal_folder(tmp_path).manifest == read(tmp_path, means)


@pytest.mark.parametrize(
    "text",
    [
        b'{"a":[' + b"[]," * 2_500_000 + b"0]}",
        b'{"a":[' + b'"",' * 12_000_000 + b"0]}",
        b'{"a":"' + b'\\"' * 20_000_000 + b'"}',
        b"{" + b",".join(b'"%07x":0' % number for number in range(400_000)) + b"}",
    ],
    ids=["5 million brackets", "12 million strings", "one string of escapes", "400,000 names"],
)
def test_a_huge_header_takes_bounded_memory(text, tmp_path, safetensors_bytes, means, memory_below):
    (tmp_path / "m.safetensors").write_bytes(safetensors_bytes(text))
    with memory_below(400 * 2**20), pytest.raises(FormatError):
        read(tmp_path, means)


ARRAYS = hnp.arrays(
    st.sampled_from(["?", "u1", "i1", "<i2", "<u2", "<f2", "<i4", "<u4", "<f4", "<i8", "<u8", "<f8"]),
    hnp.array_shapes(min_dims=0, max_dims=4, min_side=0, max_side=5),
)
NAMES = st.text(st.characters(exclude_categories=["Cs"]), max_size=20).filter(lambda name: name != "__metadata__")
METADATA = st.none() | st.dictionaries(
    NAMES, st.text(st.characters(exclude_categories=["Cs"]), max_size=20), max_size=4
)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(arrays=st.dictionaries(NAMES, ARRAYS, max_size=5), metadata=METADATA)
def test_whatever_the_library_writes_is_read_as_it_was_meant(arrays, metadata, tmp_path, means):
    assume(arrays or metadata != {})  # the library writes no JSON at all for nothing with empty metadata
    arrays = {name: np.ascontiguousarray(array).reshape(array.shape) for name, array in arrays.items()}
    data = safetensors.numpy.save(arrays, metadata=metadata)
    (tmp_path / "m.safetensors").write_bytes(data)
    [entry] = read(tmp_path, means).entries
    assert entry.leaf.size == len(data)
    assert dict(entry.metadata) == (metadata or {})
    assert {leaf.name: (leaf.shape, leaf.digest) for leaf in entry.tensors()} == {
        name: (array.shape, blake3(array.tobytes()).digest()) for name, array in arrays.items()
    }
    read_back = {leaf.name: leaf.dtype for leaf in entry.tensors()}
    with safetensors.safe_open(tmp_path / "m.safetensors", framework="numpy") as theirs:
        assert read_back == {name: theirs.get_slice(name).get_dtype() for name in theirs.keys()}  # noqa: SIM118
