"""The index of git as a tree: what lies below a folder, and where links lead."""

from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from mltrust.core.exclusion import Exclusions
from mltrust.core.names import check_path
from mltrust.disk.git.index import FILES, LINK, SUBMODULE, UNMERGED, StagedEntry
from mltrust.errors import ArtifactError, FormatError

_MAX_LINKS = 40  # on the way to one file, as systems allow
_MAX_THROUGH_LINKS = 200_000
_OUT = "a link that leads out of the artifact"
_OUT_HINT = "Copy the file in, or leave the link out with --exclude."
_NOWHERE = "a link that leads nowhere or in a loop"
_REFUSED = {
    UNMERGED: ("is not merged, or staged twice", "Resolve the conflict, and stage the file: git add."),
    SUBMODULE: ("is a submodule: what it holds is staged elsewhere", "Leave it out when you seal: --exclude."),
}


class Staged(NamedTuple):
    """What is staged under one path: its mode, and the id of its content."""

    mode: str
    oid: str


class Tree:
    """All entries of an index, by their paths from the top. Names that are not UTF-8 have surrogates in them."""

    def __init__(self, entries: Iterable[StagedEntry]) -> None:
        found: dict[str, Staged] = {}
        self._folders = {""}
        for mode, oid, raw in entries:
            path = raw.decode("utf-8", "surrogateescape")
            found[path] = Staged(UNMERGED if path in found else mode, oid)  # nobody can tell which of two it is
            while (path := path.rpartition("/")[0]) not in self._folders:
                self._folders.add(path)
        for path in self._folders & found.keys():
            found[path] = Staged(UNMERGED, found[path].oid)
        self._found, self._paths = found, sorted(found)

    def get(self, path: str) -> Staged | None:
        """Return what is staged under a path; None if nothing is, or only below it."""
        return self._found.get(path)

    def is_folder(self, path: str) -> bool:
        """Tell whether anything lies below a path; nothing is the path of the top."""
        return path in self._folders

    def holds(self, path: str) -> bool:
        """Tell whether anything is staged under a path, or below it."""
        return path in self._found or next(self.below(path), None) is not None

    def below(self, folder: str) -> Iterator[str]:
        """Yield in order the paths of all that lies below a folder."""
        prefix = folder + "/" if folder else ""
        for at in range(bisect_left(self._paths, prefix), len(self._paths)):
            if not self._paths[at].startswith(prefix):
                return
            yield self._paths[at]

    def paths(self) -> list[str]:
        """Return all paths in order."""
        return self._paths

    def links(self) -> list[str]:
        """Return the ids of what all links say."""
        return [each.oid for each in self._found.values() if each.mode == LINK]


class Walk:
    """One walk through the folder `root`; `text` reads what a link says. `left_out` grows by what is left out."""

    def __init__(self, tree: Tree, root: str, exclusions: Exclusions, text: Callable[[str], str]) -> None:
        self.left_out: list[str] = []
        self._tree, self._exclusions, self._text = tree, exclusions, text
        self._root = root + "/" if root else ""

    def files(self) -> list[tuple[str, str]]:
        """Return the files, path and id each, in order; raise `ArtifactError` for what is no content."""
        return sorted(self._below("", "", linked=False))

    def resolved(self, path: str) -> str | None:
        """Return the id of the file at `path`, whatever links are on the way; None if it is none any more."""
        found = self._tree.get(self._root + self._follow(path))
        return found.oid if found is not None and found.mode in FILES else None

    def _below(self, folder: str, prefix: str, *, linked: bool) -> Iterator[tuple[str, str]]:
        """Yield what lies below `folder`, with paths that begin with `prefix` instead; through links, too."""
        skipped = ""
        for place in self._tree.below((self._root + folder).rstrip("/")):
            path = checked(prefix + place[len(self._root + folder) :])
            if skipped and path.startswith(skipped):
                continue
            if above := self._exclusions.folder_above(path):
                self.left_out.append(above)
                skipped = above + "/"
            elif self._exclusions.match(path, folder=False):
                self.left_out.append(path)
            else:
                yield from self._at(path, place[len(self._root) :], linked=linked)

    def _at(self, path: str, place: str, *, linked: bool) -> Iterator[tuple[str, str]]:
        """Yield the file at `place` under its `path`, or all that lies below the folder to which a link there leads."""
        target = self._follow(place)
        found = self._tree.get(self._root + target)
        if found is not None and target:
            yield path, file_id(path, found)
            return
        if linked or not target:
            raise ArtifactError(path, "a link to a folder inside a linked folder, or a loop")
        for number, each in enumerate(self._below(target + "/", path + "/", linked=True)):
            if number == _MAX_THROUGH_LINKS:
                raise ArtifactError(path, f"more than {_MAX_THROUGH_LINKS} files are reached through linked folders")
            yield each

    def _follow(self, place: str) -> str:
        """Return where `place` leads once all links are followed; it must be there, and inside."""
        waiting, here, left = deque(place.split("/")), list[str](), _MAX_LINKS
        while waiting:
            part = waiting.popleft()
            if part == "..":
                if not here:
                    raise ArtifactError(place, _OUT, hint=_OUT_HINT)
                here.pop()
            if part in ("", ".", ".."):
                continue
            here.append(part)
            full = self._root + "/".join(here)
            found = self._tree.get(full)
            if found is not None and found.mode == LINK:
                here.pop()
                waiting.extendleft(reversed(self._target(place, found.oid).split("/")))
                left -= 1
            if left < 0 or (found is None and not self._tree.is_folder(full)):
                raise ArtifactError(place, _NOWHERE)
            if found is not None and found.mode != LINK and waiting:  # below a file, nothing lies
                raise ArtifactError(place, _NOWHERE)
        return "/".join(here)

    def _target(self, place: str, oid: str) -> str:
        target = self._text(oid)
        if target.startswith("/"):
            raise ArtifactError(place, _OUT, hint=_OUT_HINT)
        if not target or "\0" in target:
            raise ArtifactError(place, _NOWHERE)
        return target


def checked(path: str) -> str:
    """Return a path as reports may have it; `ArtifactError` if it cannot be one."""
    try:
        return check_path(path, "artifact")
    except FormatError as error:
        raise ArtifactError(ascii(path), error.what) from error


def file_id(path: str, found: Staged) -> str:
    """Return the id of what is staged if it is a file; else `ArtifactError`."""
    if found.mode in FILES:
        return found.oid
    what, hint = _REFUSED.get(found.mode, (f"has the mode {found.mode}, which no file has", None))
    raise ArtifactError(path, what, hint=hint)
