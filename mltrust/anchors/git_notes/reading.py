"""Reading all refs that hold notes, against what was remembered of them.

Every ref has to be sound by itself, and a record counts if it stands in one of them: a branch that was fetched later
than the notes is ahead of them, and notes that were not pushed yet are ahead of the branch. Neither is a
contradiction.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from mltrust.anchors.git_notes.history import Historian, History, refuse_weight
from mltrust.anchors.git_notes.memory import Memory
from mltrust.anchors.git_notes.objects import MissingObjectError
from mltrust.anchors.git_notes.repository import NOTES, NoCommitError, Repository
from mltrust.core.report import AnchorState
from mltrust.disk.git.process import quoted
from mltrust.errors import AnchorError, ContradictionError


@dataclass(frozen=True)
class Place:
    """A ref that holds notes, and all its history."""

    ref: str
    history: History


class Reader:
    """Reads the places of one repository."""

    def __init__(self, repository: Repository, memory: Memory, historian: Historian) -> None:
        self._repository = repository
        self._memory = memory
        self._historian = historian

    def read(self, only: Collection[str] | None = None) -> list[Place]:
        """Return the places, those in refs `only` if given.

        Raises:
            ContradictionError: One of them went back behind what was seen of it, or is gone.
            AnchorError: Not all of their history is here.
        """
        places = self._places(only)
        try:
            self._refuse_rollback(places, only)
        except ContradictionError:
            with self._memory.locked():  # another may have moved a ref and remembered that in the meantime
                places = self._places(only)
                self._refuse_rollback(places, only)
        return places

    def tips(self, kept: Mapping[str, str] | None = None) -> dict[str, str]:
        """Return the tips of the refs that hold notes.

        Raises:
            ContradictionError: One that led to notes, as was remembered or `kept`, leads to something else.
        """
        try:
            return self._repository.tips()
        except NoCommitError as error:
            last = {**(kept or {}), **self._memory.tips()}.get(error.ref)
            if last is None:
                raise
            hint = self._forget(error.ref, last)
            message = f"{error}; its last tip was {last}"
            raise ContradictionError(message, state=AnchorState.ROLLBACK, hint=hint) from error

    def remember(self, places: Sequence[Place]) -> None:
        """Remember the tips of places that were found sound, unless more of one was seen already."""
        known = self._memory.tips()
        if all(known.get(place.ref) == place.history.tip for place in places):
            return  # so the memory need not be writable
        with self._memory.locked():
            known = self._memory.tips()
            ahead = {p.ref: p.history.tip for p in places if known.get(p.ref, p.history.tip) in p.history.commits}
            self._memory.keep(ahead)

    def went_back(self, kept: str, tip: str) -> bool:
        """Tell whether `tip`, if it is here, is no descendant of `kept`."""
        with self._repository.objects() as objects:
            try:
                return kept not in self._historian.read(objects, tip).commits
            except MissingObjectError:
                return False

    def _places(self, only: Collection[str] | None) -> list[Place]:
        tips = {ref: tip for ref, tip in self.tips().items() if only is None or ref in only}
        histories: dict[str, History] = {}
        with self._repository.objects() as objects:
            try:
                for tip in dict.fromkeys(tips.values()):
                    histories[tip] = self._historian.read(objects, tip)
                    refuse_weight(sum(history.weight for history in histories.values()))
            except MissingObjectError as error:
                raise self._cut_off(error) from error
        places = [Place(ref, histories[tip]) for ref, tip in tips.items()]
        return sorted(
            places, key=lambda place: (not place.ref.startswith("refs/notes/"), place.ref != NOTES, place.ref)
        )

    def _refuse_rollback(self, places: Sequence[Place], only: Collection[str] | None) -> None:
        found = {place.ref: place.history for place in places}
        for ref, last in self._memory.tips().items():
            forget = self._forget(ref, last)
            # A push or a fetch may leave a remote's ref behind another one here, and a branch may be deleted.
            elsewhere = ref != NOTES and any(last in history.commits for history in found.values())
            if elsewhere or (only is not None and ref not in only):
                continue
            if ref not in found:
                message = f"{ref} is gone; its last tip was {last}"
                raise ContradictionError(message, state=AnchorState.REMOVED, hint=forget)
            if last not in found[ref].commits:
                message = f"{ref} went back behind what was seen of it: from {last} to {found[ref].tip}"
                raise ContradictionError(message, state=AnchorState.ROLLBACK, hint=forget)

    def _forget(self, ref: str, last: str) -> str:
        return f"Restore it: git update-ref {ref} {last}. To forget on purpose: remove '{self._memory.file}'."

    def _cut_off(self, error: AnchorError) -> AnchorError:
        if not self._repository.remotes:
            return AnchorError(f"the history of the notes is damaged: {error}", hint="Run: git fsck")
        remote, refspec = quoted(self._repository.remotes[0]), f"{NOTES}:{NOTES}"
        if self._repository.is_shallow:
            hint = f"Fetch all of it: git fetch --unshallow {remote} {refspec}"
            return AnchorError("the history of the notes was fetched only in part (shallow)", hint=hint)
        hint = f"Fetch it whole: git fetch --refetch --no-filter {remote} {refspec}. If that is no help: git fsck"
        return AnchorError(f"the history of the notes is not all here: {error}", hint=hint)
