"""The signers mltrust comes with, against a real ssh-agent and a real openssl."""

import shlex
import shutil
import subprocess
import sys

import pytest

from mltrust.interfaces import Home
from mltrust.signers.external import ExternalSigner
from mltrust.signers.file import FileSigner
from mltrust.signers.ssh_agent import SshAgentSigner
from mltrust.testing import SignerContract

WRAPPER = """\
case $2 in
    public-key) exec openssl pkey -in "$1" -pubout ;;
    sign) exec openssl dgst -sha256 -sign "$1" ;;
esac
"""
ABSENT = [name for name in ("ssh-agent", "ssh-add", "ssh-keygen") if shutil.which(name) is None]


class OfUri(SignerContract):
    """A signer that is opened by its URI."""

    @pytest.fixture
    def signer(self, uri, settings, home):
        return self.plug.from_uri(uri, home, settings)


class FileContract(OfUri):
    plug = FileSigner
    kind = "ed25519"

    @pytest.fixture
    def uri(self, tmp_path, new_key):
        return f"file:{new_key(tmp_path / 'a key', self.kind)}"


class TestEd25519File(FileContract):
    pass


class TestP256File(FileContract):
    kind = "p256"


class TestMlDsaFile(FileContract):
    kind = "ml-dsa-65"


class TestHybridFile(FileContract):
    kind = "hybrid"


@pytest.fixture(scope="module")
def encrypted(tmp_path_factory, new_key):
    """Return a private key file under a password, which takes a tenth of a second to write."""
    return new_key(tmp_path_factory.mktemp("encrypted") / "key", "ed25519", "öpen sesame")


class TestEncryptedFile(OfUri):
    plug = FileSigner

    @pytest.fixture
    def uri(self, encrypted):
        return f"file:{encrypted}"

    @pytest.fixture
    def settings(self, tmp_path):
        file = tmp_path / "password"
        file.write_text("öpen sesame\n", encoding="utf-8")
        file.chmod(0o600)
        return {"password_file": str(file)}


@pytest.mark.skipif(bool(ABSENT) or sys.platform == "win32", reason=f"needs ssh-agent: {ABSENT} missing")
class TestEd25519Agent(OfUri):
    plug = SshAgentSigner
    kind = ("-t", "ed25519")

    @pytest.fixture
    def uri(self):
        return "ssh-agent:ada@example.org"

    @pytest.fixture
    def settings(self, tmp_path, ssh_agent):
        subprocess.run(
            ["ssh-keygen", "-q", *self.kind, "-N", "", "-C", "ada@example.org", "-f", tmp_path / "id"], check=True
        )
        return {"socket": ssh_agent(tmp_path / "id")}


class TestP256Agent(TestEd25519Agent):
    kind = ("-t", "ecdsa", "-b", "256")


@pytest.mark.skipif(shutil.which("openssl") is None or shutil.which("sh") is None, reason="needs openssl and sh")
class TestOpensslCommand(OfUri):
    plug = ExternalSigner

    @pytest.fixture
    def uri(self, tmp_path, new_key):
        script = tmp_path / "sign with it.sh"
        script.write_text(WRAPPER)
        return f"external:sh {shlex.quote(str(script))} {shlex.quote(str(new_key(tmp_path / 'key', 'p256')))}"


def test_a_signer_asks_for_a_password_once_and_only_when_it_needs_it(tmp_path, new_key):
    asked = []

    class Voice:
        def secret(self, prompt):
            asked.append(prompt)
            return "open"

    path, home = new_key(tmp_path / "key", "hybrid", "open"), Home(tmp_path, tmp_path, Voice())
    signer = FileSigner.from_uri(f"file:{path}", home, {})
    assert asked == []
    assert signer.public_key().kind == "hybrid"
    assert len(signer.sign(b"{}")) == len(signer.sign(b"{}")) == 2
    assert asked == [f"the password of {path}"]
