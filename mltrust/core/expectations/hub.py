"""The file listing of the Hugging Face Hub: what `/api/{models,datasets}/NAME/tree/REVISION?recursive=true` answers.

A file in Git LFS has the SHA-256 of its content (`lfs.oid`), any other the object id of git, which is a SHA-1.
"""

import re
from collections.abc import Iterator, Mapping, Sequence

from mltrust.core.canonical import Json
from mltrust.core.expectations.published import Algorithm, Published
from mltrust.core.names import check_path
from mltrust.errors import FormatError

_SHA1 = re.compile(r"[0-9a-f]{40}")
_SHA256 = re.compile(r"(?:sha256:)?([0-9a-f]{64})")


def read_tree(items: Sequence[Json], where: str) -> Iterator[Published]:
    """Yield the files, each path once."""
    seen: set[str] = set()
    for number, item in enumerate(items):
        if not isinstance(item, dict) or item.get("type") not in ("file", "directory"):
            raise FormatError(where, f"item {number} is neither a file nor a directory")
        if item["type"] == "directory":
            continue
        found = _file(item, f"{where}: item {number}")
        if found.path in seen:
            raise FormatError(where, f"{ascii(found.path)[:80]} stands in it twice")
        seen.add(found.path)
        yield found


def _file(item: Mapping[str, Json], where: str) -> Published:
    path, lfs = item.get("path"), item.get("lfs")
    if not isinstance(path, str):
        raise FormatError(where, "a file without a path")
    check_path(path, where)
    if lfs is None:
        digest = _digest(_SHA1, item, where)
        return Published(path, path, digest, Algorithm.GIT_BLOB, _size(item, where))
    if not isinstance(lfs, dict):
        raise FormatError(where, "lfs is not an object")
    return Published(path, path, _digest(_SHA256, lfs, where), Algorithm.SHA256, _size(lfs, where))


def _digest(pattern: re.Pattern[str], item: Mapping[str, Json], where: str) -> bytes:
    value = item.get("oid")
    found = pattern.fullmatch(value) if isinstance(value, str) else None
    if found is None:
        raise FormatError(where, f"oid {ascii(value)[:80]} is not a digest")
    return bytes.fromhex(found[found.lastindex or 0])


def _size(item: Mapping[str, Json], where: str) -> int:
    size = item.get("size")
    if not isinstance(size, int) or isinstance(size, bool) or size < 0:
        raise FormatError(where, f"size {ascii(size)[:80]} is not a number of bytes")
    return size
