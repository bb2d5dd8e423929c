"""One repository of the Hub at one commit: what it lists, strictly read, and ranges of its files."""

import asyncio
import re
from collections.abc import AsyncIterator
from functools import partial
from typing import NamedTuple
from urllib.parse import quote

from mltrust.core.expectations.hub import read_tree
from mltrust.core.expectations.published import Published
from mltrust.errors import FormatError
from mltrust.sources.remote.hub.client import HubClient
from mltrust.sources.remote.store import MissingError, Page, RefusedError, StoredObject

MAX_LISTED = 1_000_000
"""How many files and folders a listing may have."""

_COMMIT = re.compile(r"[0-9a-f]{40}")
_LISTING = "the Hub's listing"


class Repository(NamedTuple):
    """A repository: `models`, `datasets` or `spaces`, and `OWNER/NAME`."""

    kind: str
    name: str

    @property
    def api(self) -> str:
        """Where the Hub answers questions about it."""
        return f"api/{self.kind}/{self.name}"

    @property
    def files(self) -> str:
        """Where the Hub has its files."""
        return self.name if self.kind == "models" else f"{self.kind}/{self.name}"


class HubStore:
    """All files, by their paths; the version of each is the commit, and what it is called in the listing."""

    def __init__(self, client: HubClient, repository: Repository, revision: str | None) -> None:
        self._client, self.repository, self._revision = client, repository, revision or "main"
        self._resolving, self._commit = asyncio.Lock(), ""

    async def commit(self) -> str:
        """Return the commit that the revision was when it was first asked."""
        async with self._resolving:
            if not self._commit:
                path = f"{self.repository.api}/revision/{quote(self._revision, safe='')}"
                try:
                    found = (await self._client.ask(partial(self._client.json, path))).value
                except MissingError:
                    hint = "Check the name, the kind (datasets/, spaces/) and the revision."
                    raise RefusedError("the Hub has no such repository or revision", hint) from None
                sha = found.get("sha") if isinstance(found, dict) else None
                if not isinstance(sha, str) or not _COMMIT.fullmatch(sha):
                    raise RefusedError(f"the Hub says that the revision is {ascii(sha)[:80]}, which is no commit")
                self._commit = sha
        return self._commit

    async def files(self, prefix: str) -> list[Published]:
        """Return all files below `prefix`, as the Hub lists them: each path once, a plain relative one.

        A part of a listing that brings nothing new ends it with an error, so that it cannot go on for ever.
        """
        folder = quote(prefix.rstrip("/"), safe="")
        path: str | None = f"{self.repository.api}/tree/{await self.commit()}{'/' + folder if folder else ''}"
        path = f"{path}?recursive=true&expand=false"
        found: dict[str, Published] = {}
        listed = 0
        while path is not None:
            part = await self._client.ask(partial(self._client.json, path))
            if not isinstance(part.value, list) or (not part.value and part.more is not None):
                raise FormatError(_LISTING, "a part of it is not a list, or an empty one before the last")
            page = {each.path: each for each in read_tree(part.value, _LISTING)}
            if twice := page.keys() & found.keys():
                raise FormatError(_LISTING, f"{ascii(min(twice))[:80]} stands in it twice")
            found |= page
            listed += len(part.value)
            if listed > MAX_LISTED:
                raise FormatError(_LISTING, f"more than {MAX_LISTED:,} files and folders")
            path = part.more
        return [each for each in found.values() if each.path.startswith(prefix)]

    async def one(self, key: str) -> Published | None:
        """Return one file as the Hub lists it, or None."""
        path = f"{self.repository.api}/paths-info/{await self.commit()}"
        part = await self._client.ask(partial(self._client.json, path, {"paths": [key], "expand": "false"}))
        if not isinstance(part.value, list) or len(part.value) > 1:
            raise FormatError(_LISTING, "not a list with the one file that was asked for")
        return next((each for each in read_tree(part.value, _LISTING) if each.path == key), None)

    async def find(self, key: str) -> StoredObject | None:
        """Ask for a file at the commit."""
        try:
            found = await self.one(key)
        except MissingError:
            return None
        return None if found is None else self._stored(found, await self.commit())

    async def page(self, prefix: str, after: str | None) -> Page:  # noqa: ARG002  # all in one page
        """List everything: the Hub lists in an order of its own."""
        try:
            found, commit = await self.files(prefix), await self.commit()
        except MissingError:
            return Page((), None)
        listed = (self._stored(each, commit) for each in found)
        return Page(sorted(listed, key=lambda each: each.key.encode()), None)

    async def blocks(self, wanted: StoredObject, begin: int, end: int) -> AsyncIterator[bytes]:
        """Get a range of a file at its commit."""
        commit = str(wanted.version[0])
        path = f"{self.repository.files}/resolve/{commit}/{quote(wanted.key)}"
        yield await self._client.ask(partial(self._client.range, path, begin, end, wanted.size, commit))

    @staticmethod
    def _stored(file: Published, commit: str) -> StoredObject:
        return StoredObject(file.path, file.size or 0, (commit, file.algorithm.value, file.digest.hex()))
