"""Verify an artifact against its seal and whoever the caller trusts."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mltrust.core.bundle import Bundle
from mltrust.core.changes import Change, ChangeKind, changes_between
from mltrust.core.digest import suite_named
from mltrust.core.names import count, counted
from mltrust.core.receipt import Receipt
from mltrust.core.report import Check, CheckKind, Outcome, Recalled, Report, Scope
from mltrust.core.statement import Statement
from mltrust.interfaces import ArtifactSource, Listed, Means, Seen, Trust
from mltrust.operations.anchor import Placed
from mltrust.operations.blinding import (
    Kept,
    about_blinded,
    blinding_of,
    erased_from,
    noted,
)
from mltrust.operations.fingerprint import Reading, read_found
from mltrust.operations.means import blinded_means, indexed_as, sealed_readers
from mltrust.operations.measure import Disk
from mltrust.operations.notices import notices
from mltrust.operations.pointers import Pointed, pointed, pointers_said, undecided_said
from mltrust.operations.rows import RowSide, with_rows
from mltrust.operations.sealed_sha256 import require_sha256s, sha256_check
from mltrust.operations.vouching import vouching
from mltrust.statements.seal import Parameters, contradictions, read_seal

if TYPE_CHECKING:
    from mltrust.core.proof import Proof
    from mltrust.operations.expectations import Expected
    from mltrust.statements.erasure import Tombstone


def verify(
    source: ArtifactSource,
    seal: Placed,
    trust: Trust,
    means: Means,
    kept: Kept = Kept(),
    *,
    expected: "Expected | None" = None,
    rows: tuple[RowSide, RowSide] = (RowSide(), RowSide()),
    with_sha256: bool = False,
    whole: bool = False,
) -> tuple[Report, Seen]:
    """Return the report on an artifact, and both manifests: what is sealed, and what was read.

    `kept` is what is kept with a blinded seal, `expected` what others published.

    Of the `rows`, the first are those of the seal, and the second what the readers of `means` keep. `with_sha256` asks
    for the SHA-256s of the seal to be compared as well; `UsageError` if it has none. `whole` asks for all content: no
    pointer stands for any.

    1. The seal has been parsed strictly (`Bundle.parse`); its statement must be a seal of a known suite.
    2. The artifact is read with the sealed exclusions (already in `source`), readers and suite. Nothing
       else is taken from the seal: not whom to trust, not whom to ask.
    3. Statement, fingerprint and manifest must agree, and every receipt must speak of this statement.
    4. What was read is compared with the manifest: file by file, tensor by tensor. A Git LFS pointer stands for its
       content if the seal has SHA-256, and the same; that its content is not here is said. Of blinded files, an
       erased record is excused by a tombstone alone, which must be vouched for as the seal is (`erasure_checks`). It is
       also compared with what was published, which vouches for nothing. Where that is asked for, the sealed SHA-256s
       are compared with those of the bytes.
    5. The caller's fingerprint is compared, and each trusted anchor is asked about the statement.
    6. The verdict follows from the checks alone (`Report.verdict`).
    """
    bundle = seal.bundle
    predicate = read_seal(bundle.statement)  # 1
    if with_sha256:
        require_sha256s(bundle.manifest)
    blinding = blinding_of(bundle.manifest, kept if kept.odd(bundle) is None else replace(kept, tombstones=()))
    sealed_means = replace(means, readers=sealed_readers(predicate.parameters, means.readers))  # 2
    sealed_means = blinded_means(sealed_means, blinding)
    sealed_means = indexed_as(bundle.manifest, sealed_means)
    suite, looked_up = suite_named(predicate.suite), expected is not None
    reading = read_found(source, sealed_means, suite, keep_files=looked_up, with_sha256=with_sha256)
    pointers = pointed(bundle.manifest, reading, suite, source.told_by if isinstance(source, Listed) else "")
    pointers = replace(pointers, entries={}) if whole else pointers
    found, reading = reading, pointers.filled(reading)
    if bundle.manifest == reading.manifest:
        bundle = replace(bundle, manifest=bundle.manifest.with_roots_of(reading.manifest))
    checks = [agreement(bundle)]  # 3
    differences = _differences(bundle, reading, pointers)  # 4
    changes = tuple(noted(change, blinding, reading.manifest) for change in differences)
    disk = Disk(source, sealed_means.readers, {file.path: file for file in reading.files})
    changes = with_rows(changes, (bundle.manifest, reading.manifest), (rows[0], replace(rows[1], disk=disk)))
    scope = _scope(source, found, means.recalled, predicate.parameters, erased_from(reading, blinding))
    not_here = {"pointers": pointers.files, "bytes_not_here": pointers.bytes}
    scope = scope.model_copy(update={**not_here, "told_by": pointers.told_by if reading.named else ""})
    checks.append(about_blinded(_content(bundle, changes, reading, scope, pointers), kept, bundle.manifest))
    if with_sha256:
        checks.append(sha256_check(bundle.manifest, found.manifest))
    if kept.tombstones:
        from mltrust.operations.erasures import erasure_checks

        checks += erasure_checks(bundle, kept, lambda tombstone: _vouching_erasure(tombstone, trust))
    if expected is not None:
        checks += expected.checks(found, source, means.progress)
    checks += sealed_vouching(bundle, trust, seal.path)  # 5
    report = Report(
        name=bundle.statement.subject[0].name,
        fingerprint=bundle.statement.subject[0].digest[predicate.suite],
        root=predicate.root,
        suite=predicate.suite,
        content_only=trust.content_only,
        scope=scope,
        checks=tuple(checks),
        changes=changes,
        notices=(*notices(found.manifest, found.files, source), *filter(None, (rows[0].odd,))),
    )
    path = None if seal.path is None else str(seal.path)
    return report, Seen(seal=path, before=bundle.manifest, after=reading.manifest)


def _scope(
    source: ArtifactSource, reading: Reading, recalled: Recalled, parameters: Parameters, erased: tuple[int, int]
) -> Scope:
    manifest = reading.manifest
    return Scope(
        files=manifest.size,
        tensors=manifest.tensors,
        records=max(0, manifest.records - erased[0]),
        records_erased=erased[0],
        bytes=manifest.bytes - erased[1],
        files_not_reread=recalled.files,
        bytes_not_reread=recalled.bytes,
        excluded=parameters.exclude,
        left_out=tuple(sorted(source.left_out)),
    )


def _vouching_erasure(tombstone: "Tombstone", trust: Trust) -> Iterator[Check]:
    payload, asked = tombstone.statement.payload(), replace(trust, fingerprint=None)
    return vouching(payload, tombstone.receipts, tombstone.signatures, asked, fingerprint=None)


def agreement(bundle: Bundle) -> Check:
    """Return whether statement, fingerprint, manifest and receipts of a seal speak of the same."""
    odd = contradictions(bundle.statement, bundle.manifest)
    odd += receipts_elsewhere(bundle.receipts, bundle.statement)
    if odd:
        summary = f"the seal was edited: {odd[0]} contradicts the rest of it"
        return Check(kind=CheckKind.SEAL, name="seal", outcome=Outcome.FAIL, summary=summary)
    return Check(kind=CheckKind.SEAL, name="seal", outcome=Outcome.PASS, summary="the seal agrees with itself")


def sealed_vouching(seal: "Bundle | Proof", trust: Trust, path: Path | None = None) -> Iterator[Check]:
    """Yield what everybody the caller trusts says of the statement of a seal or a proof, kept at `path`."""
    fingerprint = read_seal(seal.statement).fingerprint().hex()
    payload = seal.statement.payload()
    return vouching(payload, seal.receipts, seal.signatures, trust, path, fingerprint=fingerprint)


def receipts_elsewhere(receipts: Sequence[Receipt], statement: Statement) -> list[str]:
    """Name the receipts that speak of another statement: beside this one they are a contradiction."""
    digest = str(statement.digest())
    return ["a receipt" for receipt in receipts if receipt.digest != digest]


def _differences(bundle: Bundle, reading: Reading, pointers: Pointed) -> tuple[Change, ...]:
    if bundle.manifest == reading.manifest:
        return ()
    changes = changes_between(bundle.manifest, reading.manifest)
    return tuple(pointers.explained(reading.explained(change)) for change in changes)


def _content(bundle: Bundle, changes: Sequence[Change], reading: Reading, scope: Scope, pointers: Pointed) -> Check:
    manifest, covered = reading.manifest, "all bytes are the sealed ones"
    if manifest.blinded:
        covered = "all records, and all bytes of other files, are the sealed ones"
    what = counted(scope.files, scope.tensors, scope.records, count(scope.bytes, "byte"))
    outcome, summary, hint = Outcome.PASS, f"{covered}: {what}", None
    if scope.files_not_reread or scope.bytes_not_reread:
        rest = f"{count(scope.files_not_reread, 'file')} ({count(scope.bytes_not_reread, 'byte')}) not reread"
        summary = f"no difference from the sealed bytes was found: {what}; of these {rest}"
    if scope.pointers:
        summary = f"no difference was found in what is here; {pointers_said(scope)}"
    undecided = not changes or not pointers.refuted  # also one that was sealed as such
    if reading.pointers and undecided and all(change.kind is ChangeKind.POINTER for change in changes):
        outcome = Outcome.UNCHECKED
        summary, hint = undecided_said(len(reading.pointers), scope.told_by)
    elif not changes and manifest != bundle.manifest:
        outcome, summary = Outcome.FAIL, "the seal lists metadata that the sealed files do not have"
    elif changes:
        outcome, summary = Outcome.FAIL, f"{count(len(changes), 'difference')} from the sealed bytes"
    return Check(kind=CheckKind.CONTENT, name="content", outcome=outcome, summary=summary, hint=hint)
