"""What every reader must do: inherit `ReaderContract`, give it a reader and good files, and run pytest."""

# ruff: noqa: S101  # asserting is what a suite is for

from collections.abc import Mapping

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from mltrust.core.digest import BLAKE3
from mltrust.core.manifest import Entry, Manifest
from mltrust.errors import FormatError, MalformedError
from mltrust.interfaces import ArtifactReader, FileEntry, Segment, Silent
from mltrust.testing.memory_source import MemorySource

_hostile = settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)


class ReaderContract:
    """The suite. A subclass gives two fixtures; nothing here needs a network.

    `reader` is the reader; `good_files` maps paths it accepts to well-formed content. The more shapes
    of content it has, the more the suite finds.
    """

    @pytest.fixture
    def reader(self) -> ArtifactReader:
        """Return the reader; every subclass gives its own."""
        raise NotImplementedError

    @pytest.fixture
    def good_files(self) -> Mapping[str, bytes]:
        """Return well-formed files by path; every subclass gives its own."""
        raise NotImplementedError

    def test_it_has_a_name_and_a_version(self, reader: ArtifactReader) -> None:
        """Seals name readers; the same name and version must always cut in the same way."""
        assert reader.name.replace("-", "").isalnum()
        assert reader.name == reader.name.lower()
        assert reader.version >= 1

    def test_it_accepts_its_files(self, reader: ArtifactReader, good_files: Mapping[str, bytes]) -> None:
        """By path and size alone, wherever the file lies."""
        for path, data in good_files.items():
            assert path.endswith(reader.endings)
            assert reader.accepts(FileEntry(path, len(data), ()))
            assert reader.accepts(FileEntry(f"some/folder/{path}", len(data), ()))

    def test_the_parts_tile_the_file(self, reader: ArtifactReader, good_files: Mapping[str, bytes]) -> None:
        """Every byte is in one segment, none is in two, and the entry has the path and size of the file."""
        for path, data in good_files.items():
            assert _read(reader, path, data) == _read(reader, path, data)

    def test_any_byte_matters(self, reader: ArtifactReader, good_files: Mapping[str, bytes]) -> None:
        """A file with one changed byte has another entry, or none."""
        for path, data in good_files.items():
            entry = _read(reader, path, data)
            for place in range(0, len(data), 1 + len(data) // 300):
                changed = bytearray(data)
                changed[place] ^= 1
                assert _read(reader, path, bytes(changed)) != entry

    def test_looking_across_files_finds_no_fault(self, reader: ArtifactReader, good_files: Mapping[str, bytes]) -> None:
        """Good files may be worth a notice, but are not refused."""
        source = MemorySource(good_files)
        files = list(source.files())
        entries = [_read(reader, file.path, good_files[file.path]) for file in files]
        manifest = Manifest.of(entry for entry in entries if entry is not None)
        assert manifest.size == len(files)
        for notice in reader.inspect(manifest, [file for file in files if file.path.endswith(reader.endings)], source):
            assert notice.path in good_files
            assert notice.message

    @_hostile
    @given(data=st.data())
    def test_hostile_bytes_are_refused_or_tiled(
        self, reader: ArtifactReader, good_files: Mapping[str, bytes], data: st.DataObject
    ) -> None:
        """Any bytes at all end in a `FormatError` or in parts that tile the file, never in anything else."""
        path = data.draw(st.sampled_from(sorted(good_files)))
        _read(reader, path, data.draw(st.binary(max_size=200) | _mutations(good_files[path])))


def _digest(segment: Segment, source: MemorySource, data: bytes) -> bytes:
    if segment.by is not None:
        return segment.by.digest(segment, source, BLAKE3, Silent())
    return BLAKE3.digest(data[segment.offset : segment.offset + segment.length])


def _mutations(good: bytes) -> st.SearchStrategy[bytes]:
    """Cut something out of `good` and put something in, a few times; most results stay nearly well-formed."""
    scraps = st.sampled_from([b"", b"0", b"-", b"\x00", b"\xff", b'"', b"\\", b"{", b"[", b"\n", b" ", b"1" * 20])
    place = st.integers(0, len(good))
    edit = st.tuples(place, st.integers(0, 8), scraps | st.binary(max_size=8))

    def apply(edits: list[tuple[int, int, bytes]]) -> bytes:
        data = good
        for at, length, scrap in edits:
            data = data[:at] + scrap + data[at + length :]
        return data

    return st.lists(edit, min_size=1, max_size=4).map(apply)


def _read(reader: ArtifactReader, path: str, data: bytes) -> Entry | None:
    """Read one file as an engine would, checking that its parts tile it; None if it is malformed."""
    source = MemorySource({path: data})
    [file] = source.files()
    try:
        parts = reader.parts(file, source)
    except FormatError as error:
        assert error.where.startswith(path)  # noqa: PT017  # any other exception must pass through
        return None
    segments = list(parts.segments)
    assert all(segment.file == file for segment in segments)
    end = 0
    for segment in sorted(segments, key=lambda segment: (segment.offset, segment.length)):
        assert segment.offset == end
        assert segment.length >= 0
        end += segment.length
    assert end == len(data)
    try:
        entry = parts.entry([_digest(segment, source, data) for segment in segments])
    except MalformedError as error:
        assert error.where == path  # noqa: PT017  # the same
        return None
    assert (entry.path, entry.leaf.size) == (path, len(data))
    return entry
