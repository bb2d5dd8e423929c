"""A server of this machine that answers what `hf cache verify` asks the Hub: the tree of one repository."""

import hashlib
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path


def _listed(path: Path, root: Path) -> dict[str, object]:
    """Return what the Hub says of a file: the SHA-256 of weights and rows, git's SHA-1 of what is small."""
    data = path.read_bytes()
    blob = hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest()
    said = {"type": "file", "path": path.relative_to(root).as_posix(), "size": len(data), "oid": blob}
    if path.suffix in {".safetensors", ".jsonl"}:
        said["lfs"] = {"oid": hashlib.sha256(data).hexdigest(), "size": len(data), "pointerSize": 134}
    return said


@contextmanager
def hub(folder: Path) -> Iterator[str]:
    """Serve the tree of `folder` as it is now, and yield the address."""
    tree = json.dumps([_listed(path, folder) for path in sorted(folder.rglob("*")) if path.is_file()]).encode()

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200 if "/tree/" in self.path else 404)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(tree)))
            self.end_headers()
            self.wfile.write(tree)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
