"""The two sides of a difference: artifacts, which are read as a seal on the other side was, and seals."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from mltrust import operations
from mltrust.artifacts import Artifact
from mltrust.core.bundle import Bundle
from mltrust.core.digest import BLAKE3, Suite, suite_named
from mltrust.core.exclusion import ERASURES_NAME, RECORDS_NAME, SALTS_NAME
from mltrust.interfaces import Means, RecordReader
from mltrust.operations.diff import Side
from mltrust.record_store import store_beside
from mltrust.statements.seal import read_seal


def sealed_side(place: Artifact, bundle: Bundle) -> Side:
    """Return the side of a seal."""
    alone = not read_seal(bundle.statement).parameters.exclude  # of a folder, something is left out always
    return Side(place.shown, bundle.manifest, rows=store_beside(place.path, bundle.manifest), alone=alone)


@contextmanager
def read_side(place: Artifact, rule: Bundle | None, means: Means) -> Iterator[Side]:
    """Read an artifact, as that of the seal `rule` was if there is one; hashes of records are kept for the block."""
    suite: Suite = BLAKE3
    exclude = place.exclusions(None, (f"/{RECORDS_NAME}", f"/{SALTS_NAME}", f"/{ERASURES_NAME}"))
    if rule is not None:
        means = _as_sealed(rule, means)
        predicate = read_seal(rule.statement)
        suite, exclude = suite_named(predicate.suite), predicate.parameters.exclude if place.is_folder() else ()
    source = place.source(exclude)
    with operations.keeping(means) as (keeping, rows):
        reading = operations.read_found(source, keeping, suite, keep_files=True)
        yield Side(place.shown, reading.manifest, source, reading, rows, alone=not place.is_folder())


def _as_sealed(rule: Bundle, means: Means) -> Means:
    """Return means that tell records apart where those of a seal did, and index them so."""
    sealed = {(each.name, each.version) for each in read_seal(rule.statement).parameters.readers}
    readers = [
        each for each in means.readers if not isinstance(each, RecordReader) or (each.name, each.version) in sealed
    ]
    return operations.indexed_as(rule.manifest, replace(means, readers=readers))
