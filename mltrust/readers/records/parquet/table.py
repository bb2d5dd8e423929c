"""What Parquet and Arrow files share: a table that comes in batches, each row of which is a record."""

import json
from abc import abstractmethod
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, NamedTuple

from mltrust.core.digest import Suite
from mltrust.core.records import Batch
from mltrust.errors import FormatError, MltrustError, UsageError
from mltrust.interfaces import ArtifactSource, FileEntry, Row
from mltrust.readers.records.lines import batches, picked
from mltrust.readers.records.reading import MAX_PARSED, RecordFileReader, opened, shown
from mltrust.readers.records.stream import Anywhere, Stream

if TYPE_CHECKING:
    import pyarrow as pa

    from mltrust.readers.records.parquet.schema import Type

_RAISED = (ArithmeticError, LookupError, MemoryError, OSError, RuntimeError, TypeError, ValueError)
_RATIO = 1000
_ALLOWANCE = 2**30
_AT_ONCE = 2**23  # bytes of rows
_MOST_ROWS = 2**14
_MOST_VALUES = 2**18


class Table(NamedTuple):
    """The columns of a file, as one struct, and its rows, validated in full."""

    columns: "Type"
    batches: "Iterator[pa.RecordBatch]"


class TableReader(RecordFileReader):
    """A reader of tables; a subclass opens them."""

    @abstractmethod
    def table(self, file: Anywhere) -> Table:
        """Open a file; whatever pyarrow raises here, and while batches are asked for, becomes a `FormatError`."""

    def cut(self, stream: Stream, suite: Suite) -> Iterator[Batch]:
        """Yield the rows; the header is that of the columns."""
        from mltrust.readers.records.parquet.schema import header

        where = stream.file.path
        with self._opened(stream) as table:
            yield Batch([], [], header=suite.digest(header(table.columns)))
            yield from batches(_records(table, stream.file), suite, where)

    def rows(self, file: FileEntry, source: ArtifactSource, wanted: Collection[int]) -> Iterator[Row]:
        """Yield the wanted rows as JSON objects: bytes in hexadecimal, times and decimals as text."""
        from mltrust.readers.records.parquet.showing import values

        with opened(file, source) as stream, self._opened(stream) as table:
            for index, record in picked(_records(table, file), wanted):
                if len(record) > MAX_PARSED:
                    yield Row(index, shown(record.hex()))
                else:
                    fields = values(record, table.columns)
                    yield Row(index, shown(json.dumps(fields, ensure_ascii=False)), fields)

    def spelled(self, texts: Sequence[bytes], file: FileEntry, source: ArtifactSource) -> Sequence[bytes | None]:
        """Return the rows that JSON objects with a value for each column spell; nothing where there are no rows."""
        from mltrust.readers.records.parquet.spelling import row_of

        with opened(file, source) as stream, self._opened(stream) as table:
            batch = next(table.batches, None)
            if batch is None:
                return [None] * len(texts)
            return [row_of(text, batch.schema, table.columns, file.path) for text in texts]

    @contextmanager
    def _opened(self, stream: Stream) -> Iterator[Table]:
        file = stream.anywhere()
        with _needing_arrow(file):
            yield self.table(file)


def sliced(batch: "pa.RecordBatch", columns: "Type") -> "Iterator[pa.RecordBatch]":
    """Yield a valid batch in parts that take bounded memory while they are encoded."""
    step = rows_at_once(columns, batch.get_total_buffer_size(), len(batch))
    return (batch.slice(start, step) for start in range(0, len(batch), step))


def rows_at_once(columns: "Type", size: int, count: int) -> int:
    """Return how many rows to take at a time, where `count` of them have `size` bytes."""
    return max(1, min(_MOST_ROWS, _MOST_VALUES // columns.nodes(), _AT_ONCE * count // max(size, 1)))


def _records(table: Table, file: FileEntry) -> Iterator[Sequence[bytes]]:
    from mltrust.readers.records.parquet.encoding import rows

    limit, size = _RATIO * file.size + _ALLOWANCE, 0
    for batch in table.batches:
        for found in rows(batch, file.path):
            size += sum(map(len, found)) + len(found)
            if size > limit:
                raise FormatError(file.path, f"has rows of more than {_RATIO} times its size and {_ALLOWANCE:,} bytes")
            if found:
                yield found


@contextmanager
def _needing_arrow(file: Anywhere) -> Iterator[None]:
    """Turn whatever pyarrow raises into a `FormatError` that names the file."""
    where = file.file.path
    try:
        import pyarrow as pa
    except ImportError as error:
        hint = "Install it: pip install 'mltrust[parquet]'; --records off reads the file as a whole."
        raise UsageError(f"{where} needs the library pyarrow", hint=hint) from error
    try:
        yield
    except MltrustError:
        raise
    except (pa.ArrowException, *_RAISED) as error:
        if file.trouble is not None:
            raise file.trouble from error
        raise FormatError(where, f"pyarrow cannot read it: {_first_line(error)}") from error


def _first_line(error: Exception) -> str:
    lines = str(error).splitlines()
    return ascii(lines[0])[1:-1][:200] if lines else type(error).__name__
