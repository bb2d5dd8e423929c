"""The salts of a blinded seal that is being made."""

import os
import secrets
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from mltrust.beside.paths import erasures_path
from mltrust.beside.salts import Sealing
from mltrust.core.blinding import Blinded, Blinding
from mltrust.core.bundle import Bundle
from mltrust.core.manifest import Manifest
from mltrust.core.report import Notice
from mltrust.disk.documents import reading
from mltrust.disk.salts import MAGIC, blocks_of, kept_salts, write_salts
from mltrust.errors import FormatError, UnreadableError, UsageError
from mltrust.operations.blinding import not_blinded

_SECRET_SIZE = 32


@dataclass
class SaltsToBe:
    """Salts of a seal that is being made: those of `previous` for files that have not changed, else new ones."""

    path: Path
    beside: Sequence[Path]
    blinding: Blinding
    previous: Manifest

    @classmethod
    def begin(cls, seal: Path, path: Path, previous: Bundle | None) -> Self:
        """Take up the salts that are there; nothing of another seal is written over."""
        erasures, manifest = erasures_path(seal), previous.manifest if previous else Manifest()
        if os.path.lexists(erasures):
            hint = "Move the seal, its salts and its erasures elsewhere, together; then seal what is left."
            raise UsageError(f"records of the seal that is there were erased: {erasures}", hint=hint)
        if os.path.lexists(path) and not (manifest.blinded and _is_salts(path)):
            raise UsageError(f"{path} is there, and does not belong to the seal that is there", hint="Move it away.")
        return cls(path, (path, erasures), Blinding(_reused(path, manifest), _new_secret()), manifest)

    def settle(self, seal: Sealing) -> tuple[Bundle, tuple[Notice, ...]]:
        """Seal; once more with new salts for the files that have changed.

        A salt is never used for another record: who was shown it with the old one could guess the new one.
        """
        bundle, found = seal(self.blinding)
        new, old = ({leaf.name: leaf for leaf in side.blinded} for side in (bundle.manifest, self.previous))
        same = {path: how for path, how in self.blinding.files.items() if new.get(path) == old.get(path)}
        if len(same) < len(self.blinding.files):
            self.blinding = replace(self.blinding, files=same)
            bundle, found = seal(self.blinding)
        if not bundle.manifest.blinded:
            hint = "It blinds the records of JSONL, CSV, Parquet and tar files."
            raise UsageError("--blind, and there is no file of records", hint=hint)
        return bundle, (*found, *not_blinded(bundle.manifest))

    def write(self, sealed: Manifest) -> None:
        """Write the salts of what was sealed, if any are new."""
        if sealed.blinded != self.previous.blinded or len(self.blinding.files) < len(sealed.blinded):
            write_salts(self.path, self._blocks(sealed))

    def _blocks(self, sealed: Manifest) -> Iterator[bytes]:
        for leaf in sealed.blinded:
            how = self.blinding.of(leaf.name)
            if how is not None and how.salts is not None:
                yield from blocks_of(how.salts, leaf.child_size)


def _reused(path: Path, manifest: Manifest) -> dict[str, Blinded]:
    if not os.path.lexists(path):
        return {}
    try:
        return {name: Blinded(salts) for name, salts in kept_salts(path, manifest).items()}
    except FormatError:  # they are of a seal that was never written: whoever was to write it was killed
        return {}


def _is_salts(path: Path) -> bool:
    try:
        with reading(path, 2**63) as opened:
            return opened.read(len(MAGIC)) == MAGIC
    except UnreadableError:
        return False


def _new_secret() -> bytes:
    return secrets.token_bytes(_SECRET_SIZE)
