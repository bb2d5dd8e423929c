"""What is generated in `docs/` is what the code says, and the schemas say what the commands write."""

import copy
import json
import os
import runpy
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest
import typer

from mltrust.cli.commands import application

jsonschema = pytest.importorskip("jsonschema")

DOCS = Path(__file__).parents[2] / "docs"
SCHEMAS = {path.name.removesuffix(".schema.json"): json.loads(path.read_text()) for path in DOCS.glob("schemas/*.json")}


@pytest.fixture(scope="module")
def generate():
    return runpy.run_path(str(DOCS / "generate"))


def test_generating_again_changes_nothing(generate):
    written = {path: path.read_text(encoding="utf-8") for path in (DOCS / "cli.md", *DOCS.glob("schemas/*"))}
    stale = [path.name for path, text in generate["files"]().items() if written.get(path) != text]
    assert stale == [], "run: make docs"
    assert set(written) == set(generate["files"]())


def parsed(command, words=()):
    """Yield the commands that Typer parses, with their words."""
    for name, below in getattr(command, "commands", {}).items():
        yield from parsed(below, (*words, name))
    if not hasattr(command, "commands"):
        yield " ".join(words), command


def test_every_command_and_option_is_in_the_reference():
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    for name, command in parsed(typer.main.get_command(application())):
        part = text.split(f"\n## mltrust {name}\n")[1].split("\n## ")[0]
        assert f"\nmltrust {name} " in part or part.count(f"mltrust {name}") > 1
        for parameter in command.params:
            assert (parameter.help or "") in part.replace("\\|", "|")
            flags = (*parameter.opts, *parameter.secondary_opts) if parameter.opts[0].startswith("-") else ()
            assert all(f"`{flag}`" in part for flag in flags)
    for code in (0, 1, 2, 3, 4, 130):
        assert f"**{code}**" in text


@pytest.mark.parametrize("name", SCHEMAS)
def test_schemas_are_schemas(name):
    schema = SCHEMAS[name]
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["$schema"] == "https://json-schema.org/draft/2020-12/schema"
    assert schema["$id"] == f"https://mltrust/schemas/{name}/v1"
    assert schema["title"]
    assert list(schema)[:3] == ["$schema", "$id", "title"]
    assert schema["additionalProperties"] is False


def fits(name, document):
    return jsonschema.Draft202012Validator(SCHEMAS[name]).is_valid(document)


def kind_of(document):
    return document["mediaType"].removeprefix("application/vnd.mltrust.").removesuffix(".v1+json")


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """Return a function that runs the installed command and returns its output; all in one folder."""
    folder = tmp_path_factory.mktemp("schemas")

    def command(*arguments):
        script = Path(sys.executable).with_name("mltrust")
        kept = {key: value for key, value in os.environ.items() if not key.startswith("COVERAGE_")}  # for the time
        environment = {**kept, "MLTRUST_HOME": str(folder / "home")}
        done = subprocess.run([script, *arguments], cwd=folder, env=environment, capture_output=True, check=False)
        assert done.returncode in (0, 1, 3), done.stderr
        return done.stdout.decode()

    command.folder = folder
    return command


@pytest.fixture(scope="module")
def documents(run):
    """Return what every command writes, good and bad, by a name for people."""
    model = run.folder / "model"
    model.mkdir()
    header = {"__metadata__": {"a": "é"}, "w": {"dtype": "F32", "shape": [2], "data_offsets": [0, 8]}}
    text = json.dumps(header).encode()
    weights = len(text).to_bytes(8, "little") + text
    (model / "model.safetensors").write_bytes(weights + b"12345678")
    (model / "config.json").write_text('{"auto_map": {}}')
    as_json = "--format", "json"
    found = {"sealed": run("seal", "model", *as_json), "seal": (model / "mltrust.seal.json").read_text("utf-8")}
    found["seal by show"] = run("show", "model", *as_json)
    found["receipts"] = run("anchors", "model", *as_json)
    found["fingerprint"] = run("fingerprint", "model", *as_json)
    found["proof"] = run("prove", "model", "--file", "model.safetensors", "--tensor", "w")
    found["file proof"] = run("prove", "model", "--file", "config.json")
    (run.folder / "proof.json").write_text(found["proof"])
    found["checked"] = run("check", "proof.json", "--content", "model/model.safetensors", *as_json)
    found["verified"] = run("verify", "model", *as_json)
    found["undecided"] = run("verify", "model", "--anchor", "ledger:nowhere", *as_json)
    found["refused"] = run("verify", "model", "--fingerprint", "0" * 64, *as_json)
    (model / "model.safetensors").write_bytes(weights + b"12345679")
    (model / "new").write_text("")
    (model / "config.json").rename(model / "renamed.json")
    found["failed"] = run("verify", "model", *as_json)
    found["trouble"] = run("verify", "nowhere", *as_json)
    found["check failed"] = run("check", "proof.json", "--content", "model/model.safetensors", *as_json)
    found["diff"] = run("diff", "model/mltrust.seal.json", "model", *as_json)
    found["no diff"] = run("diff", "model", "model", *as_json)
    (model / "model.safetensors").write_bytes(weights)
    found["malformed"] = run("verify", "model", *as_json)
    (run.folder / "plain").write_text("x")
    found["sealed plain"] = run("seal", "plain", "--suite", "sha256", "--no-anchor", *as_json)
    found["plain diff"] = run("diff", "plain", "plain", *as_json)
    (run.folder / "plain").write_text("y")
    found["superseding"] = run("seal", "plain", *as_json)
    found["card"] = run("card", "plain", *as_json)
    found["ledger log"] = run("ledger", "log", *as_json)
    found["ledger check"] = run("ledger", "check", *as_json)
    found["ledger head"] = run("ledger", "checkpoint", *as_json)
    found["ledger export"] = run("ledger", "export", "tiles", *as_json)
    found["witnessed"] = run("ledger", "witness", *as_json)
    found["witness"] = run("ledger", "witness", "--key", *as_json)
    found["published"] = run("anchor", "plain.seal.json", "--to", "ledger:second", *as_json)
    (run.folder / "home/config.toml").write_text('[trust]\nkinds = ["ledger"]\n[anchors]\none = "ledger:/one"\n')
    found["configuration"] = run("config", "show", *as_json)
    (run.folder / "home/config.toml").unlink()
    found["plugins"] = run("plugins", "--check", *as_json)
    found["ledger checkpoint"] = run("ledger", "checkpoint", "--anchor", "ledger:other", *as_json)
    found["anchored checkpoint"] = (run.folder / "home/data/ledger/anchored/2.json").read_text("utf-8")
    found["ledger check, anchored"] = run("ledger", "check", "--anchor", "ledger:other", *as_json)
    found["ledger check, not anchored"] = run("ledger", "check", "--anchor", "ledger:nowhere", *as_json)
    found |= of_records(run, *as_json)
    found |= of_keys(run, *as_json)
    return {name: json.loads(text) for name, text in found.items()}


def of_records(run, *as_json):
    """Return what commands write of files of records: in the open, then blinded."""
    rows, text = run.folder / "rows", '{"id": 1}\n{"id": 2}\n{"id": 3}\n'
    rows.mkdir()
    (rows / "train.jsonl").write_text(text)
    (rows / "table.csv").write_text("id,text\n1,one\n")
    found = {"sealed rows": run("seal", "rows", "--records", "keep", "--records-index", *as_json)}
    found["seal of rows"] = (rows / "mltrust.seal.json").read_text("utf-8")
    prove = "prove", "rows", "--file", "train.jsonl"
    found["record proof"], found["absence"] = run(*prove, "--record", "2"), run(*prove, "--match", '{"id": 4}')
    (run.folder / "absence.json").write_text(found["absence"])
    found["checked absence"] = run("check", "absence.json", *as_json)
    (rows / "train.jsonl").write_text(text.replace("2", "22") + "more\n")
    found["rows failed"] = run("verify", "rows", *as_json)
    (run.folder / "blind.jsonl").write_text(text)
    found["sealed blind"] = run("seal", "blind.jsonl", "--blind", *as_json)
    found["blind seal"] = (run.folder / "blind.jsonl.seal.json").read_text("utf-8")
    found["blind proof"] = run("prove", "blind.jsonl.seal.json", "--file", "blind.jsonl", "--record", "3")
    found["erased"] = run("erase", "blind.jsonl", "--record", "2", "--reason", "asked to", *as_json)
    found["erasures"] = (run.folder / "blind.jsonl.seal.erasures.json").read_text("utf-8")
    found["verified after"] = run("verify", "blind.jsonl", *as_json)
    (run.folder / "before").mkdir()
    (run.folder / "before/train.jsonl").write_text(text)
    found["rows diff"] = run("diff", "before", "rows", "--preview", *as_json)
    return found


def of_keys(run, *as_json):
    """Return what commands write of keys and of signatures."""
    for name, kind in (("ec.key", "p256"), ("ed.key", "ed25519")):
        made = run("key", "generate", "--no-password", "--type", kind, "--output", name, *as_json)
    (run.folder / "signed").write_text("x")
    found = {"key made": made, "keys": run("key", "show", "ed.key.pub", *as_json)}
    found["sealed and signed"] = run("seal", "signed", "--key", "ec.key", "--oms", "signed.sig", *as_json)
    found["signed"] = run("sign", "signed", "plain", "--key", "ec.key", "--key", "ed.key", *as_json)
    found["signed seal"] = (run.folder / "signed.seal.json").read_text("utf-8")
    keys = "--key", "ec.key.pub", "--key", "ed.key.pub"
    found["verified by keys"] = run("verify", "signed", *keys, *as_json)
    found["verified as a bundle"] = run("verify", "signed", "--oms", "signed.sig", *keys[:2], *as_json)
    found["revoked"] = run("key", "revoke", "ed.key.pub", "--reason", "lost", "--list", "revoked.json", *as_json)
    found["revocations"] = (run.folder / "revoked.json").read_text("utf-8")
    return found


def test_every_result_fits_its_schema(documents):
    for name, document in documents.items():
        jsonschema.validate(document, SCHEMAS[kind_of(document)], cls=jsonschema.Draft202012Validator)
        assert next(iter(document)) == "mediaType", name


def test_no_schema_is_left_over(documents, run):
    seal, proof = documents["seal"], documents["proof"]
    for holder in (seal, proof):
        assert fits("statement", holder["statement"])
        assert fits("seal-predicate", holder["statement"]["predicate"])
        assert fits("ledger-evidence", holder["receipts"][0]["evidence"])
    for line in (run.folder / "home/data/ledger/entries.jsonl").read_text().splitlines():
        assert fits("ledger-entry", json.loads(line))
    (tombstone,) = documents["erasures"]["erasures"]
    assert fits("erasure-predicate", tombstone["statement"]["predicate"])
    apart = {"statement", "erasure-predicate", "seal-predicate", "ledger-evidence", "ledger-entry", "git-notes-record"}
    apart |= {"git-notes-evidence", "ethereum-evidence"}  # tests below
    apart |= {"rfc3161-evidence", "ethereum-status", "ethereum-resumed", "ethereum-deployed"}  # beside their anchors
    assert {kind_of(document) for document in documents.values()} | apart == set(SCHEMAS)


def test_a_record_of_git_notes_fits_its_schema(run):
    folder = run.folder / "repository"
    git = partial(subprocess.run, cwd=folder, capture_output=True, text=True, check=True)
    folder.mkdir()
    git(["git", "init", "--quiet"])
    (run.folder / "noted").write_text("x")
    for path, place in (("seal.json", "repository/seal.json"), (None, "elsewhere.json")):
        run("seal", "noted", "--name", place, "--output", place, "--anchor", "git-notes:repository")
        listed = git(["git", "notes", "--ref=mltrust", "list"]).stdout.split()
        lines = [line for note in listed[::2] for line in git(["git", "cat-file", "blob", note]).stdout.splitlines()]
        (record,) = [record for record in map(json.loads, lines) if record["path"] == path]
        assert fits("git-notes-record", record)
        assert not any(fits("git-notes-record", {**record, key: 1}) for key in (*record, "more"))
        assert fits("git-notes-evidence", {"record": lines[0]})
    assert not fits("git-notes-evidence", {})


@pytest.mark.parametrize("file", sorted(DOCS.parent.glob("tests/vectors/ethereum/*.json")), ids=lambda file: file.stem)
def test_the_evidence_of_ethereum_fits_its_schema(file):
    evidence = json.loads(file.read_text(encoding="utf-8"))["receipt"]["evidence"]
    assert fits("ethereum-evidence", evidence)
    for key in evidence:
        assert not fits("ethereum-evidence", {**evidence, key: 1.5})
    for mode in {"event", "calldata", "blob"} - {evidence["mode"]}:
        assert not fits("ethereum-evidence", {**evidence, "mode": mode})
    assert not fits("ethereum-evidence", {**evidence, "rpc": "https://node.example"})


def places(value, place=()):
    yield place, value
    if isinstance(value, dict | list):
        for key, below in value.items() if isinstance(value, dict) else enumerate(value):
            yield from places(below, (*place, key))


def changed(document, place, change):
    found = copy.deepcopy(document)
    below = found
    for step in place:
        below = below[step]
    change(below)
    return found


SPARE = {
    "metadata",
    "header",
    "index_root",
    "absence",
    ("totals", "records"),
    ("leaf", "records"),
    ("leaf", "salt"),
    ("scope", "told_by"),
}
OF_RECORDS = ["seal of rows", "record proof", "absence", "rows failed", "blind seal", "erased", "erasures", "rows diff"]
FREE = {"annotations", "digest", "predicate", "metadata", "evidence"}  # objects with keys of their own choice


@pytest.mark.parametrize(
    "name", ["seal", "proof", "verified", "failed", "diff", "sealed", "receipts", "ledger check", *OF_RECORDS]
)
def test_a_document_that_was_mutated_does_not_fit(documents, name):
    document = documents[name]
    kind, tried = kind_of(document), 0
    for place, value in places(document):
        if (
            not isinstance(value, dict)
            or (set(place) & FREE and "predicate" not in place)
            or place[-1:] == ("annotations",)
        ):
            continue
        assert not fits(kind, changed(document, place, lambda below: below.update(unknown=1))), place
        for key in value:
            missing = changed(document, place, lambda below, key=key: below.pop(key))
            odd = changed(document, place, lambda below, key=key: below.update({key: 1.5}))
            assert not fits(kind, odd), (*place, key)
            assert not fits(kind, missing) or key in SPARE or (*place[-1:], key) in SPARE, (*place, key)
            tried += 1
    assert tried > 5


@pytest.mark.parametrize(
    "change",
    [
        lambda seal: seal["manifest"]["entries"][0].update(digest="A" * 64),
        lambda seal: seal["manifest"]["entries"][0].update(kind="safetensors"),
        lambda seal: seal["manifest"]["entries"][0].update(children=[]),
        lambda seal: seal["manifest"]["entries"][1].update(digest="0" * 64),
        lambda seal: seal["manifest"]["entries"][1].update(metadata={}),
        lambda seal: seal["manifest"]["entries"][1]["children"][0].update(name="x"),
        lambda seal: seal["manifest"]["entries"][1]["children"][1].update(shape=[-1]),
        lambda seal: seal["statement"].update(predicateType="https://mltrust/seal/v2"),
        lambda seal: seal["statement"]["predicate"].update(root="0"),
        lambda seal: seal.update(mediaType="application/vnd.mltrust.seal.v2+json"),
    ],
)
def test_a_seal_that_breaks_a_rule_does_not_fit(documents, change):
    seal = copy.deepcopy(documents["seal"])
    change(seal)
    assert not fits("seal", seal)
