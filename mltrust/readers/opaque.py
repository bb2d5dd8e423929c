"""Any file, read as a whole."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar

from mltrust.core.manifest import Entry, file_entry
from mltrust.interfaces import ArtifactReader, ArtifactSource, FileEntry, Segment


@dataclass(frozen=True, slots=True)
class WholeFile:
    """A file that is one segment."""

    file: FileEntry

    @property
    def segments(self) -> tuple[Segment]:
        """The one segment."""
        return (Segment(self.file, 0, self.file.size),)

    def entry(self, digests: Sequence[bytes]) -> Entry:
        """Return the entry of a file known by one digest."""
        return file_entry(self.file.path, self.file.size, digests[0])


class OpaqueReader(ArtifactReader):
    """Accepts every file and knows nothing about it."""

    name: ClassVar[str] = "opaque"
    version: ClassVar[int] = 1
    endings: ClassVar[tuple[str, ...]] = ("",)

    def accepts(self, file: FileEntry) -> bool:  # noqa: ARG002  # every file is acceptable
        """Accept."""
        return True

    def parts(self, file: FileEntry, source: ArtifactSource) -> WholeFile:  # noqa: ARG002  # nothing needs to be read
        """Cut nothing."""
        return WholeFile(file)
