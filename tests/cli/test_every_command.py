"""What holds for every command: a result that programs read, and silence where it was asked for."""

import json

import pytest

from mltrust.cli.commands import whole_grammar

LEAVES = {" ".join(command.words): command for command in whole_grammar().all() if not command.below}

NO_JSON = {
    "prove": "what it prints is a JSON document already: the proof",
    "export": "its FORMAT says in which format it prints",
    "demo": "it tells a story to people",
    "completion": "it prints a script",
    "config path": "it prints a path; config show --format json has it, too",
    "config names": "it prints names, one a line; config show --format json has them, too",
}

# What each is run with: in text, and as {way} for programs. Without a `shown`, nothing is left to say with --quiet.
SILENT = {
    "seal": ("plain-{way}",),
    "sign": ("model", "--key", "{way}.key"),
    "anchor": ("model", "--to", "ledger:other-{way}"),
    "erase": ("people.jsonl", "--record", "{number}"),
    "key generate": ("--no-password", "--output", "made-{way}.key"),
    "key revoke": ("text.key.pub", "--list", "revoked.json"),
    "verify": ("model",),
    "check": ("proof.json",),
    "ledger check": (),
    "ledger export": ("tiles-{way}",),
    "ledger checkpoint": ("--anchor", "ledger:second"),
}
SHOWN = {
    "show": ("model",),
    "diff": ("model", "model"),
    "fingerprint": ("model",),
    "card": ("model",),
    "anchors": ("model",),
    "key show": ("text.key.pub",),
    "ledger log": (),
    "ledger witness": (),
    "config show": (),
    "plugins": (),
    "prove": ("model", "--file", "config.json"),
    "export": ("dsse", "model"),
    "completion": ("bash",),
    "config path": (),
    "config names": ("anchors",),
}
ELSEWHERE = {
    "demo": "tests/cli/test_demo.py: it runs other commands",
    "ethereum deploy": "tests/ethereum/test_story.py: it takes a chain",
    "ethereum status": "tests/ethereum/test_story.py: it takes a chain",
    "ethereum resume": "tests/ethereum/test_story.py: it takes a chain",
}
WAYS = {"text": 2, "json": 3}


def test_every_command_has_a_result_for_programs():
    without = {name for name, command in LEAVES.items() if "json" not in formats(command)}
    assert without == set(NO_JSON)


def formats(command):
    found = [option.value.choices for option in command.options if "--format" in option.flags]
    return found[0] if found else ()


def test_every_command_is_run_here_or_elsewhere():
    assert set(LEAVES) == {*SILENT, *SHOWN, *ELSEWHERE}


@pytest.fixture
def folder(mltrust, model):
    """Return a folder in which every command has something to do."""
    for way in WAYS:
        (mltrust.cwd / f"plain-{way}").write_text(way)
    (mltrust.cwd / "people.jsonl").write_text("".join(f'{{"id": {number}}}\n' for number in range(5)))
    (mltrust.home / "config.toml").write_text('[anchors]\nrelease = "ledger:/srv/releases"\n')
    made = [("key", "generate", "--no-password", "--output", f"{way}.key") for way in WAYS]
    proof = ("prove", "model", "--file", "config.json", "--output", "proof.json")
    for done in mltrust.many([*made, proof, ("seal", "people.jsonl", "--blind")]):
        assert done.code == 0, done.err
    return mltrust.cwd


def arguments(table, name, way):
    given = (each.replace("{way}", way).replace("{number}", str(WAYS[way])) for each in table[name])
    return [*name.split(), *given]


@pytest.mark.usefixtures("folder")
def test_quiet_is_quiet(mltrust):
    table = {**SILENT, **SHOWN}
    for name, done in zip(table, mltrust.many([*arguments(table, name, "text"), "-q"] for name in table), strict=True):
        assert (name, done.code, done.err) == (name, 0, "")
        assert bool(done.out) is (name in SHOWN), name


@pytest.mark.usefixtures("folder")
def test_quiet_leaves_the_document_that_was_asked_for(mltrust):
    table = {name: given for name, given in {**SILENT, **SHOWN}.items() if name not in NO_JSON}
    commands = [[*arguments(table, name, "json"), "-q", "--format", "json"] for name in table]
    for name, done in zip(table, mltrust.many(commands), strict=True):
        assert (name, done.code, done.err) == (name, 0, "")
        assert next(iter(json.loads(done.out))) == "mediaType", name
        assert done.out.isascii(), name


def test_errors_are_said_in_text(mltrust):
    """A program reads the exit code; what went wrong is for people, and never on stdout."""
    wrong = [(name, "nothing", *more) for name in ("show", "anchors", "sign") for more in ((), ("--format", "json"))]
    for done in mltrust.many([*command, "-q", *(("--key", "k") if "sign" in command else ())] for command in wrong):
        assert (done.code, done.out) == (3, "")
        assert done.err.startswith("error: ")
