"""Rows as people write them: JSON objects with a value for each column, brought into the canonical form."""

from typing import TYPE_CHECKING

from mltrust.core.json_values import object_of, same
from mltrust.readers.records.parquet.schema import Type
from mltrust.readers.records.parquet.showing import values

if TYPE_CHECKING:
    import pyarrow as pa


def row_of(text: bytes, schema: "pa.Schema", columns: Type, where: str) -> bytes | None:
    """Return the bytes of the row that `text` spells just as it would be shown; None if it spells none.

    So a number that a column would round, or a value that is shown in another way, does not pass for a row.
    """
    import pyarrow as pa

    from mltrust.readers.records.parquet.encoding import rows

    fields = object_of(text)
    if fields is None:
        return None
    try:
        batch = pa.RecordBatch.from_pylist([fields], schema=schema)
    except (pa.ArrowException, ArithmeticError, TypeError, ValueError):
        return None
    record = next(rows(batch, where))[0]
    return record if same(values(record, columns), fields) else None
