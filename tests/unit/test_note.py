"""Signed notes and checkpoints. The keys and notes of PeterNeumann and EnochRoot are those of the format's authors."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mltrust.anchors.ledger.checkpoint import Checkpoint, SignedCheckpoint
from mltrust.core.note import MAX_NOTE_BYTES, Note, Signed, Signer, VerifierKey, looks_like_a_key
from mltrust.errors import FormatError

PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETER_SEED = base64.b64decode("AYEKFALVFGyNhPJEMzD1QIDr+Y7hfZx09iUvxdXHKDFz")[1:]
ENOCH = "EnochRoot+af0cfe78+ATtqJ7zOtqQtYqOo0CpvDXNlMhV3HeJDpjrASKGLWdop"
TEXT = "If you think cryptography is the answer to your problem,\nthen you don't know what your problem is.\n"
PETER_LINE = (
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
)
ENOCH_LINE = (
    "— EnochRoot rwz+eBzmZa0SO3NbfRGzPCpDckykFXSdeX+MNtCOXm2/5n2tiOHp+vAF1aGrQ5ovTG01oOTGwnWLox33WWd1RvMc+QQ=\n"
)
SUM_DB = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
SUM_DB_NOTE = (
    "go.sum database tree\n13485\n/ZWur4obeiqK+ASdnPK+/Rmz6LPQMUeSmHh0+UkL54Y=\n\n— sum.golang.org "
    "Az3grnQReYTvpCrRxT+w50vixbqBlB/aPS8bL8f8KW4HHP+UjLSXOJgCh4f54n8hO6lrESglzyRXMXnhaWzaeY3zqw8=\n"
)
ROOT = bytes(range(32))


def note(text):
    return Note.parse(text.encode("utf-8", "surrogateescape"), "note")


def signer(name="example.com/log", seed=bytes(32)):
    return Signer(name, Ed25519PrivateKey.from_private_bytes(seed))


class TestVerifierKey:
    @pytest.mark.parametrize("text", [PETER, ENOCH, SUM_DB])
    def test_round_trip(self, text):
        assert str(VerifierKey.parse(text, "key")) == text

    def test_no_part_of_a_key_is_a_key(self):
        for start in range(len(PETER)):
            for end in range(start + 1, len(PETER) + 1):
                if end - start < len(PETER):
                    with pytest.raises(FormatError):
                        VerifierKey.parse(PETER[start:end], "key")

    def test_no_other_character_fits(self):
        for at, character in enumerate(PETER):
            with pytest.raises(FormatError):
                VerifierKey.parse(PETER[:at] + chr(ord(character) + 1) + PETER[at + 1 :], "key")

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "PeterNeumann+cc469956+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TWBADKEY==",
            "PeterNeumann+173116ae+ZRpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW",
            PETER.replace("c74f20a3", "C74F20A3"),
            PETER + "\n",
            PETER + "=",
            PETER.replace("+AR", "+ AR"),
            "x" * 5000 + PETER,
            "a\ud800" + PETER,
        ],
    )
    def test_refusals(self, text):
        with pytest.raises(FormatError):
            VerifierKey.parse(text, "key")


class TestNote:
    def test_signing_gives_the_published_note(self):
        assert signer("PeterNeumann", PETER_SEED).sign(TEXT).format() == TEXT + "\n" + PETER_LINE

    def test_the_key_of_the_signer(self):
        assert str(signer("PeterNeumann", PETER_SEED).verifier_key) == PETER

    @pytest.mark.parametrize("lines", [PETER_LINE, ENOCH_LINE, PETER_LINE + ENOCH_LINE, ENOCH_LINE + PETER_LINE])
    def test_round_trip(self, lines):
        assert note(TEXT + "\n" + lines).format() == TEXT + "\n" + lines

    def test_text_ends_at_the_last_empty_line(self):
        text = "a\n\nb\n\n"
        assert note(signer().sign(text).format()).text == text

    def test_who_signed(self):
        both = note(TEXT + "\n" + PETER_LINE + ENOCH_LINE)
        one = note(TEXT + "\n" + PETER_LINE)
        assert both.signed_by(VerifierKey.parse(PETER, "key")) is Signed.VALID
        assert both.signed_by(VerifierKey.parse(ENOCH, "key")) is Signed.VALID
        assert one.signed_by(VerifierKey.parse(ENOCH, "key")) is Signed.UNKNOWN
        assert one.signed_by(signer("PeterNeumann").verifier_key) is Signed.UNKNOWN

    def test_every_flipped_bit_of_the_text_is_noticed(self):
        key = VerifierKey.parse(PETER, "key")
        data = TEXT.encode()
        for at in range(len(data)):
            for bit in range(8):
                flipped = bytearray(data)
                flipped[at] ^= 1 << bit
                try:
                    said = Note.parse(bytes(flipped) + b"\n" + PETER_LINE.encode(), "note").signed_by(key)
                except FormatError:
                    continue
                assert said is Signed.INVALID

    def test_a_false_signature_of_a_known_key(self):
        line = PETER_LINE[:60] + ("A" if PETER_LINE[60] != "A" else "B") + PETER_LINE[61:]
        assert note(TEXT + "\n" + line).signed_by(VerifierKey.parse(PETER, "key")) is Signed.INVALID
        longer = PETER_LINE[:60] + "ABCD" + PETER_LINE[60:]
        assert note(TEXT + "\n" + longer).signed_by(VerifierKey.parse(PETER, "key")) is Signed.INVALID

    def test_a_published_checkpoint_verifies(self):
        assert note(SUM_DB_NOTE).signed_by(VerifierKey.parse(SUM_DB, "key")) is Signed.VALID

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "\n",
            "\n\n",
            TEXT,
            TEXT + "\n",
            PETER_LINE,
            "\n" + PETER_LINE,
            "\n\n" + PETER_LINE,
            TEXT + PETER_LINE,
            TEXT + "\n" + PETER_LINE[:-1],
            "\x01" + TEXT + "\n" + PETER_LINE,
            "\udcff" + TEXT + "\n" + PETER_LINE,
            (TEXT + "\n" + PETER_LINE).replace("\n", "\r\n"),
            TEXT + "\t\n\n" + PETER_LINE,
            TEXT + "\n" + PETER_LINE.replace("PeterNeumann", "Bad Name"),
            TEXT + "\n" + PETER_LINE.replace("PeterNeumann", "Bad+Name"),
            TEXT + "\n" + PETER_LINE.replace("PeterNeumann", "Bad\u2003Name"),
            TEXT + "\n" + PETER_LINE.replace("PeterNeumann", ""),
            TEXT + "\n" + PETER_LINE + "Unexpected line.\n",
            TEXT + "\n" + PETER_LINE + "\n",
            TEXT + "\n" + PETER_LINE.replace("—", "-"),
            TEXT + "\n" + PETER_LINE.replace("— ", "—  "),
            TEXT + "\n" + PETER_LINE.replace("=", ""),
            TEXT + "\n" + PETER_LINE.replace("M=", "N="),
            TEXT + "\n" + PETER_LINE.replace("=\n", "= \n"),
            TEXT + "\n" + PETER_LINE.replace("x08go/", "x08go_"),
            TEXT + "\n— PeterNeumann x08gow==\n",
            TEXT + "\n" + PETER_LINE + PETER_LINE,
            TEXT + "\n" + PETER_LINE + PETER_LINE[:60] + "ABCD" + PETER_LINE[60:],
            "x" * MAX_NOTE_BYTES + TEXT + "\n" + PETER_LINE,
        ],
    )
    def test_refusals(self, text):
        with pytest.raises(FormatError):
            note(text)

    def test_sixteen_large_signatures_are_read(self):
        lines = "".join(f"— witness{number} {base64.b64encode(bytes(2424)).decode()}\n" for number in range(16))
        assert len(note(TEXT + "\n" + PETER_LINE + lines).signatures) == 17

    @pytest.mark.parametrize("text", ["", "abc", "a\rb\n", "\x00\n"])
    def test_unfit_text_is_not_signed(self, text):
        with pytest.raises(FormatError):
            signer().sign(text)

    def test_an_unfit_name_does_not_sign(self):
        with pytest.raises(FormatError):
            signer("bad name").sign("a\n")


class TestCheckpoint:
    @pytest.mark.parametrize("size", [0, 1, 10, 2**64 - 1])
    def test_round_trip(self, size):
        checkpoint = Checkpoint("example.com/log", size, ROOT)
        assert Checkpoint.parse(checkpoint.format(), "checkpoint") == checkpoint
        signed = checkpoint.sign(signer())
        assert SignedCheckpoint.parse(signed.text.encode(), "checkpoint") == signed
        assert signed.signed_by(signer().verifier_key) is Signed.VALID

    def test_the_published_one_is_read(self):
        checkpoint = SignedCheckpoint.parse(SUM_DB_NOTE.encode(), "checkpoint").checkpoint
        assert (checkpoint.origin, checkpoint.size) == ("go.sum database tree", 13485)

    def test_a_key_does_not_vouch_for_another_origin(self):
        signed = Checkpoint("example.com/other", 1, ROOT).sign(signer())
        assert signed.signed_by(signer().verifier_key) is Signed.UNKNOWN

    def test_every_flipped_bit_is_noticed(self):
        data = Checkpoint("example.com/log", 10, ROOT).sign(signer()).text.encode()
        for at in range(len(data)):
            for bit in range(8):
                flipped = bytearray(data)
                flipped[at] ^= 1 << bit
                try:
                    said = SignedCheckpoint.parse(bytes(flipped), "checkpoint").signed_by(signer().verifier_key)
                except FormatError:
                    continue
                assert said is not Signed.VALID

    @pytest.mark.parametrize(
        "text",
        [
            "",
            "log\n1\n",
            "\n1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
            "log\n01\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
            "log\n+1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
            "log\n-1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
            "log\n1_0\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
            "log\n\u0661\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
            "log\n18446744073709551616\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
            "log\n1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh9=\n",
            "log\n1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8\n",
            "log\n1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==\n",
            "log\n1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
            "log\n1\nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\nextension\n",
            "log\n1 \nAAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=\n",
        ],
    )
    def test_refusals(self, text):
        with pytest.raises(FormatError):
            Checkpoint.parse(text, "checkpoint")


@pytest.mark.parametrize("text", [PETER, "a+0123abcd+mistyped"])
def test_a_key_looks_like_one_even_if_it_is_mistyped(text):
    assert looks_like_a_key(text)


@pytest.mark.parametrize(
    "text", ["", "ledger:a", "git-notes:a+b", "a+0123ABCD+x", "a b+0123abcd+x", "a+0123abcd+", PETER + "\n"]
)
def test_nothing_else_looks_like_a_key(text):
    assert not looks_like_a_key(text)
