"""`mltrust prove` and `mltrust check` for records: that one is in a sealed file, and that one is not."""

import json
import re
import shutil
from pathlib import Path

import pytest

LINES = [f'{{"id": {number}, "text": "row {number}"}}' for number in range(1, 8)]
ABSENT = '{"id": 9, "text": "row 9"}'
NO_INDEX = "Absence can be proved only for a seal made with --records-index, and of records without names."


@pytest.fixture(scope="module")
def _sealed(tmp_path_factory, command):
    base = tmp_path_factory.mktemp("sealed")
    folder = base / "data"
    folder.mkdir()
    (folder / "train.jsonl").write_text("\n".join([*LINES, LINES[1]]) + "\n")
    (folder / "test.csv").write_text("id,text\n1,one\n2,two\n")
    (folder / "README.md").write_text("some data")
    assert command(base)("seal", folder, "--records-index").code == 0
    return base


@pytest.fixture
def data(_sealed, mltrust):
    """Return a folder with a JSONL file, a CSV file and another, sealed with an index in the ledger of `mltrust`."""
    shutil.copytree(_sealed / "home", mltrust.home)
    return Path(shutil.copytree(_sealed / "data", mltrust.cwd / "data"))


def proved(mltrust, data, *asked, file="train.jsonl"):
    done = mltrust("prove", data, "--file", file, *asked, "-o", "p.json")
    assert done.code == 0, done.err
    assert done.out == ""
    return done.err


def test_a_record_by_its_number(mltrust, data):
    proved(mltrust, data, "--record", 3)
    text = (mltrust.cwd / "p.json").read_text()
    assert "row" not in text  # of no record more than its hash
    done = mltrust("check", "p.json")
    assert done.code == 0
    assert "record 3 of train.jsonl is part of the sealed artifact" in done.out
    whole = (data / "train.jsonl").read_text()
    for done in [*held_against(mltrust, LINES[2], LINES[2] + "\n", LINES[2] + "\r\n"), *held_against(mltrust, whole)]:
        assert done.code == 0
        assert {check["outcome"] for check in done.json()["checks"]} == {"pass"}
        assert done.json()["scope"]["records"] == 1
    wrong = (LINES[1], LINES[2] + "\n\n", LINES[2] + " ", LINES[2][:-1], "\n" + LINES[2], "")
    for done in [*held_against(mltrust, *wrong), *held_against(mltrust, "\n".join(LINES[3:]))]:
        assert done.code == 1
        assert "the given bytes are not the proven ones" in [check["summary"] for check in done.json()["checks"]]


def held_against(mltrust, *contents):
    """Check the proof with each of `contents`: the bytes of a record, or, if there is but one, a file of records."""
    ending = "json" if len(contents) > 1 else "jsonl"
    for number, content in enumerate(contents):
        (mltrust.cwd / f"{number}.{ending}").write_bytes(content.encode())
    names = [f"{number}.{ending}" for number in range(len(contents))]
    return mltrust.many(("check", "p.json", "--content", name, "--format", "json") for name in names)


@pytest.mark.parametrize("end", ["", "\n", "\r\n"])
def test_a_record_by_what_it_is(mltrust, data, end):
    (mltrust.cwd / "r.json").write_bytes((LINES[4] + end).encode())
    prove = ("prove", data, "--file", "train.jsonl")
    results = mltrust.many((*prove, "--match", given) for given in (LINES[4], "@r.json"))
    results.append(mltrust(*prove, "--match", "-", input=(LINES[4] + end).encode()))
    for done in results:
        assert done.code == 0
        assert "record 5 of train.jsonl\n" in done.err
    assert results[2].json()["levels"][1]["index"] == 4


def test_a_record_by_its_value_and_the_first_of_several(mltrust, data):
    said = proved(mltrust, data, "--match", '{"text": "row 2", "id": 2}')
    assert "2 records of train.jsonl are that: this is the first, 2\n" in said
    assert "record 2 of train.jsonl is part" in mltrust("check", "p.json").out
    proved(mltrust, data, "--match", '{"text": "two", "id": "2"}', file="test.csv")
    (mltrust.cwd / "row").write_text("2,two\n")
    assert mltrust("check", "p.json", "--content", "row").code == 0


def test_a_record_that_is_not_there(mltrust, data):
    assert "this is a proof of absence" in proved(mltrust, data, "--match", ABSENT)
    (mltrust.cwd / "r.json").write_text(ABSENT + "\n")
    done = mltrust("check", "p.json", "--content", "r.json")
    assert done.code == 0
    assert " is in the committed set of train.jsonl" in done.out
    assert "the given bytes are the absent ones: 26 bytes" in done.out
    for done in held_against(mltrust, LINES[0], ABSENT + "x", f"{ABSENT}\n{LINES[0]}", "\n".join(LINES)):
        assert done.code == 1
        assert "the given bytes are not the absent ones" in [check["summary"] for check in done.json()["checks"]]
    assert proved(mltrust, data, "--match", ABSENT, "--absent") == proved(mltrust, data, "--match", ABSENT)


def test_who_insists_on_absence_gets_no_proof_of_presence(mltrust, data):
    matches = (LINES[3], '{"text":"row 4","id":4}')
    prove = ("prove", data, "--file", "train.jsonl", "--absent", "-o", "p.json")
    for done in mltrust.many((*prove, "--match", match) for match in matches):
        assert done.code == 1
        assert done.err == "error: record 4 of train.jsonl is that\n"
        assert not (mltrust.cwd / "p.json").exists()


def test_without_an_index_there_is_no_proof_of_absence(mltrust, data):
    assert mltrust("seal", data, "--no-anchor").code == 0
    for more in ([], ["--absent"]):
        done = mltrust("prove", data, "--file", "train.jsonl", "--match", ABSENT, *more)
        assert (done.code, done.out) == (1, "")
        assert done.err == f"error: no such record in train.jsonl\nhint: {NO_INDEX}\n"
    proved(mltrust, data, "--match", LINES[0])


def test_the_index_is_part_of_what_is_verified(mltrust, data):
    whole, plain, records, none, sealed, same = mltrust.many(
        [
            ("verify", data),
            ("fingerprint", data),
            ("fingerprint", data, "--records-index"),
            ("diff", data / "mltrust.seal.json", data),
            ("seal", data, "-o", "plain.seal.json", "--no-anchor"),
            ("diff", "plain.seal.json", data / "mltrust.seal.json"),
        ]
    )
    assert whole.code == none.code == sealed.code == 0
    assert same.code == 0  # the same records
    seal = json.loads((data / "mltrust.seal.json").read_text())
    with_index = seal["statement"]["subject"][0]["digest"]["mltrust-1"]
    assert all("index_root" in entry for entry in seal["manifest"]["entries"] if entry["kind"] == "records")
    assert records.out.strip() == with_index
    assert plain.out.strip() != with_index
    (data / "train.jsonl").write_text("\n".join(LINES[1:]))
    assert mltrust("verify", data).code == 1


def test_a_made_up_index_is_found_by_verify(mltrust, data):
    code = """
import sys
from pathlib import Path
from mltrust import Bundle, read_seal_file
from mltrust.core.manifest import Manifest
from mltrust.core.digest import BLAKE3
from mltrust.statements.seal import read_seal, seal_statement
path = Path(sys.argv[1])
bundle = read_seal_file(path)
entries = list(bundle.manifest.entries)
for at, entry in enumerate(entries):
    if entry.leaf.records:
        made_up = entry.leaf.records._replace(index_root=b"made up".ljust(32))
        entries[at] = entry._replace(leaf=entry.leaf._replace(records=made_up))
manifest = Manifest.of(entries)
statement = seal_statement("data", manifest, BLAKE3, read_seal(bundle.statement).parameters)
path.write_bytes(Bundle(statement, manifest).to_json())
"""
    done = mltrust.python(code, data / "mltrust.seal.json")
    assert done.code == 0, done.err
    done = mltrust("verify", data, "--content-only")
    assert done.code == 1
    done = mltrust("prove", data, "--file", "train.jsonl", "--match", ABSENT)
    assert done.code == 3
    assert "is not that of its records" in done.err


def test_the_records_may_lie_elsewhere(mltrust, data):
    seal = mltrust.cwd / "elsewhere" / "s.json"
    seal.parent.mkdir()
    (data / "mltrust.seal.json").rename(seal)
    done = mltrust("prove", seal, "--file", "train.jsonl", "--record", 1)
    assert done.code == 2
    assert "hint: Name it with --artifact." in done.err
    for artifact in (data, data / "train.jsonl"):
        done = mltrust("prove", seal, "--file", "train.jsonl", "--record", 1, "--artifact", artifact)
        assert done.code == 0
        assert done.json()["levels"][1]["index"] == 0
    (data / "train.jsonl").rename(mltrust.cwd / "moved.jsonl")
    done = mltrust("prove", seal, "--file", "train.jsonl", "--record", 1, "--artifact", data)
    assert done.code == 3
    assert mltrust("prove", seal, "--file", "train.jsonl", "--record", 1, "--artifact", "moved.jsonl").code == 0


def test_a_single_file(mltrust):
    (mltrust.cwd / "one.jsonl").write_text("a\nb")
    assert mltrust("seal", "one.jsonl", "--records-index").code == 0
    assert mltrust("verify", "one.jsonl").code == 0
    proved(mltrust, "one.jsonl.seal.json", "--record", 2, file="one.jsonl")
    (mltrust.cwd / "b").write_text("b\n")
    assert mltrust("check", "p.json", "--content", "b").code == 0
    proved(mltrust, "one.jsonl.seal.json", "--match", "c", file="one.jsonl")
    assert mltrust("check", "p.json").code == 0
    (mltrust.cwd / "c").write_text("c")
    assert mltrust("check", "p.json", "--content", "c").code == 0


def test_a_file_names_the_seal_beside_it(mltrust):
    (mltrust.cwd / "one.jsonl").write_text("a\nb")
    assert mltrust("seal", "one.jsonl").code == 0
    prove = [("prove", name, "--file", "one.jsonl", "--record", 2) for name in ("one.jsonl", "one.jsonl.seal.json")]
    by_file, by_seal = mltrust.many(prove)
    assert (by_file.code, by_file.out) == (0, by_seal.out)
    assert mltrust("show", "one.jsonl").out == mltrust("show", "one.jsonl.seal.json").out


def test_a_file_that_changed_proves_nothing(mltrust, data):
    (data / "train.jsonl").write_text("\n".join(LINES))
    questions = (("--record", 1), ("--match", LINES[0]), ("--match", ABSENT))
    for done in mltrust.many(("prove", data, "--file", "train.jsonl", *asked) for asked in questions):
        assert (done.code, done.out) == (3, "")
        assert "does not hold the sealed records" in done.err
        assert "hint: mltrust verify tells what differs." in done.err


def test_options_that_make_no_sense(mltrust, data):
    wrong = [
        ("--record", 1, "--match", "x"),
        ("--record", 1, "--tensor", "x"),
        ("--absent",),
        ("--absent", "--record", 1),
        ("--artifact", "data"),
        ("--record", 0),
        ("--record", 9),
        ("--record", "one"),
    ]
    done = mltrust.many(("prove", data, "--file", "train.jsonl", *more) for more in wrong)
    assert [each.code for each in done] == [2] * len(wrong)


def test_what_has_no_records(mltrust, data):
    (mltrust.cwd / "x.txt").write_text("x")
    done = mltrust.many(
        [
            ("prove", data, "--file", "README.md", "--record", 1),
            ("prove", data, "--file", "nothing", "--record", 1),
            ("prove", data, "--file", "train.jsonl", "--match", "@nothing"),
            ("seal", data, "--records-index", "--records", "off"),
            ("fingerprint", data, "--records-index", "--records", "off"),
            ("seal", "x.txt", "--records-index", "--no-anchor"),
        ]
    )
    assert [each.code for each in done] == [2, 2, 3, 2, 2, 0]
    assert "was not sealed record by record" in done[0].err
    assert "there is no record index" in done[-1].err


MAKE = """
import json, sys
from pathlib import Path
import mltrust
from mltrust.proving import prove_records
rows = [json.dumps({"id": number, "half": number / 2}) for number in range(3000)]
Path("many.jsonl").write_text("\\n".join(rows))
mltrust.seal("many.jsonl", means=mltrust.default_means(records_index=True))
asked = [*range(1, 3000, 3), *(f"not {number}".encode() for number in range(1000))]
answers = prove_records("many.jsonl.seal.json", asked, file="many.jsonl")
Path("proofs").mkdir()
for number, answer in enumerate(answers):
    Path(f"proofs/{number}.json").write_bytes(answer.proof.serialize())
print(mltrust.fingerprint("many.jsonl", means=mltrust.default_means(records_index=True)))
"""

CHECK = """
import sys
from pathlib import Path
import mltrust
trust, means = mltrust.Trust(fingerprint=sys.argv[1]), mltrust.default_means()
for number in range(int(sys.argv[2])):
    report = mltrust.check(f"proofs/{number}.json", trust=trust, means=means).require()
    print(next(check.summary for check in report.checks if check.kind == "proof"))
"""


@pytest.mark.usefixtures("unmeasured")
def test_1000_records_and_1000_that_are_not_there_in_another_process(mltrust):
    made = mltrust.python(MAKE)
    assert made.code == 0, made.err
    (mltrust.cwd / "many.jsonl").unlink()
    (mltrust.cwd / "many.jsonl.seal.json").unlink()
    done = mltrust.python(CHECK, made.out.strip(), 2000)
    assert done.code == 0, done.err
    said = done.out.splitlines()
    assert said[:1000] == [
        f"record {number:,} of many.jsonl is part of the sealed artifact" for number in range(1, 3000, 3)
    ]
    assert len(said[1000:]) == 1000
    assert all(
        re.fullmatch("no record with the digest [0-9a-f]{64} is in the committed set of many.jsonl", line)
        for line in said[1000:]
    )
    assert mltrust.python(CHECK, "0" * 64, 1).code != 0
