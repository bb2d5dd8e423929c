"""Completion for fish, 3.1 and newer."""

from collections.abc import Iterator

from mltrust.cli.grammar import Command, Kind, Parameter, Value
from mltrust.cli.shells import SIGNERS

_HEAD = r"""# Completion of mltrust for fish, written by: mltrust completion fish

function __mltrust_at --description 'whether the words so far are this command, or these are all of them'
    set -l words (commandline -opc)
    set -e words[1]
    set -l found (string match -rv -- '^-' $words)
    test "$argv[1]" = only; and test (count $found) -ne (math (count $argv) - 1); and return 1
    for index in (seq 2 (count $argv))
        test "$found[$(math $index - 1)]" = "$argv[$index]"; or return 1
    end
end

function __mltrust_names
    command mltrust config names $argv[1] 2>/dev/null
end

complete -c mltrust -f
"""


def script(root: Command) -> str:
    """Return the script."""
    return _HEAD + "\n".join(line for command in root.all() for line in _lines(command, root)) + "\n"


def _lines(command: Command, root: Command) -> Iterator[str]:
    words = [] if command is root else list(command.words)
    here = " ".join(["__mltrust_at", "only" if command.below else "in", *words])
    begin = f"complete -c mltrust -n {_quoted(here)}"
    for below in command.below:
        yield f"{begin} -a {_quoted(below.words[-1])} -d {_quoted(below.told)}"
    for option in command.options:
        yield f"{begin} {_flags(option)}{_takes(option.value)} -d {_quoted(option.told)}"
    for value in dict.fromkeys(each.value for each in command.arguments if each.value):
        yield f"{begin}{_offers(value)}"


def _flags(option: Parameter) -> str:
    return " ".join(f"-l {flag[2:]}" if flag.startswith("--") else f"-s {flag[1:]}" for flag in option.flags)


def _takes(value: Value | None) -> str:
    if value is None:
        return ""
    return " -r" + (_offers(value) or " -f")


def _offers(value: Value) -> str:
    """Return what offers such a value; where it may be a file, files are offered, too."""
    choices = " ".join(value.choices)
    return {
        Kind.CHOICE: f" -f -a {_quoted(choices)}",
        Kind.ANCHOR: f" -F -a {_quoted(f'(__mltrust_names anchors) {choices}')}",
        Kind.SIGNER: f" -F -a {_quoted('(__mltrust_names signers)')}",
        Kind.KEY: f" -F -a {_quoted(' '.join(SIGNERS))}",
        Kind.FILE: " -F",
    }.get(value.kind, "")


def _quoted(text: str) -> str:
    """Quote as fish does: between single quotes, only they and backslashes are special."""
    escaped = text.replace("\\", "\\\\").replace("'", "\\'")
    return f"'{escaped}'"
