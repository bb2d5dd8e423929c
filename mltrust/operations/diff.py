"""Compare two artifacts, two seals, or one with the other."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mltrust.core.changes import Change, ChangeKind, Difference, changed_bytes, changes_between
from mltrust.core.manifest import Manifest
from mltrust.interfaces import ArtifactReader, ArtifactSource, FileEntry, Segment

_BLOCK = 2**20


@dataclass(frozen=True)
class Side:
    """One side: a name to show, a manifest, and where the bytes can be read, if they can."""

    name: str
    manifest: Manifest
    source: ArtifactSource | None = None
    files: Sequence[FileEntry] = ()


def diff(before: Side, after: Side, readers: Sequence[ArtifactReader]) -> Difference:
    """Return every difference between two sides of one suite; none exactly when every byte and name is equal."""
    changes = changes_between(before.manifest, after.manifest)
    measured = before.source is not None and after.source is not None
    if measured:
        changes = tuple(_measured(change, before, after, readers) for change in changes)
    roots = before.manifest.content_root, after.manifest.content_root
    return Difference(
        before=before.name,
        after=after.name,
        same_content=roots[0] == roots[1] if any(roots) else None,
        measured=measured,
        bytes_changed=sum(changed_bytes(change) for change in changes),
        bytes_total=max(before.manifest.bytes, after.manifest.bytes),
        changes=changes,
    )


def _measured(change: Change, before: Side, after: Side, readers: Sequence[ArtifactReader]) -> Change:
    """Count the bytes that differ in a changed file, or in each changed tensor of it."""
    if change.before is None or change.after is None or change.kind is ChangeKind.RENAMED:
        return change
    old, new = _segments(before, change.name, readers), _segments(after, change.name, readers)
    if not change.parts:
        whole = (next(iter(old.values())), next(iter(new.values()))) if len(old) == len(new) == 1 else None
        return change.model_copy(update={"bytes_changed": _count(whole, before, after)}) if whole else change
    parts = tuple(
        part.model_copy(update={"bytes_changed": _count((old[key], new[key]), before, after)})
        if (key := _key(part)) in old and key in new
        else part
        for part in change.parts
    )
    return change.model_copy(update={"parts": parts})


def _key(part: Change) -> tuple[str, str]:
    return part.of, part.name


def _segments(side: Side, path: str, readers: Sequence[ArtifactReader]) -> dict[tuple[str, str], Segment]:
    """Return where the parts of a file lie, by kind and name; a whole file is its own only part."""
    assert side.source is not None  # noqa: S101  # only sides on disk are measured
    file = next(file for file in side.files if file.path == path)
    parts = next(reader for reader in readers if reader.accepts(file)).parts(file, side.source)
    entry = parts.entry([bytes(32)] * len(parts.segments))
    leaves = entry.children or (entry.leaf,)
    return {(leaf.kind, leaf.name): segment for leaf, segment in zip(leaves, parts.segments, strict=True)}


def _count(pair: tuple[Segment, Segment], before: Side, after: Side) -> int:
    """Count differing bytes; what one side has beyond the other's end differs too."""
    old, new = pair
    shared = min(old.length, new.length)
    different = max(old.length, new.length) - shared
    blocks = zip(_blocks(old, shared, before), _blocks(new, shared, after), strict=True)
    return different + sum(_differing(a, b) for a, b in blocks)


def _blocks(segment: Segment, length: int, side: Side) -> Iterator[bytes]:
    assert side.source is not None  # noqa: S101  # only sides on disk are measured
    for position in range(0, length, _BLOCK):
        yield side.source.read(segment.file, segment.offset + position, min(_BLOCK, length - position))


def _differing(a: bytes, b: bytes) -> int:
    if a == b:
        return 0
    mixed = int.from_bytes(a, "little") ^ int.from_bytes(b, "little")
    return len(a) - mixed.to_bytes(len(a), "little").count(0)
