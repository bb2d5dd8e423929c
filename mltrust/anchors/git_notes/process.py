"""git as a process, through GitPython: confined arguments, bounded output and time, and nothing else is executed."""

import os
import re
import shlex
import signal
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from mltrust.anchors.git_notes.confinement import NO_TRANSPORT, OPTIONS, TRANSPORTS, environment, prefix
from mltrust.errors import AnchorError

MAX_OUTPUT_BYTES = 4 * 1024 * 1024
LOCAL_SECONDS = 120.0
NETWORK_SECONDS = 600.0

_MAX_WORDS = 64 * 1024
_SHOWN_WORDS = 300
_LAST_WORDS_SECONDS = 2.0
_GRACE_SECONDS = 2.0
_NOT_FOUND = 127
_SAFE_DIRECTORY = re.compile(r"git config --global --add safe\.directory [^\n]+")
_SAYING = ("fatal:", "error:", "remote:", "!", "ssh:")


@dataclass(frozen=True, slots=True)
class Done:
    """A git that ended: its exit code, its output, and what it said."""

    code: int
    out: bytes
    said: str


class EndedError(AnchorError):
    """A git that was to answer ended instead; the message has its last words."""


class Conversation:
    """A git that answers as long as it is asked."""

    def __init__(self, process: Any, talk: "_Talk") -> None:  # noqa: ANN401  # GitPython's wrapper passes all through
        self._stdin: IO[bytes] = process.stdin
        self._stdout: IO[bytes] = process.stdout
        self._talk = talk

    def ask(self, line: str) -> bytes:
        """Send a line; return the first line of the answer."""
        try:
            self._stdin.write(line.encode() + b"\n")
            self._stdin.flush()
        except OSError as error:
            raise EndedError(f"git ended early: {self._talk.words()}") from error
        return self.read_line()

    def read_line(self) -> bytes:
        """Read one line of at most a kilobyte."""
        line = self._stdout.readline(1024)
        if not line.endswith(b"\n"):
            raise EndedError(f"git ended early: {self._talk.words()}")
        return line[:-1]

    def read(self, size: int) -> bytes:
        """Read exactly `size` bytes."""
        data = self._stdout.read(size)
        if len(data) != size:
            raise EndedError(f"git ended early: {self._talk.words()}")
        return data


class Git:
    """Runs git in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Run a command that stays on this machine; return its output, or raise an `AnchorError` with its words."""
        done = self.attempt(*arguments, stdin=stdin)
        if done.code:
            raise self.trouble(arguments, done)
        return done.out

    def attempt(self, *arguments: str, stdin: bytes = b"", network: bool = False) -> Done:
        """Run a command, whatever comes of it; `network` lets it talk to the remote it names."""
        seconds = NETWORK_SECONDS if network else LOCAL_SECONDS
        with tempfile.TemporaryFile() as given:
            given.write(stdin)
            given.seek(0)
            with self._started(arguments, given, seconds, network=network) as (process, talk):
                out: bytes = process.stdout.read(MAX_OUTPUT_BYTES + 1)
                if len(out) > MAX_OUTPUT_BYTES:
                    raise AnchorError(f"git {arguments[0]} says more than {MAX_OUTPUT_BYTES} bytes")
                code: int = process.proc.wait()
                return Done(code, out, talk.text())

    @contextmanager
    def conversation(self, *arguments: str) -> Iterator[Conversation]:
        """Start a command that stays on this machine and answers line by line."""
        with self._started(arguments, subprocess.PIPE, LOCAL_SECONDS, network=False) as (process, talk):
            yield Conversation(process, talk)

    def trouble(self, arguments: tuple[str, ...], done: Done) -> AnchorError:
        """Say in our words why a git ended as it did, and what mends it."""
        mending = _SAFE_DIRECTORY.search(done.said)
        folder = str(self._folder)
        if mending:
            return AnchorError(f"{folder}: the repository belongs to another user", hint=f"Run: {mending[0]}")
        if "not a git repository" in done.said:
            hint = "Name a folder of the repository that keeps the notes: git-notes:PATH. Or make one: git init."
            return AnchorError(f"{folder} is not in a git repository", hint=hint)
        if "cannot change to" in done.said:
            return AnchorError(f"{folder} is not a folder that can be entered", hint="Is the path right?")
        if done.code == _NOT_FOUND:
            return _no_git()
        return AnchorError(f"git {arguments[0]}: {words(done.said)}", hint=_hint(done.said, folder))

    @contextmanager
    def _started(
        self, arguments: tuple[str, ...], stdin: "int | IO[bytes]", seconds: float, *, network: bool
    ) -> Iterator[tuple[Any, "_Talk"]]:
        process = _start([*OPTIONS, "-C", str(self._folder), *arguments], stdin, network=network)
        timer = threading.Timer(seconds, _stop, [process.proc])
        timer.start()
        talk = _Talk(process.stderr, timer, seconds)
        try:
            yield process, talk
        except BaseException:  # interrupted, or answered with what nobody wants to hear to the end
            _stop(process.proc)
            raise
        finally:
            timer.cancel()
            _end(process)
            talk.join(_LAST_WORDS_SECONDS)


class _Talk(threading.Thread):
    """Reads all that a git says on stderr, so that it never waits, and keeps the beginning."""

    def __init__(self, stream: IO[bytes], timer: threading.Timer, seconds: float) -> None:
        super().__init__(daemon=True)
        self._stream, self._timer, self._seconds = stream, timer, seconds
        self._kept = b""
        self.start()

    def run(self) -> None:
        """Read to the end."""
        try:
            while piece := self._stream.read1(8192):  # type: ignore[attr-defined]  # pipes have it
                self._kept += piece[: _MAX_WORDS - len(self._kept)]
        except (OSError, ValueError):  # closed under our hands: there is nothing more to hear
            return

    def text(self) -> str:
        """Return what it said, once it has ended."""
        self.join(_LAST_WORDS_SECONDS)  # a connection that git leaves open for later may keep it open, too
        late = f"fatal: took longer than {self._seconds:g} s\n" if self._timer.finished.is_set() else ""
        return late + self._kept.decode("utf-8", "replace")

    def words(self) -> str:
        """Return what it said, in one line."""
        return words(self.text())


def words(said: str) -> str:
    """Return in one line what matters of what git said: hostile text, to be escaped by whoever shows it."""
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    telling = [line for line in lines if line.startswith(_SAYING)] or lines[-1:] or ["it failed without a word"]
    return "; ".join(telling)[:_SHOWN_WORDS]


def quoted(name: str) -> str:
    """Quote a name for the command line of whoever reads a hint."""
    return shlex.quote(name)


def _hint(said: str, folder: str) -> str | None:
    if ".lock'" in said:
        return "Another git is at work there. If none is, remove the lock it names."
    if "ermission denied" in said or "insufficient permission" in said:
        return f"May you write in {shlex.quote(folder)}?"
    if "could not read Username" in said or "uthentication failed" in said:
        return "Give git credentials for that remote, as git push needs them; nobody is asked here."
    if "object format" in said or "show-object-format" in said or "path-format" in said:
        return "git 2.31 or newer is needed."
    return None


def _start(arguments: list[str], stdin: "int | IO[bytes]", *, network: bool) -> Any:  # noqa: ANN401  # AutoInterrupt
    try:
        from git import Git as Command
        from git.exc import GitCommandNotFound
    except ImportError as error:  # GitPython looks for git when it is imported
        raise _no_git() from error
    command = [*prefix(), Command.GIT_PYTHON_GIT_EXECUTABLE or "git", *arguments]
    try:
        return Command().execute(
            command,
            istream=stdin,  # type: ignore[arg-type]  # whatever Popen takes
            as_process=True,
            env=environment(TRANSPORTS if network else NO_TRANSPORT, reading=stdin == subprocess.PIPE),
            shell=False,
            start_new_session=True,  # so that what git starts can be ended with it
        )
    except GitCommandNotFound as error:
        raise _no_git() from error


def _end(process: Any) -> None:  # noqa: ANN401  # AutoInterrupt
    # Closing its input ends one that answers; whoever does not end then is terminated.
    if process.stdin:
        with suppress(OSError):  # it may have ended before it read everything
            process.stdin.close()
    process.stdout.close()
    try:
        process.proc.wait(timeout=5)
    except subprocess.TimeoutExpired:
        _stop(process.proc)
        process.proc.wait()


def _stop(process: "subprocess.Popen[bytes]") -> None:
    # git and all it started, such as the ssh of a connection: politely, so that git removes its locks, then for good.
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


def _no_git() -> AnchorError:
    return AnchorError("git is not installed, or not on the PATH", hint="Install git: https://git-scm.com/downloads")
