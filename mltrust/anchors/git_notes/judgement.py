"""What the notes say of a digest, to someone who trusts certain keys.

Only records count that one of these keys signed; everything else anybody could have written. What counts may only
become more: a record that ever stood in a ref and does not any more was removed, whoever pushed that, and however
cleanly.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

from mltrust.anchors.git_notes.history import History, Lines
from mltrust.anchors.git_notes.reading import Place
from mltrust.anchors.git_notes.record import Record, digest_of, names_path
from mltrust.core.digest import Digest
from mltrust.core.note import Signed, VerifierKey
from mltrust.core.report import AnchorState
from mltrust.errors import ContradictionError, FormatError


def said_of(record: Record, keys: Sequence[VerifierKey]) -> Signed:
    """Tell what the keys say of a record: VALID if one signed it, INVALID if one is misused, else UNKNOWN."""
    said = {record.note.signed_by(key) for key in keys}
    return next((answer for answer in (Signed.VALID, Signed.INVALID) if answer in said), Signed.UNKNOWN)


@dataclass(frozen=True)
class Judgement:
    """The places that were read, and the keys that are trusted."""

    places: Sequence[Place]
    keys: Sequence[VerifierKey]

    def records(self, digest: Digest) -> list[tuple[Record, Place]]:
        """Return the records for a digest that count, the earliest first, each with the first place it stands in."""
        return self._found(digest, trusted=True)

    def foreign(self, digest: Digest) -> list[tuple[Record, Place]]:
        """Return the records for a digest that nobody trusted signed."""
        return self._found(digest, trusted=False)

    def voice(self, record: Record) -> str:
        """Return the voice of the key that signed a record which counts."""
        return next(key.voice for key in self.keys if record.note.signed_by(key) is Signed.VALID)

    def place_of(self, line: bytes) -> Place | None:
        """Return the first place a line stands in."""
        return next((place for place in self.places if line in self._now[place.ref]), None)

    def refuse_removal(self, digest: Digest) -> None:
        """Raise a `ContradictionError` if a record for the digest that counts was ever there and is gone."""
        for ref, gone in self._gone.items():
            for record, beside in gone:
                if record.digest == str(digest):
                    raise self._removal(ref, record, beside)

    def refuse_replacement(self, digest: Digest, path: str | None) -> None:
        """Raise a `ContradictionError` if a record that counts gives the path to another digest."""
        for place in self.places:
            for other, _ in self._standing_for(place.ref, path):
                if other.digest != str(digest):
                    message = f"the notes have another seal for {path}: {other.digest}, of {other.time}"
                    hint = "If this seal is a newer release, publish it: mltrust anchor SEAL --to git-notes:PATH."
                    raise ContradictionError(message, state=AnchorState.REPLACED, hint=hint, evidence=_shown(other))

    def sound(self) -> list[Place]:
        """Return the places from which nothing that counts is gone."""
        return [place for place in self.places if not self._gone[place.ref]]

    def gone(self, digest: Digest | None = None) -> list[tuple[Record, frozenset[str]]]:
        """Return the records that count and are gone somewhere, of one digest or of all, and what they stood beside."""
        found = {record.format(): (record, beside) for gone in self._gone.values() for record, beside in gone}
        return [each for each in found.values() if digest is None or each[0].digest == str(digest)]

    def later(self, record: Record) -> bool:
        """Tell whether a record that counts gives the path of this one to another digest later."""
        found = (other for place in self.places for other, _ in self._standing_for(place.ref, record.path))
        return any(other.time > record.time and other.digest != record.digest for other in found)

    @cached_property
    def _now(self) -> dict[str, Lines]:
        read = {tip: history.lines_now() for tip, history in self._histories.items()}
        return {place.ref: read[place.history.tip] for place in self.places}

    @cached_property
    def _gone(self) -> dict[str, list[tuple[Record, frozenset[str]]]]:
        read = {tip: self._counting(history.lines_gone()) for tip, history in self._histories.items()}
        return {place.ref: read[place.history.tip] for place in self.places}

    @property
    def _histories(self) -> dict[str, History]:
        return {place.history.tip: place.history for place in self.places}  # refs that agree are read once

    def _counting(self, lines: Lines) -> list[tuple[Record, frozenset[str]]]:
        read = [(_record(line), beside) for line, beside in lines.items()]
        kept = [(r, beside) for r, beside in read if r is not None and said_of(r, self.keys) is Signed.VALID]
        return sorted(kept, key=lambda each: (each[0].time, each[0].format()))

    @cached_property
    def _by_digest(self) -> dict[bytes, dict[bytes, Place]]:
        # Digest to line to the first place it stands in.
        found: dict[bytes, dict[bytes, Place]] = defaultdict(dict)
        for place in self.places:
            for line in self._now[place.ref]:
                found[digest_of(line)].setdefault(line, place)
        return found

    def _found(self, digest: Digest, *, trusted: bool) -> list[tuple[Record, Place]]:
        found: list[tuple[Record, Place]] = []
        for line, place in self._by_digest.get(str(digest).encode(), {}).items():
            record = _record(line)
            if record is not None and (said_of(record, self.keys) is Signed.VALID) is trusted:
                found.append((record, place))
        return sorted(found, key=lambda each: (each[0].time, each[0].format()))

    def _standing_for(self, ref: str, path: str | None) -> list[tuple[Record, frozenset[str]]]:
        if path is None:
            return []
        lines = self._now[ref]
        standing = self._counting({line: beside for line, beside in lines.items() if names_path(line, path)})
        return [(record, beside) for record, beside in standing if record.path == path]

    def _removal(self, ref: str, record: Record, beside: frozenset[str]) -> ContradictionError:
        hint = f"Its history shows who did it: git log -p {ref}. Publishing the seal again puts the record back."
        others = [other for other, _ in self._standing_for(ref, record.path) if other.digest != record.digest]
        others += [
            other
            for other, _ in self._counting({line: b for line, b in self._now[ref].items() if b & beside})
            if other.digest != record.digest
        ]
        if others:
            message = f"the record of {record.time} was replaced in {ref}: there is one of {others[0].time} instead"
            evidence = (*_shown(record), *_shown(others[0]))
            return ContradictionError(message, state=AnchorState.REPLACED, hint=hint, evidence=evidence)
        message = f"the record of {record.time} was removed from {ref}"
        return ContradictionError(message, state=AnchorState.REMOVED, hint=hint, evidence=_shown(record))


def _record(line: bytes) -> Record | None:
    if not digest_of(line):
        return None
    try:
        return Record.parse(line, "record")
    except FormatError:  # anybody can write a line
        return None


def _shown(record: Record) -> tuple[str, ...]:
    return (record.format().decode(),)
