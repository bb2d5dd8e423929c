"""A runner of composite actions and jobs, as far as ours need one, after actions/runner and GitHub's reference.

What is taken from there: expressions are filled in before a step runs; a `run:` becomes a script that
`bash --noprofile --norc -e -o pipefail` runs; files named by GITHUB_OUTPUT and GITHUB_STEP_SUMMARY; lines of stdout and
stderr that are commands (`::name key=value::data` at the begin of a line, `##[name key=value;]data` anywhere), and
`stop-commands`; after a step failed, only those with a status function in `if:` run. Whatever it does not know is an
error, so that no expression is passed over. Steps that use actions of others are not run but noted.
"""

import os
import re
import subprocess
import sys
from contextlib import suppress
from dataclasses import dataclass, field
from functools import reduce
from pathlib import Path

import pytest
import yaml

from mltrust.testing.hostile_names import FILE_NAMES

ROOT = Path(__file__).parents[2]
ACTIONS = ROOT / ".github/actions"

_EXPRESSION = re.compile(r"\$\{\{(.*?)\}\}", re.S)
_ESCAPES = {"%0D": "\r", "%0A": "\n", "%3A": ":", "%2C": ",", "%3B": ";", "%5D": "]", "%25": "%"}
_COMMANDS = ("add-mask", "add-matcher", "add-path", "debug", "echo", "endgroup", "error", "group", "notice")
_COMMANDS += ("remove-matcher", "save-state", "set-env", "set-output", "stop-commands", "warning")


@dataclass
class Step:
    """What became of one step."""

    name: str
    outcome: str = "success"
    code: int = 0
    log: str = ""
    uses: str | None = None
    given: dict = field(default_factory=dict)
    outputs: dict = field(default_factory=dict)
    commands: list = field(default_factory=list)


@dataclass
class Ran:
    """What became of an action or a job."""

    steps: list = field(default_factory=list)
    outputs: dict = field(default_factory=dict)
    summary: str = ""

    @property
    def code(self):
        """The exit code of the first step that failed, which GitHub shows."""
        return next((step.code for step in self.steps if step.outcome == "failure"), 0)

    @property
    def log(self):
        return "".join(step.log for step in self.steps)

    @property
    def commands(self):
        return [command for step in self.steps for command in step.commands]

    def annotations(self, *levels):
        return [command for command in self.commands if command[0] in (levels or ("error", "warning", "notice"))]

    def used(self, name):
        return [step for step in self.steps if step.uses and step.uses.startswith(name)]


def _text(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


class Contexts(dict):
    """Names to values; `steps` holds outputs, `failed` tells whether a step did."""

    failed = False

    def fill(self, value):
        """Return a value of YAML with its expressions filled in."""
        return _EXPRESSION.sub(lambda found: self._evaluated(found[1].strip()), _text(value))

    def holds(self, condition):
        """Tell whether a step is to run."""
        text = str(condition or "success()").removeprefix("${{").removesuffix("}}")
        held = all(self._term(term.strip()) for term in text.split("&&"))
        return held and (not self.failed or re.search(r"\b(?:always|cancelled|failure)\(\)", text) is not None)

    def _term(self, term):
        functions = {"always()": True, "!cancelled()": True, "success()": not self.failed, "failure()": self.failed}
        if term in functions:
            return functions[term]
        found = re.fullmatch(r"(\S+) (==|!=) '([^']*)'", term)
        assert found, f"unknown condition: {term}"
        return (self._evaluated(found[1]) == found[3]) is (found[2] == "==")

    def _evaluated(self, name):
        assert re.fullmatch(r"[a-z_]+(?:\.[a-z_][a-z_-]*)+", name), f"unknown expression: {name}"
        value = self
        *path, last = name.split(".")
        for part in path:
            assert part in value, f"unknown context in {name}"
            value = value[part]
        if len(path) == 3 and path[0] == "steps":
            return value.get(last, "")  # what was not set is empty
        assert last in value, f"unknown: {name}"
        return _text(value[last])  # once: an expression in a value stays text


class Runner:
    """A machine with a workspace, on which actions run."""

    def __init__(self, folder, *first_on_path):
        if os.name == "nt":
            pytest.skip("the tests run actions as Linux and macOS do")
        self.workspace, self.temp = folder / "workspace", folder / "temp"
        self.workspace.mkdir()
        self.temp.mkdir()
        path = [*map(str, first_on_path), str(Path(sys.executable).parent), "/usr/bin", "/bin"]
        network = ("PIP_", "HTTP", "SSL_", "NO_PROXY")
        self.environment = {
            **{key: value for key, value in os.environ.items() if key.upper().startswith(network)},
            "PATH": os.pathsep.join(path),
            "HOME": str(folder),
            "LANG": "C.UTF-8",
            "GITHUB_ACTIONS": "true",
            "GITHUB_WORKSPACE": str(self.workspace),
            "RUNNER_TEMP": str(self.temp),
        }
        self._files = 0

    def action(self, action, /, **given):
        """Run the composite action of this name with inputs (`_` for `-`)."""
        return self._action(ACTIONS / action, {name.replace("_", "-"): value for name, value in given.items()})

    def job(self, job, contexts):
        """Run a job of a workflow; the actions of its checkout of mltrust are run, too."""
        ran = self._steps(job["steps"], contexts, self.environment)
        ran.outputs = {name: contexts.fill(value) for name, value in job.get("outputs", {}).items()}
        return ran

    def _action(self, folder, given):
        document = yaml.safe_load((folder / "action.yml").read_text())
        required = {name for name, each in document["inputs"].items() if each.get("required")}
        assert required <= set(given) <= set(document["inputs"])
        assert document["runs"]["using"] == "composite"
        inputs = {name: str(each.get("default", "")) for name, each in document["inputs"].items()}
        contexts = Contexts(inputs={**inputs, **given}, steps={}, runner={"temp": str(self.temp)})
        ran = self._steps(document["runs"]["steps"], contexts, {**self.environment, "GITHUB_ACTION_PATH": str(folder)})
        ran.outputs = {name: contexts.fill(each["value"]) for name, each in document["outputs"].items()}
        return ran

    def _steps(self, steps, contexts, environment):
        ran = Ran()
        for each in steps:
            step = Step(each["name"], uses=each.get("uses"))
            ran.steps.append(step)
            if not contexts.holds(each.get("if")):
                step.outcome = "skipped"
            elif step.uses:
                self._use(step, each, contexts, ran)
            else:
                self._run(step, each, contexts, environment, ran)
            contexts.failed |= step.outcome == "failure"
            contexts["steps"][each.get("id", f"__{len(ran.steps)}")] = {"outputs": step.outputs}
        return ran

    def _use(self, step, each, contexts, ran):
        step.given = {name: contexts.fill(value) for name, value in each.get("with", {}).items()}
        if not step.uses.startswith("./mltrust/"):
            return
        inner = self._action(ROOT / step.uses.removeprefix("./mltrust/"), step.given)
        step.log, step.outputs, step.commands = inner.log, inner.outputs, inner.commands
        step.code, step.outcome = inner.code, "failure" if inner.code else "success"
        ran.summary += inner.summary

    def _run(self, step, each, contexts, environment, ran):
        assert each.get("shell", "bash") == "bash"
        assert "${{" not in each["run"], "an expression in a script runs as code"
        self._files += 1
        script, output, summary = (
            self.temp.parent / f"{name}-{self._files}" for name in ("script", "output", "summary")
        )
        script.write_text(each["run"])
        output.touch()
        summary.touch()
        own = {name: contexts.fill(value) for name, value in each.get("env", {}).items()}
        files = {"GITHUB_OUTPUT": str(output), "GITHUB_STEP_SUMMARY": str(summary)}
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-e", "-o", "pipefail", str(script)],
            cwd=self.workspace,
            env={**environment, **own, **files},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=False,
            timeout=240,
        )
        out, err = done.stdout.decode(), done.stderr.decode()
        assert "Traceback" not in out + err, out + err
        step.code, step.log = done.returncode, out + err
        step.outcome = "failure" if step.code else "success"
        step.outputs = _outputs(output.read_text())
        step.commands = [*_commands(out), *_commands(err)]  # the runner reads the two in no particular order
        ran.summary += summary.read_text()


def _outputs(text):
    """Return what a file of outputs says: NAME=VALUE, or NAME<<END, lines, END."""
    found, lines = {}, iter(text.split("\n"))
    for line in filter(None, lines):
        name, separator, value = re.fullmatch(r"(.*?)(=|<<)(.*)", line).groups()
        if separator == "<<":
            value = "\n".join(iter(lambda: next(lines), value))
        found[name] = value
    return found


def _commands(text):
    """Return the commands in what a step printed: name, properties, data. The last must not stay stopped."""
    found, known, stopped = [], set(_COMMANDS), None
    for line in re.split(r"\r\n|\r|\n", text):
        command = _command(line, known)
        if command is None:
            continue
        if stopped:
            if command[0] == stopped:
                known.discard(stopped)
                stopped = None
            continue
        if command[0] == "stop-commands":
            stopped = command[2].lower()
            known.add(stopped)
        else:
            found.append(command)
    assert stopped is None, "commands stay stopped"
    return found


def _command(line, known):
    """Return the command that a line is, in either form, if its name is known."""
    for matched, comma in ((re.match(r"\s*::(.*?)::(.*)", line), ","), (re.search(r"##\[(.*?)\](.*)", line), ";")):
        name, _, rest = matched[1].partition(" ") if matched else ("", "", "")
        if name.lower() in known:
            pairs = (pair.partition("=") for pair in rest.strip().split(comma) if pair)
            return name.lower(), {key: _plain(value) for key, _, value in pairs}, _plain(matched[2])
    return None


def _plain(text):
    return reduce(lambda text, pair: text.replace(*pair), _ESCAPES.items(), text)


@pytest.fixture
def runner(tmp_path):
    return Runner(tmp_path)


@pytest.fixture(scope="session")
def new_runner():
    """Return what makes a runner in a folder, with more folders first on its PATH."""
    return Runner


@pytest.fixture(scope="session")
def contexts():
    """Return what makes the contexts of a job."""
    return Contexts


@pytest.fixture(scope="session")
def sealed(tmp_path_factory, run_installed):
    """Return a folder with a sealed `model`, whose files have hostile names, and the key it is signed with."""
    folder = tmp_path_factory.mktemp("sealed")
    (folder / "model").mkdir()
    for name in FILE_NAMES:
        if "/" not in name and name != "." and len(name.encode()) <= 255:
            with suppress(OSError):  # not every file system takes every name
                (folder / "model" / name).write_bytes(name.encode())
    for command in ("key generate --no-password --output release.key", "seal model --no-anchor --key release.key"):
        done = run_installed(folder, *command.split(), MLTRUST_HOME=str(folder / "home"))
        assert done.code == 0, done.err
    return folder


@pytest.fixture
def changed():
    """Return what changes every file of a model but its seal."""

    def change(model):
        for path in model.iterdir():
            if path.name != "mltrust.seal.json":
                path.write_bytes(path.read_bytes() + b"!")

    return change
