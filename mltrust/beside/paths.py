"""Where what is kept beside a seal is kept."""

import os
from collections.abc import Sequence
from pathlib import Path

from mltrust.core.exclusion import RECORDS_NAME, Exclusions
from mltrust.errors import UsageError


def salts_path(seal: Path) -> Path:
    """Return where the salts of a seal are kept: `mltrust.seal.salts` beside `mltrust.seal.json`."""
    return _beside(seal, ".salts")


def erasures_path(seal: Path) -> Path:
    """Return where the tombstones of a seal are kept: `mltrust.seal.erasures.json` beside `mltrust.seal.json`."""
    return _beside(seal, ".erasures.json")


def store_path(seal: Path) -> Path:
    """Return where the record store of a seal is kept: `mltrust.seal.records` beside `mltrust.seal.json`."""
    return _beside(seal, ".records")


def refuse_store(artifact: Path | None, exclude: Sequence[str]) -> None:
    """Refuse to take the record store of an earlier seal for content: `UsageError` if one would be."""
    if artifact is None or not artifact.is_dir() or not os.path.lexists(artifact / RECORDS_NAME):
        return
    if not Exclusions(exclude).match(RECORDS_NAME, folder=False):
        hint = f"Seal with --records keep, or delete {artifact / RECORDS_NAME}."
        raise UsageError("a record store lies in the artifact", hint=hint)


def _beside(seal: Path, ending: str) -> Path:
    return seal.with_name(seal.name.removesuffix(".json") + ending)
