"""How somebody signs by who they are, and what becomes of it where something is wrong."""

import base64
import json
import sys

import pytest

from mltrust import signing
from mltrust.core.merkle import leaf_hash
from mltrust.core.report import Outcome
from mltrust.errors import SigningError, UsageError
from mltrust.interfaces import Home, Mute, Signer
from mltrust.signers.sigstore import SigstoreSigner


class Told(Mute):
    """A dialogue that remembers what it was told."""

    def __init__(self):
        self.messages = []

    def tell(self, message):
        self.messages.append(message)


@pytest.fixture
def bad(sigstore):
    """An instance of this test's own, to be made a bad one."""
    return sigstore("bad")


def test_it_is_a_signer(here):
    signer = here.signer()
    assert isinstance(signer, Signer)
    assert signer.name == f"sigstore:{here.config}"
    assert signer.public_key() is None
    assert signing.signer_settings("sigstore:staging") == {"identity_token_file"}


def test_the_user_is_told_who_signed(here, payload):
    told = Told()
    here.signer(dialogue=told).sign(payload)
    assert told.messages == [f"Signed as alice@example.org, known to {here.url}"]


def test_one_token_signs_several_times(here, payload):
    signer = here.signer()
    first, second = (signer.sign(payload)[0] for _ in "12")
    assert first != second
    assert here.verifier().confirm(payload, [second]).outcome is Outcome.PASS


def test_the_log_holds_the_payload_by_its_digest_alone(here, payload, signature):
    (entry,) = signature.material["tlogEntries"]
    body = base64.b64decode(entry["canonicalizedBody"])
    proof = entry["inclusionProof"]
    assert b"mltrust" not in body
    assert (int(proof["treeSize"]), len(leaf_hash(body))) == (int(proof["logIndex"]) + 1, 32)


@pytest.mark.parametrize(
    ("claims", "reason"),
    [
        ({"lasts": -60}, "expired"),
        ({"aud": "somebody-else"}, "[Aa]udience"),
        ({"iat": None}, "iat"),
        ({"nbf": 2**40}, "not within its validity period|not yet valid"),
    ],
    ids=str,
)
def test_a_token_that_is_not_good_signs_nothing(here, payload, claims, reason):
    asked = len(here.instance.requests)
    with pytest.raises(UsageError, match=f"identity token: .*({reason})"):
        here.signer(here.token_file(**claims)).sign(payload)
    assert len(here.instance.requests) == asked


def test_a_forged_token_is_refused_with_the_words_of_the_service(here, sigstore, payload):
    forged = here.token_file(key=sigstore("forger").instance.provider.key)
    with pytest.raises(SigningError, match="Signature verification failed") as raised:
        here.signer(forged).sign(payload)
    assert forged.read_text().strip() not in str(raised.value)


def test_the_token_is_kept_from_others(here, payload, tmp_path):
    open_to_all = here.token_file()
    open_to_all.chmod(0o644)
    large = tmp_path / "large"
    large.write_bytes(b"x" * 70_000)
    for file, reason in ((open_to_all, "others can read"), (large, "at most"), (tmp_path / "none", "cannot be read")):
        with pytest.raises(UsageError, match=reason):
            here.signer(file).sign(payload)
    garbage = tmp_path / "garbage"
    garbage.write_bytes(b"\xff\0\n")
    garbage.chmod(0o600)
    with pytest.raises(UsageError, match="malformed"):
        here.signer(garbage).sign(payload)


def _signer(here, tmp_path):
    return SigstoreSigner.from_uri(f"sigstore:{here.config}", Home(tmp_path, tmp_path, Told()), {})


def test_in_ci_the_service_says_who_signs(here, payload, monkeypatch, tmp_path):
    monkeypatch.setenv("GITHUB_ACTIONS", "true")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_TOKEN", "secret")
    monkeypatch.setenv("ACTIONS_ID_TOKEN_REQUEST_URL", f"{here.url}/github?")
    made = _signer(here, tmp_path).sign(payload)
    workflow = "https://github.com/example/model/release.yml@refs/heads/main"
    assert here.verifier(workflow).confirm(payload, made).outcome is Outcome.PASS
    monkeypatch.delenv("ACTIONS_ID_TOKEN_REQUEST_URL")
    with pytest.raises(SigningError) as raised:
        _signer(here, tmp_path).sign(payload)
    assert "id-token: write" in raised.value.hint


def test_where_nobody_can_be_asked_nobody_signs(here, payload, tmp_path):
    with pytest.raises(UsageError, match="nobody says who signs"):
        _signer(here, tmp_path).sign(payload)


def _promise(entry):
    raw = bytearray(base64.b64decode(entry["verification"]["signedEntryTimestamp"]))
    raw[-1] ^= 1
    entry["verification"]["signedEntryTimestamp"] = base64.b64encode(raw).decode()


def _later(entry):
    entry["integratedTime"] += 3600


def _proof(entry):
    entry["verification"]["inclusionProof"]["hashes"] = []


def _body(entry):
    entry["body"] = base64.b64encode(base64.b64decode(entry["body"]).replace(b"sha256", b"sha512")).decode()


def _nothing(entry):
    entry.clear()


@pytest.mark.parametrize("change", [_promise, _later, _proof, _body, _nothing])
def test_what_a_log_says_is_verified_at_once(bad, payload, change):
    def changed(path, answer):
        if path.endswith("/entries"):
            change(answer["a" * 64])
        return answer

    bad.instance.change = changed
    with pytest.raises(SigningError, match="did not sign"):
        bad.signer().sign(payload)


def test_a_certificate_without_a_log_is_refused(bad, sigstore, payload):
    bad.instance.authority.ct = sigstore("another").instance.authority.ct
    with pytest.raises(SigningError, match="SCT verify failed"):
        bad.signer().sign(payload)


@pytest.mark.parametrize(
    "answer", [[], {}, "x", {"signedCertificateEmbeddedSct": {"chain": {"certificates": ["", ""]}}}], ids=str
)
def test_an_authority_that_answers_nonsense(bad, payload, answer):
    bad.instance.change = lambda path, real: answer
    with pytest.raises(SigningError, match=f"sigstore:{bad.config} did not sign"):
        bad.signer().sign(payload)


def test_services_that_are_away(bad, payload):
    bad.instance.stop()
    with pytest.raises(SigningError, match=r"did not sign: .*Connection refused"):
        bad.signer().sign(payload)


@pytest.mark.parametrize("uri", ["file:x", "sigstore", "x"])
def test_only_its_own_scheme(uri, tmp_path):
    with pytest.raises(UsageError, match="names no signer"):
        SigstoreSigner.from_uri(uri, Home(tmp_path, tmp_path), {})


@pytest.mark.parametrize(
    "change",
    [lambda config: "{", lambda config: config | {"signingConfig": {}}, lambda config: config["trustedRoot"]],
    ids=["no-json", "no-services", "root-only"],
)
def test_a_configuration_that_is_none(here, payload, tmp_path, change):
    changed = change(json.loads(here.config.read_text()))
    file = tmp_path / "config.json"
    file.write_text(changed if isinstance(changed, str) else json.dumps(changed))
    with pytest.raises(UsageError, match=r"config\.json"):
        SigstoreSigner.from_uri(f"sigstore:{file}", Home(tmp_path, tmp_path), {}).sign(payload)
    with pytest.raises(UsageError, match=r"not-there"):
        SigstoreSigner.from_uri("sigstore:not-there", Home(tmp_path, tmp_path), {}).sign(payload)


def test_without_the_library(here, payload, monkeypatch):
    for name in [name for name in sys.modules if name.split(".")[0] == "sigstore"]:
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(UsageError) as raised:
        here.signer().sign(payload)
    assert "pip install 'mltrust[sigstore]'" in raised.value.hint
