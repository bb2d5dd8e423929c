"""Which layers differ: of each numbered stack of a model a table, layers by modules."""

from collections import defaultdict
from collections.abc import Collection, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass
from typing import TypeVar

from mltrust.core.names import count, shown
from mltrust.renderers.findings import short
from mltrust.renderers.html.census import Census, Home, Tally
from mltrust.renderers.html.statuses import Status

MAX_STACKS, MAX_LAYERS, MAX_MODULES, MAX_OUTSIDE = 12, 128, 24, 40
"""What is shown of a model at most: what differs first."""

_MAX_NAME = 120
_MAX_RUNS = 20

K = TypeVar("K", int, str)


@dataclass(frozen=True, slots=True)
class Cell:
    """What became of the tensors of one module in one layer."""

    status: Status
    words: str


@dataclass(frozen=True, slots=True)
class Row:
    """One layer; None where it has no such module."""

    label: str
    cells: Sequence[Cell | None]


@dataclass(frozen=True, slots=True)
class Stack:
    """One numbered stack of layers: its modules, its layers, and what is to be seen in them, in words."""

    name: str
    modules: Sequence[str]
    rows: Sequence[Row]
    summary: str
    more: str


@dataclass(frozen=True, slots=True)
class Grid:
    """All stacks, and the modules that belong to no layer; `more` says what there is no room for."""

    stacks: Sequence[Stack]
    outside: Sequence[Row]
    more: Sequence[str]


def grid_of(census: Census) -> Grid:
    """Return the tensors of an artifact by layer and module."""
    stacks: dict[str, dict[Home, Tally]] = defaultdict(dict)
    outside: dict[str, Tally] = defaultdict(Tally)
    for home, tally in census.tallies.items():
        if home.is_model and home.layer is not None:
            stacks[home.path][home] = tally
        elif home.is_model:
            outside[f"{home.path}.{home.module}" if home.module else home.path].add_all(tally)
    whole = {name: Tally.of(homes.values()) for name, homes in stacks.items()}
    names, others = _foremost(whole, MAX_STACKS), _foremost(outside, MAX_OUTSIDE)
    return Grid(
        [_stack(name, stacks[name]) for name in names],
        [Row(_name(name), [_cell(outside[name])]) for name in others],
        [*_more(whole, names, "stack of layers", "stacks of layers"), *_more(outside, others, "module", "modules")],
    )


def _stack(name: str, homes: Mapping[Home, Tally]) -> Stack:
    layers: dict[int, dict[str, Tally]] = defaultdict(lambda: defaultdict(Tally))
    modules: dict[str, Tally] = defaultdict(Tally)
    for home, tally in homes.items():
        layers[home.layer or 0][home.module].add_all(tally)
        modules[home.module].add_all(tally)
    by_layer = {number: Tally.of(found.values()) for number, found in layers.items()}
    columns, numbers = _foremost(modules, MAX_MODULES), _foremost(by_layer, MAX_LAYERS)
    rest = modules.keys() - set(columns)
    rows = [Row(str(number), [*_cells(layers[number], columns, rest)]) for number in numbers]
    titles = [*(_name(column) for column in columns), *([f"{len(rest):,} others"] if rest else [])]
    more = " ".join(_more(by_layer, numbers, "layer", "layers"))
    return Stack(_name(name), titles, rows, _summary(by_layer), more)


def _cells(found: Mapping[str, Tally], columns: Sequence[str], rest: Set[str]) -> Iterator[Cell | None]:
    yield from (_cell(found[column]) if column in found else None for column in columns)
    if rest:
        others = [tally for module, tally in found.items() if module in rest]
        yield _cell(Tally.of(others)) if others else None


def _cell(tally: Tally) -> Cell:
    if len(tally.counts) == 1:
        return Cell(tally.status, f"{tally.status}, {count(tally.total, 'tensor')}")
    return Cell(tally.status, ", ".join(f"{tally.counts[each]:,} {each}" for each in Status if each in tally.counts))


def _foremost(tallies: Mapping[K, Tally], limit: int) -> list[K]:
    """Return the keys in order; of more than there is room for, those of what differs before others."""
    if len(tallies) <= limit:
        return sorted(tallies)
    return sorted(sorted(tallies, key=lambda key: (not tallies[key].differing, key))[:limit])


def _more(tallies: Mapping[K, Tally], listed: Collection[K], one: str, many: str) -> Iterator[str]:
    """Say how many there is no room for, and how many of them differ."""
    rest = tallies.keys() - set(listed)
    if rest:
        differing = sum(1 for key in rest if tallies[key].differing)
        yield f"And {len(rest):,} more {one if len(rest) == 1 else many}, of which {differing:,} differ."


def _summary(layers: Mapping[int, Tally]) -> str:
    """Say which layers differ, and which do not."""
    differing = [number for number in sorted(layers) if layers[number].differing]
    same = [number for number in sorted(layers) if not layers[number].differing]
    if not differing:
        return "No layer differs."
    if not same:
        return "All layers differ."
    return f"{_layers(differing)} {'differs' if len(differing) == 1 else 'differ'}; {_layers(same).lower()} the same."


def _layers(numbers: Sequence[int]) -> str:
    """Name layers, those in a row by the first and the last."""
    runs: list[list[int]] = []
    for number in numbers:
        if runs and number == runs[-1][-1] + 1:
            runs[-1].append(number)
        else:
            runs.append([number])
    said = [str(run[0]) if len(run) == 1 else f"{run[0]}–{run[-1]}" for run in runs]  # noqa: RUF001  # a range
    more = f" and {len(said) - _MAX_RUNS:,} more runs" if len(said) > _MAX_RUNS else ""
    return f"{'Layer' if len(numbers) == 1 else 'Layers'} {', '.join(said[:_MAX_RUNS])}{more}"


def _name(name: str) -> str:
    return short(shown(name), _MAX_NAME) or "(itself)"
