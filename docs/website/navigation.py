"""The navigation of the site, from the page that lists all others."""

import json
import re
from typing import Any

_HEADING = re.compile(r"(#{1,3}) (.+)")
_ITEM = re.compile(r"(?:-|\d+\.) \[(?P<title>.+?)\]\((?P<target>[^)#]+\.md)\)")


def navigation(index: str) -> str:
    """Return the nav of the generator, as TOML, for the sections and lists of links of an index page.

    A heading of level 2 is a section, one of level 3 a section in it, each item that begins with a link to a page is
    that page; numbered items keep their numbers.
    """
    top: list[Any] = [{"mltrust": "index.md"}]
    section = inner = top
    for line in index.splitlines():
        if found := _HEADING.match(line):
            level, title = len(found[1]), found[2]
            if level == 2:  # noqa: PLR2004  # a heading
                section = inner = []
                top.append({title: section})
            elif level == 3:  # noqa: PLR2004  # a heading
                inner = []
                section.append({title: inner})
        elif found := _ITEM.match(line):
            number = line.partition(" ")[0] if line[0].isdigit() else ""
            inner.append({f"{number} {_plain(found['title'])}".strip(): found["target"]})
    return _toml([item for item in top if next(iter(item.values()))])


def _plain(title: str) -> str:
    return title.replace("`", "")


def _toml(value: Any) -> str:  # noqa: ANN401  # a tree of lists and tables
    """Write a tree as TOML in one line; its strings are those of JSON."""
    if isinstance(value, list):
        return f"[{', '.join(map(_toml, value))}]"
    if isinstance(value, dict):
        return f"{{ {', '.join(f'{json.dumps(key)} = {_toml(below)}' for key, below in value.items())} }}"
    return json.dumps(value)
