"""What verifying a blinded artifact takes beside its seal, and what may be said of it then."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from mltrust.core.blinding import Blinded, Blinding
from mltrust.core.bundle import Bundle
from mltrust.core.changes import Change
from mltrust.core.manifest import Manifest
from mltrust.core.names import count
from mltrust.core.report import Check, Notice, Outcome
from mltrust.operations.fingerprint import Reading

if TYPE_CHECKING:
    from mltrust.disk.salts import KeptSalts
    from mltrust.statements.erasure import Tombstone


@dataclass(frozen=True)
class Kept:
    """What is kept with a blinded seal: the salts by file, None where they are not here, and the tombstones."""

    salts: "Mapping[str, KeptSalts] | None" = None
    tombstones: "Sequence[Tombstone]" = field(default=())

    def erased(self) -> dict[str, dict[int, bytes]]:
        """Return the hashes of the leaves that are gone, by file and index."""
        found: dict[str, dict[int, bytes]] = {}
        for tombstone in self.tombstones:
            found.setdefault(tombstone.file, {}).update(tombstone.erased)
        return found

    def odd(self, bundle: Bundle) -> str | None:
        """Say how the tombstones contradict the seal or each other; None if they do not."""
        if not self.tombstones:
            return None
        from mltrust.statements.erasure import contradiction

        sizes = {leaf.name: leaf.child_size for leaf in bundle.manifest.blinded}
        return contradiction(self.tombstones, bundle.statement, lambda path: sizes.get(path, 0))


def blinding_of(manifest: Manifest, kept: Kept) -> Blinding:
    """Return how the files of a sealed `manifest` are blinded."""
    erased, salts = kept.erased(), kept.salts
    files: dict[str, Blinded] = {}
    for leaf in manifest.blinded:
        files[leaf.name] = Blinded(None if salts is None else salts[leaf.name], erased.get(leaf.name, {}), leaf)
    return Blinding(files)


def not_blinded(manifest: Manifest) -> Iterator[Notice]:
    """Yield the notice that names files which a blinded seal lists by the digests of their bytes."""
    blinded = {leaf.name for leaf in manifest.blinded}
    others = manifest.size - len(blinded)
    if others:
        first = next(path for path in manifest.paths if path not in blinded)
        message = "not blinded: whoever guesses its bytes can tell from the seal that he is right"
        if others > 1:
            message = f"this and {count(others - 1, 'more file')} are {message}".replace("its bytes", "their bytes")
        yield Notice(code="not-blinded", path=first, message=message)


def noted(change: Change, blinding: Blinding, manifest: Manifest) -> Change:
    """Say of a blinded file that was found changed, as it is in `manifest`, what of it does not fit."""
    blinded, entry = blinding.files.get(change.name), manifest.find(change.name)
    if change.note or blinded is None or blinded.sealed is None or blinded.salts is None or entry is None:
        return change
    sealed, found = blinded.sealed.child_size, entry[1].leaf.child_size
    known = f"{sealed:,} sealed, {len(blinded.erased):,} erased" if blinded.erased else f"{sealed:,} sealed"
    note = "the records are not the sealed ones, or not in their order"
    if found > sealed:
        note = f"{found - sealed:,} too many: {known}"
        note += "; an erased one is back, or an erasure is unfinished" if blinded.erased else ""
    elif found < sealed:
        note = f"records are missing: {known}"
    return change.model_copy(update={"note": note})


def about_blinded(content: Check, kept: Kept, manifest: Manifest) -> Check:
    """Return the check of the content of a blinded artifact: it says no more than what blinded leaves can show."""
    if content.outcome is not Outcome.PASS or not manifest.blinded:
        return content
    files = count(len(manifest.blinded), "file")
    if kept.salts is None:
        hint = "Name them with --salts. Who has no salts can check proofs of single records."
        summary = f"{files} not checked: blinded, and the salts are not here"
        return content.model_copy(update={"outcome": Outcome.UNCHECKED, "summary": summary, "hint": hint})
    uncovered = f"of {files}, blinded, line endings and container are not covered"
    return content.model_copy(update={"summary": f"{content.summary}; {uncovered}"})


def erased_from(reading: Reading, blinding: Blinding) -> tuple[int, int]:
    """Return how many records, and bytes, of what was sealed are missing because they were erased."""
    sizes = {file.path: file.size for file in reading.files}
    found = [leaf for leaf in reading.manifest.blinded if (how := blinding.files.get(leaf.name)) and how.erased]
    records = sum(len(blinding.files[leaf.name].erased) for leaf in found)
    return records, sum(leaf.size - sizes.get(leaf.name, leaf.size) for leaf in found)
