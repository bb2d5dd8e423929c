"""Completion for bash, 3.2 and newer. Where nothing is offered, the shell completes names of files itself."""

from collections.abc import Iterator, Sequence
from shlex import quote

from mltrust.cli.grammar import Command, Kind, Value
from mltrust.cli.shells import SIGNERS

_HEAD = r"""# Completion of mltrust for bash, written by: mltrust completion bash

_mltrust_offer() {  # what begins as the word does, one candidate a line
    local candidate
    while IFS= read -r candidate; do
        [[ -n $candidate && $candidate == "$current"* ]] && COMPREPLY+=("$(printf '%q' "$candidate")")
    done
    return 0
}

_mltrust_words() {
    _mltrust_offer < <(printf '%s\n' "$@")
}

_mltrust_schemes() {  # a path or a name follows at once
    _mltrust_words "$@"
    [[ ${#COMPREPLY[@]} -eq 1 && ${COMPREPLY[0]} == *: ]] && compopt -o nospace 2>/dev/null
    return 0
}

_mltrust_names() {
    _mltrust_offer < <(command mltrust config names "$1" 2>/dev/null)
}

_mltrust_files() {  # beside something else; alone, the shell offers them itself
    [[ $current == \~* ]] && return 0
    _mltrust_offer < <(compgen -f -- "$current")
    return 0
}

_mltrust_nothing() {
    compopt +o default 2>/dev/null
    return 0
}

_mltrust() {
    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} command= word index
    COMPREPLY=()
    if [[ $current == = ]]; then current=; fi  # --option=value is three words here
    if [[ $previous == = && COMP_CWORD -gt 1 ]]; then previous=${COMP_WORDS[COMP_CWORD-2]}; fi
    if [[ $current == : || $previous == : ]]; then return 0; fi  # ledger:PATH
    for ((index = 1; index < COMP_CWORD; index++)); do
        word=${COMP_WORDS[index]}
        [[ $word == -* ]] && continue
        case "$command" in
"""
_TAIL = r"""    esac
}

complete -o default -F _mltrust mltrust
"""


def script(root: Command) -> str:
    """Return the script."""
    return _HEAD + "\n".join([*_descent(root), '    case "$command" in', *_cases(root)]) + "\n" + _TAIL


def _descent(root: Command) -> Iterator[str]:
    """Yield what finds the command among the words: one word, or two of those in a group."""
    yield '            "") command=$word ;;'
    for group in root.below:
        if group.below:
            yield f'            {group.words[-1]}) command="{group.words[-1]} $word" ;;'
    yield "            *) break ;;"
    yield "        esac"
    yield "    done"


def _cases(root: Command) -> Iterator[str]:
    for command in root.all():
        words = () if command is root else command.words
        yield f"        {quote(' '.join(words))})"
        if command.below:
            yield f"            {_words([each.words[-1] for each in command.below], _flags(command))}"
        else:
            yield from _values(command)
            yield f"            if [[ $current == -* ]]; then _mltrust_words {' '.join(_flags(command))}"
            arguments = [each.value for each in command.arguments if each.value]
            offered = sorted({_offer(value) for value in arguments})
            yield f"            else {'; '.join(offered) if offered else '_mltrust_nothing'}; fi"
        yield "            ;;"


def _words(names: Sequence[str], flags: Sequence[str]) -> str:
    return f"if [[ $current == -* ]]; then _mltrust_words {' '.join(flags)}; else _mltrust_words {' '.join(names)}; fi"


def _flags(command: Command) -> list[str]:
    return [flag for option in command.options for flag in option.flags]


def _values(command: Command) -> Iterator[str]:
    yield '            case "$previous" in'
    for option in command.options:
        if option.value is not None:
            yield f"                {'|'.join(option.flags)}) {_offer(option.value)}; return ;;"
    yield "            esac"


def _offer(value: Value) -> str:
    """Return the shell's words that offer such a value."""
    if value.kind is Kind.ANCHOR:
        return f"_mltrust_names anchors; _mltrust_schemes {' '.join(value.choices)}"
    return {
        Kind.CHOICE: f"_mltrust_words {' '.join(map(quote, value.choices))}",
        Kind.SIGNER: "_mltrust_names signers; _mltrust_files",
        Kind.KEY: f"_mltrust_schemes {' '.join(SIGNERS)}; _mltrust_files",
        Kind.FILE: ":",
    }.get(value.kind, "_mltrust_nothing")
