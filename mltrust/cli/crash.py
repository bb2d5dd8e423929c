"""How a defect of mltrust is shown."""

import os
import sys
import traceback
from contextlib import suppress

from mltrust.core.names import printable

_TRACKER = "https://github.com/mltrust/mltrust/issues"


def show_crash(error: Exception) -> None:
    """Say that this is a defect, with a traceback only where MLTRUST_DEBUG asks for it."""
    with suppress(OSError):
        sys.stderr.write(printable(f"internal error: {type(error).__name__}: {ascii(str(error))[:500]}") + "\n")
        if os.environ.get("MLTRUST_DEBUG"):
            lines = "".join(traceback.format_exception(error)).splitlines()
            sys.stderr.write("".join(f"{printable(line)}\n" for line in lines))
        else:
            hint = "this is a defect of mltrust; run with MLTRUST_DEBUG=1 and report it at"
            sys.stderr.write(f"hint: {hint} {_TRACKER}\n")
