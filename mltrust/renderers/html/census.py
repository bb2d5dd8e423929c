"""What the pieces of an artifact add up to, layer by layer and module by module.

However many pieces there are, no more is kept than a page has room for: of what is large enough to be drawn, each
piece; of everything else, counts and bytes.
"""

from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from mltrust.core.leaf import Kind
from mltrust.renderers.html.pieces import Piece
from mltrust.renderers.html.places import Place, place_of, place_of_file
from mltrust.renderers.html.statuses import Status, gravest

MAX_WALKED = 2**20
"""Pieces that are looked at one by one; of a model with more, the rest is counted in one."""

_MAX_HOMES = 2**14  # modules; of names made to be many, those that come later share one
_CROWD = Place("everything else", None, "", "")


@dataclass(slots=True)
class Tally:
    """How many pieces, and bytes of them, there are of each status."""

    counts: dict[Status, int] = field(default_factory=dict)
    bytes: dict[Status, int] = field(default_factory=dict)

    @classmethod
    def of(cls, tallies: Iterable["Tally"]) -> "Tally":
        """Return what several add up to."""
        whole = cls()
        for tally in tallies:
            whole.add_all(tally)
        return whole

    def add(self, status: Status, size: int, count: int = 1) -> None:
        """Count pieces of `size` bytes in all."""
        self.counts[status] = self.counts.get(status, 0) + count
        self.bytes[status] = self.bytes.get(status, 0) + size

    def add_all(self, other: "Tally") -> None:
        """Count what another tally has."""
        for status, count in other.counts.items():
            self.add(status, other.bytes[status], count)

    @property
    def status(self) -> Status:
        """The gravest there is."""
        return gravest(self.counts)

    @property
    def total(self) -> int:
        """The number of pieces."""
        return sum(self.counts.values())

    @property
    def differing(self) -> int:
        """The number of pieces that are not the same."""
        return self.total - self.counts.get(Status.SAME, 0)


class Home(NamedTuple):
    """A module of a model, or a folder: `is_model` tells which."""

    is_model: bool
    folder: str
    stack: str
    layer: int | None
    module: str

    @property
    def path(self) -> str:
        """What numbers its layers, and in which folder."""
        return f"{self.folder}/{self.stack}" if self.folder else self.stack

    @property
    def group(self) -> str:
        """What the layer or the folder is called."""
        return self.path if self.layer is None else f"{self.path} {self.layer}"


class Large(NamedTuple):
    """A piece that is large enough to be drawn by itself."""

    label: str
    name: str
    size: int
    status: Status


@dataclass
class Census:
    """What there is, by home; `unseen` counts what was too much to be looked at one by one."""

    tallies: dict[Home, Tally] = field(default_factory=lambda: defaultdict(Tally))
    small: dict[Home, Tally] = field(default_factory=lambda: defaultdict(Tally))
    large: dict[Home, list[Large]] = field(default_factory=lambda: defaultdict(list))
    unseen: Tally = field(default_factory=Tally)

    def add(self, piece: Piece, large: float) -> None:
        """Count a piece; one of at least `large` bytes is kept by name."""
        home, label = _home_of(piece)
        if home not in self.tallies and len(self.tallies) >= _MAX_HOMES:
            home = Home(home.is_model, "", _CROWD.stack, None, "")
        self.tallies[home].add(piece.status, piece.size)
        if piece.size >= large and piece.size:
            whole = f"{piece.path}: {piece.name}" if piece.kind is Kind.TENSOR else piece.path
            self.large[home].append(Large(label, whole, piece.size, piece.status))
        else:
            self.small[home].add(piece.status, piece.size)

    @property
    def whole(self) -> Tally:
        """All there is."""
        return Tally.of((*self.tallies.values(), self.unseen))


def census_of(pieces: Iterable[Piece], large: float) -> Census:
    """Count pieces; those of at least `large` bytes are kept by name."""
    found = Census()
    for number, piece in enumerate(pieces):
        if number < MAX_WALKED:
            found.add(piece, large)
        else:
            found.unseen.add(piece.status, piece.size)
    return found


def _home_of(piece: Piece) -> tuple[Home, str]:
    if piece.kind is Kind.TENSOR:
        place = place_of(piece.name)
        folder = piece.path.rpartition("/")[0]  # a pipeline has several models, in folders side by side
        return Home(True, folder, place.stack, place.layer, place.module), place.tensor or piece.name
    place = place_of_file(piece.path)
    label = f"{place.tensor} (header)" if piece.kind is Kind.ST_HEADER else place.tensor
    return Home(False, "", place.stack, None, place.module), label
