"""Whether a folder belongs to a git repository that keeps files with Git LFS."""

import os
from itertools import takewhile
from pathlib import Path

from mltrust.disk.documents import read_document
from mltrust.errors import MltrustError

_ATTRIBUTES = ".gitattributes"
_MAX_BYTES = 2**20
_MAX_LEVELS = 256
_FILTER = b"filter=lfs"


def uses_git_lfs(artifact: Path) -> bool:
    """Tell whether attributes between the top of the repository and the artifact, both included, name Git LFS.

    A file that cannot be read, or is too large, names nothing: what this decides is what is recorded, not what is
    believed.
    """
    try:
        where = artifact.resolve()
        places = [where, *where.parents] if where.is_dir() else [*where.parents]
    except (OSError, RuntimeError):  # a loop of links
        return False
    below = list(takewhile(lambda place: not _is_top(place), places[:_MAX_LEVELS]))
    inside = places[: len(below) + 1]
    return len(inside) > len(below) and any(_names_lfs(place / _ATTRIBUTES) for place in inside)


def _is_top(place: Path) -> bool:
    return os.path.lexists(place / ".git")


def _names_lfs(attributes: Path) -> bool:
    try:
        lines = read_document(attributes, _MAX_BYTES).splitlines()
    except MltrustError:
        return False
    return any(_FILTER in line.split()[1:] for line in lines if not line.lstrip().startswith(b"#"))
