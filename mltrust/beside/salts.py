"""Whether a seal that is to be made has salts beside it."""

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from mltrust.artifacts import AnyPath
from mltrust.beside.paths import salts_path
from mltrust.core.blinding import Blinding
from mltrust.core.bundle import Bundle
from mltrust.core.manifest import Manifest
from mltrust.core.report import Notice
from mltrust.errors import UsageError

if TYPE_CHECKING:
    from mltrust.beside.new_salts import SaltsToBe

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
        from mltrust.beside.new_salts import SaltsToBe

        return SaltsToBe.begin(seal, Path(salts) if salts else salts_path(seal), previous)
    if salts is not None:
        raise UsageError("--salts goes with --blind: without it, there are none")
    if previous is not None and previous.manifest.blinded:
        hint = "Seal it with --blind, or move the seal and what is kept with it away."
        raise UsageError(f"{seal} is blinded, and this would undo that", hint=hint)
    if os.path.lexists(salts_path(seal)):  # of a seal that is gone: in a folder, they would be sealed as content
        raise UsageError(f"{salts_path(seal)} belongs to a blinded seal that is not there", hint="Move it away.")
    return NoSalts()
