"""Lists of revoked keys on disk: read strictly, added to by one process at a time."""

import os
from collections.abc import Sequence
from pathlib import Path

from mltrust.core.revocations import (
    MAX_REVOCATIONS,
    MAX_REVOCATIONS_BYTES,
    Revocation,
    Revocations,
    read_revocations,
)
from mltrust.disk import state
from mltrust.disk.documents import read_document, write_atomically
from mltrust.errors import UsageError

_LOCK_SECONDS = 30.0


def read_list(path: Path) -> Revocations:
    """Return the list in a file; `UnreadableError` if it cannot be read, `FormatError` if it is none."""
    return read_revocations(read_document(path, MAX_REVOCATIONS_BYTES), str(path))


def revoke(path: Path, entries: Sequence[Revocation]) -> Revocations:
    """Add `entries` to the list in a file, which is made if it is not there; return the list as it is then.

    Of a key that is in the list, the earlier time stays. A list that cannot be read stays as it is, and is an error.
    """
    state.make_folder(path.parent, parents=True)
    with state.locked(path.with_name(f".{path.name}.lock"), _LOCK_SECONDS):
        old = read_list(path) if os.path.lexists(path) else Revocations()
        new = old | Revocations.of(entries)
        if len(new.by_key) > MAX_REVOCATIONS:
            raise UsageError(f"{path}: a list holds {MAX_REVOCATIONS} keys at most", hint="Use another --list.")
        if new != old or not path.exists():
            write_atomically(path, new.to_json())
    return new
