"""Croissant 1.0 and 1.1 (https://docs.mlcommons.org/croissant/docs/croissant-spec.html), as far as digests go.

Terms are read as the specification writes them: contexts are not expanded, and nothing is fetched.
"""

import re
from collections.abc import Collection, Iterator, Mapping
from urllib.parse import unquote, urlsplit

from mltrust.core.canonical import Json
from mltrust.core.expectations.published import Published
from mltrust.core.names import check_text
from mltrust.errors import FormatError

_SHA256 = re.compile(r"[0-9a-fA-F]{64}")
_REPOSITORY = "git+https"
_MAX_PARTS = 256  # of a path: each is looked for


def is_croissant(document: Mapping[str, Json]) -> bool:
    """Tell a description of a dataset with files from other JSON."""
    return "distribution" in document and _is(document, "Dataset")


def read_croissant(document: Mapping[str, Json], where: str) -> Iterator[Published]:
    """Yield the files of the distribution; sets of files have no digests, so they are passed over."""
    found = document["distribution"]
    items = found if isinstance(found, list) else [found]
    repositories = {str(item.get("@id")) for item in items if isinstance(item, dict) and _is_repository(item)}
    for number, item in enumerate(items):
        if not isinstance(item, dict):
            raise FormatError(where, f"distribution {number} is not an object")
        if _is(item, "FileObject"):
            yield _file(item, _inside(item, repositories), f"{where}: distribution {number}")


def _is(item: Mapping[str, Json], kind: str) -> bool:
    """Tell whether `item` is of a type, with or without a prefix: `cr:FileObject`, `http://schema.org/Dataset`."""
    types = item.get("@type")
    return any(isinstance(each, str) and re.split("[:/]", each)[-1] == kind for each in _several(types))


def _several(value: Json) -> list[Json]:
    return value if isinstance(value, list) else [value]


def _is_repository(item: Mapping[str, Json]) -> bool:
    return _REPOSITORY in _several(item.get("encodingFormat"))


def _inside(item: Mapping[str, Json], repositories: Collection[str]) -> bool:
    """Tell whether a file lies inside another one, such as an archive; a repository is not one."""
    containers = [each.get("@id") if isinstance(each, dict) else each for each in _several(item.get("containedIn"))]
    return any(each is not None and str(each) not in repositories for each in containers)


def _file(item: Mapping[str, Json], inside: bool, where: str) -> Published:
    url, name = _text(item, "contentUrl", where), _text(item, "name", where)
    digest = item.get("sha256")
    shown = name or url or _text(item, "@id", where)
    path = _path(url or name, where)
    if inside:
        return Published(shown, path, b"", why="a place inside another file")
    if not isinstance(digest, str) or not _SHA256.fullmatch(digest):
        return Published(shown, path, b"", why="no usable digest")
    return Published(shown, path, bytes.fromhex(digest))


def _text(item: Mapping[str, Json], key: str, where: str) -> str:
    value = item.get(key)
    if value is None:
        return ""
    if not isinstance(value, str):
        raise FormatError(where, f"{key} is not a text")
    return check_text(value, where)


def _path(url: str, where: str) -> str:
    """Return the path of a URL, or a relative path as it is. It only ever serves to find a file that was listed."""
    try:
        parts = urlsplit(url)
    except ValueError as error:
        raise FormatError(where, f"contentUrl {ascii(url)[:80]} is malformed") from error
    path = unquote(parts.path) if parts.scheme else url
    if path.count("/") > _MAX_PARTS:
        raise FormatError(where, f"contentUrl {ascii(url)[:80]} has more than {_MAX_PARTS} parts")
    return path.removeprefix("./").lstrip("/")
