import base64
import json
import shutil
import subprocess
import sys
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives import serialization
from rfc3161_client import decode_timestamp_response

from mltrust.anchors.rfc3161 import LEVEL, Rfc3161Anchor
from mltrust.core.digest import Digest
from mltrust.core.report import AnchorState, Outcome
from mltrust.errors import AnchorError, UsageError
from mltrust.interfaces import Home, Submission

ONE, TWO, THREE = (Digest.sha256(bytes([number])) for number in (1, 2, 3))
UNKNOWN = (Outcome.UNCHECKED, AnchorState.UNKNOWN_KEY)
UNAVAILABLE = (Outcome.UNCHECKED, AnchorState.UNAVAILABLE)
FALSE = (Outcome.FAIL, AnchorState.UNSIGNED)


def submissions(*digests):
    return [Submission(digest) for digest in digests]


def verdict(check):
    return check.outcome, check.state


def response_of(receipt):
    return base64.b64decode(receipt.evidence["response"])


class TestPublishing:
    def test_a_time_stamp_says_when_and_never_whose(self, tsa, home):
        anchor = tsa.anchor(home)
        (receipt,) = anchor.publish(submissions(ONE))
        check = anchor.confirm(receipt, ONE)
        assert verdict(check) == (Outcome.PASS, AnchorState.VERIFIED)
        assert check.level == LEVEL == "time-only"
        assert not Rfc3161Anchor.vouches
        assert not check.vouches
        assert "whose" in check.stronger
        assert "TSA one" in check.summary
        assert "not whose" in check.summary
        assert home.dialogue.messages == []

    def test_not_after_is_the_time_stated_and_the_accuracy_rounded_up(self, tsa, home):
        (receipt,) = tsa.anchor(home).publish(submissions(ONE))
        stated = decode_timestamp_response(response_of(receipt)).tst_info
        assert (stated.accuracy.seconds, stated.accuracy.millis) == (1, 500)
        assert receipt.time.not_before is None
        latest = datetime.fromisoformat(receipt.time.not_after)
        assert latest == stated.gen_time + timedelta(seconds=2)

    def test_each_digest_is_asked_for_once_with_a_nonce_and_for_the_certificate(self, tsa, home):
        anchor = tsa.anchor(home)
        anchor.publish(submissions(ONE, TWO, ONE))
        anchor.publish(submissions(TWO, ONE))
        assert len(tsa.queries) == 2
        headers = tsa.queries[0][0]
        assert headers["Content-Type"] == "application/timestamp-query"
        queries = [query for _, query in tsa.queries]
        assert queries[0] != queries[1]
        assert all(query.endswith(b"\x01\x01\xff") for query in queries)  # certReq TRUE
        assert all(len(query) > 60 for query in queries)  # 59 bytes without a nonce

    def test_what_was_stamped_is_kept_when_the_rest_fails(self, tsa, home):
        def twice(query):
            if len(tsa.queries) > 2:
                return lambda handler: handler.send_error(503)
            return tsa.stamp(query)

        anchor, tsa.answer = tsa.anchor(home), twice
        with pytest.raises(AnchorError, match=r"503.*2 of 3 are stamped"):
            anchor.publish(submissions(ONE, TWO, THREE))
        kept = [*anchor.find(Submission(ONE)), *anchor.find(Submission(TWO))]
        tsa.answer = tsa.stamp
        assert list(anchor.publish(submissions(ONE, TWO, THREE)))[:2] == kept
        assert len(tsa.queries) == 4

    def test_receipts_are_kept_for_another_day_and_another_object(self, tsa, home):
        receipts = tsa.anchor(home).publish(submissions(ONE))
        tsa.stop()
        assert tsa.anchor(home).publish(submissions(ONE)) == receipts
        assert tsa.anchor(home).find(Submission(ONE)) == receipts
        assert tsa.anchor(home).find(Submission(TWO)) == ()

    def test_without_roots_the_time_stamp_is_kept_and_the_user_is_told(self, tsa, home):
        bare = tsa.anchor(home, roots=[])
        (receipt,) = bare.publish(submissions(ONE))
        (told,) = home.dialogue.messages
        assert "not verified" in told
        assert f'[rfc3161."{tsa.url}"]' in told
        check = bare.confirm(receipt, ONE)
        assert verdict(check) == UNAVAILABLE
        assert "--roots FILE" in check.hint
        assert verdict(tsa.anchor(home).confirm(receipt, ONE)) == (Outcome.PASS, AnchorState.VERIFIED)
        assert tsa.anchor(home).publish(submissions(ONE)) == (receipt,)

    def test_a_kept_receipt_that_the_roots_of_today_do_not_cover_is_stamped_anew(self, authority, home):
        old, new = authority("old"), authority("new")
        (kept,) = old.anchor(home).publish(submissions(ONE))
        old.answer = new.stamp  # the authority moved to another root
        with pytest.raises(AnchorError, match="roots do not lead"):
            old.anchor(home).publish(submissions(TWO))
        moved = old.anchor(home, roots=[str(new.roots)])
        (fresh,) = moved.publish(submissions(ONE))
        assert fresh != kept
        assert moved.publish(submissions(ONE)) == (fresh,)

    def test_a_damaged_memory_is_an_error_and_no_clean_slate(self, tsa, home):
        anchor = tsa.anchor(home)
        anchor.publish(submissions(ONE, TWO))
        files = {path.stem: path for path in (home.state / "rfc3161").rglob("*.json")}
        file, content = files[ONE.hex], files[ONE.hex].read_bytes()
        another = files[TWO.hex].read_bytes()
        kind = content.replace(b'"rfc3161"', b'"rfc3162"')
        for damage in (b"", b"{}", content[:-1], kind, another, content.replace(b"Z", b"Y", 1), b"x" * 2**20):
            file.write_bytes(damage)
            for use in (lambda: anchor.find(Submission(ONE)), lambda: anchor.publish(submissions(TWO, ONE))):
                with pytest.raises(AnchorError, match=file.stem):
                    use()
        file.write_bytes(content)
        assert len(anchor.publish(submissions(TWO, ONE))) == 2
        assert len(tsa.queries) == 2

    def test_other_digests_are_refused(self, tsa, home):
        with pytest.raises(UsageError, match="SHA-256"):
            tsa.anchor(home).publish(submissions(ONE, Digest("sha512", bytes(64))))
        assert tsa.queries == []


class TestOpenssl:
    """A receipt is a response as every other tool knows it."""

    def test_openssl_verifies_it(self, tsa, home, tmp_path):
        (receipt,) = tsa.anchor(home).publish(submissions(ONE))
        (tmp_path / "data").write_bytes(ONE.value)
        (tmp_path / "response").write_bytes(response_of(receipt))
        command = ["openssl", "ts", "-verify", "-in", "response", "-data", "data", "-CAfile", str(tsa.roots)]
        done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        assert "Verification: OK" in done.stdout
        (tmp_path / "data").write_bytes(TWO.value)
        assert subprocess.run(command, cwd=tmp_path, capture_output=True, check=False).returncode != 0


class TestConfirming:
    def test_it_needs_no_authority(self, tsa, home, tmp_path):
        (receipt,) = tsa.anchor(home).publish(submissions(ONE))
        tsa.stop()
        stranger = tsa.anchor(Home(tmp_path / "their-data", tmp_path / "their-state"))
        assert verdict(stranger.confirm(receipt, ONE)) == (Outcome.PASS, AnchorState.VERIFIED)
        assert not (tmp_path / "their-state").exists()

    def test_the_url_is_a_name_and_the_roots_decide(self, tsa, home):
        (receipt,) = tsa.anchor(home).publish(submissions(ONE))
        elsewhere = Rfc3161Anchor.from_uri("rfc3161:https://tsa.example/", home, {"roots": str(tsa.roots)})
        assert verdict(elsewhere.confirm(receipt, ONE)) == (Outcome.PASS, AnchorState.VERIFIED)

    def test_one_of_several_roots_is_enough_and_der_is_read_too(self, authority, home, tmp_path, pem):
        one, two = authority("one"), authority("two")
        (tmp_path / "two.der").write_bytes(two.root.certificate.public_bytes(serialization.Encoding.DER))
        (tmp_path / "both.pem").write_bytes(pem(one.root.certificate, two.root.certificate, one.root.certificate))
        (receipt,) = two.anchor(home).publish(submissions(ONE))
        for roots in (["both.pem"], ["two.der"], ["two.der", "both.pem"]):
            anchor = one.anchor(home, roots=[str(tmp_path / name) for name in roots])
            assert verdict(anchor.confirm(receipt, ONE)) == (Outcome.PASS, AnchorState.VERIFIED)
        assert verdict(one.anchor(home).confirm(receipt, ONE)) == UNKNOWN

    def test_the_policy_must_be_the_one_required(self, tsa, home):
        (receipt,) = tsa.anchor(home, policy="1.2.3.4.1").publish(submissions(ONE))
        assert verdict(tsa.anchor(home, policy="1.2.3.4.1").confirm(receipt, ONE)) == (
            Outcome.PASS,
            AnchorState.VERIFIED,
        )
        other = tsa.anchor(home, policy="1.2.3.4.10")
        check = other.confirm(receipt, ONE)
        assert verdict(check) == FALSE
        assert "policy" in check.summary
        with pytest.raises(AnchorError, match="policy"):
            other.publish(submissions(ONE))

    def test_without_the_library_it_is_out_of_reach(self, tsa, home, monkeypatch):
        anchor = tsa.anchor(home)
        (receipt,) = anchor.publish(submissions(ONE))
        monkeypatch.setitem(sys.modules, "rfc3161_client", None)
        check = anchor.confirm(receipt, ONE)
        assert verdict(check) == UNAVAILABLE
        assert "mltrust[rfc3161]" in check.hint
        with pytest.raises(AnchorError, match="rfc3161-client"):
            anchor.publish(submissions(TWO))
        assert len(tsa.queries) == 1


class TestSettings:
    def open(self, tmp_path, **settings):
        return Rfc3161Anchor.from_uri("rfc3161:https://tsa.example/tsr", Home(tmp_path, tmp_path), settings)

    @pytest.mark.parametrize(
        "uri",
        [
            "rfc3161:",
            "rfc3161:tsa.example",
            "rfc3161://tsa.example",
            "rfc3161:file:///etc/passwd",
            "rfc3161:ftp://a/",
            "rfc3161:http://",
            "rfc3161:http:///x",
            "rfc3161:https://me:secret@tsa.example/",
            "rfc3161:https://@a/",
            "rfc3161:https://me:secret @a/",
            "rfc3161:https://a/#x",
            "rfc3161:https://a b/",
            "rfc3161:https://a/\n",
            "rfc3161:https://a/\x1b[31m",
            "rfc3161:https://a:99999/",
            "rfc3161:https://a:x/",
            "rfc3161:https://ä.example/",
            "rfc3161:https://[::1/",
            "rfc3161:https://a/" + "x" * 3000,
            "ledger:https://a/",
            "https://a/",
            "rfc3161:javascript:alert(1)",
        ],
    )
    def test_what_is_no_url_of_an_authority_is_refused(self, uri, tmp_path):
        with pytest.raises(UsageError) as caught:
            Rfc3161Anchor.from_uri(uri, Home(tmp_path, tmp_path), {})
        assert "secret" not in f"{caught.value} {caught.value.hint}"

    @pytest.mark.parametrize("url", ["http://127.0.0.1:8080", "https://tsa.example/tsr?x=1", "https://[::1]:3161/"])
    def test_urls_are_names(self, url, tmp_path):
        assert Rfc3161Anchor.from_uri(f"rfc3161:{url}", Home(tmp_path, tmp_path), {}).name == f"rfc3161:{url}"

    @pytest.mark.parametrize(
        ("name", "value"),
        [
            ("roots", 1),
            ("roots", [1]),
            ("roots", ""),
            ("roots", {"a": "b"}),
            ("roots", "/a\0b"),
            ("roots", "tsa-root.pem"),
            ("roots", ["/a", "./b"]),
            ("intermediates", "~/between.pem"),
            ("intermediates", True),
            ("policy", 1),
            ("policy", "x"),
            ("policy", "1.2\n"),
            ("policy", "1.02"),
            ("policy", "9.1"),
            ("timeout", 0),
            ("timeout", -1),
            ("timeout", "5"),
            ("timeout", True),
            ("timeout", float("nan")),
            ("timeout", 1e9),
        ],
    )
    def test_a_setting_that_makes_no_sense_is_named(self, name, value, tmp_path):
        with pytest.raises(UsageError, match=f"^{name}:"):
            self.open(tmp_path, **{name: value})

    def test_files_without_certificates_are_refused(self, tsa, home, tmp_path):
        (receipt,) = tsa.anchor(home).publish(submissions(ONE))
        (tmp_path / "empty").write_bytes(b"")
        (tmp_path / "key").write_bytes((tsa.folder / "tsa.key").read_bytes())
        (tmp_path / "large").write_bytes(bytes(2**20 + 1))
        for name in ("empty", "key", "large", "missing", "."):
            for setting in ("roots", "intermediates"):
                anchor = tsa.anchor(home, **{setting: str(tmp_path / name)})
                with pytest.raises(UsageError, match=f"^{setting}:"):
                    anchor.confirm(receipt, ONE)

    def test_roots_are_roots_and_intermediates_are_not(self, tsa, home, tmp_path, identity, pem):
        """The library would trust a self-signed certificate wherever it is named."""
        (receipt,) = tsa.anchor(home).publish(submissions(ONE))
        (tmp_path / "between.pem").write_bytes(pem(identity.root().intermediate().certificate))
        with pytest.raises(UsageError, match="another one issued"):
            tsa.anchor(home, roots=[str(tmp_path / "between.pem")]).confirm(receipt, ONE)
        with pytest.raises(UsageError, match="a root"):
            tsa.anchor(home, intermediates=str(tsa.roots)).confirm(receipt, ONE)

    def test_loading_the_plug_imports_neither_the_library_nor_a_network(self):
        code = (
            "import sys, mltrust.anchors.rfc3161\n"
            "print([name for name in ('rfc3161_client', 'cryptography.x509') if name in sys.modules])"
        )
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
        assert done.stdout.strip() == "[]"


def test_openssl_is_at_hand():
    """The tests with a real authority are skipped without it; this says so."""
    if shutil.which("openssl") is None:
        pytest.skip("the openssl command is not installed: no test with a real time-stamp authority ran")


def test_the_evidence_fits_its_schema(tsa, home):
    jsonschema = pytest.importorskip("jsonschema")
    schema = Path(__file__).parents[2] / "docs/schemas/rfc3161-evidence.schema.json"
    (receipt,) = tsa.anchor(home).publish(submissions(ONE))
    validator = jsonschema.Draft202012Validator(json.loads(schema.read_text()))
    assert validator.is_valid(receipt.evidence)
    assert not validator.is_valid({**receipt.evidence, "url": "http://tsa.example"})
