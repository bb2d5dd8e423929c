"""`s3://BUCKET/PATH`: Amazon S3 and whatever speaks its protocol, through s3fs.

Every GET carries `If-Match` with the ETag that was listed, and the ETag of the answer is compared as well: some servers
pass over the header. Credentials, region and endpoint are found where AWS's own tools find them.
"""

from collections.abc import AsyncIterator, Awaitable
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

_BLOCK = 2**20
_CONNECTIONS = 64
_NOT_FOUND, _CONDITION_FAILED = 404, 412
_HINT = "Check the credentials, the region and the endpoint; for public buckets: [remote.s3] anon = true."


class S3Source(RemoteSource):
    """Objects of a bucket."""

    scheme = "s3"
    extra = "remote"
    settings = {"endpoint_url": str, "region": str, "profile": str, "anon": bool, "requester_pays": bool}  # noqa: RUF012  # a constant

    @classmethod
    def locate(cls, url: str) -> str:
        """Return the key."""
        return locate(url, cls.scheme)[1]

    def make_store(self, settings: Settings) -> "S3Store":
        """Return the store of the bucket."""
        with needing(self.scheme, self.extra):
            import s3fs
            from botocore.exceptions import ConnectionError as NoConnection
        client = {"region_name": settings["region"]} if "region" in settings else {}
        own = {
            name: settings[name] for name in ("endpoint_url", "profile", "anon", "requester_pays") if name in settings
        }
        files = s3fs.S3FileSystem(
            **own,
            client_kwargs=client,
            config_kwargs={
                "max_pool_connections": _CONNECTIONS,
                "read_timeout": 60,
                "retries": {"total_max_attempts": 1, "mode": "standard"},
            },
            use_listings_cache=False,
            skip_instance_cache=True,
        )
        files.retries = 1  # whoever asks the store is patient: two kinds of patience would multiply
        return S3Store(files, locate(self.url, self.scheme)[0], (*s3fs.core.S3_RETRYABLE_ERRORS, NoConnection))


class S3Store:
    """One bucket."""

    def __init__(self, files: Any, bucket: str, retryable: tuple[type[Exception], ...]) -> None:  # noqa: ANN401  # s3fs is untyped
        self._files, self._bucket, self._retryable = files, bucket, retryable

    async def find(self, key: str) -> StoredObject | None:
        """Ask for the object's head."""
        try:
            found = await self._call("head_object", Key=key)
        except MissingError:
            return None
        return StoredObject(key, found["ContentLength"], _version(found, key))

    async def page(self, prefix: str, after: str | None) -> Page:
        """List a thousand objects; a bucket lists in the order of UTF-8 bytes."""
        token = {"ContinuationToken": after} if after else {}
        try:
            page = await self._call("list_objects_v2", Prefix=prefix, **token)
        except MissingError as error:
            raise RefusedError("there is no such bucket", "Check its name and the endpoint.") from error
        found = [
            StoredObject(item["Key"], item["Size"], _version(item, item["Key"])) for item in page.get("Contents", ())
        ]
        return Page(found, page["NextContinuationToken"] if page.get("IsTruncated") else None)

    async def blocks(self, wanted: StoredObject, begin: int, end: int) -> AsyncIterator[bytes]:
        """Get a range, if the object still has the ETag."""
        etag = wanted.version[0]
        answer = await self._call("get_object", Key=wanted.key, IfMatch=etag, Range=f"bytes={begin}-{end - 1}")
        body = answer["Body"]
        try:
            _check(answer, wanted, begin, end)
            while block := await _broken_off(body.read(_BLOCK)):
                yield block
        finally:
            body.close()

    async def _call(self, method: str, **arguments: object) -> Any:  # noqa: ANN401  # a document of S3
        """Ask once; a no becomes one of ours."""
        try:
            # The coroutine behind s3fs's public `call_s3`: its own ways to read know no If-Match.
            return await self._files._call_s3(method, Bucket=self._bucket, **arguments)
        except self._retryable as error:
            raise TransientError(short(error)) from error
        except Exception as error:
            answer = getattr(error.__cause__ or error, "response", None) or {}
            status = answer.get("ResponseMetadata", {}).get("HTTPStatusCode")
            if status is None:  # it never came to an answer: no credentials, a name that makes no request
                raise RefusedError(short(error), _HINT) from error
            if status == _NOT_FOUND:
                raise MissingError from error
            if status == _CONDITION_FAILED:
                raise StaleError from error
            if transient(status):
                raise TransientError(short(error)) from error
            raise RefusedError(f"the server refuses it: {short(error)} ({status})", _HINT) from error


def _check(answer: Any, wanted: StoredObject, begin: int, end: int) -> None:  # noqa: ANN401  # a document of S3
    """Check that an answer is of the version that was listed, and of the range that was asked for."""
    if answer.get("ETag") != wanted.version[0]:
        raise StaleError
    check_range(answer.get("ContentRange"), begin, end, wanted.size)


async def _broken_off(reading: Awaitable[bytes]) -> bytes:
    """Wait for a piece of an answer that has begun: all that can break is the connection."""
    try:
        return await reading
    except Exception as error:
        raise TransientError(short(error)) from error


def _version(found: Any, key: str) -> tuple[str]:  # noqa: ANN401  # a document of S3
    etag = found.get("ETag")
    if not etag:
        raise RefusedError(f"the server names no ETag of {ascii(key)[:80]}, so a change could not be noticed")
    return (etag,)
