"""What a repository of the Hub is without its large files: Git LFS pointers made of the listing, and small files."""

import asyncio
import hashlib
from collections import OrderedDict, defaultdict
from collections.abc import AsyncIterator

from mltrust.core.expectations.published import Algorithm, Published
from mltrust.core.lfs import Pointer, is_pointer
from mltrust.sources.remote.hub.store import HubStore
from mltrust.sources.remote.store import MissingError, Page, RefusedError, StoredObject, TransientError

MAX_SMALL = 2**25
"""Bytes of a file that the Hub does not keep in Git LFS; it takes none with more than 10 MiB."""
MAX_FETCHED = 2**30
"""Bytes of all such files."""
MAX_FILES = 100_000
"""How many of them."""

_MAX_KEPT = 2**26
_HINT = "Read all of it with --download."


class ListedHubStore:
    """The files of a repository, each large one in the form of a pointer.

    Of a pointer, nothing is asked of the Hub: it is made of what the listing says, and its version holds that. A small
    file is fetched whole, must have the SHA-1 that the listing says git has for it, and may be no pointer itself.
    """

    def __init__(self, store: HubStore) -> None:
        self._store = store
        self._known: dict[str, StoredObject] = {}
        self._turns: defaultdict[str, asyncio.Lock] = defaultdict(asyncio.Lock)
        self._kept: OrderedDict[str, bytes] = OrderedDict()
        self._fetched = self._files = 0

    async def commit(self) -> str:
        """Return the commit."""
        return await self._store.commit()

    async def find(self, key: str) -> StoredObject | None:
        """Return what was listed; what was not, it is asked for."""
        if key not in self._known:
            try:
                found = await self._store.one(key)
            except MissingError:
                return None
            if found is None:
                return None
            self._known[key] = _as_git_has_it(found, await self.commit())
        return self._known[key]

    async def page(self, prefix: str, after: str | None) -> Page:  # noqa: ARG002  # all in one page
        """List everything."""
        try:
            found, commit = await self._store.files(prefix), await self.commit()
        except MissingError:
            return Page((), None)
        self._known |= {each.path: _as_git_has_it(each, commit) for each in found}
        return Page([self._known[path] for path in sorted((each.path for each in found), key=str.encode)], None)

    async def blocks(self, wanted: StoredObject, begin: int, end: int) -> AsyncIterator[bytes]:
        """Return a part of a pointer or of a small file."""
        digest, *size = wanted.version[2:]
        if size:
            yield Pointer(bytes.fromhex(str(digest)), int(size[0])).data()[begin:end]
            return
        async with self._turns[str(digest)]:
            if str(digest) not in self._kept:
                self._keep(str(digest), await self._fetch(wanted))
            content = self._kept[str(digest)]
        yield content[begin:end]

    async def _fetch(self, wanted: StoredObject) -> bytes:
        """Return a small file, if it is one, and what the listing says."""
        self._fetched, self._files = self._fetched + wanted.size, self._files + 1
        if wanted.size > MAX_SMALL:
            what = f"has {wanted.size:,} bytes and no SHA-256 in the Hub's listing, at most {MAX_SMALL:,} are fetched"
            raise RefusedError(what, _HINT)
        if self._fetched > MAX_FETCHED or self._files > MAX_FILES:
            what = f"the files without SHA-256 are more than {MAX_FILES:,}, or have more than {MAX_FETCHED:,} bytes"
            raise RefusedError(what, _HINT)
        data = b"".join([block async for block in self._store.blocks(wanted, 0, wanted.size)]) if wanted.size else b""
        if len(data) != wanted.size:
            raise TransientError(f"the answer broke off after {len(data)} of {wanted.size} bytes")
        if hashlib.sha1(b"blob %d\0" % len(data) + data, usedforsecurity=False).hexdigest() != wanted.version[2]:
            raise RefusedError("the Hub sends other bytes than it lists: their SHA-1 in git is another one")
        if is_pointer(data):  # it would be taken for one of those made here, for what the Hub says
            raise RefusedError("is a Git LFS pointer, and the Hub lists nothing in Git LFS for it", _HINT)
        return data

    def _keep(self, digest: str, data: bytes) -> None:
        self._kept[digest] = data
        while len(self._kept) > 1 and sum(map(len, self._kept.values())) > _MAX_KEPT:
            self._kept.popitem(last=False)


def _as_git_has_it(file: Published, commit: str) -> StoredObject:
    size, known = file.size or 0, (commit, file.algorithm.value, file.digest.hex())
    if file.algorithm is Algorithm.SHA256:
        return StoredObject(file.path, len(Pointer(file.digest, size).data()), (*known, size))
    return StoredObject(file.path, size, known)
