"""`gs://BUCKET/PATH`: Google Cloud Storage, through gcsfs.

An object is pinned by its generation: asking for it by that number gives those bytes or nothing. Credentials are found
where Google's own tools find them.
"""

from collections.abc import AsyncIterator
from functools import partial
from typing import Any

from mltrust.interfaces import Settings
from mltrust.sources.remote.buckets import check_range, locate, short, transient
from mltrust.sources.remote.source import RemoteSource
from mltrust.sources.remote.store import (
    MissingError,
    Page,
    RefusedError,
    StaleError,
    StoredObject,
    TransientError,
    needing,
)

_NOT_FOUND = 404
_HINT = "Check the credentials and the name of the bucket; for public buckets: [remote.gs] anon = true."
_FIELDS = "nextPageToken,items(name,size,generation)"


class GcsSource(RemoteSource):
    """Objects of a bucket."""

    scheme = "gs"
    extra = "gcs"
    settings = {"endpoint_url": str, "project": str, "anon": bool, "requester_pays": bool}  # noqa: RUF012  # a constant

    @classmethod
    def locate(cls, url: str) -> str:
        """Return the key."""
        return locate(url, cls.scheme)[1]

    def make_store(self, settings: Settings) -> "GcsStore":
        """Return the store of the bucket."""
        with needing(self.scheme, self.extra):
            from gcsfs.core import GCSFileSystem
        own = {name: settings[name] for name in ("endpoint_url", "project", "requester_pays") if name in settings}
        if settings.get("anon"):
            own["token"] = "anon"  # noqa: S105  # gcsfs's word for none
        files = GCSFileSystem(**own, use_listings_cache=False, skip_instance_cache=True)
        # Its own way to ask again logs tracebacks; and whoever asks the store is patient: two kinds would multiply.
        files._request = partial(GCSFileSystem._request.__wrapped__, files)
        return GcsStore(files, locate(self.url, self.scheme)[0])


class GcsStore:
    """One bucket."""

    def __init__(self, files: Any, bucket: str) -> None:  # noqa: ANN401  # gcsfs is untyped
        self._files, self._bucket = files, bucket

    async def find(self, key: str) -> StoredObject | None:
        """Ask for the object's metadata."""
        try:
            found = await self._call("GET", "b/{}/o/{}", self._bucket, key, json_out=True)
        except MissingError:
            return None
        return StoredObject(key, int(found["size"]), (int(found["generation"]),))

    async def page(self, prefix: str, after: str | None) -> Page:
        """List a thousand objects; a bucket lists in the order of UTF-8 bytes."""
        more = {"pageToken": after} if after else {}
        try:
            page = await self._call("GET", "b/{}/o", self._bucket, prefix=prefix, fields=_FIELDS, json_out=True, **more)
        except MissingError as error:
            raise RefusedError("there is no such bucket", "Check its name.") from error
        items = page.get("items", ())
        found = [StoredObject(item["name"], int(item["size"]), (int(item["generation"]),)) for item in items]
        return Page(found, page.get("nextPageToken"))

    async def blocks(self, wanted: StoredObject, begin: int, end: int) -> AsyncIterator[bytes]:
        """Get a range of that generation; the library gives it in one piece."""
        url, asked = self._files.url(f"{self._bucket}/{wanted.key}"), {"Range": f"bytes={begin}-{end - 1}"}
        try:
            headers, data = await self._call("GET", url, headers=asked, generation=wanted.version[0])
        except MissingError:
            if await self.find(wanted.key) is not None:
                raise StaleError from None
            raise
        check_range(headers.get("Content-Range"), begin, end, wanted.size)
        generation = headers.get("X-Goog-Generation")
        if generation is None:  # an emulator, which may pass over the generation it was asked for
            found = await self.find(wanted.key)
            generation = str(found.version[0]) if found else ""
        if generation != str(wanted.version[0]):
            raise StaleError
        yield data

    async def _call(self, *arguments: object, **keywords: object) -> Any:  # noqa: ANN401  # a document of GCS
        """Ask once; a no becomes one of ours."""
        try:
            return await self._files._call(*arguments, **keywords)  # the coroutine behind the public `call`
        except FileNotFoundError as error:
            raise MissingError from error
        except Exception as error:
            status = getattr(error, "code", None) or getattr(error, "status", None)
            if isinstance(status, int) and status == _NOT_FOUND:
                raise MissingError from error
            refused = type(error) in (OSError, ValueError)  # what the library makes of 403 and 400
            if refused or isinstance(error, PermissionError) or (isinstance(status, int) and not transient(status)):
                raise RefusedError(f"the server refuses it: {short(error)}", _HINT) from error
            raise TransientError(short(error)) from error
