"""What all readers of records share: a file is one segment, and the reader's own digester reads it record by record."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, ClassVar, Self, cast

from mltrust.core.digest import Suite
from mltrust.core.manifest import Entry, Manifest
from mltrust.core.records import SUMMARY_SIZE, Batch, RecordTree, Summary
from mltrust.core.report import Notice
from mltrust.disk.records import kept_in
from mltrust.errors import FormatError
from mltrust.interfaces import ArtifactSource, FileEntry, Progress, Row, Segment, Silent
from mltrust.readers.records.stream import Stream

MAX_RECORD = 2**26
"""Bytes of the largest record: one has to be in memory as a whole."""

_IN_MEMORY = 2**26


class RecordFileReader(ABC):
    """A reader of records; a subclass says what a record is. It holds no state of a file, and can be pickled."""

    name: ClassVar[str]
    version: ClassVar[int]
    endings: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        self.kept: Path | None = None

    @abstractmethod
    def cut(self, stream: Stream, suite: Suite) -> Iterator[Batch]:
        """Yield the records of the file `stream` is at the start of; raise `FormatError` if it is malformed."""

    @abstractmethod
    def rows(self, file: FileEntry, source: ArtifactSource, wanted: Collection[int]) -> Iterator[Row]:
        """Yield the records with the `wanted` indexes, in order, as they may be shown."""

    def format(self, file: FileEntry) -> str:  # noqa: ARG002  # some readers have more than one
        """Return the word for the format of `file`."""
        return self.name

    def accepts(self, file: FileEntry) -> bool:
        """Accept every file that is named so."""
        return file.path.endswith(self.endings)

    def parts(self, file: FileEntry, source: ArtifactSource) -> "RecordParts":  # noqa: ARG002  # it is read by the engine
        """Return the one segment that the file is."""
        return RecordParts(file, self)

    def inspect(
        self,
        manifest: Manifest,  # noqa: ARG002  # the socket's, like the next two
        files: Sequence[FileEntry],  # noqa: ARG002  # the same
        source: ArtifactSource,  # noqa: ARG002  # the same
    ) -> Iterator[Notice]:
        """Find nothing."""
        return iter(())

    def batches(self, file: FileEntry, source: ArtifactSource, suite: Suite) -> Iterator[Batch]:
        """Yield the records of `file` in order."""
        with opened(file, source) as stream:
            yield from self.cut(stream, suite)

    def keeping(self, folder: Path) -> Self:
        """Return the same reader, whose digesters leave the hashes of records in `folder`."""
        reader = copy(self)
        reader.kept = folder
        return reader


@contextmanager
def opened(file: FileEntry, source: ArtifactSource) -> Iterator[Stream]:
    """Open a file to read it from its start."""
    with source.open(file) as found:
        yield Stream(found, file, Silent())


@dataclass(frozen=True)
class RecordDigester:
    """Reads a file of records once: its bytes, and each record."""

    size: ClassVar[int] = SUMMARY_SIZE
    reader: RecordFileReader

    def digest(self, segment: Segment, source: ArtifactSource, suite: Suite, progress: Progress) -> bytes:
        """Return the packed summary of the file; one that is malformed has a digest of its bytes all the same."""
        file = segment.file
        with self._spool(file) as spool, source.open(file) as found:
            stream, tree = Stream(found, file, progress, suite.new()), RecordTree(spool)
            try:
                for batch in self.reader.cut(stream, suite):
                    tree.add(batch)
            except FormatError as error:
                return Summary(stream.finish(), trouble=error.what).pack()
            return tree.summary(stream.finish()).pack()

    @contextmanager
    def _spool(self, file: FileEntry) -> Iterator[BinaryIO]:
        if self.reader.kept is None:
            with SpooledTemporaryFile(_IN_MEMORY) as spool:
                yield cast("BinaryIO", spool)
        else:
            with kept_in(self.reader.kept, file.path).open("w+b") as kept:
                yield kept


@dataclass(frozen=True, slots=True)
class RecordParts:
    """A file of records: one segment."""

    file: FileEntry
    reader: RecordFileReader

    @property
    def segments(self) -> tuple[Segment]:
        """The one segment."""
        return (Segment(self.file, 0, self.file.size, RecordDigester(self.reader)),)

    def entry(self, digests: Sequence[bytes]) -> Entry:
        """Return the entry; `MalformedError` if the file is not of its format."""
        return Summary.unpack(digests[0]).entry(self.file.path, self.file.size, self.reader.format(self.file))
