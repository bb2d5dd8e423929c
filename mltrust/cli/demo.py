"""`mltrust demo`: the whole story on a small real model. Every line of output is a real run."""

from typing import Annotated

import typer

from mltrust.cli.console import Console
from mltrust.cli.options import speaking


@speaking
def demo(
    console: Console,
    keep: Annotated[bool, typer.Option("--keep", help="Keep the folder and say where it is.")] = False,
) -> None:
    """Tell the whole story on a small real model in a temporary folder: seal, tamper, verify, prove. No network.

    \b
    Examples:
      mltrust demo
      mltrust demo --keep
    """
    from mltrust.cli.story import tell

    tell(console, keep=keep)
