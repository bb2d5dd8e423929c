"""Agents and commands that lie, hang, flood and break off: no signature leaves that does not hold."""

import os
import shlex
import shutil
import socket
import subprocess
import sys
import tempfile
import threading

import pytest

from mltrust.core.private_key import generate
from mltrust.errors import MltrustError, SigningError, UsageError
from mltrust.interfaces import Home
from mltrust.signers.external import ExternalSigner
from mltrust.signers.ssh_agent import Agent, SshAgentSigner

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="needs sockets with a path, and sh")


def string(data):
    return len(data).to_bytes(4) + data


BLOB = string(b"ssh-ed25519") + string(bytes(range(32)))
KEYS = bytes([12]) + (1).to_bytes(4) + string(BLOB) + string(b"ada")
COMPRESSED = string(b"ecdsa-sha2-nistp256") + string(b"nistp256") + string(b"\x02" + bytes(32))
NONE = bytes([12]) + bytes(4)


@pytest.fixture
def liar():
    """Return a function that starts an agent which gives these answers, one a connection, and returns its path."""
    folder, servers = tempfile.mkdtemp(prefix="liar"), []

    def start(*answers, keep=False):
        path = f"{folder}/{len(servers)}"
        server = socket.socket(socket.AF_UNIX)
        server.bind(path)
        server.listen()
        thread = threading.Thread(target=serve, args=(server, answers, keep))
        servers.append((server, thread))
        thread.start()
        return path

    held = []

    def serve(server, answers, keep):
        for answer in answers:
            connection, _ = server.accept()
            connection.recv(2**20)
            connection.sendall(answer)
            held.append(connection)
            if not keep:
                connection.close()

    yield start
    for server, thread in servers:
        thread.join()
        server.close()
    for connection in held:
        connection.close()
    shutil.rmtree(folder)


@pytest.mark.parametrize(
    ("answer", "match"),
    [
        (b"", "hung up"),
        (b"\0\0", "hung up"),
        (string(b""), "an answer of 0 bytes"),
        (b"\xff" * 8, "an answer of 4294967295 bytes"),
        (string(bytes([5])), "refused"),
        (string(bytes([14])), "a message of type 14, not 12"),
        (string(bytes([12])), "cut short"),
        (string(bytes([12]) + b"\xff\xff\xff\xff"), "4294967295 keys"),
        (string(bytes([12]) + (2048).to_bytes(4)), "cut short"),
        (string(KEYS[:-1]), "cut short"),
        (string(KEYS + b"x"), "more than belongs there"),
        (string(KEYS[:5] + string(string(b"ssh-ed25519") + string(b"short")) + string(b"")), "a damaged key"),
        (string(KEYS[:5] + string(b"\xff\xff") + string(b"")), "cut short"),
        (string(KEYS[:5] + string(COMPRESSED) + string(b"")), "a damaged key"),
    ],
)
def test_an_agent_that_talks_nonsense_of_its_keys(liar, answer, match):
    signer = SshAgentSigner("ada", Agent(liar(answer), seconds=5))
    with pytest.raises(SigningError, match=match):
        signer.public_key()


ECDSA = string(b"ecdsa-sha2-nistp256")
MPINT = string(b"\0" + b"\xff" * 32)


@pytest.mark.parametrize(
    ("signature", "match"),
    [
        (string(b"ssh-ed25519") + string(bytes(64)), "not by its key"),
        (string(b"ssh-ed25519") + string(b""), "not by its key"),
        (string(b"ssh-ed25519") + string(bytes(64)) + b"x", "more than belongs there"),
        (string(b"rsa-sha2-256") + string(bytes(64)), "signed as rsa-sha2-256"),
        (string(b"\x1b[2J") + string(bytes(64)), r"signed as \\x1b"),
        (ECDSA + string(MPINT + MPINT), "signed as ecdsa"),
        (b"\0\0", "cut short"),
    ],
)
def test_an_agent_that_signs_wrongly(liar, signature, match):
    path = liar(string(KEYS), string(bytes([14]) + string(signature)))
    with pytest.raises(SigningError, match=match):
        SshAgentSigner("ada", Agent(path, seconds=5)).sign(b"{}")


@pytest.mark.parametrize(
    "numbers", [MPINT, MPINT + MPINT, string(b"") * 2, string(b"\xff") * 2, MPINT * 3, MPINT + string(b"\1" * 9000)]
)
def test_an_agent_whose_numbers_are_none_of_a_signature(liar, numbers):
    der = generate("p256", lambda size: bytes([7]) * size).public.parts[0].der
    blob = ECDSA + string(b"nistp256") + string(der[-65:])
    keys = bytes([12]) + (1).to_bytes(4) + string(blob) + string(b"ada")
    path = liar(string(keys), string(bytes([14]) + string(ECDSA + string(numbers))))
    with pytest.raises(SigningError):
        SshAgentSigner("ada", Agent(path, seconds=5)).sign(b"{}")


def test_an_agent_that_says_nothing_is_left(liar):
    with pytest.raises(SigningError, match="did not answer within"):
        Agent(liar(b"\0\0\0", keep=True), seconds=0.2).held()


def test_keys_that_cannot_sign_are_passed_over(liar):
    others = [string(string(kind) + b"whatever") + string(b"x") for kind in (b"ssh-rsa", b"sk-ssh-ed25519@openssh.com")]
    answer = bytes([12]) + (3).to_bytes(4) + b"".join(others) + KEYS[5:]
    (key,) = Agent(liar(string(answer)), seconds=5).held()
    assert (key.comment, key.part.kind) == ("ada", "ed25519")


def test_a_key_must_be_named_without_doubt(liar, tmp_path):
    two = string(string(b"ssh-ed25519") + string(bytes(range(1, 33)))) + string(b"ada")
    both = string(bytes([12]) + (2).to_bytes(4) + two + KEYS[5:])
    with pytest.raises(UsageError, match="several keys called ada"):
        SshAgentSigner("ada", Agent(liar(both), seconds=5)).public_key()
    for which in ("bob", "ad", "ADA", "sha256:" + "0" * 64, str(tmp_path), "x" * 5000, str(tmp_path / "none")):
        with pytest.raises(UsageError, match="holds no key called"):
            SshAgentSigner(which, Agent(liar(string(KEYS)), seconds=5)).public_key()


def test_a_message_that_an_agent_does_not_read_is_not_sent(liar):
    with pytest.raises(SigningError, match="too large for an SSH agent"):
        SshAgentSigner("ada", Agent(liar(string(KEYS)), seconds=5)).sign(b"x" * 2**18)


def test_no_agent(tmp_path):
    home = Home(tmp_path, tmp_path)
    with pytest.raises(UsageError, match="there is no SSH agent"):
        SshAgentSigner.from_uri("ssh-agent:ada", home, {})
    (tmp_path / "file").write_text("")
    for path in (tmp_path / "none", tmp_path / "file", "x" * 500):
        with pytest.raises(SigningError, match="cannot be reached"):
            SshAgentSigner.from_uri("ssh-agent:ada", home, {"socket": str(path)}).public_key()


class Voice:
    def __init__(self):
        self.told = []

    def tell(self, message):
        self.told.append(message)


@pytest.fixture
def external(tmp_path, new_key):
    """Return a function that makes a signer of a shell script; $KEY in it is a private key of P-256."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl is not installed")
    key = new_key(tmp_path / "key", "p256")

    def make(script, seconds=20.0):
        file = tmp_path / "command.sh"
        file.write_text(f"KEY={shlex.quote(str(key))}\n{script}")
        voice = Voice()
        signer = ExternalSigner(["sh", str(file)], voice.tell, seconds)
        signer.voice = voice
        return signer

    return make


PUBLIC = 'if [ "$1" = public-key ]; then exec cat "$KEY.pub"; fi\n'


@pytest.mark.parametrize(
    ("script", "match"),
    [
        ("exit 3", "public-key ended with code 3"),
        ("echo 'no token' >&2; exit 3", "ended with code 3: no token"),
        ("echo junk", "not a public key"),
        ("", "not a public key"),
        ("cat $KEY", "a private key, where a public one is needed"),
        ("head -c 70000 /dev/zero; sleep 60", "wrote more than 65536 bytes"),
        ("exec sleep 60", "did not answer within"),
        (PUBLIC + "exit 1", "sign ended with code 1"),
        (PUBLIC, "not by its key"),
        (PUBLIC + "echo junk", "not by its key"),
        (PUBLIC + "printf x | openssl dgst -sha256 -sign $KEY", "not by its key"),
        (PUBLIC + "openssl dgst -sha512 -sign $KEY", "not by its key"),
        (PUBLIC + "openssl dgst -sha256 -sign $KEY | base64", "not by its key"),
        (PUBLIC + "head -c 20000 /dev/zero", "wrote more than 16384 bytes"),
    ],
)
def test_a_command_that_does_not_sign(external, script, match):
    with pytest.raises((SigningError, UsageError), match=match):
        external(script, 1.0 if "exec sleep" in script else 20.0).sign(b"{}")


def test_a_command_is_heard_and_its_arguments_are_not_told(external, tmp_path):
    signer = external(f"printf 'touch\\033[2J\\nthe key\\n' >&2\n{PUBLIC}openssl dgst -sha256 -sign $KEY")
    assert len(signer.sign(b"{}")) == 1
    assert signer.voice.told == ["sh: touch\x1b[2J", "sh: the key"] * 2
    assert str(tmp_path) not in signer.name


def test_a_command_is_never_run_by_a_shell(tmp_path):
    bait = tmp_path / "bait"
    with pytest.raises(MltrustError):
        ExternalSigner.from_uri(f"external:echo x; touch {bait}", Home(tmp_path, tmp_path), {}).public_key()
    assert not bait.exists()
    for wrong in ("external:'x", "external:", "external: ", "external:\0"):
        with pytest.raises(UsageError):
            ExternalSigner.from_uri(wrong, Home(tmp_path, tmp_path), {})
    with pytest.raises(SigningError, match="cannot be run"):
        ExternalSigner.from_uri("external:/no/such/command", Home(tmp_path, tmp_path), {}).public_key()


def test_a_command_signs_with_one_key(external, tmp_path, new_key):
    new_key(tmp_path / "hybrid", "hybrid")
    signer = external(f"cat {shlex.quote(str(tmp_path / 'hybrid.pub'))}")
    with pytest.raises(UsageError, match="a hybrid key, and a command signs with one"):
        signer.public_key()


def test_a_large_payload_is_given_to_a_command_that_answers_first(external):
    """Neither side waits for the other, whatever the pipes hold."""
    signer = external(f"{PUBLIC}openssl dgst -sha256 -sign $KEY")
    assert len(signer.sign(b"x" * 2**20)) == 1
    early = external(PUBLIC + "head -c 10000 /dev/zero; cat > /dev/null")
    with pytest.raises(SigningError, match="not by its key"):
        early.sign(b"x" * 2**20)


def test_a_real_agent_that_lost_the_key_refuses(ssh_agent, tmp_path):
    subprocess.run(["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "ada", "-f", tmp_path / "id"], check=True)
    path = ssh_agent(tmp_path / "id")
    signer = SshAgentSigner("ada", Agent(path))
    signer.public_key()
    subprocess.run(["ssh-add", "-q", "-D"], env={**os.environ, "SSH_AUTH_SOCK": path}, check=True)
    with pytest.raises(SigningError, match="the SSH agent refused"):
        signer.sign(b"{}")
