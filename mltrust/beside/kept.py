"""What is kept with a blinded seal, as whoever reads the artifact wants it."""

import os
from pathlib import Path

from mltrust.artifacts import AnyPath
from mltrust.beside.paths import salts_path
from mltrust.core.blinding import Blinding
from mltrust.errors import SealError, UsageError
from mltrust.operations.anchor import Placed
from mltrust.operations.blinding import Kept, blinding_of


def kept_with(sealed: Placed, salts: AnyPath | None) -> Kept:
    """Return what is kept with a seal that is blinded, with the `salts` that are named; nothing with any other."""
    manifest = sealed.bundle.manifest
    if not manifest.blinded:
        if salts is not None:
            raise UsageError(f"{salts}: the seal is not blinded, so it has no salts")
        return Kept()
    from mltrust.beside.tombstones import read_tombstones
    from mltrust.disk.salts import kept_salts

    where = Path(salts) if salts else (salts_path(sealed.path) if sealed.path else None)
    here = where is not None and (salts is not None or os.path.lexists(where))
    return Kept(
        kept_salts(where, manifest) if here and where else None, read_tombstones(sealed.path) if sealed.path else ()
    )


def blinding_with(sealed: Placed, salts: AnyPath | None) -> Blinding:
    """Return how the records of a seal are blinded, as far as that is kept with it; `SealError` if that is odd."""
    kept = kept_with(sealed, salts)
    if (odd := kept.odd(sealed.bundle)) is not None:
        raise SealError(f"the erasures beside the seal are not to be believed: {odd}")
    return blinding_of(sealed.bundle.manifest, kept)
