"""What is staged in a git repository: the entries of its index, as the next commit would hold them."""

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Self

from mltrust.disk.git.confinement import LEADING
from mltrust.disk.git.objects import Format, Header, header
from mltrust.disk.git.process import Conversation, Git
from mltrust.errors import UnreadableError

LINK, SUBMODULE, UNMERGED = "120000", "160000", "000000"
FILES = ("100644", "100755")

FSCK = "Is the repository whole? Run: git fsck"

_HOME_HINT = "Run it in a work tree of git, or name an artifact that lies in one."
SILENT_SECONDS = 60.0  # an object that is shorter than it says leaves both sides waiting
_MEMORY = "1g"  # git unpacks what is stored as a difference as a whole: far more than notes need
_ENTRY = re.compile(rb":000000 ([0-7]{6}) 0+ ([0-9a-f]+) ([AU])")
_COMPARED = (
    *("diff-index", "--cached", "-z", "--no-renames", "--no-relative"),
    *("--ignore-submodules=none", "--ita-invisible-in-index"),
)
_MAX_ENTRIES = 2**24


class StagedEntry(NamedTuple):
    """One entry: its mode, the id of what is staged, and its path from the top of the work tree."""

    mode: str
    oid: str
    path: bytes


@dataclass(frozen=True)
class Index:
    """The index of a work tree; `top` is where that begins, `file` the index itself."""

    top: Path
    file: Path
    format: Format
    git: Git[UnreadableError]

    @classmethod
    def open(cls, folder: Path, given: Mapping[str, str]) -> Self:
        """Return the index of the work tree that `folder` is in; `UnreadableError` if git finds none.

        `given` are variables of the environment. Those that lead git somewhere are followed, as they lead from the
        working folder, if that is the same work tree: a hook of `git commit FILE` has an index of its own.
        """
        leading = {name: given[name] for name in LEADING if given.get(name)}
        here = cls._found(_git(folder, {}))
        led = cls._found(_git(Path(), leading)) if leading else None
        if isinstance(led, cls) and (isinstance(here, UnreadableError) or led.top == here.top):
            return led
        if isinstance(here, UnreadableError):
            raise here
        return here

    @classmethod
    def _found(cls, git: Git[UnreadableError]) -> Self | UnreadableError:
        asked = ("--show-object-format", "--path-format=absolute", "--show-toplevel", "--git-path", "index")
        try:
            words = os.fsdecode(git.run("rev-parse", *asked)).split("\n")
        except UnreadableError as error:
            return error
        algorithm, top, file, *rest = [*words, "", "", ""]
        if algorithm not in ("sha1", "sha256") or not top or not file or any(rest):
            return UnreadableError("git answers strangely", hint="git 2.31 or newer is needed, and a work tree.")
        return cls(Path(top).resolve(), Path(file), Format(algorithm), git)

    def path_of(self, path: Path) -> str:
        """Return where `path`, which need not be there, lies from the top; nothing for the top itself."""
        absolute = path.absolute()
        where = path.resolve() if path.is_dir() else absolute.parent.resolve() / absolute.name
        with suppress(ValueError):
            found = where.relative_to(self.top).as_posix()
            return "" if found == "." else found
        raise UnreadableError(f"{path}: lies outside of the work tree {self.top}", hint=_HOME_HINT)

    def stamp(self) -> tuple[int, ...]:
        """Return what tells one state of the index from another; git replaces the file to change it."""
        try:
            found = self.file.stat()
        except FileNotFoundError:
            return ()
        return (found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns, found.st_ctime_ns)

    def entries(self) -> Iterator[StagedEntry]:
        """Yield all that would be committed: what is only intended to be added is not there.

        That is how the index differs from nothing. An entry that is not merged has the mode `UNMERGED`.
        """
        nothing = self.format.oid("tree", b"")
        listed = self.git.lines(*_COMPARED, "--raw", "--no-abbrev", nothing, "--", end=b"\0")
        for number, line in enumerate(listed):
            found = _ENTRY.fullmatch(line)
            path = next(listed, b"")
            if found is None or not path or number > _MAX_ENTRIES:
                raise UnreadableError(f"{self.file}: git lists it strangely", hint=FSCK)
            yield StagedEntry(UNMERGED if found[3] == b"U" else found[1].decode(), found[2].decode(), path)

    def removed(self) -> list[bytes]:
        """Return the paths that the last commit has, and the index has not; none where nothing is committed."""
        if self.git.attempt("rev-parse", "--quiet", "--verify", "HEAD^{commit}").code:
            return []
        return list(self.git.lines(*_COMPARED, "--name-only", "--diff-filter=D", "HEAD", "--", end=b"\0"))

    def headers(self, oids: Iterable[str]) -> dict[str, Header]:
        """Return what the objects with these ids are."""
        asked = list(dict.fromkeys(oids))
        given = "".join(f"{oid}\n" for oid in asked).encode()
        with closing(self.git.lines("cat-file", "--batch-check", stdin=given)) as answers:
            found = {oid: header(next(answers, b""), oid) for oid in asked}
            if next(answers, None) is not None:  # or git says how it ended
                raise UnreadableError(f"{self.file}: git says more than it was asked")
        return found

    def reading(self) -> AbstractContextManager[Conversation]:
        """Return a git that answers with what it is asked for, while it is entered."""
        return self.git.conversation("cat-file", "--batch", silence=SILENT_SECONDS)


def _git(folder: Path, given: Mapping[str, str]) -> Git[UnreadableError]:
    return Git(folder, UnreadableError, _HOME_HINT, given=given, memory=_MEMORY)
