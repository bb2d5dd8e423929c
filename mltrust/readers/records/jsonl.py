"""JSON Lines: a record is a line, as its bytes are. The JSON in it is not looked into: any change of bytes counts."""

import io
from collections.abc import Collection, Iterator, Sequence
from typing import ClassVar

from mltrust.core.digest import Suite
from mltrust.core.json_values import object_of
from mltrust.core.records import Batch
from mltrust.interfaces import ArtifactSource, FileEntry, Row
from mltrust.readers.records.lines import batches, lines, picked, without
from mltrust.readers.records.reading import MAX_PARSED, RecordFileReader, opened, shown
from mltrust.readers.records.stream import Stream


class JsonLinesReader(RecordFileReader):
    """Reads `*.jsonl` and `*.ndjson`, also compressed by gzip or zstd: the records are those of what was compressed."""

    name: ClassVar[str] = "jsonl"
    version: ClassVar[int] = 1
    endings: ClassVar[tuple[str, ...]] = tuple(
        kind + compression for kind in (".jsonl", ".ndjson") for compression in ("", ".gz", ".zst")
    )

    def cut(self, stream: Stream, suite: Suite) -> Iterator[Batch]:
        """Yield the lines."""
        return batches(_lines(stream), suite, stream.file.path)

    def rows(self, file: FileEntry, source: ArtifactSource, wanted: Collection[int]) -> Iterator[Row]:
        """Yield the wanted lines, with their fields where they are JSON objects."""
        with opened(file, source) as stream:
            for index, line in picked(_lines(stream), wanted):
                yield Row(index, shown(line), object_of(line) if len(line) <= MAX_PARSED else None)

    def without(self, file: FileEntry, source: ArtifactSource, places: Collection[int]) -> Iterator[bytes]:
        """Leave lines out of a file that is not compressed."""
        if file.path.endswith((".gz", ".zst")):
            yield from super().without(file, source, places)
        with opened(file, source) as found, opened(file, source) as text:
            yield from without(_lines(found), io.BufferedReader(text), places)

    def spelling(self, text: bytes) -> bytes:
        """Return the line as it stands."""
        return text


def _lines(stream: Stream) -> Iterator[Sequence[bytes]]:
    from mltrust.readers.records.compressed import decompressed

    return lines(decompressed(stream), stream.file.path)
