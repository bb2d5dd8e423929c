"""Threads on this machine: reads into reused buffers, many segments in flight, bounded memory.

Three lanes, because three kinds of work want three kinds of care:

- segments so large that they alone would keep one thread busy at the end are hashed one after the
  other with all threads (BLAKE3 is a tree) while the next block is being read;
- other large segments are handed out largest first, one to a thread; reading and hashing both release
  the interpreter lock, so two streams on two cores beat one stream on two threads;
- small ones go through one loop in one thread: the interpreter lock makes a second thread slower. Where there
  are many, and this process may be copied, copies of it share them, and begin while the next batch is being listed.
  Where bytes come over a network, reading is waiting, and many threads wait at once.

Segments that somebody else digests, record by record, keep a thread busy each, or a copy of this process where there
are several: what is done for every record holds the interpreter lock. What such a digester only hashes goes with the
small segments if it is small, and else has a second thread to read ahead, unless this engine has one job only.
"""

import os
import threading
from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, wait
from typing import Any, ClassVar, Self

from mltrust.core.digest import Hasher, Suite
from mltrust.engines import shared
from mltrust.engines.taking import Calling, fill, pieces_of, take
from mltrust.engines.touching import touched
from mltrust.errors import UsageError
from mltrust.interfaces import ArtifactSource, HashingDigester, Progress, Segment

SMALL = 256 * 1024
BLOCK = 1024 * 1024
WIDE_BLOCK = 8 * BLOCK
_PIECE = 64
_MANY = 2000  # small segments that pay for copies of the process
_MAX_JOBS = 256
_READERS = 32  # threads that wait for small segments from a network
_STREAMS = 8  # and for large ones
_MOMENT = 0.1  # seconds


class ThreadsEngine:
    """Hashes segments on `jobs` threads; memory is a few blocks a thread."""

    name: ClassVar[str] = "threads"

    def __init__(self, jobs: int | None = None) -> None:
        if jobs is not None and not 1 <= jobs <= _MAX_JOBS:
            raise UsageError(f"{jobs} jobs make no sense", hint=f"Choose 1 to {_MAX_JOBS}.")
        self.jobs = jobs or _usable_cores()

    @classmethod
    def from_uri(cls, uri: str, jobs: int | None) -> Self:
        """Return the engine: `threads` is all of its URI."""
        if uri != cls.name:
            raise UsageError(f"{ascii(uri)[:80]} names no engine", hint=f"Write {cls.name}.")
        return cls(jobs)

    def digest(
        self, batches: Iterable[Sequence[Segment]], source: ArtifactSource, suite: Suite, progress: Progress
    ) -> Generator[Sequence[bytes], None, None]:
        """Yield the digests of every batch in turn; copies of the process work while the next one is being listed."""
        run: _Run | None = None
        try:
            for batch in batches:
                found = run.finish() if run else None
                run = _Run(batch, source, suite, progress, self.jobs)
                if found is not None:
                    yield found
            if run:
                yield run.finish()
        finally:
            if run:
                run.abandon()

    def load(
        self,
        segments: Sequence[Segment],
        rooms: Sequence[memoryview],
        source: ArtifactSource,
        suite: Suite,
        progress: Progress,
    ) -> Sequence[bytes]:
        """Read every segment into its room and return the digests of the rooms."""
        return _Run(segments, source, suite, progress, self.jobs, rooms=rooms).finish()


def _usable_cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return min(len(affinity(0)) if affinity else os.cpu_count() or 1, _MAX_JOBS)


class _StoppedError(Exception):
    """Nobody waits for a digest any more: raised through whoever is at it."""


class _Run:
    """One batch: the work split into lanes, and whoever empties them."""

    def __init__(
        self,
        segments: Sequence[Segment],
        source: ArtifactSource,
        suite: Suite,
        progress: Progress,
        jobs: int,
        *,
        rooms: Sequence[memoryview] = (),
    ) -> None:
        self.rooms = rooms  # memory of the caller's, one for each segment, none of which then counts as small
        self.segments, self.source, self.suite, self.progress, self.jobs = segments, source, suite, progress, jobs
        self.found: list[bytes] = [b""] * len(segments)
        self.process = os.getpid()
        self.stop = threading.Event()
        order = sorted((i for i, s in enumerate(segments) if s.length > SMALL or rooms), key=self._length, reverse=True)
        self.small = [i for i, s in enumerate(segments) if s.length <= SMALL and not rooms and _from_content(s)]
        by_others = {i for i, s in enumerate(segments) if s.by is not None}
        own = sorted(by_others.difference(self.small), key=self._length, reverse=True)
        order = [i for i in order if segments[i].by is None] if own else order
        self.fair_share = fair_share = sum(segment.length for segment in segments) / jobs
        self.wide = [i for i in order if jobs > 1 and segments[i].length > max(fair_share, WIDE_BLOCK)]
        self.large = deque(order[len(self.wide) :])
        self.own = deque(own)
        self.shared = [*self._share_own(), *self._share_small()]

    def _length(self, index: int) -> int:
        return self.segments[index].length

    def finish(self) -> list[bytes]:
        """Hash everything; the first trouble stops every thread and is raised here."""
        self._take_shared()
        with ThreadPoolExecutor(max_workers=self.jobs + 1) as pool:
            for index in self.wide:
                self.found[index] = (self._load_wide if self.rooms else self._hash_wide)(index, pool)
        pieces = pieces_of(self.small, 1 if self.source.remote else _PIECE)
        readers = min(_READERS if self.source.remote else 1, len(pieces))
        streams = max(_STREAMS, self.jobs) if self.source.remote else self.jobs
        lanes = max(readers, min(streams, len(self.own) + len(self.large) + readers))
        none: deque[Any] = deque()
        with ThreadPoolExecutor(max_workers=max(lanes, 1)) as pool:
            work = [(pieces if i < readers else none, i < streams) for i in range(lanes)]
            futures: list[Future[None]] = []
            try:
                with shared.interrupts_waiting():  # nobody would wait for a thread that one comes upon as it starts
                    futures.extend(pool.submit(self._lane, *each) for each in work)
                for future in futures:
                    future.result()
            finally:
                self.stop.set()
                while wait(futures, _MOMENT).not_done:  # a network may keep them waiting for minutes
                    self.source.abandon()
        return self.found

    def abandon(self) -> None:
        """End the copies, if nobody has waited for them."""
        for _, work in self.shared:
            work.abandon()

    def _share_own(self) -> Iterator[tuple[Sequence[int], shared.SharedWork]]:
        own = [i for i in self.own if not isinstance(self.segments[i].by, HashingDigester)]
        segments = [self.segments[index] for index in own]
        if self.jobs == 1 or len(segments) < 2 or self.source.remote or not shared.may_fork():  # noqa: PLR2004  # one is not shared
            return

        def digests(indexes: range, advance: shared.Advance) -> bytes:
            some, progress = segments[indexes.start : indexes.stop], Calling(advance)
            return b"".join(self._have_digested(segment, progress) for segment in some)

        yield own, shared.SharedWork([each.answer for each in segments], digests, self.jobs - 1)
        self.own = deque(i for i in self.own if i not in own)

    def _share_small(self) -> Iterator[tuple[Sequence[int], shared.SharedWork]]:
        if self.jobs == 1 or len(self.small) < _MANY or self.source.remote or not shared.may_fork():
            return
        segments = [self.segments[index] for index in self.small]

        def digests(indexes: range, advance: shared.Advance) -> bytes:
            some = segments[indexes.start : indexes.stop]
            self._say_reading(some[0])
            found = b"".join(self._digests_of(some))
            advance(sum(segment.length for segment in some))
            return found

        yield self.small, shared.SharedWork([each.answer for each in segments], digests, self.jobs - 1)
        self.small = []

    def _take_shared(self) -> None:
        while self.shared:
            indexes, work = self.shared.pop(0)
            for index, found in zip(indexes, work.finish(self.progress.advance), strict=True):
                self.found[index] = found

    def _lane(self, pieces: deque[Sequence[int]], streams: bool) -> None:
        watching = Calling(self._advance)
        try:
            while not self.stop.is_set() and (piece := take(pieces)):
                self._hash_small(piece)
            while streams and not self.stop.is_set() and (index := take(self.own)) is not None:
                self.found[index] = self._have_digested(self.segments[index], watching)
            buffer = memoryview(bytearray(BLOCK))
            while streams and not self.stop.is_set() and (index := take(self.large)) is not None:
                self.found[index] = self._hash_large(index, buffer)
        except _StoppedError:  # it is another's trouble that is raised
            pass
        except BaseException:
            self.stop.set()
            raise

    def _hash_small(self, piece: Sequence[int]) -> None:
        segments = [self.segments[index] for index in piece]
        self._say_reading(segments[0])
        for index, digest in zip(piece, self._digests_of(segments), strict=True):
            self.found[index] = digest
        self.progress.advance(sum(segment.length for segment in segments))

    def _digests_of(self, segments: Sequence[Segment]) -> Iterator[bytes]:
        """Read small segments and digest what is in memory then."""
        contents, suite = self.source.read_each(segments), self.suite
        if all(segment.by is None for segment in segments):
            yield from map(suite.digest, contents)
            return
        for (*_, by), content in zip(segments, contents, strict=True):
            yield by.digest_content(content, suite) if isinstance(by, HashingDigester) else suite.digest(content)

    def _have_digested(self, segment: Segment, progress: Progress) -> bytes:
        by = segment.by
        self._say_reading(segment)
        if isinstance(by, HashingDigester) and self.jobs > 1 and segment.length > self.fair_share:
            return by.digest_ahead(segment, self.source, self.suite, progress)
        return by.digest(segment, self.source, self.suite, progress) if by else b""

    def _say_reading(self, segment: Segment) -> None:
        if os.getpid() == self.process:  # nobody watches a copy
            self.progress.reading(segment.file.path)

    def _advance(self, size: int) -> None:
        if self.stop.is_set():
            raise _StoppedError
        self.progress.advance(size)

    def _place(self, index: int, position: int, buffer: memoryview) -> memoryview:
        """Return where the next bytes go: their place in the caller's memory, or else a buffer that is used again."""
        at = position - self.segments[index].offset
        return touched(self.rooms[index], at) if self.rooms else buffer[: self._length(index) - at]

    def _hash_large(self, index: int, buffer: memoryview) -> bytes:
        hasher, segment = self.suite.new(), self.segments[index]
        self.progress.reading(segment.file.path)
        with self.source.open(*segment[:3]) as opened:
            position, end = segment.offset, segment.offset + segment.length
            while position < end and not self.stop.is_set():
                block = fill(opened, self._place(index, position, buffer), position, segment)
                hasher.update(block)
                position += len(block)
                self.progress.advance(len(block))
        return hasher.digest()

    def _load_wide(self, index: int, pool: ThreadPoolExecutor) -> bytes:
        """Hash one room with all threads, which fill it meanwhile: it takes long to touch new memory."""
        hasher: Hasher = self.suite.threaded(self.jobs)
        segment, room = self.segments[index], self.rooms[index]
        blocks = [(at, room[at : at + WIDE_BLOCK]) for at in range(0, segment.length, WIDE_BLOCK)]
        for block in pool.map(lambda each: self._load_block(segment, *each), blocks):
            hasher.update(block)
            self.progress.advance(len(block))
        return hasher.digest()

    def _load_block(self, segment: Segment, at: int, block: memoryview) -> memoryview:
        position, done = segment.offset + at, 0
        with self.source.open(segment.file, position, len(block)) as opened:
            while done < len(block):
                done += len(fill(opened, touched(block, done), position + done, segment))
        return block

    def _hash_wide(self, index: int, pool: ThreadPoolExecutor) -> bytes:
        """Hash one segment with all threads, reading the next block meanwhile."""
        hasher: Hasher = self.suite.threaded(self.jobs)
        segment = self.segments[index]
        buffers = deque(memoryview(bytearray(WIDE_BLOCK)) for _ in range(2))
        self.progress.reading(segment.file.path)
        with self.source.open(*segment[:3]) as opened:
            position, end = segment.offset, segment.offset + segment.length
            coming = pool.submit(fill, opened, buffers[0][: end - position], position, segment)
            while position < end:
                block = coming.result()
                position += len(block)
                buffers.rotate()
                if position < end:
                    coming = pool.submit(fill, opened, buffers[0][: end - position], position, segment)
                hasher.update(block)
                self.progress.advance(len(block))
        return hasher.digest()


def _from_content(segment: Segment) -> bool:
    """Tell whether the bytes of a segment are enough to digest it, wherever they come from."""
    return segment.by is None or isinstance(segment.by, HashingDigester)
