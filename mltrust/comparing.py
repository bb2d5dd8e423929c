"""The verb of differences, on paths: of artifacts, which are read as a seal on the other side was, and of seals."""

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import replace

from mltrust.artifacts import AnyPath, Artifact, open_artifact
from mltrust.beside.store import store_beside
from mltrust.core.bundle import Bundle
from mltrust.core.changes import Difference
from mltrust.core.digest import BLAKE3, Suite, suite_named
from mltrust.core.exclusion import ERASURES_NAME, RECORDS_NAME, SALTS_NAME
from mltrust.errors import UsageError
from mltrust.interfaces import Means, RecordReader, Seen
from mltrust.means import default_means
from mltrust.operations.diff import Side
from mltrust.operations.diff import diff as diff_sides
from mltrust.operations.fingerprint import read_found
from mltrust.operations.means import indexed_as
from mltrust.operations.rows import RowOptions, keeping
from mltrust.operations.watched import WatchedSource
from mltrust.statements.seal import read_seal


def diff(
    before: AnyPath,
    after: AnyPath,
    *,
    means: Means | None = None,
    rows: RowOptions | None = None,
) -> Difference:
    """Compare two sides, each an artifact or a seal file; an artifact is read as the other side's seal was.

    `rows` says how the rows of files of records are told that differ.
    """
    return diff_seen(before, after, means=means, rows=rows)[0]


def diff_seen(
    before: AnyPath,
    after: AnyPath,
    *,
    means: Means | None = None,
    rows: RowOptions | None = None,
) -> tuple[Difference, Seen]:
    """Do what `diff` does; return beside the difference what it was made of, as renderers want it."""
    means = means or default_means()
    places = [open_artifact(side, means.remote) for side in (before, after)]
    seals = [place.as_seal() for place in places]
    rule = seals[0] or seals[1]
    if rule is not None and rule.manifest.blinded and None in seals:
        hint = "mltrust verify compares an artifact with its blinded seal."
        raise UsageError("what is blinded cannot be compared with an artifact: equal rows look different", hint=hint)
    if rule is not None and rows is not None and rows.key_column is not None:
        raise UsageError("a key column is read on both sides, and one is a seal", hint="Name the artifact instead.")
    if len({read_seal(bundle.statement).suite for bundle in seals if bundle}) > 1:
        raise UsageError("the two seals are of different suites", hint="Seal one of the artifacts again with --suite.")
    with ExitStack() as stack:
        sides = [
            stack.enter_context(_read_side(place, rule, means)) if bundle is None else _sealed_side(place, bundle)
            for place, bundle in zip(places, seals, strict=True)
        ]
        if sides[0].manifest.indexed != sides[1].manifest.indexed:  # the same records, whether they are indexed or not
            sides = [replace(side, manifest=side.manifest.unindexed()) for side in sides]
        found, seen = diff_sides(sides[0], sides[1], means.readers, rows or RowOptions())
    return found, _placed(seen, list(zip(places, seals, strict=True)))


def _placed(seen: Seen, sides: Sequence[tuple[Artifact, Bundle | None]]) -> Seen:
    """Say where the files of a difference lie: on the second side, unless that is a seal."""
    artifacts = [place for place, bundle in sides if bundle is None]
    seals = [place.shown for place, bundle in sides if bundle is not None]
    if artifacts:
        seen = replace(seen, artifact=artifacts[-1].shown, folder=artifacts[-1].folder)
    return replace(seen, seal=seals[-1] if seals else None)


def _sealed_side(place: Artifact, bundle: Bundle) -> Side:
    """Return the side of a seal."""
    alone = not read_seal(bundle.statement).parameters.exclude  # of a folder, something is left out always
    return Side(place.shown, bundle.manifest, rows=store_beside(place.path, bundle.manifest), alone=alone)


@contextmanager
def _read_side(place: Artifact, rule: Bundle | None, means: Means) -> Iterator[Side]:
    """Read an artifact, as that of the seal `rule` was if there is one; hashes of records are kept for the block."""
    suite: Suite = BLAKE3
    exclude = place.exclusions(None, (f"/{RECORDS_NAME}", f"/{SALTS_NAME}", f"/{ERASURES_NAME}"))
    if rule is not None:
        means = _as_sealed(rule, means)
        predicate = read_seal(rule.statement)
        suite, exclude = suite_named(predicate.suite), predicate.parameters.exclude if place.is_folder() else ()
    source = place.source(exclude)
    with keeping(means) as (keeper, rows):
        reading = read_found(source, keeper, suite, keep_files=True)
        again = WatchedSource(source, means.progress)  # rows that differ
        yield Side(place.shown, reading.manifest, again, reading, rows, alone=not place.is_folder())


def _as_sealed(rule: Bundle, means: Means) -> Means:
    """Return means that tell records apart where those of a seal did, and index them so."""
    sealed = {(each.name, each.version) for each in read_seal(rule.statement).parameters.readers}
    readers = [
        each for each in means.readers if not isinstance(each, RecordReader) or (each.name, each.version) in sealed
    ]
    return indexed_as(rule.manifest, replace(means, readers=readers))
