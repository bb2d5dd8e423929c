"""The job that GitLab users extend, run as a GitLab runner runs it."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from xml.etree import ElementTree

import pytest
import yaml

JOB = yaml.safe_load((Path(__file__).parents[2] / ".gitlab/ci/verify.gitlab-ci.yml").read_text())[".mltrust-verify"]

pytestmark = pytest.mark.skipif(os.name == "nt", reason="the job is one for Linux and macOS")


@pytest.fixture
def project(tmp_path, sealed):
    shutil.copytree(sealed / "model", tmp_path / "project/model")
    shutil.copy(sealed / "release.key.pub", tmp_path)
    (tmp_path / "project/json.py").write_text("open('pwned', 'w').close()\n")
    return tmp_path / "project"


def run(project, shell="bash", **variables):
    """Run the script of the job: one line after another, in one shell that ends with the first that fails."""
    assert set(variables) <= set(JOB["variables"])
    path = os.pathsep.join((str(Path(sys.executable).parent), "/usr/bin", "/bin"))
    options = "set -eo pipefail" if shell == "bash" else "set -e"
    done = subprocess.run(
        [shell, "-c", "\n".join((options, *JOB["script"]))],
        cwd=project,
        env={
            "PATH": path,
            "HOME": str(project.parent),
            "LANG": "C.UTF-8",
            "CI": "true",
            **JOB["variables"],
            **variables,
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
        timeout=120,
    )
    told = done.stdout.decode() + done.stderr.decode()
    assert "Traceback" not in told
    assert not list(project.parent.rglob("*pwned*"))
    return done.returncode, told


@pytest.mark.parametrize(("shell", "artifact"), [("bash", "."), ("dash", "model")])
def test_what_was_released_passes(project, shell, artifact):
    if shutil.which(shell) is None:
        pytest.skip(f"{shell} is not installed")
    key = project.parent / "release.key.pub"
    project = project / "model" if artifact == "." else project
    code, told = run(project, shell, MLTRUST_ARTIFACT=artifact, MLTRUST_KEY=f"{key}\n")
    assert code == 0, told
    suites = ElementTree.parse(project / JOB["artifacts"]["reports"]["junit"]).getroot()
    assert list(suites.iter("testcase"))
    assert not [*suites.iter("failure"), *suites.iter("error")]
    assert json.loads((project / "mltrust-report/report.json").read_text())["verdict"] == "verified"


def test_what_was_changed_fails_and_is_in_the_report(project, changed):
    changed(project / "model")
    code, told = run(project, MLTRUST_ARTIFACT="model", MLTRUST_KEY="../release.key.pub")
    assert code == 1, told
    assert list(ElementTree.parse(project / "mltrust-report/junit.xml").getroot().iter("failure"))


@pytest.mark.parametrize(
    ("code", "variables"),
    [
        pytest.param(2, {}, id="nothing"),
        pytest.param(3, {"MLTRUST_ARTIFACT": "model"}, id="nobody"),
        pytest.param(3, {"MLTRUST_ARTIFACT": "--content-only"}, id="artifact"),
        pytest.param(2, {"MLTRUST_ARTIFACT": "model", "MLTRUST_KEY": "--content-only\n*; touch pwned"}, id="key"),
        pytest.param(2, {"MLTRUST_ARTIFACT": "model", "MLTRUST_FINGERPRINT": "$(touch pwned)"}, id="fingerprint"),
        pytest.param(2, {"MLTRUST_ARTIFACT": "model", "MLTRUST_OPTIONS": "--help"}, id="help"),
        pytest.param(2, {"MLTRUST_ARTIFACT": "model", "MLTRUST_OPTIONS": "--jobs=1 `touch pwned`"}, id="options"),
        pytest.param(3, {"MLTRUST_ARTIFACT": "model", "MLTRUST_REQUIREMENT": "./$(touch pwned).whl"}, id="requirement"),
    ],
)
def test_nothing_else_is_a_yes(project, code, variables):
    found, told = run(project, **variables)
    assert found == code, told
    assert not variables.get("MLTRUST_ARTIFACT", "").startswith("--") or variables["MLTRUST_ARTIFACT"] in told


def test_no_file_of_the_project_becomes_an_option(project):
    (project / "--content-only").touch()
    assert run(project, MLTRUST_ARTIFACT="model", MLTRUST_OPTIONS="--c*")[0] == 2


def test_reports_of_somebody_else_are_not_taken_over(project):
    (project / "mltrust-report").mkdir()
    (project / "mltrust-report/report.json").write_text('{"verdict": "verified"}')
    assert run(project, MLTRUST_ARTIFACT="model", MLTRUST_OPTIONS="--help")[0] == 2
