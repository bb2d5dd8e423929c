"""The record store beside a seal: where it is, what is written into it, and what it is good for."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from mltrust.beside.paths import store_path
from mltrust.core.manifest import Manifest
from mltrust.core.report import Notice
from mltrust.errors import UnreadableError, UsageError
from mltrust.interfaces import Means
from mltrust.operations.means import is_remote

if TYPE_CHECKING:
    from mltrust.disk.records import RecordHashes
    from mltrust.operations.rows import RowSide


def store_beside(seal: Path | None, manifest: Manifest) -> "RowSide":
    """Return the sealed side of a comparison of rows; a store that is not that of the seal is passed over."""
    from mltrust.operations.rows import RowSide

    if seal is None:
        return RowSide(why="a record store is read beside a seal on this machine only")
    path = store_path(seal)
    if not os.path.lexists(path):
        return RowSide()
    from mltrust.disk.records import RecordStore

    try:
        return RowSide(RecordStore.opened(path, manifest), "")
    except UnreadableError as error:
        message = f"rows cannot be named: {str(error).removeprefix(f'{path}: ')}"
        return RowSide(why=str(error), odd=Notice(code="record-store", path=path.name, message=message))


@dataclass(frozen=True)
class StoreToBe:
    """The record store of a seal that is being made, if there is to be one; the means to read the artifact with."""

    means: Means
    beside: Sequence[Path] = ()
    hashes: "RecordHashes | None" = None

    def write(self, manifest: Manifest) -> None:
        """Write the store of a seal that is there already: one without its store is as good as one without any."""
        if self.hashes is not None and manifest.record_files:
            from mltrust.disk.records import write_store

            write_store(self.beside[0], manifest.record_files, self.hashes)


@contextmanager
def store_to_be(seal: Path, means: Means, *, keep: bool) -> Iterator[StoreToBe]:
    """Have hashes of records kept for the store of a seal at `seal`, if they are to be, until the block is over."""
    if not keep:
        yield StoreToBe(means)
        return
    from mltrust.operations.rows import keeping

    if is_remote(means):
        hint = "Seal with --engine threads, or without --records keep."
        raise UsageError("--records keep: other machines read, and hashes of records stay with them", hint=hint)
    with keeping(means) as (keeper, side):
        yield StoreToBe(keeper, (store_path(seal),), side.hashes)
