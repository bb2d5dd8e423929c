"""What the caller reads with, made to read as a seal was made or is to be made."""

from collections.abc import Callable, Sequence
from dataclasses import replace

from mltrust.core.blinding import Blinding, away
from mltrust.core.manifest import Manifest
from mltrust.errors import SealError
from mltrust.interfaces import ArtifactReader, FileEntry, Means, RecordReader, RemoteEngine
from mltrust.statements.seal import Parameters


def is_remote(means: Means) -> bool:
    """Tell whether other machines read."""
    return isinstance(means.engine, RemoteEngine) and means.engine.remote


def sealed_readers(parameters: Parameters, available: Sequence[ArtifactReader]) -> list[ArtifactReader]:
    """Pick the readers a seal names out of those the caller has; none is ever loaded because a seal names it."""
    have = {(reader.name, reader.version): reader for reader in available}
    wanted = [(reader.name, reader.version) for reader in parameters.readers]
    missing = [f"{name} version {version}" for name, version in wanted if (name, version) not in have]
    if missing:
        raise SealError(f"sealed with a reader that is not here: {missing[0]}", hint="A newer mltrust may have it.")
    if not wanted or wanted[-1][0] != "opaque":
        raise SealError("sealed without a reader for all other files")
    return [have[reader] for reader in wanted]


def record_reader(file: FileEntry, readers: Sequence[ArtifactReader]) -> RecordReader:
    """Return the reader that reads the sealed records of `file`; `SealError` if there is none."""
    for reader in readers:
        if isinstance(reader, RecordReader) and reader.accepts(file):
            return reader
    raise SealError(f"the seal has records of {file.path!a}, and no reader that reads them")


def with_record_readers(means: Means, change: Callable[[RecordReader], ArtifactReader]) -> Means:
    """Return `means` with what `change` makes of each reader of records."""
    return replace(means, readers=[change(each) if isinstance(each, RecordReader) else each for each in means.readers])


def indexed_as(manifest: Manifest, means: Means) -> Means:
    """Return means that index records if those of `manifest` are indexed: all files of a seal are, or none."""
    return with_record_readers(means, lambda reader: reader.indexing()) if manifest.indexed else means


def blinded_means(means: Means, blinding: Blinding) -> Means:
    """Return `means` whose readers of records blind them so; `UsageError` if other machines were to read."""
    if (blinding.files or blinding.secret) and is_remote(means):
        raise away()
    return with_record_readers(means, lambda reader: reader.blinded_by(blinding))
