"""Time-stamp authorities for tests: a real one (`openssl ts` behind HTTP on the loopback), and a forger of tokens."""

import hashlib
import shutil
import ssl
import subprocess
import threading
from dataclasses import dataclass
from datetime import UTC, datetime
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from mltrust.anchors.rfc3161 import Rfc3161Anchor
from mltrust.interfaces import Home, Mute

OPENSSL = shutil.which("openssl")
ALWAYS = (datetime(2000, 1, 1, tzinfo=UTC), datetime(2100, 1, 1, tzinfo=UTC))
POLICY = "1.2.3.4.1"
CONFIGURATION = """
[tsa]
default_tsa = here
[here]
serial = {folder}/serial
signer_cert = {folder}/tsa.pem
signer_key = {folder}/tsa.key
signer_digest = sha256
default_policy = {policy}
digests = sha256, sha512
accuracy = secs:1, millisecs:500
ess_cert_id_alg = sha256
{more}
"""
HASHES = {"sha256": hashes.SHA256, "sha512": hashes.SHA512, "sha1": hashes.SHA1, "md5": hashes.MD5}
OIDS = {
    "sha256": "2.16.840.1.101.3.4.2.1",
    "sha512": "2.16.840.1.101.3.4.2.3",
    "sha1": "1.3.14.3.2.26",
    "md5": "1.2.840.113549.2.5",
}
TST_INFO = "1.2.840.113549.1.9.16.1.4"
ATTRIBUTE = "1.2.840.113549.1.9."


def der_of(certificate):
    return certificate.public_bytes(serialization.Encoding.DER)


def pem_of(*certificates):
    return b"".join(each.public_bytes(serialization.Encoding.PEM) for each in certificates)


def private_pem(key):
    how = (serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(*how)


@dataclass(frozen=True)
class Identity:
    """A key and its certificate."""

    key: ec.EllipticCurvePrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(
        cls, name, issuer=None, *, usage=None, critical=True, serial=None, authority=False, valid=ALWAYS, address=None
    ):
        key = ec.generate_private_key(ec.SECP256R1())
        names = [x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])]
        builder = (
            x509.CertificateBuilder()
            .subject_name(names[0])
            .issuer_name(issuer.certificate.subject if issuer else names[0])
            .public_key(key.public_key())
            .serial_number(serial or x509.random_serial_number())
            .not_valid_before(valid[0])
            .not_valid_after(valid[1])
        )
        if authority:
            builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        if address:
            names = x509.SubjectAlternativeName([x509.IPAddress(ip_address(address))])
            builder = builder.add_extension(names, critical=False)
        if usage:
            builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical=critical)
        return cls(key, builder.sign(issuer.key if issuer else key, hashes.SHA256()))

    @classmethod
    def root(cls, name="Test Root", **options):
        return cls.make(name, authority=True, **options)

    def tsa(self, name="Test TSA", **options):
        return self.make(name, self, **{"usage": [ExtendedKeyUsageOID.TIME_STAMPING], **options})

    def intermediate(self, name="Test Intermediate", **options):
        return self.make(name, self, **{"authority": True, **options})


class Forge:
    """Writes DER, and signs whatever it is told: all that no authority would."""

    def tlv(self, tag, *parts):
        body = b"".join(parts)
        size = len(body).to_bytes((len(body).bit_length() + 7) // 8, "big")
        return bytes([tag]) + (bytes([len(body)]) if len(body) < 128 else bytes([0x80 | len(size)]) + size) + body

    def oid(self, text):
        first, second, *rest = map(int, text.split("."))
        out = b""
        for number in (40 * first + second, *rest):
            digits = [number & 0x7F]
            while number := number >> 7:
                digits.append(0x80 | number & 0x7F)
            out += bytes(reversed(digits))
        return self.tlv(6, out)

    def integer(self, number):
        return self.tlv(2, number.to_bytes(number.bit_length() // 8 + 1, "big", signed=True))

    def algorithm(self, name):
        return self.tlv(0x30, self.oid(OIDS[name]), self.tlv(5))

    def set_of(self, tag, *parts):
        return self.tlv(tag, *sorted(parts))

    def attribute(self, name, *values):
        return self.tlv(0x30, self.oid(name), self.set_of(0x31, *values))

    def bound(self, certificate, digest="sha256", version=2):
        """A signing-certificate attribute, of either version."""
        value = self.tlv(4, hashlib.new(digest, der_of(certificate)).digest())
        parts = [value] if (digest, version) in (("sha256", 2), ("sha1", 1)) else [self.algorithm(digest), value]
        name = "16.2.47" if version == 2 else "16.2.12"
        return self.attribute(ATTRIBUTE + name, self.tlv(0x30, self.tlv(0x30, self.tlv(0x30, *parts))))

    def info(
        self,
        data,
        *,
        time=b"20200101000000Z",
        nonce=None,
        policy=POLICY,
        digest="sha256",
        version=1,
        accuracy=b"",
        tail=b"",
    ):
        imprint = self.tlv(0x30, self.algorithm(digest), self.tlv(4, hashlib.new(digest, data).digest()))
        fields = [self.integer(version), self.oid(policy), imprint, self.integer(7), self.tlv(0x18, time), accuracy]
        return self.tlv(0x30, *fields, b"" if nonce is None else self.integer(nonce), tail)

    def token(
        self, info, signer, *, certificates=None, digest="sha256", attributes=None, signature="1.2.840.10045.4.3.2",
        content=TST_INFO, named=None, signers=1, versions=(3, 1), ordered=True, unsigned=b"",
    ):  # fmt: skip
        attributes = self.attributes(info, signer, digest) if attributes is None else attributes
        signed = self.set_of(0x31, *attributes)
        named = named or signer.certificate
        signer_info = self.tlv(
            0x30,
            self.integer(versions[1]),
            self.tlv(0x30, named.issuer.public_bytes(), self.integer(named.serial_number)),
            self.algorithm(digest),
            b"\xa0" + signed[1:],
            self.tlv(0x30, self.oid(signature)),
            self.tlv(4, signer.key.sign(signed, ec.ECDSA(HASHES[digest]()))),
            unsigned,
        )
        held = [der_of(each) for each in ([signer.certificate] if certificates is None else certificates)]
        held = b"" if not held else self.tlv(0xA0, *(sorted(held) if ordered else held))
        octets = self.tlv(0xA0, self.tlv(4, info))
        signed_data = self.tlv(
            0x30,
            self.integer(versions[0]),
            self.tlv(0x31, self.algorithm(digest)),
            self.tlv(0x30, self.oid(content), octets),
            held,
            self.tlv(0x31, *[signer_info] * signers),
        )
        return self.tlv(0x30, self.oid("1.2.840.113549.1.7.2"), self.tlv(0xA0, signed_data))

    def attributes(self, info, signer, digest="sha256", *, content=TST_INFO, bound=None):
        return [
            self.attribute(ATTRIBUTE + "3", self.oid(content)),
            self.attribute(ATTRIBUTE + "4", self.tlv(4, hashlib.new(digest, info).digest())),
            self.bound(bound or signer.certificate),
        ]

    def response(self, token=b"", status=0, *text):
        words = self.tlv(0x30, *(self.tlv(0x0C, each.encode()) for each in text)) if text else b""
        return self.tlv(0x30, self.tlv(0x30, self.integer(status), words), token)


class Told(Mute):
    """A dialogue that remembers what it was told."""

    def __init__(self):
        self.messages = []

    def tell(self, message):
        self.messages.append(message)


class Authority:
    """A real authority: `openssl ts -reply` behind HTTP. `answer` may be replaced to make it a bad one."""

    def __init__(self, folder, root, signer, *, chain=()):
        folder.mkdir()
        self.folder, self.root, self.signer = folder, root, signer
        self.queries = []
        self.answer = self.stamp
        self.roots = folder / "root.pem"
        self._lock = threading.Lock()
        self._write(chain)
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}/tsr"
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()

    def _write(self, chain):
        self.roots.write_bytes(pem_of(self.root.certificate))
        (self.folder / "tsa.pem").write_bytes(pem_of(self.signer.certificate))
        (self.folder / "tsa.key").write_bytes(private_pem(self.signer.key))
        (self.folder / "chain.pem").write_bytes(pem_of(*chain))
        (self.folder / "serial").write_text("01\n")
        more = f"certs = {self.folder}/chain.pem" if chain else ""
        text = CONFIGURATION.format(folder=self.folder, policy=POLICY, more=more)
        (self.folder / "tsa.cnf").write_text(text)

    def stamp(self, query):
        query_file, reply_file = self.folder / "query", self.folder / "reply"
        with self._lock:
            query_file.write_bytes(query)
            command = ["ts", "-reply", "-config", self.folder / "tsa.cnf", "-queryfile", query_file, "-out", reply_file]
            subprocess.run([OPENSSL, *map(str, command)], check=True, capture_output=True)
            return reply_file.read_bytes()

    def _handler(authority):  # noqa: N805  # `self` is the handler made inside
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                query = self.rfile.read(int(self.headers["Content-Length"]))
                authority.queries.append((dict(self.headers), query))
                answer = authority.answer(query)
                if callable(answer):
                    answer(self)
                    return
                self.send_response(200)
                self.send_header("Content-Type", "application/timestamp-reply")
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, *_):
                pass

        return Handler

    def speak_tls(self, issuer):
        """Answer over TLS from now on; return the file with the certificate of the issuer."""
        server = issuer.make("here", issuer, address="127.0.0.1")
        files = [self.folder / "server.pem", self.folder / "server.key"]
        for file, data in zip(files, (pem_of(server.certificate), private_pem(server.key)), strict=True):
            file.write_bytes(data)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*files)
        self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self.url = self.url.replace("http:", "https:")
        (self.folder / "issuer.pem").write_bytes(pem_of(issuer.certificate))
        return str(self.folder / "issuer.pem")

    def stop(self):
        self._server.shutdown()
        self._server.server_close()

    def anchor(self, home, **settings):
        return Rfc3161Anchor.from_uri(
            f"rfc3161:{self.url}", home, {"roots": str(self.roots), "timeout": 20, **settings}
        )


@pytest.fixture(autouse=True)
def _direct(monkeypatch):
    """Whatever proxy this machine uses, the loopback needs none."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")


@pytest.fixture
def authority(tmp_path):
    """Return a function that starts a real authority."""
    if OPENSSL is None:
        pytest.skip("the openssl command is not installed")
    started = []

    def start(name="one", root=None, signer=None, **options):
        root = root or Identity.root(f"Root {name}")
        signer = signer or root.tsa(f"TSA {name}")
        started.append(Authority(tmp_path / f"authority-{name}", root, signer, **options))
        return started[-1]

    yield start
    for each in started:
        each.stop()


@pytest.fixture
def tsa(authority):
    return authority()


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "data", tmp_path / "state", Told())


@pytest.fixture(scope="session")
def identity():
    return Identity


@pytest.fixture(scope="session")
def forge():
    return Forge()


@pytest.fixture(scope="session")
def pem():
    return pem_of


@pytest.fixture
def mltrust(tmp_path, run_installed):
    """Return the installed command, with a home of its own (or another's); `config` writes its configuration."""

    def run(*arguments, home="home"):
        return run_installed(tmp_path, *arguments, MLTRUST_HOME=str(tmp_path / home), LC_ALL="C.UTF-8", NO_COLOR="1")

    def config(text):
        (tmp_path / "home").mkdir(exist_ok=True)
        (tmp_path / "home" / "config.toml").write_text(text)

    run.config = config
    return run
