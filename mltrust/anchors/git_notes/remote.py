"""A remote: what it lists, fetching from it, pushing to it.

The caller names it, and it must be one of the repository's. How it is reached, its URL and credentials, is the
repository's configuration; nothing else of that configuration takes part: which refs, which programs and what follows
a fetch are given here. Nothing is ever forced upon a remote.
"""

import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from mltrust.anchors.git_notes.repository import BRANCH, NOTES, Repository, branch_of, notes_of
from mltrust.core.report import AnchorState
from mltrust.disk.git.process import Done, quoted
from mltrust.disk.git.watching import words
from mltrust.errors import AnchorError, ContradictionError

_NO_ATOMIC = "does not support --atomic"
_REJECTED = re.compile(r"^!\t[^\t]*\t(.*)$", re.M)
_FETCH = (
    *("--quiet", "--no-tags", "--no-prune", "--no-recurse-submodules", "--no-auto-maintenance", "--no-filter"),
    *("--no-write-fetch-head", "--no-write-commit-graph", "--refmap=", "--upload-pack=git-upload-pack"),
)
_PUSH = (
    *("--porcelain", "--no-verify", "--no-signed", "--no-follow-tags", "--recurse-submodules=no"),
    *("--no-force", "--receive-pack=git-receive-pack"),
)


@dataclass(frozen=True, slots=True)
class Listing:
    """The tips of a remote, by ref; and those it had before, as they were kept here when it was asked."""

    tips: Mapping[str, str]
    kept: Mapping[str, str]


@dataclass(frozen=True)
class Remote:
    """One remote of a repository; `name` was checked."""

    repository: Repository
    name: str

    @property
    def tracking(self) -> dict[str, str]:
        """Where its refs are kept here, by their name there."""
        return {NOTES: notes_of(self.name), BRANCH: branch_of(self.name)}

    def listed(self, here: Mapping[str, str]) -> Listing:
        """Return the refs it has that hold notes; `here` are the tips of this repository.

        They must have been read before the remote is asked: others fetch and push in the meantime.

        Raises:
            ContradictionError: One that was fetched before, or pushed, is not among them any more.
            AnchorError: It is out of reach.
        """
        asked = ("ls-remote", "--quiet", "--refs", "--upload-pack=git-upload-pack", "--", self.name, NOTES, BRANCH)
        done = self.repository.git.attempt(*asked, network=True)
        if done.code:
            raise self._out_of_reach(asked, done)
        pairs = (line.partition("\t") for line in done.out.decode("utf-8", "replace").splitlines())
        tips = {ref: oid for oid, _, ref in pairs if ref in self.tracking}
        if not all(re.fullmatch(f"[0-9a-f]{{{self.repository.format.hex_digits}}}", oid) for oid in tips.values()):
            raise AnchorError(f"{self.name} names objects in another way than {self.repository.folder}")
        found = Listing(tips, {ref: here[kept] for ref, kept in self.tracking.items() if kept in here})
        self._refuse_gone(found)
        return found

    def fetch(self, refs: Collection[str]) -> AnchorError | None:
        """Fetch these of its refs; return what was in the way, such as another fetch, or that one went back.

        What is kept here only ever goes forward: so what was seen of a remote stays, as evidence.
        """
        asked = ("fetch", *_FETCH, "--", self.name, *(f"{ref}:{self.tracking[ref]}" for ref in refs))
        done = self.repository.git.attempt(*asked, network=True)
        return self._out_of_reach(asked, done) if done.code else None

    def push(self, tip: str) -> str | None:
        """Push the notes and the branch, both or none; return why it did not take them, None if it did."""
        refspecs = (f"{tip}:{NOTES}", f"{tip}:{BRANCH}")
        done = self.repository.git.attempt("push", "--atomic", *_PUSH, "--", self.name, *refspecs, network=True)
        if done.code and _NO_ATOMIC in done.said:
            done = self.repository.git.attempt("push", *_PUSH, "--", self.name, *refspecs, network=True)
        if not done.code:
            return None
        rejected = _REJECTED.findall(done.out.decode("utf-8", "replace"))
        return "; ".join([*dict.fromkeys(rejected), words(done.said)])

    def _refuse_gone(self, listing: Listing) -> None:
        for ref, tip in listing.kept.items():
            if ref not in listing.tips:
                message = f"{self.name} has no {ref} any more; its last tip was {tip}"
                hint = f"To put it back: git push {quoted(self.name)} {tip}:{ref}"
                raise ContradictionError(message, state=AnchorState.REMOVED, hint=hint)

    def _out_of_reach(self, arguments: tuple[str, ...], done: Done) -> AnchorError:
        trouble = self.repository.git.trouble(arguments, done)
        hint = trouble.hint or f"Can you reach it? Try: git ls-remote {quoted(self.name)}"
        return AnchorError(f"{self.name} is out of reach: {trouble}", hint=hint)
