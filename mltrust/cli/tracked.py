"""`mltrust verify --staged`, and `mltrust verify` of all whose seals git has staged here."""

import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, NoReturn

import typer

from mltrust.cli.console import Console
from mltrust.cli.exits import Exit, for_error
from mltrust.cli.home import digest_cache
from mltrust.cli.reporting import Reports
from mltrust.core.names import FEW
from mltrust.errors import MltrustError, UsageError
from mltrust.means import default_means
from mltrust.sealfile import seal_path
from mltrust.staging import Staging, staged
from mltrust.verifying import verify_seen

if TYPE_CHECKING:
    from mltrust.core.report import Report
    from mltrust.interfaces import Seen, Trust


@dataclass(frozen=True)
class Tracked:
    """What the options ask: whether what is `staged` is verified or the work tree, and how, as `api.verify` has it."""

    staged: bool
    trust: "Trust"
    seal: Path | None
    salts: Path | None
    expect: Sequence[Path]
    with_sha256: bool
    quick: bool
    jobs: int | None
    engine: str

    def verify(self, artifact: str | None, reports: Reports, console: Console) -> NoReturn:
        """Verify one artifact, or all whose seals are staged, and end with the code of the worst: 1 before 2 and 3."""
        with staged(artifact or "", os.environ) as files:
            found = [artifact] if artifact else [os.path.relpath(path) for path in files.sealed()]
            if len(found) == 1:
                self._one(found[0], files, reports, console)
            if reports.files or reports.format != "text":
                hint = f"Name one: {', '.join(map(shlex.quote, found[:FEW]))}{', ...' if found[FEW:] else ''}."
                raise UsageError(f"{len(found)} seals are staged here, and a report is of one", hint=hint)
            codes = [self._code(each, files, reports, console) for each in found]
        raise typer.Exit(min((code for code in codes if code), default=Exit.OK))

    def _code(self, artifact: str, files: Staging, reports: Reports, console: Console) -> int:
        """Verify one of several: trouble with it is told, and the others are verified all the same."""
        try:
            self._one(artifact, files, reports, console)
        except typer.Exit as ended:
            return ended.exit_code
        except MltrustError as error:
            console.error(error)
            return for_error(error)

    def _one(self, artifact: str, files: Staging, reports: Reports, console: Console) -> NoReturn:
        report, seen = self._report(artifact, files, console)
        try:
            reports.finish(console, report, seen)
        finally:
            if report.changes and report.verdict == "failed" and self.seal is None:
                console.talk(_again(artifact))

    def _report(self, artifact: str, files: Staging, console: Console) -> "tuple[Report, Seen]":
        with console.progress() as progress:
            means = default_means(self.jobs, progress, self.engine)
            if self.staged:
                return files.verify(
                    artifact,
                    trust=self.trust,
                    seal=self.seal,
                    means=means,
                    salts=self.salts,
                    expect=self.expect,
                    with_sha256=self.with_sha256,
                )
            cache = digest_cache(console) if self.quick else None
            return verify_seen(artifact, trust=self.trust, means=means, quick=cache, with_sha256=self.with_sha256)


def _again(artifact: str) -> str:
    names = artifact, os.path.relpath(seal_path(Path(artifact)))
    named, seal = (shlex.quote(f"./{name}" if name.startswith("-") else name) for name in names)
    commands = f"mltrust seal {named} && git add {seal}"
    return f"hint: If the change is meant, seal it again as it was sealed, and stage the seal: {commands}"
