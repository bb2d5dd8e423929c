"""Compare two artifacts, two seals, or one with the other."""

from collections.abc import Sequence
from dataclasses import dataclass

from mltrust.core.changes import Change, Difference, changed_bytes, changes_between
from mltrust.core.manifest import Manifest
from mltrust.interfaces import ArtifactReader, ArtifactSource
from mltrust.operations.fingerprint import Reading
from mltrust.operations.measure import Disk, measured


@dataclass(frozen=True)
class Side:
    """One side: a name to show, a manifest, and where it was read from if it lies on disk."""

    name: str
    manifest: Manifest
    source: ArtifactSource | None = None
    reading: Reading | None = None


def diff(before: Side, after: Side, readers: Sequence[ArtifactReader]) -> Difference:
    """Return every difference between two sides of one suite; none exactly when every byte and name is equal."""
    changes = changes_between(before.manifest, after.manifest)
    for side in (before, after):
        if side.reading is not None:
            changes = tuple(side.reading.explained(change) for change in changes)
    disks = _disk(before, readers, changes), _disk(after, readers, changes)
    if disks[0] and disks[1]:
        changes = tuple(measured(change, disks[0], disks[1]) for change in changes)
    roots = before.manifest.content_root, after.manifest.content_root
    return Difference(
        before=before.name,
        after=after.name,
        same_content=roots[0] == roots[1] if any(roots) else None,
        measured=all(disks),
        bytes_changed=sum(changed_bytes(change) for change in changes),
        bytes_total=_bytes_of_both(before.manifest, after.manifest),
        changes=changes,
    )


def _disk(side: Side, readers: Sequence[ArtifactReader], changes: Sequence[Change]) -> Disk | None:
    if side.source is None or side.reading is None:
        return None
    named = {change.name for change in changes}
    return Disk(side.source, readers, {file.path: file for file in side.reading.files if file.path in named})


def _bytes_of_both(before: Manifest, after: Manifest) -> int:
    """Return the bytes of all names on either side, a name on both counted once, at its larger size."""
    sizes = ((one.leaf.size if one else 0, two.leaf.size if two else 0) for one, two in before.differing(after))
    return before.bytes + sum(max(0, new - old) for old, new in sizes)
