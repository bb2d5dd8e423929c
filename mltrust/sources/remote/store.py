"""What a store must do, and the four ways in which it says no."""

from collections.abc import AsyncIterator, Iterator, Sequence
from contextlib import contextmanager
from typing import NamedTuple, Protocol

from mltrust.errors import UsageError

Version = tuple[int | str, ...]


class StoredObject(NamedTuple):
    """An object of a store: its key, its size in bytes, and the version whose bytes are meant."""

    key: str
    size: int
    version: Version


class Page(NamedTuple):
    """Some of the objects of a listing, and the token that asks for the rest; None if there is no more."""

    objects: Sequence[StoredObject]
    more: str | None


class TransientError(Exception):
    """It may work the next time: a connection broke, the server is busy."""


class RefusedError(Exception):
    """It will not work the next time either."""

    def __init__(self, what: str, hint: str | None = None) -> None:
        super().__init__(what)
        self.hint = hint


class StaleError(Exception):
    """The object is there in another version than was asked for."""


class MissingError(Exception):
    """The object is not there."""


class Store(Protocol):
    """One protocol, asked by coroutines on the loop of fsspec; every method raises the errors above and no others.

    A store retries nothing: whoever asks does.
    """

    async def find(self, key: str) -> StoredObject | None:
        """Return the object under `key` as it is now, or None."""

    async def page(self, prefix: str, after: str | None) -> Page:
        """List objects whose keys begin with `prefix`, in the order of the UTF-8 bytes of their keys."""

    def blocks(self, wanted: StoredObject, begin: int, end: int) -> AsyncIterator[bytes]:
        """Stream bytes `begin` to `end` of that very version, `begin < end`; the answer may break off early."""


@contextmanager
def needing(scheme: str, extra: str) -> Iterator[None]:
    """Import inside this what speaks the protocol of `scheme://`: what is missing is the caller's to install."""
    try:
        yield
    except ModuleNotFoundError as error:
        library, hint = str(error.name).partition(".")[0], f"Install it: pip install 'mltrust[{extra}]'"
        raise UsageError(f"{scheme}:// needs {library}", hint=hint) from error
