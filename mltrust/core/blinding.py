"""Blinding: a salt in the leaf of every record, so that its hash tells nobody who only guesses whether he is right.

While an artifact is sealed, the salts of a file are drawn from one secret of 32 random bytes: the keyed BLAKE3 of the
file's path, extended to 32 bytes a record. So whoever reads the records, in whatever order of files, needs no place to
leave salts at, and no temporary file ever holds one. The secret is forgotten once the salts are written: what is then
left of one salt that is erased is nothing, since no other salt tells of it.
"""

from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Protocol

from blake3 import blake3

from mltrust.core.digest import DIGEST_SIZE
from mltrust.core.leaf import SALT_SIZE, Leaf
from mltrust.core.merkle import leaf_hashes
from mltrust.core.records import Batch
from mltrust.errors import UsageError

NO_SALT = bytes(SALT_SIZE)
"""What stands where a salt was erased."""

_NO_LEAF = bytes(DIGEST_SIZE)  # the hash of no leaf: of a record that there is no salt for

Take = Callable[[int, int], bytes]
"""Returns the salts of so many records from an index on, side by side; fewer where there are no more."""


class Salts(Protocol):
    """The salts of the records of one file."""

    def opened(self) -> AbstractContextManager[Take]:
        """Open them to be taken."""


@dataclass(frozen=True)
class DrawnSalts:
    """Salts that are made of a secret of 32 bytes, and kept nowhere."""

    secret: bytes = field(repr=False)
    path: str

    @contextmanager
    def opened(self) -> Iterator[Take]:
        """Draw them."""
        drawn = blake3(self.path.encode("utf-8"), key=self.secret)
        yield lambda start, count: drawn.digest(length=count * SALT_SIZE, seek=start * SALT_SIZE)


@dataclass(frozen=True)
class Blinded:
    """How the records of one file are blinded.

    `salts` are None where they are not here. `erased` are the hashes of the leaves of erased records by their index,
    and `sealed` is the leaf of the file that a seal states; None while the file is being sealed.
    """

    salts: Salts | None
    erased: Mapping[int, bytes] = field(default_factory=dict)
    sealed: Leaf | None = None

    def size(self, found: int) -> int:
        """Return the size of the file, found to have so many bytes: once something is erased, only a seal knows."""
        return self.sealed.size if self.sealed is not None and self.erased else found


@dataclass(frozen=True)
class Blinding:
    """How the files of records of an artifact are blinded: those in `files`, and all others by the `secret`, if any."""

    files: Mapping[str, Blinded] = field(default_factory=dict)
    secret: bytes = field(default=b"", repr=False)

    def of(self, path: str) -> Blinded | None:
        """Return how the file `path` is blinded; None if it is not."""
        drawn = Blinded(DrawnSalts(self.secret, path)) if self.secret else None
        return self.files.get(path, drawn)

    def __reduce__(self) -> tuple[object, ...]:
        """Refuse to travel with salts: another machine has no business with them."""
        if not self.files and not self.secret:
            return Blinding, ()
        raise away()


def away() -> UsageError:
    """Return the error of whoever would send salts elsewhere."""
    hint = "Leave --engine out: what is blinded is read on this machine."
    return UsageError("salts do not leave this machine, and this engine reads on others", hint=hint)


class Veil:
    """Makes the hashes of the leaves of a file out of its records, as they come, their salts, and what was erased.

    Without salts (`take` is None) it makes those of a file that is not blinded.
    """

    def __init__(self, take: Take | None = None, erased: Mapping[int, bytes] = MappingProxyType({})) -> None:
        self._take, self._erased, self._gaps = take, erased, sorted(erased)
        self._at = 0

    def hashes(self, batch: Batch) -> bytes:
        """Return the hashes of the leaves of `batch`, and of those erased before and within it."""
        if self._take is None:
            return batch.hashes()
        found, done = [], 0
        while done < len(batch.sizes):
            found.append(self._erased_here())
            count = min(self._until_next_gap(), len(batch.sizes) - done)
            found.append(self._present(batch, done, self._take(self._at, count), count))
            done += count
        return b"".join(found)

    def rest(self) -> bytes:
        """Return the hashes of what was erased after the last record; once, at the end."""
        return self._erased_here()

    def place(self, index: int) -> int:
        """Return the place, among the records that are still there, of one with this index in the seal."""
        return index - bisect_left(self._gaps, index)

    def index(self, place: int) -> int:
        """Return the index in the seal of the record at this place."""
        for gap in self._gaps:
            if gap > place:
                break
            place += 1
        return place

    def salted(self, leaf: Leaf, index: int) -> Leaf:
        """Return the leaf of a record with its salt, if it has one."""
        return leaf if self._take is None else leaf._replace(salt=self._take(index, 1))

    def _erased_here(self) -> bytes:
        start = self._at
        while self._at in self._erased:
            self._at += 1
        return b"".join(self._erased[index] for index in range(start, self._at))

    def _until_next_gap(self) -> int:
        after = bisect_left(self._gaps, self._at)
        return self._gaps[after] - self._at if after < len(self._gaps) else 2**63

    def _present(self, batch: Batch, start: int, salts: bytes, count: int) -> bytes:
        self._at += count
        salted = len(salts) // SALT_SIZE
        return leaf_hashes(batch.part(start, start + salted).blinded(salts)) + _NO_LEAF * (count - salted)


@contextmanager
def veiled(how: Blinded | None) -> Iterator[Veil]:
    """Open what makes the hashes of the records of a file that is blinded so, or not at all."""
    if how is None or how.salts is None:
        yield Veil()
    else:
        with how.salts.opened() as take:
            yield Veil(take, how.erased)
