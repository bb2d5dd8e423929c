"""Read an artifact: list, cut, hash, put together. Files stream through in batches, so that millions need no room."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice

from mltrust.core.changes import Change, ChangeKind
from mltrust.core.digest import Suite
from mltrust.core.lfs import Pointer, is_pointer, may_be_pointer
from mltrust.core.manifest import Entry, Manifest, ManifestBuilder, file_entry
from mltrust.errors import ArtifactError, FormatError, MalformedError, UnreadableError
from mltrust.interfaces import ArtifactReader, ArtifactSource, FileEntry, Means, Parts, Segment
from mltrust.operations.beside_sha256 import Beside
from mltrust.operations.notices import NOTEWORTHY

# The first batch is small, so that hashing begins early; the others are large, so that there are few.
_FIRST_BATCH = 4096
_BATCH = 65_536


@dataclass
class Reading:
    """What was read of an artifact.

    `files` are those somebody may want to look into again: readers, notices, or, where asked for, all of them.

    `readers` are those that cut files into parts, in order, and the last one, which takes all others.

    `malformed` says why a file could not be cut by its reader (it was then hashed as a whole), and
    `pointers` names the Git LFS pointers; both stay empty in a strict reading, which refuses such files. `named` says
    what the well-formed ones stand for.
    """

    files: list[FileEntry] = field(default_factory=list)
    manifest: Manifest = field(default_factory=lambda: ManifestBuilder().build())
    readers: Sequence[ArtifactReader] = ()
    used: set[str] = field(default_factory=set)
    malformed: dict[str, str] = field(default_factory=dict)
    pointers: set[str] = field(default_factory=set)
    named: dict[str, Pointer] = field(default_factory=dict)

    def under(self, path: str) -> "Reading":
        """Return what was noted of the one file there is, under another path."""
        malformed = dict(zip((path,), self.malformed.values(), strict=False))  # there may be none
        return replace(self, malformed=malformed, pointers={path} if self.pointers else set())

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


def fingerprint(source: ArtifactSource, means: Means, suite: Suite, *, with_sha256: bool = False) -> Reading:
    """Read an artifact that is to be sealed: a malformed file, a bare pointer or nothing at all is refused.

    `with_sha256` finds the SHA-256 of every file, too.
    """
    reading = _Reader(source, means, strict=True, beside=Beside(suite) if with_sha256 else None).read(suite)
    if not reading.manifest.size:
        raise ArtifactError(source.name, "holds no files, so there is nothing to fingerprint")
    return reading


def read_found(
    source: ArtifactSource, means: Means, suite: Suite, *, keep_files: bool = False, with_sha256: bool = False
) -> Reading:
    """Read an artifact as it is found: a malformed file is a finding here, so it is hashed as a whole and noted.

    `keep_files` keeps all of `Reading.files`, for whoever wants to read any of them again; `with_sha256` is as above.
    """
    beside = Beside(suite) if with_sha256 else None
    return _Reader(source, means, strict=False, keep_files=keep_files, beside=beside).read(suite)


@dataclass
class _Batch:
    """Some files in order, those among them that are cut into parts, by their place, and all their segments."""

    files: Sequence[FileEntry]
    beside: Beside | None
    parts: dict[int, Parts] = field(default_factory=dict)

    def segments(self) -> list[Segment]:
        by = self.beside.whole if self.beside else None
        if not self.parts:
            return [Segment(file, 0, file.size, by) for file in self.files]
        found: list[Segment] = []
        for index, file in enumerate(self.files):
            found.extend(self.parts[index].segments if index in self.parts else (Segment(file, 0, file.size, by),))
        return found

    def put_together(
        self, digests: Sequence[bytes], manifest: ManifestBuilder, entry: Callable[[Parts, Sequence[bytes]], Entry]
    ) -> None:
        """Add the entries that the digests of the segments amount to; runs of whole files are added at once.

        `entry` makes that of a file which was cut into parts.
        """
        done = used = 0
        for index, parts in sorted(self.parts.items()):
            self._add_whole(manifest, self.files[done:index], digests[used : used + index - done])
            used += index - done
            count = len(parts.segments)
            manifest.add(entry(parts, digests[used : used + count]))
            done, used = index + 1, used + count
        self._add_whole(manifest, self.files[done:], digests[used:])

    def _add_whole(self, manifest: ManifestBuilder, files: Sequence[FileEntry], answers: Sequence[bytes]) -> None:
        digests, sha256s = self.beside.columns(answers) if self.beside else (answers, ())
        manifest.add_files([file.path for file in files], [file.size for file in files], digests, sha256s)


class _Reader:
    """One reading of one artifact."""

    def __init__(
        self,
        source: ArtifactSource,
        means: Means,
        *,
        strict: bool,
        keep_files: bool = False,
        beside: Beside | None = None,
    ) -> None:
        self._source, self._means, self._strict, self._keep_files = source, means, strict, keep_files
        self._beside = beside
        *self._cutters, self._rest = means.readers
        self._endings = (*NOTEWORTHY, *(ending for reader in self._cutters for ending in reader.endings))
        self._reading = Reading()
        self._cut: deque[_Batch] = deque()

    def read(self, suite: Suite) -> Reading:
        """List, cut, hash and put together, batch by batch."""
        reading, manifest, engine = self._reading, ManifestBuilder(eager=True), self._means.engine
        segments = self._segments()
        with closing(engine.digest(segments, self._source, suite, self._means.progress)) as found:
            for digests in found:
                self._cut.popleft().put_together(digests, manifest, self._entry)
        if self._cut or next(segments, None) is not None:  # what is left out would not be missed
            raise UnreadableError(f"the engine {engine.name!r} ended before all files were hashed")
        reading.manifest = manifest.build()
        reading.readers = (*(reader for reader in self._cutters if reader.name in reading.used), self._rest)
        return reading

    def _entry(self, parts: Parts, digests: Sequence[bytes]) -> Entry:
        """Put a file together; one that turned out to be malformed is refused, or noted and taken as a whole."""
        try:
            return parts.entry(digests)
        except MalformedError as error:
            if self._strict:
                raise
            self._reading.malformed[error.where] = error.what
            (segment,) = parts.segments
            sha256 = self._beside.sha256(digests) if self._beside else b""
            return file_entry(segment.file.path, segment.length, error.digest, sha256)

    def _segments(self) -> Iterator[list[Segment]]:
        for files in _batches(self._source.files()):
            self._means.progress.expect(len(files), sum([file.size for file in files]))
            batch = _Batch(files, self._beside)
            for index, file in self._special(files):
                if (parts := self._parts(file)) is not None:
                    batch.parts[index] = parts
            self._cut.append(batch)
            yield batch.segments()

    def _special(self, files: Sequence[FileEntry]) -> list[tuple[int, FileEntry]]:
        """Return those that may be more than a file read as a whole: millions are not, so this is all they cost."""
        endings = self._endings
        if self._keep_files:
            self._reading.files += files
        return [each for each in enumerate(files) if each[1].path.endswith(endings) or may_be_pointer(each[1].size)]

    def _parts(self, file: FileEntry) -> Parts | None:
        """Let the first reader that accepts `file` cut it; None for a file that stays whole."""
        if not self._keep_files and file.path.endswith(self._endings):
            self._reading.files.append(file)
        if may_be_pointer(file.size) and is_pointer(content := self._source.read(file, 0, file.size)):
            self._meet_pointer(file, content)
            return None
        for reader in self._cutters:
            if file.path.endswith(reader.endings) and reader.accepts(file):
                return self._parts_by(reader, file)
        return None

    def _parts_by(self, reader: ArtifactReader, file: FileEntry) -> Parts | None:
        try:
            parts = reader.parts(file, self._source)
        except FormatError as error:
            if self._strict:
                raise
            self._reading.malformed[file.path] = error.what
            return None
        self._reading.used.add(reader.name)
        return parts if self._beside is None else self._beside.parts(parts)

    def _meet_pointer(self, file: FileEntry, content: bytes) -> None:
        if self._strict:
            hint = "Fetch the content first: git lfs pull"
            raise ArtifactError(file.path, "is a Git LFS pointer, not the content it stands for", hint=hint)
        self._reading.pointers.add(file.path)
        if (pointer := Pointer.parse(content)) is not None:
            self._reading.named[file.path] = pointer


def _batches(files: Iterable[FileEntry]) -> Iterator[list[FileEntry]]:
    coming, size = iter(files), _FIRST_BATCH
    while batch := list(islice(coming, size)):
        yield batch
        size = min(4 * size, _BATCH)
