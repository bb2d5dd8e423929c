"""JSON-RPC over HTTP (JSON-RPC 2.0; the Ethereum execution API), without a library: bounded and strictly read.

A node may be slow, broken or hostile. An answer is bounded in bytes, in time and in structure; a redirect is refused,
because whom to ask is for the user to say. A URL may hold the user's secret, so a node is shown by its host alone.
"""

import http.client
import json
import queue
import socket
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from contextlib import suppress
from itertools import count
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

from mltrust.core import canonical
from mltrust.core.canonical import Json
from mltrust.core.names import shown
from mltrust.errors import AnchorError, FormatError

TIMEOUT_SECONDS = 20.0
MAX_ANSWER_BYTES = 64 * 1024 * 1024  # the receipts of a full block are a few megabytes
MAX_ANSWER_VALUES = 2_000_000
THREAD = "mltrust-rpc"

_HEADERS = {"Content-Type": "application/json", "Accept": "application/json", "User-Agent": "mltrust"}
_CHUNK = 1 << 16
_ATTEMPTS = 3
_PAUSE_SECONDS = 0.5
_BUSY = (429, 502, 503, 504)
_QUOTED = 200
_READ = 4096  # of what is quoted: a secret must be whole to be found in it
_SHORTEST_SECRET = 6


class UnreachableError(AnchorError):
    """A node did not answer, or with what is no answer; whether it did what it was asked is not known."""


class RefusedError(AnchorError):
    """A node answered with an error; `said` is its message, shortened and safe to show."""

    def __init__(self, message: str, said: str) -> None:
        super().__init__(message, hint="Ask another node, or look at its documentation.")
        self.said = said


class Rpc:
    """One node under a URL. Methods may be called from several threads."""

    def __init__(self, url: str, timeout: float = TIMEOUT_SECONDS, sleep: Callable[[float], None] = time.sleep) -> None:
        self._url = url
        self._timeout = timeout
        self._sleep = sleep
        self._numbers = count(1)
        parts = urlsplit(url)
        self.name = f"{parts.scheme}://{parts.netloc.rpartition('@')[2]}"
        self._secrets = _secrets(parts)
        self._opener = urllib.request.build_opener(_NoRedirect(), _Http(), _Https())

    def read(self, method: str, *params: Json) -> Json:
        """Ask what changes nothing; a node that is busy or hangs up is asked again, a few times."""
        for attempt in range(1, _ATTEMPTS):
            try:
                return self.call(method, *params)
            except _BusyError:
                self._sleep(_PAUSE_SECONDS * attempt)
        return self.call(method, *params)

    def call(self, method: str, *params: Json) -> Json:
        """Ask once and return the result.

        Raises:
            UnreachableError: No answer in time, or none that is JSON-RPC.
            RefusedError: The node answered with an error.
        """
        number = next(self._numbers)
        request = {"jsonrpc": "2.0", "id": number, "method": method, "params": list(params)}
        answer = self._parsed(self._in_time(json.dumps(request).encode(), method))
        if not isinstance(answer, dict) or answer.get("jsonrpc") != "2.0":
            raise self._trouble("answered something that is not JSON-RPC")
        if (error := answer.get("error")) is not None:
            said = error.get("message") if isinstance(error, dict) else None
            text = self._quoted(said) if isinstance(said, str) else "no reason given"
            raise RefusedError(f"{self.name} refused {method}: {text}", text)
        if answer.get("id") != number or "result" not in answer:
            raise self._trouble("answered another question")
        return answer["result"]

    def _in_time(self, body: bytes, method: str) -> bytes:
        """Ask within `timeout` seconds in all."""
        answers: queue.SimpleQueue[bytes | Exception] = queue.SimpleQueue()
        request = _Request(self._url, body, _HEADERS)

        def ask() -> None:
            try:
                answers.put(self._post(request, method))
            except Exception as error:  # noqa: BLE001  # raised below, where somebody waits for it
                answers.put(error)

        # A thread, since nothing else bounds looking up a name, or headers and trailers that never end.
        threading.Thread(target=ask, name=THREAD, daemon=True).start()
        try:
            answer = answers.get(timeout=self._timeout)
        except queue.Empty:
            request.hang_up()
            raise self._late(method) from None
        if isinstance(answer, Exception):
            raise answer
        return answer

    def _post(self, request: "_Request", method: str) -> bytes:
        deadline = time.monotonic() + self._timeout
        try:
            with self._opener.open(request, timeout=self._timeout) as answer:
                return self._bounded(answer, deadline, method)
        except urllib.error.HTTPError as error:
            return self._of_error(error, deadline, method)
        except TimeoutError as error:
            raise self._late(method) from error
        except urllib.error.URLError as error:
            if isinstance(error.reason, TimeoutError):
                raise self._late(method) from error
            raise self._trouble(f"cannot be reached: {self._quoted(str(error.reason))}") from error
        except (ConnectionError, http.client.RemoteDisconnected, http.client.IncompleteRead) as error:
            raise _BusyError(f"{self.name} hung up", hint=_HINT) from error
        except (OSError, http.client.HTTPException, ValueError) as error:
            raise self._trouble(f"cannot be reached: {type(error).__name__}") from error

    def _of_error(self, error: urllib.error.HTTPError, deadline: float, method: str) -> bytes:
        # Some nodes say with an HTTP status what they also say in JSON-RPC.
        with error:
            if error.code in _BUSY:
                raise _BusyError(f"{self.name} is busy: HTTP {error.code}", hint="Wait, or name another node.")
            try:
                body = self._bounded(error.fp, deadline, method)  # type: ignore[arg-type]  # it is what the answer was
            except (OSError, http.client.HTTPException):
                body = b""
        if not body.lstrip().startswith(b'{"') or b'"error"' not in body:
            raise self._trouble(f"answered HTTP {error.code}")
        return body

    def _bounded(self, answer: http.client.HTTPResponse, deadline: float, method: str) -> bytes:
        chunks, size = [], 0
        while chunk := answer.read1(_CHUNK):
            size += len(chunk)
            if size > MAX_ANSWER_BYTES:
                raise self._trouble(f"answered more than {MAX_ANSWER_BYTES} bytes")
            if time.monotonic() > deadline:
                raise self._late(method)
            chunks.append(chunk)
        if answer.length:  # of what it announced, so much is missing
            raise _BusyError(f"{self.name} hung up", hint=_HINT)
        return b"".join(chunks)

    def _parsed(self, body: bytes) -> Json:
        try:
            return canonical.loads(body, self.name, max_values=MAX_ANSWER_VALUES, floats=True)
        except FormatError as error:
            raise self._trouble(f"answered no JSON: {error.what}") from error

    def _quoted(self, said: str) -> str:
        """Shorten what a node said, and leave out what of its URL may be the user's secret."""
        said = said[:_READ]
        for secret in self._secrets:
            said = said.replace(secret, "…")
        return shown(said[:_QUOTED])

    def _late(self, method: str) -> UnreachableError:
        return self._trouble(f"did not answer {method} within {self._timeout:g} s")

    def _trouble(self, what: str) -> UnreachableError:
        return UnreachableError(f"{self.name} {what}", hint=_HINT)


_HINT = "Is the node up, and its URL in your configuration right?"


def _secrets(parts: SplitResult) -> list[str]:
    """Return what of a URL is not shown, in whole and in its parts, the longest first."""
    user = parts.netloc.rpartition("@")[0]
    pieces = [*parts.path.split("/"), *(piece for pair in parts.query.split("&") for piece in pair.split("=", 1))]
    found = {f"{parts.path}?{parts.query}", parts.path, parts.query, user, *user.split(":"), *pieces}
    found |= {unquote(piece) for piece in found}
    return sorted((piece for piece in found if len(piece) >= _SHORTEST_SECRET), key=len, reverse=True)


class _BusyError(UnreachableError):
    """Asking again may help."""


class _Request(urllib.request.Request):
    """A request, and the connection it went over."""

    line: socket.socket | None = None

    def hang_up(self) -> None:
        """End whoever still waits for the answer."""
        if self.line is not None:
            with suppress(OSError):
                self.line.shutdown(socket.SHUT_RDWR)


class _Holding(urllib.request.AbstractHTTPHandler):
    def do_open(self, http_class: Any, req: Any, **arguments: Any) -> Any:  # noqa: ANN401  # as urllib declares it
        """Open as usual, and let the request know its connection."""

        def made(*args: Any, **others: Any) -> Any:  # noqa: ANN401  # as urllib declares it
            connection = http_class(*args, **others)
            connect = connection.connect

            def connected() -> None:
                connect()
                req.line = connection.sock

            connection.connect = connected
            return connection

        return super().do_open(made, req, **arguments)


class _Http(_Holding, urllib.request.HTTPHandler): ...


class _Https(_Holding, urllib.request.HTTPSHandler): ...


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        """Follow nothing: it stays an HTTP error."""
        return
