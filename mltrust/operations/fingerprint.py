"""Read an artifact: list, cut, hash, put together."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import chain, islice

from mltrust.core.changes import Change, ChangeKind
from mltrust.core.digest import Suite
from mltrust.core.lfs import is_pointer, may_be_pointer
from mltrust.core.manifest import Entry, Manifest
from mltrust.core.names import sort_key
from mltrust.errors import ArtifactError, FormatError
from mltrust.interfaces import ArtifactReader, ArtifactSource, FileEntry, Means, Parts


@dataclass
class Reading:
    """What was read of an artifact.

    `readers` are those that cut files into parts, in order, and the last one, which takes all others.

    `malformed` says why a file could not be cut by its reader (it was then hashed as a whole), and
    `pointers` names the Git LFS pointers; both stay empty in a strict reading, which refuses such files.
    """

    files: Sequence[FileEntry]
    manifest: Manifest = field(default_factory=lambda: Manifest(()))
    readers: Sequence[ArtifactReader] = ()
    used: set[str] = field(default_factory=set)
    malformed: dict[str, str] = field(default_factory=dict)
    pointers: set[str] = field(default_factory=set)

    def explained(self, change: Change) -> Change:
        """Say of a changed file whether it is malformed, truncated or a bare pointer as it was read here."""
        if change.before is None or change.after is None:
            return change
        if change.name in self.pointers:
            note = "a Git LFS pointer stands where the content should be"
            return change.model_copy(update={"kind": ChangeKind.POINTER, "note": note})
        if change.name in self.malformed:
            kind = ChangeKind.TRUNCATED if change.kind is ChangeKind.TRUNCATED else ChangeKind.MALFORMED
            return change.model_copy(update={"kind": kind, "note": self.malformed[change.name]})
        return change


def fingerprint(source: ArtifactSource, means: Means, suite: Suite) -> Reading:
    """Read an artifact that is to be sealed: a malformed file, a bare pointer or nothing at all is refused."""
    reading = _read(source, means, suite, strict=True)
    if not reading.files:
        raise ArtifactError(source.name, "holds no files, so there is nothing to fingerprint")
    return reading


def read_found(source: ArtifactSource, means: Means, suite: Suite) -> Reading:
    """Read an artifact as it is found: a malformed file is a finding here, so it is hashed as a whole and noted."""
    return _read(source, means, suite, strict=False)


def _read(source: ArtifactSource, means: Means, suite: Suite, *, strict: bool) -> Reading:
    reading = Reading(sorted(source.files(), key=lambda file: sort_key(file.path)))
    means.progress.start(len(reading.files), sum(file.size for file in reading.files))
    parts = [_cut(file, source, means.readers, reading, strict=strict) for file in reading.files]
    segments = [part.segments for part in parts]
    digests = means.engine.digest(list(chain.from_iterable(segments)), source, suite, means.progress)
    reading.manifest = Manifest.of(_entries(parts, map(len, segments), digests))
    *special, rest = means.readers
    reading.readers = (*(reader for reader in special if reader.name in reading.used), rest)
    return reading


def _entries(parts: Sequence[Parts], counts: Iterable[int], digests: Sequence[bytes]) -> Iterator[Entry]:
    coming = iter(digests)
    return (part.entry(list(islice(coming, count))) for part, count in zip(parts, counts, strict=True))


def _cut(
    file: FileEntry, source: ArtifactSource, readers: Sequence[ArtifactReader], reading: Reading, *, strict: bool
) -> Parts:
    """Let the first reader that accepts `file` cut it; the last reader accepts everything."""
    if may_be_pointer(file.size) and is_pointer(source.read(file, 0, file.size)):
        if strict:
            hint = "Fetch the content first: git lfs pull"
            raise ArtifactError(file.path, "is a Git LFS pointer, not the content it stands for", hint=hint)
        reading.pointers.add(file.path)
        return readers[-1].parts(file, source)
    reader = next(reader for reader in readers if reader.accepts(file))
    try:
        parts = reader.parts(file, source)
    except FormatError as error:
        if strict:
            raise
        reading.malformed[file.path] = error.what
        return readers[-1].parts(file, source)
    reading.used.add(reader.name)
    return parts
