"""Where the files of an artifact are, in the words of those who look for them there."""

from urllib.parse import quote

from mltrust.core.names import shown
from mltrust.interfaces import Seen


def place_of(path: str, seen: Seen) -> str:
    """Return the path or URL of a file inside the artifact, as far as the user named where that is."""
    folder = seen.folder.removesuffix("/")
    if folder in ("", "."):
        return path if seen.folder != "/" else f"/{path}"
    return f"{folder.removeprefix('./')}/{path}"


def uri_of(place: str) -> str:
    """Return the URI reference of a path or URL (RFC 3986): relative if it is, percent-encoded where it has to be."""
    scheme, mark, rest = place.partition("://")
    if mark and scheme.isalnum():
        return f"{scheme}://{_quoted(rest)}"
    slashed = place.replace("\\", "/") if _is_windows(place) else place
    if _is_windows(place):
        return f"file:///{slashed[:2]}{_quoted(slashed[2:])}"
    return f"file://{_quoted(place)}" if place.startswith("/") else _quoted(place)


def _is_windows(place: str) -> bool:
    return place[1:3] in (":\\", ":/") and place[0].isalpha()


def _quoted(path: str) -> str:
    try:
        data = path.encode("utf-8", "surrogateescape")  # the bytes of a path that is not text
    except UnicodeEncodeError:
        data = path.encode("utf-8", "surrogatepass")
    return quote(data, safe="/")


def plain(place: str) -> bool:
    """Tell whether a path can stand in a log as it is, and is one of this machine."""
    return "://" not in place and shown(place) == place
