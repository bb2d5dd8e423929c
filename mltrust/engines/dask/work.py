"""A piece of work for a worker: what is sent to it, what it does, and what it may answer.

A piece is bytes, so that neither the client nor the scheduler looks into it. It brings the source along: a worker that
joins late or takes the place of a lost one needs nothing else.
"""

import pickle
from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import accumulate

from mltrust.core.digest import Suite, suite_named
from mltrust.engines.threads import ThreadsEngine
from mltrust.errors import UnreadableError
from mltrust.interfaces import ArtifactSource, Segment, Silent

OPENING = 256 * 1024  # bytes that are hashed in the time it takes to open a file
_SMALLEST = 8 * 1024**2  # below, handing a piece out costs as much as hashing it
LARGEST = 512 * 1024**2
_SHARES = 4  # pieces of a batch for each thread of the cluster, so that none is left idle at the end
_MOST_THREADS = 64
_ALONE = 1024**3  # a segment as large as this is hashed with all threads of its worker


def pieces(segments: Sequence[Segment], threads: int) -> list[list[int]]:
    """Group the indexes of `segments` into pieces of work for a cluster of so many threads, the largest first.

    A segment is never divided: the hash of a whole cannot be made of hashes of its parts.
    """
    costs = [segment.length + OPENING for segment in segments]
    size = max(_SMALLEST, min(sum(costs) // (_SHARES * max(threads, 1)), LARGEST))
    found = sorted(_groups(costs, size), key=lambda group: sum(costs[index] for index in group), reverse=True)
    return [list(group) for group in found]


def _groups(costs: Sequence[int], size: int) -> Iterator[range]:
    """Yield runs of neighbours that cost up to `size` together, or more if there is one alone."""
    start = total = 0
    for index, cost in enumerate(costs):
        if index > start and total + cost > size:
            yield range(start, index)
            start, total = index, 0
        total += cost
    if start < len(costs):
        yield range(start, len(costs))


def packed(source: ArtifactSource) -> bytes:
    """Return a source as it is sent to workers."""
    return pickle.dumps(source)


def pack(segments: Sequence[Segment], source: bytes, suite: Suite) -> bytes:
    """Return the piece of work that hashes `segments` of a packed source."""
    return pickle.dumps((source, suite.name, [*segments]))


def work(piece: bytes) -> bytes:
    """Hash a piece on a worker: return the digests of its segments in order, one after the other."""
    source, suite, segments = pickle.loads(piece)  # noqa: S301  # a worker runs whatever its scheduler sends
    engine = ThreadsEngine(_worker_threads() if len(segments) == 1 and segments[0].length >= _ALONE else 1)
    (found,) = engine.digest([segments], _source(source), suite_named(suite), Silent())
    return b"".join(found)


def unpack(answer: object, segments: Sequence[Segment]) -> list[bytes]:
    """Return the digests of `segments` a worker answered with; anything else is an error."""
    ends = list(accumulate(segment.answer for segment in segments))
    if not isinstance(answer, bytes) or len(answer) != ends[-1]:
        raise UnreadableError("a worker of the cluster answered something that is not the digests it was asked for")
    return [answer[begin:end] for begin, end in zip([0, *ends], ends, strict=False)]


@lru_cache(maxsize=4)
def _source(pickled: bytes) -> ArtifactSource:
    """Unpack a source; the pieces of one artifact share it, and whatever connections it keeps."""
    source: ArtifactSource = pickle.loads(pickled)  # noqa: S301  # a worker runs whatever its scheduler sends
    return source


def _worker_threads() -> int:
    from distributed import get_worker

    return min(int(get_worker().state.nthreads), _MOST_THREADS)
