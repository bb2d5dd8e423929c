"""Sockets of sources whose host lists files by their SHA-256, so that they need not be read to be compared."""

from typing import Protocol, runtime_checkable

from mltrust.interfaces.reading import ArtifactSource


@runtime_checkable
class Listable(Protocol):
    """What a source is, too, that can do with what its host lists."""

    @property
    def pinned(self) -> str:
        """The URL of the state it is in, whatever is pushed meanwhile; asked once."""

    def listed(self) -> ArtifactSource:
        """Return a source of the same state that has, for every file listed by its SHA-256, a Git LFS pointer.

        It is made of what is listed; nothing is asked of the host to read one. The source is `Listed`.
        """


@runtime_checkable
class Listed(Protocol):
    """What a source is, too, whose Git LFS pointers do not lie in the artifact, but were made of a listing."""

    @property
    def told_by(self) -> str:
        """Whose word they are."""
