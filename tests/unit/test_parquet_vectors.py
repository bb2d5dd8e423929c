"""The rows of Parquet and Arrow, as values that other implementations can check themselves against."""

import json
import runpy
from pathlib import Path

import pytest

from mltrust.readers.records.parquet.schema import Type, header
from mltrust.readers.records.parquet.showing import values

FOLDER = Path(__file__).parent.parent / "vectors" / "parquet"
VECTORS = json.loads((FOLDER / "rows.json").read_text(encoding="ascii"))


def kind(spelled):
    parts = tuple(map(kind, spelled.get("parts", ())))
    return Type(spelled["word"], parts, tuple(spelled.get("names", ())))


def test_the_vectors_are_what_is_computed():
    assert runpy.run_path(str(FOLDER / "make.py"))["vectors"]() == VECTORS


@pytest.mark.parametrize("vector", VECTORS, ids=lambda vector: vector["name"])
def test_a_row_can_be_read_back(vector):
    columns = Type("struct", (kind(vector["type"]),), ("x",))
    assert header(columns).hex() == vector["header"]
    assert [values(bytes.fromhex(row), columns)["x"] for row in vector["rows"]] == vector["values"]
