"""Keys on disk: made once, read strictly, and only where nobody else can read them."""

import os

import pytest
from cryptography.hazmat.primitives.asymmetric import ed25519, x25519
from cryptography.hazmat.primitives.serialization import (
    BestAvailableEncryption,
    Encoding,
    NoEncryption,
    PrivateFormat,
)

from mltrust.disk import keys, private_keys
from mltrust.errors import AnchorError, UsageError

ONE = ed25519.Ed25519PrivateKey.from_private_bytes(bytes(32))


def _pem(file, private, password=None, mode=0o600):
    how = NoEncryption() if password is None else BestAvailableEncryption(password)
    file.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, how))
    file.chmod(mode)
    return file


def test_the_own_key_is_not_made_by_looking_for_it(tmp_path):
    assert keys.own_if_any(tmp_path / "data", os.urandom) is None
    assert not (tmp_path / "data").exists()
    made = keys.own(tmp_path / "data", os.urandom)
    assert keys.own_if_any(tmp_path / "data", os.urandom).verifier_key == made.verifier_key


def test_an_own_key_that_is_gone_is_an_error(tmp_path):
    keys.path(tmp_path, keys.own(tmp_path, os.urandom).name).unlink()
    with pytest.raises(AnchorError, match="is gone"):
        keys.own_if_any(tmp_path, os.urandom)


def test_a_private_key_is_read(tmp_path):
    assert keys.read_private(tmp_path / "none") is None
    read = keys.read_private(_pem(tmp_path / "a", ONE), lambda: pytest.fail("there is no password"))
    assert read.private_bytes_raw() == bytes(32)


def test_a_password_is_asked_for_where_it_is_needed(tmp_path):
    file = _pem(tmp_path / "a", ONE, b"open sesame")
    assert keys.read_private(file, lambda: "open sesame").private_bytes_raw() == bytes(32)
    with pytest.raises(AnchorError, match="password is wrong"):
        keys.read_private(file, lambda: "x")
    with pytest.raises(AnchorError, match="not a private key"):
        keys.read_private(file)


@pytest.mark.parametrize(
    "content", [b"", b"x", b"ENCRYPTED", b"-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----\n"]
)
def test_what_is_no_key_is_refused(tmp_path, content):
    file = tmp_path / "a"
    file.write_bytes(content)
    file.chmod(0o600)
    with pytest.raises(AnchorError) as caught:
        keys.read_private(file, lambda: "x")
    assert caught.value.hint


def test_a_key_of_another_kind_is_refused(tmp_path):
    with pytest.raises(AnchorError, match="not an Ed25519 key"):
        keys.read_private(_pem(tmp_path / "a", x25519.X25519PrivateKey.generate()))


@pytest.mark.skipif(os.name == "nt", reason="modes are not checked there")
@pytest.mark.parametrize("mode", [0o640, 0o604, 0o610, 0o620])
def test_a_key_others_can_read_is_refused(tmp_path, mode):
    file = _pem(tmp_path / "a b", ONE, mode=mode)
    with pytest.raises(UsageError, match="others can read this signing key") as caught:
        keys.read_private(file)
    assert caught.value.hint == f"Run: chmod 600 '{file}'"
    file.chmod(0o600)
    assert keys.read_private(file)


SHORT = (
    "-----BEGIN PRIVATE KEY-----\nProc-Type: 4,ENCRYPTED\nDEK-Info: AES-128-CBC,{}\n\n{}\n-----END PRIVATE KEY-----\n"
)


def test_a_key_the_library_panics_at_is_damaged(tmp_path):
    """An IV of 8 bytes is enough for the library's first look, and not for its second."""
    file = tmp_path / "key"
    file.write_text(SHORT.format("00" * 8, "eA" * 32))
    file.chmod(0o600)
    with pytest.raises(AnchorError, match="the password is wrong, or it is damaged"):
        keys.read_private(file, lambda: "x")
    with pytest.raises(UsageError, match="the password is wrong, or the key is damaged"):
        private_keys.read(file, lambda: "x")


@pytest.mark.skipif(os.name == "nt", reason="modes are not checked there")
@pytest.mark.parametrize("read", [keys.read_private, keys.read_password, lambda file: private_keys.read(file, str)])
def test_what_is_looked_at_is_the_file_that_was_read(tmp_path, monkeypatch, read):
    """Another file that takes its name meanwhile does not make it a secret."""
    file, other, real = _pem(tmp_path / "a", ONE, mode=0o644), _pem(tmp_path / "b", ONE), os.fstat

    def swapped(handle):
        status = real(handle)
        if other.exists():
            other.replace(file)
        return status

    monkeypatch.setattr(os, "fstat", swapped)
    with pytest.raises(UsageError, match="others can read"):
        read(file)
    assert not other.exists()
    monkeypatch.undo()
    assert read(file)
