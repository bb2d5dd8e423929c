"""A table that is written anew, by whatever writer: the bytes differ, the rows do not, and `diff` says just that."""

import pyarrow as pa
import pyarrow.feather
import pyarrow.parquet as pq
import pytest

TABLE = pa.table(
    {
        "id": list(range(1000)),
        "text": [None if number % 7 == 0 else f"row {number % 50}" for number in range(1000)],
        "scores": [[number / 3] * (number % 3) for number in range(1000)],
    }
)
WRITERS = {
    "row groups": {"row_group_size": 77},
    "compression": {"compression": "zstd"},
    "no dictionary": {"use_dictionary": False, "compression": "none"},
    "version of the format": {"version": "1.0", "data_page_version": "2.0"},
    "no Arrow schema": {"store_schema": False},
}


SHUFFLED = TABLE.take([*range(500, 1000), *range(500)])
OTHER_TYPE = TABLE.set_column(0, "id", TABLE["id"].cast(pa.int32()))


@pytest.fixture
def differ(mltrust):
    """Return a function that compares what was written plainly with other files; it yields the change of each."""
    pq.write_table(TABLE, mltrust.cwd / "one.parquet")

    def compare(*others):
        for done in mltrust.many(("diff", "one.parquet", other, "--format", "json") for other in others):
            assert done.code == 1, done.err
            (change,) = done.json()["changes"]
            assert change["before"]["digest"] != change["after"]["digest"]
            yield change

    return compare


def test_the_same_rows_in_other_bytes(mltrust, differ):
    for name, options in WRITERS.items():
        pq.write_table(TABLE, mltrust.cwd / f"{name}.parquet", **options)
    pyarrow.feather.write_feather(TABLE, mltrust.cwd / "t.arrow")
    *rewritten, arrow = differ(*(f"{name}.parquet" for name in WRITERS), "t.arrow")
    for change in rewritten:
        assert (change["kind"], change["before"]["records"], change["after"]["records"]) == ("rewritten", 1000, 1000)
    assert (arrow["kind"], arrow["rows"]) == ("changed", None)
    told = mltrust("diff", "one.parquet", "compression.parquet").out
    assert "the same rows in the same order" in told
    assert "same rows, rewritten files" in told


def test_other_rows_and_another_order(mltrust, differ):
    texts = TABLE["text"].to_pylist()
    texts[499] = "another"
    pq.write_table(SHUFFLED, mltrust.cwd / "shuffled.parquet", row_group_size=100)
    pq.write_table(TABLE.set_column(1, "text", [texts]), mltrust.cwd / "changed.parquet", compression="zstd")
    pq.write_table(OTHER_TYPE, mltrust.cwd / "type.parquet")
    shuffled, changed, other = differ("shuffled.parquet", "changed.parquet", "type.parquet")
    assert [shuffled["kind"], changed["kind"], other["kind"]] == ["shuffled", "changed", "changed"]
    assert [(row["kind"], row["before"], row["after"]) for row in changed["rows"]["listed"]] == [("changed", 500, 500)]
