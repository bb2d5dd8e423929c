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


@pytest.mark.usefixtures("unmeasured")
@pytest.mark.skipif(shutil.which("sha256sum") is None, reason="coreutils are not installed")
@pytest.mark.parametrize("how", ["--with-sha256", "--suite=sha256"])
def test_sha256sum_checks_every_file(mltrust, odd, how):
    sealed, listed = mltrust.many([["seal", odd, "--no-anchor", how], ["export", "sha256sum", odd]])
    assert (sealed.code, listed.code, listed.err) == (0, 0, "")

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


@pytest.mark.usefixtures("unmeasured")
def test_an_envelope_is_good_for_another_implementation(mltrust, odd, new_key):
    dsse, signer = pytest.importorskip("securesystemslib.dsse"), pytest.importorskip("securesystemslib.signer")
    from cryptography.hazmat.primitives.serialization import load_pem_public_key
    from securesystemslib.exceptions import VerificationError

    from mltrust.core.public_key import read_public_key

    keys, theirs = [], []
    for seed, kind in enumerate(("ed25519", "p256")):
        made = new_key(mltrust.cwd / kind, kind, seed=seed)
        pem = made.with_name(f"{kind}.pub").read_bytes()
        keys += ["--key", made]
        theirs.append(signer.SSlibKey.from_crypto(load_pem_public_key(pem), read_public_key(pem, kind).id))
    commands = [["seal", odd, "--no-anchor"], ["export", "dsse", odd], ["sign", odd, *keys]]
    commands += [["export", "dsse", odd, "--output", mltrust.cwd / "odd.dsse.json"]]
    sealed, unsigned, signed, exported = mltrust.many(commands)
    assert (sealed.code, signed.code) == (0, 0)
    assert (unsigned.code, unsigned.out) == (2, "")
    assert "no key has signed the seal" in unsigned.err
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
    alone = mltrust.cwd / "alone.json"
    alone.write_text(json.dumps({**seal, "signatures": [by_certificate]}))
    both, done = mltrust.many([["export", "dsse", each] for each in (odd, alone)])
    assert both.code == 0, both.err
    assert "left out: 1 signature by certificates" in both.err
    assert len(json.loads(both.out)["signatures"]) == 1
    assert (done.code, done.out) == (2, "")
    assert "only certificates have signed the seal" in done.err


def test_nothing_is_written_where_verify_would_find_it(mltrust, odd):
    assert mltrust("seal", odd, "--no-anchor", "--with-sha256", "--exclude", "lists/", "--exclude", "*.list").code == 0
    (odd / "lists").mkdir()
    export = ["export", "sha256sum", odd, "-o"]
    ours, left_out = ("weights.bin", "mltrust.seal.json", "mltrust.seal.salts"), ("a.list", "lists/sums", "../sums")
    before = (odd / "weights.bin").read_bytes(), (odd / "mltrust.seal.json").read_bytes()
    done, *refused = mltrust.many([[*export, odd / each] for each in ("sums", *ours)])
    assert [each.code for each in (done, *refused)] == [2] * 4
    assert "lies in the sealed folder: it would be an added file" in done.err
    assert ((odd / "weights.bin").read_bytes(), (odd / "mltrust.seal.json").read_bytes()) == before
    commands = [*([*export, odd / each] for each in left_out), ["verify", odd, "--content-only"]]
    *exported, verified = mltrust.many(commands)
    assert [(done.code, done.out) for done in exported] == [(0, "")] * 3
    assert all((odd / each).stat().st_size > 700 for each in left_out)
    assert verified.code == 0


def test_what_makes_no_sense_says_why(mltrust, odd, new_key):
    key = new_key(mltrust.cwd / "a.key", "p256")
    wrong = {
        (): "name a format and a seal; formats: cyclonedx, dsse, oms, sha256sum, spdx",
        ("oms",): "name a format and a seal",
        ("pdf", odd): "hint: There are: cyclonedx, dsse, oms, sha256sum, spdx.",
        ("sha256sum", odd): "hint: Seal again with --with-sha256.",
        ("oms", odd, "--key", key): "hint: Seal again with --with-sha256.",
        ("oms", odd): "hint: Name a P-256 key with --key FILE.",
        ("dsse", odd, "--created", "2026-01-31T12:00:00Z"): "dsse does not say when it was made",
        ("sha256sum", odd, "--key", key): "nobody signs a document of format sha256sum",
    }
    sealed, *tried = mltrust.many([("seal", odd, "--no-anchor"), *(("export", *each) for each in wrong)])
    assert sealed.code == 0
    for done, complaint in zip(tried, wrong.values(), strict=True):
        assert (done.code, done.out) == (2, "")
        assert complaint in done.err


@pytest.mark.usefixtures("unmeasured")
def test_a_seal_that_contradicts_itself_is_not_exported(mltrust, odd):
    assert mltrust("seal", odd, "--no-anchor", "--with-sha256").code == 0
    sealed = (odd / "mltrust.seal.json").read_bytes()
    for name in ("digest", "sha256"):
        seal = json.loads(sealed)
        (entry,) = (entry for entry in seal["manifest"]["entries"] if entry["path"] == "weights.bin")
        entry[name] = "0" * 64
        (mltrust.cwd / name).write_text(json.dumps(seal))
    for done in mltrust.many([["export", "sha256sum", mltrust.cwd / name] for name in ("digest", "sha256")]):
        assert (done.code, done.out) == (3, "")
        assert "the seal was edited" in done.err
