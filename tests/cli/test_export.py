"""`mltrust export`: what others read is read by others here, coreutils and securesystemslib."""

import json
import shutil
import subprocess

import pytest

ODD = ("back\\slash", "new\nline", "car\rriage", "#", " lead", "-", "größe", "*", "end\\", "tab\t")


@pytest.fixture
def odd(mltrust):
    """Return a folder with names that a list of checksums stumbles over."""
    folder = mltrust.cwd / "odd"
    folder.mkdir()
    for name in ODD:
        (folder / name).write_text(name)
    (folder / "weights.bin").write_bytes(b"w" * 5000)
    return folder


@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="coreutils are not installed")
@pytest.mark.parametrize("how", ["--with-sha256", "--suite=sha256"])
def test_sha256sum_checks_every_file(mltrust, odd, how):
    assert mltrust("seal", odd, "--no-anchor", how).code == 0
    listed = mltrust("export", "sha256sum", odd)
    assert (listed.code, listed.err) == (0, "")

    def check():
        command = ["sha256sum", "--check", "--strict", "--quiet"]
        return subprocess.run(command, cwd=odd, input=listed.out.encode(), capture_output=True, check=False)

    assert (check().returncode, check().stdout) == (0, b"")
    assert listed.out.count("\n") == len(ODD) + 1
    (odd / "new\nline").write_text("other")
    (odd / "-").unlink()
    assert check().returncode == 1
    assert b"new\\nline: FAILED" in check().stdout
    assert b"./-: FAILED open or read" in check().stdout


def test_an_envelope_is_good_for_another_implementation(mltrust, odd, new_key):
    dsse, signer = pytest.importorskip("securesystemslib.dsse"), pytest.importorskip("securesystemslib.signer")
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.exceptions import VerificationError

    from mltrust.core.public_key import read_public_key

    assert mltrust("seal", odd, "--no-anchor").code == 0
    unsigned = mltrust("export", "dsse", odd)
    assert (unsigned.code, unsigned.out) == (2, "")
    assert "no key has signed the seal" in unsigned.err

    keys, theirs = [], []
    for seed, kind in enumerate(("ed25519", "p256")):
        made = new_key(mltrust.cwd / kind, kind, seed=seed)
        pem = made.with_name(f"{kind}.pub").read_bytes()
        keys += ["--key", made]
        theirs.append(signer.SSlibKey.from_crypto(load_pem_public_key(pem), read_public_key(pem, kind).id))
    assert mltrust("sign", odd, *keys).code == 0
    exported = mltrust("export", "dsse", odd, "--output", mltrust.cwd / "odd.dsse.json")
    assert (exported.code, exported.out) == (0, "")
    document = (mltrust.cwd / "odd.dsse.json").read_text()
    envelope = dsse.Envelope.from_dict(json.loads(document))
    assert set(envelope.verify(theirs, 2)) == {key.keyid for key in theirs}
    seal = json.loads((odd / "mltrust.seal.json").read_bytes())
    assert json.loads(envelope.payload) == seal["statement"]

    changed = dsse.Envelope.from_dict(json.loads(document))
    changed.payload = changed.payload.replace(b"odd", b"add")
    with pytest.raises(VerificationError):
        changed.verify(theirs, 1)


def test_signatures_by_certificates_stand_in_no_envelope(mltrust, odd, new_key):
    key = new_key(mltrust.cwd / "a.key")
    assert mltrust("seal", odd, "--no-anchor", "--key", key).code == 0
    path = odd / "mltrust.seal.json"
    seal = json.loads(path.read_bytes())
    by_certificate = {"keyid": "", "sig": "AAAA", "verificationMaterial": {"certificate": {"rawBytes": "AAAA"}}}
    path.write_text(json.dumps({**seal, "signatures": [*seal["signatures"], by_certificate]}))
    done = mltrust("export", "dsse", odd)
    assert done.code == 0, done.err
    assert "left out: 1 signature by certificates" in done.err
    assert len(json.loads(done.out)["signatures"]) == 1
    path.write_text(json.dumps({**seal, "signatures": [by_certificate]}))
    done = mltrust("export", "dsse", odd)
    assert (done.code, done.out) == (2, "")
    assert "only certificates have signed the seal" in done.err


def test_nothing_is_written_where_verify_would_find_it(mltrust, odd):
    assert mltrust("seal", odd, "--no-anchor", "--with-sha256", "--exclude", "lists/", "--exclude", "*.list").code == 0
    (odd / "lists").mkdir()
    done = mltrust("export", "sha256sum", odd, "-o", odd / "sums")
    assert done.code == 2
    assert "lies in the sealed folder: it would be an added file" in done.err
    before = (odd / "weights.bin").read_bytes(), (odd / "mltrust.seal.json").read_bytes()
    for ours in ("weights.bin", "mltrust.seal.json", "mltrust.seal.salts"):
        assert mltrust("export", "sha256sum", odd, "-o", odd / ours).code == 2
    assert ((odd / "weights.bin").read_bytes(), (odd / "mltrust.seal.json").read_bytes()) == before
    for left_out in ("a.list", "lists/sums", "../sums"):
        done = mltrust("export", "sha256sum", odd, "-o", odd / left_out)
        assert (done.code, done.out) == (0, "")
        assert (odd / left_out).stat().st_size > 700
    assert mltrust("verify", odd, "--content-only").code == 0


def test_what_makes_no_sense_says_why(mltrust, odd, new_key):
    key = new_key(mltrust.cwd / "a.key", "p256")
    assert mltrust("seal", odd, "--no-anchor").code == 0
    wrong = {
        (): "name a format and a seal; formats: cyclonedx, dsse, oms, sha256sum, spdx",
        ("oms",): "name a format and a seal",
        ("pdf", odd): "hint: There are: cyclonedx, dsse, oms, sha256sum, spdx.",
        ("sha256sum", odd): "hint: Seal again with --with-sha256.",
        ("oms", odd, "--key", key): "hint: Seal again with --with-sha256.",
        ("oms", odd): "hint: Name a P-256 key with --key FILE.",
        ("sha256sum", odd, "--key", key): "nobody signs a document of format sha256sum",
    }
    for done, complaint in zip(mltrust.many([("export", *each) for each in wrong]), wrong.values(), strict=True):
        assert (done.code, done.out) == (2, "")
        assert complaint in done.err


def test_a_seal_that_contradicts_itself_is_not_exported(mltrust, odd):
    assert mltrust("seal", odd, "--no-anchor", "--with-sha256").code == 0
    path = odd / "mltrust.seal.json"
    sealed = path.read_bytes()
    for name in ("digest", "sha256"):
        seal = json.loads(sealed)
        (entry,) = (entry for entry in seal["manifest"]["entries"] if entry["path"] == "weights.bin")
        entry[name] = "0" * 64
        path.write_text(json.dumps(seal))
        done = mltrust("export", "sha256sum", odd)
        assert (done.code, done.out) == (3, "")
        assert "the seal was edited" in done.err
