"""Writing notes: lines are added, others' notes are merged, nothing is ever taken away.

Merged notes have the lines of all sides, sorted, each once: what `git notes merge -s cat_sort_uniq` does where both
sides changed a note. Unlike it, a note that one side removed and the other left alone stays.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from mltrust.anchors.git_notes.history import History
from mltrust.anchors.git_notes.notes import NotesTree, read_tree
from mltrust.anchors.git_notes.objects import MAX_OBJECT_BYTES, NewObjects, Objects, too_large
from mltrust.anchors.git_notes.repository import Repository
from mltrust.core import names

MAX_MERGED_BYTES = 2**26

Additions = Mapping[str, set[bytes]]
"""Lines that are to stand beside objects, by the object's id."""


@dataclass(frozen=True, slots=True)
class Writer:
    """Writes into one repository, at a time in seconds since 1970."""

    repository: Repository
    seconds: int

    def advance(self, sides: Sequence[History], additions: Additions) -> str:
        """Write notes that have those of all sides and the additions; return their commit.

        Where one side has all of it already, that side's tip is returned.
        """
        new = NewObjects(self.repository.format)
        heads = [side for side in sides if not any(side.tip in o.commits for o in sides if o.tip != side.tip)]
        heads = list({head.tip: head for head in heads}.values())
        with self.repository.objects(MAX_MERGED_BYTES) as objects:
            roots = [objects.commit(head.tip).tree for head in heads]
            tree = _union([read_tree(objects, root) for root in roots], additions, objects, new).write(new)
        if len(heads) == 1 and roots == [tree]:
            return heads[0].tip
        count = sum(map(len, additions.values()))
        message = "mltrust: merge" if len(heads) > 1 else f"mltrust: {names.count(count, 'record')}"
        commit = self.repository.commit(new, tree, [head.tip for head in heads], self.seconds, message)
        self.repository.write(new)
        return commit


def _union(trees: Sequence[NotesTree], additions: Additions, objects: Objects, new: NewObjects) -> NotesTree:
    found = NotesTree()
    for tree in trees:
        new.known |= tree.subtrees
        found.others = {**tree.others, **found.others}
        for annotated, blobs in tree.notes.items():
            found.notes.setdefault(annotated, set()).update(blobs)
    for annotated in [name for name, blobs in found.notes.items() if len(blobs) > 1 or name in additions]:
        found.notes[annotated] = {_note(found.notes[annotated], additions.get(annotated, set()), objects, new)}
    for annotated in additions.keys() - found.notes.keys():
        found.notes[annotated] = {_note(set(), additions[annotated], objects, new)}
    return found


def _note(blobs: set[str], added: set[bytes], objects: Objects, new: NewObjects) -> str:
    lines = added.union(*({line for line in objects.blob(oid).split(b"\n") if line} for oid in blobs))
    note = b"\n".join(sorted(lines)) + b"\n"
    if len(note) > MAX_OBJECT_BYTES:  # nobody could read it
        raise too_large(f"one note would have {len(note)} bytes")
    return new.add("blob", note)
