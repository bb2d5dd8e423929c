"""Whoever watches a git at work: listens to what it says, and ends one that takes too long, with all it started."""

import os
import signal
import subprocess
import threading
import time
from contextlib import suppress
from typing import IO

_MAX_WORDS = 64 * 1024
_SHOWN_WORDS = 300
_LAST_WORDS_SECONDS = 2.0
_GRACE_SECONDS = 2.0
_SAYING = ("fatal:", "error:", "remote:", "!", "ssh:")


class Watch(threading.Thread):
    """Ends a git that is not done in time, unless it is given more."""

    def __init__(self, process: "subprocess.Popen[bytes]", seconds: float) -> None:
        super().__init__(daemon=True)
        self.seconds, self.late = seconds, False
        self._process, self._over = process, threading.Event()
        self._deadline = time.monotonic() + seconds
        self.start()

    def run(self) -> None:
        """Wait until it is over, or late."""
        while not self._over.wait(max(0.0, self._deadline - time.monotonic())):
            if time.monotonic() >= self._deadline:
                self.late = True
                stop(self._process)
                return

    def extend(self) -> None:
        """Begin to wait anew."""
        self._deadline = time.monotonic() + self.seconds

    def end(self) -> None:
        """Wait no longer."""
        self._over.set()


class Talk(threading.Thread):
    """Reads all that a git says on stderr, so that it never waits, and keeps the beginning."""

    def __init__(self, stream: IO[bytes], watch: Watch) -> None:
        super().__init__(daemon=True)
        self._stream, self.watch = stream, watch
        self._kept = b""
        self.start()

    def run(self) -> None:
        """Read to the end."""
        try:
            while piece := self._stream.read1(8192):  # type: ignore[attr-defined]  # pipes have it
                self._kept += piece[: _MAX_WORDS - len(self._kept)]
        except (OSError, ValueError):  # closed under our hands: there is nothing more to hear
            return

    def hear_out(self) -> None:
        """Wait for the last words; a connection that git leaves open for later may keep others waiting for more."""
        self.join(_LAST_WORDS_SECONDS)

    def text(self) -> str:
        """Return what it said, once it has ended."""
        self.hear_out()
        late = f"fatal: took longer than {self.watch.seconds:g} s\n" if self.watch.late else ""
        return late + self._kept.decode("utf-8", "replace")

    def words(self) -> str:
        """Return what it said, in one line."""
        return words(self.text())


def words(said: str) -> str:
    """Return in one line what matters of what git said: hostile text, to be escaped by whoever shows it."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(_SAYING)] or lines[-1:] or ["it failed without a word"]
    return "; ".join(telling)[:_SHOWN_WORDS]


def stop(process: "subprocess.Popen[bytes]") -> None:
    """End git and all it started, as the ssh of a connection: politely, so that it removes its locks, then for good."""
    _signal(process, signal.SIGTERM)
    with suppress(subprocess.TimeoutExpired):
        process.wait(_GRACE_SECONDS)
    _signal(process, getattr(signal, "SIGKILL", signal.SIGTERM))


def _signal(process: "subprocess.Popen[bytes]", number: int) -> None:
    with suppress(OSError):  # they have ended
        if os.name == "posix":
            os.killpg(process.pid, number)
        else:
            process.send_signal(number)
