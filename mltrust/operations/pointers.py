"""Git LFS pointers where sealed files should be: what they stand for is compared with the sealed SHA-256.

They lie in the artifact, or its source made them of what a host tells of files (`Listed.told_by`).
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field, replace

from mltrust.core.changes import Change, ChangeKind
from mltrust.core.columns import Files
from mltrust.core.digest import SHA256, Suite
from mltrust.core.lfs import Pointer
from mltrust.core.manifest import Entry, Manifest, ManifestBuilder
from mltrust.core.names import count
from mltrust.core.report import Scope
from mltrust.operations.fingerprint import Reading

_OTHER = "a Git LFS pointer to other content stands where the content should be"


@dataclass(frozen=True)
class Pointed:
    """The sealed entries, by path, for which nothing but a pointer to their very bytes is here.

    `refuted` are the paths of sealed files where a pointer stands that is certainly to other bytes. Of a pointer that
    is in neither, nobody can tell. `told_by` says who told what the pointers say, if they do not lie in the artifact.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    refuted: Collection[str] = ()
    named: Mapping[str, Pointer] = field(default_factory=dict)
    told_by: str = ""

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

    def explained(self, change: Change) -> Change:
        """Say of a pointer that is a difference that it was compared, if it was.

        Where somebody told of the content, the difference is one of the content: its size, and as digest the SHA-256.
        """
        refuted = change.kind is ChangeKind.POINTER and change.name in self.refuted
        if refuted and not self.told_by:
            return change.model_copy(update={"note": _OTHER})
        pointer = self.named.get(change.name) if self.told_by else None
        if pointer is None or change.after is None:
            return change
        after = change.after.model_copy(update={"size": pointer.size, "digest": pointer.sha256.hex()})
        change = change.model_copy(update={"after": after})
        if not refuted:
            return change
        shorter = change.before is not None and (pointer.size or 0) < (change.before.size or 0)
        kind = ChangeKind.TRUNCATED if shorter else ChangeKind.CHANGED
        return change.model_copy(update={"kind": kind, "note": f"{self.told_by} lists other content"})


def pointed(sealed: Manifest, reading: Reading, suite: Suite, told_by: str = "") -> Pointed:
    """Find the pointers that stand for sealed files, and those that certainly do not.

    1. What a pointer says is compared with the sealed SHA-256 and size. A seal has the SHA-256 of a file if it was made
       with them, or if its suite hashes content so and the file is one leaf.
    2. Without, the size alone can tell that the content is another one; that it is the sealed one, nothing can.
    3. A malformed pointer stands for nothing.
    """
    found: dict[str, Entry] = {}
    refuted: set[str] = set()
    for path in reading.pointers:
        match, pointer = sealed.find(path), reading.named.get(path)
        if match is None:
            continue
        entry = match[1]
        sha256 = entry.sha256 or (entry.leaf.digest if suite == SHA256 else b"")  # 1
        if sha256 and pointer is not None and pointer.names(sha256, entry.leaf.size):
            found[path] = entry
        elif sha256 or (pointer is not None and pointer.size not in (None, entry.leaf.size)):  # 2, 3
            refuted.add(path)
    return Pointed(found, refuted, reading.named, told_by)


def pointers_said(scope: Scope) -> str:
    """Say what is not here."""
    content = "its content" if scope.pointers == 1 else "their content"
    verb = "is" if scope.pointers == 1 else "are"
    if scope.told_by:
        listed = f"{count(scope.pointers, 'file')} {verb} listed by {scope.told_by} with the sealed size and SHA-256"
        return f"{listed}; {content} was not read"
    are = "is a Git LFS pointer that matches" if scope.pointers == 1 else "are Git LFS pointers that match"
    return f"{count(scope.pointers, 'file')} {are} the sealed SHA-256; {content} is not here"


def undecided_said(files: int, told_by: str) -> tuple[str, str]:
    """Say of how many files nobody can tell whether their content is the sealed one, and give a hint."""
    if told_by:
        hint = "Read all bytes with --download; or seal again, with --with-sha256."
        return f"{told_by} lists {count(files, 'file')} by SHA-256, which the seal has not, and nobody read them", hint
    return f"{count(files, 'file')} only a Git LFS pointer, the content is not here", "Fetch the content: git lfs pull"


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
