"""The socket: batches become pieces of work, a bounded number of them under way, and digests in order."""

from collections import deque
from collections.abc import Generator, Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, ClassVar, Self
from urllib.parse import urlsplit

from mltrust.core.digest import Suite
from mltrust.engines.dask.cluster import Cluster, connected
from mltrust.engines.dask.work import pack, packed, pieces, unpack
from mltrust.errors import UsageError
from mltrust.interfaces import ArtifactSource, Progress, Segment

if TYPE_CHECKING:
    from distributed import Future

_TRANSPORTS = {"dask": "tcp", "dask+tls": "tls"}
_SPARE = 3  # pieces for each thread: one it works at, two that are on their way
_FEWEST = 32  # pieces, so that a cluster that grows with its work sees some
_HELD = 2**17  # segments under way, above which no further batch is taken


class DaskEngine:
    """Hashes segments on a Dask cluster; `jobs` is the most pieces of work that are under way at once.

    Workers read the bytes themselves: their source must find the same files. Memory here is bounded by the segments
    that are under way, not by their number or sizes. `address` is the scheduler's, as Dask spells it.
    """

    name: ClassVar[str] = "dask"
    remote: ClassVar[bool] = True

    def __init__(self, address: str, jobs: int | None = None, uri: str | None = None) -> None:
        if jobs is not None and jobs < 1:
            raise UsageError(f"{jobs} jobs make no sense", hint="Choose 1 or more, or leave it to the engine.")
        self.address, self.jobs, self.uri = address, jobs, uri or address

    @classmethod
    def from_uri(cls, uri: str, jobs: int | None) -> Self:
        """Return the engine of `dask://HOST:PORT` or `dask+tls://HOST:PORT`, the address of a scheduler."""
        return cls(_address(uri), jobs, uri)

    def digest(
        self, batches: Iterable[Sequence[Segment]], source: ArtifactSource, suite: Suite, progress: Progress
    ) -> Generator[Sequence[bytes], None, None]:
        """Yield the digests of every batch in turn; the cluster works at later ones meanwhile."""
        with connected(self.address, self.uri) as cluster:
            yield from _Run(cluster, source, suite, progress, self.jobs).digests(batches)


def _address(uri: str) -> str:
    wrong = UsageError(
        f"{ascii(uri)[:80]} names no Dask cluster", hint="Write dask://HOST:PORT or dask+tls://HOST:PORT."
    )
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise wrong from error
    rest = parts.path.strip("/") or parts.query or parts.fragment or parts.username or parts.password
    if parts.scheme not in _TRANSPORTS or not host or not port or rest:
        raise wrong
    return f"{_TRANSPORTS[parts.scheme]}://{f'[{host}]' if ':' in host else host}:{port}"


class _Batch:
    """A batch under way: the digests found so far, and how many are missing."""

    def __init__(self, segments: Sequence[Segment]) -> None:
        self.segments, self.missing = segments, len(segments)
        self.found: list[bytes] = [b""] * len(segments)

    def put(self, indexes: Sequence[int], digests: Sequence[bytes]) -> int:
        """Take the digests of some segments; return how many bytes those have."""
        for index, digest in zip(indexes, digests, strict=True):
            self.found[index] = digest
        self.missing -= len(indexes)
        return sum(self.segments[index].length for index in indexes)


class _Run:
    """One call of `digest`."""

    def __init__(
        self, cluster: Cluster, source: ArtifactSource, suite: Suite, progress: Progress, jobs: int | None
    ) -> None:
        self.cluster, self.suite, self.progress, self.jobs = cluster, suite, progress, jobs
        self.source = packed(source)
        self.open: deque[_Batch] = deque()
        self.out: dict[Future[bytes], tuple[_Batch, list[int]]] = {}

    def digests(self, batches: Iterable[Sequence[Segment]]) -> Iterator[Sequence[bytes]]:
        """Yield the digests of every batch in turn."""
        for segments in batches:
            self._hand_out(_Batch(segments))
            while sum(len(batch.segments) for batch in self.open) > _HELD:
                self._take_back()
                yield from self._complete()
            yield from self._complete()
        while self.open:
            yield from self._complete()
            if self.open:
                self._take_back()

    def _hand_out(self, batch: _Batch) -> None:
        self.open.append(batch)
        threads = self.cluster.threads()
        most = self.jobs or max(_SPARE * threads, _FEWEST)
        for indexes in pieces(batch.segments, threads):
            while len(self.out) >= most:
                self._take_back()
            piece = pack([batch.segments[index] for index in indexes], self.source, self.suite)
            self.out[self.cluster.submit(piece)] = batch, indexes

    def _take_back(self) -> None:
        for future, answer in self.cluster.finished().items():
            batch, indexes = self.out.pop(future)
            self.progress.reading(batch.segments[indexes[-1]].file.path)
            self.progress.advance(batch.put(indexes, unpack(answer, [batch.segments[index] for index in indexes])))

    def _complete(self) -> Iterator[Sequence[bytes]]:
        """Yield the batches at the front of which nothing is missing any more."""
        while self.open and not self.open[0].missing:
            yield self.open.popleft().found
