"""Prove of records that they are in a sealed file, or that they are not.

No seal lists records, so the file is read again: once, whatever is asked for, and twice more where a record is to be
found by the JSON value it spells.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import NamedTuple

from mltrust.core.blinding import Blinded, Blinding, Veil, veiled
from mltrust.core.bundle import Bundle
from mltrust.core.digest import DIGEST_SIZE, Suite, suite_named
from mltrust.core.json_values import NO_JSON, same, value_of
from mltrust.core.leaf import Kind, Leaf
from mltrust.core.merkle import Tree
from mltrust.core.names import count
from mltrust.core.proof import Absence, Proof
from mltrust.core.record_index import paths
from mltrust.errors import ArtifactError, SealError, UsageError
from mltrust.interfaces import ArtifactReader, ArtifactSource, FileEntry, RecordReader
from mltrust.operations.means import record_reader, sealed_readers
from mltrust.operations.prove import found_file, level_of, proof_of
from mltrust.statements.seal import read_seal

Asked = int | bytes
"""A record by its number, from 1, or by its bytes; where none has these bytes, by the JSON value they spell."""


class Answer(NamedTuple):
    """What became of a question: how many records it meant (0: there is none), and a proof of the first.

    Where there is none, the proof is one of absence, and None if the file has no record index.
    """

    matches: int
    proof: Proof | None


@dataclass(frozen=True)
class RecordFile:
    """Where a sealed file of records lies, and the readers there are; `alone`: it is all there is, under any name.

    `blinding` is that of the seal, with the salts, if they are here.
    """

    source: ArtifactSource
    readers: Sequence[ArtifactReader]
    alone: bool = False
    blinding: Blinding = field(default_factory=Blinding)

    def find(self, path: str) -> FileEntry:
        """Return the file."""
        found = next((file for file in self.source.files() if self.alone or file.path == path), None)
        if found is None:
            raise ArtifactError(path, f"is not in {self.source.name}", hint="Name another place with --artifact.")
        return found


def prove_records(bundle: Bundle, path: str, asked: Sequence[Asked], here: RecordFile) -> list[Answer]:
    """Return an answer for each of `asked` about the sealed file `path`, which lies `here`.

    Raises:
        UsageError: The file was not sealed record by record or has fewer records, or of what is asked nobody can say
            whether it is absent.
        ArtifactError: It is not there, or does not hold the sealed records.
    """
    entry, top = found_file(bundle, path)
    how = here.blinding.of(path)
    _check_askable(entry.leaf, asked, how)
    predicate = read_seal(bundle.statement)
    readers = sealed_readers(predicate.parameters, here.readers)
    file = here.find(path)
    reader = record_reader(file._replace(path=path), readers)
    search = _Search(entry.leaf, reader, file, here.source, suite_named(predicate.suite), how)
    found = search.look_up(asked)
    levels = {each: level_of(match.leaf, match.index, found.tree) for each, match in found.matches.items()}
    proofs = {each: proof_of(bundle, [top, level]) for each, level in levels.items()}
    absences = search.absences(found, [each for each in asked if isinstance(each, bytes) and each not in proofs])
    proofs |= {each: proof_of(bundle, [top], absence) for each, absence in absences.items()}
    return [Answer(found.matches[each].count if each in levels else 0, proofs.get(each)) for each in asked]


def _check_askable(leaf: Leaf, asked: Sequence[Asked], how: Blinded | None) -> None:
    if leaf.records is None:
        raise UsageError(
            f"{leaf.name!a} was not sealed record by record", hint="mltrust show SEAL tells which files were."
        )
    if leaf.records.blinded and (how is None or how.salts is None):
        raise UsageError(f"the records of {leaf.name!a} are blinded", hint="Name their salts with --salts.")
    for number in asked:
        if isinstance(number, int) and not 1 <= number <= leaf.child_size:
            has = count(leaf.child_size, "record")
            raise UsageError(f"no record {number} in {leaf.name!a}", hint=f"It has {has}, counted from 1.")
        if isinstance(number, int) and how is not None and number - 1 in how.erased:
            raise UsageError(f"record {number} of {leaf.name!a} was erased", hint="Nothing is left to be proved.")


@dataclass(frozen=True, slots=True)
class _Match:
    """The records that were meant: how many, the index of the first, and its leaf."""

    count: int
    index: int
    leaf: Leaf


@dataclass
class _Found:
    """The tree over all records, their digests if there is an index of them, and what was found of what is asked."""

    digests: bytearray = field(default_factory=bytearray)
    tree: Tree = field(default_factory=Tree)
    matches: dict[Asked, _Match] = field(default_factory=dict)

    def note(self, asked: Asked, index: int, leaf: Leaf) -> None:
        """Note that the record at `index` is meant."""
        match = self.matches.get(asked)
        self.matches[asked] = replace(match, count=match.count + 1) if match else _Match(1, index, leaf)


@dataclass(frozen=True)
class _Search:
    """Looks for records in the file whose leaf is `sealed`."""

    sealed: Leaf
    reader: RecordReader
    file: FileEntry
    source: ArtifactSource
    suite: Suite
    how: Blinded | None = None

    @property
    def _index_root(self) -> bytes:
        return self.sealed.records.index_root if self.sealed.records is not None else b""

    def look_up(self, asked: Collection[Asked]) -> _Found:
        """Find records by number and by bytes; those that are not there, by their JSON value."""
        found = self._read(asked)
        missing = {each: value_of(each) for each in asked if isinstance(each, bytes) and each not in found.matches}
        alike = self._alike({each: value for each, value in missing.items() if value is not NO_JSON})
        if alike:
            again = self._read([indexes[0] + 1 for indexes in alike.values()])
            for each, indexes in alike.items():
                match = again.matches[indexes[0] + 1]
                found.matches[each] = replace(match, count=len(indexes))
        return found

    def _read(self, asked: Collection[Asked]) -> _Found:
        """Read the file; `ArtifactError` if its records are not the sealed ones."""
        with veiled(self.how) as veil:
            found = self._read_by(veil, asked)
        if (found.tree.size, found.tree.root) != (self.sealed.child_size, self.sealed.child_root):
            hint = "mltrust verify tells what differs."
            raise ArtifactError(self.file.path, "does not hold the sealed records, so it proves nothing", hint=hint)
        return found

    def _read_by(self, veil: Veil, asked: Collection[Asked]) -> _Found:
        places = sorted({veil.place(each - 1) for each in asked if isinstance(each, int)}, reverse=True)
        wanted = {leaf.digest: each for each, leaf in self._leaves(asked).items()}
        found, start = _Found(), 0
        for batch in self.reader.batches(self.file, self.source, self.suite):
            hashes = veil.hashes(batch)
            found.tree.extend(hashes)
            found.digests += b"".join(batch.digests) if self._index_root else b""
            end = start + len(batch.digests)
            while places and places[-1] < end:
                index, leaf = veil.index(places[-1]), batch.leaf(places.pop() - start)
                found.note(index + 1, index, veil.salted(leaf, index))
            if not wanted.keys().isdisjoint(batch.digests):
                for at, digest in enumerate(batch.digests):
                    if digest in wanted:
                        index = veil.index(start + at)
                        found.note(wanted[digest], index, veil.salted(batch.leaf(at), index))
            start = end
        found.tree.extend(veil.rest())
        return found

    def _leaves(self, asked: Iterable[Asked]) -> dict[bytes, Leaf]:
        """Return the leaves of the records that are written so; none of a text that does not say which bytes it has."""
        texts = [each for each in asked if isinstance(each, bytes)]
        spelled = self.reader.spelled(texts, self.file, self.source) if texts else ()
        pairs = zip(texts, spelled, strict=True)
        return {
            text: Leaf(Kind.RECORD, "", len(data), self.suite.digest(data)) for text, data in pairs if data is not None
        }

    def _alike(self, values: Mapping[bytes, object]) -> dict[bytes, list[int]]:
        """Return the indexes of the records that spell one of `values`."""
        found: dict[bytes, list[int]] = {}
        index = Veil(erased=self.how.erased if self.how is not None else {}).index
        if values:
            for row in self.reader.rows(self.file, self.source, range(self.sealed.child_size)):
                here = row.fields if row.fields is not None else value_of(row.text.encode("utf-8", "replace"))
                for asked, value in values.items():
                    if same(here, value):
                        found.setdefault(asked, []).append(index(row.at))
        return found

    def absences(self, found: _Found, asked: Collection[bytes]) -> dict[bytes, Absence]:
        """Return the proofs that no records have the bytes `asked`; none where there is no index."""
        if not self._index_root or not asked:
            return {}
        leaves = self._leaves(asked)
        for each in asked:
            if each not in leaves:
                text = each[:80].decode("utf-8", "replace")
                hint = "Give the row as it stands in the file; of Parquet and Arrow, a JSON object with every column."
                raise UsageError(f"{text!a} does not say which bytes a record of {self.sealed.name!a} has", hint=hint)
        digests = [bytes(found.digests[at : at + DIGEST_SIZE]) for at in range(0, len(found.digests), DIGEST_SIZE)]
        digests.sort()
        index_root, ways = paths(digests, [leaf.digest for leaf in leaves.values()])
        if index_root != self._index_root:
            raise SealError(
                f"the record index that the seal states for {self.sealed.name!a} is not that of its records"
            )
        return {each: Absence.of(leaves[each].digest, ways[leaves[each].digest]) for each in asked}
