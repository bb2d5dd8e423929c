"""Verify an artifact against its seal and whoever the caller trusts."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from mltrust.core.bundle import Bundle
from mltrust.core.changes import Change, ChangeKind, changes_between
from mltrust.core.digest import suite_named
from mltrust.core.dsse import Signature
from mltrust.core.names import count, counted
from mltrust.core.receipt import Receipt
from mltrust.core.report import Check, CheckKind, Outcome, Recalled, Report, Scope
from mltrust.core.statement import Statement
from mltrust.interfaces import ArtifactSource, Means, Submission, Trust
from mltrust.operations.anchor import UNDECIDED, Placed, consult
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
from mltrust.operations.rows import RowSide, with_rows
from mltrust.statements.seal import Parameters, contradictions, read_seal

if TYPE_CHECKING:
    from mltrust.operations.expectations import Expected
    from mltrust.statements.erasure import Tombstone


def verify(
    source: ArtifactSource,
    seal: Placed,
    trust: Trust,
    means: Means,
    kept: Kept = Kept(),  # noqa: B008  # frozen
    *,
    expected: "Expected | None" = None,
    rows: tuple[RowSide, RowSide] = (RowSide(), RowSide()),
) -> Report:
    """Return the report on an artifact; `kept` is what is kept with a blinded seal, `expected` what others published.

    Of the `rows`, the first are those of the seal, and the second what the readers of `means` keep.

    1. The seal has been parsed strictly (`Bundle.parse`); its statement must be a seal of a known suite.
    2. The artifact is read with the sealed exclusions (already in `source`), readers and suite. Nothing
       else is taken from the seal: not whom to trust, not whom to ask.
    3. Statement, fingerprint and manifest must agree, and every receipt must speak of this statement.
    4. What was read is compared with the manifest: file by file, tensor by tensor. Of blinded files, an erased record
       is excused by a tombstone alone, which must be vouched for as the seal is (`erasure_checks`). It is also
       compared with what was published, which vouches for nothing.
    5. The caller's fingerprint is compared, and each trusted anchor is asked about the statement.
    6. The verdict follows from the checks alone (`Report.verdict`).
    """
    bundle = seal.bundle
    predicate = read_seal(bundle.statement)  # 1
    blinding = blinding_of(bundle.manifest, kept if kept.odd(bundle) is None else replace(kept, tombstones=()))
    sealed_means = replace(means, readers=sealed_readers(predicate.parameters, means.readers))  # 2
    sealed_means = blinded_means(sealed_means, blinding)
    sealed_means = indexed_as(bundle.manifest, sealed_means)
    reading = read_found(source, sealed_means, suite_named(predicate.suite), keep_files=expected is not None)
    if bundle.manifest == reading.manifest:
        bundle = replace(bundle, manifest=reading.manifest)  # the roots of what was read are known already
    checks = [_agreement(bundle)]  # 3
    changes = tuple(noted(change, blinding, reading.manifest) for change in _differences(bundle, reading))  # 4
    disk = Disk(source, sealed_means.readers, {file.path: file for file in reading.files})
    changes = with_rows(changes, (bundle.manifest, reading.manifest), (rows[0], replace(rows[1], disk=disk)))
    scope = _scope(source, reading, means.recalled, predicate.parameters, erased_from(reading, blinding))
    checks.append(about_blinded(_content(bundle, changes, reading, scope), kept, bundle.manifest))
    if kept.tombstones:
        from mltrust.operations.erasures import erasure_checks

        checks += erasure_checks(bundle, kept, lambda tombstone: _vouching_erasure(tombstone, trust))
    if expected is not None:
        checks += expected.checks(reading, source, means.progress)
    checks += vouching(bundle.statement, bundle.receipts, bundle.signatures, trust, seal.path)  # 5
    return Report(
        name=bundle.statement.subject[0].name,
        fingerprint=bundle.statement.subject[0].digest[predicate.suite],
        suite=predicate.suite,
        content_only=trust.content_only,
        scope=scope,
        checks=tuple(checks),
        changes=changes,
        notices=(*notices(reading.manifest, reading.files, source), *filter(None, (rows[0].odd,))),
    )


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
    return vouching(tombstone.statement, tombstone.receipts, (), replace(trust, fingerprint=None))


def _agreement(bundle: Bundle) -> Check:
    odd = contradictions(bundle.statement, bundle.manifest)
    odd += receipts_elsewhere(bundle.receipts, bundle.statement)
    if odd:
        summary = f"the seal was edited: {odd[0]} contradicts the rest of it"
        return Check(kind=CheckKind.SEAL, name="seal", outcome=Outcome.FAIL, summary=summary)
    return Check(kind=CheckKind.SEAL, name="seal", outcome=Outcome.PASS, summary="the seal agrees with itself")


def receipts_elsewhere(receipts: Sequence[Receipt], statement: Statement) -> list[str]:
    """Name the receipts that speak of another statement: beside this one they are a contradiction."""
    digest = str(statement.digest())
    return ["a receipt" for receipt in receipts if receipt.digest != digest]


def _differences(bundle: Bundle, reading: Reading) -> tuple[Change, ...]:
    if bundle.manifest == reading.manifest:
        return ()
    return tuple(reading.explained(change) for change in changes_between(bundle.manifest, reading.manifest))


def _content(bundle: Bundle, changes: Sequence[Change], reading: Reading, scope: Scope) -> Check:
    manifest, covered = reading.manifest, "all bytes are the sealed ones"
    if manifest.blinded:
        covered = "all records, and all bytes of other files, are the sealed ones"
    what = counted(scope.files, scope.tensors, scope.records, count(scope.bytes, "byte"))
    outcome, summary, hint = Outcome.PASS, f"{covered}: {what}", None
    if scope.files_not_reread or scope.bytes_not_reread:
        rest = f"{count(scope.files_not_reread, 'file')} ({count(scope.bytes_not_reread, 'byte')}) not reread"
        summary = f"no difference from the sealed bytes was found: {what}; of these {rest}"
    pointers = len(reading.pointers)
    if pointers and all(change.kind is ChangeKind.POINTER for change in changes):  # also one that was sealed as such
        outcome, hint = Outcome.UNCHECKED, "Fetch the content: git lfs pull"
        summary = f"{count(pointers, 'file')} only a Git LFS pointer, the content is not here"
    elif not changes and manifest != bundle.manifest:
        outcome, summary = Outcome.FAIL, "the seal lists metadata that the sealed files do not have"
    elif changes:
        outcome, summary = Outcome.FAIL, f"{count(len(changes), 'difference')} from the sealed bytes"
    return Check(kind=CheckKind.CONTENT, name="content", outcome=outcome, summary=summary, hint=hint)


def vouching(
    statement: Statement,
    receipts: Sequence[Receipt],
    signatures: Sequence[Signature],
    trust: Trust,
    path: Path | None = None,
) -> Iterator[Check]:
    """Yield what everybody the caller trusts says of a statement, kept at `path`; and what nobody was asked about."""
    asked = list(_answers(statement, receipts, trust, path))
    yield from asked
    if not (trust.content_only or any(check.vouches for check in asked if check.kind is not CheckKind.POLICY)):
        yield _nobody(asked)
    if signatures:
        summary = f"{count(len(signatures), 'signature')} not checked"
        yield Check(kind=CheckKind.SIGNATURE, name="signatures", outcome=Outcome.UNCHECKED, summary=summary)


def _answers(statement: Statement, receipts: Sequence[Receipt], trust: Trust, path: Path | None) -> Iterator[Check]:
    submission = Submission(statement.digest(), path)
    if trust.fingerprint is not None:
        yield _fingerprint(statement, trust.fingerprint)
    for anchor in trust.anchors:
        yield consult(anchor, receipts, submission, required=True)
    if trust.quorum is not None:
        answers = [consult(anchor, receipts, submission, required=False) for anchor in trust.quorum.anchors]
        yield from answers
        yield _quorum(answers, trust.quorum.at_least)
    for anchor in trust.assumed:
        yield consult(anchor, receipts, submission, required=False)


def _nobody(asked: Sequence[Check]) -> Check:
    """Return the check that says why nothing vouches: nobody was asked, or only those who know since when."""
    summary = "nobody you trust was asked who vouches for this seal"
    if asked:
        summary = "since when it exists may be known, but nobody you trust was asked whose it is"
    hint = "Trust an anchor (--anchor), a ledger's key (--key) or a fingerprint (--fingerprint)"
    return Check(
        kind=CheckKind.ANCHOR,
        name="trust",
        outcome=Outcome.UNCHECKED,
        summary=summary,
        hint=f"{hint}, or ask for the bytes alone with --content-only.",
    )


def _quorum(answers: Sequence[Check], at_least: int) -> Check:
    """Return whether enough vouch; while those out of reach could still make it enough, that is undecided."""
    vouching = len({answer.voice or answer.name for answer in answers if answer.outcome is Outcome.PASS})
    undecided = sum(answer.state in UNDECIDED for answer in answers)
    outcome = Outcome.PASS if vouching >= at_least else Outcome.FAIL
    if vouching < at_least <= vouching + undecided:
        outcome = Outcome.UNCHECKED
    summary = f"{vouching} of {len(answers)} vouch, at least {at_least} must"
    return Check(kind=CheckKind.POLICY, name="policy", outcome=outcome, summary=summary, required=True)


def _fingerprint(statement: Statement, expected: str) -> Check:
    found = read_seal(statement).fingerprint().hex()
    good = found == expected
    covered = "the fingerprint is the one you gave; it does not cover the seal's name and annotations"
    summary = covered if good else f"the fingerprint is {found}, not the one you gave"
    outcome = Outcome.PASS if good else Outcome.FAIL
    return Check(kind=CheckKind.FINGERPRINT, name="fingerprint", outcome=outcome, summary=summary)
