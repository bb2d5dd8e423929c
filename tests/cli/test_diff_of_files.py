"""`mltrust diff` of two files that are named themselves: compared with each other, whatever they are called."""

import gzip
import json
import shutil

import pytest

ROWS = tuple({"id": number, "text": f"row {number}"} for number in range(1, 101))


def jsonl(rows):
    return "".join(json.dumps(row) + "\n" for row in rows)


def listed(rows):
    return [(row["kind"], row["before"], row["after"]) for row in rows["listed"]]


@pytest.fixture
def differ(mltrust):
    """Return a function that compares, in both forms, and returns the one change, and what is told."""

    def compare(one, other, *options):
        command = ("diff", one, other, *options)
        told, data = mltrust.many([command, (*command, "--format", "json")])
        assert (told.code, data.code) == (1, 1), told.err
        (change,) = data.json()["changes"]
        return change, told.out

    return compare


@pytest.fixture
def releases(mltrust):
    for name, rows in (("v1.jsonl", ROWS), ("v2.jsonl", [*ROWS[1:8], {"id": 9, "text": "nine"}, *ROWS[9:]])):
        (mltrust.cwd / name).write_text(jsonl(rows), newline="")
        assert mltrust("seal", name, "--no-anchor", "--records", "keep").code == 0
    return "v1.jsonl", "v2.jsonl"


@pytest.mark.parametrize("one", ["v1.jsonl", "v1.jsonl.seal.json"])
@pytest.mark.parametrize("two", ["v2.jsonl", "v2.jsonl.seal.json"])
@pytest.mark.usefixtures("releases")
def test_files_and_seals(differ, one, two):
    change, told = differ(one, two)
    assert (change["kind"], change["name"]) == ("changed", "v1.jsonl")
    assert listed(change["rows"]) == [("changed", 9, 8), ("removed", 1, None)]
    assert "called v2.jsonl on the other side" in told
    assert "  1 difference, " in told


def test_rows_of_both_are_read_again(differ, releases):
    change, told = differ(*releases, "--preview", "--key-column", "id")
    assert [(row["key"], row["text_before"], row["text_after"]) for row in change["rows"]["listed"]] == [
        ("9", '{"id": 9, "text": "row 9"}', '{"id": 9, "text": "nine"}'),
        ("1", '{"id": 1, "text": "row 1"}', None),
    ]
    assert "paired by id" in told


def test_in_another_form(mltrust, differ, releases):
    (mltrust.cwd / "v1.jsonl.gz").write_bytes(gzip.compress(jsonl(ROWS).encode()))
    assert differ(releases[0], "v1.jsonl.gz")[0]["kind"] == "rewritten"
    (mltrust.cwd / "v1.csv").write_text("id,text\n1,row 1\n", newline="")
    assert "called v1.csv on the other side; rows cannot be named" in differ(releases[0], "v1.csv")[1]


def test_the_same_bytes_are_a_new_name(mltrust, differ, releases):
    shutil.copy(mltrust.cwd / releases[0], mltrust.cwd / "new.jsonl")
    for one in (releases[0], f"{releases[0]}.seal.json"):
        change, _ = differ(one, "new.jsonl")
        said = [change[key] for key in ("kind", "name", "other", "note")]
        assert said == ["renamed", "new.jsonl", releases[0], ""]


def test_one_that_is_malformed(mltrust, releases):
    (mltrust.cwd / "odd.jsonl").write_bytes(b"\0" + jsonl(ROWS).encode())
    told = mltrust("diff", releases[0], "odd.jsonl")
    assert told.code == 1
    assert "malformed     v1.jsonl" in told.out
    assert "called odd.jsonl on the other side; " in told.out


def test_a_name_is_escaped(mltrust, differ, releases):
    shutil.copy(mltrust.cwd / releases[1], mltrust.cwd / "\u202e.jsonl")
    assert r"called \u202e.jsonl on the other side" in differ(releases[0], "\u202e.jsonl")[1]


def test_folders_of_one_file_are_compared_by_name(mltrust, releases):
    for name in releases:
        (mltrust.cwd / f"of-{name}").mkdir()
        shutil.copy(mltrust.cwd / name, mltrust.cwd / f"of-{name}")
        assert mltrust("seal", f"of-{name}", "--no-anchor").code == 0
    sides = [f"of-{name}" for name in releases]
    seals = [f"{side}/mltrust.seal.json" for side in sides]
    for one, two in (sides, seals, (releases[0], sides[1]), (seals[0], releases[1])):
        changes = mltrust("diff", one, two, "--format", "json").json()["changes"]
        assert [(each["kind"], each["name"]) for each in changes] == [
            ("removed", "v1.jsonl"),
            ("added", "v2.jsonl"),
        ]


def test_tensors_and_bytes(mltrust, differ, model, weights, tensors):
    one, two, odd, pointer = (
        model.parent / name for name in ("a.safetensors", "b.safetensors", "c.safetensors", "d.bin")
    )
    kind, shape, data = tensors["layer.0.weight"]
    one.write_bytes(weights(tensors, {"format": "pt"}))
    two.write_bytes(
        weights({**tensors, "layer.0.weight": (kind, shape, bytes([data[0] ^ 1]) + data[1:])}, {"format": "pt"})
    )
    odd.write_bytes(one.read_bytes()[:-1])
    pointer.write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 12\n")
    change, told = differ(one, two)
    assert [(part["name"], part["bytes_changed"]) for part in change["parts"]] == [("layer.0.weight", 1)]
    assert (change["of"], change["before"]["size"]) == ("safetensors", one.stat().st_size)
    assert "  1 difference, " in told
    assert "called b.safetensors on the other side" in told
    for other, kind in ((odd, "truncated"), (pointer, "pointer")):
        change, _ = differ(one, other)
        assert (change["kind"], change["name"]) == (kind, "a.safetensors")
        assert change["note"].startswith(f"called {other.name} on the other side; ")
    for file in (one, two):
        assert mltrust("seal", file, "--no-anchor").code == 0
    seals = [file.with_name(f"{file.name}.seal.json") for file in (one, two)]
    for before, after in (seals, (seals[0], two), (one, seals[1])):
        assert [part["name"] for part in differ(before, after)[0]["parts"]] == ["layer.0.weight"]


def test_the_same_rows_in_two_formats(differ, mltrust):
    pyarrow = pytest.importorskip("pyarrow")
    parquet, ipc = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow.ipc")
    for folder, rows in (("before", ROWS), ("after", ROWS), ("other", ROWS[1:])):
        (mltrust.cwd / folder).mkdir()
        table = pyarrow.table({key: [row[key] for row in rows] for key in ROWS[0]})
        parquet.write_table(table, mltrust.cwd / folder / "x.parquet")
        with ipc.new_file(mltrust.cwd / folder / "x.arrow", table.schema) as written:
            written.write_table(table)
    change, told = differ("before/x.parquet", "after/x.arrow")
    assert (change["note"], change["rows"]) == ("called x.arrow on the other side", None)
    assert "same rows" in told
    assert "the formats are different" in differ("before/x.parquet", "other/x.arrow")[0]["note"]
