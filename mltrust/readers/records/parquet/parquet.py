"""Parquet: what the file says of itself is held against what it is before anything is read by it."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar

from mltrust.errors import FormatError
from mltrust.readers.records.parquet.table import Table, TableReader, rows_at_once, sliced
from mltrust.readers.records.stream import BLOCK, Anywhere

if TYPE_CHECKING:
    import pyarrow as pa
    import pyarrow.parquet as pq

    from mltrust.readers.records.parquet.footer import Group
    from mltrust.readers.records.parquet.schema import Type

_MEMORY = 2**29


class ParquetReader(TableReader):
    """Reads `*.parquet`."""

    name: ClassVar[str] = "parquet"
    version: ClassVar[int] = 1
    endings: ClassVar[tuple[str, ...]] = (".parquet",)

    def table(self, file: Anywhere) -> Table:
        """Open a file that is not encrypted, and whose footer makes sense."""
        import pyarrow as pa
        import pyarrow.parquet as pq

        from mltrust.readers.records.parquet.footer import groups_of, without_arrow
        from mltrust.readers.records.parquet.schema import columns_of

        groups = groups_of(file)
        # One column chunk is not read as a whole, and no thread begins to read ahead.
        footer = pq.read_metadata(pa.BufferReader(without_arrow(file)))
        found = pq.ParquetFile(pa.PythonFile(file, mode="r"), metadata=footer, pre_buffer=False, buffer_size=BLOCK)
        # Parquet knows no durations; should pyarrow have found its key after all, they are numbers all the same.
        columns = columns_of(found.schema_arrow, file.file.path).replacing("duration(", "int64")
        return Table(columns, _batches(file, found, columns, groups))


def _batches(
    file: Anywhere, found: "pq.ParquetFile", columns: "Type", groups: "Sequence[Group]"
) -> "Iterator[pa.RecordBatch]":
    for at, group in enumerate(groups):
        seen = 0
        for batch in found.iter_batches(_step(file, columns, group), [at], use_threads=False):
            batch.validate(full=True)
            seen += len(batch)
            yield from sliced(batch, columns)
        if seen != group.rows:
            raise FormatError(file.file.path, f"row group {at} has {seen:,} rows, and says {group.rows:,}")


def _step(file: Anywhere, columns: "Type", group: "Group") -> int:
    """Return how many rows to read at a time; few, where a few bytes of the file can become many in memory."""
    from mltrust.readers.records.parquet.footer import longest_repeated

    step = rows_at_once(columns, sum(chunk.end - chunk.begin for chunk in group.chunks), group.rows)
    values = max((chunk.values for chunk in group.chunks if chunk.is_bytes), default=0)
    expanded = longest_repeated(file, group) * -(-values // max(group.rows, 1))
    return max(1, min(step, _MEMORY // max(expanded, 1)))
