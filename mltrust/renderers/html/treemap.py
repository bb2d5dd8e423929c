"""The whole artifact as nested rectangles: layers, in them modules, in them tensors, each as large as its bytes."""

from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

from rich.filesize import decimal

from mltrust.core.names import shown
from mltrust.renderers.html.census import Census, Home, Tally
from mltrust.renderers.html.statuses import Status, gravest

WIDTH, HEIGHT = 1200.0, 640.0
"""Of the drawing, in units that are pixels where it is as wide as that."""

LEAST = 100.0
"""The area from which on something is drawn by itself."""

_TEXT_WIDTH, _TEXT_HEIGHT = 70.0, 14.0  # of a rectangle that has room for its name
_HEADER = 17.0
_GAP = 1.5
_NARROW = 6.0  # what is no wider is not divided
_LETTER = 6.7
_MOST = 300  # rectangles side by side
_FLOOR = 40.0  # the area that is given to what differs, however small it is
_MAX_NAME = 200


class Box(NamedTuple):
    """A rectangle: where it is, what it is drawn as, what is told of it, and the name that stands in it."""

    x: float
    y: float
    width: float
    height: float
    style: str
    title: str
    label: str


@dataclass(frozen=True, slots=True)
class _Node:
    """What a rectangle stands for; its names are as they are, since few of many nodes are drawn."""

    label: str
    name: str
    size: int
    status: Status
    children: Sequence["_Node"] = ()
    is_group: bool = False

    @property
    def title(self) -> str:
        """What is told of it."""
        name = self.name if len(self.name) <= _MAX_NAME else f"{self.name[:_MAX_NAME]}..."
        return f"{shown(name)}: {decimal(self.size)}, {self.status}"


def large_in(size: int) -> float:
    """Return how many bytes a piece of an artifact of `size` bytes has at least that is drawn by itself."""
    return size * LEAST / (WIDTH * HEIGHT)


def boxes(census: Census) -> Iterator[Box]:
    """Yield the rectangles, outer ones before what they hold."""
    yield from _placed(_nodes(census), 0.0, 0.0, WIDTH, HEIGHT)


def _nodes(census: Census) -> list[_Node]:
    groups: dict[tuple[bool, str], list[Home]] = defaultdict(list)
    for home in census.tallies:
        groups[home.is_model, home.group].append(home)
    nodes = [
        _node(name, [_module(census, home) for home in homes], is_group=True) for (_, name), homes in groups.items()
    ]
    return [*nodes, *_merged(census.unseen, "not drawn by name")]


def _module(census: Census, home: Home) -> _Node:
    prefix = f"{home.module}{'.' if home.is_model else '/'}" if home.module else ""
    pieces = [_Node(f"{prefix}{each.label}", each.name, each.size, each.status) for each in census.large[home]]
    return _node(home.module, [*pieces, *_merged(census.small[home], f"small, in {home.module or home.group}")])


def _node(name: str, children: Sequence[_Node], *, is_group: bool = False) -> _Node:
    size, status = sum(child.size for child in children), gravest(child.status for child in children)
    return _Node(name, name, size, status, children, is_group)


def _merged(tally: Tally, what: str) -> Iterator[_Node]:
    for status in sorted(tally.counts):
        number = tally.counts[status]
        yield _Node(f"{number:,} small", f"{number:,} {what}", tally.bytes[status], status)


def _placed(nodes: Iterable[_Node], x: float, y: float, width: float, height: float) -> Iterator[Box]:
    """Divide a rectangle among nodes, and each of theirs among what they hold."""
    import squarify

    weights, drawn = _condensed(nodes, width * height)
    sizes = squarify.normalize_sizes(weights, width, height) if drawn else []
    for node, place in zip(drawn, squarify.squarify(sizes, x, y, width, height), strict=True):
        yield from _drawn(node, place["x"], place["y"], place["dx"], place["dy"])


def _drawn(node: _Node, x: float, y: float, width: float, height: float) -> Iterator[Box]:
    width, height = max(width - _GAP, 0.5), max(height - _GAP, 0.5)
    named = width > _TEXT_WIDTH and height > _TEXT_HEIGHT
    if not node.children or width * height < LEAST or min(width, height) < _NARROW:
        yield Box(x, y, width, height, node.status, node.title, _fitting(node.label, width) if named else "")
        return
    header = _HEADER if node.is_group and named and height > 2 * _HEADER else 0.0
    yield Box(x, y, width, height, "group", node.title, _fitting(node.label, width) if header else "")
    yield from _placed(node.children, x + _GAP, y + header + _GAP, width - _GAP, height - header - _GAP)


def _condensed(nodes: Iterable[_Node], area: float) -> tuple[list[float], list[_Node]]:
    """Return what is drawn, the largest first, and how large: of each status, all that is too small is one node."""
    ordered = sorted(nodes, key=lambda node: (-node.size, node.label, node.status))
    unit = sum(node.size for node in ordered) / area or 1.0
    large = [node for node in ordered[:_MOST] if node.size >= LEAST * unit]
    rest: dict[Status, list[_Node]] = defaultdict(list)
    for node in ordered[len(large) :]:
        rest[node.status].append(node)
    pairs = [(float(node.size), node) for node in large]
    for status in sorted(rest):
        node = _together(rest[status])
        pairs.append((max(float(node.size), 0.0 if status is Status.SAME else _FLOOR * unit), node))
    pairs = sorted((pair for pair in pairs if pair[0]), key=lambda pair: -pair[0])
    return [weight for weight, _ in pairs], [node for _, node in pairs]


def _together(nodes: Sequence[_Node]) -> _Node:
    if len(nodes) == 1:
        return replace(nodes[0], children=())
    size = sum(node.size for node in nodes)
    return _Node(f"{len(nodes):,} small", f"{len(nodes):,} small ones", size, nodes[0].status)


def _fitting(label: str, width: float) -> str:
    """Return the end of a name, which tells most, as far as there is room for it."""
    room = int((width - 8) / _LETTER)
    text = shown(label[-room - 1 :])
    return text if len(text) <= room else f"…{text[len(text) - room + 1 :]}"
