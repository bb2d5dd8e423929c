"""Private key files: what others made is read, what is made here others read, and nothing else is taken."""

import base64
import errno
import os
import shutil
import stat
import subprocess
import sys

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, ssh

from mltrust.core.dsse import pae
from mltrust.core.private_key import KINDS, generate, read_private_key
from mltrust.core.public_key import read_public_key
from mltrust.disk import documents, private_keys
from mltrust.errors import FormatError, SigningError, UnreadableError, UsageError
from mltrust.interfaces import Home
from mltrust.signers.file import FileSigner
from mltrust.signers.own import checked

PASSWORD = "öpen sesame"
OPENSSL = pytest.mark.skipif(shutil.which("openssl") is None, reason="needs openssl")
KEYGEN = pytest.mark.skipif(shutil.which("ssh-keygen") is None, reason="needs ssh-keygen")


def refuse():
    raise AssertionError("nobody should be asked")


def openssl(*arguments, data=None):
    return subprocess.run(["openssl", *arguments], input=data, capture_output=True, check=True).stdout


def assert_signs(key):
    for part in key.parts:
        assert part.public.verifies(b"message", part.sign(b"message"))


@pytest.mark.parametrize("password", [None, PASSWORD], ids=["plain", "encrypted"])
@pytest.mark.parametrize("kind", KINDS)
def test_what_is_written_is_read(tmp_path, new_key, kind, password):
    path = new_key(tmp_path / "key", kind, password)
    key = private_keys.read(path, refuse if password is None else lambda: password)
    assert key.public.kind == kind
    assert key.public == read_public_key((tmp_path / "key.pub").read_bytes(), "public")
    assert_signs(key)
    if password:
        assert path.read_bytes().count(b"-----BEGIN ENCRYPTED PRIVATE KEY-----") == len(key.parts)
        with pytest.raises(UsageError, match="the password is wrong"):
            private_keys.read(path, lambda: "open sesame")
    if sys.platform != "win32":
        assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_keys_are_made_of_the_random_bytes_they_are_given():
    def make(kind, seed):
        return generate(kind, lambda size: bytes([seed]) * size).public

    made = [make(kind, seed) for kind in KINDS[:2] for seed in (1, 1, 2)]
    assert [made[0] == made[1], made[1] == made[2], made[3] == made[4], made[4] == made[5]] == [True, False] * 2
    assert generate("ed25519", os.urandom).public != generate("ed25519", os.urandom).public


@OPENSSL
@pytest.mark.parametrize("kind", ["ed25519", "p256", "hybrid"])
def test_openssl_reads_what_is_written(tmp_path, new_key, kind):
    """Of a hybrid key, the Ed25519 half; a version with ML-DSA may read the other."""
    plain = new_key(tmp_path / "plain", kind)
    closed = new_key(tmp_path / "closed", kind, PASSWORD)
    half = read_public_key((tmp_path / "plain.pub").read_bytes(), "public").parts[0].der
    for arguments in (("-in", plain), ("-in", closed, "-passin", f"pass:{PASSWORD}")):
        assert openssl("pkey", *arguments, "-pubout", "-outform", "DER") == half


@OPENSSL
def test_keys_of_openssl_are_read(tmp_path):
    make = {
        "ed25519": ("genpkey", "-algorithm", "ed25519"),
        "p256": ("ecparam", "-name", "prime256v1", "-genkey"),  # EC PARAMETERS, then SEC 1
        "p384": ("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:P-384"),
    }
    for kind, command in make.items():
        pem = openssl(*command)
        der = openssl("pkcs8", "-topk8", "-nocrypt", "-outform", "DER", data=pem)
        # What OpenSSL encrypts by itself, and the old way of its own.
        closed = openssl("pkcs8", "-topk8", "-v2", "aes-256-cbc", "-passout", "pass:open", data=pem)
        closed_der = openssl("pkcs8", "-topk8", "-passout", "pass:open", "-outform", "DER", data=pem)
        known = openssl("pkey", "-pubout", "-outform", "DER", data=pem)
        for data, password in ((pem, refuse), (der, refuse), (closed, lambda: "open"), (closed_der, lambda: "open")):
            key = read_private_key(data, "key", password)
            assert key.public.kind == kind
            assert key.public.parts[0].der == known
            assert_signs(key)
    old = openssl("ec", "-aes256", "-passout", "pass:open", data=openssl(*make["p256"]))
    assert b"Proc-Type: 4,ENCRYPTED" in old
    assert_signs(read_private_key(old, "key", lambda: "open"))


@KEYGEN
@pytest.mark.parametrize("kind", [("-t", "ed25519"), ("-t", "ecdsa", "-b", "256")], ids=lambda kind: kind[1])
@pytest.mark.parametrize("password", ["", "open"], ids=["plain", "encrypted"])
def test_keys_of_openssh_are_read(tmp_path, kind, password):
    if password:
        pytest.importorskip("bcrypt", reason="an encrypted OpenSSH key needs bcrypt")
    subprocess.run(["ssh-keygen", "-q", *kind, "-a", "1", "-N", password, "-f", tmp_path / "id"], check=True)
    key = private_keys.read(tmp_path / "id", (lambda: password) if password else refuse)
    assert key.public == read_public_key((tmp_path / "id.pub").read_bytes(), "public")
    assert_signs(key)
    if password:
        with pytest.raises(UsageError, match="the password is wrong"):
            private_keys.read(tmp_path / "id", lambda: "wrong")


@KEYGEN
def test_an_encrypted_openssh_key_says_what_it_needs(tmp_path, monkeypatch):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-a", "1", "-N", "open", "-f", tmp_path / "id"], check=True)

    def missing(*arguments):
        raise UnsupportedAlgorithm("Need bcrypt module")

    monkeypatch.setattr(ssh, "_bcrypt_kdf", missing)  # as the library has it where bcrypt is not installed
    with pytest.raises(UsageError, match="needs bcrypt") as raised:
        private_keys.read(tmp_path / "id", lambda: "open")
    assert "mltrust[ssh]" in raised.value.hint


def der(tag, content):
    size = len(content)
    length = bytes([size]) if size < 128 else b"\x82" + size.to_bytes(2)
    return bytes([tag]) + length + content


def test_ml_dsa_keys_of_another_implementation():
    """RFC 9881 knows a key by its seed, expanded, and both. The seed is read; of the others, what to do is said."""
    pytest.importorskip("cryptography.hazmat.primitives.asymmetric.mldsa", reason="no ML-DSA here")
    ml_dsa_65 = pytest.importorskip("dilithium_py.ml_dsa").ML_DSA_65
    seed, identifier = bytes(range(32)), der(0x30, der(0x06, bytes.fromhex("608648016503040312")))
    public, expanded = ml_dsa_65.key_derive(seed)

    def pkcs8(choice):
        return der(0x30, der(0x02, b"\0") + identifier + der(0x04, choice))

    key = read_private_key(pkcs8(der(0x80, seed)), "key", refuse)
    assert key.public == read_public_key(der(0x30, identifier + der(0x03, b"\0" + public)), "public")
    assert ml_dsa_65.verify(public, b"message", key.parts[0].sign(b"message"))
    for choice in (der(0x04, expanded), der(0x30, der(0x04, seed) + der(0x04, expanded))):
        pem = b"-----BEGIN PRIVATE KEY-----\n%b-----END PRIVATE KEY-----\n" % base64.encodebytes(pkcs8(choice))
        for data in (pkcs8(choice), pem):
            try:
                found = read_private_key(data, "key", refuse).public  # a library that knows more
            except FormatError as error:
                found = error.hint
            assert found == key.public or "seed-only" in found


@OPENSSL
def test_other_kinds_and_what_is_no_key(tmp_path, new_key):
    rsa = openssl("genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:1024")
    x25519 = openssl("genpkey", "-algorithm", "X25519")
    koblitz = openssl("genpkey", "-algorithm", "EC", "-pkeyopt", "ec_paramgen_curve:secp256k1")
    ed25519 = new_key(tmp_path / "a").read_bytes()
    p256 = new_key(tmp_path / "b", "p256").read_bytes()
    for data in (rsa, koblitz, x25519, (tmp_path / "a.pub").read_bytes(), b"ssh-ed25519 AAAA x"):
        with pytest.raises(UsageError):
            read_private_key(data, "key", refuse)
    cut = ed25519[:60] + ed25519[64:]
    pairs = (ed25519 + ed25519, p256 + ed25519, ed25519 + p256, ed25519 + ed25519 + p256)
    certificate = b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"
    odd = b"-----BEGIN PRIVATE KEY-----\nAAA\n-----END PRIVATE KEY-----\n"
    for data in (b"", b"\0", b"x" * 100, cut, odd, ed25519[:-20], certificate, b"\x30" * 70_000, *pairs):
        with pytest.raises(FormatError):
            read_private_key(data, "key", refuse)


def test_half_of_a_hybrid_key_cannot_be_swapped_in_order(tmp_path, new_key):
    pem = new_key(tmp_path / "key", "hybrid").read_bytes()
    first, second = pem.split(b"-----END PRIVATE KEY-----\n")[:2]
    end = b"-----END PRIVATE KEY-----\n"
    with pytest.raises(FormatError, match="holds ml-dsa-65, ed25519"):
        read_private_key(second + end + first + end, "key", refuse)
    assert read_private_key(first + end, "key", refuse).public.kind == "ed25519"


@pytest.mark.parametrize("left", [0.3, 0.7, 0.99])
def test_half_a_file_is_no_key(tmp_path, new_key, left):
    """What is left of a hybrid key would be an Ed25519 key: nobody could tell that the other half is gone."""
    private = new_key(tmp_path / "key", "hybrid")
    for path, read in ((private, lambda data: read_private_key(data, "key", refuse)), (tmp_path / "key.pub", public)):
        pem = path.read_bytes()
        second = pem.rindex(b"-----BEGIN")
        with pytest.raises(FormatError, match="begin, and not all of them end"):
            read(pem[: second + 30 + int((len(pem) - second - 40) * left)])
        with pytest.raises(FormatError, match="too many"):
            read(pem * 5)


def public(data):
    return read_public_key(data, "key")


def test_one_line_of_openssh_is_one_key():
    ada, eve = (
        generate("ed25519", lambda size, seed=seed: bytes([seed]) * size).parts[0].loaded.public_key()
        for seed in (1, 2)
    )
    lines = [each.public_bytes(Encoding.OpenSSH, PublicFormat.OpenSSH) for each in (ada, eve)]
    assert read_public_key(lines[0] + b" ada@example.org\n", "key").kind == "ed25519"
    with pytest.raises(FormatError, match="more than one line"):
        read_public_key(b"\n".join(lines), "key")
    point = b"".join(
        len(each).to_bytes(4) + each for each in (b"ecdsa-sha2-nistp256", b"nistp256", b"\x02" + bytes(32))
    )
    with pytest.raises(FormatError, match="not a public key"):
        read_public_key(b"ecdsa-sha2-nistp256 " + base64.b64encode(point), "key")


def test_nothing_is_overwritten(tmp_path, new_key):
    path = new_key(tmp_path / "key")
    before = path.read_bytes(), (tmp_path / "key.pub").read_bytes()
    with pytest.raises(UsageError, match="is there already"):
        new_key(path, seed=8)
    path.unlink()
    with pytest.raises(UsageError, match=r"key\.pub: is there already"):
        new_key(path, seed=8)
    assert not path.exists()
    assert (tmp_path / "key.pub").read_bytes() == before[1]
    (tmp_path / "key.pub").unlink()
    path.symlink_to(tmp_path / "nowhere")
    with pytest.raises(UsageError, match="is there already"):
        new_key(path, seed=8)
    assert sorted(each.name for each in tmp_path.iterdir()) == ["key"]


def test_what_cannot_be_written_leaves_nothing(tmp_path, monkeypatch):
    key, real = generate("ed25519", os.urandom), documents.write_new

    def fail(path, data, mode):
        if mode == 0o600:
            real(path, data[:10], mode)
            raise OSError(28, "No space left on device")
        real(path, data, mode)

    monkeypatch.setattr(documents, "write_new", fail)
    with pytest.raises(Exception, match="No space left"):
        private_keys.write(tmp_path / "key", key, None, os.urandom)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("links", [True, False])
def test_whatever_is_under_the_name_of_a_key_is_a_whole_one(tmp_path, monkeypatch, links):
    path, key, real, seen = tmp_path / "key", generate("ed25519", os.urandom), documents.write_all, []

    def write_all(handle, data):
        seen.append(path.exists())
        real(handle, data)

    def no_link(*names):
        raise OSError(errno.EPERM, "no links here")

    monkeypatch.setattr(documents, "write_all", write_all)
    if not links:
        monkeypatch.setattr(os, "link", no_link)
    private_keys.write(path, key, None, os.urandom)
    assert any(seen) is not links
    assert sorted(each.name for each in tmp_path.iterdir()) == ["key", "key.pub"]
    assert private_keys.read(path, refuse).public == key.public
    with pytest.raises(FileExistsError):
        documents.write_new_whole(path, b"other")
    assert sorted(each.name for each in tmp_path.iterdir()) == ["key", "key.pub"]
    assert private_keys.read(path, refuse).public == key.public


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_a_key_that_others_can_read_is_refused(tmp_path, new_key):
    path = new_key(tmp_path / "key", password="x")
    path.chmod(0o640)
    with pytest.raises(UsageError, match="others can read this private key") as raised:
        private_keys.read(path, refuse)
    assert raised.value.hint == f"Run: chmod 600 {path}"


def test_a_key_that_is_not_there(tmp_path):
    with pytest.raises(UsageError):
        private_keys.read(tmp_path / "none", refuse)
    (tmp_path / "folder").mkdir()
    with pytest.raises(UnreadableError):
        private_keys.read(tmp_path / "folder", refuse)
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(UnreadableError):
        private_keys.read(tmp_path / "pipe", refuse)


def test_nothing_secret_is_shown(tmp_path, new_key):
    key = private_keys.read(new_key(tmp_path / "key", "hybrid"), refuse)
    assert "PrivateKey object" not in repr(key)
    assert "07" * 8 not in repr(key)


def test_a_false_signature_does_not_leave(tmp_path, new_key):
    """A fault while signing, or another key behind the name, is caught before anybody sees the signature."""
    signer = FileSigner.from_uri(f"file:{new_key(tmp_path / 'key')}", Home(tmp_path, tmp_path), {})
    (part,) = signer.public_key().parts
    (good,) = signer.sign(b"{}")
    assert checked(part, b"{}", good.value(), "somebody") == good
    for false in (good.value()[:-1] + b"\0", b"", signer.sign(b"[]")[0].value()):
        with pytest.raises(SigningError, match="not by its key"):
            checked(part, b"{}", false, "somebody")
    assert part.verifies(pae(b"{}"), good.value())
