"""Patience: what is asked again, how often, and from where an answer that broke off goes on."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TypeVar

from mltrust.sources.remote.store import RefusedError, Store, StoredObject, TransientError

_Answer = TypeVar("_Answer")


@dataclass(frozen=True)
class Patience:
    """How often something is tried, and how many seconds to wait after the first time; then twice as long each time."""

    attempts: int = 6
    delay: float = 0.2
    longest: float = 10.0

    async def ask(self, question: Callable[[], Awaitable[_Answer]]) -> _Answer:
        """Return the answer to `question`; a `RefusedError` if there is none after all attempts."""
        for attempt in range(1, self.attempts + 1):
            try:
                return await question()
            except TransientError as error:
                if attempt == self.attempts:
                    what = f"cannot be read ({error}); tried {attempt} times"
                    raise RefusedError(what, "Run it again when the network or the server has recovered.") from error
            wait = min(self.delay * 2 ** (attempt - 1), self.longest)
            await asyncio.sleep(wait * random.uniform(0.5, 1))  # noqa: S311  # spreads requests, protects nothing
        raise AssertionError  # the last attempt returns or raises


async def fetch(store: Store, wanted: StoredObject, begin: int, end: int, patience: Patience) -> bytearray:
    """Return bytes `begin` to `end` of an object; each attempt goes on behind the last byte that came."""
    data = bytearray()

    async def go_on() -> bytearray:
        async for block in store.blocks(wanted, begin + len(data), end):
            data.extend(block)
            if len(data) > end - begin:
                raise RefusedError("the server sent more bytes than it was asked for")
        if len(data) < end - begin:
            raise TransientError(f"the answer broke off after {len(data)} of {end - begin} bytes")
        return data

    return await patience.ask(go_on) if begin < end else data
