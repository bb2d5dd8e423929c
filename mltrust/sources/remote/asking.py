"""Questions to a store, asked with patience and from any thread; a no becomes an error that names the file."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine
from concurrent.futures import CancelledError, Future
from threading import Lock
from typing import Any, TypeVar

from mltrust.errors import ArtifactError, ChangedError, MltrustError
from mltrust.sources.remote.buckets import short
from mltrust.sources.remote.fetching import Patience, fetch
from mltrust.sources.remote.reading import RANGE
from mltrust.sources.remote.store import MissingError, Page, RefusedError, StaleError, Store, StoredObject

_Answer = TypeVar("_Answer")
_AT_ONCE = 4  # ranges of one long read


class Asking:
    """One store, opened when it is first asked."""

    def __init__(
        self, make_store: Callable[[], Store], loop: Callable[[], asyncio.AbstractEventLoop], patience: Patience
    ) -> None:
        self._make_store, self._loop, self.patience = make_store, loop, patience
        self._opening = Lock()
        self._opened: Store | None = None
        self._under_way: set[Future[Any]] = set()

    @property
    def _store(self) -> Store:
        with self._opening:
            if self._opened is None:
                self._opened = self._make_store()
            return self._opened

    async def find(self, key: str) -> StoredObject | None:
        """Return the object under `key` as it is now, or None."""
        return await self.patience.ask(lambda: self._store.find(key))

    async def page(self, prefix: str, after: str | None) -> Page:
        """Return one page of a listing."""
        return await self.patience.ask(lambda: self._store.page(prefix, after))

    async def asking(self, question: Callable[[Any], Awaitable[_Answer]]) -> _Answer:
        """Put a question of its own to a store of one kind."""
        return await self.patience.ask(lambda: question(self._store))

    async def check(self, wanted: StoredObject) -> None:
        """Raise unless the object is there in that version."""
        found = await self.find(wanted.key)
        if found is None:
            raise MissingError
        if found != wanted:
            raise StaleError

    async def fetch(self, wanted: StoredObject, begin: int, end: int) -> bytearray:
        """Return a range in one piece."""
        return await fetch(self._store, wanted, begin, end, self.patience)

    async def fetch_long(self, wanted: StoredObject, begin: int, end: int) -> bytearray:
        """Return a range of any length, a few pieces of it at once."""
        turns, data = asyncio.Semaphore(_AT_ONCE), bytearray(end - begin)

        async def piece(start: int) -> None:
            async with turns:
                stop = min(start + RANGE, end)
                data[start - begin : stop - begin] = await self.fetch(wanted, start, stop)

        await asyncio.gather(*map(piece, range(begin, end, RANGE)))
        return data

    def start(self, question: Coroutine[Any, Any, _Answer]) -> "Future[_Answer]":
        """Ask, and do not wait."""
        coming = asyncio.run_coroutine_threadsafe(question, self._loop())
        self._under_way.add(coming)
        coming.add_done_callback(self._under_way.discard)
        return coming

    def abandon(self) -> None:
        """End all questions: whoever waits for an answer gets a `CancelledError`."""
        for coming in tuple(self._under_way):
            coming.cancel()

    @staticmethod
    def take(coming: "Future[_Answer]", path: str) -> _Answer:
        """Wait for an answer; a no becomes an error that names `path`."""
        try:
            return coming.result()
        except StaleError as error:
            hint = "Run again when nothing writes to it."
            raise ChangedError(path, "changed while it was read", hint=hint) from error
        except MissingError as error:
            raise ArtifactError(path, "does not exist (or vanished while the artifact was read)") from error
        except RefusedError as error:
            raise ArtifactError(path, str(error), hint=error.hint) from error
        except (MltrustError, CancelledError):
            raise
        except Exception as error:  # a library stumbled over it: a server may send anything
            what = f"the server's answer makes no sense: {type(error).__name__}: {short(error)}"
            raise ArtifactError(path, what) from error
        except BaseException:
            coming.cancel()
            raise

    def ask(self, question: Coroutine[Any, Any, _Answer], path: str) -> _Answer:
        """Ask, and wait."""
        return self.take(self.start(question), path)
