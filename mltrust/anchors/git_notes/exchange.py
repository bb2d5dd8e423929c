"""Exchange with a remote: its notes are fetched and merged, ours are pushed, and none is lost on the way."""

from collections.abc import Sequence
from dataclasses import dataclass

from mltrust.anchors.git_notes.judgement import Judgement
from mltrust.anchors.git_notes.patience import Patience
from mltrust.anchors.git_notes.publishing import Published
from mltrust.anchors.git_notes.reading import Place, Reader
from mltrust.anchors.git_notes.remote import Listing, Remote
from mltrust.anchors.git_notes.repository import NOTES
from mltrust.anchors.git_notes.writing import Additions, Writer
from mltrust.core.note import VerifierKey
from mltrust.core.report import AnchorState
from mltrust.disk.git.process import quoted
from mltrust.errors import AnchorError, ContradictionError

_REFUSALS = 5
_FETCHES = 12


@dataclass(frozen=True)
class Exchange:
    """Brings notes from and to one remote."""

    remote: Remote
    reader: Reader
    patience: Patience

    def fetch(self) -> frozenset[str]:
        """Fetch the notes and the branch; return the refs under which they are kept here.

        1. What the remote lists is fetched; it must still list what it once had.
        2. What is kept here goes forward only. If that was in the way, either the remote's refs do not descend from
           what was kept before it was asked: they went back. Or another fetch was faster: from the top.
        """
        trouble: AnchorError | None = None
        for _ in self.patience.tries(_FETCHES):
            # 1.
            listing = self.remote.listed(self.reader.tips())
            trouble = self.remote.fetch(list(listing.tips)) if listing.tips else None
            if trouble is None:
                # git lets something else than a commit take the place of one: then nothing else tells what was there.
                self.reader.tips({self.remote.tracking[ref]: tip for ref, tip in listing.kept.items()})
                return frozenset(self.remote.tracking[ref] for ref in listing.tips)
            # 2.
            self._refuse_rollback(listing)
        raise trouble or AnchorError(f"{self.remote.name} could not be fetched from")

    def push(self, writer: Writer, published: Published, trusted: Sequence[VerifierKey]) -> None:
        """Bring the notes to the remote, and the branch beside them.

        1. If the remote has both at our tip, there is nothing to do.
        2. What it has that we have not is fetched. It must not have gone back, nor a record that counts have been
           removed there: that is for people to look at, and is never merged. What is published right now is put back.
        3. Its notes and ours are merged here.
        4. Both refs are pushed, without force; if they moved in the meantime: from the top.
        """
        refusals, said, last = 0, "others were faster every time", None
        for _ in self.patience.tries():
            # 1.
            listed = self.remote.listed(self.reader.tips()).tips
            refusals, last = refusals if listed == last else 0, listed
            ours = self._ours()
            if all(listed.get(ref) == ours.history.tip for ref in self.remote.tracking):
                return
            # 2. and 3.
            if not all(tip in ours.history.commits for tip in listed.values()):
                if not self._merge(writer, published, trusted):
                    continue  # another wrote here
                ours = self._ours()
            # 4.
            refused = self.remote.push(ours.history.tip)
            if refused is None:
                return
            said, refusals = refused, refusals + 1
            if refusals == _REFUSALS:
                break
        hint = "The records are in this repository. If the remote protects the branch, let the publisher push to it."
        raise AnchorError(f"{self.remote.name} did not take the notes: {said}", hint=hint)

    def _merge(self, writer: Writer, published: Published, trusted: Sequence[VerifierKey]) -> bool:
        fetched = self.fetch()
        places = self.reader.read()
        theirs = [place for place in places if place.ref in fetched]
        lines = self._put_back(theirs, published, trusted)
        ours = next(place for place in places if place.ref == NOTES)
        sides = [ours.history, *(place.history for place in theirs)]
        merged = writer.advance(sides, lines)
        return merged == ours.history.tip or writer.repository.swap(ours.history.tip, merged) is None

    def _put_back(self, theirs: Sequence[Place], published: Published, trusted: Sequence[VerifierKey]) -> Additions:
        # What is published, and all else that counts for its digests and was removed at the remote.
        lines = {annotated: set(some) for annotated, some in published.lines.items()}
        for record, beside in Judgement(theirs, trusted).gone():
            if record.digest not in {each.digest for each in published.records}:
                message = f"the record of {record.time} for {record.digest} was removed at {self.remote.name}"
                hint = "The notes here still have it. Publish its seal again, and push, to put it back there."
                evidence = (record.format().decode(),)
                raise ContradictionError(message, state=AnchorState.REMOVED, hint=hint, evidence=evidence)
            for annotated in beside:
                lines.setdefault(annotated, set()).add(record.format())
        return lines

    def _ours(self) -> Place:
        return next(place for place in self.reader.read() if place.ref == NOTES)

    def _refuse_rollback(self, listing: Listing) -> None:
        for ref, tip in listing.tips.items():
            kept = listing.kept.get(ref)
            if kept is not None and self.reader.went_back(kept, tip):
                name, tracking = quoted(self.remote.name), self.remote.tracking[ref]
                message = f"{ref} of {self.remote.name} went back behind what was seen of it: from {kept} to {tip}"
                hint = f"To put it back: git push {name} +{kept}:{ref}. To forget: git update-ref -d {tracking}"
                raise ContradictionError(message, state=AnchorState.ROLLBACK, hint=hint)
