"""Any file, read as a whole."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import ClassVar

from mltrust.core.manifest import Entry, Manifest, file_entry
from mltrust.core.report import Notice
from mltrust.interfaces import ArtifactSource, FileEntry, Segment


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


class OpaqueReader:
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

    def inspect(
        self,
        manifest: Manifest,  # noqa: ARG002  # the socket's, like the next two
        files: Sequence[FileEntry],  # noqa: ARG002  # the same
        source: ArtifactSource,  # noqa: ARG002  # the same
    ) -> Iterator[Notice]:
        """Find nothing: opaque files carry no structure to look into."""
        return iter(())
