"""The command line itself: help, version, usage, the exit codes of mistakes, and of defects."""

import ast
import json

import pytest

COMMANDS = ["seal", "verify", "show", "diff", "fingerprint", "prove", "check", "anchor", "anchors", "demo"]
LEDGER = [("ledger", name) for name in ["log", "check", "checkpoint", "export"]]


@pytest.mark.parametrize("command", [*[(name,) for name in COMMANDS], *LEDGER], ids=" ".join)
def test_every_command_helps_with_examples(mltrust, command):
    done = mltrust(*command, "--help")
    assert done.code == 0
    assert f"mltrust {' '.join(command)}" in done.out
    examples = done.out.split("Examples:\n", 1)[1].split("\n\n", 1)[0].splitlines()
    assert examples
    assert all(line.strip().startswith(f"mltrust {' '.join(command)}") for line in examples)
    for option in ("--quiet", "--verbose", "--color"):
        assert option in done.out
    assert done.err == ""


def test_help_of_the_whole(mltrust):
    for way in ("--help", "-h"):
        done = mltrust(way)
        assert done.code == 0
        assert "Exit codes: 0 verified or done, 1 verification failed, 2 usage" in done.out
        for command in (*COMMANDS, "ledger"):
            assert f"\n  {command} " in done.out
        assert all(f"\n{group}:\n" in done.out for group in ("Seal and verify", "Who, and since when"))
    for several in ("ledger", "key", "ethereum"):
        done = mltrust(several, "--help")
        assert done.code == 0
        assert "..." not in done.out.partition("\nCommands:\n")[2], "what a command does is told wholly"
    for done in (mltrust(), mltrust("ledger")):
        assert done.code in (0, 2)  # versions of Typer differ
        assert "Usage: mltrust" in done.out + done.err


@pytest.mark.parametrize(
    ("command", "shown"),
    [
        ("verify", "verify [OPTIONS] [ARTIFACT]"),
        ("sign", "sign [OPTIONS] SEAL..."),
        ("key revoke", "key revoke [OPTIONS] [KEY]..."),
    ],
)
def test_usage_is_as_in_the_reference(mltrust, command, shown):
    assert mltrust(*command.split(), "--help").out.startswith(f"Usage: mltrust {shown}\n")


def test_what_a_newcomer_types(mltrust, model):
    """Nothing at all, or the seal where the artifact belongs: the hint says what to type."""
    done = mltrust("verify")
    assert (done.code, done.err.splitlines()[0]) == (2, "error: no ARTIFACT is named")
    assert "mltrust verify model/" in done.err
    done = mltrust("verify", model / "mltrust.seal.json")
    assert done.code == 3
    assert "name the file or folder that is sealed" in done.err


def test_version(mltrust):
    from mltrust import __version__

    done = mltrust("--version")
    assert (done.code, done.out, done.err) == (0, f"mltrust {__version__}\n", "")


def test_help_is_light(mltrust):
    code = """
import sys
import typer.core, typer.main
before = set(sys.modules)  # old versions of Typer bring rich along
from mltrust.cli.app import main
try:
    main()
finally:
    heavy = ("pydantic", "blake3", "cryptography", "pymerkle", "rich", "safetensors", "numpy", "filelock", "pathspec")
    print(sorted(set(heavy) & set(sys.modules) - before), file=sys.stderr)
"""
    for arguments in (["--help"], ["verify", "--help"], ["ledger", "--help"], ["--version"]):
        done = mltrust.python(code, *arguments)
        assert done.code == 0
        found = set(ast.literal_eval(done.err))
        assert found <= ({"pydantic"} if len(arguments) > 1 else set())  # Typer asks it about parameters


@pytest.mark.parametrize(
    "arguments",
    [
        ("verify",),
        ("frobnicate",),
        ("--frobnicate",),
        ("verify", "a", "b"),
        ("verify", "model", "--frobnicate"),
        ("verify", "model", "--format", "xml"),
        ("verify", "model", "--color", "pink"),
        ("verify", "model", "--jobs", "many"),
        ("verify", "model", "--jobs", "0"),
        ("verify", "model", "--jobs", "-1"),
        ("verify", "model", "--engine", "steam"),
        ("seal", "model", "--suite", "md5"),
        ("seal", "model", "--anchor"),
        ("diff", "model"),
        ("prove", "model"),
        ("check",),
        ("anchor", "model"),
        ("ledger", "frobnicate"),
        ("ledger", "export"),
        ("ledger", "check", "extra"),
    ],
    ids=" ".join,
)
def test_usage_errors(mltrust, model, arguments):
    done = mltrust(*arguments)
    assert done.code == 2
    assert done.out == ""
    assert done.err


@pytest.mark.parametrize("command", ["seal", "verify", "show", "fingerprint", "anchors", "check"])
def test_what_is_not_there(mltrust, command):
    for name in ("nothing", "x" * 300, "a\nb"):
        done = mltrust(command, name)
        assert done.code == 3
        assert done.out == ""
        assert done.err.startswith("error: ")
        assert len(done.err.splitlines()) <= 2


CRASH = """
import sys
from mltrust import means
def crash(*_, **__):
    raise {error}
means.default_means = crash
from mltrust.cli.app import main
main()
"""


@pytest.mark.parametrize("error", ["ZeroDivisionError('\\x1b[31mboom')", "RecursionError('x')", "MemoryError()"])
def test_a_defect_is_never_a_finding(mltrust, model, error):
    done = mltrust.python(CRASH.format(error=error), "verify", str(model))
    assert done.code == 4
    assert done.out == ""
    assert "internal error: " in done.err
    assert "MLTRUST_DEBUG=1" in done.err
    assert "Traceback" not in done.err
    assert "\x1b" not in done.err
    debug = mltrust.python(CRASH.format(error=error), "verify", str(model), env={"MLTRUST_DEBUG": "1"})
    assert debug.code == 4
    assert "Traceback" in debug.err


def test_a_defect_while_starting(mltrust):
    code = """
from mltrust.cli import app, commands
def crash(*_): raise ValueError("x")
commands.application = crash
app.main()"""
    assert mltrust.python(code).code == 4


def test_interrupted_and_out_of_order(mltrust, model):
    assert mltrust.python(CRASH.format(error="KeyboardInterrupt"), "verify", str(model)).code == 130
    done = mltrust.python(
        CRASH.format(error="PermissionError(13, 'Permission denied', 'secret')"), "verify", str(model)
    )
    assert done.code == 3
    assert done.err == "error: secret: Permission denied\n"


def test_python_dash_m(mltrust, model):
    code = "import runpy, sys; sys.argv[0] = 'mltrust'; runpy.run_module('mltrust', run_name='__main__')"
    assert mltrust.python(code, "verify", str(model)).code == 0


def test_quiet_and_verbose(mltrust, model):
    assert mltrust("verify", model, "-q").out == ""
    assert mltrust("verify", model, "-q").code == 0
    assert mltrust("verify", model, "-q", "--format", "json").json()["verdict"] == "verified"
    (model / "config.json").write_text("{}")
    done = mltrust("verify", model, "-q")
    assert done.code == 1
    assert "config.json" in done.out
    assert mltrust("seal", model, "-q").out == ""
    for number in range(60):
        (model / f"new-{number:02}").write_text("x")
    short, long = mltrust("verify", model), mltrust("verify", model, "-v")
    assert "... and 10 more (--verbose lists all)" in short.out
    assert "new-59" not in short.out
    assert "new-59" in long.out
    assert len(mltrust("verify", model, "--format", "json").json()["changes"]) == 60


def test_fingerprint_prints_one_thing(mltrust, model):
    done, data = mltrust("fingerprint", model), mltrust("fingerprint", model, "--format", "json")
    assert done.code == 0
    assert len(done.out) == 65
    assert data.json()["fingerprint"] == done.out.strip()
    assert done.out.strip() in mltrust("show", model).out
    assert mltrust("fingerprint", model, "--suite", "sha256").out != done.out
    assert mltrust("fingerprint", model, "--exclude", "empty").out != done.out
    for jobs in ("1", "2", "7"):
        assert mltrust("fingerprint", model, "-j", jobs).out == done.out


def test_show(mltrust, model, tensors):
    told, data = mltrust("show", model), mltrust("show", model / "mltrust.seal.json", "--format", "json")
    assert told.code == data.code == 0
    for name in tensors:
        assert name in told.out
    assert "F32 [4, 4]" in told.out
    assert "license = mit" in told.out
    assert "0 signatures, 1 receipt" in told.out
    assert data.json() == json.loads((model / "mltrust.seal.json").read_text())
