"""TOML that the user wrote, as tables: read within bounds, and any trouble is the user's to mend."""

import tomllib
from pathlib import Path
from typing import Any

from mltrust.disk.documents import read_document
from mltrust.errors import UnreadableError, UsageError

MAX_CONFIGURATION_BYTES = 2**20


def read_tables(path: Path) -> dict[str, Any]:
    """Return the tables of a file; whatever is wrong with it as TOML is a `UsageError` that names `path`."""
    try:
        return tomllib.loads(read_document(path, MAX_CONFIGURATION_BYTES).decode())
    except UnreadableError as error:
        raise UsageError(str(error)) from error
    except UnicodeDecodeError as error:
        raise UsageError(f"{path}: not UTF-8 at byte {error.start}") from error
    except ValueError as error:  # not TOML, or a number of thousands of digits
        raise UsageError(f"{path}: {error}") from error
    except RecursionError as error:
        raise UsageError(f"{path}: nested too deep") from error
