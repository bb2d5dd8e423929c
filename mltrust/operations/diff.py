"""Compare two artifacts, two seals, or one with the other."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from mltrust.core.changes import Change, Difference, changed_bytes, changes_between, rows_of
from mltrust.core.manifest import Manifest
from mltrust.core.names import shown
from mltrust.disk.records import HashesOf
from mltrust.interfaces import ArtifactReader, ArtifactSource, Seen
from mltrust.operations.fingerprint import Reading
from mltrust.operations.measure import Disk, measured
from mltrust.operations.rows import RowOptions, RowSide, with_rows


@dataclass(frozen=True)
class Side:
    """One side: a name to show, a manifest, where it was read from if it lies on disk, and the rows of its files.

    One that is a file `alone`, not a folder of one, is compared with another one whatever they are called. `called`
    has the paths, by their own, of files that are looked at under another one.
    """

    name: str
    manifest: Manifest
    source: ArtifactSource | None = None
    reading: Reading | None = None
    rows: RowSide = field(default_factory=RowSide)
    alone: bool = False
    called: Mapping[str, str] = field(default_factory=dict)

    def under(self, path: str) -> "Side":
        """Return the side of one file, looked at under another path."""
        (entry,) = self.manifest.entries
        hashes, reading = self.rows.hashes, self.reading
        return replace(
            self,
            manifest=Manifest.of([entry._replace(leaf=entry.leaf._replace(name=path))]),
            reading=reading and reading.under(path),
            rows=replace(self.rows, hashes=hashes and HashesOf(hashes, entry.path)),
            called={entry.path: path},
        )


def diff(before: Side, after: Side, readers: Sequence[ArtifactReader], options: RowOptions) -> tuple[Difference, Seen]:
    """Return every difference between two sides of one suite, and both manifests.

    There is no difference exactly when every byte and name is equal.
    """
    after = _paired(before, after)
    changes = changes_between(before.manifest, after.manifest)
    for side in (before, after):
        if side.reading is not None:
            changes = tuple(side.reading.explained(change) for change in changes)
    disks = _disk(before, readers, changes), _disk(after, readers, changes)
    if disks[0] and disks[1]:
        changes = tuple(measured(change, disks[0], disks[1]) for change in changes)
    sides = zip((before, after), disks, strict=True)
    rows = [replace(side.rows, disk=disk, odd=None) for side, disk in sides]  # no notices are shown of a difference
    changes = with_rows(changes, (before.manifest, after.manifest), (rows[0], rows[1]), options)
    roots = before.manifest.content_root, after.manifest.content_root
    records = rows_of(before.manifest), rows_of(after.manifest)
    difference = Difference(
        before=before.name,
        after=after.name,
        same_content=roots[0] == roots[1] if any(roots) else None,
        same_rows=records[0] == records[1] if any(records) else None,
        measured=all(disks),
        bytes_changed=sum(changed_bytes(change) for change in changes),
        bytes_total=_bytes_of_both(before.manifest, after.manifest),
        changes=tuple(_named(change, after) for change in changes),
    )
    return difference, Seen(before=before.manifest, after=after.manifest)


def _paired(before: Side, after: Side) -> Side:
    """Return `after`; of two files with other names and other bytes, as it is under the name of `before`."""
    if not (before.alone and after.alone and before.manifest.size == after.manifest.size == 1):
        return after
    old, new = (side.manifest.entry(0).leaf for side in (before, after))
    return after if old.nameless() == new.nameless() or old.name == new.name else after.under(old.name)


def _named(change: Change, after: Side) -> Change:
    """Say what the file of a pair is called on the other side."""
    names = (f"called {shown(own)} on the other side" for own, path in after.called.items() if path == change.name)
    note = "; ".join(filter(None, (*names, change.note)))
    return change.model_copy(update={"note": note})


def _disk(side: Side, readers: Sequence[ArtifactReader], changes: Sequence[Change]) -> Disk | None:
    if side.source is None or side.reading is None:
        return None
    named = {change.name for change in changes}
    files = ((side.called.get(file.path, file.path), file) for file in side.reading.files)
    return Disk(side.source, readers, {path: file for path, file in files if path in named})


def _bytes_of_both(before: Manifest, after: Manifest) -> int:
    """Return the bytes of all names on either side, a name on both counted once, at its larger size."""
    sizes = ((one.leaf.size if one else 0, two.leaf.size if two else 0) for one, two in before.differing(after))
    return before.bytes + sum(max(0, new - old) for old, new in sizes)
