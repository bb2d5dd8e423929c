"""Where values come from, for people and programs."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from mltrust.core.canonical import Json
from mltrust.core.names import printable
from mltrust.renderers.json_v1 import document
from mltrust.renderers.styled import Text

_WIDEST = 36  # characters; a longer name moves what follows


@dataclass(frozen=True)
class File:
    """A file that was looked for: what it would hold, where, and whether it is there."""

    what: str
    path: str
    found: bool


@dataclass(frozen=True)
class Setting:
    """A value, and the environment variable or the file it comes from; neither is the default.

    In a file, its name is its key. `hidden`: something of it is left out, and all of it where the value is None.
    """

    name: str
    value: Json
    hidden: bool = False
    variable: str | None = None
    file: str | None = None

    @property
    def origin(self) -> str:
        """Return the kind of its origin."""
        return "environment" if self.variable else "file" if self.file else "default"


@dataclass(frozen=True)
class Origins:
    """The files that were looked for, and all values."""

    files: Sequence[File]
    settings: Sequence[Setting]


def as_json(found: Origins) -> str:
    """Return one JSON document."""
    files: list[Json] = [{"what": each.what, "path": each.path, "found": each.found} for each in found.files]
    settings: list[Json] = [
        {
            "name": each.name,
            "value": each.value,
            "hidden": each.hidden,
            "origin": each.origin,
            "variable": each.variable,
            "file": each.file,
        }
        for each in found.settings
    ]
    return document("configuration", {"files": files, "settings": settings})


def as_text(found: Origins) -> Text:
    """Return a line for each file, then one for each value."""
    return Text.lines(_lines(found))


def _lines(found: Origins) -> Iterator[Text]:
    for file in found.files:
        yield Text.assemble(
            f"{file.what:<14} {printable(file.path)}  ", ("found" if file.found else "not there", "dim")
        )
    yield Text("")
    width = min(max(len(each.name) for each in found.settings), _WIDEST)
    for each in found.settings:
        origin = each.variable or each.file or each.origin
        yield Text.assemble(f"{printable(each.name):<{width}}  {printable(_told(each))}  ", (printable(origin), "dim"))


def _told(setting: Setting) -> str:
    if setting.value is None:
        return "(hidden)" if setting.hidden else "(none)"
    return setting.value if isinstance(setting.value, str) else json.dumps(setting.value, ensure_ascii=False)
