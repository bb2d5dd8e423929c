"""What is written in actions, workflows and their documentation: pinned, without injection, and the same everywhere."""

import re
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
ACTIONS = sorted((ROOT / ".github/actions").glob("*/action.yml"))
WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
_USES = re.compile(r"^\s*(?:- )?uses: (\S+)(.*)$", re.M)
_PINNED = re.compile(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}")
_YAML = re.compile(r"^```yaml\n(.*?)^```", re.M | re.S)


def steps_of(path):
    document = yaml.safe_load(path.read_text())
    if "runs" in document:
        return document["runs"]["steps"]
    return [step for job in document["jobs"].values() for step in job.get("steps", ())]


@pytest.mark.parametrize("path", [*ACTIONS, *WORKFLOWS], ids=lambda path: path.relative_to(ROOT).as_posix())
def test_nothing_is_injected_and_all_is_pinned(path):
    for step in steps_of(path):
        assert "${{" not in step.get("run", "")
    for name, comment in _USES.findall(path.read_text()):
        if not name.startswith("./mltrust/"):
            assert _PINNED.fullmatch(name), name
            assert re.fullmatch(r" # v\d+\.\d+\.\d+", comment), f"{name} says no version"


def test_one_commit_of_each_action_is_used_everywhere():
    used = {name for path in (*ACTIONS, *WORKFLOWS) for name, _ in _USES.findall(path.read_text())}
    repositories = [
        "/".join(name.split("@")[0].split("/")[:2]) + "@" + name.split("@")[1] for name in used if "@" in name
    ]
    assert len(set(repositories)) == len({each.split("@")[0] for each in repositories})


@pytest.mark.parametrize("path", ACTIONS, ids=lambda path: path.parent.name)
def test_every_input_reaches_a_step(path):
    text = path.read_text()
    for name in yaml.safe_load(text)["inputs"]:
        assert f"${{{{ inputs.{name} }}}}" in text or f"inputs.{name} ==" in text, name


def test_what_the_documentation_shows_exists():
    known = {path.parent.name: yaml.safe_load(path.read_text()) for path in ACTIONS}
    called = yaml.safe_load((ROOT / ".github/workflows/seal-on-release.yml").read_text())[True]["workflow_call"]
    job = yaml.safe_load((ROOT / ".gitlab/ci/verify.gitlab-ci.yml").read_text())[".mltrust-verify"]
    shown = 0
    for page in ("github-actions.md", "gitlab.md", "verify-in-ci.md"):
        for block in _YAML.findall((ROOT / "docs/how-to" / page).read_text()):
            for used in every(yaml.safe_load(block)):
                uses = str(used.get("uses", ""))
                if "/.github/actions/" in uses:
                    action = known[uses.split("/.github/actions/")[1].split("@", maxsplit=1)[0]]
                    assert set(used.get("with", {})) <= set(action["inputs"]), uses
                    shown += 1
                elif "seal-on-release.yml" in uses:
                    assert set(used["with"]) <= set(called["inputs"])
                    assert set(used["secrets"]) <= set(called["secrets"])
                    shown += 1
                elif used.get("extends") == ".mltrust-verify":
                    assert set(used["variables"]) <= set(job["variables"])
                    shown += 1
    assert shown >= 5


def every(value):
    """Yield every mapping in a document."""
    if isinstance(value, dict):
        yield value
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            yield from every(each)
