"""Seals read row by row: never another document than the one a reader of the whole file sees."""

import json
import re
from io import BytesIO

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mltrust.core import bundle as bundles
from mltrust.core import layout
from mltrust.core.bundle import Bundle
from mltrust.core.digest import BLAKE3
from mltrust.core.manifest import Kind, Leaf, Manifest, ManifestBuilder, file_entry, safetensors_entry
from mltrust.core.rows import manifest_text
from mltrust.errors import FormatError
from mltrust.statements.seal import Parameters, ReaderVersion, seal_statement

ONE, TWO, THREE = (bytes([number]) * 32 for number in (1, 2, 3))
PARAMETERS = Parameters(exclude=(), readers=(ReaderVersion(name="opaque", version=1),))


def sealed(manifest, **more):
    return Bundle(seal_statement("s", manifest, BLAKE3, PARAMETERS, **more), manifest)


def shard(path, *names, metadata=()):
    tensors = [Leaf(Kind.TENSOR, name, 8, TWO, dtype="F32", shape=(2, 1)) for name in names]
    return safetensors_entry(path, Leaf(Kind.ST_HEADER, "", 9, ONE), tensors, metadata)


PLAIN = [file_entry(f"d/{number:03}", number * 10**13, bytes([number]) * 32) for number in range(20)]
ODD = [file_entry(path, 7, THREE) for path in ('a "quoted"', "b\\back", "c\x7f\n", "données/模型", "e" * 3000)]
SHARDS = [shard("m1", "", "a", "b"), shard("m2"), shard("m3", "é", '"', metadata=[("format", "pt"), ("children", "[")])]
MANIFESTS = [
    Manifest.of(entries)
    for entries in (
        [],
        PLAIN,
        ODD,
        SHARDS,
        PLAIN[:1],
        SHARDS[:1],
        PLAIN + ODD + SHARDS,
        [*SHARDS, file_entry("z", 1, ONE)],
    )
]
MANIFESTS += [
    Manifest.of(entry._replace(sha256=bytes([entry.leaf.size % 251]) * 32) for entry in manifest.entries)
    for manifest in MANIFESTS[1:]
]
SEALS = [sealed(manifest).to_json() for manifest in MANIFESTS if manifest.size]
SEALS.append(
    sealed(MANIFESTS[6], annotations={"manifest": '"entries": [\n', "k": '"manifest": {"entries": [\n]},\n'}).to_json()
)
EMPTY = SEALS[0][: SEALS[0].index(b'"entries": [\n') + 13] + SEALS[0][SEALS[0].index(b"]},\n") :]
LINE = b'{"path": "d/000", "kind": "file", "size": 1, "digest": "%s"}' % (b"01" * 32)


def outcome(parse, data):
    """Return what a reader makes of `data`: a bundle, or None if it refuses it."""
    try:
        return parse(data)
    except FormatError:
        return None


def agree(data):
    """Hold both readers against each other; return what they found."""
    found, whole = outcome(Bundle.parse, data), outcome(Bundle.parse_whole, data)
    assert found == whole
    assert found is None or list(found.manifest.sha256s) == list(whole.manifest.sha256s)
    return found


@pytest.fixture(params=[1, 7, 100, 2**20])
def block(request, monkeypatch):
    """Read in blocks of so many bytes, so that every border falls everywhere."""
    monkeypatch.setattr(layout, "_BLOCK", request.param)


@pytest.mark.usefixtures("block")
class TestOwnLayout:
    @pytest.mark.parametrize("data", SEALS)
    def test_it_is_read_row_by_row(self, data):
        skeleton, manifest = layout.read(BytesIO(data), "seal")
        assert manifest == Bundle.parse_whole(data).manifest
        assert len(skeleton) < len(data)
        assert agree(data).to_json() == data

    def test_no_entries_are_read_as_any(self):
        assert agree(EMPTY).manifest == Manifest.of([])

    def test_cut_at_every_byte(self):
        data = sealed(Manifest.of([PLAIN[0], SHARDS[0]])).to_json()
        for end in range(len(data) - 1):
            assert agree(data[:end]) is None


SHA256_EDITS = [  # none of these is a list of entries
    (b', "sha256": "03', b', "sha256": "0A'),
    (b', "sha256": "03', b', "sha256": "03 '),
    (b', "sha256": "%s"}' % (b"03" * 32), b"}"),
    (b', "sha256": "%s"}' % (b"03" * 32), b', "sha256": null}'),
    (b', "sha256": "%s"}' % (b"03" * 32), b', "sha256": ""}'),
    (b', "sha256": "%s"}' % (b"03" * 32), b', "sha256": "%s", "sha256": "%s"}' % (b"03" * 32, b"03" * 32)),
    (b', "sha256": "%s", "children"' % (b"03" * 32), b', "children"'),
    (b'"kind": "st-header"', b'"kind": "st-header", "sha256": "%s"' % (b"03" * 32)),
]


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize(("old", "new"), SHA256_EDITS)
def test_all_have_a_sha256_or_none(old, new):
    entries = [*PLAIN[:3], SHARDS[0], file_entry("z", 1, ONE)]
    data = sealed(Manifest.of(entry._replace(sha256=THREE) for entry in entries)).to_json()
    assert list(agree(data).manifest.sha256s) == [THREE] * 5
    assert old in data
    assert agree(data.replace(old, new, 1)) is None


def test_a_sha256_in_any_spelling():
    data = sealed(Manifest.of(entry._replace(sha256=THREE) for entry in PLAIN)).to_json()
    assert list(agree(data.replace(b'"sha256": "', b'"sha256" : "', 1)).manifest.sha256s) == [THREE] * 20


LISTS = {  # what stands between the brackets, and whether that is a list of entries
    b"": True,
    b"%(a)s\n": True,
    b"%(a)s,\n%(s)s\n": True,
    b"%(s)s,\n%(z)s\n": True,
    b"%(a)s,\n%(s)s,\n%(t)s,\n%(z)s\n": True,
    b"%(a)s, %(s)s,\n%(t)s\n,%(z)s\n": True,
    b"\n\n%(a)s,\n\n%(z)s\n": True,
    b" %(a)s ,\n  %(s)s,\n %(z)s \n": True,
    b"%(a)s,\n": False,
    b"%(s)s,\n": False,
    b",\n%(a)s\n": False,
    b",\n%(s)s\n": False,
    b",\n": False,
    b"%(a)s\n%(z)s\n": False,
    b"%(a)s\n%(s)s\n": False,
    b"%(s)s\n%(z)s\n": False,
    b"%(s)s\n%(t)s\n": False,
    b"%(s)s\n%(z)s,\n": False,
    b"%(a)s,,\n%(z)s\n": False,
    b"%(s)s,,\n%(z)s\n": False,
    b"%(s)s,\n,\n%(z)s\n": False,
    b"%(a)sx,\n%(z)s\n": False,
    b"%(s)sx,\n%(z)s\n": False,
    b"%(a)s%(z)s\n": False,
    b"%(a)sxx%(z)s\n": False,
    b"%(a)sxx%(b)s\n": False,
    b"xx%(b)s\n": False,
    b"%(a)s,xx%(b)s\n": False,
    b"%(a)s%(b)s\n": False,
    b"%(a)s, %(b)s,\n%(z)s\n": True,
    b"%(a)s,x%(z)s\n": False,
    b"%(a)s\n]},\n%(z)s\n": False,
    b"%(s)s\n]},\n%(z)s\n": False,
    b"%(a)s,\n%(a)s\n": False,
    b"%(z)s,\n%(s)s\n": False,
    b"%(s)s,\n%(a)s\n": False,
    b"%(t)s,\n%(s)s\n": False,
    b"[\n%(a)s\n]\n": False,
    b"%(a)s,\nnull\n": False,
}
ROWS = {b"a": LINE, b"b": LINE.replace(b"d/000", b"d/001")} | {
    name: "".join(manifest_text(Manifest.of([entry]))).encode()
    for name, entry in ((b"s", SHARDS[0]), (b"t", SHARDS[1]), (b"z", file_entry('z ""', 7, THREE)))
}


@pytest.mark.usefixtures("block")
@pytest.mark.parametrize("rows", LISTS)
def test_commas_and_lines(rows):
    before, after = EMPTY.split(b"]},\n")
    found = agree(before + rows % ROWS + b"]},\n" + after)
    assert (found is not None) is LISTS[rows]
    assert found is None or found.manifest.size == len(re.findall(rb"%\(", rows))


EDITS = [  # of a good row of each kind: none of these is one
    (b'"digest": "01', b'"digest": "0A'),
    (b'"digest": "01', b'"digest": "0 '),
    (b'"digest": "01', b'"digest": "010'),
    (b'"digest": "01', b'"digest": "0'),
    (b'"digest": "01', b'"digest": "\xc3\xa9'),
    (b'"digest": "0202', b'"digest": "02FF'),
    (b'"digest": "0202', b'"digest": "02  '),
    (b'"size": 8', b'"size": 9'),
    (b'"size": 8', b'"size": 08'),
    (b'"size": 8', b'"size": -8'),
    (b'"size": 8', b'"size": 8.0'),
    (b'"size": 8', b'"size": 9007199254740992'),
    (b'"size": 8', b'"size": "8"'),
    (b'"shape": [2, 1]', b'"shape": [02, 1]'),
    (b'"shape": [2, 1]', b'"shape": [2 1]'),
    (b'"shape": [2, 1]', b'"shape": [2, 1,]'),
    (b'"shape": [2, 1]', b'"shape": [9007199254740992]'),
    (b'"shape": [2, 1]', b'"shape": [-1]'),
    (b'"dtype": "F32"', b'"dtype": ""'),
    (b'"dtype": "F32"', b'"dtype": "%s"' % (b"F" * 65)),
    (b'"name": "b"', b'"name": "a"'),
    (b'"name": "b"', b'"name": "%s"' % (b"b" * 4097)),
    (b'"name": "b"', b'"name": "%s"' % ("é" * 2049).encode()),
    (b'"kind": "safetensors"', b'"kind": "file"'),
    (b'"kind": "safetensors"', b'"kind": "safetensors", "digest": "%s"' % (b"01" * 32)),
    (b'"kind": "safetensors"', b'"kind": "safetensors", "children": []'),
    (b'"kind": "st-header"', b'"kind": "tensor"'),
    (b'"kind": "st-header"', b'"kind": "st-header", "name": ""'),
    (b'"path": "m1"', b'"path": "m//1"'),
    (b'"path": "m1"', b'"path": "m\\u00001"'),
    (b'"path": "m1"', b'"path": ""'),
    (b'"path": "d/000"', b'"path": ""'),
    (b'"path": "d/000"', b'"path": "%s"' % ("é" * 2049).encode()),
    (b'"path": "d/000"', b'"path": "%s"' % (b"x/." * 9)),
]


@pytest.mark.parametrize(("old", "new"), EDITS)
def test_rows_that_are_none(old, new):
    before, after = EMPTY.split(b"]},\n")
    good = before + LINE + b",\n" + ROWS[b"s"] + b"\n]},\n" + after
    assert agree(good).manifest.size == 2
    assert old in good
    assert agree(good.replace(old, new, 1)) is None


def test_rows_at_the_bounds():
    before, after = EMPTY.split(b"]},\n")
    for path in ("x" * 4096, "é" * 2048, "\u2028", "a b", "...", ".a/b.", "\x7f"):
        row = LINE.replace(b"d/000", path.encode()).replace(b'"size": 1,', b'"size": 9007199254740991,')
        [entry] = agree(before + row + b"\n]},\n" + after).manifest.entries
        assert (entry.path, entry.leaf.size) == (path, 2**53 - 1)


SPLICES = [
    *(b"", b" ", b"\n", b",", b",\n", b"]", b"}", b"]}", b"\n]}", b"\n]},\n", b"]},\n", b"{", b"[", b'"', b"\\"),
    *(
        b"\\u0061",
        b"\0",
        b"\xff",
        b"\xc3\xa9",
        b"0",
        b"-0",
        b"1.0",
        b"00",
        b"9007199254740992",
        b"null",
        b"A",
        b"/",
        b"..",
    ),
    *(LINE, LINE + b",\n", b'"children": [\n', b',\n"manifest": {"entries": [\n', b'"manifest": {"entries": []},'),
    *(b'"path": "x", ', b'"metadata": {},', b'"size": 1, ', b'"receipts": [],', b', "extra": 1', b'{"kind": "tensor"'),
]


@settings(max_examples=700, deadline=None)
@given(st.data())
def test_mutated_bytes_are_read_alike(data):
    original = data.draw(st.sampled_from([*SEALS, EMPTY]))
    marks = [found.start() for found in re.finditer(rb'[\[\]{},"\n]', original)]
    text = bytearray(original)
    for _ in range(data.draw(st.integers(1, 3))):
        at = data.draw(st.sampled_from(marks) | st.integers(0, len(original)))
        gone = data.draw(st.integers(0, 3) | st.integers(0, 200))
        text[at : at + gone] = data.draw(st.sampled_from(SPLICES) | st.binary(max_size=2))
    agree(bytes(text))


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_moved_lines_are_read_alike(data):
    lines = data.draw(st.sampled_from(SEALS)).splitlines(keepends=True)
    for _ in range(data.draw(st.integers(1, 3))):
        begin, end, to = sorted(data.draw(st.lists(st.integers(0, len(lines)), min_size=3, max_size=3)))
        moved = lines[begin:end]
        if data.draw(st.booleans()):
            del lines[begin:end]
        lines[to:to] = moved
    agree(b"".join(lines))


class TestOtherLayouts:
    @pytest.mark.parametrize("indent", [None, 0, 1, 4])
    @pytest.mark.parametrize("data", SEALS)
    def test_are_read_as_a_whole(self, data, indent):
        assert agree(json.dumps(json.loads(data), indent=indent).encode()) == Bundle.parse(data)

    def test_a_row_spread_over_lines(self):
        data = SEALS[0]
        assert agree(data.replace(b', "size": 0,', b',\n"size": 0,')) == Bundle.parse(data)

    def test_the_list_inside_the_statement_is_not_the_manifest(self):
        rows = b'"manifest": {"entries": [\n' + LINE + b"\n]},\n"
        data = SEALS[0].replace(b'"predicate": {\n', b'"predicate": {"k": 1,\n' + rows)
        assert data != SEALS[0]
        assert layout.read(BytesIO(data), "seal") is None
        agree(data)

    def test_keys_that_stand_twice_around_the_list(self):
        for twice in (b'"signatures": [],\n', b'"manifest": {"entries": []},\n', b'"statement": {},\n'):
            assert agree(SEALS[0].replace(b'"signatures"', twice + b'"signatures"')) is None

    def test_above_their_limit_the_error_says_where_the_layout_ends(self, monkeypatch):
        monkeypatch.setattr(bundles, "MAX_WHOLE_BYTES", 1000)
        assert Bundle.parse(SEALS[0]).manifest == MANIFESTS[1]
        with pytest.raises(FormatError, match="not laid out one row a line after 0 entries"):
            Bundle.parse(json.dumps(json.loads(SEALS[0])).encode())
        with pytest.raises(FormatError, match="not laid out one row a line after 20 entries"):
            Bundle.parse(SEALS[0][:-3])
        monkeypatch.setattr(bundles, "MAX_SEAL_BYTES", 2000)
        with pytest.raises(FormatError, match="larger than 2000 bytes"):
            Bundle.parse(SEALS[0])


class TestErrors:
    """What is wrong with a row is said of that row, whichever way it was read."""

    @pytest.mark.parametrize(
        ("old", "new", "words"),
        [
            (b'"d/004"', b'"d/../x"', "'d/../x' is not a plain relative path"),
            (b'"d/004"', b'"d/003"', "path 'd/003' stands twice"),
            (b'"d/004"', b'"c"', "entries are not sorted by path"),
            (b'"digest": "0404', b'"digest": "0G04', r"entries\.4\.digest"),
            (b'"size": 40000000000000', b'"size": 9007199254740992', "integer 9007199254740992 is not below 2"),
            (b'"d/004"', b'"' + b"x" * 5000 + b'"', "name of 5000 bytes"),
        ],
    )
    def test_of_a_row(self, old, new, words):
        data = SEALS[0].replace(old, new)
        for parse in (Bundle.parse, Bundle.parse_whole):
            with pytest.raises(FormatError, match=words) as caught:
                parse(data, "x.seal.json")
            assert caught.value.where.startswith("x.seal.json")


def test_reading_takes_little_more_memory_than_the_manifest(memory_below):
    builder = ManifestBuilder()
    for start in range(0, 400_000, 50_000):
        paths = [f"data/{number:06d}" for number in range(start, start + 50_000)]
        builder.add_files(paths, range(50_000), [ONE] * 50_000)
    bundle = sealed(builder.build())
    data = bundle.to_json()
    assert len(data) > 48 * 2**20
    with memory_below(64 * 2**20):
        assert Bundle.parse(data) == bundle
