"""The Python face: the verbs on paths. Nothing here prints, exits, or looks for a home of its own."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from mltrust.artifacts import AnyPath, open_artifact
from mltrust.beside.paths import refuse_store, store_path
from mltrust.core.bundle import Bundle
from mltrust.core.digest import suite_for
from mltrust.core.manifest import Manifest
from mltrust.core.report import Check, Notice, Recalled
from mltrust.errors import MltrustError, WriteError
from mltrust.interfaces import Anchor, Means, Signer, Trust
from mltrust.means import default_means, remembering
from mltrust.operations.anchor import Placed
from mltrust.operations.anchor import anchor as publish
from mltrust.operations.anchor import refresh as refreshed
from mltrust.operations.fingerprint import fingerprint as fingerprint_source
from mltrust.operations.seal import Labels, parameters_for, records_sha256
from mltrust.operations.seal import seal as seal_source
from mltrust.operations.signing import new_signatures, prepare, with_signatures
from mltrust.sealfile import SealFile, put, seal_path
from mltrust.statements.seal import SealPredicate, fingerprint_of, read_seal
from mltrust.verifying import verify, verify_seen

if TYPE_CHECKING:
    from mltrust.disk.digest_cache import DigestCache

__all__ = [
    "Fingerprint",
    "Sealed",
    "anchor",
    "consult",
    "default_means",
    "fingerprint",
    "seal",
    "verify",
    "verify_seen",
]


@dataclass(frozen=True)
class Sealed:
    """What `seal` did: the bundle and the file it was written to; what is worth knowing, not reread, left out."""

    bundle: Bundle
    path: Path
    notices: tuple[Notice, ...]
    recalled: Recalled
    left_out: tuple[str, ...] = ()

    @property
    def predicate(self) -> SealPredicate:
        """What the seal states."""
        return read_seal(self.bundle.statement)


@dataclass(frozen=True)
class Fingerprint:
    """What `fingerprint` found: the manifest and the fingerprint it amounts to."""

    manifest: Manifest
    suite: str
    value: bytes

    def __str__(self) -> str:
        return self.value.hex()


def seal(
    artifact: AnyPath,
    *,
    output: AnyPath | None = None,
    name: str | None = None,
    anchors: Sequence[Anchor] = (),
    signers: Sequence[Signer] = (),
    suite: str = "blake3",
    exclude: Sequence[str] = (),
    annotations: Mapping[str, str] | None = None,
    means: Means | None = None,
    cache: "DigestCache | None" = None,
    blind: bool = False,
    salts: AnyPath | None = None,
    keep_records: bool = False,
    with_sha256: bool | None = None,
    beside: Sequence[AnyPath] = (),
) -> Sealed:
    """Seal a file or folder and write the seal file, after `signers` signed and `anchors` published its statement.

    `exclude` adds gitignore patterns to those left out by default; all of them are written into the seal. With a
    `cache`, files that are unchanged since they were last read on this machine are not read again. `blind`
    gives every record a salt; the salts are kept beside the seal, or at `salts`.
    With `keep_records`, the hashes of all records are written beside the seal, so that `verify` can name what changed.
    `with_sha256` records the SHA-256 of every file, which changes nothing of the fingerprint; None: where the files lie
    in a git repository that uses Git LFS. It does not go with `blind`.
    `beside` are files made of the seal, such as a signature bundle: where they lie inside, they are left out as well.
    """
    from mltrust.beside.salts import salts_to_be
    from mltrust.beside.store import store_to_be
    from mltrust.operations.means import blinded_means

    means = means or default_means()
    place = open_artifact(artifact, means.remote)
    recorded = records_sha256(with_sha256, place.path, blind=blind)
    target = place.target(output)
    seen = SealFile.read(target) if target.exists() else None
    previous = seen.bundle if seen else None
    prepare(signers)
    new_salts = salts_to_be(target, previous, blind=blind, salts=salts)
    with store_to_be(target, means, keep=keep_records) as store:
        effective = place.exclusions(target, exclude, (*new_salts.beside, *store.beside, *map(Path, beside)))
        refuse_store(place.path, effective)
        source = place.source(effective, name)
        labels, reading = Labels(source.name, dict(annotations or {})), remembering(store.means, cache, place.path)
        what = suite_for(suite), labels, previous
        bundle, found = new_salts.settle(
            lambda blinding: seal_source(source, blinded_means(reading, blinding), *what, with_sha256=recorded)
        )
        bundle = with_signatures(bundle, new_signatures(bundle, signers))
        bundle = _published(Placed(bundle, target), anchors)
        if bundle != previous:  # what says the same stays as it is, to the byte
            bundle = put(target, bundle, seen, partial(new_salts.write, bundle.manifest))
        store.write(bundle.manifest)
        return Sealed(bundle, target, found, reading.recalled, tuple(sorted(source.left_out)))


def _published(seal: Placed, anchors: Sequence[Anchor]) -> Bundle:
    """Publish through one anchor after the other; those that look at the file come last, and see all of it."""
    done: list[str] = []
    bundle = seal.bundle
    for backend in sorted(anchors, key=lambda anchor: not anchor.carried):
        try:
            (bundle,) = publish([Placed(bundle, seal.path)], backend)
        except MltrustError as error:
            if done:
                again = f"It is published in {', '.join(done)} already; run it again, nothing is published twice."
                error.hint = f"{error.hint} {again}" if error.hint else again
            raise
        done.append(backend.name)
    return bundle


def fingerprint(
    artifact: AnyPath,
    *,
    suite: str = "blake3",
    exclude: Sequence[str] = (),
    means: Means | None = None,
    keep_records: bool = False,
) -> Fingerprint:
    """Fingerprint a file or folder: the same value as its seal states, made with the same exclusions and suite.

    A seal in a folder that is made with `keep_records` leaves its record store out, so say it here, too.
    """
    means = means or default_means()
    place = open_artifact(artifact, means.remote)
    beside = (store_path(seal_path(place.path)),) if keep_records and place.path else ()
    effective = place.exclusions(None, exclude, beside)
    refuse_store(place.path, effective)
    source = place.source(effective)
    chosen = suite_for(suite)
    reading = fingerprint_source(source, means, chosen)
    manifest, parameters = reading.manifest, parameters_for(source, reading.readers)
    return Fingerprint(manifest, chosen.name, fingerprint_of(chosen.name, manifest.size, manifest.root, parameters))


def anchor(seals: Sequence[AnyPath], backend: Anchor) -> list[Bundle]:
    """Publish the statements of several seals through one anchor and add the receipts to the seal files.

    Raises:
        WriteError: Published, but some of the seal files could not be written or state something else by now.
    """
    found = [SealFile.read(Path(seal), whole=True) for seal in seals]
    bundles = publish([Placed(seal.bundle, seal.path) for seal in found], backend)
    troubles: list[MltrustError] = []
    for seal, bundle in zip(found, bundles, strict=True):
        try:
            seal.update(partial(Bundle.with_receipts, receipts=bundle.receipts))
        except MltrustError as error:
            troubles.append(error)
    if troubles:
        what = f"published, but {len(troubles)} of {len(found)} seal files have no receipt: {troubles[0]}"
        raise WriteError(what, hint="Run it again once that is mended; nothing is published twice.")
    return bundles


def consult(seal: AnyPath, trust: Trust, *, refresh: bool = False) -> tuple[Bundle, list[Check]]:
    """Return a seal and what everybody the caller trusts says of its statement, without reading the artifact.

    `refresh` first asks them for their receipts as they are today, and writes those into the seal file.
    """
    from mltrust.operations.verify import sealed_vouching

    found = SealFile.read(Path(seal), whole=True)
    bundle = found.bundle
    if refresh:
        renewed = refreshed(bundle, trust.everybody)
        bundle = found.update(lambda now: now.with_renewed(renewed))
    return bundle, list(sealed_vouching(bundle, trust, found.path))
