"""Arrow IPC: files (Feather V2 is one) and streams."""

from collections.abc import Iterator
from typing import TYPE_CHECKING, ClassVar

from mltrust.errors import FormatError
from mltrust.readers.records.parquet.table import Table, TableReader, sliced
from mltrust.readers.records.stream import Anywhere

if TYPE_CHECKING:
    import pyarrow as pa

_FILE = b"ARROW1"
_FEATHER_1 = b"FEA1"


class ArrowReader(TableReader):
    """Reads `*.arrow` and `*.feather`: an IPC file if it begins with the magic of one, else an IPC stream."""

    name: ClassVar[str] = "arrow"
    version: ClassVar[int] = 1
    endings: ClassVar[tuple[str, ...]] = (".arrow", ".feather")

    def table(self, file: Anywhere) -> Table:
        """Open a file or a stream."""
        import pyarrow as pa

        from mltrust.readers.records.parquet.schema import columns_of

        where, magic = file.file.path, file.read(len(_FILE))
        if magic.startswith(_FEATHER_1):
            raise FormatError(where, "is Feather of version 1; write it as version 2, which is Arrow")
        file.seek(0)
        options = pa.ipc.IpcReadOptions(use_threads=False)
        handle = pa.PythonFile(file, mode="r")
        is_file = magic == _FILE
        reader = pa.ipc.open_file(handle, options=options) if is_file else pa.ipc.open_stream(handle, options=options)
        columns = columns_of(reader.schema, where)
        found = _batches(reader) if is_file else iter(reader)
        return Table(columns, (part for batch in found for part in sliced(_valid(batch), columns)))


def _batches(reader: "pa.RecordBatchFileReader") -> "Iterator[pa.RecordBatch]":
    return (reader.get_batch(at) for at in range(reader.num_record_batches))


def _valid(batch: "pa.RecordBatch") -> "pa.RecordBatch":
    """Check every offset and every string: what a file says of memory is not believed."""
    batch.validate(full=True)
    return batch
