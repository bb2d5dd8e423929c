"""Every socket: how mltrust touches the world, and what a plug must do.

A plug is one file, one line under `[project.entry-points."mltrust.<kind>"]` and one test class that
inherits the public contract suite in `mltrust.testing`.
"""

from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar, Protocol, Self, runtime_checkable

from mltrust.core.digest import Digest, Suite
from mltrust.core.manifest import Entry, Manifest
from mltrust.core.receipt import Receipt
from mltrust.core.report import Check, Notice
from mltrust.errors import UsageError


@dataclass(frozen=True, slots=True)
class FileEntry:
    """A file a source listed: its path inside the artifact, its size in bytes, and a token of its state.

    `version` pins what was listed (inode and time stamps, an ETag): a source that later finds another
    version under the path raises `ChangedError`. It is data only, so it can travel to another machine.
    """

    path: str
    size: int
    version: tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Segment:
    """A byte range of a file that becomes one leaf; data only, so any engine on any machine can hash it."""

    file: FileEntry
    offset: int
    length: int


class OpenFile(Protocol):
    """A file pinned to the version that was listed."""

    def read_into(self, buffer: memoryview, offset: int) -> int:
        """Fill `buffer` from `offset` as far as the file goes; return the number of bytes read."""


class ArtifactSource(Protocol):
    """Lists the files of an artifact and reads byte ranges of them.

    Everything a source meets is hostile: it lists regular content only and raises `ArtifactError` for
    anything it cannot vouch to read completely; it never skips in silence beyond the exclusions it was given.
    """

    name: str
    exclude: Sequence[str]  # the patterns of what is left out
    left_out: Sequence[str]  # what the exclusions left out, known once `files` has run

    def files(self) -> Iterator[FileEntry]:
        """List the files, in any order."""

    def open(self, file: FileEntry) -> AbstractContextManager[OpenFile]:
        """Open `file`; raise `ChangedError` if on entry or on exit it is not the version that was listed."""

    def read(self, file: FileEntry, offset: int, length: int) -> bytes:
        """Return exactly `length` bytes from `offset`; raise `ChangedError` as `open` does."""

    def local_path(self, file: FileEntry) -> Path | None:
        """Return where `file` lies on this machine, or None if it lies elsewhere."""


class Progress(Protocol):
    """Watches long work. Methods may be called from any thread."""

    def start(self, files: int, size: int) -> None:
        """Say how many files and bytes there will be."""

    def advance(self, size: int) -> None:
        """Say that `size` more bytes are done."""


class Parts(Protocol):
    """How a reader cut one file: the segments to hash, and how their digests become the entry."""

    @property
    def segments(self) -> Sequence[Segment]:
        """The segments; together they cover every byte of the file once."""

    def entry(self, digests: Sequence[bytes]) -> Entry:
        """Return the entry, given one digest for each segment, in order."""


class ArtifactReader(Protocol):
    """Knows one file format and cuts its files into segments that tile them exactly."""

    name: ClassVar[str]
    version: ClassVar[int]

    def accepts(self, file: FileEntry) -> bool:
        """Tell from the path and size whether this reader is the one for `file`."""

    def parts(self, file: FileEntry, source: ArtifactSource) -> Parts:
        """Cut `file`; raise `FormatError` if it is not well-formed."""

    def inspect(self, manifest: Manifest, files: Sequence[FileEntry], source: ArtifactSource) -> Iterator[Notice]:
        """Look across all files before they are sealed: yield what is worth knowing, raise what must not be sealed."""


class Engine(Protocol):
    """Hashes segments."""

    name: ClassVar[str]

    def digest(
        self, segments: Sequence[Segment], source: ArtifactSource, suite: Suite, progress: Progress
    ) -> Sequence[bytes]:
        """Return the 32-byte content digest of every segment, in the order given.

        The result depends on nothing but the bytes; memory stays bounded whatever the sizes.
        """


class Silent:
    """A progress that shows nothing."""

    def start(self, files: int, size: int) -> None:
        """Show nothing."""

    def advance(self, size: int) -> None:
        """Show nothing."""


@dataclass(frozen=True)
class Means:
    """What artifacts are read with: the readers at hand, the last of which accepts everything, and an engine."""

    readers: Sequence[ArtifactReader]
    engine: Engine
    progress: Progress


@dataclass(frozen=True)
class Home:
    """The folders a plug may keep things in; the caller chooses them, no plug looks for its own.

    `data` holds keys and the default ledger, `state` what was remembered of others (last checkpoints).
    """

    data: Path
    state: Path


@runtime_checkable
class Anchor(Protocol):
    """Publishes digests where nobody can quietly change them, and says later what became of them.

    An anchor sees a digest, never a file. Nothing in a receipt chooses whom to ask or whom to trust.
    """

    scheme: ClassVar[str]

    @property
    def name(self) -> str:
        """How the anchor is called in reports and messages."""

    @classmethod
    def from_uri(cls, uri: str, home: Home) -> Self:
        """Return the anchor that `uri` (`scheme:rest`) names; raise `UsageError` if it names none."""

    @classmethod
    def from_key(cls, key: str) -> "Anchor | None":
        """Return an anchor that confirms receipts offline by a public key alone; None if `key` is not of its kind."""

    def publish(self, digests: Sequence[Digest]) -> Sequence[Receipt]:
        """Publish `digests` durably, in one go; return one receipt each. Publishing again changes nothing."""

    def confirm(self, receipt: Receipt, digest: Digest) -> Check:
        """Check that `receipt` proves `digest` here.

        A mismatch is a failed check; being out of reach is `unavailable`; another's receipt is `unknown-key`.
        """

    def find(self, digest: Digest) -> Sequence[Receipt]:
        """Return receipts for `digest` if it is published here; none if it is absent or cannot be looked up by digest.

        A `LedgerError` tells that the anchor contradicts itself, any other `AnchorError` that it is out of reach.
        """


@dataclass(frozen=True)
class Trust:
    """Whom the caller trusts; never read from the thing under test.

    `anchors` were named by the caller: silence of one is a failure. `assumed` are trusted where nobody
    was named, such as the user's own ledger: silence of one decides nothing. `fingerprint` is one the
    caller has from a source it trusts; `content_only` asks for the bytes alone.
    """

    anchors: Sequence[Anchor] = ()
    assumed: Sequence[Anchor] = ()
    fingerprint: str | None = None
    content_only: bool = False

    def __post_init__(self) -> None:
        if self.content_only and (self.anchors or self.assumed or self.fingerprint):
            raise UsageError("to ask for the content only is to ask nobody: name no anchor, key or fingerprint with it")
