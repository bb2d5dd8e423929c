"""The command line as data, from the commands and their parameters: what completion and the manual are made of."""

import inspect
import re
import types
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from enum import Enum, StrEnum
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from typer import Typer

from mltrust import registry


class Kind(StrEnum):
    """What may stand for a value, as far as a shell can help."""

    FREE = "free"
    FILE = "file"
    CHOICE = "choice"
    ANCHOR = "anchor"
    SIGNER = "signer"
    KEY = "key"


@dataclass(frozen=True)
class Value:
    """What an option or an argument takes: how that is called, of what kind it is, and which there are."""

    called: str
    kind: Kind
    choices: tuple[str, ...] = ()


@dataclass(frozen=True)
class Parameter:
    """An option with its flags, long ones first, or an argument, which has none; a flag alone takes no value."""

    flags: tuple[str, ...]
    told: str
    value: Value | None
    required: bool = False
    repeated: bool = False
    default: str = ""


@dataclass(frozen=True)
class Command:
    """A command by its words, such as `key show`; a group of them has `below` and no parameters of its own."""

    words: tuple[str, ...]
    told: str
    prose: str
    parameters: tuple[Parameter, ...] = ()
    below: tuple["Command", ...] = ()

    @property
    def options(self) -> list[Parameter]:
        """Those of its parameters that have flags."""
        return [each for each in self.parameters if each.flags]

    @property
    def arguments(self) -> list[Parameter]:
        """Those of its parameters that stand alone."""
        return [each for each in self.parameters if not each.flags]

    @property
    def description(self) -> str:
        """The prose without its examples."""
        return self.prose.partition(_EXAMPLES)[0].strip()

    @property
    def examples(self) -> list[str]:
        """Command lines that show how it is used."""
        return [line.strip() for line in self.prose.partition(_EXAMPLES)[2].strip().splitlines()]

    @property
    def usage(self) -> str:
        """What follows its words: the arguments, then the options that it cannot do without."""
        must = [f"{each.flags[0]} {each.value.called}" for each in self.options if each.required and each.value]
        return " ".join([*(each.value.called for each in self.arguments if each.value), *must])

    def all(self) -> Iterator["Command"]:
        """Yield it and all below it."""
        yield self
        for command in self.below:
            yield from command.all()

    def leaves(self) -> Iterator["Command"]:
        """Yield what can be run: all that are no groups."""
        return (command for command in self.all() if not command.below)


_EXAMPLES = "Examples:\n"
HELP = Parameter(("--help", "-h"), "Show this message and exit.", None)
_FILES = frozenset({"FILE", "PATH", "PEM", "ARTIFACT", "SEAL", "A", "B", "PROOF", "FOLDER", "DIR", "--artifact"})
_OUT_OF_SIGHT = frozenset({"--file", "--witness"})  # a path inside the artifact, a key that no file holds
_ANCHORS = frozenset({"--anchor", "--to", "--ledger"})
_PLAIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
_KINDS = {"PUB": Kind.SIGNER, "KEY": Kind.KEY}
_PLUGS = {"--engine": "engines", "FORMAT": "exports", "--format": "renderers"}


def grammar(app: Typer, name: str, told: str) -> Command:
    """Return the whole command line of an application."""
    root = Command((name,), told, "", (HELP, Parameter(("--version",), "Show the version and exit.", None)))
    return Command(root.words, told, "", root.parameters, tuple(_below(app, ())))


def _below(app: Typer, words: tuple[str, ...]) -> Iterator[Command]:
    """Yield the commands of a group in the order in which they are told of."""
    for info in app.registered_commands:
        if info.callback is not None and info.name:
            yield _command(info.callback, (*words, info.name), info.short_help or "")
    for group in app.registered_groups:
        if group.typer_instance is not None and group.name:
            inside = group.typer_instance
            below = tuple(_below(inside, (*words, group.name)))
            yield Command((*words, group.name), str(group.short_help), str(inside.info.help), (HELP,), below)


def _command(function: Callable[..., Any], words: tuple[str, ...], told: str) -> Command:
    signature = inspect.signature(function)
    parameters = [_parameter(each) for each in signature.parameters.values()]
    prose = (inspect.getdoc(function) or "").replace("\b\n", "")
    return Command(words, told, prose, (*parameters, HELP))


def _parameter(given: inspect.Parameter) -> Parameter:
    annotated, info = get_args(given.annotation)[:2]
    spelled = (info.default, *(info.param_decls or ()))  # inside Annotated, the first stands where a default would
    flags = [flag for each in spelled if isinstance(each, str) and each.startswith("-") for flag in each.split("/")]
    flags.sort(key=lambda flag: not flag.startswith("--"))
    called = info.metavar or ("" if flags else given.name.upper())
    kind = _bare(annotated)
    value = None if kind is bool and flags else _value(kind, called, flags)
    required = given.default is inspect.Parameter.empty
    default = given.default
    shown = "" if required or default in (None, False) else str(default.value if isinstance(default, Enum) else default)
    return Parameter(tuple(flags), info.help or "", value, required, _is_list(annotated), shown)


def _value(kind: Any, called: str, flags: list[str]) -> Value:  # noqa: ANN401  # any annotation
    plain = called.strip("[].")
    names = {*flags, plain}
    if isinstance(kind, type) and issubclass(kind, Enum):
        choices = tuple(str(choice.value) for choice in kind)
        return Value(called or "|".join(choices), Kind.CHOICE, choices)
    for name in names & _PLUGS.keys():
        return Value(called or "NAME", Kind.CHOICE, _plain(registry.names(_PLUGS[name])))
    if names & _ANCHORS:
        return Value(called or "URI", Kind.ANCHOR, tuple(f"{scheme}:" for scheme in _plain(registry.names("anchors"))))
    if plain in _KINDS and not names & _OUT_OF_SIGHT:
        return Value(called, _KINDS[plain])
    if (kind is Path or names & _FILES) and not names & _OUT_OF_SIGHT:
        return Value(called or "PATH", Kind.FILE)
    return Value(called or {int: "NUMBER"}.get(kind, "TEXT"), Kind.FREE)


def _plain(names: Iterable[str]) -> tuple[str, ...]:
    """Return those names that mean nothing to a shell, as those of plugs are."""
    return tuple(name for name in names if _PLAIN.fullmatch(name))


def _is_list(kind: Any) -> bool:  # noqa: ANN401  # any annotation
    return any(get_origin(each) is list for each in (kind, *get_args(kind)))


def _bare(kind: Any) -> Any:  # noqa: ANN401  # any annotation
    """Return the type inside `X | None` and `list[X]`."""
    if get_origin(kind) in (Union, types.UnionType, list):
        return _bare(next(each for each in get_args(kind) if each is not types.NoneType))
    return kind
