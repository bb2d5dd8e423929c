"""A file of a blinded artifact that is to lose records: what it holds, and what is left of it without them."""

import os
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from mltrust.core.blinding import Blinded, Veil, veiled
from mltrust.core.bundle import Bundle
from mltrust.core.digest import DIGEST_SIZE, Suite, suite_named
from mltrust.core.exclusion import TEMP_PREFIX
from mltrust.core.leaf import Leaf
from mltrust.core.merkle import Crown
from mltrust.core.names import count
from mltrust.core.records import Batch
from mltrust.disk.documents import sync_folder, write_new
from mltrust.disk.salts import KeptSalts, salts_left
from mltrust.errors import ArtifactError, UsageError, WriteError
from mltrust.interfaces import ArtifactSource, FileEntry, Means, RecordReader, Segment
from mltrust.operations.blinding import Kept
from mltrust.operations.erasures import again
from mltrust.operations.means import record_reader, sealed_readers
from mltrust.operations.measure import blocks
from mltrust.statements.erasure import Tombstone, read_erasure
from mltrust.statements.seal import read_seal

_LONGEST_ENDING = 16  # characters: readers look at no more of a name, such as `.ndjson.zst`


@dataclass(frozen=True)
class BlindedArtifact:
    """A blinded artifact on this machine: its source, its seal, and what is kept with that.

    `open_file` returns the source of a single file; `write` puts tombstones in place of those that were kept.
    """

    source: ArtifactSource
    folder: Path
    bundle: Bundle
    kept: Kept
    open_file: Callable[[Path], ArtifactSource]
    write: Callable[[Sequence[Tombstone]], None]


@dataclass
class _Walk:
    """One walk over the records of a file: what they amount to."""

    veil: Veil
    crown: Crown = field(default_factory=Crown)
    header: bytes = b""
    present: int = 0
    size: int = 0

    def over(self, batches: Iterable[Batch], wanted: Iterable[int] = ()) -> dict[int, bytes]:
        """Take in all records; return the hashes of the `wanted` leaves."""
        found: dict[int, bytes] = {}
        waiting = sorted(wanted, reverse=True)
        for batch in batches:
            hashes = self.veil.hashes(batch)
            while waiting and (at := (waiting[-1] - self.size) * DIGEST_SIZE) < len(hashes):
                found[waiting.pop()] = hashes[at : at + DIGEST_SIZE]
            self._add(hashes)
            self.header, self.present = batch.header or self.header, self.present + len(batch.sizes)
        self._add(self.veil.rest())
        return found

    def _add(self, hashes: bytes) -> None:
        self.crown.extend(hashes)
        self.size += len(hashes) // DIGEST_SIZE

    def amounts_to(self, leaf: Leaf) -> bool:
        """Tell whether these are the records of `leaf`."""
        header = leaf.records.header if leaf.records else b""
        return (self.crown.root, self.size, self.header) == (leaf.child_root, leaf.child_size, header)


@dataclass(frozen=True)
class Left:
    """What is left of a file, written to another."""

    path: Path
    target: Path

    def replace_file(self) -> None:
        """Put it where the file was, durably."""
        try:
            self.path.replace(self.target)
            sync_folder(self.target.parent)
        except OSError as error:
            raise WriteError(f"{self.target}: cannot be written: {error.strerror or error}") from error


@dataclass(frozen=True)
class BlindedFile:
    """The file at hand: how it is sealed, where it lies, and what of it is gone, but for what is erased now."""

    sealed: BlindedArtifact
    leaf: Leaf
    salts: KeptSalts
    file: FileEntry
    path: Path
    reader: RecordReader
    suite: Suite
    before: Mapping[int, bytes]

    @classmethod
    def of(
        cls, sealed: BlindedArtifact, leaf: Leaf, salts: KeptSalts, means: Means, begun: Tombstone | None
    ) -> "BlindedFile":
        """Find the file, and the reader it was sealed with; an erasure other than `begun` must be finished."""
        predicate = read_seal(sealed.bundle.statement)
        file = next((each for each in sealed.source.files() if each.path == leaf.name), None)
        path = sealed.source.local_path(file) if file else None
        if file is None or path is None:
            raise ArtifactError(leaf.name, "is not here")
        if path.is_symlink() or path.stat().st_dev != sealed.folder.stat().st_dev:
            raise UsageError(f"{path} is a link, or on another disk than {sealed.folder}", hint="Copy it there first.")
        if other := _other_name(file, path, sealed.source):
            hint = "Both are sealed, and both would lose the record. Make a copy of one."
            raise UsageError(f"{file.path!a} and {other!a} are one file", hint=hint)
        if salts.path.is_symlink() or not os.access(salts.path, os.W_OK):
            raise UsageError(f"{salts.path} is a link, or cannot be written", hint="Name the file itself with --salts.")
        readers = sealed_readers(predicate.parameters, means.readers)
        reader = record_reader(file, readers)
        before: dict[int, bytes] = {}
        for tombstone in sealed.kept.tombstones:
            if tombstone is not begun:
                before |= _finished(tombstone, leaf, sealed.kept)
        return cls(sealed, leaf, salts, file, path, reader, suite_named(predicate.suite), before)

    def hashes(self, wanted: Iterable[int]) -> dict[int, bytes]:
        """Return the hashes of the wanted leaves of the file, which must hold all its records."""
        walk, found = self._walked(self.file, self.sealed.source, self.before, wanted)
        if not walk.amounts_to(self.leaf):
            raise ArtifactError(self.leaf.name, "does not hold the sealed records", hint="See mltrust verify.")
        return found

    def _walked(
        self, file: FileEntry, source: ArtifactSource, erased: Mapping[int, bytes], wanted: Iterable[int] = ()
    ) -> tuple[_Walk, dict[int, bytes]]:
        with veiled(Blinded(self.salts, erased)) as veil:
            walk = _Walk(veil)
            return walk, walk.over(self.reader.batches(file, source, self.suite), wanted)

    def check_unchanged(self) -> None:
        """Raise `ChangedError` if the file is no longer the one that was read."""
        with self.sealed.source.open(self.file):
            pass

    def has_lost(self, gone: Mapping[int, bytes]) -> bool:
        """Tell whether the file is what is left without what is `gone`."""
        walk, _ = self._walked(self.file, self.sealed.source, {**self.before, **gone})
        return walk.amounts_to(self.leaf)

    def has_lost_salts(self, gone: Iterable[int]) -> bool:
        """Tell whether the salts of what is `gone` are erased."""
        return not salts_left(self.salts, gone)

    @contextmanager
    def without(self, gone: Mapping[int, bytes], rewritten: Path | None) -> Iterator[Left]:
        """Write what is left of the file without what is `gone`, and check that it leads to the sealed root."""
        ending = self.path.name[-_LONGEST_ENDING:]  # all of a long name would be too long
        temporary = self.sealed.folder / f"{TEMP_PREFIX}{secrets.token_hex(8)}-{ending}"
        try:
            self._write(temporary, gone, rewritten)
            self._check(temporary, gone, rewritten)
            yield Left(temporary, self.path)
        finally:
            with suppress(OSError):
                temporary.unlink(missing_ok=True)

    def _write(self, temporary: Path, gone: Iterable[int], rewritten: Path | None) -> None:
        if rewritten is None:
            place = Veil(erased=self.before).place
            left = self.reader.without(self.file, self.sealed.source, {place(index) for index in gone})
        else:
            left = _blocks(self.sealed.open_file(rewritten))
        try:
            write_new(temporary, left, self.path.stat().st_mode & 0o777)
        except OSError as error:
            raise WriteError(f"{temporary}: cannot be written: {error.strerror or error}") from error

    def _check(self, temporary: Path, gone: Mapping[int, bytes], rewritten: Path | None) -> None:
        source = self.sealed.open_file(temporary)
        (file,) = source.files()
        walk, _ = self._walked(file, source, {**self.before, **gone})
        if not walk.amounts_to(self.leaf):
            name = rewritten or self.leaf.name
            has, should = walk.present, self.leaf.child_size - len(self.before) - len(gone)
            what = f"does not hold just the other sealed records: {count(has, 'record')}, where {should:,} have to be"
            raise ArtifactError(str(name), what if has != should else "its records are not the sealed ones in order")


def _finished(tombstone: Tombstone, leaf: Leaf, kept: Kept) -> Mapping[int, bytes]:
    """Return what a tombstone says is gone of a file; `UsageError` if that was not finished."""
    predicate = read_erasure(tombstone.statement)
    if kept.salts is not None and salts_left(kept.salts[predicate.file], tombstone.erased):
        raise UsageError("another erasure was begun and is not finished", hint=again(tombstone))
    return tombstone.erased if predicate.file == leaf.name else {}


def _other_name(file: FileEntry, path: Path, source: ArtifactSource) -> str | None:
    """Return another path of the artifact that leads to the same file, by a link; a hard link is a file of its own."""
    for each in source.files():
        if each.path != file.path and each.version == file.version:
            other = source.local_path(each)
            if other is not None and other.resolve() == path.resolve():
                return each.path
    return None


def _blocks(source: ArtifactSource) -> Iterator[bytes]:
    (file,) = source.files()
    return blocks(source, Segment(file, 0, file.size), file.size)
