"""The connection to a Dask cluster. Whatever goes wrong there is raised as an error of ours."""

import logging
import warnings
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future as Promise
from contextlib import contextmanager, suppress
from queue import Empty, SimpleQueue
from threading import Thread
from typing import TYPE_CHECKING, Any

from mltrust.engines.dask.work import work
from mltrust.errors import ArtifactError, MltrustError, UnreadableError, UsageError

if TYPE_CHECKING:
    from distributed import Client, Future

_SAME = ("mltrust", "dask", "distributed", "python")
_PATIENCE = 30.0  # seconds without a worker
_CLOSING = 5.0  # seconds to say goodbye
_SHOWN = 300  # characters of a foreign message


class Cluster:
    """Workers behind one scheduler: they take pieces of work, and hand them back as they are done."""

    def __init__(self, client: "Client", uri: str) -> None:
        self._client, self._uri = client, uri
        self._done: SimpleQueue[Future[bytes]] = SimpleQueue()

    def threads(self) -> int:
        """Return how many pieces the workers can do at once."""
        with _troubles(self._uri):
            return sum(self._client.nthreads().values())

    def submit(self, piece: bytes) -> "Future[bytes]":
        """Hand a piece out."""
        with _troubles(self._uri):
            if self._client.status != "running":  # Dask would keep the piece for a scheduler that may never come back
                raise _lost(self._uri)
            future = self._client.submit(work, piece, pure=False)
            future.add_done_callback(self._done.put)
        return future

    def finished(self) -> Mapping["Future[bytes]", object]:
        """Wait until pieces are done, and return what the workers answered.

        The piece of a lost worker is done by another. An error of the work is raised here as it was raised there.
        """
        with _troubles(self._uri):
            futures = [self._next()]
            with suppress(Empty):
                while True:
                    futures.append(self._done.get_nowait())
            return dict(zip(futures, self._client.gather(futures), strict=True))

    def _next(self) -> "Future[bytes]":
        while True:
            try:
                return self._done.get(timeout=_PATIENCE)
            except Empty:  # long work, or nobody to do it
                _require_worker(self._client, self._uri)


@contextmanager
def connected(address: str, uri: str) -> Iterator[Cluster]:
    """Connect to the scheduler at `address`, called `uri` in messages; whatever is under way at the end is dropped."""
    with _unlogged():
        client = _client(address, uri)
        try:
            with _troubles(uri):
                _require_worker(client, uri)
                _require_same_versions(client, uri)
            yield Cluster(client, uri)
        finally:
            with suppress(Exception):  # it is over either way: a scheduler drops what nobody waits for
                client.close(timeout=_CLOSING)


@contextmanager
def _unlogged() -> Iterator[None]:
    """Keep Dask's client from logging tracebacks of what is raised here anyway."""
    logger = logging.getLogger("distributed.client")
    logger.addFilter(_nothing)
    try:
        yield
    finally:
        logger.removeFilter(_nothing)


def _nothing(_record: logging.LogRecord) -> bool:
    return False


def _client(address: str, uri: str) -> "Client":
    try:
        import dask
        from dask.utils import parse_timedelta
        from distributed import Client
        from distributed.versions import VersionMismatchWarning
    except ImportError as error:
        raise UsageError(f"{uri} needs Dask: {error}", hint="Install it: pip install 'mltrust[dask]'") from error
    patience = 2 * parse_timedelta(dask.config.get("distributed.comm.timeouts.connect"))
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", VersionMismatchWarning)  # versions are compared once we are connected
            return _within(patience, lambda: Client(address, set_as_default=False))
    except Exception as error:
        hint = "Does a scheduler run there? Dask's setting distributed.comm.timeouts.connect says how long to try."
        raise UnreadableError(f"{uri}: no connection to a scheduler: {_short(error)}", hint=hint) from error


def _within(seconds: float, make: Callable[[], "Client"]) -> "Client":
    """Return what `make` returns; Dask alone waits for ever for whoever takes a connection and says nothing."""
    promise: Promise[Client] = Promise()

    def keep() -> None:
        try:
            promise.set_result(make())
        except BaseException as error:  # noqa: BLE001  # raised where it is awaited
            promise.set_exception(error)

    Thread(target=keep, daemon=True).start()
    try:
        return promise.result(seconds)
    except TimeoutError:
        raise TimeoutError(f"no answer within {seconds:g} s") from None


def _require_worker(client: "Client", uri: str) -> None:
    try:
        client.wait_for_workers(1, timeout=_PATIENCE)
    except TimeoutError:
        hint = f"Start workers for {uri.partition('//')[2]}: dask worker, or your cluster's own way."
        raise UnreadableError(f"{uri}: there is no worker", hint=hint) from None


def _require_same_versions(client: "Client", uri: str) -> None:
    found: Any = client.get_versions(packages=["mltrust"])
    own = _versions(found["client"])
    for where, other in {"the scheduler": found["scheduler"], **found["workers"]}.items():
        differing = {name: version for name, version in _versions(other).items() if version != own[name]}
        if differing:
            there = ", ".join(f"{name} {version or 'not installed'}" for name, version in differing.items())
            here = ", ".join(f"{name} {own[name]}" for name in differing)
            hint = "Install the same on all machines of the cluster, with the same extras."
            raise UnreadableError(f"{uri}: {where} has {there}; here it is {here}", hint=hint)


def _versions(found: Mapping[str, Any]) -> dict[str, str | None]:
    packages = found["packages"]
    return {name: packages.get(name) for name in _SAME} | {"python": ".".join(packages["python"].split(".")[:2])}


@contextmanager
def _troubles(uri: str) -> Iterator[None]:
    """Raise what Dask raises in the block as errors of ours; those of ours come from workers, and pass."""
    from distributed import CancelledError
    from distributed.scheduler import KilledWorker

    try:
        yield
    except ArtifactError as error:
        there = "It was read on a worker: all must see the same files, under the same path."
        error.hint = f"{error.hint} {there}" if error.hint else there
        raise
    except MltrustError:
        raise
    except KilledWorker as error:
        hint = "See their logs: a worker without enough memory is killed, and whatever it does with it."
        raise UnreadableError(f"{uri}: one worker after another died of the same work", hint=hint) from error
    except CancelledError as error:
        raise _lost(uri) from error
    except Exception as error:
        hint = "If a module is missing: all machines of the cluster need the same packages and extras."
        raise UnreadableError(f"{uri}: the cluster could not do its work: {_short(error)}", hint=hint) from error


def _lost(uri: str) -> UnreadableError:
    return UnreadableError(f"{uri}: the scheduler is gone, or dropped the work", hint="Start it, and run this again.")


def _short(error: Exception) -> str:
    return f"{type(error).__name__}: {error}"[:_SHOWN]
