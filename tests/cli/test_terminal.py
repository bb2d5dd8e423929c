"""Terminals, pipes, full disks and signals: whatever becomes of the output, the exit code stays true."""

import os
import pty
import re
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="POSIX terminals and signals")

ESCAPE = "\x1b"
FULL = pytest.mark.skipif(not os.path.exists("/dev/full"), reason="no /dev/full here")  # noqa: PTH110
FORMATS = ((), ("--format", "json"))


def ended(process):
    out, err = process.communicate(timeout=120)
    return process.returncode, (out or b"").decode(), (err or b"").decode()


def on_a_terminal(mltrust, *arguments, env=None):
    """Run with stdout and stderr on pseudo-terminals; return code and what each showed."""
    pairs = [pty.openpty() for _ in range(2)]
    process = mltrust.popen(*arguments, env=env, stdout=pairs[0][1], stderr=pairs[1][1], stdin=subprocess.DEVNULL)
    for _, slave in pairs:
        os.close(slave)
    shown = []
    for master, _ in reversed(pairs):
        data = b""
        while True:
            try:
                data += (more := os.read(master, 65536))
            except OSError:
                more = b""
            if not more:
                break
        os.close(master)
        shown.append(data.decode())
    return process.wait(timeout=120), shown[1], shown[0]


def test_results_on_stdout_talk_on_stderr(mltrust, model):
    done = mltrust("verify", model, "--format", "json")
    assert done.json()["verdict"] == "verified"
    assert done.err == ""
    done = mltrust("verify", "nothing", "--format", "json")
    assert "verdict" not in done.json()
    assert done.err
    assert mltrust("verify", "nothing").out == ""


def test_no_colour_where_nobody_sees_it(mltrust, model):
    assert ESCAPE not in mltrust("verify", model).out
    assert ESCAPE not in mltrust("verify", model, env={"NO_COLOR": "1"}).out
    assert ESCAPE in mltrust("verify", model, "--color", "always").out
    assert ESCAPE in mltrust("verify", model, "--color", "always", env={"NO_COLOR": "1"}).out
    assert ESCAPE not in mltrust("verify", model, "--color", "always", "--format", "json").out
    assert ESCAPE not in mltrust("verify", "nothing").err


def test_colour_on_a_terminal(mltrust, model):
    code, out, _ = on_a_terminal(mltrust, "verify", model)
    assert code == 0
    assert f"{ESCAPE}[1;32mVERIFIED" in out
    for arguments, env in (((), {"NO_COLOR": "1"}), (("--color", "never"), None), ((), {"TERM": "dumb"})):
        code, out, _ = on_a_terminal(mltrust, "verify", model, *arguments, env=env)
        assert code == 0
        assert "VERIFIED" in out
        assert not re.search(r"\x1b\[[\d;]*3\dm", out)


def test_a_bar_on_a_terminal_only(mltrust, model):
    code, out, err = on_a_terminal(mltrust, "verify", model)
    assert code == 0
    assert ESCAPE in err
    assert "kB" in err
    assert "━" not in out
    for arguments, env in ((("-q",), None), ((), {"TERM": "dumb"})):
        assert on_a_terminal(mltrust, "verify", model, *arguments, env=env)[2] == ""
    assert mltrust("verify", model).err == ""


@pytest.mark.parametrize(
    "environment", [{"PYTHONIOENCODING": "ascii"}, {"LC_ALL": "C", "PYTHONIOENCODING": "ascii:strict"}]
)
def test_a_terminal_that_speaks_no_utf8(mltrust, model, environment):
    (model / "grüße-模型.txt").write_text("x")
    done = mltrust("verify", model, env=environment)
    assert done.code == 1
    assert "gr\\xfc\\xdfe-\\u6a21\\u578b.txt" in done.out
    data = mltrust("verify", model, "--format", "json", env=environment)
    assert data.json()["changes"][0]["name"] == "grüße-模型.txt"
    assert mltrust("seal", model, env=environment).code == 0
    assert mltrust("show", model, env=environment).code == 0
    assert "grüße-模型.txt" in [
        e["path"] for e in mltrust("show", model, "--format", "json", env=environment).json()["manifest"]["entries"]
    ]
    proof = mltrust("prove", model, "--file", "grüße-模型.txt", env=environment)
    assert proof.json()["levels"][0]["leaf"]["name"] == "grüße-模型.txt"
    assert mltrust("verify", model, env=environment).code == 0


@pytest.mark.parametrize("more", FORMATS, ids=["text", "json"])
@pytest.mark.parametrize("tampered", [False, True])
def test_a_reader_that_went_away_keeps_the_verdict(mltrust, model, more, tampered):
    if tampered:
        (model / "config.json").write_text("{}")
    for streams in (["stdout"], ["stderr"], ["stdout", "stderr"]):
        gone, end = os.pipe()
        os.close(gone)
        process = mltrust.popen("verify", model, *more, **dict.fromkeys(streams, end))
        os.close(end)
        assert process.wait(timeout=120) == int(tampered)


@pytest.mark.parametrize(("arguments", "code"), [(["verify", "nothing"], 3), (["verify", "--nonsense"], 2)])
def test_a_reader_that_went_away_keeps_the_error(mltrust, arguments, code):
    gone, end = os.pipe()
    os.close(gone)
    process = mltrust.popen(*arguments, stdout=end, stderr=end)
    os.close(end)
    assert process.wait(timeout=120) == code


@pytest.mark.parametrize("more", FORMATS, ids=["text", "json"])
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_streams_that_are_closed_keep_the_verdict(mltrust, model, more, closed):
    script = f'exec "$0" "$@" {closed}'
    for code in (0, 1):
        command = ["sh", "-c", script, sys.executable, "-m", "mltrust", "verify", str(model), *more]
        done = subprocess.run(command, env=mltrust.environment(), capture_output=True, check=False, timeout=120)
        assert done.returncode == code
        (model / "config.json").write_text("{}")


@FULL
@pytest.mark.parametrize("more", FORMATS, ids=["text", "json"])
def test_a_full_disk_is_no_verdict(mltrust, model, more):
    done = mltrust("verify", model, "-o", "/dev/full", *more)
    assert done.code == 3
    assert "No space left on device" in done.err
    with open("/dev/full", "wb") as full:  # noqa: PTH123
        code, _, err = ended(mltrust.popen("verify", model, *more, stdout=full, stderr=subprocess.PIPE))
    assert code == 3
    assert "No space left on device" in err
    assert "internal error" not in err


@FULL
def test_devices_are_written_to_and_never_replaced(mltrust, model):
    for device in ("/dev/null", "/dev/full"):
        before = os.stat(device)  # noqa: PTH116
        mltrust("verify", model, "-o", device)
        mltrust("prove", model, "--file", "config.json", "-o", device)
        after = os.stat(device)  # noqa: PTH116
        assert (before.st_ino, before.st_mode, before.st_rdev) == (after.st_ino, after.st_mode, after.st_rdev)
    done = mltrust("verify", model, "--format", "json", "-o", "/dev/stdout")
    assert done.json()["verdict"] == "verified"
    assert mltrust("prove", model, "--file", "config.json", "-o", "/dev/stdout").json()["levels"]
    assert os.path.islink("/dev/stdout")  # noqa: PTH114


def test_a_report_in_a_file(mltrust, model):
    done = mltrust("verify", model, "--format", "json", "-o", "report.json")
    assert (done.code, done.out) == (0, "")
    assert '"verdict": "verified"' in (mltrust.cwd / "report.json").read_text()
    (model / "config.json").write_text("{}")
    done = mltrust("verify", model, "-o", "report.txt")
    assert (done.code, done.out) == (1, "")
    assert (mltrust.cwd / "report.txt").read_text().startswith("FAILED")


def test_what_cannot_be_written(mltrust, model, bare):
    (mltrust.cwd / "file").write_text("kept")
    for place in ("nowhere/x.json", "file/x.json", "/proc/x.json"):
        done = mltrust("seal", bare, "-o", place)
        assert done.code == 3
        assert done.err.startswith("error: ")
        assert mltrust("fingerprint", bare).code == 0
    assert mltrust("seal", bare).code == 0
    asked = (("verify", bare), ("prove", bare, "--file", "empty"))
    places = ("nowhere/x", "file/x", "/proc/x", bare)
    for done in mltrust.many((*arguments, "-o", place) for place in places for arguments in asked):
        assert done.code == 3
    assert (mltrust.cwd / "file").read_text() == "kept"


def started(process, path):
    """Wait until the command has opened the artifact."""
    folder = Path(f"/proc/{process.pid}/fd")
    for _ in range(3000):
        with suppress(OSError):  # what is listed may be closed already
            if any(str(each.readlink()).endswith(path) for each in list(folder.iterdir())):
                return
        assert process.poll() is None
        time.sleep(0.01)


@pytest.mark.skipif(not os.path.isdir("/proc/self/fd"), reason="needs /proc")  # noqa: PTH112
@pytest.mark.parametrize("command", ["seal", "fingerprint"])
def test_ctrl_c(mltrust, tmp_path, command):
    folder = tmp_path / "big"
    folder.mkdir()
    with (folder / "sparse.bin").open("wb") as opened:
        opened.truncate(2**42)
    process = mltrust.popen(command, folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    started(process, "sparse.bin")
    process.send_signal(signal.SIGINT)
    code, out, err = ended(process)
    assert code == 130
    assert out == ""
    assert "Traceback" not in err
    assert [path.name for path in folder.iterdir()] == ["sparse.bin"]


@pytest.mark.usefixtures("unmeasured")
def test_killed_at_any_moment_the_old_seal_or_the_new_one_stands(mltrust, model, seal_file):
    """A kill may leave the new artifact under the old seal only if the artifact changed, so it does not here."""
    begin = time.monotonic()
    assert mltrust("seal", model, "--name", "measured").code == 0
    long = time.monotonic() - begin
    names = {"measured"}
    moments = 12
    for number in range(moments):
        name = f"edition-{number}"
        names.add(name)
        process = mltrust.popen("seal", model, "--name", name, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        time.sleep(long * (0.4 + 0.7 * number / moments))
        process.kill()
        process.wait()
        done = mltrust("verify", model, "--format", "json")
        assert done.code in (0, 3), done.out
        assert done.json()["name"] in names
    assert mltrust("ledger", "check").code == 0
    assert mltrust("seal", model, "--name", "last").code == 0
    assert mltrust("verify", model).code == 0


@pytest.mark.usefixtures("unmeasured")
def test_a_seal_that_is_no_longer_true_is_not_replaced_by_half(mltrust, model, seal_file):
    (model / "README.md").write_text("two")
    process = mltrust.popen("seal", model, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    time.sleep(0.2)
    process.kill()
    process.wait()
    assert mltrust("verify", model).code in (0, 1)
    assert mltrust("show", model).code == 0
