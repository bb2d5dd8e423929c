"""The newer log (Rekor v2): it signs no time, so an authority (RFC 3161, here `openssl ts`) says when."""

import base64
import json
import shutil
import subprocess
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mltrust.core import canonical
from mltrust.core.report import Outcome, SignatureState
from mltrust.errors import SigningError

OPENSSL = shutil.which("openssl")
CONFIGURATION = """
[tsa]
default_tsa = here
[here]
serial = serial
signer_cert = tsa.pem
signer_key = tsa.key
signer_digest = sha256
default_policy = 1.2.3.4.1
digests = sha256
"""
SINCE = datetime(2020, 1, 1, tzinfo=UTC)


def _certificate(name, issuer=None):
    key, subject = ec.generate_private_key(ec.SECP256R1()), x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    above, by = issuer or (key, subject)
    builder = x509.CertificateBuilder(by, subject, key.public_key(), x509.random_serial_number())
    builder = builder.not_valid_before(SINCE).not_valid_after(SINCE + timedelta(days=36500))
    extension = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING])
    if issuer is None:
        extension = x509.BasicConstraints(ca=True, path_length=None)
    return key, builder.add_extension(extension, critical=True).sign(above, hashes.SHA256())


def _text(data):
    return base64.b64encode(data).decode()


class Stamps:
    """A time-stamp authority."""

    def __init__(self, folder):
        self.folder, self.away = folder, False
        root_key, self.root = _certificate("Clock Root")
        key, self.leaf = _certificate("Clock", (root_key, self.root.subject))
        (folder / "tsa.pem").write_bytes(self.leaf.public_bytes(serialization.Encoding.PEM))
        how = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
        (folder / "tsa.key").write_bytes(key.private_bytes(*how))
        (folder / "tsa.cnf").write_text(CONFIGURATION)
        (folder / "serial").write_text("01\n")

    def reply(self, query):
        (self.folder / "query").write_bytes(query)
        command = [OPENSSL, "ts", "-reply", "-config", "tsa.cnf", "-queryfile", "query", "-out", "reply"]
        subprocess.run(command, cwd=self.folder, check=True, capture_output=True)
        return (self.folder / "reply").read_bytes()

    def as_authority(self):
        chain = [{"rawBytes": _text(each.public_bytes(serialization.Encoding.DER))} for each in (self.leaf, self.root)]
        names = {"organization": "example", "commonName": "clock"}
        return {"subject": names, "certChain": {"certificates": chain}, "validFor": {"start": "2020-01-01T00:00:00Z"}}


def _entry(log, proposed):
    """An entry of kind hashedrekord 0.0.2: of the digest of a PAE, which the signature is checked against."""
    request = proposed["hashedRekordRequestV002"]
    verifier, digest = request["signature"]["verifier"], base64.b64decode(request["digest"])
    certificate = x509.load_der_x509_certificate(base64.b64decode(verifier["x509Certificate"]["rawBytes"]))
    signature, how = base64.b64decode(request["signature"]["content"]), ec.ECDSA(utils.Prehashed(hashes.SHA256()))
    certificate.public_key().verify(signature, digest, how)
    spec = {"data": {"algorithm": "SHA2_256", "digest": request["digest"]}, "signature": request["signature"]}
    body = {"apiVersion": "0.0.2", "kind": "hashedrekord", "spec": {"hashedRekordV002": spec}}
    made = log.included(canonical.dumps(body))
    proof = made["verification"]["inclusionProof"]
    hashed = [_text(bytes.fromhex(each)) for each in proof["hashes"]]
    index, size, root = str(proof["logIndex"]), str(proof["treeSize"]), _text(bytes.fromhex(proof["rootHash"]))
    checkpoint = {"envelope": proof["checkpoint"]}
    return {
        "logIndex": index,
        "logId": {"keyId": _text(log.key.id)},
        "kindVersion": {"kind": "hashedrekord", "version": "0.0.2"},
        "inclusionProof": {
            "logIndex": index,
            "rootHash": root,
            "treeSize": size,
            "hashes": hashed,
            "checkpoint": checkpoint,
        },
        "canonicalizedBody": made["body"],
    }


@pytest.fixture(scope="module")
def tiles(sigstore, tmp_path_factory):
    """An instance whose log is the newer one."""
    if OPENSSL is None:
        pytest.skip("the openssl command is not installed")
    here = sigstore("tiles")
    stamps, older = Stamps(tmp_path_factory.mktemp("clock")), here.instance.answer

    def answer(method, path, headers, body):
        if path == "/api/v2/log/entries":
            return 201, _entry(here.instance.log, json.loads(body))
        if path == "/stamp" and not stamps.away:
            return 200, stamps.reply(body)
        return older(method, path, headers, body)

    here.instance.answer, here.stamps = answer, stamps
    config = json.loads(here.config.read_text())
    config["trustedRoot"]["timestampAuthorities"] = [stamps.as_authority()]
    services = config["signingConfig"]
    services["rekorTlogUrls"][0]["majorApiVersion"] = 2
    services["tsaUrls"] = [{**services["caUrls"][0], "url": f"{here.url}/stamp"}]
    services["tsaConfig"] = {"selector": "ANY"}
    here.config.write_text(json.dumps(config))
    here.root.write_text(json.dumps(config["trustedRoot"]))
    return here


@pytest.fixture(scope="module")
def signature(tiles, payload):
    (made,) = tiles.signer().sign(payload)
    return made


def test_a_time_stamp_stands_in_for_the_time_of_the_log(tiles, payload, signature):
    (entry,) = signature.material["tlogEntries"]
    assert (entry["kindVersion"]["version"], "integratedTime" in entry) == ("0.0.2", False)
    check = tiles.verifier().confirm(payload, [signature])
    assert check.outcome is Outcome.PASS, check
    certificate = x509.load_der_x509_certificate(base64.b64decode(signature.material["certificate"]["rawBytes"]))
    end = certificate.not_valid_after_utc.replace(tzinfo=None).isoformat()
    assert check.time.not_after == f"{end}Z", "the stamp is within the ten minutes of the certificate"


def test_a_time_that_nobody_signed_is_none(tiles, payload, signature):
    (entry,) = signature.material["tlogEntries"]
    signed = tiles.verifier().confirm(payload, [signature]).time
    for time in ("integratedTime", "integrated_time"):
        for promise in ({}, {"inclusionPromise": None}, {"inclusion_promise": None}):
            claimed = {**signature.material, "tlogEntries": [{**entry, time: "1", **promise}]}
            check = tiles.verifier().confirm(payload, [signature.model_copy(update={"material": claimed})])
            assert (check.outcome, check.time) == (Outcome.PASS, signed)
    for stamps in ([], [{"signedTimestamp": _text(b"\x30\x00")}]):
        material = {**signature.material, "timestampVerificationData": {"rfc3161Timestamps": stamps}}
        check = tiles.verifier().confirm(payload, [signature.model_copy(update={"material": material})])
        assert (check.outcome, check.time) == (Outcome.FAIL, None)


def test_a_clock_that_is_not_trusted_proves_no_time(tiles, payload, signature, tmp_path):
    document = json.loads(tiles.root.read_text())
    (tmp_path / "clock").mkdir()
    document["timestampAuthorities"] = [Stamps(tmp_path / "clock").as_authority()]
    other = tmp_path / "root.json"
    other.write_text(json.dumps(document))
    check = tiles.verifier(trust_root=other).confirm(payload, [signature])
    assert (check.outcome, check.state) == (Outcome.FAIL, SignatureState.INVALID)
    assert "not enough sources of verified time" in check.summary


def test_without_a_time_nothing_is_signed(tiles, payload):
    tiles.stamps.away = True
    try:
        with pytest.raises(SigningError, match="signed timestamp"):
            tiles.signer().sign(payload)
    finally:
        tiles.stamps.away = False
