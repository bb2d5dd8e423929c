"""Time stamps nobody honest makes: each is refused, and with the right word for it."""

import base64
import hashlib
import shutil
import subprocess
from datetime import UTC, datetime

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID
from hypothesis import given
from hypothesis import strategies as st
from rfc3161_client import VerifierBuilder, decode_timestamp_response

from mltrust.anchors.rfc3161 import Rfc3161Anchor
from mltrust.anchors.rfc3161.der import Value
from mltrust.anchors.rfc3161.stamp import Stamp
from mltrust.core.digest import Digest
from mltrust.core.receipt import Receipt, TimeBounds
from mltrust.core.report import AnchorState, Outcome
from mltrust.errors import FormatError
from mltrust.interfaces import Home

ONE, TWO = (Digest.sha256(bytes([number])) for number in (1, 2))
PASSED = (Outcome.PASS, AnchorState.VERIFIED)
UNKNOWN = (Outcome.UNCHECKED, AnchorState.UNKNOWN_KEY)
FALSE = (Outcome.FAIL, AnchorState.UNSIGNED)
DAMAGED = (Outcome.FAIL, AnchorState.REPLACED)
YEAR = {year: datetime(year, 1, 1, tzinfo=UTC) for year in (2000, 2019, 2021, 2100)}


class Court:
    """A root the user trusts, an authority under it, and the user's judgement of a response."""

    def __init__(self, folder, forge, identity, pem):
        self.folder, self.forge, self.identity, self.pem = folder, forge, identity, pem
        self.root = identity.root()
        self.signer = self.root.tsa()
        self.info = forge.info(ONE.value)

    def judge(self, response, *, root=None, between=(), time="2020-01-01T00:00:00Z", **settings):
        (self.folder / "roots.pem").write_bytes(self.pem((root or self.root).certificate))
        (self.folder / "between.pem").write_bytes(self.pem(*(each.certificate for each in between)))
        given = {"roots": str(self.folder / "roots.pem"), **settings}
        if between:
            given["intermediates"] = str(self.folder / "between.pem")
        home = Home(self.folder / "data", self.folder / "state")
        anchor = Rfc3161Anchor.from_uri("rfc3161:http://tsa.example/", home, given)
        evidence = {"response": base64.b64encode(response).decode()}
        receipt = Receipt(kind="rfc3161", digest=str(ONE), time=TimeBounds(not_after=time), evidence=evidence)
        check = anchor.confirm(receipt, ONE)
        return check.outcome, check.state

    def stamped(self, signer=None, *, info=None, status=0, **options):
        return self.forge.response(self.forge.token(info or self.info, signer or self.signer, **options), status)


@pytest.fixture
def court(tmp_path, forge, identity, pem):
    return Court(tmp_path, forge, identity, pem)


@pytest.fixture(scope="module")
def good(tmp_path_factory, forge, identity, pem):
    return Court(tmp_path_factory.mktemp("court"), forge, identity, pem)


class TestWhose:
    def test_a_forged_token_is_as_good_as_a_real_one_where_it_is_right(self, court):
        assert court.judge(court.stamped()) == PASSED

    def test_another_root_is_a_stranger_also_under_the_same_name(self, court):
        for root in (court.identity.root("Another"), court.identity.root()):
            assert court.judge(court.stamped(), root=root) == UNKNOWN

    def test_a_root_that_travels_in_the_token_is_nobodys(self, court):
        evil = court.identity.root("Evil")
        signer = evil.tsa()
        for certificates in ([signer.certificate], [signer.certificate, evil.certificate]):
            assert court.judge(court.stamped(signer, certificates=certificates)) == UNKNOWN

    def test_intermediates_are_found_in_the_token_or_in_the_users_file(self, court):
        between = court.root.intermediate()
        signer = between.tsa()
        alone, together = [signer.certificate], [signer.certificate, between.certificate]
        assert court.judge(court.stamped(signer, certificates=together)) == PASSED
        assert court.judge(court.stamped(signer, certificates=alone), between=[between]) == PASSED
        assert court.judge(court.stamped(signer, certificates=alone)) == UNKNOWN

    def test_an_issuer_that_is_no_authority_is_refused(self, court):
        between = court.root.intermediate(authority=False)
        signer = between.tsa()
        response = court.stamped(signer, certificates=[signer.certificate, between.certificate])
        assert court.judge(response) in (FALSE, UNKNOWN)
        assert court.judge(court.stamped(signer), between=[between]) in (FALSE, UNKNOWN)

    @pytest.mark.parametrize(
        "options",
        [
            {"usage": [ExtendedKeyUsageOID.SERVER_AUTH]},
            {"usage": [ExtendedKeyUsageOID.TIME_STAMPING], "critical": False},
            {"usage": [ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.SERVER_AUTH]},
            {"usage": [ExtendedKeyUsageOID.ANY_EXTENDED_KEY_USAGE]},
            {"usage": None},
        ],
    )
    def test_a_certificate_that_is_not_for_time_stamps_alone_is_refused(self, court, options):
        assert court.judge(court.stamped(court.root.tsa(**options))) == FALSE

    def test_the_root_itself_makes_no_time_stamps(self, court):
        assert court.judge(court.stamped(court.root)) == FALSE

    def test_a_certificate_counts_at_the_time_stated_and_not_today(self, court):
        expired = court.root.tsa(valid=(YEAR[2000], YEAR[2021]))
        assert court.judge(court.stamped(expired)) == PASSED
        for valid in ((YEAR[2000], YEAR[2019]), (YEAR[2021], YEAR[2100])):
            assert court.judge(court.stamped(court.root.tsa(valid=valid))) == FALSE
        old = court.identity.root(valid=(YEAR[2000], YEAR[2021]))
        assert court.judge(court.stamped(old.tsa()), root=old) == PASSED

    def test_a_certificate_beside_the_signers_lends_it_nothing(self, court):
        """A web server's certificate signs; another of the same issuer and serial, self-made, is for time stamps."""
        web = court.root.make("web", court.root, usage=[ExtendedKeyUsageOID.SERVER_AUTH], serial=99)
        fake = court.identity(ec.generate_private_key(ec.SECP256R1()), court.root.certificate)
        fake = court.identity.make("fake", fake, usage=[ExtendedKeyUsageOID.TIME_STAMPING], serial=99)
        other = court.root.tsa()
        for bound in (web, fake, other):
            attributes = court.forge.attributes(court.info, web, bound=bound.certificate)
            for extra in (fake, other):
                certificates = [web.certificate, extra.certificate]
                for named in certificates:
                    options = {"certificates": certificates, "attributes": attributes, "named": named}
                    assert court.judge(court.stamped(web, **options)) == FALSE

    def test_two_certificates_of_one_name_and_serial_are_one_too_many(self, court):
        twin = court.root.tsa("Twin", serial=court.signer.certificate.serial_number)
        response = court.stamped(certificates=[court.signer.certificate, twin.certificate])
        assert court.judge(response) == FALSE

    def test_without_the_signers_certificate_nothing_is_said(self, court):
        assert court.judge(court.stamped(certificates=[])) == FALSE
        assert court.judge(court.stamped(certificates=[court.root.certificate])) == FALSE


class TestWhat:
    def test_another_digest_is_another_matter(self, court):
        for data in (TWO.value, b"", ONE.value + b"\0", hashlib.sha256(ONE.value).digest()):
            assert court.judge(court.stamped(info=court.forge.info(data))) == DAMAGED

    def test_an_info_exchanged_after_signing_is_seen(self, court):
        own, foreign = court.info, court.forge.info(TWO.value)
        token = court.forge.token(foreign, court.signer)
        assert court.judge(court.forge.response(token.replace(foreign, own))) == FALSE

    @pytest.mark.parametrize("digest", ["sha512", "sha1"])
    def test_the_imprint_is_sha_256(self, court, digest):
        assert court.judge(court.stamped(info=court.forge.info(ONE.value, digest=digest))) == DAMAGED

    def test_policies(self, court):
        assert court.judge(court.stamped(), policy="1.2.3.4.1") == PASSED
        for policy in ("1.2.3.4", "1.2.3.4.1.1", "1.2.3.4.2"):
            assert court.judge(court.stamped(), policy=policy) == FALSE

    def test_a_nonce_of_another_day_is_no_matter_later(self, court):
        assert court.judge(court.stamped(info=court.forge.info(ONE.value, nonce=2**64 - 1))) == PASSED

    def test_only_what_was_granted_as_asked_for_counts(self, court):
        for status in range(1, 7):
            assert court.judge(court.stamped(status=status)) == DAMAGED
            assert court.judge(court.forge.response(status=status)) == DAMAGED

    def test_an_unknown_critical_extension_is_refused(self, court):
        forge = court.forge

        def extended(*critical):
            extension = forge.tlv(0x30, forge.oid("1.2.3"), *critical, forge.tlv(4, b""))
            return court.stamped(info=forge.info(ONE.value, tail=forge.tlv(0xA1, extension)))

        assert court.judge(extended()) == PASSED
        assert court.judge(extended(forge.tlv(1, b"\xff"))) == DAMAGED


class TestWhen:
    @pytest.mark.parametrize(
        ("time", "accuracy", "latest"),
        [
            (b"20200101000000Z", (), "2020-01-01T00:00:00Z"),
            (b"20200101000000.5Z", (), "2020-01-01T00:00:01Z"),
            (b"20200101000000.000001Z", (), "2020-01-01T00:00:01Z"),
            (b"20200101000000Z", ((2, b"\x05"),), "2020-01-01T00:00:05Z"),
            (b"20200101000000Z", ((0x80, b"\x01"),), "2020-01-01T00:00:01Z"),
            (b"20200101000000Z", ((0x81, b"\x01"),), "2020-01-01T00:00:01Z"),
            (b"20200101000000.5Z", ((2, b"\x01"), (0x80, b"\x01\xf4")), "2020-01-01T00:00:02Z"),
            (b"20200101000000.5Z", ((2, b"\x01"), (0x80, b"\x01\xf4"), (0x81, b"\x01")), "2020-01-01T00:00:03Z"),
            (b"20191231235959.9Z", ((2, b"\x01\x51\x80"),), "2020-01-02T00:00:00Z"),
        ],
    )
    def test_the_latest_time_is_rounded_up(self, court, time, accuracy, latest):
        forge = court.forge
        accuracy = forge.tlv(0x30, *(forge.tlv(*each) for each in accuracy)) if accuracy else b""
        response = court.stamped(info=forge.info(ONE.value, time=time, accuracy=accuracy))
        assert court.judge(response, time=latest) == PASSED
        assert court.judge(response, time="2019-12-31T23:59:59Z") == DAMAGED
        assert court.judge(response, time="2030-01-01T00:00:00Z") == DAMAGED
        assert court.judge(response, time=None) == DAMAGED

    @pytest.mark.parametrize(
        "time",
        [
            b"20200101000000",
            b"20200101000000+0100",
            b"2020010100Z",
            b"200101000000Z",
            b"20200101000000.0Z",
            b"",
            b"Z",
            b"20200101000000.50Z",
            b"20200101000000.Z",
            b"20201301000000Z",
            b"20200230000000Z",
            b"20200101000060Z",
            b"00000101000000Z",
            b"20200101000000." + b"1" * 40 + b"Z",
            b"\xef\xbc\x9220101000000Z",
        ],
    )
    def test_times_have_one_spelling(self, court, time):
        assert court.judge(court.stamped(info=court.forge.info(ONE.value, time=time))) == DAMAGED

    @pytest.mark.parametrize("seconds", [-1, 86_401, 2**64, 2**200, 2**4000])
    def test_an_absurd_accuracy_is_none(self, court, seconds):
        """The library reads the largest of these as no accuracy at all."""
        accuracy = court.forge.tlv(0x30, court.forge.integer(seconds))
        assert court.judge(court.stamped(info=court.forge.info(ONE.value, accuracy=accuracy))) == DAMAGED

    def test_the_end_of_time_is_no_time(self, court):
        accuracy = court.forge.tlv(0x30, court.forge.integer(1))
        info = court.forge.info(ONE.value, time=b"99991231235959Z", accuracy=accuracy)
        assert court.judge(court.stamped(info=info)) == DAMAGED


class TestSignatures:
    """What the library and OpenSSL would take."""

    def verified_by_the_library(self, court, response):
        verifier = VerifierBuilder(roots=[court.root.certificate]).build()
        return verifier.verify_message(decode_timestamp_response(response), ONE.value)

    @pytest.mark.parametrize("digest", ["sha1", "md5"])
    def test_weak_digests_are_refused(self, court, digest):
        response = court.stamped(digest=digest)
        assert self.verified_by_the_library(court, response)
        assert court.judge(response) == FALSE

    def test_a_signature_must_be_bound_to_its_certificate(self, court):
        """RFC 3161 section 2.4.2, RFC 5816: the signing-certificate attribute, of either version."""
        forge, certificate = court.forge, court.signer.certificate
        kind, hashed, _ = forge.attributes(court.info, court.signer)
        other = court.root.tsa().certificate
        good = [forge.bound(certificate), forge.bound(certificate, "sha512"), forge.bound(certificate, "sha1", 1)]
        bad = [
            forge.bound(other),
            forge.bound(other, "sha1", 1),
            forge.bound(certificate, "md5"),
            forge.bound(certificate, "sha1"),
        ]
        for attribute in good:
            assert court.judge(court.stamped(attributes=[kind, hashed, attribute])) == PASSED
        for attributes in ([], *([each] for each in bad), [good[0], bad[1]], [good[2], bad[0]]):
            response = court.stamped(attributes=[kind, hashed, *attributes])
            assert self.verified_by_the_library(court, response)
            assert court.judge(response) == FALSE
        empty = forge.attribute("1.2.840.113549.1.9.16.2.47", forge.tlv(0x30, forge.tlv(0x30)))
        assert court.judge(court.stamped(attributes=[kind, hashed, empty])) == FALSE

    def test_what_was_signed_must_be_a_time_stamp(self, court):
        forge = court.forge
        attributes = forge.attributes(court.info, court.signer, content="1.2.840.113549.1.7.1")
        assert court.judge(court.stamped(attributes=attributes)) == FALSE
        assert court.judge(court.stamped(attributes=attributes[1:])) == FALSE
        assert court.judge(court.stamped(content="1.2.840.113549.1.7.1")) == DAMAGED
        twice = [*forge.attributes(court.info, court.signer), attributes[0]]
        assert court.judge(court.stamped(attributes=twice)) == DAMAGED

    def test_one_signature_and_no_other_number(self, court):
        for signers in (0, 2):
            assert court.judge(court.stamped(signers=signers)) == DAMAGED

    def test_versions_and_algorithms_fit(self, court):
        for versions in ((1, 1), (4, 1), (3, 0), (3, 3)):
            assert court.judge(court.stamped(versions=versions)) == DAMAGED
        for signature in ("1.2.840.10045.4.3.3", "1.2.3", "1.2.840.113549.1.1.4"):
            assert court.judge(court.stamped(signature=signature)) == FALSE
        assert court.judge(court.stamped(info=court.forge.info(ONE.value, version=2))) == DAMAGED
        assert court.judge(court.stamped(info=court.forge.info(ONE.value, tail=court.forge.integer(1) * 2))) == DAMAGED

    def test_a_set_out_of_order_is_not_der(self, court):
        """Some authorities send one; the library refuses them, and so publishing does."""
        between = court.root.intermediate()
        certificates = sorted([court.signer.certificate, between.certificate], key=court.pem)
        answers = [
            court.judge(court.stamped(certificates=order, ordered=False))
            for order in (certificates, certificates[::-1])
        ]
        assert sorted(answers) == [FALSE, PASSED]


@pytest.mark.skipif(shutil.which("openssl") is None, reason="the openssl command is not installed")
def test_openssl_needs_to_be_told_the_time_of_an_old_time_stamp(court):
    expired = court.root.tsa(valid=(YEAR[2000], YEAR[2021]))
    response = court.stamped(expired)
    assert court.judge(response) == PASSED
    (court.folder / "response").write_bytes(response)
    (court.folder / "data").write_bytes(ONE.value)
    command = ["openssl", "ts", "-verify", "-in", "response", "-data", "data", "-CAfile", "roots.pem"]
    then = str(int(datetime(2020, 1, 1, tzinfo=UTC).timestamp()))
    for more, good in (([], False), (["-attime", then], True)):
        done = subprocess.run([*command, *more], cwd=court.folder, capture_output=True, text=True, check=False)
        assert (done.returncode == 0) is good, done.stderr


class TestDamage:
    @pytest.mark.usefixtures("unmeasured")
    def test_every_bit_of_a_time_stamp_matters(self, good):
        """Also those that OpenSSL passes over: versions, and the algorithm of the signature."""
        response = good.stamped()
        assert good.judge(response) == PASSED
        for place in range(8 * len(response)):
            damaged = bytearray(response)
            damaged[place // 8] ^= 1 << place % 8
            assert good.judge(bytes(damaged))[0] is not Outcome.PASS, f"bit {place}"

    def test_cut_at_every_byte_it_is_damaged(self, good):
        response = good.stamped()
        for length in range(len(response)):
            assert good.judge(response[:length]) == DAMAGED
        assert good.judge(response + b"\0") == DAMAGED
        assert good.judge(response + response) == DAMAGED

    def test_no_mixture_of_two_time_stamps_passes(self, good):
        first, second = good.stamped(), good.stamped(info=good.forge.info(ONE.value, time=b"20210101000000Z"))
        for place in range(min(len(first), len(second))):
            for mixed in (first[:place] + second[place:], second[:place] + first[place:]):
                assert mixed in (first, second) or good.judge(mixed)[0] is not Outcome.PASS

    @given(st.binary(max_size=200))
    def test_garbage_is_damage(self, good, garbage):
        assert good.judge(garbage) == DAMAGED

    def test_depth_and_size_are_bounded(self, good):
        nested = b""
        for _ in range(3000):
            nested = good.forge.tlv(0x30, nested)
        for response in (
            nested,
            bytes(64 * 1024 + 1),
            b"\x30\x84\xff\xff\xff\xff",
            b"\x30\x80" + bytes(10),
            b"\x1f" * 64,
        ):
            assert good.judge(response) == DAMAGED


class TestDer:
    @pytest.mark.parametrize(
        "data",
        [
            b"",
            b"\x02",
            b"\x02\x01",
            b"\x02\x02\x00",
            b"\x02\x81\x01\x00",
            b"\x02\x82\x00\x80" + bytes(128),
            b"\x02\x80\x00\x00",
            b"\x1f\x01\x00",
            b"\x02\x01\x00\x00",
            b"\x02\x85\x01\x00\x00\x00\x00",
            b"\x02\xff",
            b"\x02\x84\x7f\xff\xff\xff",
        ],
    )
    def test_values_have_one_spelling(self, data):
        with pytest.raises(FormatError):
            Value.parse(data)

    @pytest.mark.parametrize("content", [b"", b"\x00\x01", b"\xff\xff", b"\xff\x80", b"\x00\x7f"])
    def test_integers_have_one_spelling(self, content):
        with pytest.raises(FormatError):
            Value(2, content, b"").integer()

    @given(st.integers())
    def test_integers(self, forge, number):
        data = forge.tlv(
            2, number.to_bytes((number if number >= 0 else ~number).bit_length() // 8 + 1, "big", signed=True)
        )
        assert Value.parse(data).integer() == number

    @given(st.sampled_from((0, 1, 2)), st.integers(0, 39), st.lists(st.integers(0, 2**70), max_size=10))
    def test_object_identifiers(self, forge, first, second, rest):
        text = ".".join(map(str, (first, second, *rest)))
        assert Value.parse(forge.oid(text)).oid() == text

    @pytest.mark.parametrize("content", [b"", b"\x80", b"\x2a\x80", b"\x2a" * 129])
    def test_broken_object_identifiers(self, content):
        with pytest.raises(FormatError):
            Value(6, content, b"").oid()


def test_a_response_is_read_as_it_was_made(forge, identity):
    signer = identity.root().tsa()
    stamp = Stamp.parse(forge.response(forge.token(forge.info(ONE.value, nonce=77), signer)))
    assert (stamp.info.nonce, stamp.info.policy) == (77, "1.2.3.4.1")
    assert stamp.info.imprint == hashlib.sha256(ONE.value).digest()
    assert stamp.info.time == datetime(2020, 1, 1, tzinfo=UTC)
    assert stamp.signer.serial == signer.certificate.serial_number
