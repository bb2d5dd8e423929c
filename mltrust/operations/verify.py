"""Verify an artifact against its seal and whoever the caller trusts."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

from mltrust.core.bundle import Bundle
from mltrust.core.changes import Change, ChangeKind, changes_between
from mltrust.core.digest import suite_named
from mltrust.core.names import count, counted
from mltrust.core.receipt import Receipt, Signature
from mltrust.core.report import Check, CheckKind, Outcome, Recalled, Report, Scope
from mltrust.core.statement import Statement
from mltrust.errors import SealError
from mltrust.interfaces import ArtifactReader, ArtifactSource, Means, Submission, Trust
from mltrust.operations.anchor import UNDECIDED, Placed, consult
from mltrust.operations.fingerprint import Reading, read_found
from mltrust.operations.notices import notices
from mltrust.statements.seal import Parameters, contradictions, read_seal


def verify(source: ArtifactSource, seal: Placed, trust: Trust, means: Means) -> Report:
    """Return the report on an artifact.

    1. The seal has been parsed strictly (`Bundle.parse`); its statement must be a seal of a known suite.
    2. The artifact is read with the sealed exclusions (already in `source`), readers and suite. Nothing
       else is taken from the seal: not whom to trust, not whom to ask.
    3. Statement, fingerprint and manifest must agree, and every receipt must speak of this statement.
    4. What was read is compared with the manifest: file by file, tensor by tensor.
    5. The caller's fingerprint is compared, and each trusted anchor is asked about the statement.
    6. The verdict follows from the checks alone (`Report.verdict`).
    """
    bundle = seal.bundle
    predicate = read_seal(bundle.statement)  # 1
    sealed_means = replace(means, readers=sealed_readers(predicate.parameters, means.readers))  # 2
    reading = read_found(source, sealed_means, suite_named(predicate.suite))
    if bundle.manifest == reading.manifest:
        bundle = replace(bundle, manifest=reading.manifest)  # the roots of what was read are known already
    checks = [_agreement(bundle)]  # 3
    changes = _differences(bundle, reading)  # 4
    checks.append(_content(bundle, changes, reading, means.recalled))
    checks += vouching(bundle.statement, bundle.receipts, bundle.signatures, trust, seal.path)  # 5
    scope = Scope(
        files=reading.manifest.size,
        tensors=reading.manifest.tensors,
        records=reading.manifest.records,
        bytes=reading.manifest.bytes,
        files_not_reread=means.recalled.files,
        bytes_not_reread=means.recalled.bytes,
        excluded=predicate.parameters.exclude,
        left_out=tuple(sorted(source.left_out)),
    )
    return Report(
        name=bundle.statement.subject[0].name,
        fingerprint=bundle.statement.subject[0].digest[predicate.suite],
        suite=predicate.suite,
        content_only=trust.content_only,
        scope=scope,
        checks=tuple(checks),
        changes=changes,
        notices=tuple(notices(reading.manifest, reading.files, source)),
    )


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


def _content(bundle: Bundle, changes: Sequence[Change], reading: Reading, recalled: Recalled) -> Check:
    manifest = reading.manifest
    what = counted(manifest.size, manifest.tensors, manifest.records, count(manifest.bytes, "byte"))
    outcome, summary, hint = Outcome.PASS, f"all bytes are the sealed ones: {what}", None
    if any(recalled):
        rest = f"{count(recalled.files, 'file')} ({count(recalled.bytes, 'byte')}) not reread"
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
