"""The socket of progress: who watches long work."""

from typing import Protocol


class Progress(Protocol):
    """Watches long work. Methods may be called from any thread."""

    def expect(self, files: int, size: int) -> None:
        """Say how many more files and bytes there are to come."""

    def reading(self, path: str) -> None:
        """Say which file is being read now: one of several, where several are. It has to cost nothing."""

    def advance(self, size: int) -> None:
        """Say that `size` more bytes are done."""


class Silent:
    """A progress that shows nothing."""

    def expect(self, files: int, size: int) -> None:
        """Show nothing."""

    def reading(self, path: str) -> None:
        """Show nothing."""

    def advance(self, size: int) -> None:
        """Show nothing."""
