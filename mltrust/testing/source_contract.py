"""What every source must do: inherit `SourceContract`, give it a way to make one, and run pytest."""

# ruff: noqa: S101  # asserting is what a suite is for

import pickle
from collections.abc import Callable, Mapping

import pytest

from mltrust.errors import ArtifactError, ChangedError
from mltrust.interfaces import ArtifactSource, FileEntry

MakeSource = Callable[[Mapping[str, bytes]], ArtifactSource]
Rewrite = Callable[[ArtifactSource, str, bytes | None], None]

FILES = {
    "empty": b"",
    "a": b"a",
    "folder/b": bytes(range(256)) * 5,
    "folder/deep/er/c": b"\x00\xff" * 70_000,
    ".hidden": b"hidden",
    "[red]n\u00e4me \u202e.txt": b"odd",
}


class SourceContract:
    """The suite. A subclass gives two fixtures; nothing here needs a network.

    `make_source` is a function that stores files, a mapping from paths to bytes, and returns a new
    source of them. `rewrite` is a function of a source, a path and new bytes (None removes the file)
    that changes a file where it is stored, behind the source's back.
    """

    @pytest.fixture
    def make_source(self) -> MakeSource:
        """Return the function that stores files and returns a source of them; every subclass gives its own."""
        raise NotImplementedError

    @pytest.fixture
    def rewrite(self) -> Rewrite:
        """Return the function that changes a stored file; every subclass gives its own."""
        raise NotImplementedError

    def test_it_has_a_name_and_says_what_it_leaves_out(self, make_source: MakeSource) -> None:
        """Reports call the artifact by the source's name, and list what was left out."""
        source = make_source(FILES)
        list(source.files())
        assert source.name
        assert list(source.exclude) == []
        assert list(source.left_out) == []

    def test_every_file_is_listed_once_with_its_size(self, make_source: MakeSource) -> None:
        """Empty and hidden files are content; folders are not."""
        found = [(file.path, file.size) for file in make_source(FILES).files()]
        assert sorted(found) == sorted((path, len(data)) for path, data in FILES.items())

    def test_files_are_listed_in_the_order_of_their_bytes(self, make_source: MakeSource) -> None:
        """Manifests are sorted so, and are put together while the listing goes on."""
        names = [
            "a",
            "a!",
            "a-/x",
            "a.txt",
            "a/b",
            "a/b!",
            "a/b.c/d",
            "a/b/c",
            "a0",
            "A",
            "\u00e4",
            "\uffee",
            "\U0001f600",
            "z",
        ]
        files = {name + "/file" if name in ("a", "a/b") else name: name.encode() for name in names}
        found = [file.path.encode() for file in make_source(files).files()]
        assert found == sorted(path.encode() for path in files)

    def test_listing_again_finds_the_same(self, make_source: MakeSource) -> None:
        """An unchanged file keeps its version, so that it can be listed once and read later."""
        source = make_source(FILES)
        assert sorted(source.files(), key=_path) == sorted(source.files(), key=_path)

    def test_one_file_is_found_as_it_is_listed(self, make_source: MakeSource) -> None:
        """What is loaded by name need not be listed; what is not there is trouble, and so is a folder."""
        source = make_source(FILES)
        for listed in list(source.files()):
            assert source.find(listed.path) == listed
            assert source.read(source.find(listed.path), 0, listed.size) == FILES[listed.path]
        for path in ("nothing", "folder", "folder/nothing"):
            with pytest.raises(ArtifactError):
                source.find(path)

    def test_entries_are_data(self, make_source: MakeSource) -> None:
        """An entry can travel to another machine and still opens the file."""
        source = make_source(FILES)
        for file in source.files():
            again = pickle.loads(pickle.dumps(file))  # noqa: S301  # our own bytes
            assert again == file
            assert source.read(again, 0, file.size) == FILES[file.path]

    def test_ranges_are_read_exactly(self, make_source: MakeSource) -> None:
        """Every range inside a file comes back as asked for, the empty ones too."""
        source = make_source(FILES)
        for file in source.files():
            data, middle = FILES[file.path], file.size // 2
            for begin, end in ((0, file.size), (0, middle), (middle, file.size), (middle, middle), (file.size,) * 2):
                assert source.read(file, begin, end - begin) == data[begin:end]

    def test_reading_past_the_end_never_makes_bytes_up(self, make_source: MakeSource) -> None:
        """More than the listed size is not there: it can only be an error."""
        source = make_source(FILES)
        for file in source.files():
            with pytest.raises(ChangedError):
                source.read(file, 0, file.size + 1)

    def test_an_open_file_fills_buffers(self, make_source: MakeSource) -> None:
        """Blocks in order, ranges in any order, and nothing past the end."""
        source = make_source(FILES)
        for file in source.files():
            data, buffer = FILES[file.path], memoryview(bytearray(1000))
            with source.open(file) as opened:
                found = b""
                while size := opened.read_into(buffer, len(found)):
                    found += buffer[:size]
                assert found == data
                assert opened.read_into(buffer, file.size) == 0
                for offset in (file.size // 2, 0, file.size // 3):
                    size = opened.read_into(buffer[:7], offset)
                    assert bytes(buffer[:size]) == data[offset : offset + size]

    @pytest.mark.parametrize("data", [b"b" * 1280, b"shorter", b"b" * 1281, b""])
    def test_a_file_that_changed_since_it_was_listed(
        self, make_source: MakeSource, rewrite: Rewrite, data: bytes
    ) -> None:
        """Whatever its new size, it is refused by name on every way to read it."""
        source = make_source(FILES)
        file = _find(source, "folder/b")
        rewrite(source, file.path, data)
        with pytest.raises(ChangedError) as caught:
            source.read(file, 0, 1)
        assert caught.value.path == file.path
        with pytest.raises(ChangedError), source.open(file):
            pass

    def test_a_file_that_changes_while_it_is_open(self, make_source: MakeSource, rewrite: Rewrite) -> None:
        """Torn content never goes unnoticed: leaving the file tells."""
        source = make_source(FILES)
        file = _find(source, "folder/deep/er/c")
        with pytest.raises(ChangedError), source.open(file) as opened:  # noqa: PT012  # the trouble is in leaving
            opened.read_into(memoryview(bytearray(10)), 0)
            rewrite(source, file.path, b"\xff\x00" * 70_000)

    def test_a_file_that_vanished(self, make_source: MakeSource, rewrite: Rewrite) -> None:
        """Gone is an error that names the file, never empty content; the others are not touched by it."""
        source = make_source(FILES)
        gone, kept = _find(source, "a"), _find(source, "folder/b")
        rewrite(source, gone.path, None)
        with pytest.raises(ArtifactError) as caught:
            source.read(gone, 0, 1)
        assert caught.value.path == gone.path
        assert source.read(kept, 0, kept.size) == FILES[kept.path]

    def test_an_empty_artifact_lists_nothing(self, make_source: MakeSource) -> None:
        """Whether nothing may be sealed is not the source's affair."""
        assert list(make_source({}).files()) == []


def _path(file: FileEntry) -> str:
    return file.path


def _find(source: ArtifactSource, path: str) -> FileEntry:
    return next(file for file in source.files() if file.path == path)
