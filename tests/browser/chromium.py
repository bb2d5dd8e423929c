"""A real browser without a window: found or unpacked, started, and driven over a pipe by the DevTools protocol.

The npm package @sparticuz/chromium carries the binary and the libraries it needs inside, so that nothing is installed
and nobody has to be root. A browser of the system is taken if there is one. Run by tests and by `picture.py`.
"""

import base64
import itertools
import json
import os
import select
import shutil
import subprocess
import sys
import tarfile
import tempfile
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from filelock import FileLock

PACKAGE = Path(__file__).parents[1] / "node" / "node_modules" / "@sparticuz" / "chromium"
NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome", "microsoft-edge")
UNPACK = """
const { createReadStream, createWriteStream } = require("node:fs");
const { pipeline } = require("node:stream/promises");
const { createBrotliDecompress } = require("node:zlib");
pipeline(createReadStream(process.argv[1]), createBrotliDecompress(), createWriteStream(process.argv[2]));
"""
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--hide-scrollbars",
    "--force-color-profile=srgb",
    "--remote-debugging-pipe",
)
FONTS = "<?xml version='1.0'?><!DOCTYPE fontconfig SYSTEM 'fonts.dtd'><fontconfig><dir>{}</dir></fontconfig>"
SYSTEM_FONTS = Path("/usr/share/fonts")
# Chromium reads commands from 3 and answers on 4, whatever the ends of the pipes are called here.
LAUNCH = """
import os, sys
ends = [os.dup(int(end)) for end in sys.argv[1:3]]
for at, end in enumerate(ends, 3):
    os.dup2(end, at)
    os.set_inheritable(at, True)
os.execv(sys.argv[3], sys.argv[3:])
"""
PATIENCE = 60  # seconds for one answer


def find():
    """Return the browser's binary, or None where none can be had."""
    if named := os.environ.get("MLTRUST_CHROMIUM"):
        return Path(named)
    if os.name != "posix":
        return None  # a pipe is handed over by the numbers of its ends
    if found := next(filter(None, map(shutil.which, NAMES)), None):
        return Path(found)
    packaged = sys.platform == "linux" and os.uname().machine == "x86_64" and shutil.which("node")
    return unpacked() if packaged and (PACKAGE / "bin").is_dir() else None


def unpacked():
    """Unpack the binary that the npm package carries, once, and the libraries beside it."""
    version = json.loads((PACKAGE / "package.json").read_text())["version"]
    place = PACKAGE.parents[1] / ".cache" / f"chromium-{version}"
    place.parent.mkdir(exist_ok=True)
    with FileLock(f"{place}.lock"):
        if not place.is_dir():
            with tempfile.TemporaryDirectory(dir=place.parent) as folder:
                fresh = Path(folder) / "fresh"
                fresh.mkdir()
                for packed in sorted((PACKAGE / "bin").glob("*.br")):
                    unpack(packed, fresh)
                (fresh / "fonts.conf").write_text(FONTS.format(place / "fonts"))
                fresh.rename(place)
    return place / "chromium"


def unpack(packed, folder):
    plain = folder / packed.stem
    subprocess.run(["node", "-e", UNPACK, packed, plain], check=True, timeout=PATIENCE)
    if plain.suffix == ".tar":
        with tarfile.open(plain) as opened:
            opened.extractall(folder, filter="data")
        plain.unlink()
    else:
        plain.chmod(0o755)


def beside(binary):
    """Return what tells the browser of the libraries beside it, and of the fonts there if the system has none."""
    if not (binary.parent / "lib").is_dir() or not (binary.parent / "fonts.conf").is_file():
        return {}
    found = {"LD_LIBRARY_PATH": str(binary.parent / "lib")}
    has_fonts = next(SYSTEM_FONTS.rglob("*.[ot]t[fc]"), None) is not None
    return found if has_fonts else {**found, "FONTCONFIG_FILE": str(binary.parent / "fonts.conf")}


@contextmanager
def running(binary):
    """Start the browser with nothing remembered, and end it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        reads, commands = os.pipe()
        answers, writes = os.pipe()
        launch = [sys.executable, "-S", "-c", LAUNCH, str(reads), str(writes)]
        process = subprocess.Popen(
            [*launch, binary, *FLAGS, f"--user-data-dir={folder}"],
            pass_fds=(reads, writes),
            env={**os.environ, **beside(binary)},
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        os.close(reads)
        os.close(writes)
        try:
            yield Browser(commands, answers)
        finally:
            os.close(commands)  # at which it ends
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            process.kill()
            process.wait()
            os.close(answers)


@dataclass
class Browser:
    """The protocol: messages in JSON, each ended by NUL."""

    commands: int
    answers: int
    events: list = field(default_factory=list)
    _numbers: itertools.count = field(default_factory=lambda: itertools.count(1))
    _read: bytes = b""

    def call(self, method, session=None, **parameters):
        """Call a method, keep the events that come meanwhile, and return its result."""
        number = next(self._numbers)
        message = {"id": number, "method": method, "params": parameters}
        data = json.dumps(message | ({"sessionId": session} if session else {})).encode() + b"\0"
        while data:
            data = data[os.write(self.commands, data) :]
        while True:
            answer = self._next()
            if answer.get("id") == number:
                assert "error" not in answer, f"{method}: {answer}"
                return answer["result"]
            self.events.append(answer)

    def wait(self, method, session):
        """Wait until an event comes, if it has not."""
        while not any(each.get("method") == method and each.get("sessionId") == session for each in self.events):
            self.events.append(self._next())

    def _next(self):
        while b"\0" not in self._read:
            ready, _, _ = select.select([self.answers], [], [], PATIENCE)
            chunk = os.read(self.answers, 1 << 20) if ready else b""
            assert chunk, "the browser does not answer"
            self._read += chunk
        message, _, self._read = self._read.partition(b"\0")
        return json.loads(message)

    @contextmanager
    def page(self, path, *, width=1280, height=900, dark=False, media="screen", scale=1):
        """Open a file as a page that is watched, and close it."""
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        session = self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]
        page = Page(self, session)
        for domain in ("Page", "Network", "Runtime", "Log", "Audits", "DOM"):
            page.call(f"{domain}.enable")
        page.size(width, height, scale)
        page.look(dark=dark, media=media)
        page.call("Page.navigate", url=Path(path).as_uri())
        self.wait("Page.loadEventFired", session)
        yield page
        self.call("Target.closeTarget", targetId=target)


@dataclass
class Page:
    """One page that is open."""

    browser: Browser
    session: str

    def call(self, method, **parameters):
        return self.browser.call(method, self.session, **parameters)

    def size(self, width, height, scale=1):
        mobile = width < 600
        self.call(
            "Emulation.setDeviceMetricsOverride", width=width, height=height, deviceScaleFactor=scale, mobile=mobile
        )

    def look(self, *, dark=False, media="screen"):
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", media=media, features=[scheme])

    def ask(self, expression):
        """Return the value of an expression; the debugger is not bound by the page's policy."""
        result = self.call("Runtime.evaluate", expression=expression, returnByValue=True, awaitPromise=True)
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def heard(self, method):
        """Return what came of one kind of event on this page."""
        self.ask("new Promise(done => requestAnimationFrame(() => setTimeout(done)))")  # what is under way has come
        events = self.browser.events
        return [e["params"] for e in events if e.get("method") == method and e.get("sessionId") == self.session]

    def picture(self, box=None):
        """Return a PNG of what is to be seen, or of a box of the page."""
        clip = {"clip": {**box, "scale": 1}, "captureBeyondViewport": True} if box else {}
        return base64.b64decode(self.call("Page.captureScreenshot", **clip)["data"])
