"""The process: its streams, its memory, its command line, and the last line of defence."""

import gc
import os
import sys
from io import TextIOWrapper
from pathlib import Path

from mltrust.cli.crash import show_crash
from mltrust.cli.exits import Exit

# New objects between two looks for cycles: each answer of a bucket leaves ten, and an artifact may take millions.
_CYCLES = 50_000


def main() -> None:
    """Run the command line; a crash ends as exit code 4, so it can never look like a finding."""
    _mend_streams()
    if any("://" in argument for argument in sys.argv):
        gc.set_threshold(_CYCLES)
    else:
        gc.disable()  # one command, then the end: what is read stays until then, and walking over it costs a fifth
    # Nothing of another package comes between a document and its model. Looking for it would take longer than both.
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    try:
        from mltrust.cli.commands import application  # only now, so that nothing walks over Typer either

        application(*sys.argv[1:2])()
    except BrokenPipeError:  # nobody reads what is wrong with the command line
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
        sys.exit(Exit.USAGE)
    except KeyboardInterrupt:
        sys.exit(Exit.INTERRUPTED)
    except Exception as error:  # noqa: BLE001  # the last line of defence
        show_crash(error)
        sys.exit(Exit.INTERNAL)
    finally:
        gc.freeze()  # else the interpreter walks over all of it when it ends


def _mend_streams() -> None:
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # closed by whoever started us
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115  # open until the end
        if isinstance(stream := getattr(sys, name), TextIOWrapper):
            stream.reconfigure(errors="backslashreplace")
