"""Hand over the bytes of a sealed artifact, each only after it was compared with the seal."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import ClassVar, NamedTuple, NoReturn

from mltrust.core.digest import suite_named
from mltrust.core.lfs import is_pointer, may_be_pointer
from mltrust.core.manifest import Entry, Kind, Leaf, Manifest
from mltrust.core.memory_file import MemoryFile
from mltrust.core.names import count, few, shown
from mltrust.core.report import Check, CheckKind, Outcome, Report, Scope
from mltrust.errors import SealError, UsageError
from mltrust.interfaces import ArtifactReader, ArtifactSource, FileEntry, LoadingEngine, Means, Segment, Trust
from mltrust.operations.anchor import Placed
from mltrust.operations.means import sealed_readers
from mltrust.operations.private_memory import rooms
from mltrust.operations.verify import agreement, sealed_vouching
from mltrust.statements.seal import read_seal


class Part(NamedTuple):
    """A stretch of a sealed file: where it lies, and the sealed leaf that its bytes must have the digest of."""

    segment: Segment
    leaf: Leaf

    @property
    def called(self) -> str:
        """How it is called in reports, where it is escaped."""
        inside = {Kind.TENSOR: f"tensor {self.leaf.name} of ", Kind.ST_HEADER: "the header of "}
        return inside.get(self.leaf.kind, "") + self.segment.file.path


class LoadedArtifact:
    """A sealed artifact that is read piece by piece; a piece that is not the sealed one is never returned.

    1. The seal has been parsed strictly; its statement must be a seal of a known suite and known readers.
    2. Statement, fingerprint and manifest must agree, every receipt must speak of this statement, and whoever the
       caller trusts must vouch for it, just as `verify` asks them. Nothing is read before.
    3. A path must be in the manifest, what lies there within the artifact, and of the sealed size.
    4. Of a file with tensors, the header is read first and must have the sealed digest. Where each tensor lies is taken
       from these bytes; all they say of names, dtypes, shapes and sizes must be what the seal says.
    5. A piece is read once, into private memory, and hashed there. It must have the sealed digest.
    6. Only what passed the verdict (`Report.require`) is returned: that very memory.
    """

    def __init__(self, source: ArtifactSource, seal: Placed, trust: Trust, means: Means) -> None:
        if not isinstance(means.engine, LoadingEngine):
            hint = "Load with the engine threads."
            raise UsageError(f"the engine {means.engine.name} does not load into memory", hint=hint)
        self._source, self._engine, self._progress = source, means.engine, means.progress
        self._bundle, self._trust = seal.bundle, trust
        self._predicate = read_seal(seal.bundle.statement)  # 1
        self._suite = suite_named(self._predicate.suite)
        self._readers = sealed_readers(self._predicate.parameters, means.readers)
        self._checks = (agreement(seal.bundle), *sealed_vouching(seal.bundle, trust, seal.path))  # 2
        self._layouts: dict[str, tuple[Part, ...]] = {}
        self._handed_over: dict[tuple[str, Kind, str], int] = {}  # path, kind and name: bytes
        self._report(_content(Outcome.PASS, "as it will be if all that is read is as it was sealed")).require()

    @property
    def manifest(self) -> Manifest:
        """What was sealed; whoever the caller trusts vouches for it."""
        return self._bundle.manifest

    @property
    def report(self) -> Report:
        """What was handed over so far, and who vouches for it; inconclusive while that is nothing."""
        if not self._handed_over:
            return self._report(_content(Outcome.UNCHECKED, "nothing was read yet"))
        said = f"all bytes that were handed over are the sealed ones: {count(sum(self._handed_over.values()), 'byte')}"
        return self._report(_content(Outcome.PASS, said))

    def _report(self, content: Check) -> Report:
        done = self._handed_over
        return Report(
            name=self._bundle.statement.subject[0].name,
            fingerprint=self._predicate.fingerprint().hex(),
            root=self._predicate.root,
            suite=self._predicate.suite,
            content_only=self._trust.content_only,
            scope=Scope(
                files=len({path for path, *_ in done}),
                tensors=sum(kind is Kind.TENSOR for _, kind, _ in done),
                bytes=sum(done.values()),
                excluded=self._predicate.parameters.exclude,
            ),
            checks=(*self._checks, content),
        )

    def _refuse(self, what: str, hint: str | None = None) -> NoReturn:
        self._report(_content(Outcome.FAIL, what, hint)).require()
        raise AssertionError("a failed check was not refused")

    # ── What there is ──

    def entry(self, path: str) -> Entry:
        """Return the sealed entry of a file; `NotVerifiedError` if there is none: what is not sealed is not read."""
        found = self.manifest.find(path)
        if found is None:
            self._refuse(f"{shown(path)} is not in the seal")
        return found[1]

    def _file(self, entry: Entry) -> FileEntry:
        """Find the file of a sealed entry, which must have its size: else nothing of it is read."""
        file = self._source.find(entry.path)  # 3
        if file.size != entry.leaf.size:
            size = f"{count(entry.leaf.size, 'byte')} were sealed"
            if may_be_pointer(file.size) and is_pointer(self._source.read(file, 0, file.size)):
                self._refuse(f"{shown(file.path)} is only a Git LFS pointer; {size}", "Fetch the content: git lfs pull")
            self._refuse(f"{shown(file.path)} has {count(file.size, 'byte')}, but {size}")
        return file

    def parts(self, path: str) -> tuple[Part, ...]:
        """Return the header and the tensors, by name, of a file; `UsageError` if it was not sealed as one of tensors.

        The header is read when it is first asked for, and the file pinned: it may not change from then on.
        """
        if path not in self._layouts:
            entry = self.entry(path)
            if entry.leaf.kind is not Kind.SAFETENSORS:
                hint = "Tensors come out of safetensors files; all others are read whole."
                raise UsageError(f"{shown(path)} was not sealed as a file of tensors", hint=hint)
            self._layouts[path] = self._cut(entry)
        return self._layouts[path]

    def _cut(self, entry: Entry) -> tuple[Part, ...]:
        file, leaf = self._file(entry), entry.children[0]
        (header,) = self._verified([Part(Segment(file, 0, leaf.size), leaf)], rooms([leaf.size]))  # 4
        reader = next((each for each in self._readers if each.accepts(file)), self._readers[-1])
        segments = _segments(entry, file, reader, bytes(header))
        return tuple(map(Part, segments, entry.children))

    # ── Its bytes ──

    def load(self, parts: Sequence[Part]) -> list[memoryview]:
        """Return the bytes of `parts`, each in private memory; `NotVerifiedError` names those that are not the sealed.

        All of them are compared before one is returned.
        """
        return self._verified(parts, rooms([part.leaf.size for part in parts]))

    def read(self, path: str) -> memoryview:
        """Return the bytes of a whole file, in private memory; `UsageError` if it was blinded: it has no digest."""
        entry = self.entry(path)
        leaf = entry.leaf
        if leaf.kind is Kind.RECORDS and not leaf.digest:
            hint = "mltrust verify compares its records, with their salts."
            raise UsageError(f"{shown(path)} was sealed blinded: its bytes have no digest to compare with", hint=hint)
        parts: Sequence[Part] = self.parts(path) if entry.children else ()
        parts = parts or [Part(Segment(self._file(entry), 0, leaf.size), leaf)]
        (room,) = rooms([leaf.size])
        each = [room[part.segment.offset : part.segment.offset + part.segment.length] for part in parts]
        self._verified(parts, each)
        return room

    def _verified(self, parts: Sequence[Part], into: list[memoryview]) -> list[memoryview]:
        self._progress.expect(len({part.segment.file.path for part in parts}), sum(part.leaf.size for part in parts))
        segments = [part.segment for part in parts]
        digests = self._engine.load(segments, into, self._source, self._suite, self._progress)  # 5
        odd = [part.called for part, digest in zip(parts, digests, strict=True) if digest != part.leaf.digest]
        if odd:
            self._refuse(f"not what was sealed: {few(odd)}")
        self._handed_over |= {(part.segment.file.path, *part.leaf[:2]): part.leaf.size for part in parts}
        if parts:  # else there is nothing to return
            self.report.require()  # 6
        return into


def _content(outcome: Outcome, summary: str, hint: str | None = None) -> Check:
    return Check(kind=CheckKind.CONTENT, name="content", outcome=outcome, summary=summary, hint=hint)


def _segments(entry: Entry, file: FileEntry, reader: ArtifactReader, header: bytes) -> Sequence[Segment]:
    """Cut `file` as its verified header says, which must be as its sealed entry says."""
    parts = reader.parts(file, _Header(header))
    digests = [child.digest for child in entry.children]
    if len(parts.segments) != len(digests) or parts.entry(digests) != entry._replace(sha256=b""):
        raise SealError(f"{shown(entry.path)}: the seal lists other tensors than the sealed header does")
    return parts.segments


class _Header(ArtifactSource):
    """The verified header of a file, for a reader that reads files."""

    remote: ClassVar[bool] = False
    name, exclude, left_out = "header", (), ()

    def __init__(self, data: bytes) -> None:
        self._data, self._file = data, MemoryFile(data)

    def files(self) -> Iterator[FileEntry]:
        """There is nothing to list."""
        return iter(())

    @contextmanager
    def open(self, file: FileEntry, offset: int = 0, length: int | None = None) -> Iterator[MemoryFile]:  # noqa: ARG002  # the socket's
        """Open the header; whatever lies behind it is not there."""
        yield self._file

    def read(self, file: FileEntry, offset: int, length: int) -> bytes:  # noqa: ARG002  # the socket's
        """Return what of the wanted bytes is in the header; a reader needs no others."""
        return self._data[offset : offset + length]

    def local_path(self, file: FileEntry) -> Path | None:  # noqa: ARG002  # the socket's
        """It lies in memory."""
        return None
