"""Parquet and Arrow: a record is a row in a canonical form, however the file stores it (`docs/format.md` §3.7)."""

from mltrust.readers.records.parquet.arrow import ArrowReader
from mltrust.readers.records.parquet.parquet import ParquetReader

__all__ = ["ArrowReader", "ParquetReader"]
