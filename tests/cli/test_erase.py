"""Blinded seals and erasures through the installed command: sealing, verifying, erasing, being killed in between."""

import gzip
import json
import shutil
from pathlib import Path

import pytest

ROWS = [f'{{"id": {number}}}' for number in range(1, 11)]
KILLED = """
import os, signal, sys
from mltrust.beside import tombstones
from mltrust.disk import salts
from mltrust.erasing import erase
from mltrust.cli.console import Console
from mltrust.cli.trusting import own_ledger
from mltrust.operations import blinded_file, erase as erasing


def die(*arguments):
    os.kill(os.getpid(), signal.SIGKILL)

def one_salt(kept, indexes):
    salts.erase_salts(kept, list(indexes)[:1])
    die()

point = sys.argv[1]
if point == "published":
    tombstones.write_atomically = die
elif point == "tombstone":
    erasing.erase_salts = die
elif point == "one salt":
    erasing.erase_salts = one_salt
elif point == "salts":
    blinded_file.Left.replace_file = die
elif point == "before":
    erasing._published = die
erase("rows.jsonl", records=[3, 7], anchors=[own_ledger(Console(quiet=True))])
"""


@pytest.fixture(scope="module")
def _sealed(tmp_path_factory, command):
    base = tmp_path_factory.mktemp("sealed")
    (base / "rows.jsonl").write_text("\n".join(ROWS) + "\n")
    done = command(base)("seal", "rows.jsonl", "--blind")
    assert done.code == 0, done.err
    return base


@pytest.fixture
def sealed(_sealed, tmp_path):
    """Return the rows with a blinded seal in the ledger of `mltrust`."""
    return Path(shutil.copytree(_sealed, tmp_path, dirs_exist_ok=True)) / "rows.jsonl"


def lines(path):
    return path.read_text().splitlines()


def without(*numbers):
    return [row for number, row in enumerate(ROWS, 1) if number not in numbers]


def report(mltrust, artifact, code, *more):
    done = mltrust("verify", artifact, "--format", "json", *more)
    assert done.code == code, done.out + done.err
    return done.json()


def check(found, kind):
    return [each for each in found["checks"] if each["kind"] == kind]


def test_a_blinded_file_is_sealed_again_to_the_same_statement_and_verified(mltrust, sealed):
    seal, salts = sealed.with_name("rows.jsonl.seal.json"), sealed.with_name("rows.jsonl.seal.salts")
    before = seal.read_bytes(), salts.read_bytes()
    (entry,) = json.loads(before[0])["manifest"]["entries"]
    assert entry["blinded"] is True
    assert "digest" not in entry
    assert len(before[1]) == 16 + 32 * len(ROWS)
    assert salts.stat().st_mode & 0o777 == 0o600
    again = mltrust("seal", sealed, "--blind")
    assert (again.code, seal.read_bytes(), salts.read_bytes()) == (0, *before)
    found = report(mltrust, sealed, 0)
    assert (found["scope"]["records"], found["scope"]["records_erased"]) == (10, 0)
    assert "line endings" in check(found, "content")[0]["summary"]


def test_two_blinded_seals_of_one_file_have_nothing_in_common(mltrust, sealed, tmp_path):
    first = (tmp_path / "rows.jsonl.seal.json").read_text()
    mltrust("seal", sealed, "--blind", "--output", "other.seal.json", "--salts", "other.salts", "--no-anchor")
    second = (tmp_path / "other.seal.json").read_text()
    for key in ("record_root", "set_root"):
        assert json.loads(first)["manifest"]["entries"][0][key] not in second


def test_records_that_changed_never_get_the_salts_of_others(mltrust, sealed, tmp_path):
    salts = tmp_path / "rows.jsonl.seal.salts"
    before = salts.read_bytes()
    sealed.write_text("\n".join([*ROWS[:-1], '{"id": 11}']) + "\n")
    done = mltrust("seal", sealed, "--blind", "--format", "json")
    assert done.json()["supersedes"]
    cut = [{data[at : at + 32] for at in range(16, len(data), 32)} for data in (before, salts.read_bytes())]
    assert not cut[0] & cut[1]
    assert report(mltrust, sealed, 0)


def test_a_folder_leaves_its_salts_out_and_names_what_is_not_blinded(mltrust, tmp_path):
    folder = tmp_path / "data"
    (folder / "b").mkdir(parents=True)
    (folder / "a.jsonl").write_text("\n".join(ROWS))
    (folder / "b/b.jsonl").write_text("\r\n".join(ROWS[:3]) + "\r\n")
    (folder / "notes.txt").write_text("x")
    done = mltrust("seal", "data", "--blind")
    assert done.code == 0
    assert "notes.txt: not blinded" in done.out
    seal = json.loads((folder / "mltrust.seal.json").read_text())
    assert seal["statement"]["predicate"]["parameters"]["exclude"][-2:] == [
        "/mltrust.seal.salts",
        "/mltrust.seal.erasures.json",
    ]
    assert report(mltrust, "data", 0)["scope"]["files"] == 3
    assert mltrust("erase", "data", "--record", "1").code == 2  # of which of the two?
    assert mltrust("erase", "data", "--record", "3", "--file", "b/b.jsonl").code == 0
    assert (folder / "b/b.jsonl").read_bytes() == "".join(f"{row}\r\n" for row in ROWS[:2]).encode()
    assert sorted(path.name for path in folder.iterdir()) == [
        "a.jsonl", "b", "mltrust.seal.erasures.json", "mltrust.seal.json", "mltrust.seal.salts", "notes.txt"
    ]  # fmt: skip
    found = report(mltrust, "data", 0)
    assert (found["scope"]["records"], found["scope"]["records_erased"]) == (12, 1)
    (folder / "notes.txt").write_text("y")
    assert report(mltrust, "data", 1)


def test_salts_may_lie_under_any_name_also_inside(mltrust, tmp_path):
    (tmp_path / "data/private").mkdir(parents=True)
    (tmp_path / "data/a.jsonl").write_text("\n".join(ROWS))
    done = mltrust("seal", "data", "--blind", "--salts", "data/private/a.salts")
    assert done.code == 0
    assert "keep them" in done.err
    assert report(mltrust, "data", 0, "--salts", "data/private/a.salts")["scope"]["left_out"] == [
        "mltrust.seal.json",
        "private/a.salts",
    ]
    (tmp_path / "data/private/a.salts").rename(tmp_path / "data/mltrust.seal.salts")
    (tmp_path / "data/mltrust.seal.json").unlink()
    left = mltrust("seal", "data")
    assert left.code == 2
    assert "belongs to a blinded seal" in left.err


def test_without_the_salts_nothing_is_verified(mltrust, sealed, tmp_path):
    (tmp_path / "rows.jsonl.seal.salts").rename(tmp_path / "private")
    found = report(mltrust, sealed, 3)
    assert "the salts are not here" in check(found, "content")[0]["summary"]
    assert report(mltrust, sealed, 0, "--salts", "private")
    assert mltrust("verify", sealed, "--salts", "nowhere").code == 3
    (tmp_path / "private").write_bytes((tmp_path / "private").read_bytes()[:-1])
    cut = mltrust("verify", sealed, "--salts", "private")
    assert cut.code == 3
    assert "does not hold the salts of this seal" in cut.err
    assert mltrust("erase", sealed, "--record", "1").code == 2


def test_erased_records_are_gone_and_the_seal_holds(mltrust, sealed, tmp_path):
    seal, salts = tmp_path / "rows.jsonl.seal.json", tmp_path / "rows.jsonl.seal.salts"
    before = seal.read_bytes()
    for records, left in (((4,), without(4)), ((1, 10), without(4, 1, 10)), ((5, 3), without(4, 1, 10, 5, 3))):
        done = mltrust(
            "erase", sealed, *(part for record in records for part in ("--record", record)), "--reason", "request 7"
        )
        assert done.code == 0, done.err
        assert done.out.startswith("ERASED")
        assert lines(sealed) == left
        found = report(mltrust, sealed, 0)
        assert found["scope"]["records"] == len(left)
        assert found["scope"]["bytes"] == sealed.stat().st_size
    assert seal.read_bytes() == before
    erasures = check(found, "erasure")
    assert [each["outcome"] for each in erasures] == ["pass"] * 3
    assert "request 7" in erasures[0]["summary"]
    assert erasures[0]["time"]["not_after"] in erasures[0]["summary"]
    data = salts.read_bytes()[16:]
    assert [data[32 * at : 32 * at + 32] == bytes(32) for at in range(10)] == [
        at + 1 in (1, 3, 4, 5, 10) for at in range(10)
    ]
    text = mltrust("verify", sealed).out
    assert "3 records" not in text.splitlines()[0]
    assert "1 record of rows.jsonl erased" in text


def test_every_record_may_go(mltrust, sealed):
    done = mltrust("erase", sealed, *(part for number in range(1, 11) for part in ("--record", number)))
    assert done.code == 0, done.err
    assert sealed.read_bytes() == b""
    assert report(mltrust, sealed, 0)["scope"]["records_erased"] == 10


@pytest.mark.parametrize("point", ["before", "published", "tombstone", "one salt", "salts"])
def test_an_erasure_that_was_killed_is_finished_by_the_same_command(mltrust, sealed, tmp_path, point):
    seal = (tmp_path / "rows.jsonl.seal.json").read_bytes()
    killed = mltrust.python(KILLED, point)
    assert killed.code == -9, killed.err
    assert lines(sealed) == ROWS
    if point in ("before", "published"):
        report(mltrust, sealed, 0)  # nothing has happened here yet
    else:
        found = report(mltrust, sealed, 1)
        said = json.dumps(found)
        assert "unfinished" in said
        (content,) = check(found, "content")
        assert content["outcome"] == "fail"
        (erasure,) = check(found, "erasure")
        assert erasure["outcome"] == ("pass" if point == "salts" else "fail")
        if point != "salts":
            assert "--file rows.jsonl --record 3 --record 7" in erasure["hint"]
            other = mltrust("erase", sealed, "--record", "1")
            assert other.code == 2
            assert "another erasure" in other.err
    done = mltrust("erase", sealed, "--record", "7", "--record", "3", "--format", "json")
    assert done.code == 0, done.err
    told = done.json()
    assert [told[key] for key in ("file", "records", "already_erased")] == ["rows.jsonl", [3, 7], False]
    assert lines(sealed) == without(3, 7)
    found = report(mltrust, sealed, 0)
    assert found["scope"]["records_erased"] == 2
    erasures = json.loads((tmp_path / "rows.jsonl.seal.erasures.json").read_text())["erasures"]
    assert [len(each["receipts"]) for each in erasures] == [1]
    assert (tmp_path / "rows.jsonl.seal.json").read_bytes() == seal
    assert mltrust("erase", sealed, "--record", "1").code == 0  # and the next one may begin


def test_another_anchor_is_added_to_an_erasure_that_is_done(mltrust, sealed, tmp_path):
    assert mltrust("erase", sealed, "--record", "2").code == 0
    assert mltrust("erase", sealed, "--record", "2", "--anchor", f"ledger:{tmp_path / 'second'}").code == 0
    erasures = json.loads((tmp_path / "rows.jsonl.seal.erasures.json").read_text())["erasures"]
    assert [len(each["receipts"]) for each in erasures] == [2]
    again = (tmp_path / "rows.jsonl.seal.erasures.json").read_bytes()
    assert (
        "ERASED  1 record of rows.jsonl: already erased, nothing to do" in mltrust("erase", sealed, "--record", 2).out
    )
    assert (tmp_path / "rows.jsonl.seal.erasures.json").read_bytes() == again


def test_other_formats_are_rewritten_by_their_owner(mltrust, tmp_path):
    path, left = tmp_path / "rows.jsonl.gz", tmp_path / "left.jsonl.gz"
    path.write_bytes(gzip.compress("\n".join(ROWS).encode()))
    assert mltrust("seal", path, "--blind").code == 0
    told = mltrust("erase", path, "--record", "2")
    assert told.code == 2
    assert "--rewritten" in told.err
    for wrong in (ROWS, without(2, 3), without(3), [*without(2), ROWS[1]]):
        left.write_bytes(gzip.compress("\n".join(wrong).encode()))
        refused = mltrust("erase", path, "--record", "2", "--rewritten", left)
        assert refused.code == 3, refused.out
    assert not (tmp_path / "rows.jsonl.gz.seal.erasures.json").exists()
    left.write_bytes(gzip.compress("\n".join(without(2)).encode()))
    assert mltrust("erase", path, "--record", "2", "--rewritten", left).code == 0
    assert path.read_bytes() == left.read_bytes()
    assert report(mltrust, path, 0)["scope"]["records_erased"] == 1


def test_rows_of_a_table_go_with_all_their_lines(mltrust, tmp_path):
    path = tmp_path / "people.csv"
    path.write_bytes(b'name,note\r\nann,"a\r\nb"\r\nbob,x\r\ncy,"y\nz"\r\n')
    assert mltrust("seal", path, "--blind").code == 0
    assert mltrust("erase", path, "--record", "1").code == 0
    assert path.read_bytes() == b'name,note\r\nbob,x\r\ncy,"y\nz"\r\n'
    assert mltrust("erase", path, "--record", "3").code == 0
    assert path.read_bytes() == b"name,note\r\nbob,x\r\n"
    assert report(mltrust, path, 0)["scope"]["records_erased"] == 2


REFUSED = (
    (("seal", "rows.jsonl"), "would undo that"),
    (("seal", "rows.jsonl", "--blind", "--records", "off"), "--blind goes with no"),
    (("seal", "rows.jsonl", "--blind", "--records-index"), "--blind goes with no"),
    (("seal", "rows.jsonl", "--salts", "x"), "--salts goes with --blind"),
    (("seal", "plain.txt", "--blind"), "no file of records"),
    (("seal", "rows.jsonl", "--blind", "--output", "new.seal.json", "--salts", "plain.txt"), "Move it away"),
    (("erase", "rows.jsonl", "--record", "11"), "no record 11"),
    (("erase", "rows.jsonl", "--record", "1", "--file", "other"), "no blinded file"),
    (("erase", "s3://bucket/x", "--record", "1"), "not on this machine"),
    (("erase", "plain.txt", "--record", "1"), "not blinded"),
    (("verify", "plain.txt", "--salts", "plain.txt"), "not blinded"),
    (("diff", "rows.jsonl", "rows.jsonl.seal.json"), "blinded"),
    (("seal", "rows.jsonl", "--blind", "--engine", "dask://127.0.0.1:1"), "do not leave this machine"),
    (("verify", "rows.jsonl", "--engine", "dask://127.0.0.1:1"), "do not leave this machine"),
)


def test_what_makes_no_sense_is_refused_with_a_word(mltrust, sealed, tmp_path):
    (tmp_path / "plain.txt").write_text("x")
    mltrust("seal", "plain.txt", "--no-anchor")
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    for done, (arguments, said) in zip(mltrust.many([each for each, _ in REFUSED]), REFUSED, strict=True):
        assert done.code == 2, (arguments, done)
        assert said in done.err, arguments
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before


def test_what_was_erased_of_is_not_sealed_anew_by_the_way(mltrust, sealed, tmp_path):
    assert mltrust("erase", sealed, "--record", "1").code == 0
    done = mltrust("seal", sealed, "--blind")
    assert done.code == 2
    assert "elsewhere" in done.err
    (tmp_path / "old").mkdir()
    for kept in tmp_path.glob("rows.jsonl.seal.*"):
        kept.rename(tmp_path / "old" / kept.name)
    assert mltrust("seal", sealed, "--blind").code == 0
    assert report(mltrust, sealed, 0)["scope"]["records"] == 9
    assert report(mltrust, sealed, 0, "--seal", tmp_path / "old/rows.jsonl.seal.json")["scope"]["records_erased"] == 1


def test_who_signs_seals_signs_their_erasures(mltrust, sealed, tmp_path, new_key):
    """A policy that requires a signer is met by a dataset with erasures once that signer has signed those as well."""
    ada, eve = (new_key(tmp_path / f"{name}.key", "hybrid", seed=seed) for seed, name in enumerate(("ada", "eve"), 1))
    policy = tmp_path / "policy.toml"
    policy.write_text("[signers.ada]\nkey = 'ada.key.pub'\n[trust]\nrequire = ['ada']\n")
    assert mltrust("sign", "rows.jsonl.seal.json", "--key", ada).code == 0
    assert mltrust("erase", sealed, "--record", "3").code == 0
    found = report(mltrust, sealed, 1, "--policy", policy)
    (erasure,) = check(found, "erasure")
    assert "no signature by ada" in erasure["summary"]
    assert "with --key" in erasure["hint"]
    assert mltrust("erase", sealed, "--record", "3", "--key", eve).code == 0
    report(mltrust, sealed, 1, "--policy", policy)
    done = mltrust("erase", sealed, "--record", "3", "--key", ada, "--format", "json")
    assert len(done.json()["signatures"]) == 4
    report(mltrust, sealed, 0, "--policy", policy)
    again = mltrust("erase", sealed, "--record", "3", "--key", ada)
    assert "already erased, nothing to do" in again.out
    assert again.out.count("  signature    sha256:") == 4
    beside = tmp_path / "rows.jsonl.seal.erasures.json"
    good = beside.read_text()
    of_seal = json.loads((tmp_path / "rows.jsonl.seal.json").read_text())["signatures"]
    halves = json.loads(good)["erasures"][0]["signatures"]
    for signatures in (
        [],
        of_seal,
        halves[:3],
        [{**each, "sig": of_seal[at % 2]["sig"]} for at, each in enumerate(halves)],
    ):
        other = json.loads(good)
        other["erasures"][0]["signatures"] = signatures
        beside.write_text(json.dumps(other))
        report(mltrust, sealed, 1, "--policy", policy)
    other["erasures"][0]["signatures"] = halves * 17
    beside.write_text(json.dumps(other))
    assert "signatures" in mltrust("verify", sealed, "--policy", policy).err


def test_whoever_cannot_sign_erases_nothing(mltrust, sealed, tmp_path, new_key):
    key = new_key(tmp_path / "ada.key")
    key.chmod(0o644)
    before = {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()}
    assert "others can read this private key" in mltrust("erase", sealed, "--record", "3", "--key", key).err
    liar = f"external:sh -c 'test $0 = sign && echo no || cat {tmp_path / 'ada.key.pub'}'"
    assert "not by its key" in mltrust("erase", sealed, "--record", "3", "--key", liar).err
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir() if path.is_file()} == before
    key.chmod(0o600)
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.jsonl").write_text("\n".join(ROWS))
    assert mltrust("seal", folder, "--blind", "--no-anchor").code == 0
    inside = new_key(folder / "ada.key")
    done = mltrust("erase", folder, "--record", "3", "--key", inside)
    assert (done.code, "given away" in done.err) == (2, True)
