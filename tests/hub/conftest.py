"""A Hub on loopback that speaks the protocol of the real one, to the real client; and the installed command.

What it answers is what `huggingface_hub` asks for: the revision, the tree in pages, paths, HEAD and GET of files, with
a redirect to a storage for what is in Git LFS. It counts what is asked and how many bytes it gives, and can be made to
lie.
"""

import hashlib
import json
import os
import ssl
import subprocess
import sys
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from ipaddress import ip_address
from pathlib import Path
from urllib.parse import parse_qs, unquote, urlsplit

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID

pytest.importorskip("huggingface_hub")

KINDS = ("models", "datasets", "spaces")
IN_LFS = (".safetensors", ".bin", ".parquet")
TOKEN = "hf_loopback"


def sha256(data):
    return hashlib.sha256(data).hexdigest()


def sha1(data):
    return hashlib.sha1(b"blob %d\0" % len(data) + data).hexdigest()


def pointer(data):
    return f"version https://git-lfs.github.com/spec/v1\noid sha256:{sha256(data)}\nsize {len(data)}\n".encode()


def is_weights(path):
    return path.endswith(IN_LFS)


@dataclass
class Repository:
    """Commits (path to bytes), refs that name them, and who may read."""

    commits: dict = field(default_factory=dict)
    refs: dict = field(default_factory=dict)
    private: bool = False
    gated: bool = False

    def push(self, files, ref="main"):
        """Make a commit of a folder, or of paths and their bytes; return its name."""
        if isinstance(files, Path):
            files = {
                path.relative_to(files).as_posix(): path.read_bytes() for path in files.rglob("*") if path.is_file()
            }
        commit = hashlib.sha1(repr((sorted(files.items()), len(self.commits))).encode()).hexdigest()
        self.commits[commit] = dict(files)
        self.refs[ref] = commit
        return commit


@dataclass(frozen=True)
class Asked:
    """One request, and how many bytes were given."""

    method: str
    path: str
    range: str | None
    token: str | None
    given: int


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_arguments):
        pass

    def do_GET(self):
        self.body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        hub, url = self.server.hub, urlsplit(self.path)
        if (odd := hub.odd(self, url)) is not None:
            self.answer(*odd)
        elif url.path.startswith("/lfs-storage/"):
            self.content(hub.storage[url.path.rpartition("/")[2]], {})
        else:
            self.of_repository([unquote(part) for part in url.path.strip("/").split("/")], parse_qs(url.query))

    do_HEAD = do_POST = do_GET  # noqa: N815  # as the server calls them

    def of_repository(self, parts, query):  # noqa: PLR0911  # one for each way to say no, and one for each question
        hub = self.server.hub
        api = parts[0] == "api"
        kind, owner, name, verb, *rest = parts[1:] if api else (parts if parts[0] in KINDS else ["models", *parts])
        found = hub.repositories.get((kind, f"{owner}/{name}"))
        signed_in = self.headers.get("Authorization") == f"Bearer {TOKEN}"
        if found is None or (found.private and not signed_in):
            return self.no(404 if signed_in else 401, "RepoNotFound")
        if found.gated and verb != "revision":
            return self.no(403, "GatedRepo")
        revision, *rest = rest
        commit = found.refs.get(revision, revision)
        if commit not in found.commits:
            return self.no(404, "RevisionNotFound")
        files = found.commits[commit]
        if verb == "revision":
            siblings = [{"rfilename": path} for path in files]
            return self.json({"id": f"{owner}/{name}", "sha": commit, "siblings": siblings, "tags": [], "downloads": 0})
        if verb == "paths-info":
            asked = parse_qs(self.body.decode())["paths"]
            return self.json([hub.entry(path, files[path]) for path in asked if path in files])
        if verb == "tree":
            return self.tree(files, "/".join(rest), int(query.get("cursor", ["0"])[0]))
        path = "/".join(rest)
        return self.file(path, files[path], commit) if path in files else self.no(404, "EntryNotFound", commit)

    def tree(self, files, below, at):
        hub, prefix = self.server.hub, below and below + "/"
        inside = [path for path in files if path.startswith(prefix)]
        if below and not inside:
            return self.no(404, "EntryNotFound")
        folders = {parent.as_posix() for path in inside for parent in list(Path(path).parents)[:-1]}
        listed = [{"type": "directory", "path": path, "oid": "0" * 40, "size": 0} for path in sorted(folders)]
        listed += [hub.entry(path, files[path]) for path in sorted(inside, reverse=True)]  # in an order of its own
        headers = {}
        if at + hub.page < len(listed):
            url = f"{hub.url}{urlsplit(self.path).path}?recursive=true&expand=false&cursor={at + hub.page}"
            headers = {"Link": f'<{url}>; rel="next"'}
        return self.json(listed[at : at + hub.page], headers)

    def file(self, path, data, commit):
        said = {"X-Repo-Commit": commit, "Accept-Ranges": "bytes"}
        if not is_weights(path):
            return self.content(self.server.hub.instead.get(path, data), {**said, "ETag": f'"{sha1(data)}"'})
        digest = sha256(data)
        self.server.hub.storage[digest] = self.server.hub.instead.get(path, data)
        linked = {"X-Linked-Etag": f'"{digest}"', "X-Linked-Size": str(len(data)), "ETag": f'"{digest}"'}
        # The client follows a HEAD on the same host, and takes what the redirect says if the storage is on another one.
        storage = self.server.hub.url.replace("127.0.0.1", "localhost" if self.command == "HEAD" else "127.0.0.1")
        where = f"{storage}/lfs-storage/{digest}?signature=secret"
        return self.answer(302, {**said, **linked, "Location": where})

    def content(self, data, headers):
        wanted = self.headers.get("Range")
        if wanted is None:
            return self.answer(200, headers, data)
        begin, _, last = wanted.removeprefix("bytes=").partition("-")
        begin, end = int(begin), min(int(last or len(data)) + 1, len(data))
        said = {**headers, "Content-Range": f"bytes {begin}-{end - 1}/{len(data)}"}
        return self.answer(206, said, data[begin:end])

    def json(self, value, headers=None):
        self.answer(200, {"Content-Type": "application/json", **(headers or {})}, json.dumps(value).encode())

    def no(self, status, code, commit=""):
        said = {"X-Error-Code": code, "X-Error-Message": "it said\x1b[31m no"}
        self.answer(status, said | ({"X-Repo-Commit": commit} if commit else {}), b"{}")

    def answer(self, status, headers=None, body=b""):
        given = 0 if self.command == "HEAD" else len(body)
        asked = Asked(self.command, self.path, self.headers.get("Range"), self.headers.get("Authorization"), given)
        self.server.hub.log.append(asked)
        self.send_response(status)
        for name, value in {"Content-Length": str(len(body)), **(headers or {})}.items():
            self.send_header(name, value)
        self.end_headers()
        if given:
            self.wfile.write(body)


class Server(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 64

    def handle_error(self, *_arguments):
        pass


@dataclass
class Hub:
    """Repositories by kind and name; `instead` of the bytes of a path it gives others, whatever it lists.

    `entry` is what it says of a file in its listing. `odd` may answer a request in its place.
    """

    url: str = ""
    page: int = 3
    repositories: dict = field(default_factory=dict)
    storage: dict = field(default_factory=dict)
    instead: dict = field(default_factory=dict)
    log: list = field(default_factory=list)
    changed: Callable = lambda entry: entry
    odd: Callable = lambda request, url: None

    def repository(self, name="org/tiny", kind="models"):
        return self.repositories.setdefault((kind, name), Repository())

    def entry(self, path, data):
        found = {"type": "file", "path": path, "size": len(data), "oid": sha1(data)}
        if is_weights(path):
            oid, lfs = sha1(pointer(data)), {"oid": sha256(data), "size": len(data), "pointerSize": len(pointer(data))}
            found |= {"oid": oid, "lfs": lfs}
        return self.changed(found)

    def asked(self, part):
        """Return the requests with `part` in their paths."""
        return [each for each in self.log if part in each.path]

    def given(self):
        """Return how many bytes of the storage were given."""
        return sum(each.given for each in self.asked("/lfs-storage/"))


@pytest.fixture(scope="session")
def _server():
    server = Server(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def hub(_server, monkeypatch, tmp_path):
    """Return a Hub on loopback, where nothing is yet; the environment leads the real client there."""
    from huggingface_hub import constants

    url = f"http://127.0.0.1:{_server.server_port}"
    _server.hub = Hub(url)
    for name in [name for name in os.environ if name.startswith(("HF_", "HUGGING"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("HF_ENDPOINT", url)
    monkeypatch.setenv("HF_HOME", str(tmp_path / "hf"))
    monkeypatch.setattr(constants, "ENDPOINT", url)  # in this process it is imported already
    return _server.hub


@pytest.fixture
def storage(hub, monkeypatch, tmp_path):
    """Return a storage on another host than the Hub, over TLS as the real one; the client trusts its certificate."""
    import huggingface_hub
    from huggingface_hub.utils import get_session

    server = Server(("127.0.0.1", 0), Handler)
    server.socket, context = _over_tls(server.socket, tmp_path)
    server.hub = Hub(f"https://127.0.0.1:{server.server_port}")
    trusting = type(get_session())(verify=context)
    huggingface_hub.close_session()
    monkeypatch.setattr("huggingface_hub.utils._http._GLOBAL_CLIENT", trusting)
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    yield server.hub
    trusting.close()
    server.shutdown()
    server.server_close()


def _over_tls(listening, folder):
    """Return the socket with a certificate of its own, and what a client trusts that by."""
    private = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "storage")])
    now = datetime.now(UTC)
    made = x509.CertificateBuilder(name, name, private.public_key(), 1, now - timedelta(1), now + timedelta(1))
    made = made.add_extension(x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False)
    certificate = made.sign(private, hashes.SHA256()).public_bytes(Encoding.PEM)
    pem = folder / "storage.pem"
    pem.write_bytes(certificate + private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    served = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    served.load_cert_chain(pem)
    return served.wrap_socket(listening, server_side=True), ssl.create_default_context(cadata=certificate.decode())


@pytest.fixture
def pointer_to():
    """Return a function that makes the Git LFS pointer to some bytes."""
    return pointer


@pytest.fixture
def client(hub):
    """Return a function that runs Python with the real client, started anew as users do."""

    def run(code, *arguments):
        code = f"import sys\nfrom huggingface_hub import errors, hf_hub_download, snapshot_download\n{code}"
        command = [sys.executable, "-c", code, *map(str, arguments)]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    return run


@pytest.fixture
def mltrust(tmp_path, run_installed, monkeypatch):
    """Return the installed command, run in a folder with a home of its own."""
    monkeypatch.setenv("MLTRUST_HOME", str(tmp_path / "home"))
    return partial(run_installed, tmp_path)


@pytest.fixture
def model(tmp_path):
    """Return a folder with weights that the Hub keeps in Git LFS, and small files that it does not."""
    folder = tmp_path / "tiny"
    (folder / "tokenizer").mkdir(parents=True)
    header = json.dumps({"w": {"dtype": "F32", "shape": [50_000], "data_offsets": [0, 200_000]}}).encode()
    (folder / "model.safetensors").write_bytes(len(header).to_bytes(8, "little") + header + bytes(200_000))
    (folder / "extra.bin").write_bytes(b"weights" * 1000)
    (folder / "config.json").write_text('{"hidden": 4}\n')
    (folder / "tokenizer/vocab é.txt").write_text("a\nb\n")
    (folder / "rows.jsonl").write_text('{"a": 1}\n' * 30)
    (folder / "empty").write_bytes(b"")
    (folder / ".gitattributes").write_text("*.safetensors filter=lfs diff=lfs merge=lfs -text\n")
    return folder


@pytest.fixture
def sealed(model):
    """Return the model with a seal that has SHA-256; nobody vouches for it."""
    from mltrust import api

    api.seal(model, with_sha256=True)
    return model


@pytest.fixture
def verify(hub):
    """Return a function that verifies in this process, asking nobody who vouches."""
    from mltrust import api
    from mltrust.interfaces import Trust

    def verified(url="hf://org/tiny", **how):
        return api.verify(url, trust=Trust(content_only=True), **how)

    return verified
