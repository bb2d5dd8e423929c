"""How an anchor asks: on a terminal, or not at all."""

import os
import pty
import subprocess
import sys

import pytest

ASK = """
import sys
from mltrust.cli.console import Console
from mltrust.cli.home import Terminal
from mltrust.errors import UsageError
terminal = Terminal(Console(), yes=len(sys.argv) > 2)
try:
    print("answer", repr(getattr(terminal, sys.argv[1])("Send it for 0.001 ETH?\\x1b[31m")))
except UsageError as error:
    print("refused", error, error.hint)
"""


def on_a_terminal(method, typed):
    """Run a question on a pseudo-terminal; return what is on its screen."""
    parent, child = pty.openpty()
    command = [sys.executable, "-c", ASK, method]
    with subprocess.Popen(command, stdin=child, stdout=child, stderr=child, start_new_session=True) as process:
        os.close(child)
        screen = b""
        while b"[y/N]" not in screen and b": " not in screen:
            screen += os.read(parent, 1024)
        os.write(parent, typed)
        try:
            while chunk := os.read(parent, 1024):
                screen += chunk
        except OSError:  # the terminal is closed
            pass
        process.wait()
    os.close(parent)
    return screen.decode()


@pytest.mark.parametrize(
    ("typed", "answer"), [(b"y\n", True), (b"YES\n", True), (b"n\n", False), (b"\n", False), (b"sure\n", False)]
)
def test_consent_is_a_y(typed, answer):
    screen = on_a_terminal("agree", typed)
    assert f"answer {answer}" in screen
    assert "\x1b[31m" not in screen


def test_a_secret_is_not_shown():
    screen = on_a_terminal("secret", b"hunter2\n")
    assert screen.count("hunter2") == 1, "only where the test prints it"
    assert "answer 'hunter2'" in screen


@pytest.mark.parametrize(("method", "hint"), [("agree", "--yes"), ("secret", "--password-file")])
def test_nobody_to_ask(method, hint):
    done = subprocess.run(
        [sys.executable, "-c", ASK, method], stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True
    )
    assert "refused nobody can be asked" in done.stdout
    assert hint in done.stdout


def test_consent_in_advance():
    done = subprocess.run(
        [sys.executable, "-c", ASK, "agree", "yes"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
    )
    assert "answer True" in done.stdout
