"""JSON Lines: a record is a line, as its bytes are. The JSON in it is not looked into: any change of bytes counts."""

import json
from collections.abc import Collection, Iterator
from typing import ClassVar

from mltrust.core.digest import Suite
from mltrust.core.records import Batch
from mltrust.interfaces import ArtifactSource, FileEntry, Row
from mltrust.readers.records.lines import lines
from mltrust.readers.records.reading import RecordFileReader, opened
from mltrust.readers.records.stream import Stream


class JsonLinesReader(RecordFileReader):
    """Reads `*.jsonl` and `*.ndjson`."""

    name: ClassVar[str] = "jsonl"
    version: ClassVar[int] = 1
    endings: ClassVar[tuple[str, ...]] = (".jsonl", ".ndjson")

    def cut(self, stream: Stream, suite: Suite) -> Iterator[Batch]:
        """Yield the lines."""
        for found in lines(stream.blocks(), stream.file.path):
            yield Batch(list(map(len, found)), list(map(suite.digest, found)))

    def rows(self, file: FileEntry, source: ArtifactSource, wanted: Collection[int]) -> Iterator[Row]:
        """Yield the wanted lines, with their fields where they are JSON objects."""
        last, start = max(wanted, default=-1), 0
        with opened(file, source) as stream:
            for found in lines(stream.blocks(), file.path):
                for index in (index for index in wanted if start <= index < start + len(found)):
                    yield Row(index, found[index - start].decode("utf-8", "replace"), _fields(found[index - start]))
                start += len(found)
                if start > last:
                    return


def _fields(line: bytes) -> dict[str, object] | None:
    try:
        value = json.loads(line)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, dict) else None
