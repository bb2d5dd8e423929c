"""Seals that somebody edited: whatever is in one, it never makes an artifact verified that is not the sealed one."""

import copy
import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from mltrust.core.bundle import MEDIA_TYPE, Bundle
from mltrust.core.digest import BLAKE3, SHA256
from mltrust.core.dsse import Signature
from mltrust.core.exclusion import DEFAULT_EXCLUDE
from mltrust.core.manifest import Kind, Leaf, Manifest, file_entry, safetensors_entry
from mltrust.core.receipt import Receipt
from mltrust.core.report import Outcome, Verdict
from mltrust.errors import FormatError, UnreadableError, UsageError
from mltrust.interfaces import Trust
from mltrust.operations.anchor import Placed, anchor
from mltrust.statements.seal import Parameters, ReaderVersion, contradictions, read_seal, seal_statement
from mltrust.testing import MemoryAnchor

READERS = (ReaderVersion(name="safetensors", version=1), ReaderVersion(name="opaque", version=1))
SCALARS = [None, True, False, 0, -1, 1, 2**53, 10**400, 1.5, "", "x", "0" * 64, "\0", "..", "../x", "/etc", [], {}]
BINDING = ("statement", "manifest")  # what a change of must always be seen; receipts and signatures only add


class Notary(MemoryAnchor):
    """An anchor that keeps what it published beside the seal, so that it recognises a seal without receipts."""


@pytest.fixture
def notary():
    return Notary()


@pytest.fixture
def sealed(model_folder, seal_folder, notary):
    """Return a real seal with a receipt and a signature of the small model, as a JSON value."""
    [bundle] = anchor([Placed(seal_folder(model_folder))], notary)
    signed = Bundle(bundle.statement, bundle.manifest, (Signature(keyid="k", sig="c2ln"),), bundle.receipts)
    return json.loads(signed.to_json())


@pytest.fixture
def judge(model_folder, verify_folder, notary, sealed):
    """Return a function that offers a seal to both kinds of callers and returns the verdicts, "refused" for errors.

    An accepted seal must be the original in all that its statement and its manifest say.
    """
    original = Bundle.parse(json.dumps(sealed).encode())

    def offer(data):
        if not isinstance(data, bytes):
            data = json.dumps(data).encode()
        try:
            bundle = Bundle.parse(data)
        except FormatError as error:
            assert len(str(error)) < 2000  # noqa: PT017  # any other exception must pass through
            return {"refused"}
        verdicts = set()
        for trust in (Trust(content_only=True), Trust(anchors=(notary,))):
            try:
                verdict = verify_folder(model_folder, bundle, trust).verdict
            except (UnreadableError, UsageError):
                verdict = "refused"
            verdicts.add(verdict)
        if Verdict.VERIFIED in verdicts:
            assert (bundle.statement, bundle.manifest) == (original.statement, original.manifest)
        return verdicts

    return offer


def places(value, path=()):
    """Yield the path to every value below `value`."""
    children = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, child in children:
        yield (*path, key)
        yield from places(child, (*path, key))


def at(value, path):
    for key in path:
        value = value[key]
    return value


def edited(document, path, value):
    """Return a copy of `document` with `value` at `path`."""
    made = copy.deepcopy(document)
    at(made, path[:-1])[path[-1]] = value
    return made


def other(value):
    """Return a value of the same type that differs in one place, as an attacker would choose it."""
    if isinstance(value, str):
        return value[:-1] + chr(ord(value[-1]) ^ 1) if value else "x"
    return value + 1 if isinstance(value, int) else {"x": "y"}


def spelled(value, twice, path=()):
    """Write JSON in which the key at path `twice` stands twice."""
    if isinstance(value, dict):
        parts = []
        for key, child in value.items():
            pair = f"{json.dumps(key)}: {spelled(child, twice, (*path, key))}"
            parts += [pair, pair] if (*path, key) == twice else [pair]
        return "{" + ", ".join(parts) + "}"
    if isinstance(value, list):
        return "[" + ", ".join(spelled(child, twice, (*path, at)) for at, child in enumerate(value)) + "]"
    return json.dumps(value)


class TestEveryEdit:
    """Of a statement or a manifest no edit is accepted; of receipts and signatures none that changes a verdict."""

    def test_the_unedited_seal_is_good(self, sealed, judge, model_folder):
        assert judge(sealed) == {Verdict.VERIFIED}
        (model_folder / "config.json").write_text("{}")
        assert judge(sealed) == {Verdict.FAILED}

    def test_every_value_changed(self, sealed, judge):
        for path in places(sealed):
            verdicts = judge(edited(sealed, path, other(at(sealed, path))))
            assert path[0] not in BINDING or Verdict.VERIFIED not in verdicts, path

    def test_every_value_of_another_type(self, sealed, judge):
        for path in places(sealed):
            for value in SCALARS:
                if type(value) is type(at(sealed, path)) and value == at(sealed, path):
                    continue
                if path[0] not in BINDING and path[1:2]:
                    value = [value]  # noqa: PLW2901  # one odd value is enough beside what is bound
                verdicts = judge(edited(sealed, path, value))
                assert path[0] not in BINDING or Verdict.VERIFIED not in verdicts, (path, value)

    def test_metadata_that_another_shard_repeats_removed(self, sealed, judge):
        shard = next(entry for entry in sealed["manifest"]["entries"] if "metadata" in entry)
        del shard["metadata"]["format"]
        assert Verdict.VERIFIED not in judge(sealed)

    def test_every_key_removed(self, sealed, judge):
        for path in places(sealed):
            made = copy.deepcopy(sealed)
            del at(made, path[:-1])[path[-1]]
            verdicts = judge(made)
            assert path[0] not in BINDING or Verdict.VERIFIED not in verdicts, path

    def test_every_key_twice(self, sealed, judge):
        for path in places(sealed):
            if isinstance(path[-1], str):
                assert judge(spelled(sealed, path).encode()) == {"refused"}, path

    def test_an_unknown_key_everywhere(self, sealed, judge):
        for path in [(), *places(sealed)]:
            if isinstance(at(sealed, path), dict):
                verdicts = judge(edited(sealed, (*path, "extra"), "0" * 64))
                assert path[:1] == ("receipts",) or Verdict.VERIFIED not in verdicts, path

    def test_every_key_under_another_name(self, sealed, judge):
        """No key has a second spelling: not its name in the code, not another case."""
        for path in places(sealed):
            if not isinstance(path[-1], str):
                continue
            for name in {path[-1].upper(), path[-1].lstrip("_"), "predicate_type", "media_type"} - {path[-1]}:
                made = copy.deepcopy(sealed)
                parent = at(made, path[:-1])
                pairs = [(name if key == path[-1] else key, value) for key, value in parent.items()]
                parent.clear()
                parent.update(pairs)
                verdicts = judge(made)
                assert path[0] not in BINDING or Verdict.VERIFIED not in verdicts, (path, name)

    def test_every_list_in_another_order(self, sealed, judge):
        for path in places(sealed):
            value = at(sealed, path)
            if isinstance(value, list) and len(value) > 1:
                assert Verdict.VERIFIED not in judge(edited(sealed, path, value[::-1])), path
                assert Verdict.VERIFIED not in judge(edited(sealed, path, [*value, value[-1]])), path

    def test_cut_at_every_byte(self, sealed):
        data = json.dumps(sealed).encode()
        for end in range(len(data)):
            with pytest.raises(FormatError):
                Bundle.parse(data[:end])

    def test_one_byte_flipped(self, sealed, judge):
        data = bytearray(json.dumps(sealed).encode())
        for place in range(0, len(data), 11):
            data[place] ^= 1
            judge(bytes(data))
            data[place] ^= 1


class TestWholeDocuments:
    @pytest.mark.parametrize(
        ("data", "words"),
        [
            (b"", "not JSON"),
            (b"\0" * 100, "not JSON"),
            (b"\x80\x04\x95", "not UTF-8"),
            (b"null", "not a document of type"),
            (b"[]", "not a document of type"),
            (b"{}", "not a document of type"),
            (b'{"mediaType": 1}', "has type 1"),
            (b'{"mediaType": "application/vnd.mltrust.seal.v2+json"}', "seal.v2+json', expected"),
            (b'{"mediaType": "application/vnd.mltrust.proof.v1+json"}', "proof.v1+json', expected"),
            (b"[" * 100_000, "nested deeper"),
            (b'{"a":' * 100_000 + b"1" + b"}" * 100_000, "nested deeper"),
            (b'"' + b'\\"' * 500_000, "not JSON"),
            (b'"\\ud800"', "lone surrogate"),
            (b'{"mediaType": ' + b"9" * 5000 + b"}", "not below 2^53"),
            (b"\xef\xbb\xbf{}", "not JSON"),
        ],
    )
    def test_that_are_none(self, data, words):
        with pytest.raises(FormatError) as caught:
            Bundle.parse(data, "x.seal.json")
        assert words in str(caught.value)
        assert caught.value.where == "x.seal.json"

    def test_the_type_stands_first(self, sealed):
        first = sealed.pop("mediaType")
        with pytest.raises(FormatError, match="not the first key"):
            Bundle.parse(json.dumps({**sealed, "mediaType": first}).encode())

    @pytest.mark.parametrize("text", ['"\\ud800"', '"a\\udfffb"'])
    def test_lone_surrogates_anywhere(self, text, sealed):
        for path in places(sealed):
            data = json.dumps(edited(sealed, path, "@@@")).replace('"@@@"', text).encode()
            with pytest.raises(FormatError):
                Bundle.parse(data)

    @pytest.mark.parametrize(
        "path",
        ["..", "../x", "a/../b", "/etc/passwd", "a//b", "a/", "./a", "", "a\0b", "x" * 5000],
    )
    def test_paths_that_lead_elsewhere(self, path, sealed):
        for number in range(len(sealed["manifest"]["entries"])):
            with pytest.raises(FormatError, match=r"plain relative path|name of 5000 bytes"):
                Bundle.parse(json.dumps(edited(sealed, ("manifest", "entries", number, "path"), path)).encode())

    @pytest.mark.parametrize("suite", ["mltrust-2", "mltrust-1-md5", "", "MLTRUST-1", "mltrust-1 "])
    def test_an_unknown_suite(self, suite, sealed, judge):
        made = edited(sealed, ("statement", "predicate", "suite"), suite)
        assert judge(made) == {"refused"}
        digest = made["statement"]["subject"][0]["digest"]
        made["statement"]["subject"][0]["digest"] = {suite: digest["mltrust-1"]}
        assert judge(made) == {"refused"}

    def test_another_suite_that_exists(self, sealed, judge):
        made = edited(sealed, ("statement", "predicate", "suite"), SHA256.name)
        made["statement"]["subject"][0]["digest"][SHA256.name] = "0" * 64
        assert judge(made) == {"refused"}
        del made["statement"]["subject"][0]["digest"][BLAKE3.name]
        assert judge(made) == {Verdict.FAILED}

    @pytest.mark.parametrize(
        "readers",
        [
            [],
            [{"name": "safetensors", "version": 1}],
            [{"name": "opaque", "version": 2}],
            [{"name": "os-system", "version": 1}, {"name": "opaque", "version": 1}],
            [{"name": "../x", "version": 1}, {"name": "opaque", "version": 1}],
            [{"name": "opaque", "version": 1}],
            [{"name": "opaque", "version": 1}] * 2,
        ],
    )
    def test_other_readers(self, readers, sealed, judge):
        verdicts = judge(edited(sealed, ("statement", "predicate", "parameters", "readers"), readers))
        assert verdicts <= {"refused", Verdict.FAILED}


class TestMillions:
    """What a file of some megabytes may cost."""

    def offer(self, memory, text, sealed, path):
        data = json.dumps(edited(sealed, path, "@@@")).replace('"@@@"', text).encode()
        with memory, pytest.raises(FormatError) as caught:
            Bundle.parse(data)
        assert len(str(caught.value)) < 500

    @pytest.mark.parametrize("entry", ["0", "{}", "[]", '""', '{"path": "a", "kind": "file", "size": 0}'])
    def test_entries(self, entry, memory_below, sealed):
        self.offer(memory_below(500 * 2**20), "[" + f"{entry}," * 10**6 + f"{entry}]", sealed, ("manifest", "entries"))

    @pytest.mark.parametrize(
        "path",
        [
            ("statement",),
            ("statement", "subject"),
            ("statement", "subject", 0, "digest"),
            ("statement", "predicate"),
            ("manifest",),
            ("manifest", "entries"),
            ("manifest", "entries", 0),
            ("manifest", "entries", 1, "children"),
            ("manifest", "entries", 1, "children", 1),
            ("manifest", "entries", 1, "children", 1, "shape"),
            ("manifest", "entries", 1, "metadata"),
            ("signatures",),
            ("receipts",),
            ("receipts", 0),
            ("receipts", 0, "time"),
        ],
    )
    def test_anywhere(self, path, memory_below, sealed):
        assert sealed["manifest"]["entries"][1]["kind"] == "safetensors"
        self.offer(memory_below(150 * 2**20), "[" + '"x",' * 150_000 + '"x"]', sealed, path)
        self.offer(memory_below(150 * 2**20), "{" + ",".join(f'"{n}":{n}' for n in range(150_000)) + "}", sealed, path)

    def test_a_long_list_of_exclusions(self, sealed, judge):
        for exclude in ([f"/{number}" for number in range(20_000)], ["*a" * 100], ["x" * 4096], ["**/" * 80 + "x"]):
            made = edited(sealed, ("statement", "predicate", "parameters", "exclude"), exclude)
            assert judge(made) == {"refused"}


def consistent(name, manifest, exclude=DEFAULT_EXCLUDE, **more):
    """Return a seal that agrees with itself, as anybody can make one."""
    parameters = Parameters(exclude=exclude, readers=READERS)
    statement = seal_statement(name, manifest, BLAKE3, parameters, **more)
    assert contradictions(statement, manifest) == []
    return Bundle(statement, manifest)


class TestSealsThatAgreeWithThemselves:
    def test_of_another_artifact(self, tmp_path, sealed, seal_folder, judge, notary):
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "config.json").write_text("{}")
        [bundle] = anchor([Placed(seal_folder(tmp_path / "other"))], notary)
        assert judge(bundle.to_json()) == {Verdict.FAILED}

    def test_another_statement_over_this_manifest(self, tmp_path, sealed, seal_folder, judge, notary):
        (tmp_path / "other").mkdir()
        (tmp_path / "other" / "x").write_text("x")
        [bundle] = anchor([Placed(seal_folder(tmp_path / "other"))], notary)
        theirs = json.loads(bundle.to_json())
        assert judge({**sealed, "statement": theirs["statement"]}) == {Verdict.FAILED}
        assert judge({**sealed, "statement": theirs["statement"], "receipts": theirs["receipts"]}) == {Verdict.FAILED}
        assert judge({**sealed, "receipts": theirs["receipts"]}) == {Verdict.FAILED}
        assert judge({**sealed, "receipts": sealed["receipts"] + theirs["receipts"]}) == {Verdict.FAILED}

    @pytest.mark.parametrize("pattern", ["/*", "**", "*", "/**", "?*"])
    def test_exclusions_that_cover_everything(self, pattern, model_folder, seal_folder, verify_folder, notary):
        manifest = seal_folder(model_folder).manifest
        bundle = consistent("model", manifest, (pattern,))
        for trust in (Trust(content_only=True), Trust(anchors=(notary,))):
            assert verify_folder(model_folder, bundle, trust).verdict is Verdict.FAILED

    def test_over_nothing(self, sealed, judge):
        made = edited(sealed, ("manifest", "entries"), [])
        assert judge(made) == {Verdict.FAILED}
        for path, value in {("size",): 0, ("totals", "files"): 0}.items():
            assert judge(edited(made, ("statement", "predicate", *path), value)) == {"refused"}

    def test_that_leaves_the_edited_file_out(self, model_folder, seal_folder, verify_folder, notary):
        """Bytes alone agree, and the report says what was left out; who asks an anchor is told that it is no seal."""
        anchor([Placed(seal_folder(model_folder))], notary)
        (model_folder / "config.json").write_text('{"auto_map": "evil"}')
        bundle = seal_folder(model_folder, ("/config.json",))
        report = verify_folder(model_folder, bundle)
        assert report.verdict is Verdict.VERIFIED
        assert "config.json" in report.scope.left_out
        assert "/config.json" in report.scope.excluded
        assert verify_folder(model_folder, bundle, Trust(anchors=(notary,))).verdict is Verdict.FAILED
        assert verify_folder(model_folder, bundle, Trust(assumed=(notary,))).verdict is Verdict.INCONCLUSIVE

    def test_of_edited_bytes(self, model_folder, seal_folder, verify_folder, notary):
        [original] = anchor([Placed(seal_folder(model_folder))], notary)
        (model_folder / "config.json").write_text("{}")
        forged = seal_folder(model_folder)
        anchored = Trust(anchors=(notary,))
        assert verify_folder(model_folder, forged, anchored).verdict is Verdict.FAILED
        assert verify_folder(model_folder, forged.with_receipts(original.receipts), anchored).verdict is Verdict.FAILED
        relabelled = original.receipts[0].model_copy(update={"digest": str(forged.statement.digest())})
        assert verify_folder(model_folder, forged.with_receipts((relabelled,)), anchored).verdict is Verdict.FAILED
        expected = read_seal(original.statement).fingerprint().hex()
        assert verify_folder(model_folder, forged, Trust(fingerprint=expected)).verdict is Verdict.FAILED

    def test_with_another_name_or_annotation(self, model_folder, seal_folder, verify_folder, notary):
        """What a seal says beside the bytes is vouched for like the bytes."""
        [original] = anchor([Placed(seal_folder(model_folder))], notary)
        for edit in ({"name": "better"}, {"annotations": {"licence": "mit"}}, {"supersedes": "sha256:" + "0" * 64}):
            forged = consistent(**{"name": original.statement.subject[0].name, "manifest": original.manifest, **edit})
            assert verify_folder(model_folder, forged, Trust(anchors=(notary,))).verdict is Verdict.FAILED

    def test_nobody_vouches_for_a_seal_by_itself(self, model_folder, seal_folder, verify_folder):
        report = verify_folder(model_folder, seal_folder(model_folder), Trust())
        assert report.verdict is Verdict.INCONCLUSIVE
        assert Outcome.FAIL not in {check.outcome for check in report.checks}

    def test_of_a_subfolder_or_the_parent(self, tmp_path, fill_model, seal_folder, verify_folder):
        inner = fill_model(tmp_path / "outer" / "inner")
        bundle = seal_folder(inner)
        assert verify_folder(tmp_path / "outer", bundle).verdict is Verdict.FAILED
        assert verify_folder(inner / "tokenizer", bundle).verdict is Verdict.FAILED
        assert verify_folder(inner, bundle).verdict is Verdict.VERIFIED


NAME = st.text(st.characters(exclude_categories=["Cs"]), max_size=8)
PATH = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0/"), min_size=1, max_size=8).filter(
    lambda part: part not in (".", "..")
)
DIGEST = st.binary(min_size=32, max_size=32)
SMALL_SIZE = st.integers(0, 2**40)
TENSORS = st.lists(
    st.builds(
        lambda name, size, digest, shape: Leaf(Kind.TENSOR, name, size, digest, dtype="F32", shape=tuple(shape)),
        NAME,
        SMALL_SIZE,
        DIGEST,
        st.lists(SMALL_SIZE, max_size=3),
    ),
    max_size=3,
    unique_by=lambda leaf: leaf.name,
)
ENTRY = st.builds(file_entry, PATH, SMALL_SIZE, DIGEST) | st.builds(
    lambda path, size, digest, tensors, metadata: safetensors_entry(
        path, Leaf(Kind.ST_HEADER, "", size, digest), tensors, metadata.items()
    ),
    PATH,
    SMALL_SIZE,
    DIGEST,
    TENSORS,
    st.dictionaries(NAME, NAME, max_size=2),
)
RECEIPT = st.builds(
    lambda digest, evidence: Receipt(kind="memory", digest="sha256:" + digest.hex(), evidence=evidence),
    DIGEST,
    st.dictionaries(NAME, st.none() | st.booleans() | SMALL_SIZE | NAME | st.lists(NAME), max_size=3),
)


@settings(max_examples=60)
@given(
    st.lists(ENTRY, min_size=1, max_size=4, unique_by=lambda entry: entry.path).map(Manifest.of),
    NAME.filter(bool),
    st.dictionaries(NAME, NAME, max_size=2),
    st.lists(RECEIPT, max_size=2),
    st.lists(st.builds(Signature, keyid=NAME, sig=NAME), max_size=2),
)
def test_every_bundle_survives_its_file(manifest, name, annotations, receipts, signatures):
    statement = consistent(name, manifest, annotations=annotations).statement
    bundle = Bundle(statement, manifest, tuple(signatures), tuple(receipts))
    data = bundle.to_json()
    assert Bundle.parse(data) == bundle
    assert Bundle.parse(data).to_json() == data
    assert data.startswith(b'{\n"mediaType": "' + MEDIA_TYPE.encode())
