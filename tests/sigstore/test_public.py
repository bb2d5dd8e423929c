"""A signature of others on the public instance, verified with what the installed library knows, and no network."""

import socket
from pathlib import Path

import pytest

from mltrust.core.oms.bundle import read_bundle
from mltrust.core.report import Outcome, SignatureState
from mltrust.signers.sigstore import SigstoreVerifier

HISTORY = Path(__file__).parents[1] / "vectors" / "oms" / "history"
IDENTITY, ISSUER = "stefanb@us.ibm.com", "https://sigstore.verify.ibm.com/oauth2"


@pytest.fixture
def bundle():
    return read_bundle((HISTORY / "v1.0.0-sigstore" / "model.sig").read_bytes(), "model.sig")


@pytest.fixture(autouse=True)
def _no_network(monkeypatch):
    def refuse(*_):
        raise AssertionError("it asks the network")

    monkeypatch.setattr(socket.socket, "connect", refuse)
    monkeypatch.setattr(socket, "getaddrinfo", refuse)


def test_a_bundle_of_the_public_instance(bundle):
    check = SigstoreVerifier("they", identity=IDENTITY, issuer=ISSUER).confirm(bundle.payload, bundle.signatures)
    assert check.outcome is Outcome.PASS, check
    assert check.time.not_after == "2025-05-03T01:34:46Z"
    assert check.level.startswith("sigstore: the public instance, as known to sigstore ")


def test_not_for_another_identity_or_payload(bundle, here):
    for identity, issuer in ((f"x{IDENTITY}", ISSUER), (IDENTITY, "https://accounts.google.com")):
        check = SigstoreVerifier("they", identity=identity, issuer=issuer).confirm(bundle.payload, bundle.signatures)
        assert (check.outcome, check.state) == (Outcome.FAIL, SignatureState.ABSENT)
    they = SigstoreVerifier("they", identity=IDENTITY, issuer=ISSUER)
    assert they.confirm(bundle.payload + b"\n", bundle.signatures).state is SignatureState.INVALID
    check = here.verifier(IDENTITY, ISSUER).confirm(bundle.payload, bundle.signatures)
    assert check.state is SignatureState.UNTRUSTED


def test_nothing_of_the_users_is_read_or_written(bundle, monkeypatch, tmp_path):
    for name in ("HOME", "XDG_DATA_HOME", "XDG_CACHE_HOME"):
        monkeypatch.setenv(name, str(tmp_path))
    check = SigstoreVerifier("they", identity=IDENTITY, issuer=ISSUER).confirm(bundle.payload, bundle.signatures)
    assert check.outcome is Outcome.PASS
    assert not list(tmp_path.iterdir())


def test_a_kind_of_entry_that_is_not_known_is_left_open(bundle):
    (signature,) = bundle.signatures
    (entry,) = signature.material["tlogEntries"]
    newer = {**entry, "kindVersion": {"kind": "dsse", "version": "0.0.9"}}
    material = {**signature.material, "tlogEntries": [newer]}
    they = SigstoreVerifier("they", identity=IDENTITY, issuer=ISSUER)
    check = they.confirm(bundle.payload, [signature.model_copy(update={"material": material})])
    assert (check.outcome, check.state) == (Outcome.UNCHECKED, SignatureState.UNSUPPORTED)
