"""The socket of loading: what an engine is, too, that leaves what it hashed in memory of the caller's."""

from collections.abc import Sequence
from typing import Protocol, runtime_checkable

from mltrust.core.digest import Suite
from mltrust.interfaces.progress import Progress
from mltrust.interfaces.reading import ArtifactSource, Segment


@runtime_checkable
class LoadingEngine(Protocol):
    """An engine of this machine, which can read into memory that is handed to it."""

    def load(
        self,
        segments: Sequence[Segment],
        rooms: Sequence[memoryview],
        source: ArtifactSource,
        suite: Suite,
        progress: Progress,
    ) -> Sequence[bytes]:
        """Read every segment once, into its room of as many bytes; return the 32-byte digests of the rooms, in order.

        What is hashed is what lies in the room then: nobody else has that memory, and no file is mapped to it.
        """
