"""`mltrust completion`."""

from enum import StrEnum
from importlib import import_module
from typing import Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.options import speaking


class Shell(StrEnum):
    """The shells that there is a script for."""

    BASH = "bash"
    ZSH = "zsh"
    FISH = "fish"


@speaking
def completion(
    console: Console,
    shell: Annotated[Shell, typer.Argument(metavar="SHELL", help="bash, zsh or fish.", show_default=False)],
) -> None:
    """Print a script that completes commands, options, formats, files and your short names in a shell.

    The script starts mltrust for nothing but the short names in your configuration. Write it anew when mltrust was
    upgraded, or put the line that reads it at the start of every shell.

    \b
    Examples:
      mltrust completion bash > ~/.local/share/bash-completion/completions/mltrust
      mltrust completion zsh > ~/.zfunc/_mltrust
      mltrust completion fish > ~/.config/fish/completions/mltrust.fish
    """
    from mltrust.cli.commands import whole_grammar

    module = import_module(f"mltrust.cli.shells.{shell.value}")
    console.exact(module.script(whole_grammar()).rstrip("\n"))
