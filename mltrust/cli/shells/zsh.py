"""Completion for zsh, as a file `_mltrust` in a folder of `$fpath`, or evaluated once compinit ran."""

from collections.abc import Iterator
from shlex import quote

from mltrust.cli.grammar import Command, Kind, Parameter, Value
from mltrust.cli.shells import SIGNERS

_HEAD = r"""#compdef mltrust
# Completion of mltrust for zsh, written by: mltrust completion zsh

_mltrust_names() {
  local -a names
  names=(${(f)"$(_call_program names command mltrust config names $1 2>/dev/null)"})
  (( $#names )) && compadd -a names
}

_mltrust_schemes() {  # a path or a name follows at once
  compadd -S '' -- "$@"
}

_mltrust_anchors() {
  _mltrust_names anchors
  if [[ $PREFIX == *:* ]]; then compset -P 1 '*:'; _files; else _mltrust_schemes ANCHORS; fi
}

_mltrust_signers() {
  _mltrust_names signers
  _files
}

_mltrust_keys() {
  _mltrust_schemes KEYS
  _files
}
"""
_TAIL = r"""
if [[ $funcstack[1] == _mltrust ]]; then _mltrust "$@"; else compdef _mltrust mltrust; fi
"""


def script(root: Command) -> str:
    """Return the script."""
    functions = [line for command in reversed(list(root.all())) for line in _function(command, root)]
    values = [each.value for command in root.all() for each in command.parameters if each.value]
    anchors = sorted({scheme for value in values if value.kind is Kind.ANCHOR for scheme in value.choices})
    head = _HEAD.replace("ANCHORS", " ".join(map(quote, anchors))).replace("KEYS", " ".join(SIGNERS))
    return head + "\n".join(functions) + _TAIL


def _function(command: Command, root: Command) -> Iterator[str]:
    yield ""
    yield f"{_name(command, root)}() {{"
    yield from _dispatch(command, root) if command.below else _leaf(command)
    yield "}"


def _name(command: Command, root: Command) -> str:
    return "_mltrust" if command is root else f"_mltrust-{'-'.join(command.words)}"


def _dispatch(command: Command, root: Command) -> Iterator[str]:
    yield "  local context state state_descr line"
    yield "  typeset -A opt_args"
    options = " ".join(spec for option in command.options for spec in _specs(option))
    yield f"  _arguments -C {options} '1: :->command' '*:: :->rest' && return"
    yield "  case $state in"
    yield "    command)"
    yield "      local -a commands=("
    for each in command.below:
        yield f"        {quote(each.words[-1] + ':' + each.told)}"
    yield "      )"
    yield "      _describe command commands ;;"
    yield "    rest)"
    yield "      case $line[1] in"
    for each in command.below:
        yield f"        {each.words[-1]}) {_name(each, root)} ;;"
    yield "      esac ;;"
    yield "  esac"


def _leaf(command: Command) -> Iterator[str]:
    specs = [spec for option in command.options for spec in _specs(option)]
    for number, argument in enumerate(command.arguments, 1):
        place = "*" if argument.repeated else str(number)
        if (value := argument.value) is not None:
            specs.append(quote(f"{place}:{_escaped(value.called)}{_action(value)}"))
    yield "  _arguments -s \\"
    yield " \\\n".join(f"    {spec}" for spec in specs)


def _specs(option: Parameter) -> Iterator[str]:
    """Yield one specification for each flag; those of one option exclude each other, unless it may be repeated."""
    others = "*" if option.repeated else f"({' '.join(option.flags)})"
    for flag in option.flags:
        takes = "" if option.value is None else f":{_escaped(option.value.called)}{_action(option.value)}"
        mark = "=" if takes and flag.startswith("--") else "+" if takes else ""
        yield quote(f"{others}{flag}{mark}[{_escaped(option.told)}]{takes}")


def _action(value: Value) -> str:
    choices = " ".join(value.choices)
    return ":" + {
        Kind.CHOICE: f"({choices})",
        Kind.ANCHOR: "_mltrust_anchors",
        Kind.SIGNER: "_mltrust_signers",
        Kind.KEY: "_mltrust_keys",
        Kind.FILE: "_files",
    }.get(value.kind, " ")


def _escaped(text: str) -> str:
    """Return a text as a specification of `_arguments` has it."""
    for mark in "\\[]:":
        text = text.replace(mark, f"\\{mark}")
    return text
