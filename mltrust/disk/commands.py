"""Commands of the user's own that sign: run without a shell, bounded in time and in what they write."""

import queue
import subprocess
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import IO, cast

from mltrust.errors import MltrustError

_MAX_LINE = 4096
_MAX_LINES = 256
_END_SECONDS = 1.0  # for the last words of a command that ended


@dataclass(frozen=True)
class Bounds:
    """How long a command may take, and how many bytes it may write to its standard output."""

    seconds: float
    size: int


def run(
    command: Sequence[str],
    given: bytes,
    bounds: Bounds,
    trouble: Callable[[str], MltrustError],
    heard: Callable[[str], None] | None = None,
) -> bytes:
    """Return what a command writes to its standard output when it is `given` bytes, once it has ended well.

    `heard` is told each line it writes to its standard error, from another thread; without it they go where ours go.
    What goes wrong is raised as the exception `trouble` makes of it. A command that takes too long or writes too much
    is ended.
    """
    try:
        process = subprocess.Popen(  # noqa: S603  # the user's own command, without a shell
            list(command), stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE if heard else None
        )
    except (OSError, ValueError) as error:
        raise trouble(f"cannot be run: {getattr(error, 'strerror', None) or error}") from error
    answers: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    threading.Thread(target=_exchange, args=(process, given, bounds.size, answers), daemon=True).start()
    listener = threading.Thread(target=_listen, args=(process, heard), daemon=True)
    listener.start()
    deadline = time.monotonic() + bounds.seconds
    try:
        said = answers.get(timeout=bounds.seconds)
        if len(said) > bounds.size:
            raise trouble(f"wrote more than {bounds.size} bytes")
        code = process.wait(max(0.0, deadline - time.monotonic()))
    except (queue.Empty, subprocess.TimeoutExpired) as error:
        raise trouble(f"did not answer within {bounds.seconds:g} s") from error
    finally:
        process.kill()  # nothing, if it has ended
        process.wait()
    listener.join(_END_SECONDS)
    if code != 0:
        raise trouble(f"ended with code {code}")
    return said


def _exchange(
    process: "subprocess.Popen[bytes]", given: bytes, limit: int, answers: "queue.SimpleQueue[bytes]"
) -> None:
    stdin, stdout = cast(IO[bytes], process.stdin), cast(IO[bytes], process.stdout)
    with stdout:
        threading.Thread(target=_give, args=(stdin, given), daemon=True).start()  # it may answer before it has read all
        answers.put(stdout.read(limit + 1))


def _give(stdin: IO[bytes], given: bytes) -> None:
    with suppress(OSError):  # it may not want to know
        stdin.write(given)
    with suppress(OSError):
        stdin.close()


def _listen(process: "subprocess.Popen[bytes]", heard: Callable[[str], None] | None) -> None:
    if process.stderr is None or heard is None:
        return
    with process.stderr as stderr:
        for number, line in enumerate(iter(lambda: stderr.readline(_MAX_LINE), b"")):
            if number < _MAX_LINES:  # the rest is read, so that it can go on
                heard(line.decode("utf-8", "replace").rstrip("\r\n"))
