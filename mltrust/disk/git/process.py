"""git as a process, through GitPython: confined arguments, bounded output and time, and nothing else is executed."""

import re
import shlex
import subprocess
import tempfile
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any, Generic, TypeVar

from mltrust.disk.git.confinement import (
    NO_TRANSPORT,
    OPTIONS,
    READING_MEMORY,
    TRANSPORTS,
    WORKING_MEMORY,
    environment,
    prefix,
)
from mltrust.disk.git.watching import Talk, Watch, stop, words
from mltrust.errors import UnreadableError

MAX_OUTPUT_BYTES = 4 * 1024 * 1024
LOCAL_SECONDS = 120.0
NETWORK_SECONDS = 600.0

_NOT_FOUND = 127
_SAFE_DIRECTORY = re.compile(r"git config --global --add safe\.directory [^\n]+")
_LONGEST_LINE = 2**17
_PIECE = 2**16

_Error = TypeVar("_Error", bound=UnreadableError)


@dataclass(frozen=True, slots=True)
class Done:
    """A git that ended: its exit code, its output, and what it said."""

    code: int
    out: bytes
    said: str


class EndedError(UnreadableError):
    """A git that was to answer ended instead; the message has its last words."""


class Conversation:
    """A git that answers as long as it is asked. With `patient` it may take long, but not fall silent."""

    def __init__(self, process: Any, talk: Talk, patient: Watch | None) -> None:  # noqa: ANN401  # GitPython's wrapper
        self._stdin: IO[bytes] = process.stdin
        self._stdout: IO[bytes] = process.stdout
        self._talk, self._patient = talk, patient

    def ask(self, line: str) -> bytes:
        """Send a line; return the first line of the answer."""
        self.send(line)
        return self.read_line()

    def send(self, *lines: str) -> None:
        """Send lines, fewer than a pipe holds: git may wait for its answers to be read before it reads on."""
        try:
            self._stdin.write("".join(f"{line}\n" for line in lines).encode())
            self._stdin.flush()
        except OSError as error:
            raise EndedError(f"git ended early: {self._talk.words()}") from error

    def read_line(self) -> bytes:
        """Read one line of at most a kilobyte."""
        line = self._stdout.readline(1024)
        if not line.endswith(b"\n"):
            raise EndedError(f"git ended early: {self._talk.words()}")
        self._heard()
        return line[:-1]

    def read(self, size: int) -> bytes:
        """Read exactly `size` bytes."""
        data = self._stdout.read(size)
        if len(data) != size:
            raise EndedError(f"git ended early: {self._talk.words()}")
        self._heard()
        return data

    def _heard(self) -> None:
        if self._patient is not None:
            self._patient.extend()


class Git(Generic[_Error]):
    """Runs git in a folder. What goes wrong is raised as `raises`.

    `home_hint` says what to do where the folder is in no repository. `given` are variables of those that lead git to a
    repository, for a caller who wants to be led; `memory` bounds each piece of memory of a git that reads objects.
    """

    def __init__(
        self,
        folder: Path,
        raises: type[_Error],
        home_hint: str,
        *,
        given: Mapping[str, str] | None = None,
        memory: str = READING_MEMORY,
    ) -> None:
        self._folder, self._raises, self._home_hint = folder, raises, home_hint
        self._given, self._memory = given or {}, memory

    def run(self, *arguments: str, stdin: bytes = b"") -> bytes:
        """Run a command that stays on this machine; return its output, or raise with its words."""
        done = self.attempt(*arguments, stdin=stdin)
        if done.code:
            raise self.trouble(arguments, done)
        return done.out

    def attempt(self, *arguments: str, stdin: bytes = b"", network: bool = False) -> Done:
        """Run a command, whatever comes of it; `network` lets it talk to the remote it names."""
        seconds = NETWORK_SECONDS if network else LOCAL_SECONDS
        with _input(stdin) as given, self._started(arguments, given, seconds, network=network) as (process, talk):
            out: bytes = process.stdout.read(MAX_OUTPUT_BYTES + 1)
            if len(out) > MAX_OUTPUT_BYTES:
                raise self._raises(f"git {arguments[0]} says more than {MAX_OUTPUT_BYTES} bytes")
            code: int = process.proc.wait()
            return Done(code, out, talk.text())

    def lines(self, *arguments: str, stdin: bytes = b"", end: bytes = b"\n") -> Generator[bytes, None, None]:
        """Run a command that stays on this machine; yield its output line by line, however much that is."""
        rest = b""
        with _input(stdin) as given, self._started(arguments, given, LOCAL_SECONDS, network=False) as (process, talk):
            while piece := process.stdout.read1(_PIECE):
                *found, rest = (rest + piece).split(end)
                yield from found
                if len(rest) > _LONGEST_LINE:
                    raise self._raises(f"git {arguments[0]} says a line of more than {_LONGEST_LINE} bytes")
            code: int = process.proc.wait()
            if code or rest:
                raise self.trouble(arguments, Done(code, b"", talk.text()))

    @contextmanager
    def conversation(self, *arguments: str, silence: float | None = None) -> Iterator[Conversation]:
        """Start a command that stays on this machine and answers line by line.

        All of it may take `LOCAL_SECONDS`, or as long as it takes if a `silence` of so many seconds ends it.
        """
        seconds = silence or LOCAL_SECONDS
        with self._started(arguments, subprocess.PIPE, seconds, network=False) as (process, talk):
            yield Conversation(process, talk, talk.watch if silence else None)

    def trouble(self, arguments: tuple[str, ...], done: Done) -> _Error:
        """Say in our words why a git ended as it did, and what mends it."""
        mending = _SAFE_DIRECTORY.search(done.said)
        folder = str(self._folder)
        if mending:
            return self._raises(f"{folder}: the repository belongs to another user", hint=f"Run: {mending[0]}")
        if "not a git repository" in done.said:
            return self._raises(f"{folder} is not in a git repository", hint=self._home_hint)
        if "cannot change to" in done.said:
            return self._raises(f"{folder} is not a folder that can be entered", hint="Is the path right?")
        if done.code == _NOT_FOUND:
            return self._no_git()
        return self._raises(f"git {arguments[0]}: {words(done.said)}", hint=_hint(done.said, folder))

    def _no_git(self) -> _Error:
        hint = "Install git: https://git-scm.com/downloads"
        return self._raises("git is not installed, or not on the PATH", hint=hint)

    @contextmanager
    def _started(
        self, arguments: tuple[str, ...], stdin: "int | IO[bytes]", seconds: float, *, network: bool
    ) -> Iterator[tuple[Any, Talk]]:
        process = self._start([*OPTIONS, "-C", str(self._folder), *arguments], stdin, network=network)
        watch = Watch(process.proc, seconds)
        talk = Talk(process.stderr, watch)
        try:
            yield process, talk
        except BaseException:  # interrupted, or answered with what nobody wants to hear to the end
            stop(process.proc)
            raise
        finally:
            watch.end()
            _end(process)
            talk.hear_out()

    def _start(self, arguments: list[str], stdin: "int | IO[bytes]", *, network: bool) -> Any:  # noqa: ANN401  # AutoInterrupt
        try:
            from git import Git as Command
            from git.exc import GitCommandNotFound
        except ImportError as error:  # GitPython looks for git when it is imported
            raise self._no_git() from error
        command = [*prefix(self._given), Command.GIT_PYTHON_GIT_EXECUTABLE or "git", *arguments]
        memory = self._memory if stdin == subprocess.PIPE else WORKING_MEMORY
        try:
            return Command().execute(
                command,
                istream=stdin,  # type: ignore[arg-type]  # whatever Popen takes
                as_process=True,
                env={**environment(TRANSPORTS if network else NO_TRANSPORT, memory), **self._given},
                shell=False,
                start_new_session=True,  # so that what git starts can be ended with it
            )
        except GitCommandNotFound as error:
            raise self._no_git() from error


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


@contextmanager
def _input(data: bytes) -> Iterator[IO[bytes]]:
    """Have all of `data` read from a file: a pipe would have to be fed while the answer is read."""
    with tempfile.TemporaryFile() as given:
        given.write(data)
        given.seek(0)
        yield given


def _end(process: Any) -> None:  # noqa: ANN401  # AutoInterrupt
    # Closing its input ends one that answers; whoever does not end then is terminated.
    if process.stdin:
        with suppress(OSError):  # it may have ended before it read everything
            process.stdin.close()
    process.stdout.close()
    try:
        process.proc.wait(timeout=5)
    except subprocess.TimeoutExpired:
        stop(process.proc)
        process.proc.wait()
