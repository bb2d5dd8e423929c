"""The artifacts that hold records: the same rows as JSONL, CSV and Parquet, and samples in a tar."""

import csv
import io
import json
import random
import tarfile
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from itertools import islice
from pathlib import Path

from artifacts import Artifact, Scale, artifact, generated
from blake3 import blake3

_WORDS = ("seal", "ledger", "tensor", "anchor", "record", "witness", "weight", "proof", "batch", "epoch", "shard")
_TEXT = 32  # words of a row
_ROW_GROUP = 50_000
_COLUMNS = ("id", "source", "label", "score", "text")
_ROWS_PER_SAMPLE = 50  # a sample weighs as much as that many rows
_IMAGE = (5_000, 25_000)  # bytes

Row = tuple[int, str, int, float, str]


def jsonl(folder: Path, scale: Scale) -> Artifact:
    """Return rows of text, one JSON object to a line."""
    path = _path(folder, scale, "jsonl")
    with generated(path, scale.rows * 512) as missing:
        if missing:
            with path.open("w", encoding="utf-8", newline="\n") as opened:
                opened.writelines(json.dumps(dict(zip(_COLUMNS, row, strict=True))) + "\n" for row in _rows(scale))
    return artifact("jsonl", f"{scale.rows:,} rows as JSONL", path)


def csv_rows(folder: Path, scale: Scale) -> Artifact:
    """Return the same rows as CSV."""
    path = _path(folder, scale, "csv")
    with generated(path, scale.rows * 512) as missing:
        if missing:
            with path.open("w", encoding="utf-8", newline="") as opened:
                writer = csv.writer(opened)
                writer.writerow(_COLUMNS)
                writer.writerows(_rows(scale))
    return artifact("csv", f"{scale.rows:,} rows as CSV", path)


def parquet(folder: Path, scale: Scale) -> Artifact | None:
    """Return the same rows as Parquet, if pyarrow is installed."""
    if find_spec("pyarrow") is None:
        return None
    path = _path(folder, scale, "parquet")
    with generated(path, scale.rows * 512) as missing:
        if missing:
            _write_parquet(path, _rows(scale))
    return artifact("parquet", f"{scale.rows:,} rows as Parquet", path)


def tar(folder: Path, scale: Scale) -> Artifact:
    """Return samples of an image, a caption and a label as members of a tar, as WebDataset lays them."""
    path = _path(folder, scale, "tar")
    samples = scale.rows // _ROWS_PER_SAMPLE
    with generated(path, samples * _IMAGE[1]) as missing:
        if missing:
            with tarfile.open(path, "w", format=tarfile.USTAR_FORMAT) as opened:
                for row in islice(_rows(scale), samples):
                    _add_sample(opened, row)
    return artifact("tar", f"{samples:,} samples in a WebDataset tar", path)


def _path(folder: Path, scale: Scale, kind: str) -> Path:
    return folder / f"{kind}-{scale.rows}" / f"rows.{kind}"


def _rows(scale: Scale) -> Iterator[Row]:
    chance = random.Random(scale.rows)
    for number in range(scale.rows):
        text = " ".join(chance.choices(_WORDS, k=_TEXT))
        yield number, f"crawl-{number % 97:02}", number % 10, round(chance.random(), 6), text


def _write_parquet(path: Path, rows: Iterator[Row]) -> None:
    import pyarrow
    from pyarrow.parquet import ParquetWriter

    def tables() -> Iterator[pyarrow.Table]:
        while group := list(islice(rows, _ROW_GROUP)):
            yield pyarrow.table(dict(zip(_COLUMNS, _columns(group), strict=True)))

    coming = tables()
    first = next(coming)
    with ParquetWriter(path, first.schema) as writer:
        writer.write_table(first)
        for table in coming:
            writer.write_table(table)


def _columns(rows: Sequence[Row]) -> Iterator[Sequence[object]]:
    return zip(*rows, strict=True)


def _add_sample(opened: tarfile.TarFile, row: Row) -> None:
    number, source, label, _, text = row
    image = blake3(number.to_bytes(8, "big")).digest(random.Random(number).randint(*_IMAGE))
    caption = json.dumps({"source": source, "text": text}).encode()
    for end, content in (("cls", b"%d" % label), ("jpg", image), ("json", caption)):
        member = tarfile.TarInfo(f"{number:08}.{end}")
        member.size = len(content)
        opened.addfile(member, io.BytesIO(content))
