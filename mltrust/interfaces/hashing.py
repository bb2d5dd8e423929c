"""The socket of digesters that do nothing but hash, so that an engine may choose how they get their bytes."""

from abc import abstractmethod

from mltrust.core.digest import Suite
from mltrust.interfaces.progress import Progress
from mltrust.interfaces.reading import ArtifactSource, Digester, Segment


class HashingDigester(Digester):
    """A digester whose answer is hashes alone: the same, whichever of its three ways an engine takes.

    It is the SHA-256 of the segment, then the digests, by the suite, of the `ranges` that tile it.
    """

    @abstractmethod
    def ranges(self, segment: Segment) -> list[Segment]:
        """Return the ranges, in the order of their digests: what is known of each need not be hashed again."""

    @abstractmethod
    def digest_content(self, content: bytes, suite: Suite) -> bytes:
        """Return what `digest` does of a segment that is in memory: there may be millions of small ones."""

    @abstractmethod
    def digest_ahead(self, segment: Segment, source: ArtifactSource, suite: Suite, progress: Progress) -> bytes:
        """Return what `digest` does, with a second thread that reads ahead: where there are cores to spare."""
