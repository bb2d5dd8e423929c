"""Which files hold the weights of a sealed artifact: one file, or the shards that one index names."""

from mltrust.core.manifest import Kind
from mltrust.core.names import few, shown
from mltrust.errors import UsageError
from mltrust.operations.load import LoadedArtifact
from mltrust.readers.safetensors.index import INDEX_SUFFIX, shards_of


def files_of_tensors(artifact: LoadedArtifact, file: str | None) -> list[str]:
    """Return the paths of the files whose tensors are wanted: of `file`, or (None) of the only one there can be meant.

    `file` is a safetensors file, or the index of a sharded checkpoint, which is read and verified: what it maps must be
    what the seal lists, in both directions. Raises `UsageError` if it is neither, or nobody can tell which is meant.
    """
    chosen = _the_only_one(artifact) if file is None else file
    if chosen.endswith(INDEX_SUFFIX):
        return list(shards_of(bytes(artifact.read(chosen)), chosen, artifact.manifest))
    if artifact.entry(chosen).leaf.kind is not Kind.SAFETENSORS:
        raise UsageError(f"{shown(chosen)} was not sealed as a file of tensors", hint="read() returns its bytes.")
    return [chosen]


def _the_only_one(artifact: LoadedArtifact) -> str:
    paths = [path for path in artifact.manifest.paths if path.endswith((INDEX_SUFFIX, ".safetensors"))]
    indexes = [path for path in paths if path.endswith(INDEX_SUFFIX)]
    found = indexes or paths
    if len(found) != 1:
        what = f"holds several files of tensors: {few(found)}" if found else "holds no file of tensors"
        raise UsageError(f"the artifact {what}", hint="Say which: file=…" if found else None)
    return found[0]
