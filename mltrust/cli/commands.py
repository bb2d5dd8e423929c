"""The commands, and the one place where their errors become messages and exit codes."""

import sys
from importlib import import_module
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup

from mltrust import __version__
from mltrust.cli.console import Console
from mltrust.cli.crash import show_crash
from mltrust.cli.exits import Exit, for_error, is_end, of_os_error
from mltrust.core.names import printable
from mltrust.errors import MltrustError

if TYPE_CHECKING:
    from mltrust.cli.grammar import Command

# Each lives in the module of its name, as the function of that name, or as the `app` that holds several.
_GROUPS = {
    "Seal and verify": {
        "seal": "fingerprint an artifact, publish it, write its seal",
        "verify": "tell whether the bytes are the sealed ones",
        "show": "show a seal as a tree",
        "diff": "name what differs between artifacts or seals",
        "fingerprint": "print the fingerprint and nothing else",
        "export": "write what a seal says in formats that others read",
        "card": "print the block of a model card, or put it into a README",
        "demo": "tell the whole story on a small real model",
    },
    "Who, and since when": {
        "sign": "add signatures to seals",
        "key": "make, show and revoke keys",
        "anchor": "publish seals through another anchor",
        "anchors": "say who vouches for a seal",
        "ledger": "look into a ledger: log, check, checkpoint, export, witness",
        "ethereum": "look after transactions: deploy, status, resume",
    },
    "Parts and records": {
        "prove": "prove that one file, tensor or record is sealed",
        "check": "check such a proof, offline",
        "erase": "erase records of a blinded artifact; its seal stays good",
    },
    "This installation": {
        "config": "show what is configured, and where it comes from",
        "plugins": "list all plugs, and what they lack",
        "completion": "print what completes these commands in a shell",
    },
}
_COMMANDS = {name: told for group in _GROUPS.values() for name, told in group.items()}


class Guarded(TyperGroup):
    """A group that lets no exception of a command through: each ends as a message and its exit code."""

    def make_context(self, *arguments: Any, **keywords: Any) -> Any:  # noqa: ANN401  # the context type is private to Typer
        """Read the command line up to the command."""
        try:
            return super().make_context(*arguments, **keywords)
        except Exception as error:
            _make_fit_to_show(error)
            raise

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401  # the context type is private to Typer
        """Run the command."""
        try:
            return super().invoke(ctx)
        except KeyboardInterrupt:
            raise typer.Exit(Exit.INTERRUPTED) from None
        except (MltrustError, OSError) as error:
            trouble = of_os_error(error) if isinstance(error, OSError) else error
            Console().error(trouble)
            raise typer.Exit(for_error(trouble)) from error
        except Exception as error:
            if is_end(error):
                _make_fit_to_show(error)
                raise
            show_crash(error)
            raise typer.Exit(Exit.INTERNAL) from error

    def format_commands(self, ctx: Any, formatter: Any) -> None:  # noqa: ANN401, ARG002  # as Typer calls it
        """List the commands in groups, all in the same columns."""
        width = max(map(len, _COMMANDS))
        for title, group in _GROUPS.items():
            with formatter.section(title):
                formatter.write_dl([(name.ljust(width), told) for name, told in group.items()])


class Usage(TyperCommand):
    """A command whose usage line has its arguments as they are declared, as the reference and the manual have them."""

    def collect_usage_pieces(self, ctx: Any) -> list[str]:  # noqa: ANN401, ARG002  # as Typer calls it
        """Return what follows the name of the command."""
        arguments = [each for each in self.params if each.param_type_name == "argument"]
        return ["[OPTIONS]", *(str(each.metavar or each.name).upper() for each in arguments)]


def _make_fit_to_show(error: Exception) -> None:
    """Escape what a usage error of Typer says: it may quote a file name, or what was pasted, which logs would keep."""
    said = str(getattr(error, "message", ""))
    if "PRIVATE KEY" in said:
        error.message = "a private key was given where its file is named; others can read command lines"  # type: ignore[attr-defined]  # Typer's own
    elif said and type(error).__name__ != "NoArgsIsHelpError":  # of which the message is the help
        error.message = printable(said)  # type: ignore[attr-defined]  # Typer's own


def application(first: str | None = None) -> typer.Typer:
    """Return the application: with the one command that the `first` argument names, or else with all of them.

    To import every command, and to have Typer read all their options, takes longer than some of them run.
    """
    app = typer.Typer(
        cls=Guarded,
        name="mltrust",
        no_args_is_help=True,
        add_completion=False,  # ours needs no Python to complete a command
        rich_markup_mode=None,
        pretty_exceptions_enable=False,
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
    )
    app.callback()(root)
    for name in [first] if first in _COMMANDS else _COMMANDS:
        module = import_module(f"mltrust.cli.{name}")
        if hasattr(module, "app"):
            app.add_typer(module.app, name=name, short_help=_COMMANDS[name])
        else:
            app.command(name, short_help=_COMMANDS[name])(getattr(module, name))
    for inside in (app, *(group.typer_instance for group in app.registered_groups)):
        for command in inside.registered_commands if inside is not None else ():
            command.cls = Usage
    return app


def whole_grammar() -> "Command":
    """Return the whole command line as data."""
    from mltrust.cli.grammar import grammar

    return grammar(application(), "mltrust", (root.__doc__ or "").partition("\n")[0])


def _show_version(value: bool) -> None:  # Typer calls it with the flag
    if value:
        sys.stdout.write(f"mltrust {__version__}\n")
        raise typer.Exit(Exit.OK)


def root(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None:
    """Fingerprint, seal, anchor and verify machine-learning models and datasets, tensor by tensor.

    \b
    mltrust seal model/        write model/mltrust.seal.json and publish it in your ledger
    mltrust verify model/      tell whether the bytes are the sealed ones, and which tensor differs
    mltrust demo               the whole story in ten seconds

    \b
    Exit codes: 0 verified or done, 1 verification failed, 2 usage, 3 could not decide or read,
    4 internal error, 130 interrupted.
    """
