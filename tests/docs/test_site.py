"""The site is built of the same pages: whole, without a dead link, asking no other host, and reading as on GitHub."""

import re
import runpy
import shutil
from collections import Counter
from html.parser import HTMLParser
from pathlib import Path

import pytest

pytest.importorskip("zensical")
markdown_it = pytest.importorskip("markdown_it")

ROOT = Path(__file__).parents[2]
COUNTED = ("h1", "h2", "h3", "h4", "pre", "table", "tr", "li", "img", "blockquote", "ol", "ul", "strong", "em", "hr")


@pytest.fixture(scope="module")
def website():
    return runpy.run_path(str(ROOT / "docs/website"))


@pytest.fixture(scope="module")
def site(website, tmp_path_factory):
    """Build the site as `make docs` does; it exits where a link is dead or another host would be asked."""
    return website["build"](tmp_path_factory.mktemp("site"))


class Counted(HTMLParser):
    """How often each element occurs in a rendered page; in a built one, inside its article."""

    def __init__(self, text):
        super().__init__()
        self.counts, self.depth, self.whole = Counter(), 0, "<article" not in text
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.depth += tag == "article"
        if self.whole or self.depth:
            self.counts[tag] += tag in COUNTED

    def handle_endtag(self, tag):
        self.depth -= tag == "article"


def test_every_page_is_built_and_reads_as_on_github(site, all_pages):
    as_github = markdown_it.MarkdownIt("gfm-like", {"linkify": False})
    differ = []
    for page in all_pages:
        if page.name == "README.md":
            continue
        place = page.name.removeprefix("docs/") if page.name.startswith("docs/") else f"project/{page.name.lower()}"
        built = site / place.replace("README.md", "index.md").replace(".md", ".html")
        theirs, ours = (Counted(text).counts for text in (as_github.render(page.text), built.read_text("utf-8")))
        differ += [f"{page.name}: {tag} {theirs[tag]} times on GitHub, {ours[tag]} on the site"
                   for tag in COUNTED if theirs[tag] != ours[tag]]  # fmt: skip
    assert not differ, "\n".join(differ)


def test_every_page_is_in_the_navigation(website, all_pages):
    nav = website["navigation"]((ROOT / "docs/index.md").read_text("utf-8"))
    pages = [page.name.removeprefix("docs/") for page in all_pages if page.name.startswith("docs/")]
    assert [name for name in pages if f'"{name}"' not in nav] == []


def test_sections_of_the_index_are_those_of_the_site(site):
    text = (site / "index.html").read_text("utf-8")
    tabs = re.findall(r'<a href="([^"]+)" class="md-tabs__link">\s*(.+?)\s*</a>', text)
    assert ("./tutorial.html", "Learn") in tabs
    assert [title for _, title in tabs][1:] == ["Learn", "Do", "Look up", "Understand", "Project"]


def test_links_that_leave_the_documentation_lead_to_the_repository(site):
    vectors = "https://github.com/mltrust/mltrust/tree/main/tests/vectors"
    assert f'href="{vectors}"' in (site / "format.html").read_text("utf-8")
    assert 'href="project/security.html"' in (site / "threat-model.html").read_text("utf-8")
    assert "Content-Security-Policy" in (site / "how-to/sign.html").read_text("utf-8")


@pytest.mark.parametrize("link", ["[x](nothing.md)", "[x](index.md#nowhere)", "[x](../nothing/)", "![x](none.png)"])
def test_a_broken_link_breaks_the_build(website, tmp_path, link):
    shutil.copytree(ROOT / "docs/website/overrides", tmp_path / "root/docs/website/overrides")
    shutil.copy(ROOT / "zensical.toml", tmp_path / "root")
    (tmp_path / "root/docs/index.md").write_text(f"# Title\n\n{link} `[not](a-link.md)`\n")
    (tmp_path / "built").mkdir()
    with pytest.raises(SystemExit, match=r"index\.(md|html)"):
        website["build"](tmp_path / "built", root=tmp_path / "root")


def test_what_would_be_asked_of_another_host_is_named(website, tmp_path):
    good = '<a href="https://example.com/">a reader may go there</a><img src="data:,"><p id="here"></p><a href="#here">'
    (tmp_path / "good.html").write_text(good)
    assert website["problems"](tmp_path) == []
    for number, bad in enumerate((
        '<script src="https://example.com/a.js">', '<link rel="preconnect" href="//example.com">',
        '<img srcset="https://example.com/a.png 2x">', '<p style="background: url(https://example.com/a.png)">',
        '<svg><image href="https://example.com/a.png">',
    )):  # fmt: skip
        (tmp_path / f"{number}.html").write_text(bad)
    (tmp_path / "a.css").write_text("@import 'https://example.com/a.css'; p { src: url( \"https://example.com/f\" ) }")
    found = website["problems"](tmp_path)
    assert {each.partition(":")[0] for each in found} == {"a.css", *(f"{number}.html" for number in range(5))}
    assert len([each for each in found if each.startswith("a.css")]) == 2
