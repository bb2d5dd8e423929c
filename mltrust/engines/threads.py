"""Threads on this machine: reads into reused buffers, many segments in flight, bounded memory.

Three lanes, because three kinds of work want three kinds of care:

- segments so large that they alone would keep one thread busy at the end are hashed one after the
  other with all threads (BLAKE3 is a tree) while the next block is being read;
- other large segments are handed out largest first, one to a thread; reading and hashing both release
  the interpreter lock, so two streams on two cores beat one stream on two threads;
- small ones go through one loop in one thread: the interpreter lock makes a second thread slower. Where there
  are many, and this process may be copied, copies of it share them.
"""

import os
import threading
from collections import deque
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import ClassVar

from mltrust.core.digest import Hasher, Suite
from mltrust.engines import shared
from mltrust.errors import ChangedError, UsageError
from mltrust.interfaces import ArtifactSource, OpenFile, Progress, Segment

SMALL = 256 * 1024
BLOCK = 1024 * 1024
WIDE_BLOCK = 8 * BLOCK
_BATCH = 64
_MANY = 2000  # small segments that pay for copies of the process
_MAX_JOBS = 256


class ThreadsEngine:
    """Hashes segments on `jobs` threads; memory is a few blocks a thread."""

    name: ClassVar[str] = "threads"

    def __init__(self, jobs: int | None = None) -> None:
        if jobs is not None and not 1 <= jobs <= _MAX_JOBS:
            raise UsageError(f"{jobs} jobs make no sense", hint=f"Choose 1 to {_MAX_JOBS}.")
        self.jobs = jobs or _usable_cores()

    def digest(
        self, segments: Sequence[Segment], source: ArtifactSource, suite: Suite, progress: Progress
    ) -> Sequence[bytes]:
        """Return the digest of every segment, in the order given."""
        return _Run(segments, source, suite, progress, self.jobs).digests()


def _usable_cores() -> int:
    affinity = getattr(os, "sched_getaffinity", None)
    return min(len(affinity(0)) if affinity else os.cpu_count() or 1, _MAX_JOBS)


class _Run:
    """One call of `digest`: the work split into lanes, and the threads that empty them."""

    def __init__(
        self, segments: Sequence[Segment], source: ArtifactSource, suite: Suite, progress: Progress, jobs: int
    ) -> None:
        self.segments, self.source, self.suite, self.progress, self.jobs = segments, source, suite, progress, jobs
        self.found: list[bytes] = [b""] * len(segments)
        self.stop = threading.Event()
        order = sorted(range(len(segments)), key=lambda index: segments[index].length, reverse=True)
        fair_share = sum(segment.length for segment in segments) / jobs
        self.wide = [i for i in order if jobs > 1 and segments[i].length > max(fair_share, WIDE_BLOCK)]
        self.large = deque(i for i in order[len(self.wide) :] if segments[i].length > SMALL)
        self.small = deque(i for i in sorted(order[len(self.wide) + len(self.large) :]))

    def digests(self) -> list[bytes]:
        """Hash everything; the first trouble stops every thread and is raised here."""
        if self.jobs > 1 and len(self.small) >= _MANY and shared.may_fork():
            self._share_small()
        with ThreadPoolExecutor(max_workers=self.jobs + 1) as pool:
            for index in self.wide:
                self.found[index] = self._hash_wide(self.segments[index], pool)
            lanes = min(self.jobs, max(1, len(self.large) + bool(self.small)))
            futures = [pool.submit(self._lane, small_first=lane == 0) for lane in range(lanes)]
            try:
                for future in futures:
                    future.result()
            finally:
                self.stop.set()
        return self.found

    def _lane(self, *, small_first: bool) -> None:
        try:
            if small_first:
                self._hash_small()
            buffer = memoryview(bytearray(BLOCK))
            while not self.stop.is_set():
                try:
                    index = self.large.popleft()
                except IndexError:
                    return
                self.found[index] = self._hash_large(self.segments[index], buffer)
        except BaseException:
            self.stop.set()
            raise

    def _share_small(self) -> None:
        read, suite = self.source.read, self.suite
        segments = [self.segments[index] for index in self.small]

        def digest(at: int) -> bytes:
            segment = segments[at]
            return suite.digest(read(segment.file, segment.offset, segment.length))

        def advance(done: range) -> None:
            self.progress.advance(sum(segments[at].length for at in done))

        for index, found in zip(self.small, shared.digests(len(segments), digest, self.jobs - 1, advance), strict=True):
            self.found[index] = found
        self.small.clear()

    def _hash_small(self) -> None:
        read, digest, found = self.source.read, self.suite.digest, self.found
        while self.small and not self.stop.is_set():
            done = 0
            for _ in range(min(_BATCH, len(self.small))):
                index = self.small.popleft()
                segment = self.segments[index]
                found[index] = digest(read(segment.file, segment.offset, segment.length))
                done += segment.length
            self.progress.advance(done)

    def _hash_large(self, segment: Segment, buffer: memoryview) -> bytes:
        hasher = self.suite.new()
        with self.source.open(segment.file) as opened:
            position, end = segment.offset, segment.offset + segment.length
            while position < end and not self.stop.is_set():
                block = _fill(opened, buffer[: end - position], position, segment)
                hasher.update(block)
                position += len(block)
                self.progress.advance(len(block))
        return hasher.digest()

    def _hash_wide(self, segment: Segment, pool: ThreadPoolExecutor) -> bytes:
        """Hash one segment with all threads, reading the next block meanwhile."""
        hasher: Hasher = self.suite.threaded(self.jobs)
        buffers = deque(memoryview(bytearray(WIDE_BLOCK)) for _ in range(2))
        with self.source.open(segment.file) as opened:
            position, end = segment.offset, segment.offset + segment.length
            coming = pool.submit(_fill, opened, buffers[0][: end - position], position, segment)
            while position < end:
                block = coming.result()
                position += len(block)
                buffers.rotate()
                if position < end:
                    coming = pool.submit(_fill, opened, buffers[0][: end - position], position, segment)
                hasher.update(block)
                self.progress.advance(len(block))
        return hasher.digest()


def _fill(opened: OpenFile, buffer: memoryview, position: int, segment: Segment) -> memoryview:
    """Read into `buffer` at `position`; a file that ends early became shorter since it was listed."""
    size = opened.read_into(buffer, position)
    if size == 0:
        raise ChangedError(segment.file.path, "became shorter while it was read")
    return buffer[:size]
