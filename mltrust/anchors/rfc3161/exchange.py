"""Asking an authority over HTTP (RFC 3161, section 3.4): one request, one bounded answer, no detours."""

import contextlib
import queue
import re
import ssl
import threading
import time
import urllib.request
from http.client import HTTPException, HTTPResponse
from urllib.error import HTTPError
from urllib.parse import urlsplit

from mltrust.anchors.rfc3161.stamp import MAX_RESPONSE_BYTES
from mltrust.core.names import printable
from mltrust.errors import AnchorError, UsageError

_MAX_URL = 2048
_CHARACTERS = re.compile(r"[!#-;=?-\[\]-~]+")  # printable ASCII but for the blank, quotes, backslash and < >
_BLOCK = 8192
_OK = 200
_MOVED = range(300, 400)
_HEADERS = {
    "Content-Type": "application/timestamp-query",
    "Accept": "application/timestamp-reply",
    "User-Agent": "mltrust",
}


def checked(url: str) -> str:
    """Return `url` if it is http or https, without user, password and fragment; else raise `UsageError`."""
    hint = "Write rfc3161:https://HOST/PATH, as the authority publishes it."
    try:
        parts = urlsplit(url)
        good = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        good = False
    if not good or "#" in url or len(url) > _MAX_URL or not _CHARACTERS.fullmatch(url):
        shown = "a text with an @" if "@" in url else ascii(url)[:120]  # what stands before it may be a password
        raise UsageError(f"{shown} is not the URL of a time-stamp authority", hint=hint)
    if "@" in parts.netloc:
        raise UsageError("a URL with a user or a password in it is not taken", hint=hint)
    return url


def ask(url: str, request: bytes, seconds: float) -> bytes:
    """Send `request` and return the answer, of at most 64 KiB, within so many seconds in all.

    Proxies are those of the environment, as usual in Python. Redirects are not followed.

    Raises:
        AnchorError: The authority is out of reach, slow, or answers with anything but such a document.
    """
    answers: queue.SimpleQueue[bytes | Exception] = queue.SimpleQueue()
    # A thread, since nothing else bounds looking up a name or an answer that drips; it ends with its connection.
    threading.Thread(target=_answer, args=(answers, url, request, seconds), daemon=True).start()
    try:
        answer = answers.get(timeout=seconds)
    except queue.Empty:
        answer = TimeoutError(f"no answer within {seconds:g} s")
    if isinstance(answer, AnchorError):
        raise answer
    if isinstance(answer, Exception):
        reason = printable(str(getattr(answer, "reason", None) or answer) or type(answer).__name__)[:200]
        hint = "Is the URL right? Is there a network? A receipt in a seal is verified without one."
        raise AnchorError(f"{url} cannot be reached: {reason}", hint=hint) from answer
    return answer


def _answer(answers: "queue.SimpleQueue[bytes | Exception]", url: str, request: bytes, seconds: float) -> None:
    try:
        answers.put(_post(url, request, seconds))
    except (OSError, HTTPException, ValueError, AnchorError) as error:
        answers.put(error)


def _post(url: str, request: bytes, seconds: float) -> bytes:
    deadline = time.monotonic() + seconds
    asked = urllib.request.Request(url, data=request, headers=_HEADERS, method="POST")  # noqa: S310  # checked() saw it
    try:
        with contextlib.closing(_opener().open(asked, timeout=seconds)) as response:
            return _read(response, url, deadline)
    except HTTPError as error:
        with error:
            where = printable(error.headers.get("Location", "elsewhere")[:200])
        moved = f"; it points to {where}, which is not followed" if error.code in _MOVED else ""
        hint = "Name the authority by the URL it points to." if moved else "Try later, or another authority."
        raise AnchorError(f"{url} answered with HTTP status {error.code}{moved}", hint=hint) from None


def _read(response: HTTPResponse, url: str, deadline: float) -> bytes:
    if response.status != _OK:
        raise AnchorError(f"{url} answered with HTTP status {response.status}", hint="Is it a time-stamp authority?")
    answer = bytearray()
    while block := response.read1(_BLOCK):
        answer += block
        if len(answer) > MAX_RESPONSE_BYTES:
            raise AnchorError(
                f"{url} answered with more than {MAX_RESPONSE_BYTES} bytes", hint="Ask another authority."
            )
        if time.monotonic() > deadline:
            raise TimeoutError("the answer is too slow")
    return bytes(answer)


def _opener() -> urllib.request.OpenerDirector:
    """Return an opener that knows http and https alone: it follows no redirect and opens no file."""
    opener = urllib.request.OpenerDirector()
    handlers: list[urllib.request.BaseHandler] = [
        urllib.request.ProxyHandler(),
        urllib.request.HTTPHandler(),
        urllib.request.HTTPSHandler(context=ssl.create_default_context()),
        urllib.request.HTTPErrorProcessor(),
        urllib.request.HTTPDefaultErrorHandler(),
        urllib.request.UnknownHandler(),
    ]
    for handler in handlers:
        opener.add_handler(handler)
    return opener
