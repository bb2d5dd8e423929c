"""`https://HOST/PATH`: one file on a web server that serves byte ranges.

A web server lists nothing, so the artifact is a single file. It is pinned by its ETag, or by its date of change where
there is no ETag: each answer must name the same, and a strong ETag is asked for with `If-Match` (RFC 9110, 13.1.1). A
server that names neither is refused. `http://` is for this machine alone.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from ipaddress import ip_address
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit, urlunsplit

from mltrust.errors import UsageError
from mltrust.interfaces import Settings
from mltrust.sources.remote.buckets import check_range, redirected, refuse_credentials, short, transient
from mltrust.sources.remote.source import RemoteSource
from mltrust.sources.remote.store import (
    MissingError,
    Page,
    RefusedError,
    StaleError,
    StoredObject,
    TransientError,
    Version,
    needing,
)

if TYPE_CHECKING:
    from aiohttp import ClientResponse, ClientSession

_OK, _PARTIAL, _CONDITION_FAILED, _NOT_SATISFIABLE = 200, 206, 412, 416
_REDIRECTS = {301, 302, 303, 307, 308}
_NOT_FOUND = {404, 410}
_MAX_REDIRECTS = 5
_BUFFER = 2**20
_NO_RANGES = "does not serve byte ranges"


class HttpsSource(RemoteSource):
    """One file on a web server."""

    scheme = "https"
    extra = "remote"
    settings = {}  # noqa: RUF012  # a constant

    def __init__(self, url: str, *arguments: Any, **keywords: Any) -> None:  # noqa: ANN401  # those of every source
        super().__init__(url, *arguments, **keywords)
        parts = urlsplit(url)
        self.shown = urlunsplit((parts.scheme, parts.netloc, parts.path, "…" if parts.query else "", ""))  # it may sign

    @classmethod
    def locate(cls, url: str) -> str:
        """Return the URL itself."""
        try:
            parts = urlsplit(url)
            _ = parts.port  # a number, or this raises
        except ValueError as error:
            raise UsageError(f"not a URL of {cls.scheme}://: its host or its port makes no sense") from error
        refuse_credentials(parts.netloc)
        if not url.isascii() or not url.isprintable() or " " in url or "\\" in url or parts.fragment:
            raise UsageError(f"{_bare(url)} is not a URL as it travels", hint="Percent-encode what is in it.")
        if not parts.hostname or parts.path.endswith("/") or not parts.path:
            hint = "Name a file. A folder cannot be listed over HTTP: seal it where it lies, or from a bucket."
            raise UsageError(f"{_bare(url)} names no file", hint=hint)
        if parts.scheme != "https" and not _on_this_machine(parts.hostname):
            raise UsageError("http:// is for this machine alone", hint="Use https://.")
        return url

    @classmethod
    def last_part(cls, key: str) -> str:
        """Return the name of the file, decoded."""
        try:
            name = unquote(urlsplit(key).path.rpartition("/")[2], errors="strict")
        except UnicodeDecodeError as error:
            raise UsageError(f"{_bare(key)}: the name of the file is not valid UTF-8") from error
        if "/" in name:
            raise UsageError(f"{_bare(key)}: the name of the file holds a slash")
        return name

    @classmethod
    def beside(cls, key: str) -> str:
        """Return the URL of the seal beside the file; what a query asks for or signs is not for it."""
        parts = urlsplit(key)
        return urlunsplit((parts.scheme, parts.netloc, parts.path + ".seal.json", "", ""))

    def make_store(self, settings: Settings) -> "HttpsStore":  # noqa: ARG002  # it has none
        """Return a store over one session."""
        with needing(self.scheme, self.extra):
            import aiohttp
            from fsspec.implementations.http import HTTPFileSystem
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=15, sock_read=60)
        client = {"timeout": timeout, "trust_env": True, "read_bufsize": _BUFFER, "auto_decompress": False}
        files = HTTPFileSystem(client_kwargs=client, skip_instance_cache=True)
        return HttpsStore(files, (aiohttp.ClientError, TimeoutError, OSError))


class HttpSource(HttpsSource):
    """One file on a web server of this machine."""

    scheme = "http"


class HttpsStore:
    """Files by their URLs."""

    def __init__(self, files: Any, broken: tuple[type[Exception], ...]) -> None:  # noqa: ANN401  # fsspec is untyped
        self._files, self._broken = files, broken

    async def find(self, key: str) -> StoredObject | None:
        """Ask for the first byte: unlike HEAD, it is answered wherever the rest will be."""
        try:
            async with self._answer(key, {"Range": "bytes=0-0"}) as answer:
                return StoredObject(key, _size(answer), _version(answer))
        except MissingError:
            return None

    async def page(self, prefix: str, after: str | None) -> Page:  # noqa: ARG002  # the socket's
        """Return nothing: a web server lists nothing."""
        return Page((), None)

    async def blocks(self, wanted: StoredObject, begin: int, end: int) -> AsyncIterator[bytes]:
        """Get a range, and compare the version of the answer."""
        headers = {"Range": f"bytes={begin}-{end - 1}"}
        etag = str(wanted.version[0])
        if etag and not etag.startswith("W/"):
            headers["If-Match"] = etag
        async with self._answer(wanted.key, headers) as answer:
            if answer.status == _NOT_SATISFIABLE or _version(answer) != wanted.version:
                raise StaleError
            if answer.status != _PARTIAL:
                raise RefusedError(_NO_RANGES)
            check_range(answer.headers.get("Content-Range"), begin, end, wanted.size)
            try:
                async for block in answer.content.iter_any():
                    yield block
            except self._broken as error:
                raise TransientError(short(error)) from error

    @asynccontextmanager
    async def _answer(self, url: str, headers: dict[str, str]) -> "AsyncIterator[ClientResponse]":
        """Ask once and follow redirects; a no becomes one of ours."""
        import yarl

        session: ClientSession = await self._files.set_session()
        headers = {**headers, "Accept-Encoding": "identity"}
        for _ in range(_MAX_REDIRECTS + 1):
            try:
                answer = await session.get(yarl.URL(url, encoded=True), headers=headers, allow_redirects=False)
            except self._broken as error:
                raise TransientError(short(error)) from error
            async with answer:
                if answer.status not in _REDIRECTS:
                    _check_status(answer)
                    yield answer
                    return
                url = redirected(url, answer.headers.get("Location", ""))
        raise RefusedError(f"the server redirects more than {_MAX_REDIRECTS} times")


def _bare(url: str) -> str:
    """Return the beginning of a URL for a message, without its query, which may sign it."""
    return ascii(url.partition("?")[0])[:80]


def _on_this_machine(host: str) -> bool:
    try:
        return host == "localhost" or ip_address(host).is_loopback
    except ValueError:
        return False


def _check_status(answer: "ClientResponse") -> None:
    status = answer.status
    if status in _NOT_FOUND:
        raise MissingError
    if status == _CONDITION_FAILED:
        raise StaleError
    if answer.headers.get("Content-Encoding", "identity") != "identity":
        raise RefusedError("the server sends it encoded, whatever it is asked for")
    if status in (_OK, _PARTIAL, _NOT_SATISFIABLE):
        return
    if transient(status):
        raise TransientError(f"the server answers {status}")
    raise RefusedError(f"the server answers {status}", "Check the URL; tokens and passwords may be kept in .netrc.")


def _size(answer: "ClientResponse") -> int:
    """Return the size of the file, from an answer to a request for its first byte."""
    said = answer.headers.get("Content-Range", "")
    total = said.rpartition("/")[2]
    if answer.status == _PARTIAL and total.isdecimal() and total.isascii():
        check_range(said, 0, 1, int(total))
        return int(total)
    if (answer.status == _NOT_SATISFIABLE and said == "bytes */0") or (
        answer.status == _OK and answer.headers.get("Content-Length") == "0"
    ):
        return 0
    raise RefusedError(f"the server {_NO_RANGES}", "Download the file instead.")


def _version(answer: "ClientResponse") -> Version:
    version = answer.headers.get("ETag", ""), answer.headers.get("Last-Modified", "")
    if not any(version):
        what = "the server names no version of it (neither ETag nor Last-Modified), so a change could not be noticed"
        raise RefusedError(what, "Download the file instead.")
    return (version[0],) if version[0] else version
