"""Verify a model against a bundle of OpenSSF Model Signing (OMS) and whoever the caller trusts."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from mltrust.core.changes import Change, ChangeKind, changes_between
from mltrust.core.digest import SHA256
from mltrust.core.manifest import Manifest, file_entry
from mltrust.core.names import count, few, shown
from mltrust.core.oms.bundle import OmsBundle
from mltrust.core.oms.reading import SINGLE, OmsStatement
from mltrust.core.report import Check, CheckKind, Notice, Outcome, Report, Scope, SignatureState
from mltrust.interfaces import ArtifactSource, Means, Seen, Trust
from mltrust.operations.fingerprint import Reading, read_found
from mltrust.operations.links import links_in
from mltrust.operations.notices import notices
from mltrust.operations.pointers import Pointed, pointed, pointers_said, undecided_said
from mltrust.operations.vouching import vouching

SUITE = "oms"
"""What stands before the root in reports; it is no fingerprint of ours."""

_FETCH = "Fetch the content: git lfs pull"


def verify_oms(
    source: ArtifactSource, bundle: OmsBundle, trust: Trust, means: Means, *, is_file: bool
) -> tuple[Report, Seen]:
    """Return the report on a model, and the manifest of what was read; `is_file` tells that it is a single file.

    1. The bundle has been parsed strictly (`read_bundle`). From its payload are taken: the files, the algorithm, what
       was left out (already in `source`) and whether links are allowed. Nothing else; and not whom to trust.
    2. The root is computed from the hashes in the order in which they are listed; it must be the one that is stated.
    3. All files are read, each as a whole, and hashed by that algorithm.
    4. What was read is compared with what is listed, name by name: every difference is named. A single file goes by
       its own name, or by `.`, which says nothing of its name. A Git LFS pointer to the bytes is no difference, and
       no yes: they are not here.
    5. Links inside the model are refused unless the bundle allows them. Those of a download cache, into its own
       blobs, are how it stores files. What lies behind a linked folder is compared like any other file.
    6. Everybody the caller trusts is asked about the payload; nobody else.
    7. What a bundle cannot cover is said. The verdict follows from the checks alone (`Report.verdict`).
    """
    statement = bundle.statement
    reading = read_found(source, replace(means, readers=means.readers[-1:]), statement.suite, keep_files=True)  # 3
    listed = _listed(statement, reading, is_file=is_file)  # 4
    pointers = pointed(listed, reading, statement.suite)
    changes = tuple(_differences(listed, pointers.filled(reading), pointers))
    links = () if is_file else links_in(source, reading.files)
    scope = _scope(source, reading.manifest, pointers)
    checks = [_agreement(statement), _content(changes, listed, scope), *_forbidden(links, statement)]  # 2, 5
    vouched = vouching(bundle.payload, (), bundle.signatures, trust, fingerprint=None)  # 6
    checks += (_of_a_bundle(check, old=statement.root is None) for check in vouched)
    name, root = statement.name or source.name, statement.computed_root().hex()
    report = Report(
        name=name,
        fingerprint=root,
        root=root,
        suite=SUITE,
        content_only=trust.content_only,
        scope=scope,
        checks=tuple(checks),
        changes=changes,
        notices=(*_limits(name, statement, links), *notices(reading.manifest, reading.files, source)),  # 7
    )
    return report, Seen(after=reading.manifest)


def _scope(source: ArtifactSource, found: Manifest, pointers: Pointed) -> Scope:
    return Scope(
        files=found.size,
        tensors=0,
        bytes=found.bytes,
        pointers=pointers.files,
        bytes_not_here=pointers.bytes,
        excluded=tuple(source.exclude),
        left_out=tuple(sorted(source.left_out)),
    )


def _agreement(statement: OmsStatement) -> Check:
    outcome, summary = Outcome.PASS, f"the bundle agrees with itself: its root is that of {_files(statement)}"
    if statement.root is None:
        summary = f"an old bundle, which states no root: it lists {_files(statement)}"
    elif statement.root != statement.computed_root():
        outcome, summary = Outcome.FAIL, "the bundle contradicts itself: its root is not that of the files it lists"
    return Check(kind=CheckKind.SEAL, name="bundle", outcome=outcome, summary=summary)


def _files(statement: OmsStatement) -> str:
    return count(len(statement.files), "file")


def _listed(statement: OmsStatement, reading: Reading, *, is_file: bool) -> Manifest:
    """Return what is listed, as far as its sizes are known: from bytes with this hash, or a pointer to them."""
    found = reading.manifest
    sizes = {entry.path: entry.leaf.size for entry in found.entries}
    sizes |= {path: pointer.size for path, pointer in reading.named.items() if pointer.size is not None}
    known = _known(found)
    own = next(iter(found.paths), SINGLE) if is_file else SINGLE
    listed = ((own if file.name == SINGLE else file.name, file.digest) for file in statement.files)
    beside = statement.suite is SHA256
    return Manifest.of(
        file_entry(name, known.get(digest, sizes.get(name, 0)), digest, digest if beside else b"")
        for name, digest in listed
    )


def _known(found: Manifest) -> dict[bytes, int]:
    """Return the sizes of what is here, by its hashes: equal hashes, equal bytes."""
    return {entry.leaf.digest: entry.leaf.size for entry in found.entries}


def _differences(listed: Manifest, reading: Reading, pointers: Pointed) -> Iterator[Change]:
    known = _known(reading.manifest)
    for change in changes_between(listed, reading.manifest):
        yield _unsized(pointers.explained(reading.explained(change)), known)


def _unsized(change: Change, known: Mapping[bytes, int]) -> Change:
    """Take back the size of bytes that are not here: a bundle does not state it."""
    before, after = change.before, change.after
    if before is None or bytes.fromhex(before.digest) in known:
        return change
    kind = change.kind
    if kind is ChangeKind.CHANGED and after is not None and not after.size:
        kind = ChangeKind.TRUNCATED
    return change.model_copy(update={"kind": kind, "before": before.model_copy(update={"size": None})})


def _content(changes: Sequence[Change], listed: Manifest, scope: Scope) -> Check:
    outcome, hint = Outcome.PASS, None
    summary = f"all bytes are the signed ones: {count(scope.files, 'file')}, {count(scope.bytes, 'byte')}"
    if scope.pointers:  # OMS asks for the bytes (section 8.4), and states no size that a pointer could be held to
        outcome, hint = Outcome.UNCHECKED, _FETCH
        summary = f"no difference was found in what is here; {pointers_said(scope)}"
    if changes and not listed.has_sha256 and all(change.kind is ChangeKind.POINTER for change in changes):
        outcome = Outcome.UNCHECKED
        summary, hint = undecided_said(len(changes), scope.told_by)
    elif changes:
        outcome, summary, hint = Outcome.FAIL, f"{count(len(changes), 'difference')} from the signed bytes", None
        if all(change.kind is ChangeKind.ADDED for change in changes):
            hint = "If these files need not be signed, leave them out with --exclude; the report will say so."
    return Check(kind=CheckKind.CONTENT, name="content", outcome=outcome, summary=summary, hint=hint)


def _forbidden(links: Sequence[str], statement: OmsStatement) -> Iterator[Check]:
    if links and not statement.allow_links:
        summary = f"the bundle allows no links, and here are {len(links):,}: {few(links)}"
        yield Check(kind=CheckKind.POLICY, name="links", outcome=Outcome.FAIL, summary=summary, names=tuple(links))


def _of_a_bundle(check: Check, *, old: bool) -> Check:
    """Name the ways to trust somebody who signs bundles, where nobody was asked; and how old ones were signed."""
    if old and check.state is SignatureState.INVALID:
        hint = "If model-signing 0.2.0 made it, --oms-legacy takes what that signed by mistake."
        return check.model_copy(update={"hint": hint})
    if check.name != "trust" or check.outcome is not Outcome.UNCHECKED:
        return check
    hint = "Trust a key (--key), certificates (--certificate-chain) or an identity (--identity and --issuer)"
    summary = "nobody you trust was asked who signed this bundle"
    hint = f"{hint}, or ask for the bytes alone with --content-only."
    return check.model_copy(update={"kind": CheckKind.SIGNATURE, "summary": summary, "hint": hint})


def _limits(name: str, statement: OmsStatement, links: Sequence[str]) -> Iterator[Notice]:
    """Say what no bundle covers, and what this one leaves open."""
    message = (
        "covered are names and bytes of files, not modes, empty folders, tensors or time; the root covers bytes alone"
    )
    yield Notice(code="oms-limits", path=name, message=message)
    if any(file.name == SINGLE for file in statement.files):
        yield Notice(code="oms-name", path=name, message="the name of the file is not signed")
    if statement.ignored is None:
        message = "the bundle does not say what was left out; taken to be what OMS leaves out by itself"
        yield Notice(code="oms-left-out", path=name, message=message)
    if links and statement.allow_links:
        yield Notice(code="link", path=links[0], message=f"the bundle allows links: {few(links)}")
    others = (f"{suite}:{digest}" for suite, digest in statement.digests.items() if suite != "sha256")
    for other in others:
        message = f"the bundle also bears {shown(other)[:200]}, which was not compared with anything"
        yield Notice(code="oms-digest", path=name, message=message)
