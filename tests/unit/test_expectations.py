"""Published digests: what documents of others are read as, and which file of an artifact each of them is."""

import hashlib
import json
import time
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from mltrust.core.digest import SHA256
from mltrust.core.expectations import Algorithm, Published, matched, read_publication
from mltrust.core.report import CheckKind, Outcome
from mltrust.disk.digest_cache import DigestCache
from mltrust.engines.remembering import RememberingEngine
from mltrust.engines.threads import ThreadsEngine
from mltrust.errors import ChangedError, FormatError
from mltrust.interfaces import Segment, Silent, Trust
from mltrust.operations.anchor import Placed
from mltrust.operations.expectations import Expected, GitBlob
from mltrust.operations.fingerprint import Reading
from mltrust.operations.verify import verify
from mltrust.sources.local import LocalSource
from mltrust.statements.seal import read_seal
from mltrust.testing.memory_source import MemorySource

DIGEST = hashlib.sha256(b"x").hexdigest()
OTHER = hashlib.sha256(b"y").hexdigest()
PLACEHOLDER = "https://github.com/mlcommons/croissant/issues/80"


def croissant(*distribution, **more):
    return {"@type": "sc:Dataset", "name": "tiny", "distribution": list(distribution), **more}


def file_object(**fields):
    return {"@type": "cr:FileObject", "@id": "f", "name": "f", "contentUrl": "f", "sha256": DIGEST, **fields}


def blob(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def in_tree(path, data, lfs=True, **more):
    """Return a file as the Hub's API lists it."""
    if not lfs:
        return {"type": "file", "oid": blob(data), "size": len(data), "path": path, **more}
    stored = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
    return {"type": "file", "oid": blob(b"pointer"), "size": len(data), "path": path, "lfs": stored, **more}


def read(value):
    data = value if isinstance(value, bytes) else json.dumps(value).encode()
    return read_publication(data, "doc.json")


class TestCroissant:
    @pytest.mark.parametrize(
        ("url", "path"),
        [
            ("data/train.csv", "data/train.csv"),
            ("./data/train.csv", "data/train.csv"),
            ("odd%20name?.csv", "odd%20name?.csv"),
            ("https://example.org/a/b%20c.csv?download=true#top", "a/b c.csv"),
            ("../../etc/passwd", "../../etc/passwd"),
        ],
    )
    def test_where_a_file_is_published(self, url, path):
        [found] = read(croissant(file_object(contentUrl=url, name="n"))).files
        assert found == Published("n", path, bytes.fromhex(DIGEST))

    @pytest.mark.parametrize("kind", ["cr:FileObject", "sc:FileObject", "FileObject", ["sc:Thing", "cr:FileObject"]])
    @pytest.mark.parametrize("whole", ["sc:Dataset", "https://schema.org/Dataset", "Dataset"])
    def test_types_with_and_without_a_prefix(self, kind, whole):
        assert len(read(croissant(file_object(**{"@type": kind}), **{"@type": whole})).files) == 1

    def test_the_digest_in_capitals_is_the_same(self):
        [found] = read(croissant(file_object(sha256=DIGEST.upper()))).files
        assert found.digest.hex() == DIGEST

    @pytest.mark.parametrize(
        "digest", [PLACEHOLDER, DIGEST[:-1], DIGEST + "\n", "sha256:" + DIGEST, "", None, [DIGEST], 7]
    )
    def test_no_usable_digest(self, digest):
        [found] = read(croissant(file_object(sha256=digest, md5="0" * 32))).files
        assert (found.digest, found.why) == (b"", "no usable digest")

    def test_a_set_of_files_has_no_digest(self):
        assert read(croissant({"@type": "cr:FileSet", "@id": "s", "includes": "*.jpg"})).files == ()

    def test_a_file_in_an_archive_is_not_a_file_of_the_artifact_and_one_in_a_repository_is(self):
        repository = file_object(**{"@id": "repo", "encodingFormat": "git+https", "sha256": PLACEHOLDER})
        archive = file_object(**{"@id": "a.zip", "encodingFormat": "application/zip"})
        inner = file_object(**{"@id": "inner", "containedIn": {"@id": "a.zip"}})
        stored = file_object(**{"@id": "stored", "containedIn": [{"@id": "repo"}]})
        found = read(croissant(repository, archive, inner, stored)).files
        assert [bool(each.digest) for each in found] == [False, True, False, True]
        assert found[2].why == "a place inside another file"

    def test_one_file_that_stands_for_itself_and_numbers_with_a_fraction(self):
        document = croissant(version=1.5)
        document["distribution"] = file_object()
        assert len(read(document).files) == 1


class TestTree:
    def test_files_and_folders(self):
        folder = {"type": "directory", "oid": "0" * 40, "size": 0, "path": "data"}
        security = {"securityFileStatus": {"status": "safe"}, "lastCommit": {"id": "0" * 40}, "xetHash": "1" * 64}
        found = read([folder, in_tree("data/a.bin", b"x", **security), in_tree("b.txt", b"x", lfs=False)]).files
        assert found[0] == Published("data/a.bin", "data/a.bin", bytes.fromhex(DIGEST), Algorithm.SHA256, 1)
        assert found[1] == Published("b.txt", "b.txt", bytes.fromhex(blob(b"x")), Algorithm.GIT_BLOB, 1)


@pytest.mark.parametrize(
    "value",
    [
        b"",
        b"not json",
        b"\xff",
        b'{"@type": "Dataset", "distribution": [], "distribution": []}',
        b"[" * 100 + b"]" * 100,
        {},
        7,
        {"@type": "sc:Dataset"},
        {"@type": "sc:Person", "distribution": []},
        {"@type": 7, "distribution": []},
        {"error": "Repository not found"},
        croissant("a.csv"),
        croissant(file_object(contentUrl=["a"])),
        croissant(file_object(contentUrl="https://[")),
        croissant(file_object(contentUrl="a" * 5000)),
        croissant(file_object(contentUrl="https://example.org" + "/a" * 300)),
        croissant(file_object(name={"@value": "a"})),
        ["a.csv"],
        [{"path": "a"}],
        [{"type": "file", "path": "a", "size": 1}],
        [in_tree("a", b"") | {"path": "../a"}],
        [in_tree("a", b"") | {"path": 7}],
        [in_tree("a", b"") | {"lfs": True}],
        [in_tree("a", b"") | {"lfs": {"oid": "0" * 40, "size": 0}}],
        [in_tree("a", b"") | {"lfs": {"oid": DIGEST, "size": -1}}],
        [in_tree("a", b"", lfs=False) | {"oid": "0" * 64}],
        [in_tree("a", b"", lfs=False) | {"oid": None}],
        [in_tree("a", b"", lfs=False) | {"size": True}],
        [in_tree("a", b"", lfs=False) | {"size": 0.5}],
        [in_tree("a", b""), in_tree("a", b"")],
    ],
)
def test_refused(value):
    with pytest.raises(FormatError) as caught:
        read(value)
    assert caught.value.where.startswith("doc.json")
    assert caught.value.hint


class TestMatching:
    @pytest.mark.parametrize(
        ("published", "paths", "found"),
        [
            (["a/b.csv"], ["a/b.csv", "b.csv"], ["a/b.csv"]),
            (["o/n/resolve/main/a/b.csv"], ["a/b.csv", "b.csv"], ["a/b.csv"]),
            (["b.csv"], ["x/b.csv"], ["x/b.csv"]),
            (["b.csv"], ["x/b.csv", "y/b.csv"], [None]),
            (["a/b.csv", "c/b.csv"], ["b.csv"], [None, None]),
            (["a/b.csv", "c/b.csv"], ["c/b.csv", "b.csv"], ["b.csv", "c/b.csv"]),
            (["a/b.csv", "a/b.csv"], ["a/b.csv"], ["a/b.csv", "a/b.csv"]),
            (["../b.csv", "", "/"], ["a.csv"], [None, None, None]),
        ],
    )
    def test_by_path_then_by_its_end_then_by_the_last_part(self, published, paths, found):
        files = [Published(path, path, b"d") for path in published]
        places = matched(files, paths)
        assert [places.get(index) for index in range(len(published))] == found

    def test_what_has_no_digest_is_nobody(self):
        assert matched([Published("a", "a", b"")], ["a"]) == {}


def checks(value, files, reading=None, source=None):
    source = source or MemorySource(files)
    reading = reading or Reading(files=list(source.files()))
    expected = Expected([read(value)], ThreadsEngine(2))
    return list(expected.checks(reading, source, Silent()))


class TestChecks:
    def test_what_is_equal_other_absent_unusable_and_not_covered(self):
        files = {"a.bin": b"x", "b.txt": b"y" * 3_000_000, "c.bin": b"changed", "d.txt": b"d", "new name": b"here"}
        tree = [
            in_tree("a.bin", b"x"),
            in_tree("b.txt", files["b.txt"], lfs=False),
            in_tree("c.bin", b"CHANGED"),
            in_tree("old name", b"here", lfs=False),
            in_tree("gone", b"g"),
        ]
        same, other, absent, left = checks(tree, files)
        assert {check.kind for check in (same, other, absent, left)} == {CheckKind.EXPECTATION}
        assert not any(check.vouches for check in (same, other, absent, left))
        assert (same.outcome, same.names) == (Outcome.PASS, ("a.bin", "b.txt", "new name"))
        assert "1 by SHA-256 and 2 by Git's SHA-1" in same.summary
        assert "new name (published as old name)" in same.summary
        assert (other.outcome, other.names) == (Outcome.FAIL, ("c.bin",))
        assert hashlib.sha256(b"changed").hexdigest()[:16] in other.summary
        assert (absent.outcome, absent.names, absent.required) == (Outcome.UNCHECKED, ("gone",), True)
        assert (left.outcome, left.names, left.required) == (Outcome.UNCHECKED, ("d.txt",), False)

    def test_a_placeholder_is_never_a_pass(self):
        document = croissant(file_object(name="repo", contentUrl="https://example.org/repo", sha256=PLACEHOLDER))
        unusable, nothing, left = checks(document, {"f": b"x", "repo": b""})
        assert (unusable.outcome, unusable.names) == (Outcome.UNCHECKED, ("repo",))
        assert (nothing.outcome, nothing.required) == (Outcome.UNCHECKED, True)
        assert left.names == ("f", "repo")

    @pytest.mark.parametrize("value", [[], croissant()])
    def test_a_document_of_nothing_is_not_a_yes(self, value):
        nothing, _ = checks(value, {"f": b"x"})
        assert (nothing.outcome, nothing.required) == (Outcome.UNCHECKED, True)

    def test_an_artifact_of_nothing_is_not_a_yes(self):
        [absent] = checks([in_tree("a", b"x")], {})
        assert (absent.outcome, absent.required) == (Outcome.UNCHECKED, True)

    def test_a_pointer_is_not_the_content(self):
        source = MemorySource({"a.bin": b"version https://git-lfs.github.com/spec/v1"})
        reading = Reading(files=list(source.files()), pointers={"a.bin"})
        [absent] = checks([in_tree("a.bin", b"x")], {}, reading, source)
        assert absent.names == ("a.bin",)

    def test_long_lists_are_cut_short_in_the_summary_alone(self):
        files = {f"{n}\x1b[2J": b"x" for n in range(9)}
        [same] = checks([in_tree(path, b"x") for path in files], files)
        assert "and 4 more" in same.summary
        assert "\x1b" not in same.summary
        assert len(same.names) == 9

    @pytest.mark.parametrize("lfs", [True, False])
    def test_the_files_are_read_in_the_versions_that_were_verified(self, lfs):
        source = MemorySource({"a": b"evil"})
        reading = Reading(files=list(source.files()))
        source.put("a", b"good")
        with pytest.raises(ChangedError):
            checks([in_tree("a", b"good", lfs=lfs)], {}, reading, source)

    def test_many_files_on_both_sides(self):
        files = {f"f{n}": b"x" for n in range(3000)}
        [absent, left] = checks([in_tree(f"g/{n}", b"other") for n in range(3000)], files)
        assert (len(absent.names), len(left.names)) == (3000, 3000)


def test_the_digest_of_git_is_that_of_git():
    source = MemorySource({"a": b"hello\n"})
    [file] = source.files()
    found = GitBlob().digest(Segment(file, 0, 6), source, SHA256, Silent())
    assert found.hex() == "ce013625030ba8dba906f756967f9e9ca394464a"  # git hash-object


def test_what_was_not_reread_for_the_seal_is_read_for_this(tmp_path, means, seal_folder):
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.bin").write_bytes(b"x")
    bundle, cache = seal_folder(folder), DigestCache(tmp_path / "cache")
    document = read([in_tree("a.bin", b"x")])
    seen = []

    class Watched(ThreadsEngine):
        def digest(self, batches, *rest):
            listed = list(batches)
            seen.extend(segment.file.path for batch in listed for segment in batch)
            return super().digest(listed, *rest)

    def verified():
        remembering = RememberingEngine(Watched(1), cache, str(folder), lambda: time.time_ns() + 10**10)
        source = LocalSource(folder, read_seal(bundle.statement).parameters.exclude)
        trust, expected = Trust(content_only=True), Expected([document], Watched(1))
        return verify(source, Placed(bundle), trust, replace(means, engine=remembering), expected=expected)[0]

    assert [verified().scope.files_not_reread for _ in range(2)] == [0, 1]
    assert seen == ["a.bin"] * 3


_ANY = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-3, 10)
    | st.text(max_size=4)
    | st.sampled_from([DIGEST, "file", "a/b", "//["]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(["@id", "oid", "size"]), inner),
    max_leaves=4,
)
_KEYS = ["@type", "@id", "name", "contentUrl", "sha256", "containedIn", "encodingFormat", "type", "path", "oid", "size"]
_ITEM = st.dictionaries(st.sampled_from([*_KEYS, "lfs"]), _ANY, max_size=6)


@given(edits=_ITEM, item=st.sampled_from([file_object(), in_tree("a", b"x"), in_tree("a", b"x", lfs=False)]))
def test_anything_in_the_place_of_a_value_is_read_or_refused(edits, item):
    for document in ([item | edits], croissant(item | edits), croissant(item) | edits):
        try:
            found = read(document)
        except FormatError:
            continue
        checks_of = Expected([found], ThreadsEngine(1)).checks(Reading(), MemorySource({}), Silent())
        assert all(check.outcome is Outcome.UNCHECKED for check in checks_of)
