"""The action that seals, and the workflow that seals what is released."""

import json
import sys
import textwrap
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).parents[2]
PASSWORD = "correct horse $(touch pwned) `x` \\ \"'"


@pytest.fixture(scope="module")
def key(tmp_path_factory, run_installed):
    """Return a folder with an encrypted private key, and its public one."""
    folder = tmp_path_factory.mktemp("key")
    (folder / "password").write_text(PASSWORD + "\n")
    (folder / "password").chmod(0o600)
    done = run_installed(
        *(folder, "key", "generate", "--output", "release.key", "--password-file", "password"),
        MLTRUST_HOME=str(folder / "home"),
    )
    assert done.code == 0, done.err
    return folder


@pytest.fixture
def watched(tmp_path, new_runner):
    """Return a runner whose mltrust first writes down what it was given, and the folder where it does."""
    seen = tmp_path / "seen"
    seen.mkdir()
    real = Path(sys.executable).with_name("mltrust")
    spy = tmp_path / "bin/mltrust"
    spy.parent.mkdir()
    spy.write_text(
        textwrap.dedent(f"""\
        #!/usr/bin/env bash
        {{ printf '%s\\n' "$@"; env; }} >>'{seen}/given'
        ls -lR "$RUNNER_TEMP" >>'{seen}/files'
        exec '{real}' "$@"
        """)
    )
    spy.chmod(0o755)
    runner = new_runner(tmp_path, spy.parent)
    (runner.workspace / "model").mkdir()
    (runner.workspace / "model/weights.bin").write_bytes(b"w" * 100)
    return runner, seen


def test_a_seal_is_signed_by_a_secret_that_stays_one(watched, key, run_installed):
    runner, seen = watched
    private = (key / "release.key").read_text()
    ran = runner.action(
        "seal",
        version="none",
        artifact="model",
        private_key=private.rstrip("\n"),
        password=PASSWORD,
        annotation="license=mit\nnote=$(touch pwned)\n",
        name="a name; touch pwned",
    )
    assert ran.code == 0, ran.log
    assert not list(runner.temp.parent.rglob("*pwned*"))
    assert {command[0] for command in ran.commands} <= {"notice"}
    body = private.splitlines()[1]
    for told in (ran.log, ran.summary, (seen / "given").read_text()):
        assert body not in told
        assert "correct horse" not in told
    assert (seen / "files").read_text().count("-rw-------") >= 2, "while mltrust runs, only its user may read them"
    left = [path.read_bytes() for path in runner.temp.parent.rglob("*") if path.is_file()]
    assert not any(body.encode() in data or PASSWORD.encode() in data for data in left)

    seal = Path(ran.outputs["seal"])
    assert seal == runner.workspace / "model/mltrust.seal.json"
    assert seal.stat().st_mode & 0o044, "others may read a seal"
    assert json.loads(Path(ran.outputs["report"]).read_text())["receipts"] == []
    assert ran.outputs["fingerprint"] in ran.summary
    for trust in (("--key", key / "release.key.pub"), ("--fingerprint", ran.outputs["fingerprint"])):
        done = run_installed(runner.workspace, "verify", "model", *trust, MLTRUST_HOME=str(key / "home"))
        assert done.code == 0, done.out + done.err


@pytest.mark.parametrize(
    ("code", "given"),
    [
        pytest.param(2, {"password": "wrong"}, id="wrong-password"),
        pytest.param(2, {"artifact": ""}, id="nothing"),
        pytest.param(2, {"options": "--help"}, id="help"),
        pytest.param(2, {"anchor": "--no-anchor\n$(touch pwned)"}, id="anchor"),
        pytest.param(2, {"key": "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----"}, id="private-key"),
    ],
)
def test_what_cannot_be_sealed_fails_and_leaves_no_secret(runner, key, code, given):
    (runner.workspace / "model").mkdir()
    (runner.workspace / "model/weights.bin").write_bytes(b"w")
    private = (key / "release.key").read_text()
    given = {"artifact": "model", "private_key": private, "password": PASSWORD, **given}
    ran = runner.action("seal", version="none", **given)
    assert ran.code == code, ran.log
    assert not ran.outputs["seal"]
    assert ran.annotations("error")
    left = [path for path in runner.temp.parent.rglob("*") if path.is_file()]
    assert not any(b"PRIVATE KEY" in path.read_bytes() or path.name == "pwned" for path in left)


def test_a_folder_cannot_forge_an_output(runner):
    name = "a\nfingerprint=forged"
    (runner.workspace / name / "model").mkdir(parents=True)
    (runner.workspace / name / "model/weights.bin").write_bytes(b"w")
    ran = runner.action("seal", version="none", artifact="model", working_directory=name)
    assert ran.code == 2
    assert not ran.outputs["fingerprint"]


@pytest.fixture
def released(runner, contexts):
    """Return the jobs of the workflow, a runner with what its checkouts fetch, and what makes its contexts."""
    workflow = yaml.safe_load((ROOT / ".github/workflows/seal-on-release.yml").read_text())
    called = workflow[True]["workflow_call"]  # YAML reads `on` as true
    (runner.workspace / "released/model").mkdir(parents=True)
    (runner.workspace / "released/model/weights.bin").write_bytes(b"w" * 10)

    def made(secrets, **given):
        assert not set(given) - set(called["inputs"])
        assert not set(secrets) - set(called["secrets"])
        known = contexts(
            secrets={**dict.fromkeys(called["secrets"], ""), **secrets},
            github={"event": {"release": {"tag_name": "v1"}}, "repository": "acme/model", "token": "TOKEN"},
            job={"workflow_sha": "c" * 40, "workflow_repository": "example/mltrust"},
            runner={"temp": str(runner.temp)},
            steps={},
        )
        defaults = {name: known.fill(each.get("default", "")) for name, each in called["inputs"].items()}
        return contexts(known, inputs={**defaults, **given})

    return workflow["jobs"], runner, made


def test_the_workflow_seals_and_attaches(released, key, tmp_path, new_runner, run_installed):
    jobs, runner, made = released
    given = made(
        {"private-key": (key / "release.key").read_text(), "password": PASSWORD}, artifact="model", name="acme/model"
    )
    for step in jobs["seal"]["steps"]:
        if step.get("uses", "").startswith("./mltrust/"):
            step["with"]["version"] = "none"  # the mltrust under test
    ran = runner.job(jobs["seal"], given)
    assert ran.code == 0, ran.log
    checkouts = [step.given for step in ran.used("actions/checkout@")]
    assert [(each.get("repository"), each["ref"], each["path"]) for each in checkouts] == [
        (None, "refs/tags/v1", "released"),
        ("example/mltrust", "c" * 40, "mltrust"),
    ]
    assert {each["persist-credentials"] for each in checkouts} == {"false"}
    (kept,) = ran.used("actions/upload-artifact@")
    seal = Path(kept.given["path"])
    assert seal == runner.temp / "mltrust.seal.json"
    model = runner.workspace / "released/model"
    done = run_installed(model.parent, "verify", model, "--seal", seal, "--key", key / "release.key.pub")
    assert done.code == 0, done.out + done.err
    assert (
        ran.outputs["fingerprint"].removeprefix("mltrust-1:") in run_installed(model.parent, "fingerprint", model).out
    )

    spy = tmp_path / "bin/gh"
    spy.parent.mkdir()
    spy.write_text(f'#!/usr/bin/env bash\nprintf \'%s\\n\' "$GH_TOKEN" "$GH_REPO" "$@" >\'{tmp_path}/gh\'\n')
    spy.chmod(0o755)
    (tmp_path / "second").mkdir()
    other = new_runner(tmp_path / "second", spy.parent)
    assert other.job(jobs["attach"], given).code == 0
    fetched = f"{runner.temp}/seal/mltrust.seal.json"
    told = (tmp_path / "gh").read_text().splitlines()
    assert told == ["TOKEN", "acme/model", "release", "upload", "--", "v1", fetched]


@pytest.mark.parametrize("given", [{"tag": ""}, {"seal-name": "../x"}, {"seal-name": "a b\nc"}, {"seal-name": "-x"}])
def test_the_workflow_refuses_what_makes_no_sense(released, key, given):
    jobs, runner, made = released
    ran = runner.job(jobs["seal"], made({"private-key": "x"}, artifact="model", **given))
    assert ran.code != 0
    assert [step.outcome for step in ran.steps[1:]] == ["skipped"] * (len(ran.steps) - 1)
