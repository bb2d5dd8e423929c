"""A process whose system calls are made to fail, one at a time, by hundreds: it forks, and strace takes its child."""

import json
import os
import queue
import re
import shutil
import subprocess
import sys
from collections import Counter
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass

import pytest

# Every call that opens, changes, locks or closes a file; some have another name on some machines.
MOST = ("openat", "write", "ftruncate", "lseek", "fsync", "flock", "close")
SOME = ("rename", "renameat", "renameat2", "mkdir", "mkdirat", "unlink", "unlinkat")
TRACE = "trace=" + ",".join([*MOST, *(f"?{name}" for name in SOME)])

# Runs a script once, so that all it needs is imported; then for each order on stdin runs it again in a child, which
# waits for a word. It says the child's number, and how the child ended.
FORKING = """
import ctypes, json, os, sys
script = compile(sys.argv[1], "script", "exec")
def run(arguments):
    sys.argv = ["script", *arguments]
    exec(script, {"__name__": "__main__"})
talk = os.dup(1)
with open(os.devnull, "w") as sys.stdout:
    run(json.loads(sys.argv[2]))
sys.stdout = sys.__stdout__
os.write(talk, b"ready\\n")
for line in sys.stdin:
    order = json.loads(line)
    wait, go = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(go)
        ctypes.CDLL(None).prctl(0x59616D61, ctypes.c_ulong(-1))  # PR_SET_PTRACER: where only parents may trace
        for number, name in ((1, "out"), (2, "err")):
            opened = os.open(order[name], os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            os.dup2(opened, number)
            os.close(opened)
        os.read(wait, 1)
        run(order["arguments"])
        sys.exit()
    os.close(wait)
    os.write(talk, b"%d\\n" % child)
    sys.stdin.readline()
    os.write(go, b"!")
    os.close(go)
    ended = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    os.write(talk, b"%d\\n" % ended)
"""


@dataclass(frozen=True)
class Ended:
    """How a traced script ended, and what it printed."""

    code: int
    out: str
    err: str


class Forking:
    """A Python that has run a script once and runs it again in children."""

    def __init__(self, script, warm_up):
        command = [sys.executable, "-c", FORKING, script, json.dumps([str(part) for part in warm_up])]
        # Of what runs here the same lines are measured in other tests: coverage would be most of the time.
        environment = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=environment
        )
        assert self.process.stdout.readline() == "ready\n"

    def close(self):
        self.process.communicate(timeout=60)
        assert self.process.returncode == 0

    def _say(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()

    def traced(self, arguments, paths, log, *options):
        """Run the script in a child, with strace looking at the calls that name one of `paths`."""
        out, err = log.with_name(log.name + ".out"), log.with_name(log.name + ".err")
        order = {"arguments": [str(part) for part in arguments], "out": str(out), "err": str(err)}
        self._say(json.dumps(order))
        child = self.process.stdout.readline().strip()
        looked_at = [option for path in paths for option in ("-P", str(path))]
        command = ["strace", "-f", "-o", str(log), *looked_at, "-e", TRACE, *options, "-p", child]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
            told = tracer.stderr.readline()  # it says that it is there, or why it cannot be
            self._say("go")
            tracer.communicate(timeout=60)
        code = int(self.process.stdout.readline())
        if " attached" not in told:
            pytest.skip(f"strace may not trace here: {told.strip()[:200]}")
        return Ended(code, out.read_text(), err.read_text())


class Team:
    """As many forking processes as there are processors; whoever wants something run takes one that is free."""

    def __init__(self, members):
        self._free = queue.SimpleQueue()
        for member in members:
            self._free.put(member)

    def traced(self, *arguments):
        member = self._free.get()
        try:
            return member.traced(*arguments)
        finally:
            self._free.put(member)


@pytest.fixture(scope="session")
def forking():
    """Return a context with a team that runs a script; `warm_up` are the arguments of the first run, one for each."""
    if shutil.which("strace") is None:
        pytest.skip("strace is not installed")

    @contextmanager
    def team(script, *warm_up):
        with ExitStack() as stack:
            members = [Forking(script, arguments) for arguments in warm_up]
            for member in members:
                stack.callback(member.close)
            yield Team(members)

    return team


@pytest.fixture(scope="session")
def calls_in():
    """Return what reads a log of strace: each call, its number among its like, and its line."""

    def read(log):
        counts = Counter()
        for call, line in re.findall(r"^\d+ +(\w+)(\(.*)$", log.read_text(), re.MULTILINE):
            counts[call] += 1
            yield call, counts[call], line

    return read
