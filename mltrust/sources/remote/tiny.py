"""Tiny objects, the only ones that readers look into one by one before the engine hashes them.

Each costs a round trip and next to no bytes: a million of them looked into one at a time would take hours. While one is
looked into, the next in the listing are on their way; and each is kept until the engine comes for it, so that it is
asked for once.
"""

from collections import OrderedDict
from collections.abc import Callable
from concurrent.futures import Future
from threading import Lock

from mltrust.interfaces import FileEntry

TINY = 1024
_AHEAD = 32
_STEP = 8
"""How many objects a reader may pass over and still be reading in sequence."""
_MAX_LISTED = 2**18
_MAX_KEPT = 64 * 2**20
_OVERHEAD = 512

_Start = Callable[[FileEntry], "Future[bytearray]"]


class TinyObjects:
    """Objects of at most `TINY` bytes that are under way or here; for many threads."""

    def __init__(self, start: _Start) -> None:
        self._start = start
        self._lock = Lock()
        self._listed: list[FileEntry] = []
        self._places: dict[FileEntry, int] = {}
        self._coming: OrderedDict[FileEntry, Future[bytearray] | bytes] = OrderedDict()
        self._size = 0

    def listed(self, file: FileEntry) -> None:
        """Take note of a file, in the order of the listing."""
        if 0 < file.size <= TINY:
            with self._lock:
                if len(self._listed) >= _MAX_LISTED:
                    self._listed.clear()
                    self._places.clear()
                self._places[file] = len(self._listed)
                self._listed.append(file)

    def arrived(self, file: FileEntry, data: bytes) -> None:
        """Keep the bytes of a file that was taken, which are smaller than what they came in."""
        with self._lock:
            if file in self._coming:
                self._coming[file] = data

    def take(self, file: FileEntry) -> "Future[bytearray] | bytes":
        """Return what is or will be the bytes of `file`; where it is read in sequence, ask for those behind it."""
        with self._lock:
            place = self._places.get(file, -1)
            before = self._listed[max(0, place - _STEP) : max(0, place)]
            coming = self._coming.get(file) or self._keep(file)
            if any(each in self._coming for each in before):
                for neighbour in self._listed[place + 1 : place + 1 + _AHEAD]:
                    if neighbour not in self._coming:
                        self._keep(neighbour)
            return coming

    def _keep(self, file: FileEntry) -> "Future[bytearray]":
        coming = self._coming[file] = self._start(file)
        self._size += file.size + _OVERHEAD
        while self._size > _MAX_KEPT:
            dropped, _ = self._coming.popitem(last=False)  # whoever has asked for it still gets it
            self._size -= dropped.size + _OVERHEAD
        return coming
