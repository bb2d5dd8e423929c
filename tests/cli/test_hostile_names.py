"""Names that would take over a terminal, a log or a CI run, through every command and format."""

import json
import os
import sys

import pytest

from mltrust.testing.hostile_names import FILE_NAMES, commands, hidden

pytestmark = [
    pytest.mark.skipif(sys.platform == "win32", reason="such names exist on POSIX only"),
    pytest.mark.usefixtures("unmeasured"),
]

NAMES = FILE_NAMES[:26]  # what terminals and logs obey; the formats of reports have tests of their own
FILES = [name.replace("/", "|") for name in NAMES]


def harmless(done):
    assert hidden(done.out) == []
    assert hidden(done.err) == []
    assert commands(done.out) == commands(done.err) == []
    return done


@pytest.fixture
def hostile(mltrust, tmp_path, weights):
    folder = tmp_path / "hostile"
    folder.mkdir()
    for number, name in enumerate(NAMES):
        (folder / FILES[number]).write_text(str(number))
        (folder / f"config{number}.safetensors").write_bytes(
            weights({name: ("U8", (4,), number.to_bytes(4, "little"))}, {name: name})
        )
    (folder / "config.json").write_text(json.dumps({"auto_map": {NAMES[3]: NAMES[5]}}))
    (folder / "adapter_config.json").write_text(json.dumps({"base_model_name_or_path": NAMES[3] + NAMES[8]}))
    (folder / f"{FILES[3]}.pkl").write_text("x")
    return folder


@pytest.fixture
def sealed(mltrust, hostile):
    annotations = [
        part for n, name in enumerate(NAMES) for part in ("--annotation", f"{n}{name.replace('=', '')}={name}")
    ]
    done = mltrust("seal", hostile, "--name", "".join(NAMES), *annotations)
    assert done.code == 0, done.err
    harmless(done)
    return hostile


BOTH = ((), ("--format", "json"))


def test_seal_show_verify_anchors(mltrust, sealed):
    commands = [(name, sealed, *more) for name in ("seal", "show", "verify", "anchors", "fingerprint") for more in BOTH]
    for command, done in zip(commands, mltrust.many(commands), strict=True):
        assert harmless(done).code == 0, command
    told, data = mltrust("show", sealed), mltrust("show", sealed, "--format", "json")
    assert harmless(data).code == 0
    assert {entry["path"] for entry in data.json()["manifest"]["entries"]} >= set(FILES)
    assert "[bold red]x[/bold red]" in told.out
    assert "[bold red]x[|bold red]" in told.out
    assert "\\x1b[31mred" in told.out
    assert "\\u202etxt.exe" in told.out
    assert "a\\\\x1b[31m" in told.out  # a name that only looks escaped is told apart


def test_every_kind_of_difference(mltrust, sealed, weights):
    for number, name in enumerate(FILES):
        path = sealed / name
        if number % 4 == 0:
            path.unlink()
        elif number % 4 == 1:
            path.write_text("changed")
        elif number % 4 == 2:
            path.rename(sealed / f"{name}.renamed")
        else:
            (sealed / f"{name}.added").write_text("added")
        changed = weights({NAMES[number][::-1]: ("U8", (4,), number.to_bytes(4, "little")), "more": ("U8", (1,), b"x")})
        (sealed / f"config{number}.safetensors").write_bytes(changed)
    (sealed / "config1.safetensors").write_bytes(b"\x1b[31m" * 40)
    commands = [("verify", sealed, *more) for more in (*BOTH, ("-v",))]
    commands += [("diff", sealed / "mltrust.seal.json", sealed, *more) for more in (*BOTH, ("-v",))]
    for done in mltrust.many(commands):
        assert harmless(done).code == 1
    assert harmless(mltrust("verify", sealed, "-v", "--color", "never")).code == 1


def test_proofs(mltrust, sealed):
    prove = [("prove", sealed, "--file", name) for name in FILES]
    prove += [("prove", sealed, "--file", f"config{n}.safetensors", "--tensor", name) for n, name in enumerate(NAMES)]
    check = []
    for number, done in enumerate(mltrust.many(prove)):
        assert harmless(done).code == 0
        path = mltrust.cwd / f"proof-{number}.json"
        path.write_text(done.out)
        check += [("check", path, *more) for more in BOTH]
    for done in mltrust.many(check):
        assert harmless(done).code == 0


def test_errors_quote_names_harmlessly(mltrust, sealed):
    commands = []
    for name in NAMES:
        commands += [
            ("prove", sealed, "--file", f"{name}?"),
            ("prove", sealed, "--file", "config0.safetensors", "--tensor", f"{name}?"),
        ]
        commands += [("verify", name), ("show", name), ("diff", name, name), ("check", name), ("anchors", name)]
        commands += [
            ("verify", sealed, option, name) for option in ("--anchor", "--key", "--fingerprint", "--engine", "--seal")
        ]
        commands += [
            ("verify", sealed, name),
            ("verify", sealed, "--format", name),
            ("ledger", "check", "--ledger", name),
        ]
        commands += [("ledger", "check", "--ledger", f"ledger:{name}"), ("seal", sealed, "--exclude", f"!{name}")]
        commands += [("seal", sealed, "--annotation", name.replace("=", "")), (name,)]
    for command, done in zip(commands, mltrust.many(commands), strict=True):
        assert harmless(done).code in ((0, 2) if len(command) == 1 else (2, 3)), command  # old Click shows its help


def test_refused_files_are_named_harmlessly(mltrust, hostile):
    for name in (NAMES[3], NAMES[8], NAMES[13]):
        fifo = hostile / f"{name}-fifo"
        os.mkfifo(fifo)
        assert harmless(mltrust("seal", hostile)).code == 3
        fifo.unlink()
        fifo.symlink_to("/etc/passwd")
        assert harmless(mltrust("seal", hostile)).code == 3
        fifo.unlink()
    (hostile / "\x1b[31m.safetensors").write_bytes(b"\x1b]0;x\x07" * 30)
    assert harmless(mltrust("seal", hostile)).code == 3


def test_a_folder_with_such_a_name(mltrust, tmp_path):
    for name in (NAMES[3], NAMES[8], NAMES[13]):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x").write_text("x")
        for done in mltrust.many((command, name, *more) for command in ("seal", "verify", "show") for more in BOTH):
            assert harmless(done).code == 0


def test_a_ledger_with_such_a_name(mltrust, hostile):
    place = f"ledger:{NAMES[3]}"
    assert harmless(mltrust("seal", hostile, "--anchor", place)).code == 0
    asked = [("verify", hostile, "--anchor", place)]
    asked += [("ledger", what, "--ledger", place) for what in ("check", "log")]
    for done in mltrust.many((*command, *more) for command in asked for more in BOTH):
        assert harmless(done).code == 0


def test_an_edited_receipt_shows_nothing_raw(mltrust, sealed):
    path = sealed / "mltrust.seal.json"
    seal = json.loads(path.read_text())
    evil = "".join(NAMES)
    for field in ("entry", "checkpoint"):
        edited = json.loads(json.dumps(seal))
        edited["receipts"][0]["evidence"][field] = evil
        edited["signatures"] = [{"keyid": evil, "sig": evil}]
        path.write_text(json.dumps(edited))
        for done in mltrust.many(
            (command, sealed, *more) for command in ("anchors", "verify", "show") for more in BOTH
        ):
            harmless(done)


def test_a_name_that_is_not_unicode_is_refused(mltrust, tmp_path):
    folder = tmp_path / "raw"
    folder.mkdir()
    try:
        (folder / os.fsdecode(b"\xff\xfe\x1b[31m")).write_text("x")
    except OSError:
        pytest.skip("this file system holds Unicode names only")
    assert harmless(mltrust("seal", folder)).code == 3
