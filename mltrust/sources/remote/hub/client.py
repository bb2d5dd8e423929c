"""Requests to the Hub: bounded, never led away with the token, each no in words that say what to do.

The session, the endpoint and the token are huggingface_hub's: whoever set a proxy, a certificate or `HF_ENDPOINT` for
the Hub's own tools has set them for this. Its functions that list and download are not used, since they read answers
of any length and follow any number of pages.
"""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, NamedTuple, TypeVar
from urllib.parse import unquote, urljoin, urlsplit

from mltrust.core import canonical
from mltrust.core.canonical import Json
from mltrust.errors import MltrustError
from mltrust.sources.remote.buckets import check_range, redirected, short, transient
from mltrust.sources.remote.store import MissingError, RefusedError, TransientError

_Answer = TypeVar("_Answer")
_OK, _PARTIAL = 200, 206
_UNAUTHORIZED, _FORBIDDEN, _NOT_FOUND = 401, 403, 404
_REDIRECTS = (301, 302, 303, 307, 308)
_MAX_REDIRECTS = 5
_MAX_JSON = 2**25
_MAX_VALUES = 2**20
_TIMEOUT = 60.0  # seconds without a byte
_TOKEN = "A private or gated repository needs a token: hf auth login, or HF_TOKEN."  # noqa: S105  # not one


class Part(NamedTuple):
    """A part of a list, and the URL of the next part; None if there is no more."""

    value: Json
    more: str | None


class HubClient:
    """One Hub. Its methods block; `ask` runs them on threads."""

    def __init__(self, endpoint: object = None) -> None:
        from huggingface_hub import constants, errors
        from huggingface_hub.utils import build_hf_headers, get_session

        self.endpoint = str(endpoint or constants.ENDPOINT).rstrip("/")
        self._session, self._offline = get_session, errors.OfflineModeIsEnabled
        self._headers: Mapping[str, str] = {**build_hf_headers(library_name="mltrust"), "Accept-Encoding": "identity"}

    async def ask(self, question: Callable[[], _Answer]) -> _Answer:
        """Ask once, on a thread; what goes wrong becomes one of a store's errors."""
        try:
            return await asyncio.to_thread(question)
        except (MltrustError, MissingError, RefusedError, TransientError):
            raise
        except self._offline as error:
            raise RefusedError("nothing may be asked of the Hub: HF_HUB_OFFLINE is set") from error
        except ValueError as error:
            raise RefusedError(f"the Hub's answer makes no sense: {short(error)}") from error
        except Exception as error:  # of whichever library carries the requests
            raise TransientError(short(error)) from error

    def json(self, path: str, body: Mapping[str, Any] | None = None) -> Part:
        """Return what the Hub answers to a path, or to a URL that an earlier part named as the next one.

        1. The next part is of this Hub, and of the same list: else a listing could lead anywhere, with the token.
        2. An answer has at most 32 MiB, and is strict JSON.
        """
        url = urljoin(self.endpoint + "/", path)
        with self._answered("GET" if body is None else "POST", url, {}, body) as answer:
            _check_status(answer, _OK)
            value = canonical.loads(_whole(answer), "the Hub's answer", max_values=_MAX_VALUES, floats=True)  # 2
            following = answer.links.get("next", {}).get("url")
        if following is None:
            return Part(value, None)
        old, new = urlsplit(url), urlsplit(urljoin(url, following))
        if (*old[:2], unquote(old.path)) != (*new[:2], unquote(new.path)):  # 1
            where = ascii(f"{new.scheme}://{new.netloc.rpartition('@')[2]}{new.path}")[:80]
            raise RefusedError(f"the Hub says that its listing goes on elsewhere, at {where}")
        return Part(value, new.geturl())

    def range(self, path: str, begin: int, end: int, size: int, commit: str) -> bytes:
        """Return bytes `begin` to `end` of a file of `size` bytes, or those before the answer broke off."""
        data = bytearray()
        url = f"{self.endpoint}/{path}"
        with self._answered("GET", url, {"Range": f"bytes={begin}-{end - 1}"}, None) as answer:
            _check_status(answer, _PARTIAL, *((_OK,) if (begin, end) == (0, size) else ()))
            if answer.status_code == _PARTIAL:
                check_range(answer.headers.get("Content-Range"), begin, end, size)
            if answer.headers.get("X-Repo-Commit", commit) != commit:
                raise RefusedError("the Hub answers from another commit than was asked for")
            try:
                for block in answer.iter_raw():
                    data += block
                    if len(data) > end - begin:
                        break
            except Exception:  # of the library: whoever asked goes on behind what came
                if not data:
                    raise
        if len(data) > end - begin:
            raise RefusedError("the Hub sends more bytes than it was asked for")
        return bytes(data)

    @contextmanager
    def _answered(
        self, method: str, url: str, headers: Mapping[str, str], body: Mapping[str, Any] | None
    ) -> Iterator[Any]:
        """Ask, and follow redirects; the token stays where it was meant for."""
        home = urlsplit(self.endpoint)[:2]
        for _ in range(_MAX_REDIRECTS + 1):
            sent = {**self._headers, **headers}
            if urlsplit(url)[:2] != home:
                sent = {name: value for name, value in sent.items() if name.lower() != "authorization"}
            asked = {"headers": sent, "data": body, "timeout": _TIMEOUT, "follow_redirects": False}
            with self._session().stream(method, url, **asked) as answer:
                if answer.status_code not in _REDIRECTS:
                    yield answer
                    return
                url = redirected(url, answer.headers.get("Location", ""))
        raise RefusedError(f"the Hub redirects more than {_MAX_REDIRECTS} times")


def _whole(answer: Any) -> bytes:  # noqa: ANN401  # httpx's, which is not declared here
    data = bytearray()
    for block in answer.iter_raw():
        data += block
        if len(data) > _MAX_JSON:
            raise RefusedError(f"the Hub answers with more than {_MAX_JSON} bytes of JSON")
    return bytes(data)


def _check_status(answer: Any, *good: int) -> None:  # noqa: ANN401  # the same
    """Raise what a no of the Hub amounts to; it says in a header which of them it is."""
    status, code = answer.status_code, answer.headers.get("X-Error-Code", "")
    if status in good:
        if answer.headers.get("Content-Encoding", "identity") != "identity":
            raise RefusedError("the Hub sends it encoded, whatever it is asked for")
        return
    if code == "GatedRepo":
        raise RefusedError("the repository is gated", f"Ask for access on its page. {_TOKEN}")
    if code == "RevisionNotFound":
        raise RefusedError("the repository has no such revision", "Name a branch, a tag or a commit that it has.")
    if code == "RepoNotFound" or status == _UNAUTHORIZED:
        what = f"the Hub shows no such repository (it answers {status})"
        raise RefusedError(what, f"Check the name and the kind. {_TOKEN}")
    if status == _FORBIDDEN:
        raise RefusedError(f"the Hub forbids it (it answers {status})", f"Check what the token may read. {_TOKEN}")
    if status == _NOT_FOUND:
        raise MissingError
    if status not in (_OK, _PARTIAL) and transient(status):
        raise TransientError(f"the Hub answers {status}")
    raise RefusedError(f"the Hub answers {status} where {' or '.join(map(str, good))} was to be expected")
