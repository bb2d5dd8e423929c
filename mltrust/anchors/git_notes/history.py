"""What a notes ref holds, and what it ever held: all commits from its tip back to the first are read.

Of a note only lines that may be records are kept, and how much is kept is bounded: a repository of some megabytes can
hold notes that are thousands of times as large.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from mltrust.anchors.git_notes.notes import note_pairs
from mltrust.anchors.git_notes.objects import Objects, too_large
from mltrust.anchors.git_notes.record import candidates

MAX_COMMITS = 100_000
MAX_WEIGHT = 250_000
MAX_LINE_BYTES = 2**26

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

    @cached_property
    def weight(self) -> int:
        """How much it takes to hold: one for every note, one for every line beside an object."""
        return sum(1 + len(self.blobs[blob]) for _, blob in self.ever)

    def lines_now(self) -> Lines:
        """The lines that stand in the notes."""
        return self._lines(self.now)

    def lines_gone(self) -> Lines:
        """The lines that once stood in the notes and do not any more."""
        there = self.lines_now()
        return {line: beside for line, beside in self._lines(self.ever - self.now).items() if line not in there}

    def _lines(self, pairs: Pairs) -> Lines:
        found: dict[bytes, set[str]] = {}
        for annotated, blob in pairs:
            for line in self.blobs[blob]:
                found.setdefault(line, set()).add(annotated)
        return {line: frozenset(beside) for line, beside in found.items()}


class Historian:
    """Reads histories; one that continues another it has read costs what is new."""

    def __init__(self) -> None:
        self._known: dict[str, History] = {}
        self._blobs: dict[str, tuple[bytes, ...]] = {}
        self._line_bytes = 0

    def read(self, objects: Objects, tip: str) -> History:
        """Return the history of a tip; raises `MissingObjectError` where it is cut off."""
        if tip not in self._known:
            roots, known = self._walk(objects, tip)
            ever = {pair for history in known for pair in history.ever}
            seen: set[tuple[bytes, str]] = set()
            for root in roots.values():
                for pair in note_pairs(objects, root, seen):
                    ever.add(pair)
                    refuse_weight(len(ever))
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
                raise too_large(f"a history of more than {MAX_COMMITS} commits")
        return roots, known

    def _read_blobs(self, objects: Objects, pairs: Iterable[tuple[str, str]]) -> None:
        weight = 0
        for _, oid in pairs:
            if oid not in self._blobs:
                lines = candidates(objects.blob(oid))
                self._line_bytes += sum(map(len, lines))
                if self._line_bytes > MAX_LINE_BYTES:
                    raise too_large(f"more than {MAX_LINE_BYTES} bytes of records")
                self._blobs[oid] = lines
            weight += 1 + len(self._blobs[oid])
            refuse_weight(weight)


def refuse_weight(weight: int) -> None:
    """Raise an `AnchorError` if that is more than may be held of all histories together."""
    if weight > MAX_WEIGHT:
        raise too_large(f"more than {MAX_WEIGHT} notes and records in all their history")
