"""Plugs by name: entry points in the groups `mltrust.<kind>`, imported only when somebody names one."""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from mltrust.errors import UsageError

_installed = cache(entry_points)  # looks through every package, which takes long, and more than one kind is needed


def names(kind: str) -> list[str]:
    """Return the names of the plugs of one `kind`, sorted."""
    return sorted(_plugs(kind))


def load(kind: str, name: str) -> Any:  # noqa: ANN401  # each kind has its own socket
    """Import and return the plug class called `name`; an unknown name is the caller's error."""
    plugs = _plugs(kind)
    if name not in plugs:
        raise UsageError(f"no {kind.rstrip('s')} is called {ascii(name)[:80]}", hint=f"There are: {', '.join(plugs)}.")
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
