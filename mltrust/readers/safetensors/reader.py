"""Safetensors files as segments: the header, then one tensor each."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from mltrust.core.manifest import Entry, Kind, Leaf, Manifest, safetensors_entry
from mltrust.core.report import Notice
from mltrust.interfaces import ArtifactSource, FileEntry, Segment
from mltrust.readers.safetensors.crosscheck import cross_check
from mltrust.readers.safetensors.header import LENGTH_BYTES, Header, header_size, parse_header
from mltrust.readers.safetensors.index import INDEX_SUFFIX, check_index


@dataclass(frozen=True, slots=True)
class SafetensorsParts:
    """A safetensors file cut into its header and its tensors."""

    file: FileEntry
    header: Header

    @property
    def segments(self) -> tuple[Segment, ...]:
        """The header with its length field, then the tensors by name."""
        tensors = (Segment(self.file, tensor.begin, tensor.end - tensor.begin) for tensor in self.header.tensors)
        return (Segment(self.file, 0, self.header.size), *tensors)

    def entry(self, digests: Sequence[bytes]) -> Entry:
        """Return the entry with a leaf for the header and one for each tensor."""
        header = Leaf(Kind.ST_HEADER, "", self.header.size, digests[0])
        tensors = (
            Leaf(Kind.TENSOR, tensor.name, tensor.end - tensor.begin, digest, dtype=tensor.dtype, shape=tensor.shape)
            for tensor, digest in zip(self.header.tensors, digests[1:], strict=True)
        )
        return safetensors_entry(self.file.path, header, tensors, self.header.metadata)


class SafetensorsReader:
    """Reads `*.safetensors`, and looks across shards when their index is there."""

    name: ClassVar[str] = "safetensors"
    version: ClassVar[int] = 1
    endings: ClassVar[tuple[str, ...]] = (".safetensors", INDEX_SUFFIX)

    def accepts(self, file: FileEntry) -> bool:
        """Accept files named `*.safetensors`."""
        return file.path.endswith(".safetensors")

    def parts(self, file: FileEntry, source: ArtifactSource) -> SafetensorsParts:
        """Parse the header strictly and cut the file into parts that tile it."""
        first = source.read(file, 0, min(file.size, LENGTH_BYTES))
        size = header_size(first, file.size, file.path)
        return SafetensorsParts(file, parse_header(source.read(file, 0, size), file.size, file.path))

    def inspect(self, manifest: Manifest, files: Sequence[FileEntry], source: ArtifactSource) -> Iterator[Notice]:
        """Cross-check every file with the safetensors library, and every index with its shards."""
        for file in files:
            if file.path.endswith(INDEX_SUFFIX):
                yield from check_index(file, source, manifest)
            elif (found := manifest.find(file.path)) is not None and found[1].leaf.kind is Kind.SAFETENSORS:
                yield from cross_check(found[1], source.local_path(file))
