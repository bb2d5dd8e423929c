"""A record of git notes: one line, one spelling, and what is signed in it."""

import json

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from mltrust.anchors.git_notes.record import MAX_RECORD_BYTES, Record, digest_of, names_path
from mltrust.core import canonical
from mltrust.core.digest import Digest
from mltrust.core.note import Note, Signed, Signer
from mltrust.errors import FormatError, UsageError

SIGNER = Signer("mltrust.local/0011223344556677", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
DIGEST = Digest.sha256(b"one")
TIME = "2026-11-22T10:00:00Z"
LINE = (
    b'{"digest":"sha256:7692c3ad3540bb803c020b3aee66cd8887123234ea0c6e7143c0add73ff431ed",'
    b'"path":"model/mltrust.seal.json","signature":"mltrust.local/0011223344556677 '
    b"3HNGH8y2CvmdUtp1PGSYw/hl1OxgqCckTQuGMG9GJ9fz1UN+74MC9o7aPpNqHcE02EDFTn8BcYbD+aN2KBpiE8rpqgg="
    b'","time":"2026-11-22T10:00:00Z","type":"mltrust/git-note/1"}'
)


def _record(path="model/mltrust.seal.json", digest=DIGEST, time=TIME):
    return Record.signed(digest, path, time, SIGNER)


def _edited(**changes):
    value = {**json.loads(_record().format()), **changes}
    return canonical.dumps({key: each for key, each in value.items() if each is not ...})


def test_the_line_of_a_record_is_this_one():
    assert _record().format() == LINE
    assert Record.parse(LINE, "x") == _record()


def test_the_line_is_a_c2sp_signed_note_in_another_spelling():
    value = json.loads(LINE)
    signature = value.pop("signature")
    text = canonical.dumps(value).decode() + f"\n\n— {signature}\n"
    note = Note.parse(text.encode(), "note")
    assert note == _record().note
    assert note.signed_by(SIGNER.verifier_key) is Signed.VALID


@pytest.mark.parametrize(
    "changes",
    [
        {"digest": str(Digest.sha256(b"two"))},
        {"path": "other/mltrust.seal.json"},
        {"path": None},
        {"time": "2026-11-22T10:00:01Z"},
    ],
)
def test_everything_it_says_is_signed(changes):
    record = Record.parse(_edited(**changes), "x")
    assert record.note.signed_by(SIGNER.verifier_key) is Signed.INVALID


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        LINE + b" ",
        b" " + LINE,
        LINE.replace(b'","path"', b'", "path"'),
        LINE.replace(b"model/", b"mod\\u0065l/"),
        LINE.replace(b'"time"', b'"time":"2026-11-22T10:00:00Z","time"'),
        _edited(type="mltrust/git-note/2"),
        _edited(type=...),
        _edited(path=...),
        _edited(more="x"),
        _edited(path=1),
        _edited(path=""),
        _edited(path="/model"),
        _edited(path="a/../b"),
        _edited(path="a\0b"),
        _edited(path="a" * MAX_RECORD_BYTES),
        _edited(digest="sha256:" + "A" * 64),
        _edited(digest="sha1:" + "a" * 40),
        _edited(digest=str(DIGEST) + "\n"),
        _edited(time="2026-02-30T10:00:00Z"),
        _edited(time="2026-11-22T10:00:00+00:00"),
        _edited(time="2026-11-22T10:00:00Z\n"),
        _edited(signature=""),
        _edited(signature="name"),
        _edited(signature="name !!!!"),
        _edited(signature="name AAAA"),
        _edited(signature="na+me AAAAAAAAAAAA"),
        _edited(signature=json.loads(LINE)["signature"] + "\n"),
        _edited(signature=json.loads(LINE)["signature"].replace(" ", "  ")),
        _edited(signature=json.loads(LINE)["signature"][:-1]),
    ],
)
def test_any_other_spelling_is_refused(line):
    with pytest.raises(FormatError):
        Record.parse(line, "x")


def test_a_hostile_path_is_kept_and_escaped():
    record = _record(path='a\x1b[31m"b\u202e/c')
    assert b"\x1b" not in record.format()
    assert Record.parse(record.format(), "x").path == 'a\x1b[31m"b\u202e/c'
    assert record.note.signed_by(SIGNER.verifier_key) is Signed.VALID


def test_a_path_that_does_not_fit_is_the_callers_error():
    with pytest.raises(UsageError):
        _record(path="/".join(["a" * 200] * 20))


def test_a_line_tells_its_digest_and_path_before_it_is_parsed():
    assert digest_of(LINE) == str(DIGEST).encode()
    assert digest_of(b"anything else") == b""
    assert names_path(LINE, "model/mltrust.seal.json")
    assert not names_path(LINE, "model/mltrust.seal.jso")
    assert names_path(_record(path='a"b').format(), 'a"b')
