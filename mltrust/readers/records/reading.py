"""What all readers of records share: a file is one segment, and the reader's own digester reads it record by record."""

from abc import ABC, abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from copy import copy
from dataclasses import dataclass
from pathlib import Path
from tempfile import SpooledTemporaryFile
from typing import BinaryIO, ClassVar, Self, cast

from mltrust.core.blinding import Blinded, Blinding, veiled
from mltrust.core.digest import Suite
from mltrust.core.leaf import Leaf
from mltrust.core.manifest import Entry
from mltrust.core.records import SUMMARY_SIZE, Batch, RecordTree, Summary
from mltrust.errors import FormatError, UsageError
from mltrust.interfaces import ArtifactReader, ArtifactSource, FileEntry, Parts, Progress, Row, Segment, Silent
from mltrust.readers.records.stream import Stream

MAX_PARSED = 2**20
"""Bytes of the largest record that is taken apart into fields to be shown."""

_IN_MEMORY = 2**26
_SHOWN = 4096  # characters


class RecordFileReader(ArtifactReader, ABC):
    """A reader of records; a subclass says what a record is. It holds no state of a file, and can be pickled."""

    name: ClassVar[str]
    version: ClassVar[int]
    endings: ClassVar[tuple[str, ...]]

    def __init__(self) -> None:
        self.kept: Path | None = None
        self.indexed = False
        self.blinding = Blinding()

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

    def parts(self, file: FileEntry, source: ArtifactSource) -> Parts:  # noqa: ARG002  # it is read by the engine
        """Return the one segment that the file is; none where it is blinded and the salts are not here."""
        how = self.blinding.of(file.path)
        if how is not None and how.salts is None and how.sealed is not None:
            return UnreadParts(file, how, how.sealed)
        return RecordParts(file, self)

    def batches(self, file: FileEntry, source: ArtifactSource, suite: Suite) -> Iterator[Batch]:
        """Yield the records of `file` in order."""
        with opened(file, source) as stream:
            yield from self.cut(stream, suite)

    def keeping(self, folder: Path) -> Self:
        """Return the same reader, whose digesters leave the hashes of records in `folder`."""
        reader = copy(self)
        reader.kept = folder
        return reader

    def indexing(self) -> Self:
        """Return the same reader, whose files get a record index."""
        reader = copy(self)
        reader.indexed = True
        return reader

    def spelled(
        self,
        texts: Sequence[bytes],
        file: FileEntry,  # noqa: ARG002  # the socket's, like the next
        source: ArtifactSource,  # noqa: ARG002  # the same
    ) -> Sequence[bytes | None]:
        """Return the records that each text alone spells."""
        return [self.spelling(text) for text in texts]

    def spelling(self, text: bytes) -> bytes | None:  # noqa: ARG002  # some readers take it as it is
        """Return the bytes of the record that `text` spells; none, where nobody writes records by hand."""
        return None

    def without(
        self,
        file: FileEntry,
        source: ArtifactSource,  # noqa: ARG002  # the socket's, like the next
        places: Collection[int],  # noqa: ARG002  # the same
    ) -> Iterator[bytes]:
        """Refuse: of most formats, the whole file has to be written anew."""
        hint = "Write the file anew without them, as another file, and name that with --rewritten."
        raise UsageError(f"records cannot be taken out of {file.path} here", hint=hint)

    def blinded_by(self, blinding: Blinding) -> Self:
        """Return the same reader, whose files are blinded so."""
        reader = copy(self)
        reader.blinding = blinding
        return reader


@contextmanager
def opened(file: FileEntry, source: ArtifactSource) -> Iterator[Stream]:
    """Open a file to read it from its start."""
    with source.open(file) as found:
        yield Stream(found, file, Silent())


def shown(record: bytes | str) -> str:
    """Return a record as text for people, who see the beginning of a long one."""
    if isinstance(record, bytes):
        record = record[: 4 * _SHOWN + 4].decode("utf-8", "replace")  # a character has four bytes at most
    return record if len(record) <= _SHOWN else record[:_SHOWN] + "…"


@dataclass(frozen=True)
class RecordDigester:
    """Reads a file of records once: its bytes, and each record."""

    size: ClassVar[int] = SUMMARY_SIZE
    reader: RecordFileReader

    def digest(self, segment: Segment, source: ArtifactSource, suite: Suite, progress: Progress) -> bytes:
        """Return the packed summary of the file; one that is malformed has a digest of its bytes all the same.

        One that is blinded has none.
        """
        file, how = segment.file, self.reader.blinding.of(segment.file.path)
        with (
            self._spool(file) as spool,
            self._index_spool(how) as to_index,
            source.open(file) as found,
            veiled(how) as veil,
        ):
            stream = Stream(found, file, progress, suite.new() if how is None else None)
            tree = RecordTree(spool, to_index, veil.hashes)
            try:
                for batch in self.reader.cut(stream, suite):
                    tree.add(batch)
                    progress.advance(0)  # some libraries read far ahead: who watches may end it here
                tree.add_hashes(veil.rest())
            except FormatError as error:
                return Summary(stream.finish(), trouble=error.what).pack()
            return tree.summary(stream.finish()).pack()

    @contextmanager
    def _index_spool(self, how: Blinded | None) -> Iterator[BinaryIO | None]:
        if not self.reader.indexed or how is not None:  # digests would give blinded records away
            yield None
            return
        with SpooledTemporaryFile(_IN_MEMORY) as spool:
            yield cast("BinaryIO", spool)

    @contextmanager
    def _spool(self, file: FileEntry) -> Iterator[BinaryIO]:
        if self.reader.kept is None:
            with SpooledTemporaryFile(_IN_MEMORY) as spool:
                yield cast("BinaryIO", spool)
        else:
            from mltrust.disk.records import kept_in

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
        how, format_ = self.reader.blinding.of(self.file.path), self.reader.format(self.file)
        size = self.file.size if how is None else how.size(self.file.size)
        return Summary.unpack(digests[0]).entry(self.file.path, size, format_, blinded=how is not None)


@dataclass(frozen=True, slots=True)
class UnreadParts:
    """A blinded file whose salts are not here: no segment, and the entry is the sealed one as far as its size fits."""

    file: FileEntry
    how: Blinded
    sealed: Leaf

    @property
    def segments(self) -> tuple[Segment, ...]:
        """None."""
        return ()

    def entry(self, digests: Sequence[bytes]) -> Entry:  # noqa: ARG002  # there are none
        """Return the entry."""
        return Entry(self.sealed._replace(size=self.how.size(self.file.size)))
