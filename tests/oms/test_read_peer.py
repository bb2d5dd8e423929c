"""Bundles of the other implementation, and what each of the two says of models that were tampered with."""

import base64
import json
import os
import shutil
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mltrust.core.dsse import pae
from mltrust.core.public_key import read_public_key
from mltrust.errors import UnreadableError
from mltrust.foreign import verify_oms
from mltrust.interfaces import Trust, TrustedKey, TrustedSigner
from mltrust.signers.certificate import CertificateVerifier
from mltrust.signers.key import KeyVerifier

PEER = Path(sys.prefix, "peer", "bin", "python")
MANY = """
import contextlib, io, json, sys
from model_signing._cli import main
done = []
for arguments in json.load(sys.stdin):
    said = io.StringIO()
    with contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            main(arguments)
        except SystemExit as end:
            done.append((end.code or 0, said.getvalue()))
json.dump(done, sys.stdout)
"""
KEYS = {"p256": ec.SECP256R1(), "p384": ec.SECP384R1(), "p521": ec.SECP521R1()}
FILES = {
    "model.safetensors": b"weights" * 1000,
    "a file.bin": b"one",
    "copy.bin": b"one",
    "ünï.txt": b"zwei",
    "tokenizer.json": b"{}",  # sorts after the folder by paths, and before it by text
    "tokenizer/vocab.txt": b"a\nb\n",
    ".hidden": b"seen",
    "empty": b"",
}


def peer(commands):
    done = subprocess.run(
        [PEER, "-c", MANY],
        input=json.dumps([[str(part) for part in command] for command in commands]),
        env={key: value for key, value in os.environ.items() if not key.startswith(("PYTHON", "COVERAGE"))},
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )
    return json.loads(done.stdout)


@pytest.fixture(scope="module", autouse=True)
def _installed():
    if not PEER.is_file():
        pytest.skip("model-signing is not installed in an environment of its own: make test does that")


class Place:
    """Keys, certificates and models in a folder; statements signed by the keys."""

    def __init__(self, folder):
        self.folder, self.keys = folder, {name: ec.generate_private_key(curve) for name, curve in KEYS.items()}
        for name, key in self.keys.items():
            pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
            (folder / f"{name}.key").write_bytes(pem)
            (folder / f"{name}.pub").write_bytes(self.public(name))

    def public(self, name):
        return self.keys[name].public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)

    def model(self, name, files=FILES):
        for path, data in files.items():
            (self.folder / name / path).parent.mkdir(parents=True, exist_ok=True)
            (self.folder / name / path).write_bytes(data)
        return self.folder / name

    def certify(self, name, begins, ends):
        """Write a root that is valid for long, and a certificate of the P-256 key under it."""
        root, now = ec.generate_private_key(ec.SECP256R1()), datetime.now(UTC)
        called = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, f"{name} root")])
        leaf = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        usage = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
        long = (now - timedelta(3650), now + timedelta(3650))
        certificates = {
            f"{name}.root": _certificate((called, called), (root, root), x509.BasicConstraints(True, None), *long),
            f"{name}.crt": _certificate((leaf, called), (self.keys["p256"], root), usage, begins, ends),
        }
        for file, certificate in certificates.items():
            (self.folder / file).write_bytes(certificate.public_bytes(Encoding.PEM))

    def signed(self, file, statement, first=()):
        """Write the bundle of a statement, signed by the P-256 key; signatures of others may come first."""
        payload = json.dumps(statement).encode()
        value = self.keys["p256"].sign(pae(payload), ec.ECDSA(hashes.SHA256()))
        bundle = {
            "mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
            "verificationMaterial": {"publicKey": {"hint": sha256(self.public("p256")).hexdigest()}},
            "dsseEnvelope": {
                "payload": base64.b64encode(payload).decode(),
                "payloadType": "application/vnd.in-toto+json",
                "signatures": [*first, {"sig": base64.b64encode(value).decode()}],
            },
        }
        (self.folder / file).write_text(json.dumps(bundle))
        return self.folder / file


def _certificate(names, keys, extension, begins, ends):
    (subject, issuer), (key, by) = names, keys
    builder = x509.CertificateBuilder().subject_name(subject).issuer_name(issuer).public_key(key.public_key())
    builder = builder.serial_number(x509.random_serial_number()).not_valid_before(begins).not_valid_after(ends)
    return builder.add_extension(extension, critical=True).sign(by, hashes.SHA256())


def statement_of(bundle):
    return json.loads(base64.b64decode(json.loads(bundle.read_text())["dsseEnvelope"]["payload"]))


def trust_of(how, place):
    if how.endswith((".crt", ".root")):
        verifier = CertificateVerifier(how, (place.folder / how).read_bytes())
    else:
        verifier = KeyVerifier(how, read_public_key((place.folder / f"{how}.pub").read_bytes(), how))
    return Trust(signers=[TrustedSigner(how, [TrustedKey(verifier)])])


def ours(model, bundle, trust):
    """Return the verdict, and what is to be said: kinds of differences, failed checks; or that it is refused."""
    try:
        report = verify_oms(model, bundle, trust=trust)
    except UnreadableError as error:
        return f"refused: {error}"
    return " ".join([report.verdict, *(f"{c.kind}:{c.name}" for c in report.changes), *_failed(report)])


def _failed(report):
    failed = [check for check in report.checks if check.outcome == "fail"]
    return [f"{check.kind}={check.state}" if check.state else str(check.kind) for check in failed]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return Place(tmp_path_factory.mktemp("peer"))


def test_bundles_of_the_peer_are_accepted(place):
    model = place.model("model")
    (model / ".git").mkdir()
    (model / ".git" / "config").write_text("not signed")
    linked = place.model("linked")
    (linked / "link.bin").symlink_to("a file.bin")
    now = datetime.now(UTC)
    place.certify("good", now - timedelta(1), now + timedelta(1))
    base = place.folder
    signing = [
        *(["sign", "key", model, "--signature", base / f"{k}.sig", "--private_key", base / f"{k}.key"] for k in KEYS),
        ["sign", "key", model / "a file.bin", "--signature", base / "one.sig", "--private_key", base / "p256.key"],
        ["sign", "key", linked, "--signature", linked / "in.sig", "--private_key", base / "p256.key"],
        ["sign", "certificate", model, "--signature", base / "good.sig", "--private_key", base / "p256.key"],
    ]
    signing[-2].append("--allow_symlinks")
    signing[-1] += ["--signing_certificate", base / "good.crt", "--certificate_chain", base / "good.root"]
    assert [code for code, _ in peer(signing)] == [0] * 6

    cases = [(model, base / f"{kind}.sig", kind) for kind in KEYS]
    cases += [(model / "a file.bin", base / "one.sig", "p256"), (linked, linked / "in.sig", "p256")]
    cases += [(model, base / "good.sig", "good.root")]
    for artifact, bundle, whom in cases:
        report = verify_oms(artifact, bundle, trust=trust_of(whom, place))
        assert report.verdict == "verified", (bundle.name, report.checks)
        assert report.scope.files == {"one.sig": 1, "in.sig": 9}.get(bundle.name, 8)
    assert verify_oms(model, base / "p256.sig", trust=trust_of("p256", place)).scope.left_out == (".git",)
    links = verify_oms(linked, linked / "in.sig", trust=trust_of("p256", place))
    assert [notice.path for notice in links.notices if notice.code == "link"] == ["link.bin"]
    assert ours(model, base / "p256.sig", trust_of("p384", place)) == "failed signature=absent"


EXPECTED = {  # what the peer's exit code is, and what we say
    "untouched": (0, "verified"),
    "flipped": (1, "failed changed:a file.bin content"),
    "renamed": (1, "failed renamed:z.bin content"),
    "added": (1, "failed added:extra.py content"),
    "deleted": (1, "failed removed:tokenizer.json content"),
    "swapped": (1, "failed swapped:a file.bin content"),
    "truncated": (1, "failed truncated:model.safetensors content"),
    "link added": (1, "failed added:link content policy"),
    "link for a file": (1, "failed policy"),
    "link for a file, allowed by who verifies": (0, "failed policy"),
    "link to a folder": (1, "failed added:linked/vocab.txt content policy"),
    "link to a folder, allowed by who signed": (0, "failed added:linked/vocab.txt content"),
    "fifo": (1, "refused: is a FIFO"),
    "wrong key": (1, "failed signature=absent"),
    "forged signature": (1, "failed signature=invalid"),
    "truncated bundle": (1, "refused: not JSON"),
    "empty bundle file": (1, "refused: not JSON"),
    "names edited, root the same": (1, "failed renamed:a file.bin content signature=invalid"),
    "names signed that do not match": (1, "failed renamed:a file.bin content"),
    "signed first by somebody else": (1, "verified"),
    "everything left out": (0, "refused: payload: resources: expected a list of 1 to 1000000"),
    "all of it left out, one file listed": (1, "refused: ignore_paths leaves out the whole model"),
    "listed twice, spelled otherwise": (0, "refused: './a file.bin' is not a plain relative path"),
    "a file outside": (0, "refused: '../outside' is not a plain relative path"),
    "root is another": (1, "failed seal"),
    "more modes": (0, "verified"),
    "expired certificate": (0, "failed signature=expired"),
    "wrong certificates": (1, "failed signature=untrusted"),
}


@pytest.fixture(scope="module")
def tampered(place):
    """Yield by name the cases: model, bundle, whom to trust, and what the peer is told besides."""
    base, found = place.folder, {}
    origin, now = place.model("origin"), datetime.now(UTC)
    place.certify("late", now - timedelta(900), now - timedelta(800))
    place.certify("else", now - timedelta(1), now + timedelta(1))
    sign = ["sign", "key", origin, "--signature", base / "model.sig", "--private_key", base / "p256.key"]
    late = ["sign", "certificate", origin, "--signature", base / "late.sig", "--private_key", base / "p256.key"]
    late += ["--signing_certificate", base / "late.crt", "--certificate_chain", base / "late.root"]
    assert [code for code, _ in peer([sign, late])] == [0, 0]

    def case(name, bundle="model.sig", whom="p256", more=()):
        model = base / "cases" / name
        shutil.copytree(origin, model, symlinks=True)
        found[name] = (model, base / bundle, whom, more)
        return model

    def edited(name, edit, **more):
        statement = statement_of(base / "model.sig")
        edit(statement)
        file = place.signed(f"{name}.sig", statement, more.pop("first", ()))
        return case(name, file.name, **more)

    case("untouched")
    case("more modes").joinpath("a file.bin").chmod(0o4755)
    (case("flipped") / "a file.bin").write_bytes(b"onf")
    model = case("renamed")
    (model / "a file.bin").rename(model / "z.bin")
    (case("added") / "extra.py").write_text("import os")
    (case("deleted") / "tokenizer.json").unlink()
    model = case("swapped")
    (model / "a file.bin").write_bytes(FILES["ünï.txt"])
    (model / "ünï.txt").write_bytes(FILES["a file.bin"])
    (case("truncated") / "model.safetensors").write_bytes(b"")
    os.mkfifo(case("fifo") / "pipe")
    _link_cases(case, edited)
    _bundle_cases(base, case, edited)
    case("expired certificate", "late.sig", "late.root")
    case("wrong certificates", "late.sig", "else.root")
    return found


def _link_cases(case, edited):
    (case("link added") / "link").symlink_to("a file.bin")
    allowed = case("link for a file, allowed by who verifies", more=["--allow_symlinks"])
    for model in (case("link for a file"), allowed):
        (model / "copy.bin").unlink()
        (model / "copy.bin").symlink_to("a file.bin")
    (case("link to a folder") / "linked").symlink_to("tokenizer")
    allowing = edited(
        "link to a folder, allowed by who signed",
        lambda statement: statement["predicate"]["serialization"].update(allow_symlinks=True),
        more=["--allow_symlinks"],
    )
    (allowing / "linked").symlink_to("tokenizer")


def _bundle_cases(base, case, edited):
    text = (base / "model.sig").read_text()
    bundle, statement = json.loads(text), statement_of(base / "model.sig")
    value = bytearray(base64.b64decode(bundle["dsseEnvelope"]["signatures"][0]["sig"]))
    value[-1] ^= 1
    bundle["dsseEnvelope"]["signatures"][0]["sig"] = base64.b64encode(value).decode()
    (base / "forged.sig").write_text(json.dumps(bundle))
    (base / "truncated.sig").write_text(text[: len(text) // 2])
    (base / "nothing.sig").write_text("")
    bundle = json.loads(text)
    _renaming(statement)
    bundle["dsseEnvelope"]["payload"] = base64.b64encode(json.dumps(statement).encode()).decode()
    (base / "names.sig").write_text(json.dumps(bundle))
    case("wrong key", whom="p384")
    case("forged signature", "forged.sig")
    case("truncated bundle", "truncated.sig")
    case("empty bundle file", "nothing.sig")
    case("names edited, root the same", "names.sig")
    edited("names signed that do not match", _renaming)
    edited("signed first by somebody else", lambda statement: None, first=[{"sig": base64.b64encode(value).decode()}])
    edited("everything left out", lambda statement: _listing(statement, [], ["."]))
    edited("all of it left out, one file listed", lambda statement: _listing(statement, _files(statement)[:1], ["."]))
    wrong = {"name": "./a file.bin", "algorithm": "sha256", "digest": "00" * 32}
    edited("listed twice, spelled otherwise", lambda statement: _listing(statement, [wrong, *_files(statement)]))
    outside = {"name": "../outside", "algorithm": "sha256", "digest": sha256(b"secret").hexdigest()}
    more = ["--ignore_unsigned_files"]
    model = edited("a file outside", lambda statement: _listing(statement, [outside, *_files(statement)]), more=more)
    (model.parent / "outside").write_bytes(b"secret")
    edited("root is another", lambda statement: statement["subject"][0]["digest"].update(sha256="00" * 32))


def _files(statement):
    return statement["predicate"]["resources"]


def _renaming(statement):
    next(file for file in _files(statement) if file["name"] == "a file.bin")["name"] = "other name.bin"


def _listing(statement, files, ignored=None):
    """Have a statement list these files, and leave out these paths, with the root that this amounts to."""
    statement["predicate"]["resources"] = files
    root = sha256(b"".join(bytes.fromhex(file["digest"]) for file in files))
    statement["subject"][0]["digest"]["sha256"] = root.hexdigest()
    if ignored is not None:
        statement["predicate"]["serialization"]["ignore_paths"] = ignored


def test_what_the_peer_finds_is_found_and_what_it_misses_is_refused_or_named(place, tampered):
    base, commands = place.folder, []
    for model, bundle, whom, more in tampered.values():
        how = ["certificate"] if "." in whom else ["key"]
        trusted = ["--certificate_chain", base / whom] if "." in whom else ["--public_key", base / f"{whom}.pub"]
        commands.append(["verify", *how, model, "--signature", bundle, *trusted, *more])
    found = {}
    for (name, (model, bundle, whom, _)), (code, _) in zip(tampered.items(), peer(commands), strict=True):
        said = ours(model, bundle, trust_of(whom, place))
        wanted = EXPECTED[name][1]
        found[name] = (
            code,
            wanted if said.startswith("refused") and wanted.removeprefix("refused: ") in said else said,
        )
    assert found == {name: EXPECTED[name] for name in found}
    assert set(found) == set(EXPECTED)


def test_a_copy_in_a_download_cache_is_verified_through_its_links(place, tampered):
    """A snapshot holds links into blobs; the bundle was made of plain files, and allows no links."""
    base = place.folder
    snapshot = base / "models--acme--tiny" / "snapshots" / "0123abc"
    blobs = base / "models--acme--tiny" / "blobs"
    blobs.mkdir(parents=True)
    for number, (path, data) in enumerate(FILES.items()):
        (snapshot / path).parent.mkdir(parents=True, exist_ok=True)
        (blobs / str(number)).write_bytes(data)
        (snapshot / path).symlink_to(os.path.relpath(blobs / str(number), (snapshot / path).parent))
    assert ours(snapshot, base / "model.sig", trust_of("p256", place)) == "verified"
    (blobs / "0").write_bytes(b"other")
    assert ours(snapshot, base / "model.sig", trust_of("p256", place)).startswith("failed changed:model.safetensors")
