"""Published signatures, good and bad, through the way ours are checked."""

import base64
import json
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature

from mltrust.core.dsse import pae
from mltrust.core.public_key import part_of, read_public_key
from mltrust.errors import FormatError, UsageError

WYCHEPROOF = Path(__file__).with_name("wycheproof")
FILES = {
    "ed25519": "ed25519",
    "ecdsa_secp256r1_sha256": "p256",
    "ecdsa_secp384r1_sha384": "p384",
    "ecdsa_secp521r1_sha512": "p521",
    "mldsa_44_verify": "ml-dsa-44",
    "mldsa_65_verify": "ml-dsa-65",
    "mldsa_87_verify": "ml-dsa-87",
}
NO_KEY = ("SmallOrderPublicKey", "IncorrectPublicKeyLength")


def vectors(name):
    return json.loads((WYCHEPROOF / f"{name}_test.json").read_text(encoding="utf-8"))["tests"]


def accepted(vector, kind):
    key, message, signature = (base64.b64decode(vector[field]) for field in ("key", "msg", "sig"))
    (part,) = read_public_key(key, "vector").parts
    assert part.kind == kind
    return part.verifies(message, signature)


@pytest.mark.parametrize(("name", "kind"), FILES.items(), ids=FILES.values())
def test_wycheproof(name, kind):
    found = vectors(name)
    for vector in found:
        case = f"{vector['tcId']}: {vector['comment']}"
        if set(NO_KEY) & set(vector["flags"]):
            with pytest.raises((UsageError, FormatError)):
                accepted(vector, kind)
        else:
            assert accepted(vector, kind) is (vector["result"] in ("valid", "acceptable")), case
    assert {"valid", "invalid"} <= {vector["result"] for vector in found}


def test_a_signature_has_one_spelling():
    """Of the DER of elliptic curves and of the numbers of Ed25519: what is refused is refused for how it is written."""
    spelled = {
        "BerEncodedSignature",
        "InvalidEncoding",
        "ModifiedSignature",
        "SignatureMalleability",
        "SignatureWithGarbage",
    }
    found = [each for name in FILES if "mldsa" not in name for each in vectors(name) if spelled & set(each["flags"])]
    assert {flag for each in found for flag in each["flags"]} >= spelled
    assert {each["result"] for each in found} == {"invalid"}


@pytest.mark.parametrize(
    "vector",
    [each for each in vectors("ed25519") if "SmallOrderPublicKey" in each["flags"]],
    ids=lambda each: str(each["tcId"]),
)
def test_a_key_with_which_anybody_signs_is_refused(vector):
    raw = bytearray(base64.b64decode(vector["key"]))
    for sign in (0x00, 0x80):  # of the other coordinate
        raw[-1] = raw[-1] & 0x7F | sign
        with pytest.raises(UsageError, match="small order"):
            read_public_key(bytes(raw), "key")


def test_the_example_of_dsse():
    """Of its protocol.md: what is signed, and a signature over it, which they write as two numbers side by side."""
    body, kind = b"hello world", "http://example.com/HelloWorld"
    assert pae(body, kind) == b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"
    x = 46950820868899156662930047687818585632848591499744589407958293238635476079160
    y = 5640078356564379163099075877009565129882514886557779369047442380624545832820
    key = part_of(ec.EllipticCurvePublicNumbers(x, y, ec.SECP256R1()).public_key(), "key")
    raw = base64.b64decode("A3JqsQGtVsJ2O2xqrI5IcnXip5GToJ3F+FnZ+O88SjtR6rDAajabZKciJTfUiHqJPcIAriEGAHTVeCUjW2JIZA==")
    der = encode_dss_signature(int.from_bytes(raw[:32], "big"), int.from_bytes(raw[32:], "big"))
    assert key.verifies(pae(body, kind), der)
    assert not key.verifies(pae(body, kind), raw), "a signature has one spelling here: DER"
    assert not key.verifies(pae(body), der), "the type is signed"
