"""What counts as a signature of an identity, and what does not: every wrong one is refused, none by a crash."""

import base64
import json
import sys

import pytest

from mltrust.core.dsse import Signature
from mltrust.core.report import Outcome, SignatureState
from mltrust.core.statement import Statement
from mltrust.errors import UsageError
from mltrust.signers.sigstore import SigstoreVerifier
from mltrust.signers.sigstore.verifier import MAX_MATERIAL_BYTES

EVERY = 5  # of how many bytes one is changed: each costs a millisecond


@pytest.fixture(scope="module")
def mallorys(here, payload):
    (made,) = here.signer(here.token_file("mallory@example.org")).sign(payload)
    return made


@pytest.fixture(scope="module")
def other_payload(payload):
    return Statement.from_json(json.loads(payload) | {"predicate": {"a": 2}}, "here").payload()


def test_what_an_identity_signed_is_good_for_whoever_names_it(here, payload, signature):
    asked = len(here.instance.requests)
    for root in (here.root, here.config):
        check = here.verifier(trust_root=root).confirm(payload, [signature])
        assert (check.outcome, check.state) == (Outcome.PASS, SignatureState.VERIFIED), check
        assert (check.kinds, check.level) == (("sigstore",), f"sigstore: {root}")
        assert "alice@example.org" in check.summary
    (entry,) = signature.material["tlogEntries"]
    assert check.time.not_after.endswith("Z")
    assert int(entry["integratedTime"]) % 60 == int(check.time.not_after[-3:-1])
    assert len(here.instance.requests) == asked, "nobody is asked"


def test_the_right_one_is_found_among_others(here, payload, signature, mallorys):
    by_key = Signature.of("sha256:" + "0" * 64, b"x")
    of_key_with_a_hint = Signature.of("", b"x", {"publicKey": {"hint": "x"}})
    found = [by_key, of_key_with_a_hint, mallorys, signature.model_copy(update={"sig": ""}), signature]
    assert here.verifier().confirm(payload, found).outcome is Outcome.PASS
    assert here.verifier("mallory@example.org").confirm(payload, found).outcome is Outcome.PASS
    assert here.verifier().confirm(payload, found[:4]).state is SignatureState.INVALID
    for without in ([], found[:2], found[:3]):
        check = here.verifier().confirm(payload, without)
        assert (check.outcome, check.state) == (Outcome.FAIL, SignatureState.ABSENT)


@pytest.mark.parametrize(
    "asked",
    [
        {"identity": "alice@example.com"},
        {"identity": "Alice@example.org"},
        {"identity": "alice@example.org "},
        {"identity": ".*"},
        {"issuer": "https://accounts.example.org"},
        {"issuer": "http://127.0.0.1"},
    ],
    ids=str,
)
def test_another_identity_or_provider_is_none(here, payload, signature, asked):
    check = here.verifier(**asked).confirm(payload, [signature])
    assert (check.outcome, check.state) == (Outcome.FAIL, SignatureState.ABSENT)
    assert "the certificate is that of alice@example.org, known to http://127.0.0.1:" in check.summary


@pytest.mark.parametrize("asked", [{"identity": None}, {"identity": ""}, {"issuer": None}, {"issuer": ""}], ids=str)
def test_identity_and_provider_are_both_needed(here, asked):
    with pytest.raises(UsageError, match="an identity and the provider"):
        here.verifier(**asked)


def test_another_instance_is_not_trusted(sigstore, here, payload, signature):
    other = sigstore("other")
    same = json.loads(other.root.read_text())
    same["certificateAuthorities"] = json.loads(here.root.read_text())["certificateAuthorities"]
    mixed = other.root.with_name("mixed.json")
    mixed.write_text(json.dumps(same))
    for root, state in ((other.root, "untrusted"), (None, "untrusted"), (mixed, "invalid")):
        check = here.verifier(trust_root=root).confirm(payload, [signature])
        assert (check.outcome, check.state) == (Outcome.FAIL, state), check
        assert ("--trust-root" in (check.hint or "")) == (root is None)


def test_a_signature_is_over_one_payload_with_its_own_material(here, payload, other_payload, signature, mallorys):
    (other,) = here.signer().sign(other_payload)
    swapped = [signature.model_copy(update={"material": each.material}) for each in (other, mallorys)]
    stripped = [signature.model_copy(update={"material": each}) for each in (None, {}, {"certificate": {}})]
    for wrong in (other, *swapped, *stripped):
        assert here.verifier().confirm(payload, [wrong]).outcome is Outcome.FAIL
    assert here.verifier().confirm(payload + b" ", [signature]).state is SignatureState.INVALID
    assert here.verifier().confirm(other_payload, [other]).outcome is Outcome.PASS


def _changes(value):
    """Yield a scalar of the material with one bit of one byte changed, and what else it might be."""
    try:
        raw = base64.b64decode(value, validate=True) if len(value) > 20 else None
    except ValueError:
        raw = None
    for at in range(0, len(raw or value), EVERY if len(value) > 20 else 1):
        if raw:
            yield base64.b64encode(raw[:at] + bytes([raw[at] ^ 1 << at % 8]) + raw[at + 1 :]).decode()
        else:
            yield value[:at] + chr(ord(value[at]) ^ 1) + value[at + 1 :]
    yield from ("", value[:-1], "9" * 30, None, 5, [], {})


def _checkpoint(material):
    """Its words: three lines, a dash, the name of who signed, the signature."""
    return material["tlogEntries"][0]["inclusionProof"]["checkpoint"]["envelope"].split()


def test_no_change_passes(here, payload, signature, edits):
    verifier, tried = here.verifier(), 0
    for place, changed in edits(signature.material, _changes):
        check = verifier.confirm(payload, [signature.model_copy(update={"material": changed})])
        if check.outcome is Outcome.PASS:  # the name beside a log's signature is a hint, and signed by nobody
            assert place[-1] == "envelope"
            was, now = (_checkpoint(each) for each in (signature.material, changed))
            assert (now[:-2], now[-1]) == (was[:-2], was[-1])
        tried += 1
    for sig in _changes(signature.sig):
        if isinstance(sig, str):
            check = verifier.confirm(payload, [signature.model_copy(update={"sig": sig})])
            assert check.outcome is Outcome.FAIL, sig
    assert tried > 400


def test_nothing_that_is_left_out_passes(here, payload, signature):
    def without(value):
        for key in value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ():
            rest = (
                {k: v for k, v in value.items() if k != key}
                if isinstance(value, dict)
                else value[:key] + value[key + 1 :]
            )
            yield rest
            for below in without(value[key]):
                yield {**value, key: below} if isinstance(value, dict) else [*value[:key], below, *value[key + 1 :]]

    material = {key: value for key, value in signature.material.items() if key != "timestampVerificationData"}
    assert (
        here.verifier().confirm(payload, [signature.model_copy(update={"material": material})]).outcome is Outcome.PASS
    )
    shorter = list(without(material))
    assert len(shorter) > 15
    for each in shorter:
        check = here.verifier().confirm(payload, [signature.model_copy(update={"material": each})])
        assert check.outcome is Outcome.FAIL, each


def test_a_time_that_the_log_did_not_sign_is_none(here, payload, signature):
    (entry,) = signature.material["tlogEntries"]
    bare = {key: value for key, value in entry.items() if key != "inclusionPromise"}
    stamps = {"rfc3161Timestamps": [{"signedTimestamp": base64.b64encode(b"\x30\x00").decode()}]}
    for time in ({}, {"timestampVerificationData": stamps}):
        material = {**signature.material, "tlogEntries": [bare], **time}
        check = here.verifier().confirm(payload, [signature.model_copy(update={"material": material})])
        assert check.outcome is not Outcome.PASS
        assert check.time is None


def test_material_is_bounded(here, payload, signature):
    large = {**signature.material, "more": "x" * MAX_MATERIAL_BYTES}
    check = here.verifier().confirm(payload, [signature.model_copy(update={"material": large})])
    assert "larger than" in check.summary
    deep = json.loads("[" * 500 + "]" * 500)
    material = {**signature.material, "more": deep}
    assert (
        here.verifier().confirm(payload, [signature.model_construct(keyid="", sig="", material=material)]).outcome
        is not Outcome.PASS
    )


@pytest.mark.parametrize("content", [None, "", "{", "[]", "{}", '{"mediaType": 5}', "\xff", "clienttrustconfig"])
def test_a_root_that_is_none_is_the_callers_mistake(here, payload, signature, tmp_path, content):
    file = tmp_path / "root.json"
    if content is not None:
        file.write_bytes(content.encode("latin-1"))
    with pytest.raises(UsageError, match=r"root\.json"):
        here.verifier(trust_root=file).confirm(payload, [signature])


def test_without_the_library_nothing_is_decided(payload, signature, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "sigstore"]:
        monkeypatch.setitem(sys.modules, name, None)
    verifier = SigstoreVerifier("alice", identity="alice@example.org", issuer="https://accounts.example.org")
    check = verifier.confirm(payload, [signature])
    assert (check.outcome, check.state) == (Outcome.UNCHECKED, SignatureState.UNAVAILABLE)
    assert "pip install 'mltrust[sigstore]'" in check.hint
    assert verifier.confirm(payload, []).outcome is Outcome.FAIL, "that takes no library"
