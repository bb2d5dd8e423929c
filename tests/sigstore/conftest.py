"""A Sigstore instance on the loopback: services that imitate the real ones, for the real client.

The client is sigstore-python as it is installed. What it talks to stands here: an identity provider, a certificate
authority that speaks Fulcio's API v2 with certificate transparency (RFC 6962, embedded), and a log that speaks Rekor's
API v1 (signed entry timestamps, inclusion proofs, checkpoints) over our own RFC 9162 tree. They check what the real
ones check of a request: the token, the proof of possession, the signature.
"""

import base64
import hashlib
import json
import struct
import threading
import time
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from types import SimpleNamespace
from urllib.parse import parse_qs

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID, ObjectIdentifier

from mltrust.core import canonical
from mltrust.core.dsse import pae
from mltrust.core.merkle import Tree
from mltrust.core.statement import Statement, Subject
from mltrust.interfaces import Home, Mute
from mltrust.signers.sigstore import SigstoreSigner, SigstoreVerifier

jwt = pytest.importorskip("jwt")
FULCIO = "1.3.6.1.4.1.57264.1."
SCTS = ObjectIdentifier("1.3.6.1.4.1.11129.2.4.2")
SINCE = datetime(2020, 1, 1, tzinfo=UTC)
SHA256 = ec.ECDSA(hashes.SHA256())
SINCE_TEXT = "2020-01-01T00:00:00Z"
KIND = "application/vnd.dev.sigstore."


def text_of(data):
    return base64.b64encode(data).decode()


class Key:
    """A key of a service, and the id of a log with it."""

    def __init__(self):
        self.private = ec.generate_private_key(ec.SECP256R1())
        how = (serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)
        self.der = self.private.public_key().public_bytes(*how)
        self.id = hashlib.sha256(self.der).digest()

    def sign(self, data):
        return self.private.sign(data, SHA256)

    def as_log(self, url):
        public = {
            "rawBytes": text_of(self.der),
            "keyDetails": "PKIX_ECDSA_P256_SHA_256",
            "validFor": {"start": SINCE_TEXT},
        }
        return {"baseUrl": url, "hashAlgorithm": "SHA2_256", "publicKey": public, "logId": {"keyId": text_of(self.id)}}


class Provider:
    """An identity provider: it knows everybody it is asked for."""

    def __init__(self, url):
        self.url, self.key = url, Key()

    def token(self, email="alice@example.org", *, lasts=600, key=None, **claims):
        now = int(time.time())
        mail = {"email": email} if "@" in email else {}
        mail |= {"iss": self.url, "aud": "sigstore", "sub": email, "iat": now - 900, "exp": now + lasts, **claims}
        return jwt.encode(mail, (key or self.key).private, algorithm="ES256")

    def believed(self, token):
        public = self.key.private.public_key()
        return jwt.decode(token, public, algorithms=["ES256"], audience="sigstore", issuer=self.url)


class Authority:
    """Fulcio, with a log of certificates: ten minutes for whoever shows a token and has the key."""

    def __init__(self, name):
        self.key, self.ct = Key(), Key()
        self.root = self._root(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))

    def _root(self, name):
        builder = x509.CertificateBuilder(name, name, self.key.private.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(SINCE).not_valid_after(SINCE + timedelta(days=36500))
        builder = builder.add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        builder = builder.add_extension(_usage(key_cert_sign=True), critical=True)
        own = x509.SubjectKeyIdentifier.from_public_key(self.key.private.public_key())
        return builder.add_extension(own, critical=False).sign(self.key.private, hashes.SHA256())

    def certify(self, request, claims):
        csr = x509.load_pem_x509_csr(base64.b64decode(request["certificateSigningRequest"]))
        if not csr.is_signature_valid:
            raise ValueError("no proof of possession")
        builder = self._builder(csr.public_key(), claims)
        poisoned = builder.sign(self.key.private, hashes.SHA256())
        scts = x509.UnrecognizedExtension(SCTS, self._scts(poisoned.tbs_certificate_bytes))
        leaf = builder.add_extension(scts, critical=False).sign(self.key.private, hashes.SHA256())
        chain = [each.public_bytes(serialization.Encoding.PEM).decode() for each in (leaf, self.root)]
        return {"signedCertificateEmbeddedSct": {"chain": {"certificates": chain}}}

    def _builder(self, public, claims):
        now, issuer = datetime.now(UTC).replace(microsecond=0), claims["iss"].encode()
        mail = "email" in claims
        name = x509.RFC822Name(claims["email"]) if mail else x509.UniformResourceIdentifier(claims["sub"])
        builder = x509.CertificateBuilder(self.root.subject, x509.Name([]), public, x509.random_serial_number())
        builder = builder.not_valid_before(now).not_valid_after(now + timedelta(minutes=10))
        code = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.CODE_SIGNING])
        above = x509.AuthorityKeyIdentifier.from_issuer_public_key(self.key.private.public_key())
        new = x509.UnrecognizedExtension(ObjectIdentifier(FULCIO + "8"), bytes([0x0C, len(issuer)]) + issuer)
        old = x509.UnrecognizedExtension(ObjectIdentifier(FULCIO + "1"), issuer)
        for extension in (code, x509.SubjectKeyIdentifier.from_public_key(public), above, old, new):
            builder = builder.add_extension(extension, critical=False)
        builder = builder.add_extension(_usage(digital_signature=True), critical=True)
        return builder.add_extension(x509.SubjectAlternativeName([name]), critical=True)

    def _scts(self, tbs):
        """RFC 6962, sections 3.2 and 3.3: one time stamp over the certificate without it."""
        now = int(time.time() * 1000)
        size = struct.pack("!I", len(tbs))[1:]
        signed = struct.pack("!BBQH", 0, 0, now, 1) + self.key.id + size + tbs + struct.pack("!H", 0)
        signature = self.ct.sign(signed)
        sct = b"\0" + self.ct.id + struct.pack("!QHBBH", now, 0, 4, 3, len(signature)) + signature
        listed = struct.pack("!H", len(sct)) + sct
        listed = struct.pack("!H", len(listed)) + listed
        return bytes([4, len(listed)] if len(listed) < 128 else [4, 0x81, len(listed)]) + listed


def _usage(**on):
    names = ("digital_signature", "content_commitment", "key_encipherment", "data_encipherment", "key_agreement")
    names += ("key_cert_sign", "crl_sign", "encipher_only", "decipher_only")
    return x509.KeyUsage(**{**dict.fromkeys(names, False), **on})


class Log:
    """Rekor: entries of kind dsse 0.0.1 in a tree, promised and proven."""

    def __init__(self):
        self.key, self.tree, self.lock = Key(), Tree(), threading.Lock()

    def entry(self, proposed):
        envelope = json.loads(proposed["spec"]["proposedContent"]["envelope"])
        (verifier,) = proposed["spec"]["proposedContent"]["verifiers"]
        (signature,) = envelope["signatures"]
        payload = base64.b64decode(envelope["payload"])
        certificate = x509.load_pem_x509_certificate(base64.b64decode(verifier))
        signed = pae(payload, envelope["payloadType"])
        certificate.public_key().verify(base64.b64decode(signature["sig"]), signed, SHA256)
        hashed = {"envelopeHash": canonical.dumps(envelope), "payloadHash": payload}
        spec = {name: {"algorithm": "sha256", "value": hashlib.sha256(of).hexdigest()} for name, of in hashed.items()}
        spec["signatures"] = [{"signature": signature["sig"], "verifier": verifier}]
        return self.included(canonical.dumps({"apiVersion": "0.0.1", "kind": "dsse", "spec": spec}))

    def included(self, body):
        with self.lock:
            index = self.tree.size
            self.tree.append(body)
            size, root, path = self.tree.size, self.tree.root, self.tree.inclusion_path(index)
        text = f"loopback - 1\n{size}\n{text_of(root)}\n"
        signed = self.key.id[:4] + self.key.sign(text.encode())
        checkpoint = f"{text}\n\u2014 loopback {text_of(signed)}\n"
        entry = {"body": text_of(body), "integratedTime": int(time.time()), "logID": self.key.id.hex()}
        entry["logIndex"] = index + 1000
        promise = text_of(self.key.sign(canonical.dumps(entry)))
        proof = {"logIndex": index, "rootHash": root.hex(), "treeSize": size, "checkpoint": checkpoint}
        proof["hashes"] = [each.hex() for each in path]
        return {**entry, "verification": {"inclusionProof": proof, "signedEntryTimestamp": promise}}


class Instance:
    """All of them behind one port. `change` may make a bad one of it: it is given every answer, with its path."""

    def __init__(self, name):
        self.requests = []
        self.change = lambda path, answer: answer
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self.provider, self.authority, self.log = Provider(self.url), Authority(name), Log()
        self.log.included(b"somebody's")  # so that paths are not empty
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.stop = lambda: (self._server.shutdown(), self._server.server_close())

    def answer(self, method, path, headers, body):
        if (method, path) == ("GET", "/.well-known/openid-configuration"):
            return 200, {"authorization_endpoint": f"{self.url}/auth", "token_endpoint": f"{self.url}/token"}
        if path.startswith("/github?"):
            return 200, {"value": self.provider.token("https://github.com/example/model/release.yml@refs/heads/main")}
        if (method, path) == ("POST", "/token"):
            return 200, {"access_token": self.provider.token(parse_qs(body.decode())["code"][0])}
        if (method, path) == ("POST", "/api/v2/signingCert"):
            claims = self.provider.believed(headers["Authorization"].removeprefix("Bearer "))
            return 201, self.authority.certify(json.loads(body), claims)
        if (method, path) == ("POST", "/api/v1/log/entries"):
            return 201, {"a" * 64: self.log.entry(json.loads(body))}
        return 404, {"message": "there is nothing"}

    def _handler(instance):  # noqa: N805  # `self` is the handler made inside
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
                instance.requests.append(self.path)
                try:
                    status, answer = instance.answer(self.command, self.path, self.headers, body)
                except Exception as error:  # noqa: BLE001  # whatever it is, the client is told
                    status, answer = 400, {"code": 400, "message": f"{type(error).__name__}: {error}"}
                answer = instance.change(self.path, answer)
                self.send_response(status)
                self.end_headers()
                self.wfile.write(answer if isinstance(answer, bytes) else json.dumps(answer).encode())

            do_GET = do_POST  # noqa: N815  # the name is that of the base class

            def log_message(self, *_):
                pass

        return Handler

    def trusted_root(self):
        certificates = [{"rawBytes": text_of(self.authority.root.public_bytes(serialization.Encoding.DER))}]
        chain = {"certChain": {"certificates": certificates}, "validFor": {"start": SINCE_TEXT}}
        chain["subject"] = {"organization": "example", "commonName": "loopback"}
        logs = {"tlogs": [self.log.key.as_log(self.url)], "ctlogs": [self.authority.ct.as_log(self.url)]}
        return {"mediaType": KIND + "trustedroot+json;version=0.1", **logs, "certificateAuthorities": [chain]}

    def trust_config(self):
        service = {"url": self.url, "majorApiVersion": 1, "validFor": {"start": SINCE_TEXT}, "operator": "loopback"}
        urls = {name: [service] for name in ("caUrls", "oidcUrls", "rekorTlogUrls")}
        signing = {"mediaType": KIND + "signingconfig.v0.2+json", **urls, "rekorTlogConfig": {"selector": "ANY"}}
        parts = {"trustedRoot": self.trusted_root(), "signingConfig": signing}
        return {"mediaType": KIND + "clienttrustconfig.v0.1+json", **parts}


@pytest.fixture(autouse=True)
def _alone(monkeypatch):
    """Whatever proxy or CI service this machine has, the tests are not about it."""
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    for name in ("GITHUB_ACTIONS", "ACTIONS_ID_TOKEN_REQUEST_URL", "GITLAB_CI", "CIRCLECI", "BUILDKITE"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture(scope="session")
def sigstore(tmp_path_factory):
    """Return what starts an instance: with the files that name it, tokens, a signer and a verifier."""
    started = []

    def start(name):
        started.append(instance := Instance(name))
        folder = tmp_path_factory.mktemp(name)
        config, root = folder / "config.json", folder / "trusted_root.json"
        config.write_text(json.dumps(instance.trust_config()))
        root.write_text(json.dumps(instance.trusted_root()))

        def token_file(email="alice@example.org", **claims):
            (file := folder / f"token-{len(list(folder.iterdir()))}").touch(0o600)
            file.write_text(instance.provider.token(email, **claims) + "\n")
            return file

        def signer(token=None, dialogue=None):
            home, given = Home(folder, folder, dialogue or Mute()), {"identity_token_file": token or token_file()}
            return SigstoreSigner.from_uri(f"sigstore:{config}", home, given)

        def verifier(identity="alice@example.org", issuer=instance.url, trust_root=root):
            return SigstoreVerifier("alice", identity=identity, issuer=issuer, trust_root=trust_root)

        given = {"config": config, "root": root, "token_file": token_file, "signer": signer, "verifier": verifier}
        return SimpleNamespace(instance=instance, url=instance.url, **given)

    yield start
    for each in started:
        each.stop()


@pytest.fixture(scope="session")
def here(sigstore):
    """The instance that most tests share."""
    return sigstore("here")


@pytest.fixture(scope="session")
def payload():
    """A statement as a seal's: its subject is named by a digest that Sigstore knows nothing of."""
    subject = Subject(name="model", digest={"mltrust-1": "5" * 64})
    return Statement(subject=(subject,), predicate_type="https://example.org/p", predicate={"a": 1}).payload()


@pytest.fixture(scope="session")
def signature(here, payload):
    """Alice's signature over it."""
    (made,) = here.signer().sign(payload)
    return made
