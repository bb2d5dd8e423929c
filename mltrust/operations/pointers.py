"""Git LFS pointers where sealed files should be: what they stand for is compared with the sealed SHA-256."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from mltrust.core.changes import Change, ChangeKind
from mltrust.core.columns import Files
from mltrust.core.manifest import Entry, Manifest, ManifestBuilder
from mltrust.core.names import count
from mltrust.core.report import Scope
from mltrust.operations.fingerprint import Reading

_OTHER = "a Git LFS pointer to other content stands where the content should be"


@dataclass(frozen=True)
class Pointed:
    """The sealed entries, by path, for which nothing but a pointer to their very bytes is here."""

    entries: Mapping[str, Entry]

    @property
    def files(self) -> int:
        """How many there are."""
        return len(self.entries)

    @property
    def bytes(self) -> int:
        """How many sealed bytes are not here for that reason."""
        return sum(entry.leaf.size for entry in self.entries.values())

    def filled(self, reading: Reading) -> Reading:
        """Return what was read as if their content were here; other pointers stay."""
        if not self.entries:
            return reading
        manifest = _with_entries(reading.manifest, self.entries)
        return replace(reading, manifest=manifest, pointers=reading.pointers.difference(self.entries))


def pointed(sealed: Manifest, reading: Reading) -> Pointed:
    """Find the pointers that stand for sealed files; there are none for a seal without SHA-256."""
    found: dict[str, Entry] = {}
    for path, pointer in reading.named.items() if sealed.has_sha256 else ():
        match = sealed.find(path)
        if match is not None and pointer.names(match[1].sha256, match[1].leaf.size):
            found[path] = match[1]
    return Pointed(found)


def pointers_said(scope: Scope) -> str:
    """Say what is not here."""
    are = "is a Git LFS pointer that matches" if scope.pointers == 1 else "are Git LFS pointers that match"
    content = "its content is" if scope.pointers == 1 else "their content is"
    return f"{count(scope.pointers, 'file')} {are} the sealed SHA-256; {content} not here"


def explained(change: Change, sealed: Manifest) -> Change:
    """Say of a pointer that is a difference that it was compared, if it was."""
    if change.kind is not ChangeKind.POINTER or not sealed.has_sha256:
        return change
    return change.model_copy(update={"note": _OTHER})


def _with_entries(manifest: Manifest, entries: Mapping[str, Entry]) -> Manifest:
    """Return a manifest in which `entries` stand in the place of those with their paths; without any SHA-256."""
    builder = ManifestBuilder()
    for piece in manifest.pieces():
        if isinstance(piece, Files) and entries.keys().isdisjoint(piece.paths):
            builder.add_files(*piece[:3])
            continue
        for entry in piece.entries() if isinstance(piece, Files) else (piece,):
            builder.add(entries.get(entry.path, entry)._replace(sha256=b""))
    return builder.build()
