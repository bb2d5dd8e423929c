"""What every engine must do: inherit `EngineContract`, give it a way to make one, and run pytest."""

# ruff: noqa: S101  # asserting is what a suite is for

import random
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import pytest

from mltrust.core.digest import SUITES, Suite
from mltrust.errors import ArtifactError, ChangedError
from mltrust.interfaces import Engine, FileEntry, OpenFile, Segment, Silent
from mltrust.sources.local import LocalSource
from mltrust.testing.memory_source import MemorySource

MakeEngine = Callable[[int], Engine]
Data = dict[str, bytes]

_KIB = 1024
_MEMORY = 200 * _KIB**2


class Tally(Silent):
    """A progress that adds up; safe to call from any thread."""

    def __init__(self) -> None:
        self.total = 0
        self._lock = threading.Lock()

    def advance(self, size: int) -> None:
        """Add `size` bytes."""
        assert size >= 0
        with self._lock:
            self.total += size


class EngineContract:
    """The suite. A subclass gives the fixture `make_engine`: a function that returns an engine of so many workers.

    `awkward_sizes` may name sizes where the engine changes its ways; the suite adds their neighbours.
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
        """No segments have no digests."""
        assert list(engine.digest([], MemorySource({}), suite, Silent())) == []

    def test_files_of_every_size(self, engine: Engine, suite: Suite, data: Data) -> None:
        """All together, and each alone, in the order given; progress adds up to the bytes there are."""
        source, tally = MemorySource(data), Tally()
        segments = _shuffled([Segment(file, 0, file.size) for file in source.files()])
        assert list(engine.digest(segments, source, suite, tally)) == [_expected(s, data, suite) for s in segments]
        assert tally.total == sum(len(content) for content in data.values())
        for segment in segments:
            [alone] = engine.digest([segment], source, suite, Silent())
            assert alone == _expected(segment, data, suite)

    def test_ranges_of_files(self, engine: Engine, suite: Suite, data: Data) -> None:
        """Ranges of any length at any offset, empty, repeated and overlapping ones too."""
        source, tally, chance = MemorySource(data), Tally(), random.Random(7)  # noqa: S311  # test data
        segments = []
        for file in source.files():
            for _ in range(12):
                begin, end = sorted((chance.randint(0, file.size), chance.randint(0, file.size)))
                segments.append(Segment(file, begin, end - begin))
        segments = _shuffled(segments + segments[:3])
        assert list(engine.digest(segments, source, suite, tally)) == [_expected(s, data, suite) for s in segments]
        assert tally.total == sum(segment.length for segment in segments)

    def test_many_small_files(self, engine: Engine, suite: Suite) -> None:
        """More files than any batch holds."""
        data = {f"{number}": b"%d" % number * 3 for number in range(1500)}
        source = MemorySource(data)
        segments = [Segment(file, 0, file.size) for file in source.files()]
        assert list(engine.digest(segments, source, suite, Silent())) == [_expected(s, data, suite) for s in segments]

    def test_short_reads_change_nothing(self, engine: Engine, suite: Suite, data: Data) -> None:
        """A source may hand out less than was asked for."""
        source = _Slow(data)
        segments = [Segment(file, 0, file.size) for file in source.files()]
        assert list(engine.digest(segments, source, suite, Silent())) == [_expected(s, data, suite) for s in segments]

    def test_trouble_with_any_file_is_raised(self, engine: Engine, suite: Suite, data: Data) -> None:
        """Whichever file it is, the error says which, and no digests come back."""
        for path in data:
            source = MemorySource(data)
            segments = [Segment(file, 0, file.size) for file in source.files()]
            source.put(path, data[path])
            with pytest.raises(ChangedError) as caught:
                engine.digest(segments, source, suite, Silent())
            assert caught.value.path == path

    def test_a_file_that_ends_early(self, engine: Engine, suite: Suite, data: Data) -> None:
        """A segment beyond the end of its file has no digest."""
        source = MemorySource(data)
        for file in source.files():
            with pytest.raises(ChangedError):
                engine.digest([Segment(file, 0, file.size + 1)], source, suite, Silent())

    def test_trouble_stops_the_work(self, engine: Engine, suite: Suite) -> None:
        """After the first trouble the rest is not read: a broken disk is not asked ten thousand times."""
        source = _Broken({str(number): bytes(_KIB**2) for number in range(60)})
        segments = [Segment(file, 0, file.size) for file in source.files()]
        with pytest.raises(ArtifactError, match="broken"):
            engine.digest(segments, source, suite, Silent())
        assert source.asked < len(segments) / 2

    def test_an_engine_survives_trouble(self, engine: Engine, suite: Suite, data: Data) -> None:
        """The next call after one that failed is as good as the first."""
        source = _Broken({"x": b"x"})
        with pytest.raises(ArtifactError):
            engine.digest([Segment(file, 0, 1) for file in source.files()], source, suite, Silent())
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
            first, whole, second = engine.digest(segments, source, SUITES["mltrust-1"], Silent())
        assert first == second != whole


@cache
def _files(awkward: tuple[int, ...]) -> Data:
    sizes = sorted({size + step for size in awkward for step in (-1, 0, 1)} | {0, 1, 1023, 1025})
    return {f"{size}.bin": random.Random(size).randbytes(size) for size in sizes}  # noqa: S311  # test data


class _Broken(MemorySource):
    """Every file is unreadable; counts how often it was asked."""

    asked = 0

    def read(self, file: FileEntry, offset: int, length: int) -> bytes:  # noqa: ARG002  # the socket's
        self.asked += 1
        raise ArtifactError(file.path, "broken")

    @contextmanager
    def open(self, file: FileEntry) -> Iterator[OpenFile]:  # type: ignore[override]  # opens another kind of file
        self.asked += 1
        raise ArtifactError(file.path, "broken")
        yield


class _Slow(MemorySource):
    """Open files hand out a third of what is asked."""

    @contextmanager
    def open(self, file: FileEntry) -> Iterator[OpenFile]:  # type: ignore[override]  # opens another kind of file
        with super().open(file) as opened:
            yield _SlowFile(opened)


class _SlowFile:
    def __init__(self, opened: OpenFile) -> None:
        self._opened = opened

    def read_into(self, buffer: memoryview, offset: int) -> int:
        return self._opened.read_into(buffer[: max(1, len(buffer) // 3)], offset)


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
