"""What bundles of others may look like, what is refused of them, and what is said of the models they come with."""

import base64
import json
import os
from hashlib import sha256

import pytest
from blake3 import blake3
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from hypothesis import given
from hypothesis import strategies as st

from mltrust.core.dsse import pae
from mltrust.core.exclusion import Exclusions, path_pattern, plain_path
from mltrust.core.oms.bundle import read_bundle
from mltrust.core.public_key import read_public_key
from mltrust.errors import ArtifactError, FormatError, UnreadableError, UsageError
from mltrust.foreign import verify_oms
from mltrust.interfaces import Trust, TrustedKey, TrustedSigner
from mltrust.signers.key import KeyVerifier

KEY = ec.generate_private_key(ec.SECP256R1())
PEM = KEY.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
DER = KEY.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
HINT = sha256(PEM).hexdigest()
PUBLIC = read_public_key(PEM, "key")
TRUST = Trust(signers=[TrustedSigner("acme", [TrustedKey(KeyVerifier("acme", PUBLIC))])])
FILES = {"config.json": b"{}", "model.bin": b"weights", "deep/er/notes.txt": b"notes"}


def resource(name, data, algorithm="sha256"):
    new = {"sha256": sha256, "blake3": blake3}[algorithm]
    return {"name": name, "algorithm": algorithm, "digest": new(data).hexdigest()}


def statement(files=FILES, how=None, **more):
    """Return a statement of some files; `how` changes the serialization, `more` the statement."""
    serialization = {"method": "files", "hash_type": "sha256", "allow_symlinks": False, "ignore_paths": [".git"]}
    serialization |= how or {}
    algorithm = serialization["hash_type"]
    listed = more.pop("listed", None) or [resource(name, data, algorithm) for name, data in files.items()]
    root = sha256(b"".join(bytes.fromhex(each["digest"]) for each in listed)).hexdigest()
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model", "digest": {"sha256": root}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {"resources": listed, "serialization": serialization},
        **more,
    }


def bundle(said=None, material=None, keyid="", before=(), **more):
    payload = json.dumps(said or statement()).encode()
    value = KEY.sign(pae(payload), ec.ECDSA(hashes.SHA256()))
    signature = {"sig": base64.b64encode(value).decode(), **({} if keyid is ... else {"keyid": keyid})}
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [*before, signature],
    }
    return {
        "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
        "verificationMaterial": material or {"publicKey": {"hint": HINT}, "tlogEntries": []},
        "dsseEnvelope": envelope,
        **more,
    }


@pytest.fixture
def verify(tmp_path):
    """Return what writes a model and a bundle beside it, and verifies the one against the other."""

    def write(files, document):
        model, path = tmp_path / "model", tmp_path / "bundle.sig"
        for name, data in files.items():
            (model / name).parent.mkdir(parents=True, exist_ok=True)
            (model / name).write_bytes(data)
        path.write_text(json.dumps(document))
        return model, path

    def run(document, files=FILES, trust=TRUST, **more):
        return verify_oms(*write(files, document), trust=trust, **more)

    run.write = write
    return run


def encoded(data):
    return base64.b64encode(data).decode()


@pytest.mark.parametrize(
    "document",
    [
        bundle(),
        bundle(keyid=None),
        bundle(keyid=...),
        bundle(keyid="somebody's key"),
        bundle(keyid=PUBLIC.id),
        bundle(material={"publicKey": {}}),
        bundle(material={"publicKey": {"rawBytes": encoded(PEM), "keyDetails": "PKIX_ECDSA_P256_SHA_256"}}),
        bundle(material={"publicKey": {"rawBytes": encoded(DER), "hint": None}}),
        bundle(material={"publicKey": {"rawBytes": encoded(b"what is that")}}),
        bundle(material={"publicKey": {"hint": HINT}, "timestampVerificationData": {"rfc3161Timestamps": []}}),
        bundle(mediaType="application/vnd.dev.sigstore.bundle+json;version=0.1"),
        bundle(mediaType="application/vnd.dev.sigstore.bundle+json;version=0.2"),
        bundle(more={"nobody": "knows it"}),
        bundle(before=[{"sig": encoded(b"of somebody else"), "keyid": "other"}]),
        bundle(statement(dict(reversed(FILES.items())))),
        bundle(statement(how={"hash_type": "blake3"})),
        bundle(statement(how={"shard_size": None, "else": 1})),
    ],
    ids=range(17),
)
def test_what_signers_write_is_taken(verify, document):
    assert verify(document).verdict == "verified"


def test_annotations_and_other_digests_are_shown_and_not_believed(verify):
    said = statement()
    said["subject"][0] |= {"annotations": {"a": 0.5}}
    said["subject"][0]["digest"]["mltrust-1"] = "ab" * 32
    said["predicate"]["resources"][0]["annotations"] = {"mltrust-1": {"digest": "cd" * 32}}
    report = verify(bundle(said))
    assert report.verdict == "verified"
    (notice,) = [notice for notice in report.notices if notice.code == "oms-digest"]
    assert f"mltrust-1:{'ab' * 32}, which was not compared" in notice.message
    with pytest.raises(UsageError, match="a fingerprint is that of a seal"):
        verify(bundle(said), trust=Trust(fingerprint="ab" * 32))


def without(document, *place):
    copy = below = json.loads(json.dumps(document))
    for step in place[:-1]:
        below = below[step]
    del below[place[-1]]
    return copy


GOOD = bundle()
ONE = {"a": b"x"}


@pytest.mark.parametrize(
    ("document", "what"),
    [
        (without(GOOD, "mediaType"), "mediaType"),
        (bundle(mediaType="application/vnd.dev.sigstore.bundle.v0.1+json"), "mediaType"),
        (bundle(mediaType="application/vnd.dev.sigstore.bundle.v0.4+json"), "mediaType"),
        (bundle(messageSignature={}), "one file"),
        (without(GOOD, "verificationMaterial"), "verificationMaterial"),
        (bundle(material={"tlogEntries": []}), "verificationMaterial has 0"),
        (bundle(material={"publicKey": {}, "certificate": {}}), "verificationMaterial has 2"),
        (bundle(material={"publicKey": "key"}), "publicKey"),
        (bundle(material={"publicKey": {"hint": 7}}), "hint"),
        (bundle(material={"publicKey": {"rawBytes": "?"}}), "rawBytes"),
        (without(GOOD, "dsseEnvelope"), "dsseEnvelope"),
        (without(GOOD, "dsseEnvelope", "payloadType"), "payloadType"),
        (without(GOOD, "dsseEnvelope", "payload"), "payload"),
        (without(GOOD, "dsseEnvelope", "signatures"), "signatures"),
        (without(GOOD, "dsseEnvelope", "signatures", 0), "signatures: expected 1 to 64"),
        (without(GOOD, "dsseEnvelope", "signatures", 0, "sig"), "sig"),
        (bundle(before=[{"sig": "AAAA"}] * 64), "signatures: expected 1 to 64"),
        (bundle(before=[{"sig": "AA"}]), "not base64"),
        (bundle(before=[{"sig": "AB=="}]), "canonical base64"),
        (bundle(statement(_type="https://in-toto.io/Statement/v0.1")), "type"),
        (bundle(statement(predicateType="https://slsa.dev/provenance/v1")), "predicateType"),
        (bundle(statement(subject=[])), "subject"),
        (bundle(statement(subject=[{"name": "a", "digest": {}}])), "subject"),
        (bundle(statement(subject=statement()["subject"] * 2)), "2 subjects"),
        (bundle(statement(predicate=[])), "predicate"),
        (bundle(statement(how={"ignore_paths": ["."]})), "whole model"),
        (bundle(statement(how={"ignore_paths": ["a/../b"]})), "plain relative path"),
        (bundle(statement(how={"ignore_paths": ["/"]})), "plain relative path"),
        (bundle(statement(how={"ignore_paths": ["/etc"]})), "plain relative path"),
        (bundle(statement(how={"ignore_paths": ["a/"]})), "plain relative path"),
        (bundle(statement(how={"ignore_paths": ["x"] * 2**17})), "more than 65792 values"),
        (bundle(statement(how={"ignore_paths": ".git"})), "serialization"),
        (bundle(statement(how={"allow_symlinks": "false"})), "serialization"),
        (bundle(statement(how={"method": "shards", "shard_size": 10})), "its method is 'shards'"),
        (bundle(statement(listed=[resource("a", b"x") | {"algorithm": "blake2b"}])), "not the hash_type"),
        (bundle(statement(how={"hash_type": "sha256"}, listed=[resource("a", b"x", "blake3")])), "not the hash_type"),
        (bundle(statement(listed=[resource("a", b"x")] * 2)), "'a' is listed twice"),
        (bundle(statement(listed=[resource(".", b"x"), resource("a", b"x")])), "beside others"),
        (bundle(statement(listed=[resource("", b"x")])), "plain relative path"),
        (bundle(statement(listed=[resource("/etc/passwd", b"x")])), "plain relative path"),
        (bundle(statement(listed=[resource("a//b", b"x")])), "plain relative path"),
        (bundle(statement(listed=[resource("a\0b", b"x")])), "plain relative path"),
        (bundle(statement(listed=[resource("a", b"x") | {"digest": "AB" * 32}])), "lower-case"),
        (bundle(statement(listed=[resource("a", b"x") | {"digest": "ab" * 31}])), "lower-case"),
    ],
    ids=range(44),
)
def test_what_is_odd_is_refused_with_its_place(verify, document, what):
    with pytest.raises(UnreadableError, match=what) as raised:
        verify(document)
    assert "bundle.sig" in str(raised.value)


def test_a_hash_that_is_not_read_is_said_so(verify):
    said = statement()
    said["predicate"]["serialization"]["hash_type"] = "blake2b"
    with pytest.raises(UnreadableError, match="hash_type is 'blake2b'") as raised:
        verify(bundle(said))
    assert "SHA-256 or BLAKE3" in raised.value.hint


def test_a_single_file_goes_by_its_name_or_by_none(verify):
    for name, verdict in (("model.bin", "verified"), (".", "verified"), ("other.bin", "failed")):
        model, path = verify.write(FILES, bundle(statement({name: FILES["model.bin"]})))
        assert verify_oms(model / "model.bin", path, trust=TRUST).verdict == verdict
    assert [change.kind for change in verify_oms(model / "model.bin", path, trust=TRUST).changes] == ["renamed"]


@pytest.mark.parametrize("files", [{}, {"only": b"weights"}], ids=["empty", "of one file"])
def test_a_folder_is_no_single_file(verify, tmp_path, files):
    (tmp_path / "model").mkdir()
    assert verify(bundle(statement({".": b"weights"})), files).verdict == "failed"


def test_what_was_left_out_and_our_own_files_are_named_not_checked(verify):
    ours = {".git/config": b"1", "skip me/[x]/file": b"2", "mltrust.seal.json": b"{}", "mltrust.seal.records": b"4"}
    model, _ = verify.write({**FILES, **ours}, {})
    said = statement(how={"ignore_paths": [".git", "skip me/[x]", "not there"]})
    (model / "in.sig").write_text(json.dumps(bundle(said)))
    report = verify_oms(model, model / "in.sig", trust=TRUST)
    assert report.verdict == "verified"
    left_out = (".git", "in.sig", "mltrust.seal.json", "mltrust.seal.records", "skip me/[x]")
    assert report.scope.left_out == left_out
    assert "seal-not-verified" in {notice.code for notice in report.notices}
    (model / "skip me" / "x").mkdir()
    (model / "skip me" / "x" / "file").write_bytes(b"not what is left out")
    assert [change.name for change in verify_oms(model, model / "in.sig", trust=TRUST).changes] == ["skip me/x/file"]


def test_a_seal_that_was_signed_with_the_model_is_checked_like_any_file(verify):
    files = {**FILES, "mltrust.seal.json": b"{}"}
    assert verify(bundle(statement(files)), files).verdict == "verified"
    changed = verify(bundle(statement(files)), {"mltrust.seal.json": b"{ }"})
    assert [change.name for change in changed.changes] == ["mltrust.seal.json"]


def test_without_a_word_on_what_was_left_out_it_is_what_oms_leaves_out(verify):
    said = statement()
    del said["predicate"]["serialization"]["ignore_paths"]
    report = verify(bundle(said), {**FILES, ".git/config": b"1", ".gitattributes": b"2"})
    assert report.verdict == "verified"
    assert report.scope.left_out == (".git", ".gitattributes")
    assert "oms-left-out" in {notice.code for notice in report.notices}
    added = verify(bundle(said), {"deep/.git/config": b"1"})
    assert [change.name for change in added.changes] == ["deep/.git/config"]
    assert added.verdict == "failed"
    assert verify(bundle(said), {}, exclude=["/deep/.git"]).verdict == "verified"


@pytest.mark.parametrize("ignored", [None, [], [".git"]])
def test_what_belongs_to_git_is_left_out_unless_it_is_signed(verify, ignored):
    theirs = {".git/config": b"1", ".gitattributes": b"2", ".github/a": b"3", ".gitignore": b"4"}
    report = verify(bundle(statement(how={"ignore_paths": ignored})), {**FILES, **theirs})
    assert report.verdict == "verified"
    assert report.scope.left_out == (".git", ".gitattributes", ".github", ".gitignore")
    signed = {**FILES, ".gitattributes": b"2", ".github/a": b"3"}
    said = bundle(statement(signed, how={"ignore_paths": ignored}))
    report = verify(said, {})
    assert (report.verdict, report.scope.left_out) == ("verified", (".git", ".gitignore"))
    report = verify(said, {".gitattributes": b"*", ".github/b": b"5"})
    assert {(each.kind, each.name) for each in report.changes} == {
        ("changed", ".gitattributes"),
        ("added", ".github/b"),
    }


def test_what_a_killed_write_left_is_named_not_checked(verify):
    left = {".mltrust-tmp-0123": b"half"}
    report = verify(bundle(), {**FILES, **left})
    assert (report.verdict, report.scope.left_out) == ("verified", (".mltrust-tmp-0123",))
    assert verify(bundle(statement({**FILES, **left}))).verdict == "verified", "it was signed"
    report = verify(bundle(statement({**FILES, **left})), {".mltrust-tmp-0123": b"other"})
    assert [each.name for each in report.changes] == [".mltrust-tmp-0123"]
    deep = verify(bundle(), {"deep/.mltrust-tmp-0": b""})
    assert "deep/.mltrust-tmp-0" in {each.name for each in deep.changes}


def test_a_size_that_nobody_states_is_not_made_up(verify):
    changed = verify(bundle(), {**FILES, "config.json": b"{ }"}).changes[0]
    assert (changed.kind, changed.before.size, changed.after.size) == ("changed", None, 3)
    model, path = verify.write({**FILES, "config.json": b""}, bundle())
    (model / "model.bin").unlink()
    found = {change.name: change for change in verify_oms(model, path, trust=TRUST).changes}
    assert (found["config.json"].kind, found["config.json"].before.size) == ("truncated", None)
    assert (found["model.bin"].kind, found["model.bin"].before.size) == ("removed", None)


def test_a_pointer_to_the_bytes_is_neither_a_difference_nor_a_yes(verify):
    def pointer(data):
        text = f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256(data).hexdigest()}\nsize {len(data)}\n"
        return {**FILES, "model.bin": text.encode()}

    report = verify(bundle(), pointer(FILES["model.bin"]))
    assert (report.verdict, report.scope.pointers, report.scope.bytes_not_here) == ("inconclusive", 1, 7)
    assert "its content is not here" in report.checks[1].summary
    report = verify(bundle(), pointer(b"other"))
    assert (report.verdict, report.changes[0].kind) == ("failed", "pointer")
    report = verify(bundle(statement(how={"hash_type": "blake3"})), pointer(FILES["model.bin"]))
    assert (report.verdict, report.changes[0].kind) == ("inconclusive", "pointer")
    report = verify(bundle(), pointer(FILES["model.bin"]) | {"more": b""})
    assert (report.verdict, report.changes[0].kind) == ("failed", "added")


def test_who_must_vouch_is_said_by_the_caller_alone(verify):
    report = verify(bundle(), trust=Trust())
    assert report.verdict == "inconclusive"
    assert any("--certificate-chain" in (check.hint or "") for check in report.checks)
    assert verify(bundle(), trust=Trust(content_only=True)).verdict == "verified"
    other = (
        ec.generate_private_key(ec.SECP256R1())
        .public_key()
        .public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
    )
    raw = {"publicKey": {"rawBytes": encoded(PEM)}}
    stranger = KeyVerifier("other", read_public_key(other, "other"))
    report = verify(bundle(material=raw), trust=Trust(signers=[TrustedSigner("other", [TrustedKey(stranger)])]))
    assert report.verdict == "failed"


def test_special_files_and_links_out_are_refused(verify, tmp_path):
    model, path = verify.write(FILES, bundle())
    (model / "link").symlink_to(tmp_path)
    with pytest.raises(ArtifactError, match="leads out"):
        verify_oms(model, path, trust=TRUST)
    (model / "link").unlink()
    os.mkfifo(model / "pipe")
    with pytest.raises(ArtifactError, match="FIFO"):
        verify_oms(model, path, trust=TRUST)
    with pytest.raises(ArtifactError, match="does not exist"):
        verify_oms(tmp_path / "nothing", path, trust=TRUST)
    with pytest.raises(UnreadableError, match="cannot be read"):
        verify_oms(model, tmp_path / "nothing.sig", trust=TRUST)


def test_old_signatures_are_read_of_certificates_only(verify):
    with pytest.raises(UsageError, match="acme: old signatures"):
        verify(bundle(), old=True)


@given(st.lists(st.text("ab*?[]\\!# -.ü", min_size=1, max_size=6), min_size=1, max_size=3).map("/".join))
def test_a_path_has_a_pattern_of_its_own(path):
    if any(part in {".", ".."} for part in path.split("/")) or path.count("*") > 3 or "**" in path:
        return
    pattern = path_pattern(path)
    out = Exclusions([pattern])
    assert out.match(path, folder=False)
    assert plain_path(pattern) == path
    for other in (f"x{path}", f"{path}x", f"x/{path}", path.replace("*", "x"), path.replace("\\", "x")):
        if other != path:
            assert not out.match(other, folder=False)


def test_the_parts_of_a_bundle_are_as_they_stand():
    found = read_bundle(json.dumps(GOOD).encode(), "bundle")
    assert found.payload == base64.b64decode(GOOD["dsseEnvelope"]["payload"])
    assert found.signatures[0].material == GOOD["verificationMaterial"]
    assert found.signatures[0].keyid == HINT
    assert [file.name for file in found.statement.files] == list(FILES)
    raw = bundle(material={"publicKey": {"rawBytes": encoded(PEM)}})
    assert read_bundle(json.dumps(raw).encode(), "bundle").signatures[0].keyid == PUBLIC.id


@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_whatever_is_no_bundle_is_refused_in_our_words(data):
    with pytest.raises(FormatError):
        read_bundle(data, "bundle")
