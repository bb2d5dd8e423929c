"""`az://CONTAINER/PATH`: Azure Blob Storage, through adlfs.

Every read carries `If-Match` with the ETag that was listed. The account and its credentials are found where adlfs finds
them: AZURE_STORAGE_ACCOUNT_NAME and its like, or the default credential of Azure's own tools.
"""

from collections.abc import AsyncIterator
from typing import Any

from mltrust.interfaces import Settings
from mltrust.sources.remote.buckets import locate, short, transient
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

_NOT_FOUND, _CONDITION_FAILED = 404, 412
_HINT = "Check the account, its credentials and the container; for public ones: [remote.az] anon = true."


class AzureSource(RemoteSource):
    """Blobs of a container."""

    scheme = "az"
    extra = "azure"
    settings = {"account_name": str, "anon": bool}  # noqa: RUF012  # a constant

    @classmethod
    def locate(cls, url: str) -> str:
        """Return the key."""
        return locate(url, cls.scheme)[1]

    def make_store(self, settings: Settings) -> "AzureStore":
        """Return the store of the container."""
        with needing(self.scheme, self.extra):
            import adlfs
            from azure.core import MatchConditions
        own = {name: settings[name] for name in self.settings if name in settings}
        try:
            files = adlfs.AzureBlobFileSystem(**own, use_listings_cache=False, skip_instance_cache=True)
        except ValueError as error:
            raise RefusedError(short(error), _HINT) from error
        return AzureStore(files, locate(self.url, self.scheme)[0], MatchConditions.IfNotModified)


class AzureStore:
    """One container."""

    def __init__(self, files: Any, container: str, unmodified: object) -> None:  # noqa: ANN401  # adlfs is untyped
        self._files, self._container, self._unmodified = files, container, unmodified

    async def find(self, key: str) -> StoredObject | None:
        """Ask for the blob's properties."""
        async with self._files.service_client.get_blob_client(self._container, key) as blob:
            try:
                return _stored(await blob.get_blob_properties(), key)
            except Exception as error:
                refused = _no(error)
                if isinstance(refused, MissingError):
                    return None
                raise refused from error

    async def page(self, prefix: str, after: str | None) -> Page:
        """List a page of blobs; a container lists in the order of their names."""
        async with self._files.service_client.get_container_client(self._container) as container:
            pages = container.list_blobs(name_starts_with=prefix).by_page(continuation_token=after or None)
            try:
                found = [_stored(blob, blob.name) async for blob in await anext(pages)]
            except StopAsyncIteration:
                return Page((), None)
            except Exception as error:
                refused = _no(error)
                if isinstance(refused, MissingError):
                    refused = RefusedError("there is no such container", "Check its name and the account.")
                raise refused from error
            return Page(found, pages.continuation_token or None)

    async def blocks(self, wanted: StoredObject, begin: int, end: int) -> AsyncIterator[bytes]:
        """Get a range, if the blob still has the ETag."""
        async with self._files.service_client.get_blob_client(self._container, wanted.key) as blob:
            try:
                stream = await blob.download_blob(
                    offset=begin,
                    length=end - begin,
                    etag=wanted.version[0],
                    match_condition=self._unmodified,
                    max_concurrency=1,
                )
                async for block in stream.chunks():
                    yield block
            except Exception as error:
                raise _no(error) from error


def _stored(blob: Any, key: str) -> StoredObject:  # noqa: ANN401  # adlfs is untyped
    """Return a blob; listings write the ETag without quotes, properties with them."""
    return StoredObject(key, blob.size, ('"' + blob.etag.strip('"') + '"',))


def _no(error: Exception) -> Exception:
    status = getattr(error, "status_code", None)
    if status == _NOT_FOUND:
        return MissingError()
    if status == _CONDITION_FAILED:
        return StaleError()
    if status is not None and not transient(status):
        return RefusedError(f"the server refuses it: {short(error)}", _HINT)
    return TransientError(short(error))
