"""Tar archives as WebDataset lays them out: a record is a sample, the files in a row that share a key.

The key of a file is its path up to the first dot in its last part, dots at the start of that part not counted; what
follows that dot is its extension (`docs/format.md`).
"""

from collections.abc import Collection, Iterator
from hashlib import blake2b
from itertools import islice
from typing import TYPE_CHECKING, ClassVar, NamedTuple

from mltrust.core.digest import Suite
from mltrust.core.leaf import ns, u64
from mltrust.core.names import sort_key
from mltrust.core.records import Batch
from mltrust.errors import FormatError
from mltrust.interfaces import ArtifactSource, FileEntry, Row
from mltrust.readers.records.reading import RecordFileReader, opened, shown
from mltrust.readers.records.stream import BLOCK, Stream

if TYPE_CHECKING:
    from mltrust.readers.records.archive import Archive, Member

MAX_FILES = 4096
"""Files of one sample: they are put in order in memory."""

MAX_SAMPLES = 2**24
"""Samples of one archive: of each key 16 bytes stay in memory, which take about 100."""

_TAG = ns(b"mltrust/sample/1")
_AT_ONCE = 1024
_KEY_SIZE = 16


class _Part(NamedTuple):
    size: int
    digest: bytes


class _Sample(NamedTuple):
    """A sample: its key, and its files by extension."""

    key: str
    parts: dict[str, _Part]

    def size(self) -> int:
        return sum([part.size for part in self.parts.values()])

    def digest(self, suite: Suite) -> bytes:
        """Return the digest of the record, whatever order the files stand in."""
        parts = sorted((sort_key(extension), part) for extension, part in self.parts.items())
        framed = [ns(extension) + ns(u64(part.size)) + ns(part.digest) for extension, part in parts]
        return suite.digest(_TAG + b"".join(framed))

    def row(self, at: int) -> Row:
        """Return the sample as it may be shown."""
        sizes: dict[str, object] = {extension: part.size for extension, part in self.parts.items()}
        text = ", ".join(f"{extension} ({size:,} bytes)" for extension, size in sizes.items())
        return Row(at, shown(f"{self.key}: {text}"), {**sizes, "__key__": self.key})


class TarReader(RecordFileReader):
    """Reads `*.tar`; compressed archives are not tar files, and stay whole."""

    name: ClassVar[str] = "tar"
    version: ClassVar[int] = 1
    endings: ClassVar[tuple[str, ...]] = (".tar",)

    def cut(self, stream: Stream, suite: Suite) -> Iterator[Batch]:
        """Yield the samples."""
        samples = _samples(stream, suite)
        while found := list(islice(samples, _AT_ONCE)):
            digests = [sample.digest(suite) for sample in found]
            yield Batch([sample.size() for sample in found], digests, [sample.key for sample in found])

    def rows(self, file: FileEntry, source: ArtifactSource, wanted: Collection[int]) -> Iterator[Row]:
        """Yield the wanted samples, with the sizes of their files by extension, and `__key__`."""
        with opened(file, source) as stream:
            for at, sample in enumerate(islice(_samples(stream), max(wanted, default=-1) + 1)):
                if at in wanted:
                    yield sample.row(at)


def _samples(stream: Stream, suite: Suite | None = None) -> Iterator[_Sample]:
    """Yield the samples in order; without a suite nothing is hashed."""
    from mltrust.readers.records.archive import Archive

    archive, seen = Archive(stream), set[bytes]()
    sample: _Sample | None = None
    for member in archive.members():
        key, extension = _split(member.path)
        if sample is None or key != sample.key:
            if sample is not None:
                yield sample
            _meet(key, seen, stream.file)
            sample = _Sample(key, {})
        _check_room(sample, extension, member, stream.file)
        sample.parts[extension] = _Part(member.size, _digest(archive, member, suite) if suite else b"")
    if sample is not None:
        yield sample


def _split(path: str) -> tuple[str, str]:
    """Return the key and the extension of a file."""
    folder, slash, name = path.rpartition("/")
    dots = len(name) - len(name.lstrip("."))
    stem, _, extension = name[dots:].partition(".")
    return f"{folder}{slash}{name[:dots]}{stem}", extension


def _meet(key: str, seen: set[bytes], file: FileEntry) -> None:
    """Refuse a key that stood further up: a loader would make two samples of it."""
    short = blake2b(key.encode(), digest_size=_KEY_SIZE).digest()
    if short in seen:
        raise FormatError(file.path, f"the files of the sample {ascii(key)[:80]} are not in a row")
    if len(seen) >= MAX_SAMPLES:
        raise FormatError(file.path, f"more than {MAX_SAMPLES:,} samples")
    seen.add(short)


def _check_room(sample: _Sample, extension: str, member: "Member", file: FileEntry) -> None:
    if extension in sample.parts:
        raise FormatError(file.path, f"{ascii(member.path)[:80]} stands in it twice")
    if len(sample.parts) >= MAX_FILES:
        raise FormatError(file.path, f"more than {MAX_FILES:,} files share the key {ascii(sample.key)[:80]}")


def _digest(archive: "Archive", member: "Member", suite: Suite) -> bytes:
    if member.size <= BLOCK:
        return suite.digest(b"".join(archive.blocks()))
    hasher = suite.new()
    for block in archive.blocks():
        hasher.update(block)
    return hasher.digest()
