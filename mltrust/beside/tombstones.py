"""The tombstones beside a blinded seal."""

import os
from collections.abc import Sequence
from pathlib import Path

from mltrust.beside.paths import erasures_path
from mltrust.disk.documents import alone, read_document, write_atomically
from mltrust.errors import SealError
from mltrust.statements.erasure import MAX_ERASURES_BYTES, Tombstone, erasures_text, read_erasures


def read_tombstones(seal: Path) -> tuple[Tombstone, ...]:
    """Return the tombstones beside a seal; none where there is no such file."""
    path = erasures_path(seal)
    return read_erasures(read_document(path, MAX_ERASURES_BYTES), str(path)) if os.path.lexists(path) else ()


def put_tombstones(seal: Path, seen: Sequence[Tombstone], new: Sequence[Tombstone]) -> None:
    """Write tombstones where those were that somebody has `seen`; `SealError` if there are others by now."""
    with alone(seal.parent):
        if read_tombstones(seal) != tuple(seen):
            raise SealError(f"{erasures_path(seal)}: something else was erased meanwhile", hint="Run it again.")
        write_atomically(erasures_path(seal), erasures_text(new))
