"""The index of a sharded checkpoint, checked against the shard headers in both directions.

The index decides which bytes load under which name, so it is as much a part of the model as its tensors.
"""

from collections.abc import Iterator
from posixpath import dirname, join

from mltrust.core import canonical
from mltrust.core.canonical import Json
from mltrust.core.manifest import Entry, Manifest
from mltrust.core.names import check_path
from mltrust.core.report import Notice
from mltrust.errors import FormatError
from mltrust.interfaces import ArtifactSource, FileEntry

INDEX_SUFFIX = ".safetensors.index.json"
_MAX_INDEX_BYTES = 100_000_000


def check_index(file: FileEntry, source: ArtifactSource, manifest: Manifest) -> Iterator[Notice]:
    """Check one index: every mapped tensor in its shard, every tensor of a shard mapped to it, none twice.

    A wrong `total_size` is only a notice: many published checkpoints carry one, and nothing loads by it.
    """
    if file.size > _MAX_INDEX_BYTES:
        raise FormatError(file.path, f"an index of {file.size} bytes, at most {_MAX_INDEX_BYTES} are read")
    index = canonical.loads(source.read(file, 0, file.size), file.path, floats=True)
    entries = _shards(index, file.path, manifest).values()
    yield from _check_total(index, sum(tensor.size for entry in entries for tensor in entry.tensors()), file.path)


def shards_of(data: bytes, where: str, manifest: Manifest) -> dict[str, Entry]:
    """Return the shards of an index, by path; `FormatError` unless it maps their tensors to them, and no others."""
    return _shards(canonical.loads(data, where, floats=True), where, manifest)


def _shards(index: Json, where: str, manifest: Manifest) -> dict[str, Entry]:
    weight_map = _weight_map(index, where)
    shards = {shard: _shard(shard, where, manifest) for shard in sorted(set(weight_map.values()))}
    tensors = {shard: {tensor.name for tensor in entry.tensors()} for shard, entry in shards.items()}
    for name, shard in weight_map.items():
        if name not in tensors[shard]:
            raise FormatError(where, f"maps tensor {ascii(name)[:80]} to {ascii(shard)[:80]}, which lacks it")
    for shard, names in tensors.items():
        for name in names:
            if weight_map.get(name) != shard:
                raise FormatError(where, f"does not map tensor {ascii(name)[:80]} of {ascii(shard)[:80]} to it")
    return {entry.path: entry for entry in shards.values()}


def _weight_map(index: Json, where: str) -> dict[str, str]:
    weight_map = index.get("weight_map") if isinstance(index, dict) else None
    if not isinstance(weight_map, dict) or not weight_map:
        raise FormatError(where, "has no weight_map from tensors to shards")
    shards = {}
    for name, shard in weight_map.items():
        if not isinstance(shard, str):
            raise FormatError(where, f"maps tensor {ascii(name)[:80]} to something that is no file name")
        shards[name] = check_path(shard, where)
    return shards


def _shard(shard: str, where: str, manifest: Manifest) -> Entry:
    found = manifest.find(join(dirname(where), shard))
    if found is None or not found[1].children:
        raise FormatError(where, f"points to {ascii(shard)[:80]}, which is not a safetensors file here")
    return found[1]


def _check_total(index: Json, size: int, where: str) -> Iterator[Notice]:
    metadata = index.get("metadata") if isinstance(index, dict) else None
    total = metadata.get("total_size") if isinstance(metadata, dict) else None
    if total is not None and total != size:
        message = f"says total_size {str(total)[:40]}, the tensors take {size} bytes"
        yield Notice(code="index-total-size", path=where, message=message)
