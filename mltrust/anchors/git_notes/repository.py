"""The repository that keeps the notes: where it is, which refs it has, and how objects and refs are written to it.

A ref moves by compare-and-swap only: `git update-ref` is given the value it must have had. So of several that write at
once one wins, and the others read again. Everything the new value leads to is on disk before.
"""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Self

from mltrust.anchors.git_notes.objects import NewObjects, Objects
from mltrust.disk.git.objects import Format
from mltrust.disk.git.process import Git
from mltrust.errors import AnchorError, UsageError

NOTES = "refs/notes/mltrust"
BRANCH_NAME = "mltrust-anchors"
BRANCH = f"refs/heads/{BRANCH_NAME}"

_MAX_REFS = 64
_UNPACK_LIMIT = 100
_HOME_HINT = "Name a folder of the repository that keeps the notes: git-notes:PATH. Or make one: git init."
_NOT_PLAIN = "is not a plain ref of notes"
_ALGORITHMS = ("sha1", "sha256")


def notes_of(remote: str) -> str:
    """Return where the notes of a remote are kept: `git notes` reads them there, and no remote's name is in the way."""
    return f"refs/notes/remotes/{remote}/mltrust"


def branch_of(remote: str) -> str:
    """Return where git keeps the branch of a remote."""
    return f"refs/remotes/{remote}/{BRANCH_NAME}"


class NoCommitError(AnchorError):
    """A ref that should hold notes leads to something else than a commit."""

    def __init__(self, ref: str, kind: str) -> None:
        super().__init__(f"{ref} {_NOT_PLAIN}: it is a {kind}", hint=f"Remove it: git update-ref -d {ref}")
        self.ref = ref


@dataclass(frozen=True)
class Repository:
    """A repository that was found from `folder`; `common` is the folder its worktrees share."""

    folder: Path
    git: Git[AnchorError]
    common: Path
    format: Format

    @classmethod
    def open(cls, folder: Path) -> Self:
        """Find the repository of a folder; `AnchorError` if git finds none there, or does not dare to use it."""
        git = Git(folder, AnchorError, _HOME_HINT)
        asked = ("rev-parse", "--show-object-format", "--path-format=absolute", "--git-common-dir")
        algorithm, _, common = git.run(*asked).partition(b"\n")
        if algorithm.decode("ascii", "replace") not in _ALGORITHMS or not common.strip():
            raise AnchorError(f"{folder}: git answers strangely", hint="git 2.31 or newer is needed.")
        return cls(folder, git, Path(os.fsdecode(common.removesuffix(b"\n"))), Format(algorithm.decode()))

    @cached_property
    def top(self) -> Path | None:
        """The top of the work tree; None in a bare repository."""
        done = self.git.attempt("rev-parse", "--path-format=absolute", "--show-toplevel")
        return Path(os.fsdecode(done.out.removesuffix(b"\n"))) if not done.code and done.out.strip() else None

    @cached_property
    def remotes(self) -> tuple[str, ...]:
        """The names of the remotes, `origin` first."""
        names = self.git.run("remote").decode("utf-8", "replace").splitlines()
        return tuple(sorted(names, key=lambda name: (name != "origin", name)))

    @property
    def is_shallow(self) -> bool:
        """Whether some history was left out when it was fetched."""
        return self.git.run("rev-parse", "--is-shallow-repository").strip() == b"true"

    def path_of(self, file: Path | None) -> str | None:
        """Return where `file` lies from the top of the work tree, with slashes; None if it lies elsewhere."""
        if file is None or self.top is None:
            return None
        absolute = file.absolute()
        try:
            inside = (absolute.parent.resolve() / absolute.name).relative_to(self.top.resolve()).as_posix()
            inside.encode("utf-8")
        except UnicodeEncodeError as error:
            raise UsageError(f"{ascii(str(file))[:200]}: the path of a seal must be UTF-8") from error
        except ValueError:
            return None
        return inside

    def tips(self) -> dict[str, str]:
        """Return the refs that hold notes, by name: the notes, what was fetched of others, and the branches."""
        # A star does not match a slash. Two would make a place of a branch that somebody calls `x/mltrust-anchors`.
        slashed = [name for name in self.remotes if "/" in name]
        if len(slashed) > _MAX_REFS:
            raise AnchorError(f"more than {_MAX_REFS} remotes have a slash in their name")
        branches = (branch_of(name) for name in ("*", *slashed))
        patterns = (NOTES, notes_of("**"), BRANCH, *branches)
        asked = (
            "for-each-ref",
            f"--count={_MAX_REFS + 1}",
            "--format=%(objecttype) %(objectname) %(symref) %(refname)",
        )
        found: dict[str, str] = {}
        for line in self.git.run(*asked, *patterns).decode("utf-8", "replace").splitlines():
            kind, oid, link, name = line.split(" ", 3)
            if name.endswith((NOTES[len("refs/notes") :], f"/{BRANCH_NAME}")):
                if link:
                    raise AnchorError(f"{name} {_NOT_PLAIN}", hint=f"Remove it: git symbolic-ref -d {name}")
                if kind != "commit":
                    raise NoCommitError(name, kind)
                found[name] = oid
        if len(found) > _MAX_REFS:
            raise AnchorError(f"more than {_MAX_REFS} refs hold notes of mltrust")
        return found

    @contextmanager
    def objects(self, most: int | None = None) -> Iterator[Objects]:
        """Read objects for a while, at most so many bytes."""
        with self.git.conversation("cat-file", "--batch") as conversation:
            yield Objects(conversation, self.format, most)

    def write(self, new: NewObjects) -> None:
        """Write objects durably: few as loose ones, many as one pack, as git does when it fetches."""
        if len(new) < _UNPACK_LIMIT:
            self.git.run("unpack-objects", "-q", stdin=new.pack())
        else:
            self.git.run("index-pack", "--stdin", stdin=new.pack())

    def swap(self, old: str | None, new: str) -> AnchorError | None:
        """Move the notes from `old`, None if there are none, to `new`; return why not, if another is faster."""
        asked = ("update-ref", "--no-deref", "-m", "mltrust", NOTES, new, old or self.format.none)
        done = self.git.attempt(*asked)
        if not done.code:
            return None
        trouble = self.git.trouble(asked, done)
        if self.tips().get(NOTES) == old and "File exists" not in done.said:
            raise trouble
        return trouble

    def require_remote(self, name: str) -> str:
        """Return the name of a remote if it is one; else a `UsageError`."""
        if name.startswith("-") or name not in self.remotes:
            known = ", ".join(self.remotes) or "none; add one with git remote add"
            raise UsageError(f"{ascii(name)[:80]} is no remote of {self.folder}", hint=f"There are: {known}.")
        if self.git.attempt("check-ref-format", notes_of(name)).code:
            raise UsageError(f"{ascii(name)[:80]}: no ref can have that name", hint="Rename it: git remote rename.")
        return name

    def commit(self, new: NewObjects, tree: str, parents: Sequence[str], seconds: int, message: str) -> str:
        """Add a commit by nobody in particular: what is signed are the records."""
        who = f"mltrust <mltrust@localhost> {seconds} +0000"
        lines = [f"tree {tree}", *(f"parent {parent}" for parent in parents), f"author {who}", f"committer {who}"]
        return new.add("commit", ("\n".join([*lines, "", message]) + "\n").encode())
