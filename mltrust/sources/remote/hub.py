"""`hf://[datasets/]OWNER/NAME[@REVISION][/PATH]`: a repository of the Hugging Face Hub, through huggingface_hub.

The revision is resolved to a commit before anything else is asked, and everything is read at that commit: a push
meanwhile changes nothing. The token is found where the Hub's own tools find it.
"""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from mltrust.errors import UsageError
from mltrust.interfaces import Settings
from mltrust.sources.remote.buckets import refuse_credentials, short, transient
from mltrust.sources.remote.source import RemoteSource
from mltrust.sources.remote.store import (
    MissingError,
    Page,
    RefusedError,
    StoredObject,
    TransientError,
    needing,
)

_KINDS = {"datasets": "dataset", "models": "model", "spaces": "space"}
_NOT_FOUND = 404
_HINT = "Check the name and the revision; a private or gated repository needs a token: hf auth login."


class HubSource(RemoteSource):
    """Files of a repository at one commit."""

    scheme = "hf"
    extra = "hub"
    settings = {"endpoint": str}  # noqa: RUF012  # a constant

    @classmethod
    def locate(cls, url: str) -> str:
        """Return the path in the repository."""
        return _parts(url)[2]

    @classmethod
    def last_part(cls, key: str) -> str:
        """Return the last part of a path, or the repository's name."""
        if key.startswith(f"{cls.scheme}://"):
            key = _parts(key)[0].partition("@")[0]
        return super().last_part(key)

    def make_store(self, settings: Settings) -> "HubStore":
        """Return the store of the repository."""
        with needing(self.scheme, self.extra):
            from huggingface_hub import HfApi, HfFileSystem
        files = HfFileSystem(**settings, skip_instance_cache=True)
        repository, revision, _ = _parts(self.url)
        return HubStore(files, HfApi(**settings), repository, revision)


class HubStore:
    """One repository; the library blocks, so it is asked on threads."""

    def __init__(self, files: Any, api: Any, repository: str, revision: str | None) -> None:  # noqa: ANN401  # theirs
        self._files, self._api, self._repository, self._revision = files, api, repository, revision
        self._resolving, self._root = asyncio.Lock(), ""

    async def find(self, key: str) -> StoredObject | None:
        """Ask for a file at the commit."""
        root = await self._at_commit()
        try:
            return self._stored(await _asked(lambda: self._files.info(f"{root}/{key}")))
        except MissingError:
            return None

    async def page(self, prefix: str, after: str | None) -> Page:  # noqa: ARG002  # all in one page
        """List everything: the Hub lists in an order of its own."""
        root = await self._at_commit()
        try:
            below = await _asked(lambda: self._files.find(f"{root}/{prefix}".rstrip("/"), detail=True))
        except MissingError:
            return Page((), None)
        found = [stored for info in below.values() if (stored := self._stored(info)) is not None]
        listed = sorted((each for each in found if each.key.startswith(prefix)), key=lambda each: each.key.encode())
        return Page(listed, None)

    async def blocks(self, wanted: StoredObject, begin: int, end: int) -> AsyncIterator[bytes]:
        """Get a range; the library gives it in one piece."""
        path = f"{await self._at_commit()}/{wanted.key}"
        yield await _asked(lambda: self._files.cat_file(path, begin, end, cache_type="none"))

    async def _at_commit(self) -> str:
        """Return the repository with its commit, resolved once."""
        async with self._resolving:
            if not self._root:
                first, _, rest = self._repository.partition("/")
                name = rest if first in _KINDS else self._repository
                kind = _KINDS.get(first)
                found = await _asked(lambda: self._api.repo_info(name, revision=self._revision, repo_type=kind))
                self._root = f"{self._repository}@{found.sha}"
        return self._root

    def _stored(self, info: Any) -> StoredObject | None:  # noqa: ANN401  # theirs
        if info["type"] != "file":
            return None
        key = info["name"].removeprefix(self._root + "/")
        if key == info["name"]:
            raise RefusedError(f"{ascii(key)[:80]} was listed, which is not in the repository")
        return StoredObject(key, info["size"], (self._root.rpartition("@")[2], str(info["blob_id"])))


def _parts(url: str) -> tuple[str, str | None, str]:
    """Return the repository with its kind, the revision if one is named, and the path."""
    rest = url.removeprefix("hf://")
    pieces = rest.split("/")
    length = 3 if pieces[0] in _KINDS else 2
    refuse_credentials(pieces[0])
    if len(pieces) < length or not all(pieces[:length]) or not url.isprintable():
        raise UsageError(
            f"{ascii(url)[:80]} names no repository", hint="Write hf://OWNER/NAME, or hf://datasets/OWNER/NAME."
        )
    last, _, revision = pieces[length - 1].partition("@")
    named = [*pieces[: length - 1], last]
    if named[0] == "models":  # the library leaves it away in what it lists
        del named[0]
    return "/".join(named), revision.replace("%2F", "/") or None, "/".join(pieces[length:])


async def _asked(question: Callable[[], Any]) -> Any:  # noqa: ANN401  # theirs
    """Ask once, on a thread; a no becomes one of ours."""
    try:
        return await asyncio.to_thread(question)
    except FileNotFoundError as error:
        raise MissingError from error
    except Exception as error:
        status = getattr(getattr(error, "response", None), "status_code", None)
        if status == _NOT_FOUND:
            raise MissingError from error
        if status is not None and not transient(status):
            raise RefusedError(f"the server refuses it: {short(error)}", _HINT) from error
        raise TransientError(short(error)) from error
