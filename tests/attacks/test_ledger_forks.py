"""Witnesses under crashes and forks: many at once, killed, and every system call made to fail.

Whatever happens, one witness never lets two cosignatures out that contradict each other, and the ledger stays sound.
"""

import os
import random
import re
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
from mltrust.anchors.ledger.checkpoint import SignedCheckpoint
from mltrust.anchors.ledger.cosignature import time_of
from mltrust.core.digest import Digest
from mltrust.errors import AnchorError, ContradictionError
from mltrust.interfaces import Home, Submission

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("unmeasured")]

KILLS, APPENDS, ROUNDS = 30, 25, 40

# Cosigns the ledger at each following path, and says what it lets out.
WITNESS = """
import sys
from pathlib import Path
from mltrust.anchors.ledger import LedgerAnchor
from mltrust.errors import AnchorError
from mltrust.interfaces import Home
root = Path(sys.argv[1])
home = Home(root / "witness" / "data", root / "witness" / "state")
for path in sys.argv[2:]:
    ledger = LedgerAnchor(Path(path), home, random=bytes)
    try:
        signed = ledger.cosign()
        print(signed.text, end="\\0", flush=True)
        ledger.keep_cosigned(signed)
    except AnchorError as error:
        sys.exit(f"{type(error).__name__}: {error}")
"""


def witness(root, paths, stdout):
    command = [sys.executable, "-c", WITNESS, str(root), *map(str, paths)]
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    return subprocess.Popen(command, stdout=stdout, stderr=subprocess.PIPE, text=True, env=environment)


def ledger(root, name, who="keeper"):
    return LedgerAnchor(root / name, Home(root / who / "data", root / who / "state"), random=bytes)


def publish(anchor, word):
    anchor.publish([Submission(Digest.sha256(word.encode()))])


def forked(root):
    """Make two ledgers of one key that are the same up to one entry, and differ in the second."""
    publish(ledger(root, "one"), "same")
    shutil.copytree(root / "one", root / "two")
    publish(ledger(root, "one"), "this")
    forge(root, "two", "that")


def forge(root, name, word):
    """Append as a keeper who forgot everything but the key."""
    shutil.copytree(root / "keeper" / "data", root / "forger" / "data", dirs_exist_ok=True)
    shutil.rmtree(root / "forger" / "state", ignore_errors=True)
    publish(ledger(root, name, "forger"), word)


def forget(root):
    """Forget what was seen of ledgers, as the hint of an error says how to."""
    shutil.rmtree(root / "witness" / "state" / "ledgers" / "checkpoints", ignore_errors=True)


def let_out(output):
    """Return the checkpoints a witness printed in full."""
    return [SignedCheckpoint.parse(text.encode(), "printed") for text in output.split("\0")[:-1]]


def on_shelves(root):
    return [
        SignedCheckpoint.parse(path.read_bytes(), str(path))
        for path in root.glob("*/cosignatures/*")
        if re.fullmatch(r"[0-9a-f]{64}", path.name)
    ]


def assert_no_contradiction(cosigned):
    roots = {}
    for signed in cosigned:
        size, root = signed.checkpoint.size, signed.checkpoint.root
        assert roots.setdefault(size, root) == root, f"two of size {size}"


def test_witnesses_and_a_keeper_at_once(tmp_path):
    publish(ledger(tmp_path, "one"), "first")
    running = [witness(tmp_path, [tmp_path / "one"] * ROUNDS, subprocess.PIPE) for _ in range(3)]
    appended = 0
    while appended < APPENDS or any(process.poll() is None for process in running):
        publish(ledger(tmp_path, "one"), str(appended))
        appended += 1
    found = []
    for process in running:
        output, errors = process.communicate()
        assert process.returncode == 0, errors
        mine = let_out(output)
        assert len(mine) == ROUNDS
        assert [each.checkpoint.size for each in mine] == sorted(each.checkpoint.size for each in mine)
        found += mine
    status = ledger(tmp_path, "one").check()
    assert (status.size, status.unsigned, status.torn) == (appended + 1, 0, 0)
    assert_no_contradiction(found)
    (kept,) = on_shelves(tmp_path)
    assert kept.checkpoint.size == max(each.checkpoint.size for each in found)
    times = [time_of(each, ledger(tmp_path, "one", "witness").cosigner_key()) for each in found]
    assert None not in times
    assert len({each.checkpoint.size for each in found}) > ROUNDS, "they did run at once"


def test_killed_witnesses_never_contradict_themselves(tmp_path):
    chance = random.Random(6)
    publish(ledger(tmp_path, "one"), "same")
    shutil.copytree(tmp_path / "one", tmp_path / "two")
    publish(ledger(tmp_path, "one"), "this 0")
    forge(tmp_path, "two", "that 0")
    found = []
    for number in range(1, KILLS):
        # Both grow, and the witness is shown now this one, now that one; it forgets ledgers, but not what it cosigned.
        publish(ledger(tmp_path, "one"), f"this {number}")
        forge(tmp_path, "two", f"that {number}")
        names = ["one", "two"] if number % 2 else ["two", "one"]
        paths = [tmp_path / name for name in names for _ in range(500)]
        with (tmp_path / "output").open("w+", encoding="utf-8") as output:
            process = witness(tmp_path, paths, output)
            time.sleep(chance.uniform(0.1, 0.6))
            process.kill()
            _, errors = process.communicate()
            assert "Traceback" not in errors
            output.seek(0)
            found += let_out(output.read())
        forget(tmp_path)
        assert_no_contradiction([*found, *on_shelves(tmp_path)])
    assert len(found) > KILLS
    key = ledger(tmp_path, "one", "witness").cosigner_key()
    assert all(time_of(each, key) is not None for each in found)


CHANGES = ("write", "fsync", "rename", "mkdir", "unlink")


def touched(root):
    """Every path of its own that a witness writes: strace counts and breaks only the calls that name them."""
    origin = f"mltrust.local/{bytes(8).hex()}"
    memory = root / "witness" / "state" / "ledgers"
    record = memory / "cosigned" / sha256(origin.encode()).hexdigest()
    key = ledger(root, "one", "witness").cosigner_key()
    kept = root / "one" / "cosignatures" / sha256(str(key).encode()).hexdigest()
    return [
        memory,
        memory / "lock",
        record.parent,
        record,
        record.with_name(record.name + ".tmp"),
        root / "one",
        root / "one" / "lock",
        kept.parent,
        kept,
        kept.with_name(kept.name + ".tmp"),
    ]


def faults_of(call, line):
    changes = "O_CREAT" in line or call.startswith(CHANGES)
    return ["error=EIO", *(["signal=SIGKILL", "error=ENOSPC"] if changes else [])]


@pytest.fixture(scope="module")
def prepared(tmp_path_factory):
    """Two ledgers that fork, and a witness with a key."""
    root = tmp_path_factory.mktemp("prepared")
    forked(root)
    ledger(root, "one", "witness").cosigner_key()
    return root


@pytest.fixture(scope="module")
def witnesses(tmp_path_factory, prepared, forking):
    """A team that cosigns."""
    roots = [tmp_path_factory.mktemp("probe") / "root" for _ in range(os.cpu_count())]
    for root in roots:
        shutil.copytree(prepared, root)
    with forking(WITNESS, *((root, root / "one") for root in roots)) as team:
        yield team


def test_every_call_of_a_witness_may_fail(tmp_path, prepared, witnesses, calls_in):
    def traced(name, *options):
        root = tmp_path / name
        shutil.copytree(prepared, root)
        return root, witnesses.traced([root, root / "one"], touched(root), root / "strace", *options)

    def broken(fault):
        call, number, how = fault
        root, ended = traced(f"{call}-{number}-{how.partition('=')[2]}", "-e", f"inject={call}:{how}:when={number}")
        note = f"{call} {number} {how}: {ended.err.strip()[-300:]}"
        assert ended.code == -signal.SIGKILL or "INJECTED" in (root / "strace").read_text(), note
        assert "Traceback" not in ended.err, note
        ledger(root, "one").check()
        found = [*let_out(ended.out), *on_shelves(root)]
        # The other side of the fork is shown to a witness who forgot what it saw of ledgers.
        forget(root)
        try:
            found.append(ledger(root, "two", "witness").cosign())
            refused = False
        except ContradictionError:
            refused = True
        assert_no_contradiction(found)
        # Whichever it signed, it can go on with that one.
        forget(root)
        try:
            again = ledger(root, "one", "witness").cosign()
            assert refused, note
            assert_no_contradiction([*found, again])
        except AnchorError:
            assert not refused, note
        shutil.rmtree(root)
        return how, refused

    root, ended = traced("clean")
    assert ended.code == 0, ended.err
    calls = list(calls_in(root / "strace"))
    assert [call for call, *_ in calls].count("fsync") >= 4
    todo = [(call, number, how) for call, number, line in calls for how in faults_of(call, line)]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        done = list(pool.map(broken, todo))
    ends = Counter(refused for _, refused in done)
    assert min(ends.values()) >= 5, "faults before and after it was remembered"
    counts = Counter(call for call, *_ in calls)
    print(f"calls {dict(counts)}, faults {Counter(how for how, _ in done)}, refused {ends}")
