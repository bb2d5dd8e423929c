"""The Python face of what is staged in git: verify what the next commit would hold, without reading the work tree."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from mltrust.artifacts import AnyPath, SourcedArtifact
from mltrust.core.exclusion import SEAL_ENDING
from mltrust.core.report import Notice, Report
from mltrust.disk.git.index import Index
from mltrust.errors import SealError, UsageError
from mltrust.interfaces import Means, Seen, Trust
from mltrust.means import default_means
from mltrust.operations.means import is_remote
from mltrust.sealfile import sealed_place
from mltrust.sources.git_index import GitIndexSource, StagedFiles
from mltrust.verifying import verify_seen

_NOTICE = "compared as it is staged in git: what is not staged was not looked at, nor was the work tree"


def verify_staged(
    artifact: AnyPath,
    *,
    trust: Trust,
    seal: AnyPath | None = None,
    means: Means | None = None,
    salts: AnyPath | None = None,
    expect: Sequence[AnyPath] = (),
    with_sha256: bool = False,
    environment: Mapping[str, str] | None = None,
) -> Report:
    """Verify what is staged of a file or folder of a git work tree against the seal that is staged with it.

    The artifact need not be in the work tree. `environment` holds the variables by which git leads the hooks it runs to
    their repository and index. The other parameters are those of `verify`; a `seal` that is named is read as a file.
    """
    with staged(artifact, environment) as files:
        return files.verify(
            artifact, trust=trust, seal=seal, means=means, salts=salts, expect=expect, with_sha256=with_sha256
        )[0]


@contextmanager
def staged(near: AnyPath, environment: Mapping[str, str] | None = None) -> "Iterator[Staging]":
    """Open the index of the work tree that `near` is in, which need not be there itself."""
    where = Path(near).absolute()
    folder = next(each for each in (where, *where.parents) if each.is_dir())
    with StagedFiles(Index.open(folder, environment or {})) as files:
        yield Staging(files)


@dataclass(frozen=True)
class Staging:
    """What is staged in one work tree."""

    files: StagedFiles

    def verify(
        self,
        artifact: AnyPath,
        *,
        trust: Trust,
        seal: AnyPath | None = None,
        means: Means | None = None,
        salts: AnyPath | None = None,
        expect: Sequence[AnyPath] = (),
        with_sha256: bool = False,
    ) -> tuple[Report, Seen]:
        """Verify one artifact; return the report, which says what was looked at, and what it was made of."""
        means = means or default_means()
        if is_remote(means):
            raise UsageError("what is staged is read on this machine only", hint="Verify it with --engine threads.")
        place = SourcedArtifact(
            GitIndexSource(self.files, self.files.index.path_of(Path(artifact)), os.fspath(artifact))
        )
        report, seen = verify_seen(
            place, trust=trust, seal=seal, means=means, salts=salts, expect=expect, with_sha256=with_sha256
        )
        notice = Notice(code="staged", path=seen.artifact, message=_NOTICE)
        return report.model_copy(update={"notices": (*report.notices, notice)}), seen

    def sealed(self) -> list[Path]:
        """Return the files and folders of the work tree whose seals are staged, or were until now; `SealError` if none.

        A seal that the last commit has and the index has not, though what it seals is still staged, is missed.
        """
        index, tree = self.files.index, self.files.tree()
        seals = [path for path in tree.paths() if path.endswith(SEAL_ENDING)]
        gone = (os.fsdecode(path) for path in index.removed())
        missed = [path for path in gone if path.endswith(SEAL_ENDING) and tree.holds(_sealed_by(path))]
        if not seals and not missed:
            hint = "Make one with mltrust seal, and stage it: git add."
            raise SealError(f"no seal is staged in {index.top}", hint=hint)
        return [index.top / _sealed_by(path) for path in sorted({*seals, *missed})]


def _sealed_by(seal: str) -> str:
    """Return the path of what is sealed by the seal at a path; nothing is the top."""
    found = sealed_place(PurePosixPath(seal)).as_posix()
    return "" if found == "." else found
