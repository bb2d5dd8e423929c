"""Freeze what this version of mltrust writes of datasets: seals with records, stores, proofs, blinding, erasures.

`python tests/compat/freeze_records.py tests/compat/records-v1` writes a new folder and refuses one that exists.
"""

import io
import json
import shutil
import sys
import tarfile
import tempfile
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

import mltrust

LINES = [{"id": number, "text": f"Zeile {number} ü"} for number in range(1, 8)]
ABSENT = b'{"id": 99, "text": "nowhere"}'


def jsonl(rows):
    """Return rows as JSON Lines."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows).encode()


def lay_out(artifact: Path) -> None:
    """Write a dataset of every kind of file that needs no compressor, whose bytes change with its version."""
    artifact.mkdir(parents=True)
    (artifact / "train.jsonl").write_bytes(jsonl(LINES))
    (artifact / "empty.jsonl").write_bytes(b"")
    (artifact / "labels.csv").write_bytes(b'id,label\r\n1,"a\nb"\r\n2,x\r\n2,x')
    (artifact / "labels.tsv").write_bytes(b"id\tlabel\n1\ta\n")
    (artifact / "notes.txt").write_bytes(b"read as a whole\n")
    table = pa.table({"id": [1, 2, None], "text": ["a", "", None], "list": [[1.5], [], None]})
    pq.write_table(table, artifact / "table.parquet")
    with tarfile.open(artifact / "shard.tar", "w") as archive:
        for name, data in {"a.txt": b"one", "a.cls": b"1", "b.txt": b"two", "b.cls": b"2"}.items():
            member = tarfile.TarInfo(name)
            member.size = len(data)
            archive.addfile(member, io.BytesIO(data))


def open_case(folder: Path, suite: str) -> None:
    """Write a dataset, its seal with a record store and an index, a ledger, and proofs."""
    artifact = folder / "artifact"
    lay_out(artifact)
    with tempfile.TemporaryDirectory() as temporary:
        home = mltrust.Home(Path(temporary) / "data", Path(temporary) / "state")
        ledger = mltrust.open_anchor(f"ledger:{folder / 'ledger'}", home)
        means = mltrust.default_means(records_index=True)
        done = mltrust.seal(artifact, suite=suite, anchors=[ledger], means=means, keep_records=True)
    (folder / "ledger/lock").unlink(missing_ok=True)
    shutil.copy(folder / "ledger/verifier-key", folder / "ledger.vkey")
    asked = {"train.jsonl": [3, ABSENT], "labels.csv": [1], "table.parquet": [3], "shard.tar": [2]}
    answers = [mltrust.prove_records(done.path, records, file=file) for file, records in asked.items()]
    proofs = [answer.proof for found in answers for answer in found]
    for number, proof in enumerate(proofs):
        (folder / f"{number}.proof.json").write_bytes(proof.serialize())
    write_expected(folder, done, proofs=len(proofs))


def blinded_case(folder: Path, suite: str) -> None:
    """Write a blinded file, its salts, a proof, and the tombstone of a record that was erased."""
    folder.mkdir(parents=True)
    artifact = folder / "people.jsonl"
    artifact.write_bytes(jsonl(LINES))
    with tempfile.TemporaryDirectory() as temporary:
        home = mltrust.Home(Path(temporary) / "data", Path(temporary) / "state")
        ledger = mltrust.open_anchor(f"ledger:{folder / 'ledger'}", home)
        done = mltrust.seal(artifact, suite=suite, anchors=[ledger], blind=True)
        [answer] = mltrust.prove_records(done.path, [5], file=artifact.name)
        mltrust.erase(artifact, records=[2, 3], anchors=[ledger], reason="frozen")
    (folder / "0.proof.json").write_bytes(answer.proof.serialize())
    (folder / "ledger/lock").unlink(missing_ok=True)
    shutil.copy(folder / "ledger/verifier-key", folder / "ledger.vkey")
    write_expected(folder, done, proofs=1)


def write_expected(folder, done, *, proofs):
    """Write down what the case amounts to."""
    name = "artifact" if (folder / "artifact").is_dir() else "people.jsonl"
    expected = {
        "artifact": name,
        "seal": done.path.relative_to(folder).as_posix(),
        "fingerprint": done.predicate.fingerprint().hex(),
        "statement": str(done.bundle.statement.digest()),
        "records": done.predicate.totals.records,
        "proofs": proofs,
    }
    (folder / "expected.json").write_text(json.dumps(expected, indent=1) + "\n", encoding="utf-8", newline="\n")


if __name__ == "__main__":
    target = Path(sys.argv[1])
    if target.exists():
        sys.exit(f"{target} is frozen already")
    for chosen in ("blake3", "sha256"):
        open_case(target.resolve() / f"open-{chosen}", chosen)
        blinded_case(target.resolve() / f"blinded-{chosen}", chosen)
