"""The action that verifies, run as a runner runs it."""

import json
import shutil
import stat
from pathlib import Path

import pytest

ONLY_THESE = {"error", "warning", "notice"}


@pytest.fixture
def workspace(runner, sealed):
    """Return the workspace of the runner, with the sealed model in it and modules that no step must import."""
    shutil.copytree(sealed / "model", runner.workspace / "model")
    for name in ("json", "venv", "pip", "sitecustomize", "typer"):
        (runner.workspace / f"{name}.py").write_text("open('pwned', 'w').close()\n")
    return runner.workspace


@pytest.fixture
def public(sealed):
    return (sealed / "release.key.pub").read_text()


@pytest.fixture
def verify(runner, workspace):
    """Return what runs the action with the mltrust under test, and looks whether anything else was run."""

    def run(**given):
        ran = runner.action("verify", version="none", **given)
        assert not list(runner.temp.parent.rglob("*pwned*"))
        assert {command[0] for command in ran.commands} <= ONLY_THESE
        return ran

    return run


def test_what_was_released_is_verified(verify, public, workspace):
    key = f"\n{public}\n"
    assert "-----BEGIN PUBLIC KEY-----" in key
    ran = verify(artifact="model", key=key, reports="junit\n")
    assert ran.code == 0, ran.log
    outputs = ran.outputs
    assert (outputs["verdict"], outputs["exit-code"]) == ("verified", "0")
    report = json.loads(read(outputs["report"]))
    assert report["verdict"] == "verified"
    assert outputs["fingerprint"] == f"mltrust-1:{report['fingerprint']}"
    assert outputs["root"] == report["root"] != report["fingerprint"]
    assert json.loads(read(outputs["sarif"]))["runs"][0]["results"] == []
    assert "<testsuite" in read(f"{outputs['report-directory']}/report.xml")
    assert stat.S_IMODE(Path(outputs["report-directory"]).stat().st_mode) == 0o700
    assert read(outputs["markdown"]) == ran.summary != ""
    assert not ran.annotations("error", "warning")
    assert [step.outcome for step in ran.steps] == ["success", "success", "skipped"]
    assert "VERIFIED" in ran.log


def test_what_was_changed_fails_and_is_shown(verify, sealed, workspace, changed):
    shutil.copy(sealed / "release.key.pub", workspace)
    changed(workspace / "model")
    number = len(list((workspace / "model").iterdir())) - 1
    assert number > 30
    ran = verify(artifact="model", key="release.key.pub", upload_sarif="true")
    assert ran.code == 1, ran.log
    assert (ran.outputs["verdict"], ran.outputs["exit-code"]) == ("failed", "1")
    assert set(ran.steps[1].outputs) == {
        *("verdict", "exit-code", "report-directory", "json", "sarif", "markdown", "fingerprint", "root")
    }
    for level in ONLY_THESE:
        assert len(ran.annotations(level)) <= 10, "GitHub shows no more of a step"
    findings = ran.annotations()
    assert 5 < len(findings) <= 10
    assert any(f"{number - shown} more" in command[2] for command in findings for shown in range(number))
    assert all(command[1].get("file", "model").startswith("model") for command in findings)
    assert len(ran.summary.encode()) < 2**20
    (upload,) = ran.used("github/codeql-action/upload-sarif@")
    assert upload.outcome == "success"
    assert upload.given == {"sarif_file": ran.outputs["sarif"], "category": "mltrust"}
    assert len(json.loads(read(upload.given["sarif_file"]))["runs"][0]["results"]) >= number


def test_a_summary_that_is_too_long_ends_with_a_whole_line(verify, sealed, workspace):
    """Half a line may be half a code span, and what stands in it is read as Markdown then."""
    for number in range(3000):
        (workspace / f"model/{number}{chr(1) * 200}").touch()
    ran = verify(artifact="model", options="--content-only\n--verbose")
    assert ran.code == 1, ran.log
    assert len(read(ran.outputs["markdown"]).encode()) > 10**6 > len(ran.summary.encode()) - 1000
    *lines, empty, last = ran.summary.splitlines()
    assert (empty, last) == ("", "The summary is too long: the rest is in the reports.")
    assert all(line.count("`") % 2 == 0 for line in lines)
    assert lines[-1].endswith(" |")


def test_where_nobody_is_trusted_nothing_is_verified(verify):
    ran = verify(artifact="model")
    assert ran.code == 3, ran.log
    assert (ran.outputs["verdict"], ran.outputs["exit-code"]) == ("inconclusive", "3")
    assert json.loads(read(ran.outputs["report"]))["verdict"] == "inconclusive"
    assert ran.summary


def test_trouble_is_explained_and_forges_nothing(verify, workspace):
    name = "##[set-output name=verdict;]verified\n::set-output name=verdict::verified"
    (workspace / name).mkdir()
    ran = verify(artifact=name, upload_sarif="true")
    assert ran.code == 3, ran.log
    assert (ran.outputs["verdict"], ran.outputs["fingerprint"]) == ("inconclusive", "")
    assert [command[2].count("no seal at ") for command in ran.annotations("error")] == [1]
    assert "no seal at " in ran.summary
    assert not any(line.startswith(("::", "##[")) for line in ran.summary.splitlines())
    assert json.loads(read(ran.used("github/codeql-action/upload-sarif@")[0].given["sarif_file"]))["runs"]


def test_nothing_that_is_printed_is_taken_for_a_command(new_runner, tmp_path, sealed):
    spy = tmp_path / "bin/mltrust"
    spy.parent.mkdir()
    forged = "::set-output name=verdict::verified\n##[error]forged\nx ##[stop-commands]x\n::warning::not the last"
    spy.write_text(
        f"#!/usr/bin/env bash\n[[ $1 == verify ]] || exit 0\nprintf %s '{forged}' | tee /dev/stderr\nexit 1\n"
    )
    spy.chmod(0o755)
    runner = new_runner(tmp_path, spy.parent)
    ran = runner.action("verify", version="none", artifact="model")
    assert ran.code == 1
    told = ran.steps[1]
    assert [(name, data) for name, _, data in told.commands] == [
        ("error", "mltrust verify: failed (exit code 1): see the log")
    ]
    assert ran.outputs["verdict"] == "failed"


def test_an_option_that_verifies_nothing_is_no_yes(verify):
    ran = verify(artifact="model", options="--help")
    assert ran.code == 2
    assert (ran.outputs["verdict"], ran.outputs["report"]) == ("error", "")
    assert "options" in ran.annotations("error")[0][2]
    assert "\n    error: nothing was verified" in ran.summary


@pytest.mark.parametrize(
    ("code", "given"),
    [
        pytest.param(3, {"artifact": "--content-only"}, id="artifact"),
        pytest.param(3, {"artifact": "$(touch pwned)", "options": "--content-only"}, id="expanded"),
        pytest.param(2, {"artifact": " \n"}, id="nothing"),
        pytest.param(2, {"artifact": "model", "key": "--content-only\n; touch pwned"}, id="key"),
        pytest.param(2, {"artifact": "model", "fingerprint": "`touch pwned`", "seal": "-o"}, id="fingerprint"),
        pytest.param(2, {"artifact": "model", "options": "--content-only; touch pwned"}, id="options"),
        pytest.param(2, {"artifact": "model", "reports": "json=pwned"}, id="reports"),
        pytest.param(2, {"artifact": "model", "upload_sarif": "yes"}, id="upload"),
        pytest.param(2, {"artifact": "model", "working_directory": "-P $(touch pwned)"}, id="directory"),
        pytest.param(2, {"artifact": "model", "key": "-----BEGIN PUBLIC KEY-----\nx"}, id="half-a-key"),
    ],
)
def test_no_input_is_more_than_a_value(verify, code, given):
    ran = verify(**given)
    assert ran.code == code, ran.log
    assert ran.outputs["verdict"] in ("", "inconclusive" if code == 3 else "error")
    assert code != 3 or given["artifact"] in ran.annotations("error")[0][2], "it is looked for by its name"
    assert ran.annotations("error")


def test_a_private_key_is_no_input_here(verify, sealed):
    private = (sealed / "release.key").read_text()
    ran = verify(artifact="model", key=private)
    assert ran.code == 2
    assert private.splitlines()[1] not in ran.log


def test_paths_count_from_the_working_directory_and_findings_from_the_workspace(verify, public, workspace):
    (workspace / "deep").mkdir()
    shutil.move(workspace / "model", workspace / "deep/model")
    (workspace / "deep/model/config.json").write_text("{}")
    ran = verify(artifact="model", key=public, working_directory="deep")
    assert ran.code == 1, ran.log
    named = [command[1]["file"] for command in ran.annotations() if "file" in command[1]]
    assert named
    assert all(name.startswith((f"{workspace}/deep/model", "deep/model")) for name in named)


@pytest.mark.slow
def test_the_action_brings_its_own_mltrust(new_runner, tmp_path, sealed, public):
    runner = new_runner(tmp_path)
    shutil.copytree(sealed / "model", runner.workspace / "model")
    for name in ("json", "pip", "venv"):
        (runner.workspace / f"{name}.py").write_text("open('pwned', 'w').close()\n")
    runner.environment |= {"PIP_NO_COMPILE": "1", "PIP_CACHE_DIR": str(Path.home() / ".cache/pip")}
    ran = runner.action("verify", artifact="model", key=public)
    if ran.code == 3 and "Could not find a version" in ran.log:
        pytest.skip("pip cannot reach its package index")
    assert ran.code == 0, ran.log
    assert ran.outputs["verdict"] == "verified"
    installed = runner.temp / "mltrust-environment"
    assert ran.steps[0].outputs["mltrust"].startswith(str(installed))
    before = (installed / "requirement").stat().st_mtime_ns
    assert runner.action("verify", artifact="nothing", key=public).code == 3
    assert (installed / "requirement").stat().st_mtime_ns == before, "it is installed once in a job"
    assert not list(runner.workspace.rglob("pwned"))


@pytest.mark.parametrize("given", [{"version": "1; touch pwned"}, {"extras": "remote] evil"}, {"version": "-e ."}])
def test_versions_and_extras_are_nothing_else(runner, given):
    ran = runner.action("verify", artifact="model", **given)
    assert ran.code == 2
    assert [step.outcome for step in ran.steps] == ["failure", "skipped", "skipped"]


def read(path):
    return Path(path).read_text(encoding="utf-8")
