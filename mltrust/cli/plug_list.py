"""The list of plugs, for people and programs."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import groupby

from mltrust.core.canonical import Json
from mltrust.core.names import printable, shown
from mltrust.registry import Plug
from mltrust.renderers.json_v1 import document
from mltrust.renderers.styled import Text


@dataclass(frozen=True)
class Found:
    """A plug, and why it cannot be imported, where that was `checked`."""

    plug: Plug
    trouble: str | None
    checked: bool

    def to_json(self) -> dict[str, Json]:
        """Return it as a JSON value."""
        plug = self.plug
        return {
            "kind": plug.kind,
            "name": plug.name,
            "target": plug.target,
            "distribution": plug.distribution,
            "version": plug.version,
            "extras": list(plug.extras),
            "missing": list(plug.missing),
            "claimed_by": list(plug.claimed_by),
            "loads": not self.trouble if self.checked else None,
            "trouble": self.trouble,
        }


def as_json(found: Sequence[Found]) -> str:
    """Return one JSON document."""
    return document("plugins", {"plugins": [each.to_json() for each in found]})


def as_text(found: Sequence[Found]) -> Text:
    """Return the plugs of each kind under its name."""
    return Text.lines(_lines(found))


def _lines(found: Sequence[Found]) -> Iterator[Text]:
    names = max((len(shown(each.plug.name)) for each in found), default=0)
    packages = max((len(_package(each.plug)) for each in found), default=0)
    for kind, plugs in groupby(found, key=lambda each: each.plug.kind):
        yield Text(kind, style="bold")
        for each in plugs:
            plug = each.plug
            what = f"  {shown(plug.name):<{names}}  {_package(plug):<{packages}}  "
            yield Text.assemble(what, (shown(plug.target), "dim"))
            yield from (Text(f"{' ' * (names + 4)}{said}", style=style) for said, style in _remarks(each))


def _package(plug: Plug) -> str:
    return f"{shown(plug.distribution)} {shown(plug.version)}"


def _remarks(found: Found) -> Iterator[tuple[str, str]]:
    plug = found.plug
    if plug.missing:
        how = f"pip install '{plug.distribution}[{','.join(plug.extras)}]'"
        yield printable(f"lacks {', '.join(plug.missing)}: {how}"), "yellow"
    for other in plug.claimed_by:
        yield printable(f"its name is claimed by {other}, too: uninstall one of the two packages"), "bold red"
    if found.trouble:
        yield printable(f"cannot be imported: {found.trouble}"), "bold red"
