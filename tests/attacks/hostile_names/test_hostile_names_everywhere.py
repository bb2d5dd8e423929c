"""Names that would take over a terminal, a log, a page or a CI run, through every command and every format.

Everything is done twice: in a world full of hostile names, and in the same world with plain ones. Both must be told in
the same lines and end with the same codes, and whatever reads it must find nothing in the one that is not in the other.
"""

import json
import re
import sys
from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from html.parser import HTMLParser
from xml.etree import ElementTree

import pytest

from mltrust import registry
from mltrust.testing.hostile_names import commands, hidden

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="such names exist on POSIX only")

ELSEWHERE = {"demo": "it names all files itself, and runs other commands"}
RUNNER = {"CI": "true", "GITHUB_ACTIONS": "true", "GITLAB_CI": "true", "TF_BUILD": "True", "TERM": "dumb"}
SUMMARY = "summary.md"


def test_every_command_and_every_format_is_here(covered):
    run, in_each, there, with_formats = covered
    assert run == there - ELSEWHERE.keys()
    assert in_each >= with_formats
    assert READERS.keys() == {*registry.names("renderers"), *registry.names("exports")}


def test_all_of_it_in_ci(worlds):
    def run(world):
        environment = {**RUNNER, "GITHUB_STEP_SUMMARY": SUMMARY}
        return world.all(lambda given: world.run(given, **environment), "after", "otherwise")

    with ThreadPoolExecutor() as both:
        found = list(both.map(run, worlds))
    exactly = len(found[0]) - len(list(worlds[0].rows("otherwise")))
    for number, ((command, hostile), (row, plain)) in enumerate(zip(*found, strict=True)):
        harm = "; ".join([*harm_in(command, hostile), *(unlike(hostile, plain) if number < exactly else ())])
        assert not harm, f"{harm}: {row}: {hostile!a}"
        read_document(command, hostile[1], plain[1], worlds[0])
    texts = [(each.folder / SUMMARY).read_text() for each in worlds]
    READERS["markdown"](*texts, worlds[0])
    read_files(*worlds)


def harm_in(command, done):
    """Yield what a terminal, or the runner of a CI service, would obey in what a command said."""
    code, out, err = done
    if code not in (0, 1, 2, 3):
        yield f"it crashed: {code}"
    if found := [*hidden(out), *([] if "github" in command else commands(out))]:
        yield f"on stdout: {found}"
    if found := [*hidden(err), *commands(err)]:
        yield f"on stderr: {found}"


def unlike(done, plain):
    """Yield how it differs from what was said of plain names."""
    if done[0] != plain[0]:
        yield f"ended with {done[0]}, not {plain[0]}"
    if [text.count("\n") for text in done[1:]] != [text.count("\n") for text in plain[1:]]:
        yield f"said in other lines than {plain!a}"


def read_document(command, text, plain, world):
    """Read what is on stdout as the format that was asked for is read."""
    name = command[command.index("--format") + 1] if "--format" in command[:-1] else "text"
    if text and name in READERS and name != "text":
        READERS[name](text, plain, world)


def read_files(hostile, plain):
    """Read every document that was written."""
    read = Counter()
    for path in plain.folder.iterdir():
        name = path.suffix[1:]
        if name in READERS and (path.stem.isdigit() or path.stem == plain.worst):
            theirs = hostile.folder / path.name.replace(plain.worst, hostile.worst[:180])
            READERS[name](theirs.read_text(), path.read_text(), hostile)
            read[name] += 1
    assert read.keys() == READERS.keys()


def refuse_harm(text):
    assert hidden(text) == []
    assert commands(text) == []


def read_json(text, _plain, _world):
    assert text.isascii()
    return json.loads(text)


def read_ndjson(text, _plain, _world):
    assert text.isascii()
    return [json.loads(line) for line in text.splitlines()]


def read_text(text, plain, _world):
    refuse_harm(text)
    assert text.count("\n") == plain.count("\n")


def read_sarif(text, plain, world):
    one, other = (read_json(each, "", world)["runs"][0] for each in (text, plain))
    assert len(one["results"]) == len(other["results"])
    for result in one["results"]:
        refuse_harm(result["message"]["text"])
        assert not re.search(r"\]\(|(?<!\{)\{(?:\{\{)*(?!\{)", result["message"]["text"]), "no links, no placeholders"


def read_junit(text, plain, _world):
    one, other = (list(ElementTree.fromstring(each).iter()) for each in (text, plain))
    assert [each.tag for each in one] == [each.tag for each in other]
    for each in one:
        refuse_harm("\n".join(["", *each.attrib.values()]))
        refuse_harm(each.text or "")


def read_github(text, plain, _world):
    line = re.compile(r"::(error|warning|notice) [^:\n]*::(?:[^%\n]|%25)*\n")
    assert line.sub("", text) == ""
    assert text.count("\n") == plain.count("\n")
    assert hidden(text) == []
    assert commands(line.sub(lambda found: found[0].replace(f"::{found[1]} ", "", 1), text)) == []


def read_markdown(text, plain, _world):
    """Read as GitHub does: no element and no attribute comes of a name."""
    cmarkgfm = pytest.importorskip("cmarkgfm")
    unsafe = cmarkgfm.cmark.Options.CMARK_OPT_UNSAFE
    found = [cmarkgfm.github_flavored_markdown_to_html(each, unsafe) for each in (text, plain)]
    assert Elements(found[0]).found <= Elements(found[1]).found | {("code",), ("br",)}
    refuse_harm(text)


def read_html(text, plain, _world):
    assert Elements(text).found <= Elements(plain).found
    refuse_harm(text)


class Elements(HTMLParser):
    """The elements of a page, with the names of their attributes."""

    def __init__(self, text):
        super().__init__()
        self.found = set()
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        self.found.add((tag, *(name for name, _ in attrs)))

    def handle_comment(self, data):
        self.found.add(("comment", data))

    handle_decl = handle_pi = unknown_decl = handle_comment


def read_list(text, _plain, world):
    """Read as GNU coreutils do: each line is one file, however it is called, and no cell of a table is a formula."""
    unescaped = {r"\\": "\\", r"\n": "\n", r"\r": "\r"}
    names = set()
    for line in text.removesuffix("\n").split("\n"):
        mark, name = re.fullmatch(r"(\\?)[0-9a-f]{64}  (.+)", line).groups()
        names.add(re.sub(r"\\.", lambda found: unescaped[found[0]], name) if mark else name)
    assert names >= set(world.files)


def read_bill(text, _plain, world):
    """Read a bill of materials: every file is called as it is."""
    document = read_json(text, "", world)
    listed = document.get("components") or document["@graph"]
    assert {each.get("name") for each in listed} >= set(world.files)


READERS = {
    "text": read_text,
    "json": read_json,
    "ndjson": read_ndjson,
    "sarif": read_sarif,
    "junit": read_junit,
    "github": read_github,
    "markdown": read_markdown,
    "html": read_html,
    "dsse": read_json,
    "oms": read_json,
    "cyclonedx": read_bill,
    "spdx": read_bill,
    "sha256sum": read_list,
}
