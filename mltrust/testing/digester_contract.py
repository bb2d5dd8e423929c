"""What every engine must do with segments that somebody else digests: a part of `EngineContract`."""

# ruff: noqa: S101  # asserting is what a suite is for

import threading
from dataclasses import dataclass
from pathlib import Path
from typing import ClassVar

import pytest

from mltrust.core.digest import Suite
from mltrust.errors import ArtifactError, ChangedError
from mltrust.interfaces import ArtifactSource, Engine, Progress, Segment, Silent
from mltrust.sources.local import LocalSource
from mltrust.testing.memory_source import MemorySource


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


@dataclass(frozen=True)
class _Backwards:
    """Digests the bytes from the last to the first, and says how many there are."""

    size: ClassVar[int] = 40

    def digest(self, segment: Segment, source: ArtifactSource, suite: Suite, progress: Progress) -> bytes:
        data = source.read(segment.file, segment.offset, segment.length)
        progress.advance(len(data))
        return suite.digest(data[::-1]) + len(data).to_bytes(8, "big")


@dataclass(frozen=True)
class _Broken:
    size: ClassVar[int] = 7

    def digest(self, segment: Segment, source: ArtifactSource, suite: Suite, progress: Progress) -> bytes:  # noqa: ARG002  # the socket's
        raise ArtifactError(segment.file.path, "broken")


class DigesterContract:
    """The suite; `engine` and `suite` are fixtures of `EngineContract`."""

    @pytest.mark.parametrize("own", [1, 2, 9])
    def test_segments_that_others_digest(self, engine: Engine, suite: Suite, tmp_path: Path, own: int) -> None:
        """They stand among others, in order, and every byte counts once as progress."""
        source = _source(tmp_path, 12)
        segments = [
            Segment(file, 0, file.size, _Backwards() if number < own else None)
            for number, file in enumerate(source.files())
        ]
        mixed = [*segments[1::2], *segments[0::2]]
        tally = Tally()
        batches = engine.digest([mixed, [], segments[:own]], source, suite, tally)
        found, nothing, again = (list(digests) for digests in batches)
        assert found == [_expected(segment, source, suite) for segment in mixed]
        assert nothing == []
        assert again == [_expected(segment, source, suite) for segment in segments[:own]]
        assert tally.total == sum(segment.length for segment in (*mixed, *segments[:own]))

    def test_who_digests_meets_trouble(self, engine: Engine, suite: Suite, tmp_path: Path) -> None:
        """The error arrives as it was raised."""
        source = _source(tmp_path, 4)
        for own in (1, 4):
            segments = [
                Segment(file, 0, file.size, _Broken() if number < own else None)
                for number, file in enumerate(source.files())
            ]
            with pytest.raises(ArtifactError, match="broken"):
                list(engine.digest([segments], source, suite, Silent()))

    def test_a_file_others_digest_changed(self, engine: Engine, suite: Suite, tmp_path: Path) -> None:
        """It is an error, never a digest."""
        source = _source(tmp_path, 2)
        segments = [Segment(file, 0, file.size, _Backwards()) for file in source.files()]
        (tmp_path / "00").write_bytes(b"other bytes altogether")
        with pytest.raises(ChangedError, match="00"):
            list(engine.digest([segments], source, suite, Silent()))


def _source(folder: Path, files: int) -> LocalSource:
    for number in range(files):
        (folder / f"{number:02}").write_bytes(bytes([number]) * 1000 * number)
    return LocalSource(folder)


def _expected(segment: Segment, source: ArtifactSource, suite: Suite) -> bytes:
    held = MemorySource({segment.file.path: source.read(segment.file, 0, segment.file.size)})
    if segment.by is not None:
        (file,) = held.files()
        return segment.by.digest(Segment(file, 0, file.size), held, suite, Silent())
    return suite.digest(source.read(segment.file, 0, segment.length))
