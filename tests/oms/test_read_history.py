"""Bundles that earlier releases of model-signing wrote are verified, for ever."""

import base64
import json
from datetime import UTC, datetime
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives.serialization import Encoding

from mltrust.core.public_key import read_public_key
from mltrust.foreign import verify_oms
from mltrust.interfaces import Trust, TrustedKey, TrustedSigner
from mltrust.signers.certificate import CertificateVerifier
from mltrust.signers.key import KeyVerifier

HISTORY = Path(__file__).parents[1] / "vectors" / "oms" / "history"
THEN = datetime(2026, 1, 1, tzinfo=UTC)
WITH_KEY = {"signme-1": b"signme-1\n", "signme-2": b"signme-2"}
OTHERS = {"signme-1": b"signme-1", "signme-2": b"signme-2"}


def material(release):
    return json.loads((HISTORY / release / "model.sig").read_text())["verificationMaterial"]


def trusting(verifier):
    return Trust(signers=[TrustedSigner("they", [TrustedKey(verifier)])])


def by_key():
    pem = base64.b64decode(material("v0.3.1-elliptic-key")["publicKey"]["rawBytes"])
    return trusting(KeyVerifier("key", read_public_key(pem, "key")))


def by_certificate(when=THEN):
    raw = material("v1.1.0-certificate")["x509CertificateChain"]["certificates"][1]["rawBytes"]
    pem = x509.load_der_x509_certificate(base64.b64decode(raw)).public_bytes(Encoding.PEM)
    return trusting(CertificateVerifier("chain", pem, lambda: when))


@pytest.fixture
def model(tmp_path):
    def fill(files):
        for name, data in files.items():
            (tmp_path / name).write_bytes(data)
        return tmp_path

    return fill


def verdict(artifact, release, trust, **more):
    return verify_oms(artifact, HISTORY / release / "model.sig", trust=trust, **more).verdict


@pytest.mark.parametrize("release", ["v0.3.1", "v1.0.0"])
def test_a_single_file_signed_with_a_key(model, release):
    folder, release = model(WITH_KEY), f"{release}-elliptic-key"
    assert verdict(folder / "signme-1", release, by_key()) == "verified"
    assert verdict(folder / "signme-2", release, by_key()) == "failed"
    assert verdict(folder, release, by_key()) == "failed"  # a folder is not the file


def test_a_folder_signed_with_a_key_leaves_out_what_it_says(model):
    folder = model({**WITH_KEY, "ignore-me": b"not signed"})
    assert verdict(folder, "v1.1.0-elliptic-key", by_key()) == "verified"
    (folder / "signme-2").write_bytes(b"signme-3")
    assert verdict(folder, "v1.1.0-elliptic-key", by_key()) == "failed"


@pytest.mark.parametrize("release", ["v0.3.1-certificate", "v1.1.0-certificate"])
def test_a_folder_signed_with_a_certificate(model, release):
    folder = model(OTHERS)
    assert verdict(folder, release, by_certificate()) == "verified"
    assert verdict(folder, release, by_certificate(THEN.replace(year=2036))) == "failed"
    assert verdict(folder, release, by_certificate(THEN.replace(year=2024))) == "failed"


def test_what_an_old_bundle_does_not_say_is_left_out_can_be_named(model):
    folder = model({**OTHERS, "ignore-me": b"not signed", ".gitignore": b"*.tmp"})
    assert verdict(folder, "v0.3.1-certificate", by_certificate()) == "failed"
    found = verify_oms(
        folder, HISTORY / "v0.3.1-certificate" / "model.sig", trust=by_certificate(), exclude=["/ignore-me"]
    )
    assert found.verdict == "verified"
    assert found.scope.left_out == (".gitignore", "ignore-me")


def test_the_first_format_is_read_and_its_false_signatures_only_where_they_are_asked_for(model):
    folder = model(OTHERS)
    assert verdict(folder, "v0.2.0-certificate", by_certificate()) == "failed"
    assert verdict(folder, "v0.2.0-certificate", by_certificate(), old=True) == "verified"
    assert verdict(folder, "v1.1.0-certificate", by_certificate(), old=True) == "verified"
    (folder / "signme-2").write_bytes(b"signme-3")
    assert verdict(folder, "v0.2.0-certificate", by_certificate(), old=True) == "failed"


def test_a_folder_signed_without_a_key(model):
    pytest.importorskip("sigstore")
    from mltrust.signers.sigstore import SigstoreVerifier

    def by(identity):
        issuer = "https://sigstore.verify.ibm.com/oauth2"
        return trusting(SigstoreVerifier(identity, identity=identity, issuer=issuer, trust_root=None))

    folder = model(OTHERS)
    assert verdict(folder, "v1.0.0-sigstore", by("stefanb@us.ibm.com")) == "verified"
    assert verdict(folder, "v1.0.0-sigstore", by("somebody@us.ibm.com")) == "failed"
