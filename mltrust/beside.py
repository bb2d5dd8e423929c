"""What is kept beside a blinded seal: its salts, and the tombstones of what was erased."""

import os
import secrets
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Self

from mltrust import operations
from mltrust.artifacts import AnyPath
from mltrust.core.blinding import Blinded, Blinding
from mltrust.core.bundle import Bundle
from mltrust.core.manifest import Manifest
from mltrust.core.report import Notice
from mltrust.disk.documents import alone, read_document, write_atomically
from mltrust.disk.salts import MAGIC, blocks_of, kept_salts, write_salts
from mltrust.errors import FormatError, SealError, UsageError
from mltrust.statements.erasure import MAX_ERASURES_BYTES, Tombstone, erasures_text, read_erasures

_SECRET_SIZE = 32


def salts_path(seal: Path) -> Path:
    """Return where the salts of a seal are kept: `mltrust.seal.salts` beside `mltrust.seal.json`."""
    return seal.with_name(seal.name.removesuffix(".json") + ".salts")


def erasures_path(seal: Path) -> Path:
    """Return where the tombstones of a seal are kept: `mltrust.seal.erasures.json` beside `mltrust.seal.json`."""
    return seal.with_name(seal.name.removesuffix(".json") + ".erasures.json")


def kept_with(sealed: operations.Placed, salts: AnyPath | None) -> operations.Kept:
    """Return what is kept with a seal that is blinded, with the `salts` that are named; nothing with any other."""
    manifest = sealed.bundle.manifest
    if not manifest.blinded:
        if salts is not None:
            raise UsageError(f"{salts}: the seal is not blinded, so it has no salts")
        return operations.Kept()
    where = Path(salts) if salts else (salts_path(sealed.path) if sealed.path else None)
    here = where is not None and (salts is not None or os.path.lexists(where))
    return operations.Kept(
        kept_salts(where, manifest) if here and where else None, read_tombstones(sealed.path) if sealed.path else ()
    )


def blinding_with(sealed: operations.Placed, salts: AnyPath | None) -> Blinding:
    """Return how the records of a seal are blinded, as far as that is kept with it; `SealError` if that is odd."""
    kept = kept_with(sealed, salts)
    if (odd := kept.odd(sealed.bundle)) is not None:
        raise SealError(f"the erasures beside the seal are not to be believed: {odd}")
    return operations.blinding_of(sealed.bundle.manifest, kept)


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


Sealing = Callable[[Blinding], tuple[Bundle, tuple[Notice, ...]]]
"""Reads the artifact with its records blinded so, and returns the seal and what is worth knowing."""


class NoSalts:
    """What a seal has that is not blinded."""

    beside: Sequence[Path] = ()

    def settle(self, seal: Sealing) -> tuple[Bundle, tuple[Notice, ...]]:
        """Seal."""
        return seal(Blinding())

    def write(self, sealed: Manifest) -> None:
        """Write nothing."""


def salts_to_be(seal: Path, previous: Bundle | None, *, blind: bool, salts: AnyPath | None) -> "NoSalts | SaltsToBe":
    """Decide what salts a seal at `seal` will have, and where: at `salts`, or beside it.

    Raises:
        UsageError: That would undo the blinding of the `previous` seal, or write over what is not its own.
    """
    if blind:
        return SaltsToBe.begin(seal, Path(salts) if salts else salts_path(seal), previous)
    if salts is not None:
        raise UsageError("--salts goes with --blind: without it, there are none")
    if previous is not None and previous.manifest.blinded:
        hint = "Seal it with --blind, or move the seal and what is kept with it away."
        raise UsageError(f"{seal} is blinded, and this would undo that", hint=hint)
    if os.path.lexists(salts_path(seal)):  # of a seal that is gone: in a folder, they would be sealed as content
        raise UsageError(f"{salts_path(seal)} belongs to a blinded seal that is not there", hint="Move it away.")
    return NoSalts()


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
        return bundle, (*found, *operations.not_blinded(bundle.manifest))

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
        with path.open("rb") as opened:
            return path.is_file() and opened.read(len(MAGIC)) == MAGIC
    except OSError:
        return False


def _new_secret() -> bytes:
    return secrets.token_bytes(_SECRET_SIZE)
