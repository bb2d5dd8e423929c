"""Authorities that answer badly, or not at all: nothing is kept, and the user is told what to do."""

import base64
import socket
import threading

import pytest
from cryptography.x509.oid import ExtendedKeyUsageOID

from mltrust.anchors.rfc3161 import Rfc3161Anchor
from mltrust.anchors.rfc3161.der import Value
from mltrust.core.digest import Digest
from mltrust.errors import AnchorError, UsageError
from mltrust.interfaces import Submission

ONE, TWO = (Digest.sha256(bytes([number])) for number in (1, 2))


def publish(anchor, digest=ONE):
    return anchor.publish([Submission(digest)])


@pytest.fixture
def refused(tsa, home):
    """Return a check that publishing fails with such words, and keeps nothing."""

    def check(match, answer=None, **settings):
        tsa.answer = answer or tsa.answer
        anchor = tsa.anchor(home, **settings)
        with pytest.raises(AnchorError, match=match) as caught:
            publish(anchor)
        assert caught.value.hint
        assert str(caught.value).isprintable()
        assert anchor.find(Submission(ONE)) == ()
        assert not list(home.state.rglob("*.json"))
        return str(caught.value)

    return check


class TestAnswers:
    @pytest.mark.parametrize("roots", [True, False])
    def test_an_older_answer_is_no_answer(self, tsa, home, refused, roots):
        old = []

        def replay(query):
            old.append(tsa.stamp(query))
            return old[0]

        settings = {} if roots else {"roots": []}
        tsa.answer = replay
        publish(tsa.anchor(home, **settings))
        for file in home.state.rglob("*.json"):
            file.unlink()
        refused("another question", **settings)

    def test_an_answer_over_another_digest_is_no_answer(self, tsa, home, refused):
        queries = []
        tsa.answer = lambda query: queries.append(query) or tsa.stamp(queries[0])
        publish(tsa.anchor(home), TWO)
        for file in home.state.rglob("*.json"):
            file.unlink()
        refused("another question")

    def test_an_answer_without_the_nonce_is_no_answer(self, tsa, refused, forge):
        info = forge.info(ONE.value)
        refused("another question", lambda _: forge.response(forge.token(info, tsa.signer)))

    def test_an_answer_of_another_authority_is_of_no_use(self, authority, refused):
        refused("your roots do not lead", authority("other").stamp)

    def test_an_authority_that_refuses_is_quoted_and_escaped(self, refused, forge):
        answer = forge.response(b"", 2, "no credit\n\x1b[31m::error::", "x" * 5000)
        said = refused(r"refused: status 2, no credit\\n\\x1b\[31m", lambda _: answer)
        assert len(said) < 500

    def test_a_refusal_of_openssl_is_a_refusal(self, tsa, refused):
        """It takes no imprint of a kind that is not configured."""
        configuration = tsa.folder / "tsa.cnf"
        configuration.write_text(configuration.read_text().replace("sha256, sha512", "sha512"))
        refused("refused: status 2")

    def test_what_is_granted_with_changes_is_refused(self, tsa, refused, forge):
        refused("refused: status 1", lambda _: forge.response(forge.token(forge.info(ONE.value), tsa.signer), 1))

    @pytest.mark.parametrize("answer", [b"", b"<html>busy</html>", b"\x30\x03\x02\x01\x00", bytes(1000)])
    def test_garbage_is_refused(self, refused, answer):
        refused("cannot be used", lambda _: answer)

    def test_an_answer_cut_anywhere_is_refused(self, tsa, home, refused):
        cut = []

        def shorter(query):
            answer = tsa.stamp(query)
            return answer[: len(answer) * len(cut) // 20]

        for _ in range(20):
            refused("cannot be used", shorter)
            cut.append(None)

    def test_certificates_in_any_order_are_put_in_that_of_der(self, authority, home, identity):
        """`openssl ts` writes them in the order of its file, and the library takes no other than that of DER."""
        orders = set()
        for name in ("R", "R" * 64):  # so that the certificate it issues is the shorter, then the longer of the two
            root = identity.root(name)
            between = root.intermediate()
            tsa = authority(name, root, between.tsa(), chain=[between.certificate])
            sent = []
            tsa.answer = lambda query, tsa=tsa, sent=sent: sent.append(tsa.stamp(query)) or sent[-1]
            anchor = tsa.anchor(home)
            (receipt,) = publish(anchor)
            assert anchor.confirm(receipt, ONE).outcome == "pass"
            kept = base64.b64decode(receipt.evidence["response"])
            assert sorted(kept) == sorted(sent[0])
            orders.add(kept == sent[0])
        assert orders == {True, False}

    def test_what_is_not_der_is_named_for_what_it_is(self, tsa, refused):
        said = refused("cannot be used", lambda query: b"\x30\x80" + tsa.stamp(query)[4:] + b"\0\0")
        assert "shortest form" in said

    def test_a_certificate_that_is_not_for_time_stamps_is_refused(self, tsa, refused, forge):
        web = tsa.root.tsa(usage=[ExtendedKeyUsageOID.SERVER_AUTH])

        def answer(query):
            fields = Value.parse(query).parts()
            fields.take(2)
            fields.take(0x30)
            nonce = fields.take(2).integer()
            return forge.response(forge.token(forge.info(ONE.value, nonce=nonce), web))

        refused("unsuitable certificate purpose", answer)


def say(handler, status, *headers, body=b""):
    handler.send_response(status)
    for name, value in headers:
        handler.send_header(name, value)
    handler.end_headers()
    handler.wfile.write(body)


class TestTransport:
    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_redirects_are_named_and_not_followed(self, authority, refused, status):
        other = authority("other")
        said = refused(
            f"HTTP status {status}; it points to http",
            lambda _: lambda handler: say(handler, status, ("Location", other.url)),
        )
        assert other.url in said
        assert other.queries == []

    def test_a_redirect_to_a_file_opens_none(self, refused):
        refused(
            "which is not followed", lambda _: lambda handler: say(handler, 302, ("Location", "file:///etc/passwd"))
        )
        refused(r"points to \\x1b", lambda _: lambda handler: say(handler, 302, ("Location", "\x1b[31m")))
        refused("points to elsewhere", lambda _: lambda handler: say(handler, 302))

    @pytest.mark.parametrize("status", [201, 204, 400, 401, 404, 418, 500, 503])
    def test_only_200_is_an_answer(self, tsa, refused, status):
        refused(f"HTTP status {status}", lambda query: lambda handler: say(handler, status, body=tsa.stamp(query)))

    @pytest.mark.parametrize("announced", [True, False])
    def test_a_huge_answer_is_not_read(self, refused, announced):
        written = []

        def endless(handler):
            handler.send_response(200)
            if announced:
                handler.send_header("Content-Length", str(2**40))
            handler.end_headers()
            try:
                while len(written) < 2**14:
                    handler.wfile.write(bytes(2**16))
                    written.append(2**16)
            except OSError:
                pass

        refused("more than 65536 bytes", lambda _: endless)
        assert sum(written) < 2**30

    def test_an_answer_that_drips_has_an_end(self, refused):
        """Each byte comes in time, and all of them would take for ever."""
        stop = threading.Event()

        def drip(start):
            def answer(handler):
                handler.wfile.write(start)
                try:
                    while not stop.wait(0.02):
                        handler.wfile.write(b"x")
                        handler.wfile.flush()
                except OSError:
                    pass

            return lambda _: answer

        for start in (b"HTTP/1.1 200 OK\r\n\r\n", b"HTTP/1.1 200 OK\r\nX: ", b"HTTP/1.1 "):
            refused("cannot be reached: (no answer within|the answer is too slow)", drip(start), timeout=0.3)
        stop.set()

    def test_silence_has_an_end(self, refused):
        stop = threading.Event()
        refused("cannot be reached", lambda _: lambda handler: stop.wait(60), timeout=0.3)
        stop.set()

    @pytest.mark.parametrize(
        "answer", [b"", b"\0" * 100, b"HTTP/9.9 x\r\n\r\n", b"HTTP/1.1 200 OK\r\n" + b"A: b\r\n" * 200 + b"\r\n"]
    )
    def test_what_is_not_http_is_refused(self, refused, answer):
        refused("cannot be reached|cannot be used", lambda _: lambda handler: handler.wfile.write(answer))

    def test_an_authority_that_is_gone_is_out_of_reach(self, tsa, refused):
        tsa.stop()
        refused("cannot be reached")

    def test_plain_http_is_not_taken_for_https(self, tsa, home):
        anchor = Rfc3161Anchor.from_uri(f"rfc3161:{tsa.url.replace('http', 'https')}", home, {"timeout": 20})
        with pytest.raises(AnchorError, match="cannot be reached"):
            publish(anchor)

    def test_tls_is_verified(self, tsa, home, refused, identity, monkeypatch):
        issuer = tsa.speak_tls(identity.root("Web"))
        refused("CERTIFICATE_VERIFY_FAILED")
        monkeypatch.setenv("SSL_CERT_FILE", issuer)
        (receipt,) = publish(tsa.anchor(home))
        assert tsa.anchor(home).confirm(receipt, ONE).outcome == "pass"

    def test_proxies_are_those_of_the_environment(self, tsa, home, monkeypatch):
        """Whoever stands between cannot forge a time stamp, only withhold it."""
        monkeypatch.setenv("http_proxy", tsa.url)
        settings = {"roots": str(tsa.roots), "timeout": 20}
        anchor = Rfc3161Anchor.from_uri("rfc3161:http://tsa.invalid/tsr", home, settings)
        (receipt,) = publish(anchor)
        assert anchor.confirm(receipt, ONE).outcome == "pass"
        assert tsa.queries[0][0]["Host"] == "tsa.invalid"

    def test_nothing_is_asked_where_nothing_can_be_kept(self, tsa, home):
        home.state.parent.mkdir(exist_ok=True)
        home.state.write_text("a file")
        with pytest.raises(AnchorError):
            publish(tsa.anchor(home))
        assert tsa.queries == []

    def test_bad_roots_are_found_before_anything_is_asked(self, tsa, home, tmp_path):
        with pytest.raises(UsageError, match="roots"):
            publish(tsa.anchor(home, roots=str(tmp_path / "missing.pem")))
        assert tsa.queries == []

    def test_a_port_nobody_listens_on(self, home, tmp_path):
        with socket.socket() as taken:
            taken.bind(("127.0.0.1", 0))
            anchor = Rfc3161Anchor.from_uri(
                f"rfc3161:http://127.0.0.1:{taken.getsockname()[1]}/", home, {"timeout": 20}
            )
            with pytest.raises(AnchorError, match="cannot be reached"):
                publish(anchor)
