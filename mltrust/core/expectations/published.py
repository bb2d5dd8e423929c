"""A file as somebody published it, and which file of an artifact it is."""

from collections import Counter
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from enum import StrEnum
from typing import NamedTuple


class Algorithm(StrEnum):
    """What a published digest was made with: SHA-256 of the bytes, or SHA-1 as git names a blob."""

    SHA256 = "SHA-256"
    GIT_BLOB = "Git's SHA-1"


class Published(NamedTuple):
    """One file: its name as published, the path it is at (that of a URL, too), and its digest.

    `digest` is empty where there is none to compare, and `why` says so then. `size` is in bytes, None if not told.
    """

    name: str
    path: str
    digest: bytes
    algorithm: Algorithm = Algorithm.SHA256
    size: int | None = None
    why: str = ""


class Publication(NamedTuple):
    """A document, named `where`, and the files it speaks of."""

    where: str
    files: tuple[Published, ...]


def matched(published: Sequence[Published], paths: Collection[str]) -> dict[int, str]:
    """Return which of `paths` each of `published`, by its index, is; those that have no digest are none.

    First by the whole path; then by the longest end of it that is a path; then by the last part alone, if one path and
    one published file have it. In the last two steps a path that two might be is neither's.
    """
    open_ = {index: each.path for index, each in enumerate(published) if each.digest}
    found = {index: path for index, path in open_.items() if path in paths}
    for guess in (_by_end, _by_last_part):
        free = set(paths) - set(found.values())
        look = guess(free)
        guesses = {at: place for at, path in open_.items() if at not in found and (place := look(path)) is not None}
        often = Counter(guesses.values())
        found |= {at: place for at, place in guesses.items() if often[place] == 1}
    return found


def _by_end(free: Collection[str]) -> Callable[[str], str | None]:
    return lambda path: next((end for end in _ends(path) if end in free), None)


def _ends(path: str) -> Iterator[str]:
    while path:
        _, _, path = path.partition("/")
        yield path


def _by_last_part(free: Collection[str]) -> Callable[[str], str | None]:
    places: Mapping[str, str] = {_last_part(path): path for path in free}
    often = Counter(map(_last_part, free))

    def look(path: str) -> str | None:
        name = _last_part(path)
        return places[name] if often[name] == 1 else None

    return look


def _last_part(path: str) -> str:
    return path.rpartition("/")[2]
