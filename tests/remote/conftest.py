"""A real S3 API and a web server that can misbehave, both on loopback; and the installed command."""

import os
import sys
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property, partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

boto3 = pytest.importorskip("boto3")
pytest.importorskip("s3fs")
s3_backends = pytest.importorskip("moto.s3.models").s3_backends

BUCKET = "bucket"
SCRIPT = Path(sys.executable).with_name("mltrust")


@dataclass
class Bucket:
    """A bucket on a server; `before` is called with the path of every request, before it is answered."""

    url: str
    before: Callable[[str, dict], None] = lambda path, environ: None
    asked: Counter = field(default_factory=Counter)

    @cached_property
    def client(self):
        return boto3.client("s3", endpoint_url=self.url, aws_access_key_id="k", aws_secret_access_key="s",
                            region_name="us-east-1")  # fmt: skip

    def empty(self):
        """Take everything away, and the bucket stays."""
        self.client.create_bucket(Bucket=BUCKET)  # in us-east-1, creating it again changes nothing
        while found := self.client.list_objects_v2(Bucket=BUCKET).get("Contents"):
            keys = [{"Key": each["Key"]} for each in found]
            self.client.delete_objects(Bucket=BUCKET, Delete={"Objects": keys})

    def put(self, key, data, **how):
        self.client.put_object(Bucket=BUCKET, Key=key, Body=data, **how)

    def put_all(self, objects):
        """Put many objects at once, behind the server's back."""
        (backend,) = s3_backends["123456789012"].values()
        for key, data in objects.items():
            backend.put_object(BUCKET, key, data)

    def requests(self, prefix):
        """Return how often each object was got."""
        found = {path: count for (method, path), count in self.asked.items() if method == "GET"}
        return {path: count for path, count in found.items() if path.startswith(prefix)}

    def remove(self, key):
        self.client.delete_object(Bucket=BUCKET, Key=key)

    def fill(self, folder, prefix):
        files = [path for path in folder.rglob("*") if path.is_file()]
        self.put_all({prefix + path.relative_to(folder).as_posix(): path.read_bytes() for path in files})


@pytest.fixture(scope="session")
def _s3():
    from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    class Quiet(WSGIRequestHandler):
        protocol_version = "HTTP/1.1"

        def log(self, *_arguments):
            pass

    moto, bucket = DomainDispatcherApplication(create_backend_app), Bucket("")

    def app(environ, start_response):
        path = environ["PATH_INFO"]
        bucket.asked[environ["REQUEST_METHOD"], path] += 1
        bucket.before(path, environ)
        return moto(environ, start_response)

    server = make_server("127.0.0.1", 0, app, threaded=True, request_handler=Quiet)
    server.daemon_threads = True
    bucket.url = f"http://127.0.0.1:{server.port}"
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield bucket
    server.shutdown()
    server.server_close()


@pytest.fixture
def s3(_s3, monkeypatch):
    """Return an empty bucket; the environment has what opens it."""
    for name, value in CREDENTIALS.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("AWS_ENDPOINT_URL", _s3.url)
    _s3.before = lambda path, environ: None
    _s3.empty()
    _s3.asked.clear()
    return _s3


CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "a-secret-key",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
}


class Pattern:
    """A file of any size that is made up as it is read."""

    BLOCK = bytes(range(251)) * 4096

    def __init__(self, size):
        self.size = size

    def __len__(self):
        return self.size

    def __getitem__(self, place):
        found, at = [], place.start
        while at < place.stop:
            begin = at % len(self.BLOCK)
            found.append(self.BLOCK[begin : begin + place.stop - at])
            at += len(found[-1])
        return b"".join(found)


@dataclass
class Page:
    """A file of the web server and how it is served.

    `behave` is called with the request and the number of the request for this file; it may answer by itself and say so
    by returning True, or change this page.
    """

    data: bytes | Pattern
    headers: dict = field(default_factory=lambda: {"ETag": '"1"'})
    behave: Callable[["Handler", int], bool | None] = lambda request, number: None
    ranges: bool = True
    asked: int = 0


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True

    def log_message(self, *_arguments):
        pass

    def do_GET(self):
        page = self.server.pages.get(self.path.partition("?")[0])
        if page is None:
            self.answer(404)
            return
        with self.server.lock:
            page.asked += 1
            number = page.asked
        if not page.behave(self, number):
            self.serve(page)

    def serve(self, page):
        wanted = self.headers.get("If-Match")
        if wanted and wanted != page.headers.get("ETag"):
            self.answer(412)
        elif not page.ranges:
            self.answer(200, page.headers, page.data[0 : len(page.data)])
        elif not len(page.data):
            self.answer(416, {**page.headers, "Content-Range": "bytes */0"})
        else:
            begin, end = self.range(page)
            said = {"Content-Range": f"bytes {begin}-{end - 1}/{len(page.data)}"}
            self.answer(206, {**page.headers, **said}, page.data[begin:end])

    def range(self, page):
        begin, _, last = self.headers["Range"].removeprefix("bytes=").partition("-")
        return int(begin), min(int(last) + 1, len(page.data))

    def answer(self, status, headers=None, body=b"", length=None):
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)

    def hang_up(self):
        self.wfile.flush()
        self.close_connection = True
        self.connection.shutdown(2)


class Web(ThreadingHTTPServer):
    daemon_threads = True
    request_queue_size = 128

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.pages, self.lock = {}, threading.Lock()

    def handle_error(self, *_arguments):
        pass

    def put(self, path, data, **how):
        """Serve `data` under `path`; return the page, and its URL as `url`."""
        self.pages[path] = page = Page(data, **how)
        page.url = f"http://127.0.0.1:{self.server_port}{path}"
        return page


@contextmanager
def _serving():
    server = Web()
    threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()


@pytest.fixture
def web():
    """Return a web server on loopback."""
    with _serving() as server:
        yield server


@pytest.fixture
def another_web():
    """Return a second one."""
    with _serving() as server:
        yield server


@pytest.fixture
def pattern():
    return Pattern


@pytest.fixture
def mltrust(tmp_path, run_installed, monkeypatch):
    """Return the installed command, run in a folder with a home of its own."""
    monkeypatch.setenv("MLTRUST_HOME", str(tmp_path / "home"))
    return partial(run_installed, tmp_path)
