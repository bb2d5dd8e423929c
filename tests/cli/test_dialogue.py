"""How an anchor asks: on a terminal, or not at all."""

import subprocess
import sys
from functools import partial

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


@pytest.fixture
def asked(on_terminal):
    """Return a function that runs a question on a terminal, and returns what is on its screen."""
    prompts = {"agree": b"[y/N]", "secret": b": "}

    def ask(method, typed):
        command = [sys.executable, "-c", ASK, method]
        return on_terminal(partial(subprocess.Popen, command), (prompts[method], typed))[1]

    return ask


@pytest.mark.parametrize(
    ("typed", "answer"), [(b"y\n", True), (b"YES\n", True), (b"n\n", False), (b"\n", False), (b"sure\n", False)]
)
def test_consent_is_a_y(asked, typed, answer):
    screen = asked("agree", typed)
    assert f"answer {answer}" in screen
    assert "\x1b[31m" not in screen


def test_a_secret_is_not_shown(asked):
    screen = asked("secret", b"hunter2\n")
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
