"""Plugs by name: entry points in the groups `mltrust.<kind>`, imported only when somebody names one.

An entry point may name the extra of its package that brings what it needs: `s3 = "package.module:Class [remote]"`.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.metadata import Distribution, EntryPoint, PackageNotFoundError, distribution, entry_points
from typing import Any

from mltrust.errors import UsageError

KINDS = ("sources", "readers", "engines", "anchors", "signers", "renderers", "exports")
_FORMATS = ("renderers", "exports")  # what their names are called on a command line

_NEEDED = re.compile(r"([A-Za-z0-9._-]+)[^;]*;\s*extra\s*==\s*['\"]([^'\"]+)['\"]\s*")

_installed = cache(entry_points)  # looks through every package, which takes long, and more than one kind is needed


def names(kind: str) -> list[str]:
    """Return the names of the plugs of one `kind`, sorted."""
    return sorted(_plugs(kind))


def load(kind: str, name: str) -> Any:  # noqa: ANN401  # each kind has its own socket
    """Import and return the plug class called `name`; an unknown name is the caller's error."""
    plugs = _plugs(kind)
    if name not in plugs:
        what = "format" if kind in _FORMATS else kind.rstrip("s")
        raise UsageError(f"no {what} is called {ascii(name)[:80]}", hint=f"There are: {', '.join(plugs)}.")
    return plugs[name].load()


@cache
def _plugs(kind: str) -> dict[str, EntryPoint]:
    found: dict[str, EntryPoint] = {}
    for point in _installed().select(group=f"mltrust.{kind}"):
        if point.name in found and found[point.name].value != point.value:
            raise UsageError(
                f"{kind.rstrip('s')} {point.name!r} is claimed by {found[point.name].value} and by {point.value}",
                hint="Uninstall one of the two packages.",
            )
        found[point.name] = point
    return found


@dataclass(frozen=True)
class Plug:
    """What is known of a plug without importing it.

    `missing` are the distributions of its `extras` that are not installed; `claimed_by` are other plugs of the name.
    """

    kind: str
    name: str
    target: str
    distribution: str
    version: str
    extras: tuple[str, ...]
    missing: tuple[str, ...]
    claimed_by: tuple[str, ...]


def plugs(kind: str) -> list[Plug]:
    """Return all plugs of a `kind`, sorted by name, also those whose name is claimed twice."""
    points = {(point.name, point.value): point for point in _installed().select(group=f"mltrust.{kind}")}
    return [_plug(kind, points[key], points.values()) for key in sorted(points)]


def trouble_with(plug: Plug) -> str | None:
    """Import a plug; return why that cannot be done, None if it can. It runs code of whoever wrote it."""
    try:
        EntryPoint(plug.name, plug.target, f"mltrust.{plug.kind}").load()
    except (Exception, SystemExit) as error:  # noqa: BLE001  # whatever a plug raises
        return f"{type(error).__name__}: {error}"
    return None


def _plug(kind: str, point: EntryPoint, others: Iterable[EntryPoint]) -> Plug:
    package = point.dist
    return Plug(
        kind,
        point.name,
        _target(point),
        (package.name if package else None) or "unknown",
        (package.version if package else None) or "unknown",
        tuple(point.extras),
        tuple(_missing(package, point.extras)) if package else (),
        tuple(_target(other) for other in others if other.name == point.name and other.value != point.value),
    )


def _target(point: EntryPoint) -> str:
    return point.value.partition("[")[0].strip()


def _missing(package: Distribution, extras: Sequence[str]) -> Iterator[str]:
    """Yield what an extra needs on every machine and is not installed."""
    for needed in package.requires or ():
        found = _NEEDED.fullmatch(needed)
        if found and found[2] in extras and not _is_installed(found[1]):
            yield found[1]


def _is_installed(name: str) -> bool:
    try:
        distribution(name)
    except PackageNotFoundError:
        return False
    return True
