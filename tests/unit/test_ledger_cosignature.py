"""Cosignatures. The notes of `navigli` are what a public witness published of two public logs."""

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mltrust.anchors.ledger.checkpoint import Checkpoint, SignedCheckpoint
from mltrust.anchors.ledger.cosignature import CosignerKey, Witnesses, cosign, cosignatures, shown_time, time_of
from mltrust.core.note import Signed, Signer, VerifierKey
from mltrust.core.report import AnchorState
from mltrust.errors import ContradictionError, FormatError, UsageError

NAVIGLI = "witness.navigli.sunlight.geomys.org+a3e00fe2+BNy/co4C1Hn1p+INwJrfUlgz7W55dSZReusH/GhUhJ/G"
REMORA = "remora.n621.de+da77ade7+BOvN63jn/bLvkieywe8R6UYAtVtNbZpXh34x7onlmtw2"
LOG = "markovianprotocol.com/log+0302c6c8+ATkpOWo95UuEiW2EhNZAol4f0CS8hMluJfPcTSzrr03v"
NOTE = """markovianprotocol.com/log
9266
QnwPzJywq5AyOk9k1zLqfryh6Ktw1CnaaKplELApoxw=

— markovianprotocol.com/log AwLGyIvuxLXZM101mKdNCPTsl9GgtiG/wzbd8cGru0pGnWVMXI06twIsEIZho7n8id+w2EO0BZCalxuEm6BauQGNmgo=
— witness.navigli.sunlight.geomys.org o+AP4gAAAABqwX+So8evhUsltetL+QnwUxEYMNrD25pJYOTFHwDCopbgQMl2AEh583AxfFNMDZzE73rdjK62tUN8oUBfd9p6usq+BA==
"""  # noqa: E501  # as they were published
OTHER_NOTE = """coachandhorses2026h1.staging.certificate.transparency.goog
185550722
YXAM0VmnrfvLaBCOOYSJhCaE5F10oGBOo+hkbDa1kng=

— coachandhorses2026h1.staging.certificate.transparency.goog MpXgsHy8ZwxXnO+WjtVrPxAzL49Rs1gWTkNVNeEa//5peAzaocRCB3qt3EaibjzY5GILLtGgBP7dBhgcSHy+JQh0OAc=
— witness.navigli.sunlight.geomys.org o+AP4gAAAABqb7DzNrGFRJnQ9vrJ8xpnwZytnr/ZYczDIsvwvouiSjwOjn7a72ccxBk+lKnZ7dKqkYKER1s/KxLTaVwQD7lJZTC/CQ==
"""  # noqa: E501  # as they were published
ROOT = bytes(range(32))


def parsed(text):
    return SignedCheckpoint.parse(text.encode(), "checkpoint")


def navigli():
    return CosignerKey.parse(NAVIGLI, "key")


def signer(name, seed=bytes(32)):
    return Signer(name, Ed25519PrivateKey.from_private_bytes(seed))


@pytest.fixture
def plain():
    return Checkpoint("example.com/log", 7, ROOT).sign(signer("example.com/log"))


class TestPublishedOnes:
    @pytest.mark.parametrize(("note", "time"), [(NOTE, 1791066002), (OTHER_NOTE, 1785704691)])
    def test_they_verify(self, note, time):
        assert time_of(parsed(note), navigli()) == time
        assert parsed(note).note.signed_by(navigli()) is Signed.VALID
        assert parsed(note).text == note

    def test_the_log_signed_too_and_neither_stands_for_the_other(self):
        log = VerifierKey.parse(LOG, "key")
        assert parsed(NOTE).signed_by(log) is Signed.VALID
        assert time_of(parsed(NOTE), CosignerKey(log.name, log.public)) is None
        assert parsed(NOTE).note.signed_by(VerifierKey(navigli().name, navigli().public)) is Signed.UNKNOWN

    def test_a_cosignature_is_for_its_checkpoint(self):
        line = NOTE.splitlines(keepends=True)[-1]
        elsewhere = parsed("".join([*OTHER_NOTE.splitlines(keepends=True)[:-1], line]))
        assert elsewhere.note.signed_by(navigli()) is Signed.INVALID
        assert time_of(elsewhere, navigli()) is None

    def test_every_flipped_bit_is_noticed(self):
        *lines, last = NOTE.splitlines(keepends=True)
        name, payload = last.rsplit(" ", 1)
        raw = base64.b64decode(payload)
        for at in range(4, len(raw)):
            for bit in range(8):
                flipped = raw[:at] + bytes([raw[at] ^ 1 << bit]) + raw[at + 1 :]
                text = "".join([*lines, f"{name} {base64.b64encode(flipped).decode()}\n"])
                assert parsed(text).note.signed_by(navigli()) is Signed.INVALID
                assert time_of(parsed(text), navigli()) is None

    @pytest.mark.parametrize("more", [b"", b"\0", bytes(2420), bytes(64)])
    def test_a_payload_of_another_length_is_none(self, more):
        *lines, last = NOTE.splitlines(keepends=True)
        name, payload = last.rsplit(" ", 1)
        raw = base64.b64decode(payload)[: 76 if more else 75] + more
        found = parsed("".join([*lines, f"{name} {base64.b64encode(raw).decode()}\n"]))
        assert time_of(found, navigli()) is None
        assert not cosignatures(found)

    def test_a_line_of_another_type_under_the_same_name_is_ignored(self):
        more = base64.b64encode(bytes.fromhex("6bc44249") + bytes(2428)).decode()
        found = parsed(f"{NOTE}— {navigli().name} {more}\n")
        assert time_of(found, navigli()) == 1791066002
        assert len(cosignatures(found)) == 1


class TestCosign:
    def test_the_line_it_makes(self, plain):
        witness = signer("witness.example/w", bytes([7] * 32))
        signed = cosign(plain, witness, 1679315147)
        message = f"cosignature/v1\ntime 1679315147\n{plain.note.text}".encode()
        value = (1679315147).to_bytes(8, "big") + witness.private.sign(message)
        key = CosignerKey.of(witness)
        assert signed.text == plain.text + f"— witness.example/w {base64.b64encode(key.id + value).decode()}\n"
        assert time_of(signed, key) == 1679315147
        assert signed.signed_by(signer("example.com/log").verifier_key) is Signed.VALID

    def test_one_more_of_the_same_witness_takes_the_place_of_the_first(self, plain):
        witness = signer("w")
        twice = cosign(cosign(plain, witness, 5), witness, 6)
        assert time_of(twice, CosignerKey.of(witness)) == 6
        assert len(twice.note.signatures) == 2

    @pytest.mark.parametrize(("time", "good"), [(0, True), (2**63 - 1, True), (2**63, False)])
    def test_the_range_of_times(self, plain, time, good):
        witness = signer("w")
        assert (time_of(cosign(plain, witness, time), CosignerKey.of(witness)) == time) is good

    def test_times_are_shown_whatever_they_are(self):
        assert shown_time(1791066002) == "2026-10-03T22:20:02Z"
        assert shown_time(2**63 - 1) == f"second {2**63 - 1}"


class TestKey:
    @pytest.mark.parametrize("text", [NAVIGLI, REMORA])
    def test_round_trip(self, text):
        assert str(CosignerKey.parse(text, "key")) == text

    def test_a_ledgers_key_is_none(self):
        with pytest.raises(FormatError, match="not the key of a witness"):
            CosignerKey.parse(LOG, "key")
        with pytest.raises(FormatError, match="not an Ed25519 key"):
            VerifierKey.parse(NAVIGLI, "key")

    def test_it_is_not_the_ledgers_key_of_the_same_bytes(self):
        key = navigli()
        assert VerifierKey(key.name, key.public) != key
        assert VerifierKey(key.name, key.public).id != key.id

    @pytest.mark.parametrize(
        "text", ["", NAVIGLI[:-1], NAVIGLI.replace("a3e0", "A3E0"), NAVIGLI.replace("+BN", "+AN"), NAVIGLI + "\n"]
    )
    def test_refusals(self, text):
        with pytest.raises(FormatError):
            CosignerKey.parse(text, "key")


class TestWitnesses:
    def test_all_must_unless_said_otherwise(self):
        assert Witnesses.of({"witnesses": [NAVIGLI, REMORA]}).at_least == 2
        assert Witnesses.of({"witnesses": [NAVIGLI, REMORA], "at_least": 1}).at_least == 1
        assert Witnesses.of({}) == Witnesses()

    @pytest.mark.parametrize(
        "settings",
        [
            {"at_least": 1},
            {"witnesses": []},
            {"witnesses": NAVIGLI},
            {"witnesses": [1]},
            {"witnesses": ["x"]},
            {"witnesses": [LOG]},
            {"witnesses": [NAVIGLI, NAVIGLI]},
            {"witnesses": [NAVIGLI] * 65},
            {"witnesses": [NAVIGLI, REMORA], "at_least": 0},
            {"witnesses": [NAVIGLI, REMORA], "at_least": 3},
            {"witnesses": [NAVIGLI, REMORA], "at_least": True},
            {"witnesses": [NAVIGLI, REMORA], "at_least": 1.0},
            {"witnesses": [NAVIGLI, REMORA], "at_least": "1"},
        ],
    )
    def test_settings_that_make_no_sense(self, settings):
        with pytest.raises(UsageError):
            Witnesses.of(settings)

    def test_one_public_key_under_two_names_is_one_voice(self):
        other = CosignerKey("another.example", navigli().public)
        with pytest.raises(UsageError, match="twice"):
            Witnesses.of({"witnesses": [NAVIGLI, str(other)]})

    def test_who_cosigned(self, plain):
        keys = [CosignerKey.of(signer(name, bytes([number] * 32))) for number, name in enumerate("abc")]
        known = Witnesses(tuple(keys), 2)
        a, b = (cosign(plain, signer(name, bytes([number] * 32)), 5 + number) for number, name in enumerate("ab"))
        assert known.who([]) == {}
        assert known.who([plain]) == {}
        assert known.who([a, b]) == {keys[0]: 5, keys[1]: 6}
        assert known.voices(a) == 1
        assert known.reach([a]) == 0
        assert known.reach([a, b]) == 7

    def test_a_false_one_of_a_known_witness_is_refused(self, plain):
        known = Witnesses((navigli(),), 1)
        known.refuse_false(plain)
        known.refuse_false(cosign(plain, signer("stranger"), 5))
        line = parsed(NOTE).note.signature_of(navigli())
        with pytest.raises(ContradictionError) as caught:
            known.refuse_false(plain.with_signatures([line]))
        assert caught.value.state == AnchorState.UNSIGNED
