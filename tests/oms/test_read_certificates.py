"""Whether a chain of certificates leads from a signature to one that is trusted: every way in which it does not."""

import base64
from datetime import UTC, datetime, timedelta

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from mltrust.core.dsse import Signature, pae
from mltrust.core.public_key import part_of
from mltrust.core.revocations import Revocation, Revocations
from mltrust.errors import FormatError, UsageError
from mltrust.interfaces import Trust, TrustedKey, TrustedSigner
from mltrust.operations.signatures import Anchored, judge
from mltrust.signers import certificate
from mltrust.signers.certificate import CertificateVerifier
from mltrust.signers.chain import paths_up

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)
PAYLOAD = b'{"_type":"https://in-toto.io/Statement/v1"}'
FLAGS = "digital_signature content_commitment key_encipherment data_encipherment key_agreement key_cert_sign crl_sign"


def usage(*allowed):
    flags = {flag: flag in allowed for flag in FLAGS.split()}
    return x509.KeyUsage(**flags, encipher_only=False, decipher_only=False)


AUTHORITY = (x509.BasicConstraints(ca=True, path_length=None), usage("key_cert_sign"))
SIGNER = (usage("digital_signature"),)


class Certified:
    """A certificate with its key; it certifies others."""

    def __init__(self, name, by=None, extensions=AUTHORITY, key=None, days=(-10, 10)):
        self.key = key or ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        issuer = by or self
        builder = x509.CertificateBuilder().subject_name(self.name).issuer_name(issuer.name)
        builder = builder.public_key(self.key.public_key()).serial_number(x509.random_serial_number())
        builder = builder.not_valid_before(NOW + timedelta(days[0])).not_valid_after(NOW + timedelta(days[1]))
        for extension in extensions:
            builder = builder.add_extension(extension, critical=True)
        self.certificate = builder.sign(issuer.key, hashes.SHA256())

    @property
    def pem(self):
        return self.certificate.public_bytes(Encoding.PEM)


def signature(leaf, *others, payload=PAYLOAD):
    kind = getattr(leaf.key, "curve", None)
    if kind is not None:
        digest = {"secp384r1": hashes.SHA384(), "secp521r1": hashes.SHA512()}.get(kind.name, hashes.SHA256())
        value = leaf.key.sign(pae(payload), ec.ECDSA(digest))
    else:
        value = b"of another kind"
    ders = [each.certificate.public_bytes(Encoding.DER) for each in (leaf, *others)]
    return Signature.of("", value, material_of(*(base64.b64encode(der).decode() for der in ders)))


def material_of(*raw):
    return {"x509CertificateChain": {"certificates": [{"rawBytes": each} for each in raw]}}


def confirm(signatures, *trusted, when=NOW):
    verifier = CertificateVerifier("roots.pem", b"".join(each.pem for each in trusted), lambda: when)
    return verifier.confirm(PAYLOAD, signatures if isinstance(signatures, list) else [signatures])


@pytest.fixture(scope="module")
def root():
    return Certified("root")


@pytest.mark.parametrize("curve", [ec.SECP256R1(), ec.SECP384R1(), ec.SECP521R1()], ids=lambda curve: curve.name)
def test_a_chain_leads_to_a_trusted_root_whatever_comes_with_it(root, curve):
    middle = Certified("middle", root)
    leaf = Certified("leaf", middle, SIGNER, ec.generate_private_key(curve))
    for others in ([middle], [root, middle], [Certified("stranger"), middle]):
        check = confirm(signature(leaf, *others), root)
        assert (check.outcome, check.state, check.kinds[0]) == ("pass", "verified", "certificate")
        assert "CN=leaf" in check.summary
        assert "CN=root" in check.summary
        assert check.voice.startswith("sha256:")


def test_any_trusted_certificate_ends_a_chain(root):
    middle = Certified("middle", root)
    leaf = Certified("leaf", middle, (x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING]),))
    assert confirm(signature(leaf), middle).outcome == "pass"  # an authority in the middle
    assert confirm(signature(leaf), leaf).outcome == "pass"  # the very certificate of the signer
    alone = Certified("alone", extensions=SIGNER)
    assert confirm(signature(alone), alone).outcome == "pass"
    assert confirm(signature(alone), root).state == "untrusted"


def test_of_two_ways_up_the_one_that_leads_to_a_trusted_root_is_found(root):
    middle, other = Certified("middle", Certified("another root")), Certified("root", extensions=AUTHORITY)
    crossed = Certified("middle", root, key=middle.key)
    leaf = Certified("leaf", middle, SIGNER)
    assert confirm(signature(leaf, middle, crossed), root).outcome == "pass"
    assert confirm(signature(leaf, crossed), other).state == "untrusted"  # the name alone is not it


@pytest.mark.parametrize(
    ("which", "days", "state"),
    [
        ("leaf", (-10, -1), "expired"),
        ("leaf", (1, 10), "not-yet-valid"),
        ("middle", (-10, -1), "expired"),
        ("root", (-10, -1), "expired"),
        ("root", (1, 10), "not-yet-valid"),
    ],
)
def test_every_certificate_must_be_valid_now(which, days, state):
    times = {"root": (-10, 10), "middle": (-10, 10), "leaf": (-10, 10), which: days}
    root = Certified("root", days=times["root"])
    middle = Certified("middle", root, days=times["middle"])
    check = confirm(signature(Certified("leaf", middle, SIGNER, days=times["leaf"]), middle), root)
    assert (check.outcome, check.state) == ("fail", state)
    assert which in check.summary


def test_the_last_second_of_a_certificate_counts(root):
    leaf = Certified("leaf", root, SIGNER, days=(-1, 1))
    for seconds, state in ((0, "verified"), (1, "expired")):
        when = NOW + timedelta(days=1, seconds=seconds)
        assert confirm(signature(leaf), root, when=when).state == state


CA = x509.BasicConstraints(ca=True, path_length=None)


@pytest.mark.parametrize(
    ("extensions", "state"),
    [
        ((x509.BasicConstraints(ca=False, path_length=None),), "untrusted"),
        ((), "untrusted"),
        ((CA, usage("digital_signature")), "untrusted"),
        ((CA, x509.NameConstraints([x509.DNSName("a.example")], None)), "unsupported"),
        ((CA, x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00")), "unsupported"),
        ((CA, x509.InhibitAnyPolicy(0)), "unsupported"),
        ((CA, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])), "untrusted"),
        ((CA, x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])), "verified"),
        ((CA,), "verified"),
    ],
    ids=["no authority", "nothing said", "no certificates", "names", "unknown", "policies", "servers", "code", "good"],
)
def test_only_an_authority_certifies_and_nothing_that_limits_it_is_passed_over(root, extensions, state):
    middle = Certified("middle", root, extensions)
    check = confirm(signature(Certified("leaf", middle, SIGNER), middle), root)
    assert check.state == state
    assert check.outcome == {"verified": "pass", "unsupported": "unchecked"}.get(state, "fail")


def test_a_chain_is_no_longer_than_an_authority_allows():
    root = Certified("root", extensions=(x509.BasicConstraints(ca=True, path_length=1), usage("key_cert_sign")))
    one = Certified("one", root)
    two = Certified("two", one)
    assert confirm(signature(Certified("leaf", one, SIGNER), one), root).outcome == "pass"
    assert confirm(signature(Certified("leaf", two, SIGNER), two, one), root).state == "untrusted"
    same = Certified("one", one)  # a certificate for its own name is not counted (RFC 5280 section 4.2.1.9)
    assert confirm(signature(Certified("leaf", same, SIGNER), same, one), root).outcome == "pass"


@pytest.mark.parametrize(
    ("extensions", "state"),
    [
        ((), "untrusted"),
        ((usage("key_agreement"),), "untrusted"),
        ((x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH]),), "untrusted"),
        ((usage("digital_signature"), x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])), "untrusted"),
        ((usage("key_agreement"), x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])), "untrusted"),
        ((usage("digital_signature"), x509.ExtendedKeyUsage([ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE])), "verified"),
        (
            (x509.UnrecognizedExtension(ObjectIdentifier("1.2.3.4"), b"\x05\x00"), usage("digital_signature")),
            "unsupported",
        ),
    ],
    ids=["nothing said", "agreement", "servers", "a web server", "agreement alone", "anything", "unknown"],
)
def test_the_certificate_of_a_signer_is_for_signing(root, extensions, state):
    assert confirm(signature(Certified("leaf", root, extensions)), root).state == state


def test_keys_that_oms_does_not_use_are_said_to_be_unchecked(root):
    for key in (rsa.generate_private_key(65537, 2048), ed25519.Ed25519PrivateKey.generate()):
        check = confirm(signature(Certified("leaf", root, SIGNER, key)), root)
        assert (check.outcome, check.state) == ("unchecked", "unsupported")
        assert "not on P-256" in check.summary


@pytest.mark.parametrize("first", ["old", "new"])
def test_a_root_or_an_authority_that_was_renewed_is_found_beside_its_old_self(root, first):
    old, middle = Certified("root", key=root.key, days=(-20, -5)), Certified("middle", root)
    past = Certified("middle", root, key=middle.key, days=(-20, -5))
    leaf, order = Certified("leaf", middle, SIGNER), slice(None, None, 1 if first == "old" else -1)
    assert confirm(signature(leaf, *[past, middle][order]), *[old, root][order]).outcome == "pass"
    assert confirm(signature(leaf, past), *[old, root][order]).state == "expired"


def test_a_short_key_certifies_nobody(root):
    weak = Certified("weak", root, key=rsa.generate_private_key(65537, 1024))
    check = confirm(signature(Certified("leaf", weak, SIGNER), weak), root)
    assert (check.state, "too short: 1024 bits" in check.summary) == ("untrusted", True)


def test_a_weak_hash_certifies_nobody(root):
    """The library makes no such certificate, so the name of the hash (ecdsa-with-SHA224) is put into one."""
    leaf = Certified("leaf", root, SIGNER)
    sha256, sha224 = bytes.fromhex("06082a8648ce3d040302"), bytes.fromhex("06082a8648ce3d040301")
    tbs = leaf.certificate.tbs_certificate_bytes.replace(sha256, sha224)
    value = root.key.sign(tbs, ec.ECDSA(hashes.SHA224()))
    body = tbs + b"\x30\x0a" + sha224 + b"\x03" + bytes([len(value) + 1]) + b"\0" + value
    der = b"\x30\x82" + len(body).to_bytes(2, "big") + body
    odd = signature(leaf).model_copy(update={"material": material_of(base64.b64encode(der).decode())})
    check = confirm(odd, root)
    assert check.state == "untrusted"
    assert "sha224" in check.summary


def test_a_false_signature_is_told_from_a_missing_one(root):
    leaf = Certified("leaf", root, SIGNER)
    assert confirm(signature(leaf, payload=b"another"), root).state == "invalid"
    assert confirm([], root).state == "absent"
    assert confirm(Signature.of("", b"x"), root).state == "absent"
    assert confirm([Signature.of("", b"x"), signature(leaf)], root).outcome == "pass"
    assert confirm([signature(leaf, payload=b"another"), signature(leaf)], root).outcome == "pass"


def test_a_certificate_with_the_name_and_not_the_key_of_a_root_is_no_root(root):
    false = Certified("root")
    assert confirm(signature(Certified("leaf", false, SIGNER), false), root).state == "untrusted"


@pytest.mark.parametrize(
    "material",
    [
        {"x509CertificateChain": None},
        {"x509CertificateChain": {"certificates": []}},
        {"x509CertificateChain": {"certificates": {"rawBytes": ""}}},
        {"certificate": {"rawBytes": "AAAA"}},
        material_of(None),
        material_of("AAAA"),
        material_of("AAA"),
        material_of("?"),
        material_of(""),
        material_of("A" * 2**16),
        material_of(*["AAAA"] * 9),
        material_of(base64.b64encode(b"\x30\x84\xff\xff\xff\xff").decode()),
    ],
    ids=range(12),
)
def test_hostile_certificates_are_refused(root, material):
    assert confirm(Signature.of("", b"x", material), root).outcome == "fail"


def test_no_certificate_with_a_bit_flipped_passes(root):
    leaf = Certified("leaf", root, SIGNER)
    good, der = signature(leaf), leaf.certificate.public_bytes(Encoding.DER)
    unused = len(der) - len(leaf.certificate.signature) - 1  # how many bits of the signature would not count
    for at, bit in [*((at, at % 8) for at in range(len(der))), *((unused, bit) for bit in range(8))]:
        data = bytearray(der)
        data[at] ^= 1 << bit
        odd = good.model_copy(update={"material": material_of(base64.b64encode(data).decode())})
        assert confirm(odd, root).outcome != "pass", at


def test_nothing_is_said_of_odd_names_but_in_the_check(root):
    """The library warns of a country that is no two letters; a warning is an error in these tests."""
    der = Certified("XXX", root, SIGNER).certificate.public_bytes(Encoding.DER)
    odd = der.replace(bytes.fromhex("0603550403"), bytes.fromhex("0603550406"))
    assert odd != der
    check = confirm(Signature.of("", b"x", material_of(base64.b64encode(odd).decode())), root)
    assert check.outcome == "fail"


def test_certificates_that_certify_each_other_end(root):
    names = [Certified("same")]
    names += (Certified("same", names[0], key=names[0].key) for _ in range(7))
    assert confirm(signature(Certified("leaf", names[0], SIGNER), *names[:7]), root).state == "untrusted"


def test_a_root_with_a_key_that_cannot_be_read_stands_in_nobodys_way(root):
    der = Certified("odd").certificate.public_bytes(Encoding.DER)
    at = der.index(b"\x03\x42\x00\x04") + 3  # an uncompressed point, and no more
    roots = x509.load_der_x509_certificate(der[:at] + b"\x05" + der[at + 1 :]).public_bytes(Encoding.PEM) + root.pem
    verifier = CertificateVerifier("roots.pem", roots, lambda: NOW)
    assert len(verifier.ids) == 1
    assert verifier.confirm(PAYLOAD, [signature(Certified("leaf", root, SIGNER))]).outcome == "pass"


def test_what_is_trusted_must_be_certificates(root):
    for data, error in ((b"", FormatError), (b"-----BEGIN CERTIFICATE-----", FormatError), (bytes(2**21), FormatError)):
        with pytest.raises((error, UsageError)):
            CertificateVerifier("roots.pem", data)
    der = root.certificate.public_bytes(Encoding.DER)
    assert CertificateVerifier("root.der", der, lambda: NOW).ids == CertificateVerifier("roots.pem", root.pem).ids


def test_a_seal_can_be_signed_with_a_certificate(root, model_folder, seal_folder, verify_folder):
    seal = seal_folder(model_folder)
    signed = signature(Certified("leaf", root, SIGNER), payload=seal.statement.payload())
    signer = TrustedSigner("acme", [TrustedKey(CertificateVerifier("roots.pem", root.pem, lambda: NOW))])
    trust = Trust(signers=[signer])
    assert verify_folder(model_folder, seal.with_signatures([signed]), trust).verdict == "verified"
    assert verify_folder(model_folder, seal, trust).verdict == "failed"


def test_every_key_from_a_signer_to_the_root_can_be_revoked(root):
    lower = Certified("lower", higher := Certified("higher", root))
    path = (Certified("leaf", lower, SIGNER), lower, higher, root)
    signed = [signature(*path)]
    verifier = CertificateVerifier("roots.pem", root.pem, lambda: NOW)
    found, signer = verifier.confirm(PAYLOAD, signed), TrustedSigner("acme", [TrustedKey(verifier)])
    ids = [part_of(each.key.public_key(), each.name.rfc4514_string()).id for each in path]
    assert (found.voice, *found.certified_by) == tuple(ids)
    for id_ in ids:
        revoked = Revocations.of([Revocation(key=id_, since="2026-05-01T00:00:00Z", reason="stolen")])
        assert judge(signer, PAYLOAD, signed, Anchored(), revoked).state == "revoked"
        assert judge(signer, PAYLOAD, signed, Anchored(NOW.replace(month=4)), revoked).outcome == "pass"
    assert judge(signer, PAYLOAD, signed, Anchored(), Revocations()).outcome == "pass"


def test_one_chain_is_walked_once_however_many_bear_it(root, monkeypatch):
    walked = []
    monkeypatch.setattr(certificate, "paths_up", lambda *given: walked.append(given) or paths_up(*given))
    middle, stranger = Certified("middle", root), Certified("stranger", extensions=SIGNER)
    good = signature(Certified("leaf", middle, SIGNER), middle)
    false = good.model_copy(update={"sig": signature(stranger).sig})
    assert confirm([false] * 62 + [signature(stranger), good], root).outcome == "pass"
    assert len(walked) == 2
    assert confirm([signature(stranger)] * 64, root).state == "untrusted"
    assert len(walked) == 3
