"""What it takes to read an artifact: every installed reader, an engine, and what was remembered of unchanged files."""

import re
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mltrust import registry
from mltrust.errors import UsageError
from mltrust.interfaces import ArtifactReader, EnginePlug, Means, Progress, RecordReader, Settings, Silent
from mltrust.operations.means import with_record_readers

if TYPE_CHECKING:
    from mltrust.disk.digest_cache import DigestCache


def default_means(
    jobs: int | None = None,
    progress: Progress | None = None,
    engine: str = "threads",
    remote: Mapping[str, Settings] | None = None,
    *,
    records: bool = True,
    records_index: bool = False,
) -> Means:
    """Return every installed reader, the opaque one last, and the engine of a URI, such as `dask://HOST:PORT`.

    Without `records`, files of records are read as a whole; with `records_index`, they get an index, in which a record
    can be found missing.

    `jobs` is how much it does at once: threads, or pieces of work on a cluster (None: what suits it). `remote` holds
    the settings of remote sources by scheme, such as `{"s3": {"endpoint_url": "https://..."}}`.
    """
    known = sorted(registry.names("readers"), key=lambda name: name == "opaque")
    readers: list[ArtifactReader] = [registry.load("readers", name)() for name in known]
    if not records:
        readers = [reader for reader in readers if not isinstance(reader, RecordReader)]
    plug: type[EnginePlug] = registry.load("engines", re.split("[:+]", engine, maxsplit=1)[0])
    means = Means(readers, plug.from_uri(engine, jobs), progress or Silent(), remote or {})
    return with_record_readers(means, lambda reader: reader.indexing()) if records_index else means


def remembering(means: Means, cache: "DigestCache | None", artifact: Path | None) -> Means:
    """Return means that do not read again what `cache` knows of an artifact that lies here, and is unchanged."""
    if cache is None or artifact is None:  # what lies elsewhere is read again each time
        return means
    from mltrust.engines.remembering import RememberingEngine

    where = artifact.resolve()
    if cache.folder.resolve().is_relative_to(where):
        raise UsageError(f"the digest cache {cache.folder} lies in the artifact", hint="Keep it elsewhere.")
    return replace(means, engine=RememberingEngine(means.engine, cache, str(where)))
