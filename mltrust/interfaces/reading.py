"""The sockets of reading: sources list and read, readers cut, engines hash."""

from collections.abc import Collection, Generator, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from pathlib import Path
from typing import ClassVar, NamedTuple, Protocol, Self, runtime_checkable

from mltrust.core.blinding import Blinding
from mltrust.core.digest import DIGEST_SIZE, Suite
from mltrust.core.manifest import Entry, Manifest
from mltrust.core.records import Batch
from mltrust.core.report import Notice, Recalled
from mltrust.errors import ArtifactError
from mltrust.interfaces.progress import Progress
from mltrust.interfaces.settings import Settings


class FileEntry(NamedTuple):
    """A file a source listed: its path inside the artifact, its size in bytes, and a token of its state.

    `version` pins what was listed (inode and time stamps, an ETag): a source that later finds another
    version under the path raises `ChangedError`. It is data only, so it can travel to another machine.
    A tuple, because millions are made: a frozen dataclass takes twice as long.
    """

    path: str
    size: int
    version: tuple[int | str, ...]


class Segment(NamedTuple):
    """A byte range of a file that becomes one leaf; data only, so any engine on any machine can hash it.

    `by` is who digests the bytes, where more than their digest is wanted: an engine has it do so, whole.
    """

    file: FileEntry
    offset: int
    length: int
    by: "Digester | None" = None

    @property
    def answer(self) -> int:
        """How many bytes an engine answers with: those of a digest, or as many as `by` says."""
        return DIGEST_SIZE if self.by is None else self.by.size


class OpenFile(Protocol):
    """A file pinned to the version that was listed."""

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` from `offset` as far as the file goes; return the number of bytes read."""


class ArtifactSource(Protocol):
    """Lists the files of an artifact and reads byte ranges of them.

    Everything a source meets is hostile: it lists regular content only and raises `ArtifactError` for
    anything it cannot vouch to read completely; it never skips in silence beyond the exclusions it was given.
    A plug inherits from this class: what has a body here is right for most.
    """

    name: str
    exclude: Sequence[str]  # the patterns of what is left out
    left_out: Sequence[str]  # what the exclusions left out, known once `files` has run
    remote: ClassVar[bool]
    """Whether bytes come over a network: many reads at once pay, and a copy (fork) of the process cannot read."""

    def files(self) -> Iterator[FileEntry]:
        """List the files in the order of the UTF-8 bytes of their paths, each once; a source need not hold them all."""

    def find(self, path: str) -> FileEntry:
        """Return one file without a list of all, if `files` may list it; `ArtifactError` if it is not there."""
        for file in self.files():
            if file.path == path:
                return file
        raise ArtifactError(path, "does not exist")

    def open(self, file: FileEntry, offset: int = 0, length: int | None = None) -> AbstractContextManager[OpenFile]:
        """Open `file`; raise `ChangedError` if on entry or on exit it is not the version that was listed.

        What will be read of it lies within `length` bytes (None: all there are) from `offset`.
        """

    def read(self, file: FileEntry, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`; raise `ChangedError` as `open` does."""

    def read_each(self, segments: Iterable[Segment]) -> Iterator[bytes]:
        """Yield the bytes of many small segments in turn, as `read` returns them; it may cost less for each."""
        return (self.read(*segment[:3]) for segment in segments)

    def abandon(self) -> None:
        """Let whoever waits for bytes in another thread wait no longer, but fail; here nothing takes long."""
        return

    def local_path(self, file: FileEntry) -> Path | None:
        """Return where `file` lies on this machine, or None if it lies elsewhere."""


class SealedSource(ArtifactSource, Protocol):
    """A source that also says of what it is one, and finds the seal that is kept there."""

    shown: str  # what the caller named, as it may be shown: nothing in it that signs or opens anything

    def leaving_out(self, exclude: Sequence[str], name: str | None) -> Self:
        """Return the source of the same place, over the same connections, with these exclusions, called `name`."""

    def is_folder(self) -> bool:
        """Tell a folder from a single file; raise `ArtifactError` if nothing is there."""

    def seal(self) -> FileEntry | None:
        """Return the seal kept with the artifact, which opens as the files do; None if there is none."""


class SourcePlug(SealedSource, Protocol):
    """A source that a caller names by a URL whose scheme is the plug's name; every plug but `local` is one."""

    @classmethod
    def from_url(cls, url: str, settings: Settings) -> Self:
        """Return the source of `url` (`scheme://...`) without exclusions; it opens nothing.

        `settings` are what the caller configured for the scheme. Raises `UsageError` if they, or the URL, make no
        sense or carry credentials.
        """


class Digester(Protocol):
    """Reads a segment in its own way. Data only: it travels to wherever the segment is read."""

    @property
    def size(self) -> int:
        """The number of bytes of an answer."""

    def digest(self, segment: Segment, source: ArtifactSource, suite: Suite, progress: Progress) -> bytes:
        """Return `size` bytes that say all there is to say of the bytes of `segment`, and depend on nothing else."""


class Parts(Protocol):
    """How a reader cut one file: the segments to hash, and how their digests become the entry."""

    @property
    def segments(self) -> Sequence[Segment]:
        """The segments; together they cover every byte of the file once."""

    def entry(self, digests: Sequence[bytes]) -> Entry:
        """Return the entry, given one digest for each segment, in order.

        Raises `MalformedError` if it took all of the bytes to see that the file is not well-formed.
        """


class ArtifactReader(Protocol):
    """Knows one file format and cuts its files into segments that tile them exactly.

    A plug may inherit from this class: what has a body here is right for most.
    """

    name: ClassVar[str]
    version: ClassVar[int]
    endings: ClassVar[tuple[str, ...]]
    """How the paths end of the files it may accept or inspect; of others it is never asked. ("",) is any path."""

    def accepts(self, file: FileEntry) -> bool:
        """Tell from the path and size whether this reader is the one for `file`."""

    def parts(self, file: FileEntry, source: ArtifactSource) -> Parts:
        """Cut `file`; raise `FormatError` if it is not well-formed."""

    def inspect(
        self,
        manifest: Manifest,  # noqa: ARG002  # for whoever looks, like the next two
        files: Sequence[FileEntry],  # noqa: ARG002  # the same
        source: ArtifactSource,  # noqa: ARG002  # the same
    ) -> Iterator[Notice]:
        """Look across an artifact before it is sealed: yield what is worth knowing, raise what must not be sealed.

        `files` are those with the reader's `endings`; the manifest holds all. Most readers look for nothing.
        """
        return iter(())


class Row(NamedTuple):
    """A record as people see it: its index `at` from zero, its text, and its fields by name, where it has such."""

    at: int
    text: str
    fields: Mapping[str, object] | None = None


@runtime_checkable
class RecordReader(ArtifactReader, Protocol):
    """A reader that knows the records of its files. Such a file is one segment, read by the reader's own digester."""

    def batches(self, file: FileEntry, source: ArtifactSource, suite: Suite) -> Iterator[Batch]:
        """Yield the records of `file` in order; raise `FormatError` as soon as it is not well-formed."""

    def rows(self, file: FileEntry, source: ArtifactSource, wanted: Collection[int]) -> Iterator[Row]:
        """Yield the records with the `wanted` indexes, in order, as they may be shown; long ones are cut short."""

    def keeping(self, folder: Path) -> Self:
        """Return the same reader, whose digesters leave the hashes of records in `folder` (`kept_in`)."""

    def indexing(self) -> Self:
        """Return the same reader, whose files of records without names get a record index."""

    def spelled(self, texts: Sequence[bytes], file: FileEntry, source: ArtifactSource) -> Sequence[bytes | None]:
        """Return the bytes of the records that somebody writes so, as they would be in `file`.

        None is for a text that does not say which these are: nobody can say then that no record has them.
        """

    def without(self, file: FileEntry, source: ArtifactSource, places: Collection[int]) -> Iterator[bytes]:
        """Yield the bytes of `file` without the records at `places`, all others as they are.

        Raises `UsageError` where that takes more than to leave out bytes.
        """

    def blinded_by(self, blinding: Blinding) -> Self:
        """Return the same reader, whose files are blinded so; it does not travel to other machines."""


class Engine(Protocol):
    """Hashes segments."""

    name: ClassVar[str]

    def digest(
        self, batches: Iterable[Sequence[Segment]], source: ArtifactSource, suite: Suite, progress: Progress
    ) -> Generator[Sequence[bytes], None, None]:
        """Yield, for every batch in turn, the 32-byte content digests of its segments (or `Segment.answer`), in order.

        An engine may ask for the next batch while it works at one, so that listing goes on meanwhile. The result
        depends on nothing but the bytes; memory stays bounded whatever the sizes. To close it ends the work.
        """


@runtime_checkable
class RemoteEngine(Protocol):
    """What an engine is, too, that has other machines read: what a digester leaves on a disk is not found here."""

    remote: ClassVar[bool]


class EnginePlug(Engine, Protocol):
    """An engine that a caller can name; those that wrap another one are only handed in."""

    @classmethod
    def from_uri(cls, uri: str, jobs: int | None) -> Self:
        """Return the engine that `uri` (`name`, `name:rest` or `name+transport:rest`) names; it opens nothing.

        `jobs` is how many pieces of work it may do at once (None: as many as it likes). Raises `UsageError` if the
        URI or the number makes no sense.
        """


@runtime_checkable
class Remembering(Protocol):
    """What an engine is, too, that answers from memory what it hashed before."""

    @property
    def recalled(self) -> Recalled:
        """How much of the last run was not read."""


@dataclass(frozen=True)
class Means:
    """What artifacts are read with: the readers at hand, the last of which accepts everything, and an engine."""

    readers: Sequence[ArtifactReader]
    engine: Engine
    progress: Progress
    remote: Mapping[str, Settings] = field(default_factory=dict)  # what is set for remote sources, by scheme

    @property
    def recalled(self) -> Recalled:
        """How much of the last run the engine did not read; whoever reports what was read says so."""
        return self.engine.recalled if isinstance(self.engine, Remembering) else Recalled()
