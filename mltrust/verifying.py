"""The verb of verification, on paths: an artifact, its seal, and what is kept beside it."""

from collections.abc import Sequence
from contextlib import nullcontext
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mltrust.artifacts import AnyPath, Artifact, open_artifact
from mltrust.core.bundle import Bundle
from mltrust.core.exclusion import Exclusions, check_patterns
from mltrust.core.report import Report
from mltrust.disk.documents import read_document
from mltrust.errors import FormatError, UsageError
from mltrust.interfaces import Listable, Means, Seen, Trust
from mltrust.means import default_means, remembering
from mltrust.statements.seal import read_seal

if TYPE_CHECKING:
    from mltrust.disk.digest_cache import DigestCache
    from mltrust.operations.expectations import Expected


def verify(
    artifact: AnyPath,
    *,
    trust: Trust,
    seal: AnyPath | None = None,
    means: Means | None = None,
    quick: "DigestCache | None" = None,
    salts: AnyPath | None = None,
    expect: Sequence[AnyPath] = (),
    with_sha256: bool = False,
    download: bool = False,
) -> Report:
    """Verify a file or folder against its seal and whoever `trust` names; `Report.require()` raises on less.

    With a cache as `quick`, files that are unchanged since they were last read on this machine, as far as the file
    system can tell, are not read again; the report says how many. Without it, all bytes are read, whatever is cached.
    `salts` are those of a blinded seal, if they are not kept beside it. `expect` names documents with published digests
    (Croissant, or a file listing of the Hugging Face Hub): what they name must be what they say. `with_sha256` compares
    the sealed SHA-256s with those of the bytes, too; `UsageError` if the seal has none. Of a repository of the Hugging
    Face Hub, files that it lists by their SHA-256 are compared by that and not read, unless `download` asks for it:
    then no Git LFS pointer stands for its content, wherever it lies.
    """
    return verify_seen(
        artifact,
        trust=trust,
        seal=seal,
        means=means,
        quick=quick,
        salts=salts,
        expect=expect,
        with_sha256=with_sha256,
        download=download,
    )[0]


def verify_seen(
    artifact: AnyPath | Artifact,
    *,
    trust: Trust,
    seal: AnyPath | None = None,
    means: Means | None = None,
    quick: "DigestCache | None" = None,
    salts: AnyPath | None = None,
    expect: Sequence[AnyPath] = (),
    with_sha256: bool = False,
    download: bool = False,
) -> tuple[Report, Seen]:
    """Do what `verify` does; return beside the report what it was made of, as renderers want it."""
    from mltrust.beside.kept import kept_with
    from mltrust.beside.store import store_beside
    from mltrust.operations.rows import keeping
    from mltrust.operations.verify import verify as verify_source

    means = means or default_means()
    expected = _expected(expect, means) if expect else None
    place = open_artifact(artifact, means.remote)
    sealed = place.sealed(seal)
    source = place.source(sealed_exclusions(sealed.bundle))
    if isinstance(source, Listable) and not download:
        source = source.listed()
    kept = kept_with(sealed, salts)
    store = store_beside(sealed.path, sealed.bundle.manifest)
    with nullcontext((means, store)) if store.hashes is None else keeping(means) as (keeper, rows):
        means = remembering(keeper, quick, place.path)
        report, seen = verify_source(
            source,
            sealed,
            trust,
            means,
            kept,
            expected=expected,
            rows=(store, rows),
            with_sha256=with_sha256,
            whole=download,
        )
    return report, replace(seen, artifact=place.shown, folder=place.folder)


def _expected(documents: Sequence[AnyPath], means: Means) -> "Expected":
    from mltrust.core.expectations import MAX_PUBLICATION_BYTES, read_publication
    from mltrust.operations.expectations import Expected

    read = [read_publication(read_document(Path(each), MAX_PUBLICATION_BYTES), str(each)) for each in documents]
    return Expected(read, means.engine)


def sealed_exclusions(bundle: Bundle) -> tuple[str, ...]:
    """Return the patterns a seal says were left out; `FormatError` if they are none."""
    patterns = read_seal(bundle.statement).parameters.exclude
    try:
        check_patterns(patterns)
        Exclusions(patterns)
    except UsageError as error:
        raise FormatError("seal statement", str(error)) from error
    return patterns
