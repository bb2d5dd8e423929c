"""What was seen of a repository's notes: the only thing that tells notes that were put back to an earlier state.

In the caller's state folder, under `git-notes`, one file for each repository, named by the SHA-256 of where its
worktrees meet (the common git folder): RFC 8785 JSON that gives for every ref the last tip that was found sound. A
file that does not hold that is an error, never a clean slate.
"""

import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from mltrust.core import canonical
from mltrust.core.model import Document
from mltrust.disk import state
from mltrust.errors import AnchorError, FormatError

LOCK_SECONDS = 30.0

_MAX_BYTES = 256 * 1024


class _Tips(Document):
    type: Literal["mltrust/git-notes-memory/1"] = "mltrust/git-notes-memory/1"
    tips: dict[Annotated[str, Field(max_length=4096)], Annotated[str, Field(pattern=r"^[0-9a-f]{40}([0-9a-f]{24})?$")]]


class Memory:
    """The memory of one repository; many processes may use it at once."""

    def __init__(self, home_state: Path, common: Path) -> None:
        self._folder = home_state / "git-notes"
        self.file = self._folder / sha256(os.fsencode(os.path.normpath(common))).hexdigest()

    def tips(self) -> dict[str, str]:
        """Return the remembered tip of every ref that was seen."""
        data = state.read(self.file, _MAX_BYTES)
        if data is None:
            return {}
        try:
            return _Tips.from_json(canonical.loads(data, str(self.file)), str(self.file)).tips
        except FormatError as error:
            hint = f"Restore it from a backup; or, to forget what was seen of that repository, remove '{self.file}'."
            raise AnchorError(f"{self.file}: what was remembered of git notes is damaged", hint=hint) from error

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Keep other processes from changing the memory."""
        state.make_folder(self._folder, parents=True)
        with state.locked(self._folder / "lock", LOCK_SECONDS):
            yield

    def keep(self, tips: Mapping[str, str]) -> None:
        """Remember these tips beside those of other refs. Call it `locked`."""
        document = _Tips(tips={**self.tips(), **tips})
        state.replace(self.file, canonical.dumps(document.to_json()))
