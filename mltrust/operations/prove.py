"""Prove that one file or one tensor is part of a sealed artifact, and check such a proof."""

from collections.abc import Iterator
from dataclasses import replace

from mltrust.core.bundle import Bundle
from mltrust.core.digest import Suite, suite_named
from mltrust.core.manifest import Entry, Kind, Leaf
from mltrust.core.merkle import Tree
from mltrust.core.names import count
from mltrust.core.proof import LeafFields, Level, Proof, broken_level
from mltrust.core.report import Check, CheckKind, Outcome, Report, Scope
from mltrust.errors import FormatError, UsageError
from mltrust.interfaces import ArtifactSource, Means, Trust
from mltrust.operations.fingerprint import read_found
from mltrust.operations.seal import whole
from mltrust.operations.verify import receipts_elsewhere, vouching
from mltrust.statements.seal import read_seal


def prove(bundle: Bundle, path: str, tensor: str | None = None) -> Proof:
    """Return the proof that `path`, or one tensor of it, is in the sealed artifact."""
    found = whole(bundle).manifest.find(path)
    if found is None:
        raise UsageError(f"no file {path!a} in the seal", hint="mltrust show SEAL lists the files.")
    index, entry = found
    levels = [_level(entry.leaf, index, bundle.manifest.tree())]
    if tensor is not None:
        levels.append(_tensor_level(entry, tensor))
    return Proof(
        statement=bundle.statement, levels=tuple(levels), signatures=bundle.signatures, receipts=bundle.receipts
    )


def _tensor_level(entry: Entry, tensor: str) -> Level:
    for index, child in enumerate(entry.children):
        if child.kind is Kind.TENSOR and child.name == tensor:
            return _level(child, index, entry.tree())
    raise UsageError(f"no tensor {tensor!a} in {entry.path!a}", hint="mltrust show SEAL lists the tensors.")


def _level(leaf: Leaf, index: int, tree: Tree) -> Level:
    path = tuple(step.hex() for step in tree.inclusion_path(index))
    return Level(leaf=LeafFields.of(leaf), index=index, path=path)


def check(proof: Proof, trust: Trust, content: ArtifactSource | None, means: Means) -> Report:
    """Return the report on a proof.

    1. The proof has been parsed strictly; its statement must be a seal whose fingerprint agrees with its
       root, size and parameters, and every receipt must speak of this statement.
    2. Each level must lead to the root above it, the first to the statement's (`broken_level`).
    3. If content is given, it is hashed again and must be what the last level names.
    4. Whoever the caller trusts is asked about the statement.
    """
    predicate = read_seal(proof.statement)
    suite = suite_named(predicate.suite)
    checks = [_agreement(proof), _inclusion(proof)]
    if content is not None:
        checks.append(_content(proof.target, content, means, suite))
    checks += vouching(proof.statement, proof.receipts, proof.signatures, trust)
    tensors = int(proof.target.kind is Kind.TENSOR)
    return Report(
        name=proof.statement.subject[0].name,
        fingerprint=predicate.fingerprint().hex(),
        suite=predicate.suite,
        content_only=trust.content_only,
        scope=Scope(files=1, tensors=tensors, bytes=proof.target.size),
        checks=tuple(checks),
    )


def _agreement(proof: Proof) -> Check:
    predicate = read_seal(proof.statement)
    stated = proof.statement.subject[0].digest[predicate.suite]
    odd = ["the fingerprint"] if stated != predicate.fingerprint().hex() else []
    odd += receipts_elsewhere(proof.receipts, proof.statement)
    if odd:
        summary = f"the statement was edited: {odd[0]} contradicts the rest of it"
        return Check(kind=CheckKind.SEAL, name="statement", outcome=Outcome.FAIL, summary=summary)
    return Check(
        kind=CheckKind.SEAL, name="statement", outcome=Outcome.PASS, summary="the statement agrees with itself"
    )


def _inclusion(proof: Proof) -> Check:
    predicate = read_seal(proof.statement)
    broken = broken_level(proof.levels, predicate.size, bytes.fromhex(predicate.root))
    outcome, summary = Outcome.PASS, f"{_called(proof)} is part of the sealed artifact"
    if broken is not None:
        level = ("the file", "the tensor")[broken]
        outcome, summary = Outcome.FAIL, f"the proof is refused: {level} it names does not lead to the root"
    return Check(kind=CheckKind.PROOF, name="proof", outcome=outcome, summary=summary)


def _called(proof: Proof) -> str:
    if proof.target.kind is Kind.TENSOR:
        return f"tensor {proof.target.name} of {proof.file.name}"
    return f"file {proof.file.name}"


def _content(target: Leaf, content: ArtifactSource, means: Means, suite: Suite) -> Check:
    outcome, summary = Outcome.FAIL, "the given bytes are not the proven ones"
    if any(leaf == target for leaf in _candidates(target, content, means, suite)):
        outcome, summary = Outcome.PASS, f"the given bytes are the proven ones: {count(target.size, 'byte')}"
    return Check(kind=CheckKind.CONTENT, name="content", outcome=outcome, summary=summary)


def _candidates(target: Leaf, content: ArtifactSource, means: Means, suite: Suite) -> Iterator[Leaf]:
    """Yield what the given file may be: the bytes of the target as they are, or a file that holds it.

    Names of files do not matter here, those of tensors do.
    """
    whole = read_found(content, replace(means, readers=means.readers[-1:]), suite).manifest.entries
    for entry in whole:
        yield target._replace(size=entry.leaf.size, digest=entry.leaf.digest, child_root=b"", child_size=0)
    if target.kind is Kind.FILE:
        return
    for file in content.files():
        for reader in means.readers[:-1]:
            try:
                parts = reader.parts(file, content)
            except FormatError:  # the raw bytes of something else, then
                continue
            [digests] = means.engine.digest([parts.segments], content, suite, means.progress)
            entry = parts.entry(digests)
            yield entry.leaf._replace(name=target.name)
            yield from entry.children
