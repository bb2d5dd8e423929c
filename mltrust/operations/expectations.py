"""Compare the files of an artifact with what others published of them.

The files are read a second time for it, in the versions that were verified: the published digests are SHA-256 or git's,
and what a digest cache remembers is not asked. That bytes are the published ones does not say who sealed them.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from typing import ClassVar, NamedTuple

from mltrust.core.digest import SHA256, Suite
from mltrust.core.expectations import Algorithm, Publication, Published, matched
from mltrust.core.names import FEW, count, few, shown
from mltrust.core.report import Check, CheckKind, Outcome
from mltrust.errors import UnreadableError
from mltrust.interfaces import ArtifactSource, Engine, FileEntry, Progress, Segment
from mltrust.operations.fingerprint import Reading
from mltrust.operations.measure import blocks

Wanted = tuple[str, Algorithm]  # a path, and the digest that is wanted of it


@dataclass(frozen=True)
class Expected:
    """What was published, and the engine that hashes for it; one that remembers digests would not read again."""

    publications: Sequence[Publication]
    engine: Engine

    def checks(self, reading: Reading, source: ArtifactSource, progress: Progress) -> Iterator[Check]:
        """Yield the checks of each publication, given all files that were read; pointers of Git LFS are not content."""
        files = {file.path: file for file in reading.files if file.path not in reading.pointers}
        compared = [_Compared(publication, files) for publication in self.publications]
        wanted = sorted(set().union(*(each.wanted() for each in compared)))
        digests = self._digests(wanted, files, source, progress)
        for each in compared:
            yield from each.checks(digests)

    def _digests(
        self, wanted: Sequence[Wanted], files: Mapping[str, FileEntry], source: ArtifactSource, progress: Progress
    ) -> dict[Wanted, bytes]:
        if not wanted:
            return {}
        segments = [_segment(files[path], algorithm) for path, algorithm in wanted]
        progress.expect(len(segments), sum([segment.length for segment in segments]))
        with closing(self.engine.digest([segments], source, SHA256, progress)) as answers:
            found = [digest for batch in answers for digest in batch]
        if len(found) != len(wanted):  # what is left out would not be missed
            raise UnreadableError(f"the engine {self.engine.name!r} ended before all files were hashed")
        return dict(zip(wanted, found, strict=True))


def _segment(file: FileEntry, algorithm: Algorithm) -> Segment:
    return Segment(file, 0, file.size, GitBlob() if algorithm is Algorithm.GIT_BLOB else None)


@dataclass(frozen=True)
class GitBlob:
    """Digests a file as git does: SHA-1 of `blob`, its size, NUL and its bytes."""

    size: ClassVar[int] = 20

    def digest(self, segment: Segment, source: ArtifactSource, suite: Suite, progress: Progress) -> bytes:  # noqa: ARG002  # git's own
        """Return the 20 bytes of the object id."""
        hasher = hashlib.sha1(b"blob %d\0" % segment.length, usedforsecurity=False)
        for block in blocks(source, segment, segment.length):
            hasher.update(block)
            progress.advance(len(block))
        return hasher.digest()


class _Compared:
    """One publication beside the files of an artifact."""

    def __init__(self, publication: Publication, files: Mapping[str, FileEntry]) -> None:
        self._where, self._published, self._files = publication.where, publication.files, files
        self._places = matched(publication.files, files)
        taken = set(self._places.values())
        self._others = [file for path, file in files.items() if path not in taken]

    def wanted(self) -> set[Wanted]:
        """Return the digests that are needed: of a file where it is known which, else of all that it might be."""
        found = {(path, self._published[index].algorithm) for index, path in self._places.items()}
        lost = [each for index, each in enumerate(self._published) if each.digest and index not in self._places]
        sought = {(each.algorithm, each.size) for each in lost}
        for algorithm in {each.algorithm for each in lost}:
            any_size = (algorithm, None) in sought
            found |= {(file.path, algorithm) for file in self._others if any_size or (algorithm, file.size) in sought}
        return found

    def checks(self, digests: Mapping[Wanted, bytes]) -> Iterator[Check]:
        """Yield what became of the published files: equal, other, not here, without a digest; then who is not in it."""
        elsewhere = {(algorithm, digest): path for (path, algorithm), digest in digests.items()}
        sorts: dict[str, list[_Found]] = {"same": [], "other": [], "absent": [], "unusable": []}
        for index, each in enumerate(self._published):
            path = self._places.get(index) or elsewhere.get((each.algorithm, each.digest))
            found = _Found(path or each.name, each, b"" if path is None else digests[path, each.algorithm])
            sort = "unusable" if not each.digest else "absent" if path is None else "same" if found.same else "other"
            sorts[sort].append(found)
        yield from self._decided(sorts["same"], sorts["other"])
        yield from self._undecided(sorts["absent"], sorts["unusable"])
        if not any(sorts[sort] for sort in ("same", "other", "absent")):
            yield self._check(Outcome.UNCHECKED, "nothing to compare with, not one usable digest", (), required=True)
        covered = {found.path for found in sorts["same"] + sorts["other"]}
        if left := [path for path in self._files if path not in covered]:
            yield self._check(Outcome.UNCHECKED, f"{count(len(left), 'file')} not covered", left)

    def _decided(self, same: Sequence["_Found"], other: Sequence["_Found"]) -> Iterator[Check]:
        if same:
            often = Counter(found.published.algorithm for found in same)
            how = " and ".join(f"{often[algorithm]:,} by {algorithm}" for algorithm in Algorithm if often[algorithm])
            what = f"{count(len(same), 'file')} as published ({how}; who sealed them it does not say)"
            yield self._check(Outcome.PASS, what, _paths(same), [found.named() for found in same[:FEW]])
        if other:
            what = f"{count(len(other), 'file')} other than published"
            said = [f"{found.named()} {found.difference()}" for found in other[:FEW]]
            yield self._check(Outcome.FAIL, what, _paths(other), said)

    def _undecided(self, absent: Sequence["_Found"], unusable: Sequence["_Found"]) -> Iterator[Check]:
        if absent:
            what, hint = (
                f"{count(len(absent), 'published file')} not here",
                "Fetch it, or leave it out of the document.",
            )
            yield self._check(Outcome.UNCHECKED, what, _paths(absent), required=True, hint=hint)
        for why in sorted({found.published.why for found in unusable}):
            names = [found.path for found in unusable if found.published.why == why]
            yield self._check(Outcome.UNCHECKED, f"{count(len(names), 'published file')} with {why}", names)

    def _check(
        self,
        outcome: Outcome,
        what: str,
        names: Sequence[str],
        said: Sequence[str] = (),
        *,
        required: bool = False,
        hint: str | None = None,
    ) -> Check:
        """Return a check that lists all `names`, and in its summary a few, or what is `said` of those."""
        return Check(
            kind=CheckKind.EXPECTATION,
            name=self._where,
            outcome=outcome,
            summary=f"{shown(self._where)}: {what}{': ' if names else ''}{few(names, said)}",
            vouches=False,
            names=tuple(names),
            required=required,
            hint=hint,
        )


class _Found(NamedTuple):
    """A published file, where it is here (else what it is called), and the digest it has here."""

    path: str
    published: Published
    digest: bytes

    @property
    def same(self) -> bool:
        return self.digest == self.published.digest

    def named(self) -> str:
        known = f"/{self.published.path}".endswith(f"/{self.path}")
        return self.path if known else f"{self.path} (published as {self.published.name})"

    def difference(self) -> str:
        return f"({self.published.digest.hex()[:16]}... was published, {self.digest.hex()[:16]}... is here)"


def _paths(found: Sequence[_Found]) -> list[str]:
    return [each.path for each in found]
