"""Reports in every format, from the installed command: valid, from one run, never stale, with the same exit codes."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote_to_bytes
from xml.etree import ElementTree

import jsonschema
import pytest
import xmlschema

from mltrust.testing.hostile_names import FILE_NAMES, commands, hidden

SCHEMAS = Path(__file__).parents[1] / "renderers/schemas"
FORMATS = ("text", "json", "ndjson", "sarif", "junit", "github", "markdown")
pytestmark = pytest.mark.usefixtures("unmeasured")


def options(folder):
    return [part for name in FORMATS for part in ("--report", f"{name}={folder}/{name}")]


@pytest.fixture
def out(mltrust):
    folder = mltrust.cwd / "out"
    folder.mkdir()
    for name in FORMATS:
        (folder / name).write_text("VERIFIED by a former run")
    return folder


@pytest.fixture(scope="module")
def validated():
    """Return a check that all reports in a folder are what their schemas say; it returns them by format."""
    sarif = jsonschema.Draft4Validator(
        json.loads((SCHEMAS / "sarif-2.1.0.json").read_text()), format_checker=jsonschema.FormatChecker()
    )
    junit = xmlschema.XMLSchema(SCHEMAS / "junit-10.xsd")

    def check(folder):
        assert sorted(path.name for path in folder.iterdir()) == sorted(FORMATS), "nothing else is left there"
        texts = {name: (folder / name).read_bytes().decode("utf-8") for name in FORMATS}
        for name, text in texts.items():
            assert "former run" not in text, name
            assert hidden(text) == []
            assert text.endswith("\n")
            assert not [found for found in commands(text) if name != "github"], name
        sarif.validate(json.loads(texts["sarif"]))
        junit.validate(texts["junit"])
        lines = [json.loads(line) for line in texts["ndjson"].splitlines()]
        return {**texts, "json": json.loads(texts["json"]), "sarif": json.loads(texts["sarif"]), "ndjson": lines}

    return check


def successes(texts):
    """Return which formats say success to whoever reads them."""
    (run,) = texts["sarif"]["runs"]
    suites = ElementTree.fromstring(texts["junit"])
    said = {
        "text": texts["text"].startswith(("VERIFIED", "SAME")),
        "json": texts["json"].get("verdict", "verified") == "verified" and texts["json"].get("changes") == [],
        "ndjson": texts["ndjson"][-1].get("verdict") in ("verified", "same"),
        "sarif": run["invocations"][0]["executionSuccessful"]
        and not [r for r in run["results"] if r["level"] != "note"],
        "junit": suites.get("failures") == suites.get("errors") == "0",
        "github": "::error " not in texts["github"],
        "markdown": texts["markdown"].startswith(("## VERIFIED", "## SAME")),
    }
    return {name for name, value in said.items() if value}


def changed(model):
    (model / "config.json").write_text("{}")
    (model / "deep/er/notes.txt").unlink()
    (model / "empty").rename(model / "renamed")
    return model


def test_one_report_in_all_formats(mltrust, model, out, validated):
    done = mltrust("verify", "model", *options("out"))
    assert (done.code, done.err) == (0, "")
    texts = validated(out)
    assert successes(texts) == set(FORMATS)
    assert done.out == texts["text"]
    assert texts["sarif"]["runs"][0]["results"] == []
    changed(model)
    done = mltrust("verify", "model", *options("out"), "--format", "json")
    texts = validated(out)
    assert done.code == 1
    assert done.json() == texts["json"]
    assert successes(texts) == set()
    for name in ("config.json", "deep/er/notes.txt", "renamed"):
        assert all(name in str(text) for text in texts.values()), name
    (run,) = texts["sarif"]["runs"]
    assert run["invocations"][0]["exitCode"] == 1
    assert [line["type"] for line in texts["ndjson"]].count("change") == 3


def test_what_is_inconclusive_is_no_success_anywhere(mltrust, model, out, validated):
    done = mltrust.at(mltrust.cwd / "elsewhere")("verify", "model", *options("out"), "--format", "sarif")
    assert done.code == 3
    texts = validated(out)
    assert json.loads(done.out) == texts["sarif"]
    assert successes(texts) == set()
    (run,) = texts["sarif"]["runs"]
    assert run["invocations"][0] | {"toolExecutionNotifications": []} == {
        "executionSuccessful": False, "exitCode": 3, "toolExecutionNotifications": [],
    }  # fmt: skip
    assert {result["ruleId"] for result in run["results"]} == {"inconclusive", "unchecked-anchor"}
    assert run["results"][0]["level"] == "error"


def test_what_was_not_looked_at_is_said_beside_every_success(mltrust, model, out, validated):
    done = mltrust.at(mltrust.cwd / "elsewhere")("verify", "model", "--content-only", *options("out"))
    assert done.code == 0
    texts = validated(out)
    assert successes(texts) == set(FORMATS)
    assert texts["json"]["content_only"] is texts["ndjson"][-1]["content_only"] is True
    assert [
        name for name in ("text", "sarif", "junit", "github", "markdown") if "--content-only" not in str(texts[name])
    ] == []


def test_what_signs_a_url_is_in_no_report(mltrust, out, validated):
    done = mltrust("verify", "http://me:SECRET@127.0.0.1:9/model?sig=SECRET#SECRET", *options("out"))
    assert done.code in (2, 3)
    validated(out)
    assert not [path.name for path in out.iterdir() if "SECRET" in path.read_text()]
    assert "SECRET" not in done.out


@pytest.mark.parametrize(
    ("arguments", "code"),
    [
        (["verify", "nothing"], 3),
        (["verify", "model", "--seal", "a", "--oms", "b"], 2),
        (["verify", "model", "--identity", "somebody"], 2),
        (["verify", "model", "--seal", "model/config.json"], 3),
        (["diff", "model", "nothing"], 3),
    ],
    ids=["not there", "options that contradict", "half an option", "no seal", "diff"],
)
@pytest.mark.usefixtures("model")
def test_trouble_is_told_in_every_format_and_nothing_stale_stays(mltrust, out, validated, arguments, code):
    done = mltrust(*arguments, *options("out"))
    assert (done.code, done.out) == (code, "")
    texts = validated(out)
    assert successes(texts) == set()
    assert texts["json"]["exit_code"] == code
    assert texts["text"] == done.err
    quiet = mltrust(*arguments, "--format", "junit")
    assert quiet.code == code
    assert ElementTree.fromstring(quiet.out).get("errors") == "1"


def test_a_difference_in_all_formats(mltrust, model, out, validated):
    shutil.copytree(model, mltrust.cwd / "other")
    done = mltrust("diff", "model", "other", *options("out"), "--output", "told.txt")
    assert (done.code, done.out) == (0, "")
    texts = validated(out)
    assert successes(texts) == set(FORMATS)
    assert (mltrust.cwd / "told.txt").read_text() == texts["text"]
    changed(mltrust.cwd / "other")
    done = mltrust("diff", "model", "other", *options("out"))
    assert done.code == 1
    texts = validated(out)
    assert successes(texts) == set()
    uris = {
        result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
        for result in texts["sarif"]["runs"][0]["results"]
    }
    assert uris == {"other/config.json", "other/deep/er/notes.txt", "other/renamed"}
    both = mltrust("diff", "model/mltrust.seal.json", "other", "--format", "sarif")
    assert both.code == 1
    assert '"other/config.json"' in both.out


@pytest.mark.skipif(sys.platform == "win32", reason="such names exist on POSIX only")
def test_hostile_names_stay_names_and_lead_to_the_files(mltrust, out, validated):
    folder = mltrust.cwd / "a b%#[x]"
    folder.mkdir()
    (folder / "file").write_text("x")
    assert mltrust("seal", folder).code == 0
    names = sorted({name.replace("/", "|") for name in FILE_NAMES if name != "."})
    for number, name in enumerate(names):
        (folder / name).write_text(str(number))
    done = mltrust("verify", folder.name, *options("out"), "-v")
    assert done.code == 1
    texts = validated(out)
    assert successes(texts) == set()
    results = texts["sarif"]["runs"][0]["results"]
    uris = [each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in results]
    found = {os.path.basename(unquote_to_bytes(uri)) for uri in uris}  # noqa: PTH119  # bytes are no Path
    assert {os.fsencode(name) for name in names} <= found
    assert all(os.path.exists(os.path.join(os.fsencode(mltrust.cwd), unquote_to_bytes(uri))) for uri in uris)  # noqa: PTH110, PTH118  # names that are no text
    assert {each["name"] for each in texts["ndjson"] if each["type"] == "change"} == set(names)
    (more,) = [line for line in texts["github"].splitlines() if " more findings" in line]
    assert len(texts["github"].splitlines()) == 10
    assert int(re.search("[0-9]+", more)[0]) == 1 + len(results) - 9, "the verdict is no result"


def test_single_files_and_urls_that_are_absolute_are_found(mltrust, model):
    (mltrust.cwd / "sub").mkdir()
    file = mltrust.cwd / "sub/weights ä.bin"
    file.write_text("x")
    assert mltrust("seal", file).code == 0
    file.write_text("y")
    for named, uri in (
        ("sub/weights ä.bin", "sub/weights%20%C3%A4.bin"),
        (file, f"file://{file.parent}/weights%20%C3%A4.bin"),
    ):
        results = mltrust("verify", named, "--format", "sarif").json()["runs"][0]["results"]
        uris = {each["ruleId"]: each["locations"][0]["physicalLocation"]["artifactLocation"]["uri"] for each in results}
        assert uris["change-changed"] == uri
        assert uris["check-content"] == f"{uri}.seal.json"
    assert "file=sub/weights ä.bin,line=1," in mltrust("verify", "sub/weights ä.bin", "--format", "github").out


def test_what_makes_no_sense_touches_nothing(mltrust, model, out):
    before = {path: path.read_bytes() for path in (*out.iterdir(), *model.rglob("*")) if path.is_file()}
    wrong = (
        (["--report", "pdf=out/pdf"], "There are: "),
        (["--format", "pdf"], "There are: "),
        (["--report", "out/json"], "Write --report NAME=FILE."),
        (["--report", "=out/json"], "Write --report NAME=FILE."),
        (["--report", "json="], "Write --report NAME=FILE."),
        (["--report", "json=out/json", "--report", "sarif=out/../out/json"], "two reports"),
        (["--report", "json=out/json", "--output", "out/json"], "two reports"),
        (["--report", "json=out/json", "--report", "sarif=model/deep/x.sarif"], "an added file"),
        (["--output", "model/mltrust.seal.json"], "an added file"),
        (["--report", "json=out/json", "--policy", "out/json"], "over or into"),
    )
    for (arguments, said), done in zip(
        wrong, mltrust.many(["verify", "model", *each] for each, _ in wrong), strict=True
    ):
        assert (done.code, done.out) == (2, ""), arguments
        assert said in done.err
    assert mltrust("verify", "model", "--report", "json=nowhere/x").code == 3
    assert mltrust("diff", "model", "model", "--report", "json=model/x").code == 2
    assert mltrust("verify", "model/config.json", "--report", "json=model/config.json.seal.json").code == 2
    assert before == {path: path.read_bytes() for path in before}


def test_what_is_kept_beside_a_seal_stays(mltrust):
    """Salts that are gone are gone for good."""
    (mltrust.cwd / "rows.jsonl").write_text('{"a": 1}\n{"a": 2}\n')
    assert mltrust("seal", "rows.jsonl", "--blind").code == 0
    salts = mltrust.cwd / "rows.jsonl.seal.salts"
    kept = salts.read_bytes()
    seal = ["--seal", "rows.jsonl.seal.json"]
    for arguments in (["rows.jsonl"], ["rows.jsonl", *seal], ["rows.jsonl", *seal, "--salts", salts]):
        for file in (salts.name, "rows.jsonl.seal.json", "rows.jsonl"):
            done = mltrust("verify", *arguments, "--report", f"json={file}")
            assert (done.code, "over or into" in done.err) == (2, True), (arguments, file)
    assert salts.read_bytes() == kept


def test_a_report_is_not_written_into_what_git_has_staged(mltrust, model, monkeypatch):
    """Which artifact is meant is what git says, where none is named."""
    for name in ("GIT_CONFIG_GLOBAL", "GIT_CONFIG_SYSTEM"):
        monkeypatch.setenv(name, os.devnull)
    for command in (["init", "-q"], ["add", "model"]):
        subprocess.run(["git", *command], cwd=mltrust.cwd, check=True)
    before = {path: path.read_bytes() for path in model.rglob("*") if path.is_file()}
    for file in ("model/config.json", "model/mltrust.seal.json", "model/new"):
        for more in ([], ["--staged"]):
            done = mltrust("verify", "--content-only", *more, "--report", f"json={file}")
            assert (done.code, "over or into" in done.err) == (2, True), file
    assert before == {path: path.read_bytes() for path in model.rglob("*") if path.is_file()}
    assert mltrust("verify", "--staged", "--content-only", "--report", "json=report").code == 0
    assert json.loads((mltrust.cwd / "report").read_text())["verdict"] == "verified"


def test_each_report_is_written_whatever_becomes_of_the_others(mltrust, model, out):
    changed(model)
    done = mltrust(
        "verify", "model", "--report", "json=/proc/x", "--report", "sarif=out/sarif", "--report", "junit=/proc/y"
    )
    assert done.code == 3
    assert done.out.startswith("FAILED")
    assert "/proc/x" in done.err
    assert "/proc/y" in done.err
    assert "former run" not in (out / "sarif").read_text()


def test_what_is_installed_says_what_there_is(mltrust, model):
    done = mltrust("verify", "model", "--format", "pdf")
    assert all(name in done.err for name in (*FORMATS, "html"))


def test_in_python(mltrust, model, monkeypatch):
    import mltrust as package

    monkeypatch.chdir(model.parent)
    report, seen = package.verify_seen("model", trust=package.Trust(content_only=True))
    assert report == package.verify("model", trust=package.Trust(content_only=True))
    assert (seen.artifact, seen.folder, seen.seal) == ("model", "model", "model/mltrust.seal.json")
    assert seen.before == seen.after
    assert "".join(package.render(report, "markdown", seen)).startswith("## VERIFIED: `model`")
    changed(model)
    found, both = package.diff_seen("model/mltrust.seal.json", "model")
    assert (both.seal, both.folder) == ("model/mltrust.seal.json", "model")
    assert both.before.size == both.after.size + 1
    assert (
        "".join(package.render(found, "ndjson"))
        .splitlines()[-1]
        .startswith('{"type": "verdict", "verdict": "different"')
    )
    with pytest.raises(package.UsageError, match="no format is called 'pdf'"):
        package.render(found, "pdf")
