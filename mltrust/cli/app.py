"""The application: its commands, and the one place where errors become messages and exit codes."""

import gc
import os
import sys
import traceback
from contextlib import suppress
from io import TextIOWrapper
from pathlib import Path
from typing import Annotated, Any

import typer
from typer.core import TyperGroup

from mltrust import __version__
from mltrust.cli import anchor, anchors, check, demo, diff, ethereum, fingerprint, ledger, prove, seal, show, verify
from mltrust.cli.console import Console
from mltrust.cli.exits import Exit, for_error
from mltrust.core.names import printable
from mltrust.errors import MltrustError, UnreadableError

_TRACKER = "https://github.com/mltrust/mltrust/issues"


class Guarded(TyperGroup):
    """A group that lets no exception of a command through: each ends as a message and its exit code."""

    def invoke(self, ctx: Any) -> Any:  # noqa: ANN401  # the context type is private to Typer
        """Run the command."""
        try:
            return super().invoke(ctx)
        except MltrustError as error:
            Console().error(error)
            raise typer.Exit(for_error(error)) from error
        except KeyboardInterrupt:
            raise typer.Exit(Exit.INTERRUPTED) from None
        except OSError as error:  # a path that cannot be looked at
            trouble = UnreadableError(f"{error.filename or 'this machine'}: {error.strerror or error}")
            Console().error(trouble)
            raise typer.Exit(for_error(trouble)) from error
        except Exception as error:
            if hasattr(error, "exit_code") or isinstance(error, typer.Abort):  # Typer's own: usage errors, exits
                if hasattr(error, "message"):  # it may quote a file name
                    error.message = "\n".join(map(printable, str(error.message).split("\n")))
                raise
            _show_crash(error)
            raise typer.Exit(Exit.INTERNAL) from error


app = typer.Typer(
    cls=Guarded,
    name="mltrust",
    no_args_is_help=True,
    rich_markup_mode=None,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 110},
)


def _show_version(value: bool) -> None:  # Typer calls it with the flag
    if value:
        sys.stdout.write(f"mltrust {__version__}\n")
        raise typer.Exit(Exit.OK)


@app.callback()
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


_COMMANDS = {
    seal.seal: "fingerprint an artifact, publish it, write its seal",
    verify.verify: "tell whether the bytes are the sealed ones",
    show.show: "show a seal as a tree",
    diff.diff: "name what differs between artifacts or seals",
    fingerprint.fingerprint: "print the fingerprint and nothing else",
    prove.prove: "prove that one file or tensor is sealed",
    check.check: "check such a proof, offline",
    anchor.anchor: "publish seals through another anchor",
    anchors.anchors: "say who vouches for a seal",
    demo.demo: "tell the whole story on a small real model",
}
for _command, _help in _COMMANDS.items():
    app.command(_command.__name__, short_help=_help)(_command)
app.add_typer(ledger.app, name="ledger", short_help="look into a ledger: log, check, checkpoint, export, witness")
app.add_typer(ethereum.app, name="ethereum", short_help="look after transactions: deploy, status, resume")


def main() -> None:
    """Run the command line; a crash ends as exit code 4, so it can never look like a finding."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # open until the end
        if isinstance(stream := getattr(sys, name), TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
    gc.disable()  # one command, then the end: what is read stays until then, and walking over it costs a fifth
    try:
        app()
    except BrokenPipeError:  # nobody reads what is wrong with the command line
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
        sys.exit(Exit.USAGE)
    except Exception as error:  # noqa: BLE001  # the last line of defence
        _show_crash(error)
        sys.exit(Exit.INTERNAL)


def _show_crash(error: Exception) -> None:
    with suppress(OSError):
        sys.stderr.write(f"internal error: {type(error).__name__}: {ascii(str(error))[:500]}\n")
        if os.environ.get("MLTRUST_DEBUG"):
            traceback.print_exception(error)
        else:
            hint = "this is a defect of mltrust; run with MLTRUST_DEBUG=1 and report it at"
            sys.stderr.write(f"hint: {hint} {_TRACKER}\n")
