"""A ledger under crashes: many writers at once, writers killed, and every system call of an append made to fail.

Whatever happens, the ledger reads clean afterwards, holds every entry that was acknowledged, and takes the next one.
"""

import os
import random
import shutil
import signal
import subprocess
import sys
import time
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256

import pytest

from mltrust.anchors.ledger import LedgerAnchor
from mltrust.core.digest import Digest
from mltrust.core.report import Outcome
from mltrust.interfaces import Home, Submission

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unmeasured")]

WRITERS, APPENDS, KILLS = 8, 25, 20
OLD = [Submission(Digest.sha256(b"old"))]

# Publishes the digest of each following argument, and says so when it is acknowledged.
WRITER = """
import sys
from pathlib import Path
from mltrust.anchors.ledger import LedgerAnchor
from mltrust.core.digest import Digest
from mltrust.errors import AnchorError
from mltrust.interfaces import Home, Submission
root = Path(sys.argv[1])
ledger = LedgerAnchor(root / "ledger", Home(root / "data", root / "state"), random=bytes)
for word in sys.argv[2:]:
    try:
        ledger.publish([Submission(Digest.sha256(word.encode()))])
    except AnchorError as error:
        sys.exit(f"{type(error).__name__}: {error}")
    print(word, flush=True)
"""


def anchor(root):
    return LedgerAnchor(root / "ledger", Home(root / "data", root / "state"))


def writer(root, words):
    command = [sys.executable, "-c", WRITER, str(root), *words]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env=environment)


def published(root):
    return [digest for _, _, digest in anchor(root).entries()]


def check_after(root, acknowledged, note):
    """The ledger must be sound, or not begun and nothing acknowledged; hold all that was; and take the next."""
    found = published(root) if anchor(root).exists() else []
    for word in acknowledged:
        assert Digest.sha256(word.encode()) in found, note
    (receipt,) = anchor(root).publish([Submission(Digest.sha256(b"next"))])
    assert anchor(root).confirm(receipt, Digest.sha256(b"next")).outcome is Outcome.PASS, note
    after = published(root)
    assert after[: len(found)] == found, note
    assert len(set(after)) == len(after), note
    status = anchor(root).check()
    assert (status.unsigned, status.torn) == (0, 0), note


def test_many_writers_lose_nothing(tmp_path):
    words = [[f"{number}-{part}" for part in range(APPENDS)] for number in range(WRITERS)]
    writers = [writer(tmp_path, some) for some in words]
    outputs = [process.communicate() for process in writers]
    for (output, errors), process, some in zip(outputs, writers, words, strict=True):
        assert process.returncode == 0, errors
        assert output.split() == some
    assert sorted(map(str, published(tmp_path))) == sorted(
        str(Digest.sha256(word.encode())) for some in words for word in some
    )
    assert anchor(tmp_path).check().remembered_size == WRITERS * APPENDS


def test_killed_writers_lose_nothing_acknowledged(tmp_path):
    chance = random.Random(20)
    acknowledged = []
    for number in range(KILLS):
        process = writer(tmp_path, [f"{number}-{part}" for part in range(10_000)])
        first = process.stdout.readline()
        time.sleep(chance.uniform(0, 0.05))
        process.kill()
        rest, _ = process.communicate()
        acknowledged += (first + rest[: rest.rfind("\n") + 1]).split()
        found = set(published(tmp_path))
        assert all(Digest.sha256(word.encode()) in found for word in acknowledged)
    assert len(acknowledged) >= KILLS
    check_after(tmp_path, acknowledged, "all kills")


CHANGES = ("write", "ftruncate", "fsync", "rename", "mkdir", "unlink")
NEEDS_SPACE = ("write", "rename", "mkdir")


def faults_of(call, line):
    """Every call may fail. A kill before one that changes nothing is the same as one before the next that does."""
    creates = "O_CREAT" in line
    kill = ["signal=SIGKILL"] if creates or call.startswith(CHANGES) else []
    full = ["error=ENOSPC"] if creates or call.startswith(NEEDS_SPACE) else []
    return ["error=EIO", *kill, *full]


def touched(root):
    """Every path an append touches: strace counts and breaks only the calls that name them."""
    files = ["entries.jsonl", "entries.jsonl.tmp", "checkpoint", "checkpoint.tmp", "verifier-key", "verifier-key.tmp"]
    ledger = [root / "ledger", root / "ledger" / "lock", *(root / "ledger" / name for name in files)]
    origin = f"mltrust.local/{bytes(8).hex()}"
    keys = root / "data" / "keys"
    data = [root / "data", keys, keys / f"{sha256(origin.encode()).hexdigest()}.pem"]
    memory = root / "state" / "ledgers"
    key = sha256((root / "vkey").read_bytes()).hexdigest() if (root / "vkey").exists() else "x"
    path = sha256(os.fsencode(root / "ledger")).hexdigest()
    names = [("checkpoints", key), ("checkpoints", f"{key}.tmp"), ("paths", path), ("paths", f"{path}.tmp")]
    state = [root / "state", memory, memory / "lock", memory / "paths", memory / "checkpoints"]
    return [root, *ledger, *data, *state, *(memory / folder / name for folder, name in names)]


@pytest.fixture(scope="module")
def writers(tmp_path_factory, forking):
    """A team that appends, and the verifier key that `random=bytes` gives."""
    roots = [tmp_path_factory.mktemp("probe") for _ in range(os.cpu_count())]
    with forking(WRITER, *((root, "probe") for root in roots)) as team:
        yield team, anchor(roots[0]).verifier_key()


@pytest.mark.parametrize("begun", [False, True], ids=["first append", "later append"])
def test_every_call_of_an_append_may_fail(tmp_path, writers, calls_in, begun):
    team, key_text = writers

    def prepared(name):
        root = tmp_path / name
        root.mkdir()
        (root / "vkey").write_text(key_text)
        if begun:
            LedgerAnchor(root / "ledger", Home(root / "data", root / "state"), random=bytes).publish(OLD)
        return root

    def traced(root, *options):
        return team.traced([root, "word"], touched(root), root / "strace", *options)

    def broken(fault):
        call, number, how = fault
        root = prepared(f"{call}-{number}-{how.partition('=')[2]}")
        ended = traced(root, "-e", f"inject={call}:{how}:when={number}")
        note = f"{call} {number} {how}: {ended.err.strip()[-300:]}"
        assert ended.code == -signal.SIGKILL or "INJECTED" in (root / "strace").read_text(), note
        assert "Traceback" not in ended.err, note
        check_after(root, ["old"] * begun + ended.out.split(), note)
        shutil.rmtree(root)
        return how

    clean = prepared("clean")
    ended = traced(clean)
    assert ended.code == 0, ended.err
    calls = list(calls_in(clean / "strace"))
    assert [call for call, *_ in calls].count("fsync") >= 4
    todo = [(call, number, how) for call, number, line in calls for how in faults_of(call, line)]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        done = Counter(pool.map(broken, todo))
    assert min(done.values()) >= 10
    counts = Counter(call for call, *_ in calls)
    print(f"calls {dict(counts)}, faults {dict(done)}")
