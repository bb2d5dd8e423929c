"""What a notes ref holds, and what it ever held: all commits from its tip back to the first are read."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from mltrust.anchors.git_notes.notes import note_pairs
from mltrust.anchors.git_notes.objects import Objects
from mltrust.errors import AnchorError

MAX_COMMITS = 100_000

_KEPT = 16

Pairs = frozenset[tuple[str, str]]
Lines = Mapping[bytes, frozenset[str]]
"""Lines of notes, and the objects they stand beside."""


@dataclass(frozen=True)
class History:
    """All notes of a tip: `now`, and `ever` in any commit it descends from, as pairs of annotated object and blob."""

    tip: str
    commits: frozenset[str]
    ever: Pairs
    now: Pairs
    blobs: Mapping[str, tuple[bytes, ...]]

    def lines_now(self) -> Lines:
        """The lines that stand in the notes."""
        return self._lines(self.now)

    def lines_gone(self) -> Lines:
        """The lines that once stood in the notes and do not any more."""
        there = self.lines_now()
        return {line: beside for line, beside in self._lines(self.ever - self.now).items() if line not in there}

    def _lines(self, pairs: Pairs) -> Lines:
        found: dict[bytes, frozenset[str]] = {}
        for annotated, blob in pairs:
            for line in self.blobs[blob]:
                found[line] = found.get(line, frozenset()) | {annotated}
        return found


class Historian:
    """Reads histories; one that continues another it has read costs what is new."""

    def __init__(self) -> None:
        self._known: dict[str, History] = {}
        self._blobs: dict[str, tuple[bytes, ...]] = {}

    def read(self, objects: Objects, tip: str) -> History:
        """Return the history of a tip; raises `MissingObjectError` where it is cut off."""
        if tip not in self._known:
            roots, known = self._walk(objects, tip)
            ever = {pair for history in known for pair in history.ever}
            seen: set[tuple[bytes, str]] = set()
            for root in roots.values():
                ever.update(note_pairs(objects, root, seen))
            now = frozenset(note_pairs(objects, objects.commit(tip).tree, set()))
            commits = frozenset(roots).union(*(history.commits for history in known))
            self._read_blobs(objects, ever)
            self._known[tip] = History(tip, commits, frozenset(ever), now, self._blobs)
        found = self._known[tip]
        self._known = dict(list(self._known.items())[-_KEPT:])
        return found

    def _walk(self, objects: Objects, tip: str) -> tuple[dict[str, str], list[History]]:
        # The commits that were not read before, with their trees, and the histories they continue.
        roots: dict[str, str] = {}
        known: list[History] = []
        pending, met = [tip], {tip}
        while pending:
            oid = pending.pop()
            if oid in self._known:
                known.append(self._known[oid])
                continue
            commit = objects.commit(oid)
            roots[oid] = commit.tree
            new = [parent for parent in commit.parents if parent not in met]
            met.update(new)
            pending += new
            if len(met) > MAX_COMMITS:
                raise AnchorError(f"the notes have a history of more than {MAX_COMMITS} commits")
        return roots, known

    def _read_blobs(self, objects: Objects, pairs: Iterable[tuple[str, str]]) -> None:
        for _, oid in pairs:
            if oid not in self._blobs:
                self._blobs[oid] = tuple(line for line in objects.blob(oid).split(b"\n") if line)
