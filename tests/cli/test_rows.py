"""Rows: `seal --records keep`, a changed row that `verify` names, and `diff` row by row."""

import io
import json
import tarfile

import pytest


def jsonl(rows, end="\n"):
    return "".join(json.dumps(row) + end for row in rows)


ROWS = tuple({"id": number, "text": f"row {number}"} for number in range(1, 101))


def edited(number, text):
    return [row if row["id"] != number else {**row, "text": text} for row in ROWS]


@pytest.fixture
def data(mltrust):
    folder = mltrust.cwd / "data"
    folder.mkdir()
    (folder / "train.jsonl").write_text(jsonl(ROWS), newline="")
    (folder / "README.md").write_text("rows\n")
    return folder


@pytest.fixture
def kept(mltrust, data):
    assert mltrust("seal", data, "--no-anchor", "--records", "keep").code == 0
    return data


@pytest.fixture
def after(mltrust):
    """Return a function that writes another release."""

    def write(text, name="train.jsonl"):
        folder = mltrust.cwd / "after"
        folder.mkdir(exist_ok=True)
        (folder / name).write_text(text, newline="")
        (folder / "README.md").write_text("rows\n")
        return folder

    return write


@pytest.fixture
def differ(mltrust):
    """Return a function that compares, in both forms, and returns the one change of rows, and what is told."""

    def compare(one, other, *options):
        command = ("diff", one, other, *options)
        told, data = mltrust.many([command, (*command, "--format", "json")])
        assert (told.code, data.code) == (1, 1), told.err
        (change,) = (each for each in data.json()["changes"] if each["of"] == "records")
        return change, told.out

    return compare


def listed(rows):
    return [(row["kind"], row["before"], row["after"]) for row in rows["listed"]]


def counts(rows):
    return [rows[key] for key in ("changed", "added", "removed", "moved")]


class TestVerify:
    def verified(self, mltrust, data, *options):
        return mltrust("verify", data, "--content-only", *options)

    def test_it_names_the_changed_row(self, mltrust, kept):
        assert self.verified(mltrust, kept).code == 0
        (kept / "train.jsonl").write_text(jsonl(edited(57, "other")), newline="")
        told, found = self.verified(mltrust, kept), self.verified(mltrust, kept, "--format", "json").json()
        assert told.code == 1
        assert "rows: 1 changed, of 100\n" in told.out
        assert "changed  row 57\n" in told.out
        (change,) = found["changes"]
        assert (counts(change["rows"]), listed(change["rows"])) == ([1, 0, 0, 0], [("changed", 57, 57)])
        assert change["before"]["records"] == change["after"]["records"] == 100

    def test_without_a_store_it_says_why_it_does_not(self, mltrust, kept):
        (kept / "train.jsonl").write_text(jsonl(ROWS[1:]), newline="")
        (kept / "mltrust.seal.records").unlink()
        told = self.verified(mltrust, kept)
        assert told.code == 1
        assert "rows cannot be named: no record store beside the seal (seal with --records keep); diff with" in told.out

    def test_a_file_has_its_store_beside_it(self, mltrust, data):
        file = data / "train.jsonl"
        assert mltrust("seal", file, "--no-anchor", "--records", "keep").code == 0
        assert (data / "train.jsonl.seal.records").stat().st_size == 16 + 32 * len(ROWS)
        file.write_text(jsonl(ROWS[:-1]), newline="")
        told = self.verified(mltrust, file)
        assert told.code == 1
        assert "removed  row 100\n" in told.out

    def test_rows_of_a_malformed_file_are_not_named(self, mltrust, kept):
        (kept / "train.jsonl").write_bytes(b"\0" + jsonl(ROWS).encode())
        found = self.verified(mltrust, kept, "--format", "json").json()
        assert [(change["kind"], change["rows"]) for change in found["changes"]] == [("malformed", None)]

    def test_quick_names_them_as_well(self, mltrust, kept):
        (kept / "train.jsonl").write_text(jsonl(edited(1, "other")), newline="")
        assert "changed  row 1\n" in self.verified(mltrust, kept, "--quick").out


class TestSeal:
    def test_the_same_again_and_something_else_over_it(self, mltrust, kept):
        seal, store = (kept / name for name in ("mltrust.seal.json", "mltrust.seal.records"))
        before = seal.read_bytes(), store.read_bytes()
        assert mltrust("seal", kept, "--no-anchor", "--records", "keep").code == 0
        assert (seal.read_bytes(), store.read_bytes()) == before
        (kept / "train.jsonl").write_text(jsonl(ROWS[:50]), newline="")
        assert mltrust("seal", kept, "--no-anchor", "--records", "keep").code == 0
        assert store.stat().st_size == 16 + 32 * 50
        assert mltrust("verify", kept, "--content-only").code == 0

    def test_a_store_that_lies_there_is_no_content(self, mltrust, kept):
        for command in (["seal", kept, "--no-anchor"], ["fingerprint", kept]):
            done = mltrust(*command)
            assert done.code == 2
            assert "a record store lies in the artifact" in done.err
            assert "--records keep" in done.err

    def test_the_fingerprint_is_that_of_the_seal(self, mltrust, kept):
        sealed = json.loads((kept / "mltrust.seal.json").read_bytes())
        assert mltrust("fingerprint", kept, "--records", "keep").out.strip() in json.dumps(sealed["statement"])

    def test_a_seal_elsewhere_in_the_folder_has_its_store_there(self, mltrust, data):
        (data / "seals").mkdir()
        seal = data / "seals/mine.json"
        assert mltrust("seal", data, "--no-anchor", "--records", "keep", "-o", seal).code == 0
        assert seal.with_name("mine.records").exists()
        (data / "train.jsonl").write_text(jsonl(ROWS[2:]), newline="")
        told = mltrust("verify", data, "--content-only", "--seal", seal)
        assert told.code == 1
        assert "rows: 2 removed, of 100 -> 98" in told.out

    def test_nothing_is_kept_where_nothing_has_records(self, mltrust, data):
        (data / "train.jsonl").unlink()
        done = mltrust("seal", data, "--no-anchor", "--records", "keep")
        assert (done.code, (data / "mltrust.seal.records").exists()) == (0, False)
        assert "no file of records" in done.err

    def test_nothing_is_kept_of_what_other_machines_read(self, mltrust, data):
        done = mltrust("seal", data, "--no-anchor", "--records", "keep", "--engine", "dask://127.0.0.1:1")
        assert done.code == 2
        assert "--engine threads" in done.err

    def test_show_tells_of_it(self, mltrust, kept):
        told = mltrust("show", kept).out
        assert "100 records" in told
        assert "record store mltrust.seal.records" in told


class TestDiff:
    def test_two_folders(self, differ, data, after):
        change, told = differ(data, after(jsonl([ROWS[0], {"id": 0}, *edited(5, "five")[1:]])))
        assert (change["kind"], listed(change["rows"])) == ("changed", [("changed", 5, 6), ("added", None, 2)])
        assert "rows: 1 changed, 1 added, of 100 -> 101" in told
        assert "changed  row 5, now 6" in told

    def test_seals_name_rows_by_their_stores(self, mltrust, differ, kept, after):
        other = after(jsonl(edited(9, "nine")))
        assert mltrust("seal", other, "--no-anchor", "--records", "keep").code == 0
        seals = [folder / "mltrust.seal.json" for folder in (kept, other)]
        for one, two in ((kept, other), (seals[0], other), (kept, seals[1]), seals):
            assert listed(differ(one, two)[0]["rows"]) == [("changed", 9, 9)]
        (kept / "mltrust.seal.records").unlink()
        change, told = differ(seals[0], other)
        assert change["rows"] is None
        assert "rows cannot be named: no record store beside the seal (seal with --records keep); diff with" in told

    def test_rewritten(self, differ, data, after):
        change, told = differ(data, after(jsonl(ROWS, "\r\n")))
        assert (change["kind"], change["rows"]) == ("rewritten", None)
        assert "the same rows in the same order" in told
        assert "same rows, rewritten files" in told

    def test_shuffled(self, differ, data, after):
        change, told = differ(data, after(jsonl([*ROWS[50:], *ROWS[:50]])))
        assert (change["kind"], counts(change["rows"])) == ("shuffled", [0, 0, 0, 50])
        assert "same rows, in another order" in told

    def test_a_row_twice_is_not_the_same_rows(self, mltrust, differ, data, after):
        other = after(jsonl([*ROWS, ROWS[0]]))
        assert differ(data, other)[0]["kind"] == "changed"
        assert mltrust("diff", data, other, "--format", "json").json()["same_rows"] is False

    def test_one_side_read_as_a_whole(self, mltrust, data, after):
        other = after(jsonl(ROWS))
        for folder, how in ((data, "auto"), (other, "off")):
            assert mltrust("seal", folder, "--no-anchor", "--records", how).code == 0
        assert mltrust("diff", data, other / "mltrust.seal.json").code == 0  # read as the seal was
        seals = [folder / "mltrust.seal.json" for folder in (data, other)]
        told, found = mltrust("diff", *seals), mltrust("diff", *seals, "--format", "json").json()
        assert "the same bytes, of which one side was read as a whole" in told.out
        assert found["bytes_changed"] == 0

    def test_limit(self, differ, data, after):
        change, told = differ(data, after(jsonl({**row, "more": 1} for row in ROWS)), "--limit", 2)
        assert (counts(change["rows"]), listed(change["rows"])) == (
            [100, 0, 0, 0],
            [("changed", 1, 1), ("changed", 2, 2)],
        )
        assert "... and 98 more rows" in told
        assert differ(data, after(jsonl(ROWS[:9])), "--limit", 0)[0]["rows"]["listed"] == []

    def test_preview_is_escaped(self, differ, data, after):
        change, told = differ(data, after(jsonl(edited(3, "x\n")).replace('"x', '"\x1b[2J')), "--preview")
        (row,) = change["rows"]["listed"]
        assert row["text_before"] == json.dumps(ROWS[2])
        assert row["text_after"] == '{"id": 3, "text": "\x1b[2J\\n"}'
        assert "\x1b" not in told
        assert r'+ {"id": 3, "text": "\x1b[2J\n"}' in told


class TestKeys:
    def test_rows_are_paired_by_a_column(self, differ, data, after):
        # Two changed and one new, all in one place: by place, the first would be paired with the first.
        other = after(
            jsonl([{"id": 500, "text": "new"}, {"id": 2, "text": "two"}, {"id": 1, "text": "one"}, *ROWS[2:]])
        )
        assert listed(differ(data, other)[0]["rows"]) == [("changed", 1, 1), ("changed", 2, 2), ("added", None, 3)]
        change, told = differ(data, other, "--key-column", "id")
        assert listed(change["rows"]) == [("changed", 1, 3), ("changed", 2, 2), ("added", None, 1)]
        assert [row["key"] for row in change["rows"]["listed"]] == ["1", "2", "500"]
        assert "changed  row 1, now 3, id 1\n" in told
        assert (change["rows"]["key_column"], "paired by id" in told) == ("id", True)

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            (jsonl([{"id": 7, "text": "a"}, {"id": 7, "text": "b"}, *ROWS[2:]]), "rows 1 and 2 have one key, 7"),
            (jsonl([{"text": "a"}, *ROWS[1:]]), "row 1 has no column id"),
            (jsonl([["a"], *ROWS[1:]]), "row 1 has no column id"),
        ],
    )
    def test_where_the_column_does_not_tell_them_apart(self, differ, data, after, text, why):
        change, told = differ(data, after(text), "--key-column", "id")
        assert change["rows"]["key_column"] is None
        assert change["rows"]["listed"]
        assert why in told

    def test_a_seal_has_no_columns(self, mltrust, kept, after):
        done = mltrust("diff", kept / "mltrust.seal.json", after(jsonl(ROWS[1:])), "--key-column", "id")
        assert done.code == 2
        assert "one is a seal" in done.err


def test_the_header_of_a_table(mltrust, differ, after):
    before = mltrust.cwd / "before"
    before.mkdir()
    (before / "README.md").write_text("rows\n")
    (before / "table.csv").write_text("id,name\n1,a\n2,b\n", newline="")
    change, told = differ(before, after("id,label\n1,a\n2,c\n", "table.csv"), "--key-column", "id")
    assert (change["kind"], change["rows"]["header"], listed(change["rows"])) == ("changed", True, [("changed", 2, 2)])
    assert "the header differs" in told
    change, told = differ(before, after("id,label\n1,a\n2,b\n", "table.csv"))
    assert (change["kind"], counts(change["rows"])) == ("changed", [0, 0, 0, 0])
    assert "rows: none differs, of 2" in told


def archive(path, samples):
    with tarfile.open(path, "w") as opened:
        for name, content in samples:
            member = tarfile.TarInfo(name)
            member.size = len(content)
            opened.addfile(member, io.BytesIO(content))


def test_samples_of_an_archive_are_named(mltrust, differ):
    folders = [mltrust.cwd / name for name in ("before", "after")]
    samples = [(f"s{number}.txt", b"text") for number in range(4)]
    for folder in folders:
        folder.mkdir()
        archive(folder / "shard.tar", samples)
        samples[2] = ("s2.txt", b"other")
        samples[3:] = []
    change, told = differ(*folders)
    assert [(row["kind"], row["before"], row["key"]) for row in change["rows"]["listed"]] == [
        ("changed", 3, "s2"),
        ("removed", 4, "s3"),
    ]
    assert "changed  row 3, named s2" in told
    assert mltrust("seal", folders[0], "--no-anchor", "--records", "keep").code == 0
    archive(folders[0] / "shard.tar", samples)
    assert "changed  row 3, named s2" in mltrust("verify", folders[0], "--content-only").out
