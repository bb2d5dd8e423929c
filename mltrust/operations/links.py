"""Links among the files of an artifact on this machine."""

import os
from collections.abc import Sequence

from mltrust.interfaces import ArtifactSource, FileEntry


def links_in(source: ArtifactSource, files: Sequence[FileEntry]) -> list[str]:
    """Return the links that lead to some of `files`, folders among them, sorted; none where no links can be.

    A link that leads out of the artifact is not listed: a source follows none but those of a download cache, into the
    folder where it stores all files.
    """
    place = source.local_path(files[0]) if files else None
    if place is None:
        return []
    base = os.fsencode(place.parents[files[0].path.count("/")])
    home = os.path.join(os.path.realpath(base), b"")  # noqa: PTH118  # bytes, as names are UTF-8
    folders = {folder for file in files for folder in _above(file.path)}
    return [path for path in sorted({*folders, *(file.path for file in files)}) if _is_inner_link(base, path, home)]


def _above(path: str) -> list[str]:
    parts = path.split("/")[:-1]
    return ["/".join(parts[: depth + 1]) for depth in range(len(parts))]


def _is_inner_link(base: bytes, path: str, home: bytes) -> bool:
    place = os.path.join(base, path.encode("utf-8"))  # noqa: PTH118  # the same
    return os.path.islink(place) and os.path.realpath(place).startswith(home)  # noqa: PTH114  # the same
