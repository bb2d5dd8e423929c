"""What every engine must do: inherit `EngineContract`, give it a way to make one, and run pytest."""

# ruff: noqa: S101  # asserting is what a suite is for

import random
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cache
from pathlib import Path

import pytest

from mltrust.core.digest import SUITES, Suite
from mltrust.errors import ArtifactError, ChangedError
from mltrust.interfaces import ArtifactSource, Engine, FileEntry, LoadingEngine, OpenFile, Progress, Segment, Silent
from mltrust.sources.local import LocalSource
from mltrust.testing.digester_contract import DigesterContract, Tally
from mltrust.testing.memory_source import MemorySource

MakeEngine = Callable[[int], Engine]
Data = dict[str, bytes]

_KIB = 1024
_MEMORY = 200 * _KIB**2
_AHEAD = 4  # batches of 70,000 segments that an engine may have taken in before it answers the first
_SILENT = Silent()


class EngineContract(DigesterContract):
    """The suite. A subclass gives the fixture `make_engine`: a function that returns an engine of so many workers.

    `awkward_sizes` may name sizes where the engine changes its ways; the suite adds their neighbours. The sources of
    the suite can be pickled: an engine may work in other processes, which must be able to import this module.
    """

    awkward_sizes: Sequence[int] = (64 * _KIB, _KIB**2)

    @pytest.fixture
    def make_engine(self) -> MakeEngine:
        """Return a function that makes an engine of a number of workers; every subclass gives its own."""
        raise NotImplementedError

    @pytest.fixture(params=[1, 2, 5])
    def engine(self, request: pytest.FixtureRequest, make_engine: MakeEngine) -> Engine:
        """Return an engine of one, two or five workers."""
        return make_engine(request.param)

    @pytest.fixture(params=sorted(SUITES))
    def suite(self, request: pytest.FixtureRequest) -> Suite:
        """Return each suite in turn."""
        return SUITES[request.param]

    @pytest.fixture
    def data(self) -> Data:
        """Return files of every awkward size."""
        return _files(tuple(self.awkward_sizes))

    def test_nothing_to_do(self, engine: Engine, suite: Suite) -> None:
        """No batches have no digests, nor have empty ones."""
        assert list(engine.digest([], MemorySource({}), suite, Silent())) == []
        assert [list(found) for found in engine.digest([[], []], MemorySource({}), suite, Silent())] == [[], []]

    def test_files_of_every_size(self, engine: Engine, suite: Suite, data: Data) -> None:
        """All together, and each alone, in the order given; progress adds up to the bytes there are."""
        source, tally = MemorySource(data), Tally()
        segments = _shuffled([Segment(file, 0, file.size) for file in source.files()])
        assert _digests(engine, segments, source, suite, tally) == [_expected(s, data, suite) for s in segments]
        assert tally.total == sum(len(content) for content in data.values())
        alone = engine.digest(([segment] for segment in segments), source, suite, Silent())
        assert [list(found) for found in alone] == [[_expected(s, data, suite)] for s in segments]

    def test_batches_of_every_size(self, engine: Engine, suite: Suite, data: Data) -> None:
        """Each batch has its digests, in the order of the batches, however long each of them takes."""
        source, tally = MemorySource(data), Tally()
        files = [Segment(file, 0, file.size) for file in source.files()]
        batches = [_shuffled(files * size) for size in (1, 0, 3, 1, 0, 2)]
        found = engine.digest(iter(batches), source, suite, tally)
        for batch in batches:
            assert list(next(found)) == [_expected(segment, data, suite) for segment in batch]
        assert next(found, None) is None
        assert tally.total == sum(segment.length for batch in batches for segment in batch)

    def test_batches_without_end(self, engine: Engine, suite: Suite) -> None:
        """What was taken in is answered before ever more is asked for."""
        data = {"a": b"a" * 100, "b": b"b"}
        source = MemorySource(data)
        batch = [Segment(file, 0, file.size) for file in source.files()] * 35_000
        asked = 0

        def batches() -> Iterator[list[Segment]]:
            nonlocal asked
            while True:
                asked += 1
                yield batch

        with closing(engine.digest(batches(), source, suite, Silent())) as found:
            assert set(next(found)) == {_expected(segment, data, suite) for segment in batch[:2]}
        assert asked <= _AHEAD

    def test_an_engine_is_left_midway(self, engine: Engine, suite: Suite, data: Data) -> None:
        """Who has seen enough may go: the batches are ended, and the engine works again."""
        source, ended = MemorySource({str(number): b"%d" % number for number in range(3000)}), False

        def batches() -> Generator[list[Segment], None, None]:
            nonlocal ended
            try:
                while True:
                    yield [Segment(file, 0, file.size) for file in source.files()]
            finally:
                ended = True

        coming = batches()
        found = engine.digest(coming, source, suite, Silent())
        next(found)
        found.close()
        coming.close()
        assert ended
        self.test_files_of_every_size(engine, suite, data)

    def test_trouble_in_the_batches(self, engine: Engine, suite: Suite, data: Data) -> None:
        """An error of whoever lists is raised as it is; batches that came before it may be lost."""
        source = MemorySource(data)

        def batches() -> Iterator[list[Segment]]:
            for _ in range(3):
                yield [Segment(file, 0, file.size) for file in source.files()]
            raise ArtifactError("odd", "cannot be listed")

        with pytest.raises(ArtifactError, match="cannot be listed") as caught:
            list(engine.digest(batches(), source, suite, Silent()))
        assert caught.value.path == "odd"
        self.test_files_of_every_size(engine, suite, data)

    def test_ranges_of_files(self, engine: Engine, suite: Suite, data: Data) -> None:
        """Ranges of any length at any offset, empty, repeated and overlapping ones too; hashed and loaded."""
        source, tally, chance = MemorySource(data), Tally(), random.Random(7)  # noqa: S311  # test data
        segments = []
        for file in source.files():
            for _ in range(12):
                begin, end = sorted((chance.randint(0, file.size), chance.randint(0, file.size)))
                segments.append(Segment(file, begin, end - begin))
        segments = _shuffled(segments + segments[:3])
        assert _digests(engine, segments, source, suite, tally) == [_expected(s, data, suite) for s in segments]
        assert tally.total == sum(segment.length for segment in segments)
        if isinstance(engine, LoadingEngine):
            rooms = [memoryview(bytearray(segment.length)) for segment in segments]
            found = engine.load(segments, rooms, source, suite, Silent())
            assert list(found) == [_expected(s, data, suite) for s in segments]
            assert all(
                room == data[s.file.path][s.offset :][: s.length] for s, room in zip(segments, rooms, strict=True)
            )

    def test_many_small_files(self, engine: Engine, suite: Suite) -> None:
        """More files than any batch holds."""
        data = {f"{number}": b"%d" % number * 3 for number in range(1500)}
        source = MemorySource(data)
        segments = [Segment(file, 0, file.size) for file in source.files()]
        assert _digests(engine, segments, source, suite) == [_expected(s, data, suite) for s in segments]

    def test_short_reads_change_nothing(self, engine: Engine, suite: Suite, data: Data) -> None:
        """A source may hand out less than was asked for."""
        source = _Slow(data)
        segments = [Segment(file, 0, file.size) for file in source.files()]
        assert _digests(engine, segments, source, suite) == [_expected(s, data, suite) for s in segments]

    def test_trouble_with_any_file_is_raised(self, engine: Engine, suite: Suite, data: Data) -> None:
        """Whichever file it is, the error says which, and no digests come back."""
        for path in data:
            source = MemorySource(data)
            segments = [Segment(file, 0, file.size) for file in source.files()]
            source.put(path, data[path])
            with pytest.raises(ChangedError) as caught:
                _digests(engine, segments, source, suite)
            assert caught.value.path == path

    def test_a_file_that_ends_early(self, engine: Engine, suite: Suite, data: Data) -> None:
        """A segment beyond the end of its file has no digest."""
        source = MemorySource(data)
        for file in source.files():
            with pytest.raises(ChangedError):
                _digests(engine, [Segment(file, 0, file.size + 1)], source, suite)

    def test_trouble_stops_the_work(self, engine: Engine, suite: Suite, tmp_path: Path) -> None:
        """After the first trouble the rest is not read: a broken disk is not asked ten thousand times."""
        source = _Broken(tmp_path / "asked")
        segments = [Segment(file, 0, file.size) for file in source.files()]
        with pytest.raises(ArtifactError, match="broken"):
            list(engine.digest(([segment] for segment in segments), source, suite, Silent()))
        with pytest.raises(ArtifactError, match="broken"):
            _digests(engine, segments, source, suite)
        assert source.asked() < len(segments)  # twice

    def test_an_engine_survives_trouble(self, engine: Engine, suite: Suite, data: Data, tmp_path: Path) -> None:
        """The next call after one that failed is as good as the first."""
        source = _Broken(tmp_path / "asked")
        with pytest.raises(ArtifactError):
            _digests(engine, [Segment(file, 0, 1) for file in source.files()], source, suite)
        self.test_files_of_every_size(engine, suite, data)

    @pytest.mark.slow
    def test_memory_does_not_grow_with_the_file(self, engine: Engine, tmp_path: Path) -> None:
        """1.5 GB in one segment, and two large ones beside it, take less than 200 MB."""
        path, size = tmp_path / "sparse", 3 * 2**29
        path.touch()
        with path.open("r+b") as file:
            file.truncate(size)
        source = LocalSource(path)
        [entry] = source.files()
        segments = [Segment(entry, begin, length) for begin, length in ((1, 2**26), (0, size), (2**26, 2**26))]
        with _memory_below(_MEMORY):
            first, whole, second = _digests(engine, segments, source, SUITES["mltrust-1"])
        assert first == second != whole


@cache
def _files(awkward: tuple[int, ...]) -> Data:
    sizes = sorted({size + step for size in awkward for step in (-1, 0, 1)} | {0, 1, 1023, 1025})
    return {f"{size}.bin": random.Random(size).randbytes(size) for size in sizes}  # noqa: S311  # test data


class _Broken(MemorySource):
    """Files of which every one is unreadable; notes on disk how often it was asked, by whatever process."""

    def __init__(self, notes: Path) -> None:
        super().__init__({})
        self._notes = notes
        notes.touch()

    def files(self) -> Iterator[FileEntry]:
        return (FileEntry(str(number), _KIB**2, ()) for number in range(60))

    def asked(self) -> int:
        return self._notes.stat().st_size

    def _data(self, file: FileEntry) -> bytes:
        with self._notes.open("ab", buffering=0) as notes:
            notes.write(b".")
        raise ArtifactError(file.path, "broken")


class _Slow(MemorySource):
    """Open files hand out a third of what is asked."""

    @contextmanager
    def open(self, file: FileEntry, offset: int = 0, length: int | None = None) -> Iterator[OpenFile]:  # type: ignore[override]  # opens another kind of file
        with super().open(file, offset, length) as opened:
            yield _SlowFile(opened)


class _SlowFile:
    def __init__(self, opened: OpenFile) -> None:
        self._opened = opened

    def read_into(self, buffer: memoryview, offset: int) -> int:
        return self._opened.read_into(buffer[: max(1, len(buffer) // 3)], offset)


def _digests(
    engine: Engine,
    segments: Sequence[Segment],
    source: ArtifactSource,
    suite: Suite,
    progress: Progress = _SILENT,
) -> list[bytes]:
    """Return the digests of a single batch."""
    (found,) = engine.digest([segments], source, suite, progress)
    return list(found)


def _shuffled(segments: list[Segment]) -> list[Segment]:
    return random.Random(len(segments)).sample(segments, len(segments))  # noqa: S311  # test data


def _expected(segment: Segment, data: Data, suite: Suite) -> bytes:
    return suite.digest(data[segment.file.path][segment.offset : segment.offset + segment.length])


def _memory(field: str) -> int:
    lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    return next(int(line.split()[1]) * _KIB for line in lines if line.startswith(f"{field}:"))


@contextmanager
def _memory_below(limit: int) -> Iterator[None]:
    """Check that the process grows by less than `limit` bytes at its peak, where Linux tells."""
    try:
        Path("/proc/self/clear_refs").write_text("5", encoding="ascii")  # the peak starts again from here
        before = _memory("VmRSS")
    except OSError:
        pytest.skip("peak memory can be measured on Linux only")
    yield
    assert _memory("VmHWM") - before < limit
