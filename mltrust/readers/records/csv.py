"""CSV and TSV by RFC 4180: a record is a row, as its bytes are; the first one is the header, which is no record."""

import csv
import io
from collections.abc import Collection, Iterable, Iterator, Sequence
from io import StringIO
from itertools import chain
from typing import ClassVar

from mltrust.core.digest import Suite
from mltrust.core.records import MAX_RECORD, Batch
from mltrust.errors import FormatError
from mltrust.interfaces import ArtifactSource, FileEntry, Row
from mltrust.readers.records.lines import batches, check_length, picked, whole_lines, without, without_returns
from mltrust.readers.records.reading import MAX_PARSED, RecordFileReader, opened, shown
from mltrust.readers.records.stream import Stream

_TAB = ".tsv"


class CsvReader(RecordFileReader):
    """Reads `*.csv` and `*.tsv`."""

    name: ClassVar[str] = "csv"
    version: ClassVar[int] = 1
    endings: ClassVar[tuple[str, ...]] = (".csv", _TAB)

    def format(self, file: FileEntry) -> str:
        """Say which of the two it is."""
        return "tsv" if file.path.endswith(_TAB) else "csv"

    def cut(self, stream: Stream, suite: Suite) -> Iterator[Batch]:
        """Yield the header, then the rows."""
        where = stream.file.path
        header, rows = _table(stream)
        if header is not None:
            check_length(len(header), where)
            yield Batch((), (), header=suite.digest(header))
        yield from batches(rows, suite, where)

    def rows(self, file: FileEntry, source: ArtifactSource, wanted: Collection[int]) -> Iterator[Row]:
        """Yield the wanted rows, with their fields where they are as many as the header has names."""
        delimiter = "\t" if file.path.endswith(_TAB) else ","
        with opened(file, source) as stream:
            header, rows = _table(stream)
            names = _values(header or b"", delimiter)
            for index, row in picked(rows, wanted):
                yield Row(index, shown(row), _fields(names, _values(row, delimiter)))

    def without(self, file: FileEntry, source: ArtifactSource, places: Collection[int]) -> Iterator[bytes]:
        """Leave rows out; the header stays."""
        with opened(file, source) as found, opened(file, source) as text:
            yield from without(_records(found), io.BufferedReader(text), {place + 1 for place in places})

    def spelling(self, text: bytes) -> bytes | None:
        """Return a row as it stands; a JSON object is the values of one, and does not say how they are written."""
        return None if text.lstrip().startswith(b"{") else text


def _table(stream: Stream) -> tuple[bytes | None, Iterable[Sequence[bytes]]]:
    """Return the header, if there is one, and the rows after it, many at a time."""
    found = _records(stream)
    first = next(found, None)
    return (first[0], chain((first[1:],), found)) if first else (None, ())


def _values(record: bytes, delimiter: str) -> list[str]:
    """Return the values of a record; none if it is too long to be taken apart, or is not one row."""
    if len(record) > MAX_PARSED:
        return []
    text = StringIO(record.decode("utf-8-sig", "replace"), newline="")
    try:
        found = list(csv.reader(text, delimiter=delimiter))
    except csv.Error:
        return []
    return found[0] if len(found) == 1 else []


def _fields(names: Sequence[str], values: Sequence[str]) -> dict[str, object] | None:
    fields: dict[str, object] = dict(zip(names, values, strict=False))
    return fields if fields and len(fields) == len(names) == len(values) else None


def _records(stream: Stream) -> Iterator[Sequence[bytes]]:
    """Yield the records, many at a time; `FormatError` if a quote is never closed."""
    where = stream.file.path
    quotes = _Quotes(where)
    for data in whole_lines(stream.blocks(), where):
        if found := quotes.records(data):
            yield found
    if quotes.opened:
        raise FormatError(where, f"the quote opened in line {quotes.opened:,} is never closed")


class _Quotes:
    """Puts lines together to records: a line with an odd number of quotes opens one that stays open, or closes it."""

    def __init__(self, where: str) -> None:
        self._where = where
        self._seen = 0  # lines
        self._pieces: list[bytes] = []  # of the record that is open
        self._held = 0  # bytes of them
        self.opened = 0  # the number of the line, from 1, where the open quote is; 0 if none is open

    def records(self, data: bytes) -> Sequence[bytes]:
        """Return the records that end in these lines."""
        found = data.split(b"\n")
        turns = [at for at, line in enumerate(found) if line.count(b'"') % 2] if b'"' in data else []
        ended = self._joined(found, turns) if turns or self.opened else found
        self._seen += len(found)
        return without_returns(ended, data)

    def _joined(self, found: Sequence[bytes], turns: Sequence[int]) -> Sequence[bytes]:
        ended: list[bytes] = []
        start = 0
        for at in turns:
            if self.opened:
                ended.append(b"\n".join((*self._pieces, *found[start : at + 1])))
                self._pieces, self._held, self.opened, start = [], 0, 0, at + 1
            else:
                ended += found[start:at]
                self.opened, start = self._seen + at + 1, at
        if self.opened:
            self._hold(b"\n".join(found[start:]))
        else:
            ended += found[start:]
        return ended

    def _hold(self, piece: bytes) -> None:
        self._pieces.append(piece)
        self._held += len(piece) + 1
        if self._held > MAX_RECORD:
            what = f"the quote opened in line {self.opened:,} is not closed within {MAX_RECORD:,} bytes"
            raise FormatError(self._where, what)
