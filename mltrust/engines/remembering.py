"""An engine that wraps another and asks it only for what has changed since it was hashed on this machine.

A digest is remembered under what the kernel says of the file: device, inode, size, time of the last modification and
of the last change of any kind. Nobody but the kernel sets the last one, from its clock, with every write. So while the
five stay as they are the bytes do, with one exception: two changes within one tick of the clock have one stamp. As git
does, a digest is therefore remembered only if the file had been left alone for a while when it was about to be read:
then every later change has a later stamp. What this does not hold against is in docs/threat-model.md.
"""

import struct
import time
from array import array
from collections import deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from itertools import islice
from typing import ClassVar

from mltrust.core.digest import DIGEST_SIZE, SHA256, Suite
from mltrust.core.report import Recalled
from mltrust.disk.digest_cache import KEY_SIZE, DigestCache, Table, unpacked
from mltrust.interfaces import ArtifactSource, Engine, HashingDigester, Progress, RemoteEngine, Segment

# FAT counts in two seconds, no other file system in more than one; and the kernel's clock may be some ticks behind.
GUARD_NS = 2_100_000_000

_KEY = struct.Struct("=QQQqqQQ")  # device, inode, size, mtime and ctime in ns; offset, length
_NO_KEY = b""

assert _KEY.size == KEY_SIZE  # noqa: S101  # the layout of the cache


class RememberingEngine:
    """Passes on to `inner` what is not remembered of `artifact`, the local path that is read, links resolved.

    `recalled` says of the last run how much was not read. What it found is written to the cache when a run has come to
    its end. Files of a source on a network are neither recalled nor remembered.
    """

    name: ClassVar[str] = "remembering"

    def __init__(
        self, inner: Engine, cache: DigestCache, artifact: str, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._inner, self._cache, self._artifact, self._clock = inner, cache, artifact, clock
        self.recalled = Recalled()
        self.remote = isinstance(inner, RemoteEngine) and inner.remote

    def digest(
        self, batches: Iterable[Sequence[Segment]], source: ArtifactSource, suite: Suite, progress: Progress
    ) -> Generator[Sequence[bytes], None, None]:
        """Yield the digests of every batch in turn, remembered or found now."""
        self.recalled = Recalled()
        if source.remote:
            yield from self._inner.digest(batches, source, suite, progress)
            return
        tables = _Tables(lambda name: _Lookup(self._cache.read(self._artifact, name)), suite.name)
        asked: deque[_Asked | _AskedBeside] = deque()

        def unknown() -> Iterator[Sequence[Segment]]:
            for batch in batches:
                asked.append(tables.ask(batch, self._clock()))  # before any of it is read
                progress.advance(self._count(asked[-1]))
                yield asked[-1].missing

        with closing(self._inner.digest(unknown(), source, suite, progress)) as answers:
            for found in answers:
                batch = asked.popleft()
                digests = batch.completed(found)
                tables.learn(batch, digests)
                yield digests
        for name, news in tables.news():
            self._cache.write(self._artifact, name, news)

    def _count(self, asked: "_Asked | _AskedBeside") -> int:
        """Add what was recalled of a batch; return how many bytes of it. Each file has one segment at its start."""
        known = asked.known
        files = sum([not segment.offset for segment in known])
        size = sum([segment.length for segment in known])
        self.recalled = Recalled(self.recalled.files + files, self.recalled.bytes + size)
        return size


@dataclass(frozen=True)
class _Asked:
    """A batch that was looked up just before it is read: its keys, and the digests found (None: not known)."""

    batch: Sequence[Segment]
    keys: Sequence[bytes]
    digests: Sequence[bytes | None]
    time: int
    unchanged: bool

    @property
    def known(self) -> Sequence[Segment]:
        if self.unchanged:
            return self.batch
        return [segment for segment, digest in zip(self.batch, self.digests, strict=True) if digest is not None]

    @property
    def missing(self) -> Sequence[Segment]:
        if self.unchanged:
            return []
        return [segment for segment, digest in zip(self.batch, self.digests, strict=True) if digest is None]

    def completed(self, found: Iterable[bytes]) -> list[bytes]:
        """Return all digests, given those of the missing segments."""
        coming = iter(found)
        return [next(coming) if digest is None else digest for digest in self.digests]


@dataclass(frozen=True)
class _AskedBeside:
    """A batch of which SHA-256 is wanted, too: what was asked of its ranges, in the suite, and of what they tile.

    A segment is known if all of that is; else it is read again as a whole.
    """

    batch: Sequence[Segment]
    ranges: _Asked
    wholes: _Asked
    answers: Sequence[bytes | None]

    @property
    def known(self) -> Sequence[Segment]:
        return [segment for segment, answer in zip(self.batch, self.answers, strict=True) if answer is not None]

    @property
    def missing(self) -> Sequence[Segment]:
        return [segment for segment, answer in zip(self.batch, self.answers, strict=True) if answer is None]

    def completed(self, found: Iterable[bytes]) -> list[bytes]:
        """Return all answers, given those of the missing segments."""
        coming = iter(found)
        return [next(coming) if answer is None else answer for answer in self.answers]


class _Tables:
    """What is remembered of an artifact in the suite of a run, and of its files in SHA-256 where that is wanted, too.

    `read` returns what is remembered in a suite. Where both are the same one, so is the table: it is asked twice.
    """

    def __init__(self, read: "Callable[[str], _Lookup]", suite: str) -> None:
        self._read, self._suite = read, suite
        self._lookups = {suite: read(suite)}

    def ask(self, batch: Sequence[Segment], now: int) -> _Asked | _AskedBeside:
        """Look a batch up."""
        beside = [segment for segment in batch if isinstance(segment.by, HashingDigester)]
        if not beside:
            return self._lookups[self._suite].ask(batch, now)
        if SHA256.name not in self._lookups:
            self._lookups[SHA256.name] = self._read(SHA256.name)
        flat = [each for segment in batch for each in _ranges(segment)]
        ranges = self._lookups[self._suite].ask(flat, now)
        wholes = self._lookups[SHA256.name].ask([segment._replace(by=None) for segment in beside], now)
        return _AskedBeside(batch, ranges, wholes, list(_put_together(batch, ranges.digests, wholes.digests)))

    def learn(self, asked: _Asked | _AskedBeside, answers: Sequence[bytes]) -> None:
        """Take in the `answers` of a batch, in the order in which batches were asked."""
        if isinstance(asked, _Asked):
            self._lookups[self._suite].learn(asked, answers)
            return
        pairs = list(zip(asked.batch, answers, strict=True))
        self._lookups[self._suite].learn(asked.ranges, [each for pair in pairs for each in _digests_in(*pair)])
        wholes = [answer[:DIGEST_SIZE] for segment, answer in pairs if isinstance(segment.by, HashingDigester)]
        self._lookups[SHA256.name].learn(asked.wholes, wholes)

    def news(self) -> Iterator[tuple[str, Table]]:
        """Yield the tables that are to be written, by suite."""
        for name, lookup in self._lookups.items():
            if (news := lookup.news()) is not None:
                yield name, news


def _ranges(segment: Segment) -> list[Segment]:
    return segment.by.ranges(segment) if isinstance(segment.by, HashingDigester) else [segment]


def _digests_in(segment: Segment, answer: bytes) -> list[bytes]:
    return unpacked(answer[DIGEST_SIZE:], DIGEST_SIZE) if isinstance(segment.by, HashingDigester) else [answer]


def _put_together(
    batch: Sequence[Segment], ranges: Iterable[bytes | None], wholes: Iterable[bytes | None]
) -> Iterator[bytes | None]:
    """Yield the answer of every segment of which all is remembered, and None for the others."""
    of_ranges, of_wholes = iter(ranges), iter(wholes)
    for segment in batch:
        digests = list(islice(of_ranges, len(_ranges(segment))))
        if isinstance(segment.by, HashingDigester):
            digests.insert(0, next(of_wholes))
        yield None if None in digests else b"".join(filter(None, digests))


class _Lookup:
    """The table as it was, and as it becomes.

    While the listing is what it was, the two are compared, a batch at a time; from the first difference on, rows are
    looked up one by one and written anew. An artifact in which nothing changed is the usual case.
    """

    def __init__(self, past: Table) -> None:
        self._past = past
        self._same = 0  # so many rows at the start are as they were
        self._by_key: dict[bytes, bytes] | None = None
        self._new: list[Table] = []

    def ask(self, batch: Sequence[Segment], now: int) -> _Asked:
        """Look a batch up. Batches are asked in order, each before it is read; `now` is the time."""
        keys = _keys(batch)
        if self._by_key is None and self._goes_on_with(keys):
            begin, self._same = self._same, self._same + len(keys)
            digests = self._past.digests[begin * DIGEST_SIZE : self._same * DIGEST_SIZE]
            return _Asked(batch, keys, unpacked(digests, DIGEST_SIZE), now, unchanged=True)
        if self._by_key is None:
            self._by_key = self._past.as_dict()
        return _Asked(batch, keys, list(map(self._by_key.get, keys)), now, unchanged=False)

    def _goes_on_with(self, keys: Sequence[bytes]) -> bool:
        rows = b"".join(keys)
        return len(rows) == len(keys) * KEY_SIZE and self._past.keys.startswith(rows, self._same * KEY_SIZE)

    def learn(self, asked: _Asked, digests: Sequence[bytes]) -> None:
        """Take in the `digests` of a batch, in the order in which batches were asked."""
        if asked.unchanged:
            return
        rows = b"".join(asked.keys)
        if len(rows) == len(asked.keys) * KEY_SIZE and _newest_stamp(rows) + GUARD_NS <= asked.time:
            self._new.append(Table(rows, b"".join(digests)))  # usually all of them last
            return
        lasting = [(key, found) for key, found in zip(asked.keys, digests, strict=True) if _lasts(key, asked.time)]
        self._new.append(Table(b"".join([key for key, _ in lasting]), b"".join([found for _, found in lasting])))

    def news(self) -> Table | None:
        """Return the table as it is to be written; None if it is what it was."""
        if not self._new and self._same == len(self._past):
            return None
        same = Table(self._past.keys[: self._same * KEY_SIZE], self._past.digests[: self._same * DIGEST_SIZE])
        tables = [same, *self._new]
        now = Table(b"".join([table.keys for table in tables]), b"".join([table.digests for table in tables]))
        return now if now != self._past else None


def _keys(batch: Sequence[Segment]) -> list[bytes]:
    pack = _KEY.pack
    try:
        keys = [pack(*file.version, offset, length) for file, offset, length, by in batch if by is None]
    except struct.error:
        keys = []
    return keys if len(keys) == len(batch) else [_key(segment) for segment in batch]


def _key(segment: Segment) -> bytes:
    """Return the key of a segment, or one that nothing is remembered under.

    That is where its file's version is not a kernel's, and where more than digests is wanted.
    """
    try:
        if segment.by is not None:
            return _NO_KEY
        return _KEY.pack(*segment.file.version, segment.offset, segment.length)
    except struct.error:
        return _NO_KEY


def _lasts(key: bytes, now: int) -> bool:
    """Tell whether any later change will show, given that the file is read after `now`."""
    return key != _NO_KEY and _newest_stamp(key) + GUARD_NS <= now


def _newest_stamp(rows: bytes) -> int:
    numbers = array("q", rows)
    return max(max(numbers[3::7], default=0), max(numbers[4::7], default=0))
