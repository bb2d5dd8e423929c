"""The pages of the documentation, cut into what `test_examples.py` runs and checks."""

import re
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
TOP = ("README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md")

_FENCE = re.compile(r"^(?P<indent> *)```(?P<language>[\w+-]*)[^\n]*\n(?P<body>.*?)^(?P=indent)```\s*$", re.M | re.S)
_CODE = re.compile(r"`[^`\n]*`")
_NEEDS = re.compile(r"^<!-- needs: (?P<commands>[^>]+?) -->$", re.M)
_NOT_RUN = re.compile(r"<!-- not run: (?P<why>[^>]+?) -->\s*\Z")
_FILE = re.compile(r"\A# file: (?P<name>[\w./-]+)\n")
_EXIT = re.compile(r"\s# exit (?P<code>\d+)\s*$")
_LINK = re.compile(r"(?<!!)\[[^\]]*\]\(<?([^)\s>]+)>?\)|^\[[^\]]+\]: (\S+)$", re.M)
_HEADING = re.compile(r"^#{1,6} +(.+?) *#*$", re.M)
_USES_MODEL = re.compile(r"""(?<![\w./-])model(?=[/\s"'])""")
_SHELLS = ("sh", "shell", "bash")
_PROMPT, _MORE = "$ ", "> "


@dataclass
class Command:
    """What is typed at one prompt, the output shown below it, and the exit code it must end with."""

    line: int
    text: str
    shown: list = field(default_factory=list)

    @property
    def exit_code(self):
        found = _EXIT.search(self.text)
        return int(found["code"]) if found else 0


@dataclass
class Block:
    """A fenced block without its indent, and the line of the page it begins at."""

    line: int
    language: str
    text: str
    not_run: str | None

    @property
    def file(self):
        """The file the block is the content of, if its first line names one."""
        found = _FILE.match(self.text)
        return found["name"] if found else None

    @property
    def is_shell(self):
        prompts = self.language in _SHELLS and re.search(r"^\$ ", self.text, re.M) is not None
        return self.file is None and (self.language == "console" or prompts)

    @property
    def runs(self):
        return self.not_run is None and (self.is_shell or self.language == "python" or self.file is not None)

    def commands(self):
        """Cut a block into commands; without a prompt nothing would be run, so that is a mistake of the page."""
        found = []
        for number, line in enumerate(self.text.splitlines(), self.line + 1):
            if line.startswith(_PROMPT):
                found.append(Command(number, line[len(_PROMPT) :]))
            elif found and line.startswith(_MORE) and not found[-1].shown:
                found[-1].text += "\n" + line[len(_MORE) :]
            elif found:
                found[-1].shown.append(line)
            else:
                raise ValueError(f"line {number}: a block of commands begins with a prompt ('$ ')")
        return found


class Page:
    """A Markdown file."""

    def __init__(self, path):
        self.path = path
        self.text = path.read_text(encoding="utf-8")
        self.name = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.name

    @cached_property
    def blocks(self):
        found = []
        for fence in _FENCE.finditer(self.text):
            indent = len(fence["indent"])
            lines = fence["body"].splitlines(keepends=True)
            body = "".join(line[indent:] if line.strip() else "\n" for line in lines)
            skip = _NOT_RUN.search(self.text[: fence.start()])
            line = self.text.count("\n", 0, fence.start()) + 1
            found.append(Block(line, fence["language"], body, skip["why"] if skip else None))
        return found

    @property
    def run(self):
        """The blocks with which the runner does something."""
        return [block for block in self.blocks if block.runs]

    @property
    def needs(self):
        """The commands without which the page is not run."""
        return [command for found in _NEEDS.findall(self.prose) for command in found.split()]

    @property
    def uses_model(self):
        return any(_USES_MODEL.search(block.text) for block in self.run)

    @cached_property
    def prose(self):
        return _FENCE.sub("", self.text)

    @property
    def links(self):
        """Where the links lead that leave no doubt: relative ones, as (path, heading)."""
        targets = [unquote(one or other) for one, other in _LINK.findall(_CODE.sub("", self.prose))]
        relative = [target for target in targets if not re.match(r"[a-z][a-z0-9+.-]*:", target)]
        return [(self._resolved(path), heading) for path, _, heading in (link.partition("#") for link in relative)]

    def _resolved(self, path):
        return (self.path.parent / path).resolve() if path else self.path

    @cached_property
    def headings(self):
        """The ids that GitHub gives headings."""
        found = set()
        for heading in _HEADING.findall(self.prose):
            plain = re.sub(r"\[([^\]]*)\]\([^)]*\)", r"\1", heading)
            slug = unique = re.sub(r"[^\w\- ]", "", plain.lower()).replace(" ", "-")
            number = 0
            while unique in found:
                number += 1
                unique = f"{slug}-{number}"
            found.add(unique)
        return found


def _all_pages():
    top = [ROOT / name for name in TOP]
    return [Page(path) for path in (*top, *sorted((ROOT / "docs").rglob("*.md"))) if path.exists()]


def pytest_generate_tests(metafunc):
    """Give `page` every page, `page_with_examples` those with something to run."""
    pages = _all_pages()
    if "page" in metafunc.fixturenames:
        metafunc.parametrize("page", pages, ids=[page.name for page in pages])
    if "page_with_examples" in metafunc.fixturenames:
        pages = [page for page in pages if page.run]
        metafunc.parametrize("page_with_examples", pages, ids=[page.name for page in pages])


@pytest.fixture
def all_pages():
    return _all_pages()


@pytest.fixture
def read_page():
    """Read any Markdown file as a page."""
    return Page
