"""Check a proof that something is part of a sealed artifact, or that a record is not."""

from collections.abc import Iterator
from dataclasses import dataclass, replace

from mltrust.core.digest import Suite, suite_named
from mltrust.core.manifest import Kind, Leaf
from mltrust.core.names import count
from mltrust.core.proof import Proof, broken_level
from mltrust.core.records import MAX_RECORD
from mltrust.core.report import Check, CheckKind, Outcome, Report, Scope
from mltrust.errors import FormatError
from mltrust.interfaces import ArtifactReader, ArtifactSource, FileEntry, Means, RecordReader, Trust
from mltrust.operations.fingerprint import read_found
from mltrust.operations.verify import receipts_elsewhere, sealed_vouching
from mltrust.operations.watched import WatchedSource
from mltrust.statements.seal import read_seal

_LINE_ENDS = (b"\n", b"\r\n")


def check(proof: Proof, trust: Trust, content: ArtifactSource | None, means: Means) -> Report:
    """Return the report on a proof.

    1. The proof has been parsed strictly; its statement must be a seal whose fingerprint agrees with its
       root, size and parameters, and every receipt must speak of this statement.
    2. Each level must lead to the root above it, the first to the statement's (`broken_level`); what is said to be
       absent must be absent in the record index of the last one.
    3. If content is given, it is hashed again and must be what the proof is about; of what is absent, its digest.
    4. Whoever the caller trusts is asked about the statement.
    """
    predicate = read_seal(proof.statement)
    suite = suite_named(predicate.suite)
    checks = [_agreement(proof), _inclusion(proof)]
    if content is not None:
        checks.append(_content(proof, content, means, suite))
    checks += sealed_vouching(proof, trust)
    kind = proof.target.kind
    return Report(
        name=proof.statement.subject[0].name,
        fingerprint=predicate.fingerprint().hex(),
        root=predicate.root,
        suite=predicate.suite,
        content_only=trust.content_only,
        scope=Scope(
            files=1, tensors=int(kind is Kind.TENSOR), records=int(kind is Kind.RECORD), bytes=proof.target.size
        ),
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
    outcome, summary = Outcome.PASS, _proven(proof)
    if broken is not None:
        level = "the file" if broken == 0 else f"the {'record' if proof.target.kind is Kind.RECORD else 'tensor'}"
        outcome, summary = Outcome.FAIL, f"the proof is refused: {level} it names does not lead to the root"
    elif not _is_absent(proof):
        outcome, summary = Outcome.FAIL, "the proof is refused: the lookup in the record index does not hold"
    return Check(kind=CheckKind.PROOF, name="proof", outcome=outcome, summary=summary)


def _is_absent(proof: Proof) -> bool:
    records = proof.levels[-1].leaf.leaf().records
    return proof.absence is None or (records is not None and proof.absence.holds(records.index_root))


def _proven(proof: Proof) -> str:
    if proof.absence is not None:
        return f"no record with the digest {proof.target.digest.hex()} is in the committed set of {proof.file.name}"
    what, target = f"file {proof.file.name}", proof.target
    if target.kind is Kind.TENSOR:
        what = f"tensor {target.name} of {proof.file.name}"
    elif target.kind is Kind.RECORD:
        called = f" ({target.name})" if target.name else ""
        what = f"record {proof.levels[-1].index + 1:,}{called} of {proof.file.name}"
    return f"{what} is part of the sealed artifact"


def _content(proof: Proof, content: ArtifactSource, means: Means, suite: Suite) -> Check:
    if proof.target.records is not None and proof.target.records.blinded:
        summary, hint = "a blinded file has no digest to compare with", "mltrust verify compares its records."
        return Check(kind=CheckKind.CONTENT, name="content", outcome=Outcome.UNCHECKED, summary=summary, hint=hint)
    what = "absent" if proof.absence is not None else "proven"
    outcome, summary = Outcome.FAIL, f"the given bytes are not the {what} ones"
    for leaf in _Given(content, means, suite).candidates(proof):
        if leaf == proof.target or (proof.absence is not None and leaf.digest == proof.target.digest):
            outcome, summary = Outcome.PASS, f"the given bytes are the {what} ones: {count(leaf.size, 'byte')}"
            break
    return Check(kind=CheckKind.CONTENT, name="content", outcome=outcome, summary=summary)


@dataclass(frozen=True)
class _Given:
    """The content that is given with a proof."""

    source: ArtifactSource
    means: Means
    suite: Suite

    def candidates(self, proof: Proof) -> Iterator[Leaf]:
        """Yield what the given file may be: the bytes of the target as they are, or a file that holds it.

        Names of files do not matter here, those of tensors and records do.
        """
        target = proof.target
        whole = read_found(self.source, replace(self.means, readers=self.means.readers[-1:]), self.suite)
        for entry in whole.manifest.entries:
            found = target._replace(size=entry.leaf.size, digest=entry.leaf.digest)
            # The digest of a file of records is that of all its bytes; a file of parts has none to compare.
            one = target.kind is Kind.RECORDS and target.digest
            yield found if one else found._replace(child_root=b"", child_size=0)
        if target.kind is Kind.FILE:
            return
        for file in self.source.files():
            yield from self._as_a_line(target, file)
            for reader in self.means.readers[:-1]:
                yield from self._within(reader, target, file)

    def _as_a_line(self, target: Leaf, file: FileEntry) -> Iterator[Leaf]:
        """Yield a record that the file is, but for the line break at its end."""
        if target.kind is not Kind.RECORD or file.size > MAX_RECORD + max(map(len, _LINE_ENDS)):
            return
        data = self.source.read(file, 0, file.size)
        for end in _LINE_ENDS:
            if data.endswith(end):
                line = data.removesuffix(end)
                yield target._replace(size=len(line), digest=self.suite.digest(line))

    def _within(self, reader: ArtifactReader, target: Leaf, file: FileEntry) -> Iterator[Leaf]:
        """Yield the file as `reader` sees it and all its parts; nothing if it is not one that this reader reads."""
        try:
            if not isinstance(reader, RecordReader):
                yield from self._parts(reader, target, file)
            elif target.kind is Kind.RECORD and reader.accepts(file):
                yield from self._records(reader, target, file)
        except FormatError:  # the raw bytes of something else, then
            return

    def _records(self, reader: RecordReader, target: Leaf, file: FileEntry) -> Iterator[Leaf]:
        watched = WatchedSource(self.source, self.means.progress)
        for batch in reader.batches(file, watched, self.suite):
            if target.digest in batch.digests:
                yield from (batch.leaf(at)._replace(salt=target.salt) for at in range(len(batch.digests)))

    def _parts(self, reader: ArtifactReader, target: Leaf, file: FileEntry) -> Iterator[Leaf]:
        parts = reader.parts(file, self.source)
        self.means.progress.expect(1, file.size)
        [digests] = self.means.engine.digest([parts.segments], self.source, self.suite, self.means.progress)
        entry = parts.entry(digests)
        yield entry.leaf._replace(name=target.name)
        yield from entry.children
