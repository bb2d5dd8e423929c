"""Keys and signatures, through the installed command: what is signed is verified, and nothing else is."""

import base64
import json
import shlex
import shutil
import stat
import subprocess
import sys
from functools import partial
from hashlib import sha256

import pytest
import rfc8785

SEAL = "model/mltrust.seal.json"
KINDS = ("ed25519", "p256", "ml-dsa-65", "hybrid")


@pytest.fixture
def keys(mltrust, bare, new_key):
    """Return the folder where keys are; the working folder has the tiny model, not sealed yet."""
    folder = mltrust.cwd / "keys"
    folder.mkdir()
    for kind in KINDS:
        new_key(folder / kind, kind)
    new_key(folder / "other", "hybrid", seed=8)
    return folder


def read(path):
    return json.loads(path.read_text())


def ids(path):
    return [each["keyid"] for each in read(path)["signatures"]]


def pae(payload):
    return b"DSSEv1 28 application/vnd.in-toto+json %d %b" % (len(payload), payload)


@pytest.mark.usefixtures("unmeasured")
def test_each_kind_of_key_signs_and_is_verified(mltrust, keys):
    names = [f"{kind}.json" for kind in KINDS]
    commands = [["seal", "model", "--no-anchor", "--key", keys / kind, "--output", f"{kind}.json"] for kind in KINDS]
    for trusted in (*KINDS, "other"):
        commands += [["verify", "model", "--seal", name, "--key", keys / f"{trusted}.pub"] for name in names]
    codes = [done.code for done in mltrust.many(commands)]
    assert codes[:4] == [0, 0, 0, 0]
    pairs = [(trusted, kind) for trusted in (*KINDS, "other") for kind in KINDS]
    verified = {pair for pair, code in zip(pairs, codes[4:], strict=True) if code == 0}
    # The keys of the hybrid one are two of the others: the halves of its signature are theirs.
    assert verified == {*zip(KINDS, KINDS, strict=True), ("ed25519", "hybrid"), ("ml-dsa-65", "hybrid")}
    assert set(codes[4:]) == {0, 1}


def test_keys_of_ssh_and_of_commands(mltrust, keys, ssh_agent):
    if missing := [name for name in ("ssh-keygen", "openssl", "sh") if shutil.which(name) is None]:
        pytest.skip(f"not installed: {missing}")
    command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada@example.org", "-f"]
    subprocess.run([*command, keys / "id"], check=True)
    subprocess.run([*command, keys / "held"], check=True)
    (keys / "kms.sh").write_text(
        'case "$2" in public-key) cat "$1.pub" ;; sign) openssl dgst -sha256 -sign "$1" ;; esac\n'
    )
    external = f"external:sh {shlex.quote(str(keys / 'kms.sh'))} {shlex.quote(str(keys / 'p256'))}"
    trusted = [each for name in ("id.pub", "held.pub", "p256.pub") for each in ("--key", keys / name)]
    commands = [["seal", "model", "--no-anchor", "--key", keys / "id"]]
    commands += [["sign", SEAL, "--key", key] for key in ("ssh-agent:ada@example.org", external)]
    commands += [["verify", "model", *trusted]]
    commands += [["key", "show", uri, "--format", "json"] for uri in ("ssh-agent:", external)]
    done = mltrust.many(commands, env={"SSH_AUTH_SOCK": ssh_agent(keys / "held")})
    assert [each.code for each in done] == [0] * 6, done
    listed, shown = (each.json()["keys"] for each in done[4:])
    assert [(key["comment"], key["kind"]) for key in listed] == [("ada@example.org", "ed25519")]
    assert shown[0]["pem"] == (keys / "p256.pub").read_text()
    assert mltrust("sign", SEAL, "--key", "ssh-agent:ada@example.org", env={"SSH_AUTH_SOCK": ""}).code == 2


def test_one_key_in_all_its_spellings_is_one_key(mltrust, keys):
    commands = [["key", "show", keys / name] for name in ("hybrid", "hybrid.pub")]
    commands += [["key", "show", f"file:{keys / 'hybrid'}"], ["key", "show", keys / "hybrid", "--format", "json"]]
    commands += [["seal", "model", "--no-anchor", "--key", keys / "hybrid"]]
    private, public, by_uri, data, _ = mltrust.many(commands)
    assert private.out == public.out == by_uri.out
    assert "PRIVATE" not in private.out
    (found,) = json.loads(data.out)["keys"]
    assert found["pem"] == (keys / "hybrid.pub").read_text()
    assert [part["kind"] for part in found["parts"]] == ["ed25519", "ml-dsa-65"]
    assert all(part["id"] in private.out for part in found["parts"])
    (mltrust.cwd / "kept.pub").write_text(private.out)
    assert mltrust("verify", "model", "--key", "kept.pub").code == 0


@pytest.mark.usefixtures("unmeasured")
def test_others_verify_what_is_signed(mltrust, keys):
    """The payload by another RFC 8785, Ed25519 by openssl, ML-DSA-65 by an implementation in Python."""
    ml_dsa_65 = pytest.importorskip("dilithium_py.ml_dsa").ML_DSA_65
    assert mltrust("seal", "model", "--no-anchor", "--key", keys / "hybrid").code == 0
    seal = read(mltrust.cwd / SEAL)
    message = pae(rfc8785.dumps(seal["statement"]))
    classic, quantum = (base64.b64decode(each["sig"]) for each in seal["signatures"])
    blocks = (keys / "hybrid.pub").read_text().split("-----END PUBLIC KEY-----\n")
    ders = [base64.b64decode("".join(block.splitlines()[1:])) for block in blocks[:2]]
    assert [each["keyid"] for each in seal["signatures"]] == [f"sha256:{sha256(der).hexdigest()}" for der in ders]
    public = ders[1][-1952:]  # FIPS 204, table 2
    assert ml_dsa_65.verify(public, message, quantum)
    assert not ml_dsa_65.verify(public, message + b" ", quantum)
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    (mltrust.cwd / "message").write_bytes(message)
    (mltrust.cwd / "signature").write_bytes(classic)
    command = ["openssl", "pkeyutl", "-verify", "-pubin", "-inkey", keys / "hybrid.pub", "-rawin"]
    subprocess.run([*command, "-in", "message", "-sigfile", "signature"], cwd=mltrust.cwd, check=True)


def cut(signatures, other):
    signatures[1]["sig"] = signatures[1]["sig"][:-8]


def flip(signatures, other):
    value = bytearray(base64.b64decode(signatures[0]["sig"]))
    value[5] ^= 1
    signatures[0]["sig"] = base64.b64encode(value).decode()


def double(signatures, other):
    signatures[1] = signatures[0]


def swap(signatures, other):
    signatures[0]["sig"], signatures[1]["sig"] = signatures[1]["sig"], signatures[0]["sig"]


def from_other(signatures, other):
    signatures[:] = other


def half_from_other(signatures, other):
    signatures[1] = other[1]


def not_base64(signatures, other):
    signatures[0]["sig"] = "*"


def rename(signatures, other):
    signatures[0]["keyid"] = "nobody"


def none(signatures, other):
    signatures.clear()


def strip_first(signatures, other):
    del signatures[0]


def strip_second(signatures, other):
    del signatures[1]


def flood(signatures, other):
    signatures.extend({"keyid": str(number), "sig": ""} for number in range(63))


TAMPERING = [cut, flip, double, from_other, half_from_other, not_base64, none, strip_first, strip_second]


@pytest.mark.usefixtures("unmeasured")
def test_a_tampered_signature_is_never_a_pass(mltrust, keys):
    """Every part of a hybrid key must have signed this statement, whatever else stands beside it."""
    path, other = mltrust.cwd / SEAL, mltrust.cwd / "other"
    other.mkdir()
    (other / "file").write_text("x")
    mltrust.many([["seal", name, "--no-anchor", "--key", keys / "hybrid"] for name in ("model", "other")])
    good, theirs = read(path), read(other / "mltrust.seal.json")["signatures"]
    verify = ["verify", "model", "--key", keys / "hybrid.pub"]
    commands, every = [verify], [*TAMPERING, flood, swap, rename]
    for number, tamper in enumerate(every):
        changed = json.loads(json.dumps(good))
        tamper(changed["signatures"], theirs)
        (mltrust.cwd / f"{number}.json").write_text(json.dumps(changed))
        commands += [[*verify, "--seal", f"{number}.json"]]
    untouched, *tampered = mltrust.many(commands)
    assert untouched.code == 0
    codes = {tamper: done.code for tamper, done in zip(every, tampered, strict=True)}
    # A key id is a hint and no more: under another, the signature is as good.
    assert codes == {**dict.fromkeys(TAMPERING, 1), flood: 3, swap: 0, rename: 0}
    (mltrust.cwd / "model/config.json").write_text("{}")
    assert mltrust(*verify).code == 1


@pytest.mark.usefixtures("unmeasured")
def test_signing_again_changes_nothing(mltrust, keys):
    path = mltrust.cwd / SEAL
    chosen = [each for kind in KINDS for each in ("--key", keys / kind)]
    seal = ["seal", "model", "--no-anchor"]
    sealed, first = mltrust.many([seal, ["sign", "model", *chosen]])
    assert sealed.code == first.code == 0, first.err
    assert first.out.startswith("SIGNED  model")
    before = path.read_bytes()
    assert len(ids(path)) == len(set(ids(path))) == 3  # the halves of the hybrid key are two of the others
    as_json = ["sign", "model", *chosen, "--format", "json"]
    again, told, resealed = mltrust.many([["sign", "model", *chosen], as_json, [*seal, "--key", keys / "p256"]])
    assert (again.code, "those keys signed it before" in again.out) == (0, True)
    (listed,) = told.json()["seals"]
    assert (listed["seal"], listed["added"], len(listed["signatures"])) == (SEAL, [], 3)
    assert resealed.code == 0
    assert path.read_bytes() == before


def test_signatures_stay_with_what_they_sign(mltrust, keys):
    path = mltrust.cwd / SEAL
    told = mltrust("seal", "model", "--no-anchor", "--key", keys / "ed25519", "--format", "json").json()
    assert told["signatures"] == read(path)["signatures"]
    again, shown = mltrust.many([["seal", "model", "--key", keys / "p256"], ["show", "model"]])
    assert again.code == 0  # it says the same, and is anchored now
    assert len(ids(path)) == 2
    assert len(read(path)["receipts"]) == 1
    assert "2 signatures, 1 receipt" in shown.out
    assert all(f"signature    {each}" in shown.out for each in ids(path))
    (mltrust.cwd / "model/config.json").write_text("{}")
    assert mltrust("seal", "model", "--no-anchor").code == 0
    assert ids(path) == []


@pytest.mark.usefixtures("unmeasured")
def test_odd_seals_are_signed_wholly_or_not_at_all(mltrust, keys):
    mltrust("seal", "model", "--no-anchor", "--key", keys / "hybrid")
    half, full, edited = (read(mltrust.cwd / SEAL) for _ in range(3))
    del half["signatures"][1]
    half["signatures"][0]["sig"] = "AAAA"
    full["signatures"] = [{"keyid": str(number), "sig": ""} for number in range(64)]
    edited["manifest"]["entries"][0]["size"] += 1
    seals = {"half.json": half, "full.json": full, "edited.json": edited}
    for name, seal in seals.items():
        (mltrust.cwd / name).write_text(json.dumps(seal))
    commands = [["sign", name, "--key", keys / "hybrid"] for name in (*seals, "nowhere")]
    commands.append(["verify", "model", "--seal", "half.json", "--key", keys / "hybrid.pub"])
    done = mltrust.many(commands)
    assert [each.code for each in done] == [0, 2, 3, 3, 0]
    assert "at most 64 signatures" in done[1].err
    assert "contradicts the rest" in done[2].err
    assert len(ids(mltrust.cwd / "half.json")) == 2
    assert [read(mltrust.cwd / name) == seals[name] for name in seals] == [False, True, True]


@pytest.mark.usefixtures("unmeasured")
def test_those_who_sign_at_once_all_have_signed(mltrust, keys):
    mltrust("seal", "model", "--no-anchor")
    running = [mltrust.popen("sign", SEAL, "--key", keys / kind, stdout=subprocess.DEVNULL) for kind in KINDS[:3]]
    assert [each.wait() for each in running] == [0, 0, 0]
    assert len(ids(mltrust.cwd / SEAL)) == 3


@pytest.mark.usefixtures("unmeasured")
def test_anchors_that_look_at_the_file_see_the_signatures(mltrust, keys):
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    subprocess.run(["git", "init", "-q", "model"], cwd=mltrust.cwd, check=True)
    notes = ("model", "--anchor", "git-notes:model", "--key")
    done = mltrust.many([["seal", *notes, keys / "ed25519"], ["verify", *notes, keys / "ed25519.pub"]])
    assert [each.code for each in done] == [0, 0], done


def test_passwords(mltrust, keys):
    right, wrong = mltrust.cwd / "right", mltrust.cwd / "wrong"
    for file in (right, wrong):
        file.write_text(f"{file.name}\n")
        file.chmod(0o600)
    made = mltrust("key", "generate", "--type", "hybrid", "--password-file", right)
    assert made.code == 0, made.err
    key = mltrust.cwd / "mltrust.key"
    assert stat.S_IMODE(key.stat().st_mode) == 0o600 or sys.platform == "win32"
    assert key.read_bytes().count(b"ENCRYPTED PRIVATE KEY") == 4
    assert "PRIVATE" not in made.out
    seal, generate = ("seal", "model", "--no-anchor", "--key", key), ("key", "generate")
    commands = [[*seal, *more] for more in (("--password-file", right), ("--password-file", wrong), ())]
    opened, refused, nobody, verified = mltrust.many([*commands, ["verify", "model", "--key", f"{key}.pub"]])
    assert (opened.code, refused.code, nobody.code) == (0, 2, 2)
    assert "the password is wrong" in refused.err
    assert "--password-file" in nobody.err
    assert verified.code == 0
    wrong.write_bytes(b"\xff\xfe")
    commands = {
        (*generate, "--password-file", wrong, "-o", "new"): "not UTF-8 text",
        ("sign", "model", "--key", "ssh-agent:ada", "--password-file", right): "is not for the key ssh-agent:ada",
        (*generate, "--no-password"): "is there already",
        (*generate, "--no-password", "--password-file", right, "-o", "new"): "error: ",
        (*generate, "-o", "new"): "error: ",
    }
    for done, said in zip(mltrust.many(commands), commands.values(), strict=True):
        assert (done.code, said in done.err) == (2, True), done
    assert not (mltrust.cwd / "new.pub").exists()


@pytest.mark.parametrize(("second", "code"), [(b"sesame\n", 0), (b"other\n", 2)], ids=["same", "other"])
def test_a_new_password_is_asked_for_twice(mltrust, on_terminal, second, code):
    typed = (b"mltrust.key: ", b"sesame\n"), (b"the same again: ", second)
    found, screen = on_terminal(partial(mltrust.popen, "key", "generate"), *typed)
    assert found == code
    assert "sesame" not in screen
    assert (mltrust.cwd / "mltrust.key").exists() is (code == 0)


@pytest.mark.usefixtures("bare")
def test_no_bar_is_drawn_over_the_question_for_a_password(mltrust, on_terminal):
    secret = mltrust.cwd / "secret"
    secret.write_text("sesame")
    secret.chmod(0o600)
    assert mltrust("key", "generate", "--password-file", secret).code == 0
    prompt = "the password of mltrust.key: "
    start = partial(mltrust.popen, "seal", "model", "--no-anchor", "--key", "mltrust.key")
    for given, code in ((b"sesame\n", 0), (b"wrong\n", 2)):
        found, screen = on_terminal(start, (prompt.encode(), given))
        assert found == code
        before, _, after = screen.partition(prompt)
        assert before == "", "the terminal is left to the question"
        assert ("━" in after) is (code == 0), "the bar is drawn with the first thing to read"


def test_a_private_key_is_neither_sealed_nor_shown(mltrust, keys, new_key):
    new_key(mltrust.cwd / "model/release.key")
    done = mltrust("seal", "model", "--no-anchor", "--key", "model/release.key")
    assert (done.code, "it would be sealed with it" in done.err) == (2, True)
    (mltrust.cwd / "model/release.key").unlink()
    (mltrust.cwd / "model/link").symlink_to(keys / "ed25519")
    text = (keys / "ed25519").read_text()
    secret = text.splitlines()[1]
    given = (["seal", "model", "--no-anchor", "--key"], ["sign"], ["verify"], ["seal"])
    given += (["key", "show"], ["key", "revoke"])
    commands = [["seal", "model", "--no-anchor", "--key", "model/link"], *([*each, text] for each in given)]
    sealed, *told, verified = mltrust.many([*commands, ["verify", "model", "--key", keys / "ed25519"]])
    assert (sealed.code, "it would be sealed with it" in sealed.err) == (2, True)
    assert not (mltrust.cwd / SEAL).exists()
    for done in told:
        assert (done.code, "a private key was given" in done.err, secret in done.err) == (2, True, False)
    assert verified.code != 0


def test_what_is_no_key(mltrust, keys):
    (mltrust.cwd / "junk").write_text("junk")
    shutil.copy(keys / "ed25519", mltrust.cwd / "loose")
    (mltrust.cwd / "loose").chmod(0o644)
    assert mltrust("seal", "model", "--no-anchor").code == 0
    public, sign = str(keys / "ed25519.pub"), ("sign", "model", "--key")
    commands = {
        (*sign, "none"): (2, "hint: Make one with mltrust key generate."),
        (*sign, "sshagent:ada"): (2, "cannot be read"),
        (*sign, "junk"): (2, "not a private key"),  # and not: others can read it
        (*sign, "loose"): (2, "hint: Run: chmod 600 loose"),
        (*sign, public): (2, "hint: Name the private key"),
        (*sign, "external:false"): (3, "ended with code 1"),
        (*sign, "external:"): (2, "names no command"),
        ("sign", "nothing", *sign[2:], str(keys / "p256")): (3, "no seal at nothing"),
        ("seal", "model", "--no-anchor", "--identity-token-file", "junk"): (
            2,
            "--identity-token-file goes with a --key",
        ),
        ("verify", "model", "--certificate-chain", public): (2, "hint: Name the certificates of the authority."),
        ("verify", "model", "--identity", "a", "--issuer", "b", "--trust-root", "none"): (2, "none: no such file"),
        ("key", "revoke", "sha256:12"): (2, "sha256:12 is no key id"),
        ("key", "show", "none"): (2, "cannot be read"),
        ("key", "show", "junk"): (3, "not a public key"),
        ("key", "generate", "--no-password", "-o", "no/such/folder"): (3, "cannot be written"),
    }
    for done, (code, said) in zip(mltrust.many(commands), commands.values(), strict=True):
        assert (done.code, said in done.err) == (code, True), done
        assert done.err.startswith("error: ")
    assert ids(mltrust.cwd / SEAL) == []


@pytest.mark.usefixtures("unmeasured")
def test_the_library_signs(mltrust, keys):
    code = """
import sys
from pathlib import Path
import mltrust
home = mltrust.Home(Path("data"), Path("state"))
signer = mltrust.open_signer(sys.argv[1], home)
sealed = mltrust.seal("model", signers=[signer])
bundle = mltrust.sign("model/mltrust.seal.json", [mltrust.open_signer(sys.argv[2], home)])
print(len(sealed.bundle.signatures), len(bundle.signatures), mltrust.read_seal_file(sealed.path) == bundle)
try:
    mltrust.sign("model/mltrust.seal.json", [])
except mltrust.UsageError as error:
    print(error)
"""
    done = mltrust.python(code, keys / "ed25519", keys / "p256")
    assert (done.out, done.err) == ("1 2 True\nnobody is named to sign\n", "")
