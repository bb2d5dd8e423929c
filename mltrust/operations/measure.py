"""Count the bytes that really differ, where both sides lie on disk."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from mltrust.core.changes import Change, ChangeKind
from mltrust.interfaces import ArtifactReader, ArtifactSource, FileEntry, Segment

_BLOCK = 2**20


@dataclass(frozen=True)
class Disk:
    """An artifact on disk: those of its files that changed, by path, and the readers that cut them."""

    source: ArtifactSource
    readers: Sequence[ArtifactReader]
    files: Mapping[str, FileEntry]

    def whole(self, path: str) -> Segment:
        """Return a file as one segment."""
        return Segment(self.files[path], 0, self.files[path].size)

    def parts(self, path: str) -> dict[tuple[str, str], Segment]:
        """Return where the parts of a well-formed file lie, by kind and name."""
        file = self.files[path]
        parts = next(reader for reader in self.readers if reader.accepts(file)).parts(file, self.source)
        children = parts.entry([bytes(32)] * len(parts.segments)).children
        return {(leaf.kind, leaf.name): segment for leaf, segment in zip(children, parts.segments, strict=True)}


def blocks(source: ArtifactSource, segment: Segment, length: int) -> Iterator[bytes]:
    """Read the first `length` bytes of a segment, block by block."""
    for position in range(0, length, _BLOCK):
        yield source.read(segment.file, segment.offset + position, min(_BLOCK, length - position))


def measured(change: Change, before: Disk, after: Disk) -> Change:
    """Return `change` with the bytes that differ counted: in the file, or in each tensor of it that changed."""
    if change.before is None or change.after is None or change.kind is ChangeKind.RENAMED:
        return change
    if not change.parts:
        pair = before.whole(change.name), after.whole(change.name)
        return change.model_copy(update={"bytes_changed": _count(pair, before, after)})
    old, new = before.parts(change.name), after.parts(change.name)
    parts = tuple(_measured_part(part, old, new, before, after) for part in change.parts)
    return change.model_copy(update={"parts": parts})


def _measured_part(
    part: Change,
    old: Mapping[tuple[str, str], Segment],
    new: Mapping[tuple[str, str], Segment],
    before: Disk,
    after: Disk,
) -> Change:
    key = part.of, part.name
    if part.kind is ChangeKind.RENAMED or key not in old or key not in new:
        return part
    return part.model_copy(update={"bytes_changed": _count((old[key], new[key]), before, after)})


def _count(pair: tuple[Segment, Segment], before: Disk, after: Disk) -> int:
    """Count differing bytes; what one side has beyond the other's end differs too."""
    old, new = pair
    shared = min(old.length, new.length)
    pairs = zip(blocks(before.source, old, shared), blocks(after.source, new, shared), strict=True)
    return max(old.length, new.length) - shared + sum(_differing(a, b) for a, b in pairs)


def _differing(a: bytes, b: bytes) -> int:
    if a == b:
        return 0
    mixed = int.from_bytes(a, "little") ^ int.from_bytes(b, "little")
    return len(a) - mixed.to_bytes(len(a), "little").count(0)
