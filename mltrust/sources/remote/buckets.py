"""URLs of buckets, and what every answer to a ranged request must say."""

import re
from urllib.parse import urljoin, urlsplit

from mltrust.errors import UsageError
from mltrust.sources.remote.store import RefusedError

_CONTENT_RANGE = re.compile(r"bytes (\d{1,19})-(\d{1,19})/(\d{1,19})")
_CLIENT_ERRORS = range(400, 500)
_TRY_AGAIN = {408, 425, 429}
_MAX_SHOWN = 200
_QUERY = re.compile(r"(?<=\w)\?[^\s'\"]*")


def locate(url: str, scheme: str) -> tuple[str, str]:
    """Return the bucket and the key of `scheme://bucket/key`; the key is taken as it stands, `%` and `?` too."""
    head, _, rest = url.partition("://")
    bucket, _, key = rest.partition("/")
    if head != scheme or not bucket:
        raise UsageError(f"{ascii(url)[:80]} names no bucket", hint=f"Write {scheme}://BUCKET/PATH.")
    refuse_credentials(bucket)
    if not url.isprintable():
        raise UsageError(f"{ascii(url)[:80]} holds characters that cannot be printed")
    return bucket, key


def refuse_credentials(authority: str) -> None:
    """Refuse `user:password@host`: a URL ends up in logs, histories and seals."""
    if "@" in authority:
        raise UsageError(
            "a URL must not carry credentials, or anything else before an @",
            hint="Leave them to the environment or the configuration of the protocol's own tools.",
        )


def check_range(said: str | None, begin: int, end: int, size: int) -> None:
    """Check a Content-Range header: exactly bytes `begin` to `end` of an object of `size` bytes (RFC 9110, 14.4)."""
    found = _CONTENT_RANGE.fullmatch(said or "")
    if found is None or tuple(map(int, found.groups())) != (begin, end - 1, size):
        what = f"the server answered with {ascii(said)[:80]} where bytes {begin}-{end - 1}/{size} were asked for"
        raise RefusedError(what, "It does not serve byte ranges as HTTP wants them. Download the artifact instead.")


def redirected(url: str, location: str) -> str:
    """Return where a redirect leads: over https, or on the same server."""
    old, new = urlsplit(url), urlsplit(urljoin(url, location))
    same = (old.scheme, old.netloc) == (new.scheme, new.netloc)
    if not (same or new.scheme == "https") or "@" in new.netloc or not new.geturl().isascii():
        where = f"{new.scheme}://{new.netloc.rpartition('@')[2]}"
        raise RefusedError(f"the server redirects to {ascii(where)[:80]}: neither to itself nor to a plain https URL")
    return new.geturl()


def transient(status: int) -> bool:
    """Tell whether asking again makes sense after this status of HTTP."""
    return status not in _CLIENT_ERRORS or status in _TRY_AGAIN


def short(error: BaseException) -> str:
    """Return an error of a library in one short line, its URLs without their queries: those may sign something."""
    return _QUERY.sub("?…", " ".join(str(error).split()))[:_MAX_SHOWN] or type(error).__name__
