"""Who signs: keystores, the keyring, commands, the environment; and keys that are refused."""

import json
import stat
import sys

import keyring
import pytest
from eth_account import Account
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked

from mltrust.anchors.ethereum.chain.profiles import config_of
from mltrust.anchors.ethereum.sending import signers
from mltrust.anchors.ethereum.sending.signers import open_signer
from mltrust.anchors.ethereum.sending.unsigned import Unsigned
from mltrust.errors import AnchorError, UsageError

KEY = "11" * 32
ADDRESS = "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
OWN = bytes.fromhex(ADDRESS[2:])
KNOWN = "ac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80"
PASSWORD = "open sesame"
TRANSACTION = Unsigned(1, 7, bytes(20), b"\x01\x02", 30_000, 2_000_000_000, 1_000_000)
WRAPPER = """
import json, sys
from eth_account import Account
asked = json.load(sys.stdin)
assert asked.pop("from") == {address!r}
asked = {{**asked, "type": 2, **{changes!r}}}
print(Account.from_key({key!r}).sign_transaction(asked).raw_transaction.to_0x_hex())
"""


class Voice:
    def __init__(self, password=PASSWORD):
        self.password, self.told, self.asked = password, [], []

    def tell(self, message):
        self.told.append(message)

    def secret(self, prompt):
        self.asked.append(prompt)
        return self.password

    def agree(self, question):
        raise AssertionError(question)


def opened(signer, voice=None, uri="ethereum:mainnet", **settings):
    return open_signer(config_of(uri, {"signer": signer, **settings}), voice or Voice())


def assert_signs(signer):
    assert signer.address == OWN
    signer.unlock()
    raw = signer.sign(TRANSACTION)
    assert len(TRANSACTION.require_signed(raw, OWN)) == 32
    assert Account.recover_transaction(raw) == ADDRESS
    assert Unsigned.of(raw) == TRANSACTION


@pytest.fixture(scope="module")
def keystore_text():
    return json.dumps(Account.encrypt(KEY, PASSWORD, kdf="pbkdf2", iterations=1000))


@pytest.fixture
def keystore(tmp_path, keystore_text):
    path = tmp_path / "key.json"
    path.write_text(keystore_text)
    return path


def test_a_keystore_asks_for_its_password_when_it_is_unlocked(keystore):
    voice = Voice()
    signer = opened(f"keystore:{keystore}", voice)
    assert signer.address == OWN
    assert voice.asked == []
    assert_signs(signer)
    assert voice.asked == [f"the password of {keystore}"]


def test_a_keystore_without_its_address_is_opened_at_once(keystore):
    content = json.loads(keystore.read_text())
    del content["address"]
    keystore.write_text(json.dumps(content))
    assert_signs(opened(f"keystore:{keystore}"))


def test_a_password_file(keystore, tmp_path):
    file = tmp_path / "password"
    file.write_text(PASSWORD + "\n")
    file.chmod(0o600)
    voice = Voice("wrong")
    assert_signs(opened(f"keystore:{keystore}", voice, password_file=str(file)))
    assert voice.asked == []


@pytest.mark.skipif(sys.platform == "win32", reason="POSIX modes")
def test_a_password_that_others_can_read_is_refused(keystore, tmp_path):
    file = tmp_path / "password"
    file.write_text(PASSWORD)
    file.chmod(0o600 | stat.S_IRGRP)
    with pytest.raises(UsageError, match="others can read this password"):
        opened(f"keystore:{keystore}", password_file=str(file)).unlock()


def test_a_wrong_password_and_what_is_no_keystore(keystore, tmp_path):
    with pytest.raises(UsageError, match="cannot be opened"):
        opened(f"keystore:{keystore}", Voice("wrong")).unlock()
    for text in ("", "[]", "{", '{"address": 1}', '{"address": "0x12"}', "\ud800".encode("utf-8", "surrogatepass")):
        keystore.write_bytes(text if isinstance(text, bytes) else text.encode())
        with pytest.raises(UsageError):
            opened(f"keystore:{keystore}").unlock()
    with pytest.raises(UsageError):
        opened(f"keystore:{tmp_path / 'nothing'}")


def test_a_keystore_that_names_another_address_signs_nothing(keystore):
    content = json.loads(keystore.read_text())
    keystore.write_text(json.dumps({**content, "address": "22" * 20}))
    signer = opened(f"keystore:{keystore}")
    with pytest.raises(AnchorError, match="another key than that of its address"):
        TRANSACTION.require_signed(signer.sign(TRANSACTION), signer.address)


class Ring(KeyringBackend):
    priority = 1

    def __init__(self, locked=False):
        super().__init__()
        self.locked = locked

    def get_password(self, service, username):
        if self.locked:
            raise KeyringLocked
        return {("mltrust", "release"): f"0x{KEY}\n", ("mltrust", "junk"): "junk"}.get((service, username))

    def set_password(self, service, username, password):
        raise NotImplementedError


def test_the_keyring():
    before = keyring.get_keyring()
    try:
        keyring.set_keyring(Ring())
        assert_signs(opened("keyring:release"))
        with pytest.raises(UsageError, match="has no 'other'") as raised:
            opened("keyring:other")
        assert raised.value.hint == "Run: keyring set mltrust other"
        with pytest.raises(UsageError, match="holds no private key"):
            opened("keyring:junk")
        keyring.set_keyring(Ring(locked=True))
        with pytest.raises(UsageError, match="cannot be read: KeyringLocked"):
            opened("keyring:release")
    finally:
        keyring.set_keyring(before)


def test_the_environment_with_a_warning(monkeypatch):
    monkeypatch.setenv("RELEASE_KEY", KEY)
    voice = Voice()
    assert_signs(opened("env:RELEASE_KEY", voice))
    assert any("warning" in line and "RELEASE_KEY" in line for line in voice.told)
    assert KEY not in "".join(voice.told)
    monkeypatch.setenv("RELEASE_KEY", KEY[:-2])
    with pytest.raises(UsageError, match="holds no private key") as raised:
        opened("env:RELEASE_KEY")
    assert KEY[:20] not in str(raised.value)
    with pytest.raises(UsageError, match="no environment variable"):
        opened("env:NO_SUCH_KEY")


@pytest.fixture
def wrapper(tmp_path):
    def make(key=KEY, text=None, **changes):
        script = tmp_path / "sign with it.py"
        script.write_text(text or WRAPPER.format(address=ADDRESS, key=key, changes=changes))
        return f"external:{ADDRESS} '{sys.executable}' '{script}'"

    return make


def test_an_external_command(wrapper):
    assert_signs(opened(wrapper()))


@pytest.mark.parametrize(
    "changes", [{"nonce": 8}, {"to": ADDRESS}, {"value": 1}, {"chainId": 5}, {"gas": 30_001}, {"data": "0x01"}]
)
def test_a_command_that_signs_something_else_is_caught(wrapper, changes):
    signer = opened(wrapper(**changes))
    with pytest.raises(AnchorError, match="another transaction than it was asked to"):
        TRANSACTION.require_signed(signer.sign(TRANSACTION), OWN)


def test_a_command_that_signs_with_another_key_is_caught(wrapper):
    signer = opened(wrapper(key="22" * 32))
    with pytest.raises(AnchorError, match="another key"):
        TRANSACTION.require_signed(signer.sign(TRANSACTION), OWN)


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("raise SystemExit(3)", "ended with code 3"),
        ("print('nothing')", "gave no hexadecimal"),
        ("print('0x02c0')", "no transaction"),
        ("pass", "no transaction"),
        ("import time; time.sleep(60)", "did not answer within 1 s"),
        ("print('00' * 2**20, flush=True); import time; time.sleep(60)", "wrote more than 1048576 bytes"),
        ("import os, time; os.close(1); time.sleep(60)", "did not answer within 1 s"),
    ],
)
def test_a_command_that_fails(wrapper, monkeypatch, text, match):
    monkeypatch.setattr(signers, "EXTERNAL_SECONDS", 1.0)
    signer = opened(wrapper(text=text))
    with pytest.raises(AnchorError, match=match):
        TRANSACTION.require_signed(signer.sign(TRANSACTION), OWN)


def test_a_command_is_never_run_by_a_shell(tmp_path):
    bait = tmp_path / "bait"
    signer = opened(f"external:{ADDRESS} echo 00; touch {bait}")
    with pytest.raises(AnchorError):
        TRANSACTION.require_signed(signer.sign(TRANSACTION), OWN)
    assert not bait.exists()


@pytest.mark.parametrize(
    "signer",
    [
        KEY,
        f"0x{KEY}",
        f"0X{KEY}",
        f"external:{ADDRESS} sign --key={KEY}",
        f"keystore:{KEY}",
        f"env:{KEY}",
        f"keyring:0x{KEY}",
        f"external:{ADDRESS} sign --key {KEY}",
    ],
)
def test_a_private_key_as_an_argument_is_refused_and_never_repeated(signer):
    with pytest.raises(UsageError, match="a private key was given") as raised:
        opened(signer)
    assert KEY not in f"{raised.value}{raised.value.hint}"


@pytest.mark.parametrize(
    "signer",
    ["", "keystore", "keystore:", "ledger:x", "external:sign", f"external:{ADDRESS}", f"external:{ADDRESS} 'x", "env:"],
)
def test_what_names_no_signer(signer):
    with pytest.raises(UsageError):
        opened(signer)


def test_a_key_that_lacks_a_digit_is_not_repeated():
    with pytest.raises(UsageError, match="names none") as raised:
        opened(KEY[:-1])
    assert KEY[:10] not in str(raised.value)


def test_nobody_named():
    with pytest.raises(UsageError, match="nobody was named to sign"):
        opened(None)


def test_keys_that_everybody_has_are_for_development_only(monkeypatch):
    monkeypatch.setenv("DEV_KEY", KNOWN)
    assert opened("env:DEV_KEY", uri="ethereum:local").address
    for uri in ("ethereum:mainnet", "ethereum:sepolia", "ethereum:424242"):
        with pytest.raises(UsageError, match="everybody has the key of 0xf39F"):
            opened("env:DEV_KEY", uri=uri)
    monkeypatch.setenv("DEV_KEY", "00" * 31 + "01")
    with pytest.raises(UsageError, match="everybody has the key of 0x7E5F"):
        opened("env:DEV_KEY", uri="ethereum:sepolia")
