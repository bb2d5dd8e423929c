"""What is wrong with a built site: dead links, and anything that a page would load from another host."""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

# What a browser loads by itself. The target of `a` is where a reader goes by his own will.
_LOADED = {"src", "srcset", "poster", "data", "background", "manifest"}
_IN_STYLE = re.compile(r"""(?:url\(\s*['"]?|@import\s+['"])((?:https?:)?//[^'")\s]+)""", re.I)
_ELSEWHERE = re.compile(r"(?:https?:|wss?:)?//", re.I)


class _Page(HTMLParser):
    """What a page links to, loads, and offers as the targets of links."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.loads: list[str] = []
        self.ids: set[str] = set()
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what one element loads, links to, and is called."""
        for name, value in attrs:
            if value is None:
                continue
            if name == "id":
                self.ids.add(value)
            elif name in _LOADED or (name == "href" and tag not in {"a", "area"}):
                self.loads.append(value)
            elif name == "href":
                self.links.append(value)


def problems(site: Path) -> list[str]:
    """Return, in words, what of a built site must not be published; an empty list if nothing."""
    read = sorted(path for path in site.rglob("*") if path.suffix in {".html", ".css", ".svg"})
    texts = {path: path.read_text(encoding="utf-8") for path in read}
    pages = {path: _Page(text) for path, text in texts.items() if path.suffix == ".html"}
    return [
        f"{path.relative_to(site).as_posix()}: {each}" for path in read for each in _wrong(path, texts, pages, site)
    ]


def _wrong(path: Path, texts: dict[Path, str], pages: dict[Path, _Page], site: Path) -> Iterator[str]:
    yield from (f"a style loads {each}" for each in _IN_STYLE.findall(texts[path]))
    if path in pages:
        yield from (f"loads {each}" for each in pages[path].loads if _ELSEWHERE.match(each))
        if path.name != "404.html":  # its links are those of any depth
            yield from _dead(path, pages[path], pages, site)


def _dead(path: Path, page: _Page, pages: dict[Path, _Page], site: Path) -> Iterator[str]:
    for each in dict.fromkeys((*page.links, *page.loads)):
        parts = urlsplit(each)
        if parts.scheme or parts.netloc:
            continue
        target = (path.parent / unquote(parts.path)).resolve() if parts.path else path
        target = target / "index.html" if target.is_dir() else target
        if not target.is_relative_to(site.resolve()) or not target.is_file():
            yield f"nothing is at {each}"
        elif parts.fragment and target in pages and unquote(parts.fragment) not in pages[target].ids:
            yield f"no such place on the page: {each}"
