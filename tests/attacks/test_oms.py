"""Hostile bundles of OpenSSF Model Signing: refused in bounded time and memory, and shown without harm."""

import base64
import json
import os
from hashlib import sha256

import pytest

from mltrust.core.oms.bundle import MAX_BUNDLE_BYTES, read_bundle
from mltrust.core.oms.statement import MAX_RESOURCES
from mltrust.errors import FormatError, MltrustError, UnreadableError
from mltrust.foreign import verify_oms
from mltrust.interfaces import Trust

MEDIA = "application/vnd.dev.sigstore.bundle.v0.3+json"
BYTES = Trust(content_only=True)
DEEP = "[" * 100_000 + "]" * 100_000


def statement(*names, **how):
    digest = sha256(b"x").digest()
    return {
        "_type": "https://in-toto.io/Statement/v1",
        "subject": [{"name": "model", "digest": {"sha256": sha256(digest * len(names)).hexdigest()}}],
        "predicateType": "https://model_signing/signature/v1.0",
        "predicate": {
            "resources": [{"name": name, "algorithm": "sha256", "digest": digest.hex()} for name in names],
            "serialization": {"method": "files", "hash_type": "sha256", "allow_symlinks": False, **how},
        },
    }


def bundle(payload, **more):
    if not isinstance(payload, bytes):
        payload = json.dumps(payload).encode()
    envelope = {
        "payload": base64.b64encode(payload).decode(),
        "payloadType": "application/vnd.in-toto+json",
        "signatures": [{"sig": "AAAA", "keyid": ""}],
    }
    material = {"publicKey": {"hint": "00"}}
    return {"mediaType": MEDIA, "verificationMaterial": material, "dsseEnvelope": envelope, **more}


def read(document):
    return read_bundle(document if isinstance(document, bytes) else json.dumps(document).encode(), "bundle")


GOOD = json.dumps(statement("a")).encode()


def test_the_document_these_are_made_of_is_read():
    assert read(bundle(GOOD)).statement.name == "model"


@pytest.mark.parametrize(
    "document",
    [
        f'{{"mediaType":"{MEDIA}","more":{DEEP}}}'.encode(),
        DEEP.encode(),
        bundle(DEEP.encode()),
        bundle(GOOD[:-1] + f',"more":{DEEP}}}'.encode()),
        bundle(GOOD[:-1] + b',"more":NaN}'),
        bundle(GOOD[:-1] + b',"more":-Infinity}'),
        bundle(GOOD[:-1] + b',"more":9007199254740992}'),
        bundle(GOOD[:-1] + b',"more":' + b"9" * 100_000 + b"}"),
        bundle(GOOD[:-1] + b',"_type":"https://in-toto.io/Statement/v1"}'),
        bundle(GOOD.replace(b'"name": "a"', b'"name": "b", "name": "a"')),
        bundle(GOOD.replace(b'"a"', b'"\\ud800"')),
        bundle(b"\xef\xbb\xbf" + GOOD),
        bundle(b"\xff" + GOOD),
        bundle(GOOD + b"{}"),
        bundle(b""),
        json.dumps(bundle(GOOD)).encode()[:-1] + b',"mediaType":"x"}',
        json.dumps(bundle(GOOD)).encode()[:-1] + b',"more":[' + b"0," * 100_000 + b"0]}",
        bundle(GOOD, dsseEnvelope=bundle(GOOD)["dsseEnvelope"] | {"signatures": [{"sig": "A" * 2**20}]}),
        bundle(
            GOOD, dsseEnvelope=bundle(GOOD)["dsseEnvelope"] | {"signatures": [{"sig": "AAAA", "keyid": "k" * 5000}]}
        ),
        bundle(GOOD, dsseEnvelope=bundle(GOOD)["dsseEnvelope"] | {"payload": "A" * 2**20 + "B=="}),
        bundle(GOOD, dsseEnvelope=bundle(GOOD)["dsseEnvelope"] | {"payload": "\ud83d\ude00"}),
        bundle(statement("a" * 5000)),
        bundle(statement("a", ignore_paths=["b" * 5000])),
        bundle(statement("a", hash_type="x" * 100_000)),
        bundle(statement("a", ignore_paths=[[]] * 5000)),
    ],
    ids=range(25),
)
def test_documents_that_are_to_cost_or_confuse_are_refused(document, memory_below):
    with memory_below(64 * 2**20), pytest.raises(FormatError) as raised:
        read(document)
    assert len(str(raised.value)) < 600


def test_a_million_of_anything_is_refused_before_it_is_built_up(memory_below):
    resources = b"[" + b"{}," * MAX_RESOURCES + b"{}]"
    payload = json.dumps(statement("a") | {"predicate": 0}).encode()[:-2]
    too_many = payload + b'{"serialization":{"method":"files","hash_type":"sha256","allow_symlinks":false},'
    with memory_below(400 * 2**20), pytest.raises(FormatError, match="1 to 1000000"):
        read(bundle(too_many + b'"resources":' + resources + b"}}"))
    with memory_below(200 * 2**20), pytest.raises(FormatError, match="more than 8000000 values"):
        read(bundle(payload + b"[" + b"0," * 8_000_000 + b"0]}"))


def test_a_huge_file_a_device_and_a_pipe_are_not_read(tmp_path):
    (tmp_path / "model").mkdir()
    with (tmp_path / "huge.sig").open("wb") as opened:
        opened.truncate(MAX_BUNDLE_BYTES + 1)
    os.mkfifo(tmp_path / "pipe.sig")
    for name in ("huge.sig", "pipe.sig", "/dev/zero"):
        with pytest.raises(UnreadableError):
            verify_oms(tmp_path / "model", tmp_path / name, trust=BYTES)


def test_no_value_of_another_type_passes_or_breaks(edits, tmp_path):
    """Each scalar of the bundle and of its payload, replaced by each of several others."""
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "a").write_bytes(b"x")
    path, said = tmp_path / "bundle.sig", statement("a", ignore_paths=["b"])
    path.write_text(json.dumps(bundle(said)))
    assert verify_oms(tmp_path / "model", path, trust=BYTES).verdict == "verified"
    harmless = {("subject", 0, "name"), ("predicate", "serialization", "allow_symlinks")}
    harmless |= {("predicate", "serialization", "ignore_paths", 0), ("verificationMaterial", "publicKey", "hint")}
    harmless |= {("dsseEnvelope", "signatures", 0, "sig"), ("dsseEnvelope", "signatures", 0, "keyid")}
    others = (None, True, False, 0, -1, 2**53 - 1, 0.5, "", "x", "00" * 32, [], {}, ["a"], {"a": "a"})
    documents = [(place, document) for place, document in edits(bundle(said), lambda _: others)]
    documents += [(place, bundle(payload)) for place, payload in edits(said, lambda _: others)]
    for place, document in documents:
        path.write_text(json.dumps(document))
        try:
            verdict = verify_oms(tmp_path / "model", path, trust=BYTES).verdict
        except MltrustError:
            verdict = "refused"
        assert verdict != "verified" or place in harmless, (place, document)


def test_names_from_a_bundle_are_shown_escaped(run_installed, tmp_path):
    names = ["\x1b[31mred", "[bold]b[/bold]", "a\n::error::x", "\u202egnp.exe", "<script>", "##[group]g"]
    (tmp_path / "model").mkdir()
    said = statement(*names)
    said["subject"][0]["name"] = "\x1b]0;title\x07\n::warning::model"
    said["subject"][0]["digest"]["\x1b[2J"] = "\x1b[2J\n::error::y"
    (tmp_path / "b.sig").write_text(json.dumps(bundle(said)))
    home = {"MLTRUST_HOME": str(tmp_path / "home")}
    done = run_installed(tmp_path, "verify", "model", "--oms", "b.sig", "--content-only", "--color", "never", **home)
    assert done.code == 1
    assert "removed" in done.out
    assert not {"\x1b", "\x07", "\u202e"} & set(done.out)
    assert not any(line.lstrip().startswith(("::", "##")) for line in done.out.splitlines())
    done = run_installed(tmp_path, "verify", "model", "--oms", "b.sig", "--content-only", "--format", "json", **home)
    assert done.out.isascii()
    assert {change["name"] for change in done.json()["changes"]} == set(names)


def test_options_that_contradict_each_other_are_refused(run_installed, tmp_path):
    (tmp_path / "model").mkdir()
    (tmp_path / "b.sig").write_text("{}")
    for more in (["--oms", "b.sig", "--quick"], ["--oms", "b.sig", "--with-sha256"], ["--oms-legacy"]):
        done = run_installed(tmp_path, "verify", "model", *more, MLTRUST_HOME=str(tmp_path / "home"))
        assert done.code == 2
        assert "--oms" in done.err
