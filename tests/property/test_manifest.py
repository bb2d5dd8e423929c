"""The manifest: what its roots bind, and that every difference gets its name."""

from itertools import groupby

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from mltrust.core.changes import ChangeKind, changes_between
from mltrust.core.manifest import Kind, Leaf, Manifest, ManifestBuilder, file_entry, safetensors_entry
from mltrust.core.merkle import Tree
from mltrust.core.names import collisions
from mltrust.errors import FormatError

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=6)
SIZE = st.integers(0, 2**53 - 1)
DIGEST = st.binary(min_size=32, max_size=32)
SHAPE = st.lists(st.integers(0, 9), max_size=3).map(tuple)
TENSOR = st.builds(
    lambda name, size, digest, dtype, shape: Leaf(Kind.TENSOR, name, size, digest, dtype=dtype, shape=shape),
    TEXT,
    st.integers(0, 99),
    DIGEST,
    st.sampled_from(["F32", "U8", "X"]),
    SHAPE,
)
TENSORS = st.lists(TENSOR, max_size=4, unique_by=lambda leaf: leaf.name)
ONE, TWO, THREE, FOUR = (bytes([number]) * 32 for number in (1, 2, 3, 4))
PATH = st.text("ab/", min_size=1, max_size=5)
METADATA = st.dictionaries(TEXT, TEXT, max_size=3)


@st.composite
def entries(draw):
    if draw(st.booleans()):
        return file_entry(draw(PATH), draw(SIZE), draw(DIGEST))
    header = Leaf(Kind.ST_HEADER, "", draw(st.integers(0, 99)), draw(DIGEST))
    return safetensors_entry(draw(PATH), header, draw(TENSORS), draw(METADATA).items())


ENTRIES = st.lists(entries(), min_size=1, max_size=5, unique_by=lambda entry: entry.path)


@given(st.sets(st.text("abAB\u00e4\u00c4\u0308", min_size=1, max_size=3)))
def test_collisions_are_those_of_all_paths(paths):
    """Whatever is known of the paths as a whole, and so not looked at one by one."""
    manifest = Manifest.of(file_entry(path, 0, ONE) for path in paths)
    assert manifest.collisions() == collisions(sorted(paths))


class TestLeaf:
    """NS(x) is a length and x, so that no two leaves share an encoding."""

    LEAVES = st.builds(
        lambda kind, name, size, digest, root, count, salt, dtype, shape: Leaf(
            kind, name, size, digest, root, count, *((dtype, shape) if kind is Kind.TENSOR else ("", ())), salt
        ),
        st.sampled_from(Kind),
        TEXT,
        st.integers(0, 2**64 - 1),
        st.just(b"") | DIGEST,
        st.just(b"") | DIGEST,
        st.integers(0, 2**64 - 1),
        st.just(b"") | DIGEST,
        TEXT,
        SHAPE,
    )

    @settings(max_examples=400)
    @given(LEAVES, LEAVES)
    def test_two_leaves_have_one_encoding_only_if_they_are_one(self, one, two):
        assert (one.data() == two.data()) == (one == two)

    @settings(max_examples=300)
    @given(LEAVES, LEAVES, st.sets(st.sampled_from(Leaf._fields)))
    def test_any_mixture_of_two_leaves_is_told_from_both(self, one, two, names):
        attributes = {} if one.kind is Kind.TENSOR else {"dtype": "", "shape": ()}  # of tensors alone
        two = two._replace(kind=one.kind, **attributes)
        mixed = one._replace(**{name: getattr(two, name) for name in names})
        assert (mixed.data() == one.data()) == (mixed == one)
        assert (mixed.data() == two.data()) == (mixed == two)

    @given(LEAVES)
    def test_the_encoding_can_be_read_back(self, leaf):
        data, found = leaf.data(), []
        while data:
            size = int.from_bytes(data[:8], "big")
            found.append(data[8 : 8 + size])
            assert len(found[-1]) == size
            data = data[8 + size :]
        assert len(found) == (9 if leaf.salt else 8)
        assert found[:3] == [b"mltrust/leaf/1", leaf.kind.encode(), leaf.name.encode()]

    def test_bytes_do_not_move_between_fields(self):
        digest = bytes(32)
        leaves = [
            Leaf(Kind.FILE, "ab", 1, digest),
            Leaf(Kind.FILE, "a", 1, digest),
            Leaf(Kind.FILE, "a", 1, b"", digest),
            Leaf(Kind.FILE, "a", 1, digest, digest),
            Leaf(Kind.FILE, "a", 1, b"", b"", 1),
            Leaf(Kind.ST_HEADER, "a", 1, digest),
            Leaf(Kind.TENSOR, "a", 1, digest, dtype="U8", shape=(1, 1)),
            Leaf(Kind.TENSOR, "a", 1, digest, dtype="U8", shape=(11,)),
            Leaf(Kind.TENSOR, "a", 1, digest, dtype='U8","shape":[11],"x":"', shape=()),
            Leaf(Kind.FILE, "a", 1, digest, salt=digest),
        ]
        assert len({leaf.data() for leaf in leaves}) == len(leaves)


class TestRoot:
    @given(ENTRIES, st.randoms(use_true_random=False))
    def test_order_does_not_matter(self, found, chance):
        manifest = Manifest.of(found)
        shuffled = [
            safetensors_entry(
                entry.path,
                entry.children[0],
                chance.sample(entry.children[1:], len(entry.children) - 1),
                chance.sample(entry.metadata, len(entry.metadata)),
            )
            if entry.children
            else entry
            for entry in chance.sample(found, len(found))
        ]
        again = Manifest.of(shuffled)
        assert again == manifest
        assert (again.root, again.content_root) == (manifest.root, manifest.content_root)
        assert changes_between(manifest, again) == ()

    @given(ENTRIES)
    def test_a_path_stands_once(self, found):
        with pytest.raises(FormatError, match="stands twice"):
            Manifest.of([*found, found[0]])

    @settings(max_examples=300)
    @given(ENTRIES, st.data())
    def test_any_one_change_changes_the_root(self, found, data):
        before = Manifest.of(found)
        after = Manifest.of(data.draw(one_change(found)))
        assert after.root != before.root
        assert changes_between(before, after) != ()
        assert changes_between(after, before) != ()

    @settings(max_examples=200)
    @given(ENTRIES, ENTRIES)
    def test_no_changes_means_equal_roots(self, one, two):
        before, after = Manifest.of(one), Manifest.of(two)
        changes = changes_between(before, after)
        assert (changes == ()) == (before.root == after.root)
        named = {change.name for change in changes} | {change.other for change in changes}
        old = {entry.path: entry.leaf for entry in one}
        new = {entry.path: entry.leaf for entry in two}
        assert named - {None} >= {name for name in old.keys() | new.keys() if old.get(name) != new.get(name)}


@st.composite
def one_change(draw, found):
    """Change one thing about a list of entries: a bit of a digest, a name, a size, a dtype, a shape, a home."""
    place = draw(st.integers(0, len(found) - 1))
    entry, rest = found[place], found[:place] + found[place + 1 :]
    taken = {other.path for other in found}
    if not entry.children:
        leaf = entry.leaf
        changed = draw(st.sampled_from([
            leaf._replace(digest=flip(draw, leaf.digest)),
            leaf._replace(size=leaf.size + 1),
            leaf._replace(name=leaf.name + "x"),
        ]))  # fmt: skip
        as_tensors = safetensors_entry(leaf.name, Leaf(Kind.ST_HEADER, "", leaf.size, leaf.digest), ())
        same_kind = file_entry(changed.name, changed.size, changed.digest)
        return [*rest, draw(st.sampled_from([same_kind, as_tensors]))]
    header, *tensors = entry.children
    options = ["header", "rename", "add"] + ["drop", "tensor", "tensor name"] * bool(tensors)
    others = [other for other in rest if other.children and other.path != entry.path]
    option = draw(st.sampled_from(options + ["move"] * bool(others and tensors)))
    path = entry.path
    if option == "header":
        header = header._replace(digest=flip(draw, header.digest))
    elif option == "rename":
        path += "y" * (1 + max(len(other) for other in taken))
    elif option == "add":
        tensors.append(Leaf(Kind.TENSOR, "new name", 0, bytes(32), dtype="U8", shape=(0,)))
    elif option == "drop":
        tensors.pop()
    elif option == "move":
        home = draw(st.sampled_from(others))
        moved = tensors.pop()
        assume(all(child.name != moved.name for child in home.children[1:]))
        rest.remove(home)
        rest.append(safetensors_entry(home.path, home.children[0], [*home.children[1:], moved], home.metadata))
    else:
        tensor = tensors.pop()
        edits = {
            "digest": flip(draw, tensor.digest),
            "size": tensor.size + 1,
            "dtype": tensor.dtype + "_",
            "shape": (*tensor.shape, 1),
            "name": tensor.name + "longer",
        }
        field = "name" if option == "tensor name" else draw(st.sampled_from(sorted(edits)))
        tensors.append(tensor._replace(**{field: edits[field]}))
    return [*rest, safetensors_entry(path, header, tensors, entry.metadata)]


def flip(draw, digest):
    place = draw(st.integers(0, 255))
    flipped = bytearray(digest)
    flipped[place // 8] ^= 1 << place % 8
    return bytes(flipped)


def test_a_change_in_the_last_of_many_files():
    files = [file_entry(f"{number:05}", number, bytes(32)) for number in range(3000)]
    before = Manifest.of(files)
    for place in (0, 1023, 1024, 2999):
        edited = [*files]
        edited[place] = file_entry(edited[place].path, place, bytes(31) + b"\1")
        after = Manifest.of(edited)
        assert after.root != before.root
        assert [change.name for change in changes_between(before, after)] == [f"{place:05}"]


class TestContentRoot:
    @settings(max_examples=200)
    @given(TENSORS, METADATA, st.data())
    def test_sharding_and_other_files_do_not_matter(self, tensors, metadata, data):
        def shard(number, some):
            header = Leaf(Kind.ST_HEADER, "", number, bytes([number]) * 32)
            pairs = data.draw(st.permutations(sorted(metadata.items())))
            return safetensors_entry(f"{number}.safetensors", header, some, pairs)

        homes = data.draw(st.lists(st.integers(1, 3), min_size=len(tensors), max_size=len(tensors)))
        whole = Manifest.of([shard(0, tensors)])
        shards = [
            shard(number, [tensor for tensor, home in zip(tensors, homes, strict=True) if home == number])
            for number in (1, 2, 3)
        ]
        apart = Manifest.of([*shards, file_entry("config.json", 1, bytes(32))])
        assert apart.content_root == whole.content_root
        assert (whole.content_root is None) == (not tensors)
        assert apart.root != whole.root

    @settings(max_examples=200)
    @given(TENSORS.filter(bool), METADATA, st.data())
    def test_any_change_of_a_tensor_or_of_metadata_matters(self, tensors, metadata, data):
        header = Leaf(Kind.ST_HEADER, "", 1, bytes(32))
        before = Manifest.of([safetensors_entry("a", header, tensors, metadata.items())])
        tensor, edited_metadata = tensors[0], dict(metadata)
        edits = [
            {"digest": flip(data.draw, tensor.digest)},
            {"dtype": tensor.dtype + "_"},
            {"shape": (*tensor.shape, 1)},
            {"name": tensor.name + "longer"},
            {},
        ]
        edit = data.draw(st.sampled_from(edits))
        if not edit:
            edited_metadata["k"] = edited_metadata.get("k", "") + "x"
        edited = [tensor._replace(**edit), *tensors[1:]]
        after = Manifest.of([safetensors_entry("a", header, edited, edited_metadata.items())])
        assert after.content_root != before.content_root

    def test_metadata_does_not_pose_as_a_tensor_nor_a_key_as_a_value(self):
        header, tensor = Leaf(Kind.ST_HEADER, "", 1, bytes(32)), Leaf(Kind.TENSOR, "t", 0, bytes(32), dtype="U8")
        roots = {
            Manifest.of([safetensors_entry("a", header, [tensor], pairs)]).content_root
            for pairs in ([], [("ab", "c")], [("a", "bc")], [("", "abc")], [("c", "ab")], [("t", "")])
        }
        assert len(roots) == 6


def files(**contents):
    return Manifest.of(file_entry(name, size, digest) for name, (size, digest) in contents.items())


def model(header=ONE, **tensors):
    leaves = [Leaf(Kind.TENSOR, name, 8, *spec) for name, spec in tensors.items()]
    return Manifest.of([safetensors_entry("m", Leaf(Kind.ST_HEADER, "", 9, header), leaves)])


def as_tensor(digest, dtype="F32", shape=(2,)):
    return digest, b"", 0, dtype, shape


def said(before, after):
    return [(str(change.kind), change.name, change.other) for change in changes_between(before, after)]


def said_of_parts(before, after):
    [change] = changes_between(before, after)
    return str(change.kind), [(str(part.kind), part.name, part.other) for part in change.parts]


class TestPacking:
    """Columns and views are the entries, however they were put in."""

    @settings(max_examples=200)
    @given(ENTRIES, st.booleans())
    def test_a_builder_makes_the_same_manifest(self, found, eager):
        builder = ManifestBuilder(eager=eager)
        found = sorted(found, key=lambda entry: entry.path.encode())
        for _, run in groupby(found, key=lambda entry: bool(entry.children)):
            run = list(run)  # noqa: PLW2901  # read twice
            if run[0].children:
                for entry in run:
                    builder.add(entry)
            else:
                leaves = [entry.leaf for entry in run]
                builder.add_files(*([getattr(leaf, name) for leaf in leaves] for name in ("name", "size", "digest")))
        assert builder.size == len(found)
        manifest = builder.build()
        assert manifest == Manifest.of(found)
        assert manifest.root == manifest.tree().root == Tree(entry.leaf.data() for entry in found).root
        assert (manifest.entries, list(manifest.entries)) == (found, found)
        assert (manifest.paths, manifest.entries[-1]) == ([entry.path for entry in found], found[-1])
        assert manifest.entries[1:] == found[1:]
        assert manifest.bytes == sum(entry.leaf.size for entry in found)
        assert [manifest.find(entry.path) for entry in found] == list(enumerate(found))
        assert manifest.find("c") is manifest.find("") is manifest.find("\ud800") is None
        assert builder.build() == Manifest.of([]) != manifest

    @settings(max_examples=60)
    @given(ENTRIES, ENTRIES, st.integers(0, 9000), st.sets(st.integers(0, 8999), max_size=3))
    def test_what_differs_is_what_a_walk_over_all_finds(self, one, two, common, gone):
        filler = [file_entry(f"b/{number:04}", number, bytes(32)) for number in range(common)]
        before = Manifest.of([*one, *filler])
        after = Manifest.of([*two, *(each for number, each in enumerate(filler) if number not in gone)])
        old, new = ({entry.path: entry for entry in side.entries} for side in (before, after))
        pairs = [(old.get(path), new.get(path)) for path in sorted(old.keys() | new.keys(), key=str.encode)]
        expected = [(a, b) for a, b in pairs if (a and a.leaf) != (b and b.leaf)]
        assert list(before.differing(after)) == expected
        assert list(after.differing(before)) == [(b, a) for a, b in expected]

    @pytest.mark.parametrize(
        ("paths", "sizes", "digests", "words"),
        [
            (["b", "a"], [1, 1], [ONE, ONE], "not sorted"),
            (["\U00010000", "\uffff"], [1, 1], [ONE, ONE], "not sorted"),
            (["a", "a"], [1, 1], [ONE, ONE], "path 'a' stands twice"),
            (["B"], [1], [ONE], "path 'B' stands twice"),
            (["A"], [1], [ONE], "not sorted"),
            (["x", "y"], [1], [ONE, ONE], "do not belong together"),
            (["x"], [-1], [ONE], "a size"),
            (["x"], [2**64], [ONE], "a size"),
            (["x"], [1.5], [ONE], "a size"),
            (["x", "y"], [1, 1], [ONE[1:], ONE + b"x"], "32 bytes"),
            (["x\0"], [1], [ONE], "NUL"),
            (["\ud800"], [1], [ONE], "valid Unicode"),
        ],
    )
    def test_what_is_refused_leaves_no_trace(self, paths, sizes, digests, words):
        builder = ManifestBuilder(eager=True)
        builder.add_files(["B"], [1], [ONE])
        with pytest.raises(FormatError, match=words):
            builder.add_files(paths, sizes, digests)
        assert builder.build() == files(B=(1, ONE))

    def test_a_file_is_not_a_file_with_parts_that_has_its_digest(self):
        parts = safetensors_entry("a", Leaf(Kind.ST_HEADER, "", 9, ONE), ())
        before, after = Manifest.of([parts]), Manifest.of([file_entry("a", 9, parts.leaf.child_root)])
        assert before != after
        assert said(before, after) == [("changed", "a", None)]

    def test_metadata_alone_makes_a_difference_and_no_change(self):
        before, after = (
            Manifest.of([safetensors_entry("a", Leaf(Kind.ST_HEADER, "", 9, ONE), (), pairs)])
            for pairs in ([], [("k", "v")])
        )
        assert before != after
        assert said(before, after) == []


class TestNamesOfChanges:
    def test_bytes_of_a_file_that_did_not_change(self):
        """Of several such files the last is named; of a size nobody had, none."""
        before = files(a=(5, ONE), b=(5, TWO), c=(5, TWO), d=(5, THREE))
        assert said(before, files(a=(5, TWO), b=(5, TWO), c=(5, TWO), d=(5, THREE))) == [("changed", "a", "c")]
        assert said(before, files(a=(6, TWO), b=(5, TWO), c=(5, TWO), d=(5, THREE))) == [("changed", "a", None)]

    def test_changed_added_removed_truncated(self):
        before = files(same=(5, ONE), edited=(5, ONE), cut=(5, TWO), gone=(5, THREE))
        after = files(same=(5, ONE), edited=(5, FOUR), cut=(4, ONE), new=(6, THREE))
        assert said(before, after) == [
            ("truncated", "cut", None),
            ("changed", "edited", None),
            ("removed", "gone", None),
            ("added", "new", None),
        ]

    def test_renamed(self):
        assert said(files(a=(5, ONE), b=(5, TWO)), files(c=(5, ONE), b=(5, TWO))) == [("renamed", "c", "a")]

    def test_renamed_and_copied(self):
        assert said(files(a=(5, ONE)), files(b=(5, ONE), c=(5, ONE))) == [("renamed", "b", "a"), ("added", "c", None)]

    def test_a_file_of_the_same_bytes_and_another_kind_is_not_renamed(self):
        before = Manifest.of([safetensors_entry("a", Leaf(Kind.ST_HEADER, "", 5, ONE), ())])
        assert [kind for kind, *_ in said(before, files(b=(5, ONE)))] == ["removed", "added"]

    def test_swapped(self):
        assert said(files(a=(5, ONE), b=(5, TWO)), files(a=(5, TWO), b=(5, ONE))) == [("swapped", "a", "b")]

    def test_swapped_beside_a_copy(self):
        """An unchanged third file with the same bytes takes no part in it."""
        before = files(a=(5, ONE), b=(5, TWO), c=(5, ONE), z=(5, TWO))
        after = files(a=(5, TWO), b=(5, ONE), c=(5, ONE), z=(5, TWO))
        assert said(before, after) == [("swapped", "a", "b")]

    def test_three_in_a_ring(self):
        """Each says whose bytes it holds now."""
        before, after = files(a=(5, ONE), b=(5, TWO), c=(5, THREE)), files(a=(5, TWO), b=(5, THREE), c=(5, ONE))
        assert said(before, after) == [("changed", "a", "b"), ("changed", "b", "c"), ("changed", "c", "a")]

    def test_moved_onto_another(self):
        before, after = files(a=(5, ONE), b=(5, TWO)), files(b=(5, ONE))
        assert said(before, after) == [("removed", "a", None), ("changed", "b", "a")]

    def test_bytes_moved_between_files(self):
        before, after = files(a=(5, ONE), b=(5, TWO)), files(a=(6, THREE), b=(4, FOUR))
        assert said(before, after) == [("changed", "a", None), ("truncated", "b", None)]

    def test_header_only(self):
        before, after = model(a=as_tensor(ONE)), model(header=TWO, a=as_tensor(ONE))
        assert said_of_parts(before, after) == ("header-only", [("changed", "", None)])

    def test_one_tensor(self):
        before, after = model(a=as_tensor(ONE), b=as_tensor(TWO)), model(a=as_tensor(ONE), b=as_tensor(THREE))
        assert said_of_parts(before, after) == ("changed", [("changed", "b", None)])

    def test_dtype_and_shape(self):
        before = model(a=as_tensor(ONE), b=as_tensor(TWO))
        after = model(header=TWO, a=as_tensor(ONE, "I32"), b=as_tensor(TWO, shape=(1, 2)))
        parts = [("changed", "", None), ("dtype-changed", "a", None), ("shape-changed", "b", None)]
        assert said_of_parts(before, after) == ("changed", parts)

    def test_tensors_renamed_and_swapped(self):
        before = model(a=as_tensor(ONE), b=as_tensor(TWO), c=as_tensor(THREE))
        after = model(header=TWO, a=as_tensor(TWO), b=as_tensor(ONE), d=as_tensor(THREE))
        parts = [("changed", "", None), ("swapped", "a", "b"), ("renamed", "d", "c")]
        assert said_of_parts(before, after) == ("changed", parts)

    def test_a_tensor_without_a_name_is_not_the_header(self):
        before, after = model(**{"": as_tensor(ONE)}), model(**{"": as_tensor(TWO)})
        [change] = changes_between(before, after)
        assert (change.kind, [part.of for part in change.parts]) == (ChangeKind.CHANGED, [Kind.TENSOR])

    def test_a_tensor_that_holds_the_headers_bytes_has_not_swapped_with_it(self):
        before, after = model(header=ONE, **{"": as_tensor(TWO)}), model(header=TWO, **{"": as_tensor(ONE)})
        assert {kind for kind, *_ in said_of_parts(before, after)[1]} == {"changed"}
