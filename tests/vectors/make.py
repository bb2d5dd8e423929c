"""Write `format.json`: what docs/format.md says, as values. Run it only when the format gets a new version.

`python tests/vectors/make.py` writes the file; `test_format.py` checks that it would write the same again.
"""

import base64
import json
import tempfile
from pathlib import Path

import mltrust
from mltrust.core.digest import SUITES, suite_for
from mltrust.core.leaf import Records
from mltrust.core.manifest import Kind, Leaf, Manifest, file_entry, safetensors_entry
from mltrust.core.merkle import leaf_hash
from mltrust.engines.threads import ThreadsEngine
from mltrust.interfaces import Silent
from mltrust.readers.records.csv import CsvReader
from mltrust.readers.records.jsonl import JsonLinesReader
from mltrust.statements.seal import Parameters, ReaderVersion, fingerprint_of, seal_statement
from mltrust.testing import MemorySource

PATH = Path(__file__).with_name("format.json")
ONE, TWO, THREE = (bytes([number]) * 32 for number in (1, 2, 3))
LEAVES = {
    "a file": Leaf(Kind.FILE, "config.json", 17, ONE),
    "an empty file": Leaf(Kind.FILE, "empty", 0, TWO),
    "a file in a folder with a name beyond ASCII": Leaf(Kind.FILE, "données/模型 \U0001f600.bin", 2**53 - 1, THREE),
    "a name of control characters": Leaf(Kind.FILE, "a\nb\x1b[31m\\", 1, ONE),
    "a safetensors file": Leaf(Kind.SAFETENSORS, "model.safetensors", 264, child_root=TWO, child_size=3),
    "a header": Leaf(Kind.ST_HEADER, "", 184, THREE),
    "a tensor": Leaf(Kind.TENSOR, "lm_head.weight", 64, ONE, dtype="F32", shape=(4, 4)),
    "a scalar": Leaf(Kind.TENSOR, "scale", 2, TWO, dtype="BF16", shape=()),
    "an empty tensor without a name": Leaf(Kind.TENSOR, "", 0, THREE, dtype="I64", shape=(0, 7)),
    "a tensor of a dtype nobody knows yet": Leaf(Kind.TENSOR, "poids é", 3, ONE, dtype="F3_X1", shape=(8,)),
    "metadata": Leaf(Kind.METADATA, "format", 2, TWO),
    "a file of records": Leaf(Kind.RECORDS, "train.jsonl", 20, ONE, TWO, 2, records=Records("jsonl", THREE)),
    "a file of records with a header and an index": Leaf(
        Kind.RECORDS, "données.csv", 99, ONE, TWO, 7, records=Records("csv", THREE, header=ONE, index_root=TWO)
    ),
    "a blinded file of records": Leaf(
        Kind.RECORDS, "train.jsonl", 20, b"", TWO, 2, records=Records("jsonl", THREE, blinded=True)
    ),
    "a record": Leaf(Kind.RECORD, "", 9, ONE),
    "a record with a name": Leaf(Kind.RECORD, "train/0042", 9, TWO),
    "a blinded record": Leaf(Kind.RECORD, "", 0, ONE, salt=TWO),
    "a blinded file": Leaf(Kind.FILE, "config.json", 17, ONE, salt=THREE),
    "a blinded tensor": Leaf(Kind.TENSOR, "w", 4, ONE, dtype="F32", shape=(1,), salt=TWO),
}
EXCLUDE = ("/.git", "/mltrust.seal.json", "runs/ü")
READERS = (ReaderVersion(name="safetensors", version=1), ReaderVersion(name="opaque", version=1))
RECORD_FILES = {
    "rows.jsonl": b'{"a": 1}\n\n{"a": 2}\r\n{"a": 1}\n{"a": 3}',
    "one.ndjson": "é\n".encode(),
    "none.jsonl": b"",
    "table.csv": b'id,text\r\n1,"two\nlines, and ""more"""\r\n2,x\r\n\r\n2,x',
    "header.tsv": b"id\ttext\n",
}
BUFFER = bytes(range(80))
HEADER = {
    "__metadata__": {"format": "pt", "note": "ü"},
    "b": {"dtype": "F32", "shape": [4], "data_offsets": [64, 80]},
    "a": {"dtype": "F32", "shape": [4, 4], "data_offsets": [0, 64]},
}
FILES = {
    "config.json": b'{"layers": 2}\n',
    "empty": b"",
    "tokenizer/données.txt": "é\n".encode(),
    "Z.bin": bytes(range(256)) * 5,
    ".hidden": b"seen",
}


def vectors():
    """Return everything that `format.json` holds."""
    return {
        "leaves": [leaf(name, value) for name, value in LEAVES.items()],
        "manifests": [manifest("one file", ONE_FILE), manifest("nested", NESTED), manifest("sharded", SHARDED)],
        "fingerprints": [fingerprint(suite, size) for suite in ("mltrust-1", "mltrust-1-sha256") for size in (1, 7)],
        "record_files": [record_file(path, index) for path in RECORD_FILES for index in (False, True)],
        "statements": [statement(suite) for suite in ("blake3", "sha256")],
        "artifacts": [artifact(suite, with_sha256=how) for how in (False, True) for suite in ("blake3", "sha256")],
    }


def leaf(name, value):
    """Return a leaf, its encoding and its hash."""
    return {"name": name, "leaf": fields(value), "data": value.data().hex(), "hash": leaf_hash(value.data()).hex()}


def fields(value):
    """Return the fields of a leaf."""
    records = {"records": value.records.attributes()} if value.records is not None else {}
    return {
        **records,
        "kind": value.kind.value,
        "name": value.name,
        "size": value.size,
        "digest": value.digest.hex(),
        "child_root": value.child_root.hex(),
        "child_size": value.child_size,
        "dtype": value.dtype,
        "shape": list(value.shape),
        "salt": value.salt.hex(),
    }


def record_file(path, index):
    """Return the leaf of a file of records, with an index or without, for each suite."""
    readers = [reader.indexing() if index else reader for reader in (JsonLinesReader(), CsvReader())]
    source = MemorySource({path: RECORD_FILES[path]})
    (file,) = source.files()
    (reader,) = (reader for reader in readers if reader.accepts(file))
    parts = reader.parts(file, source)
    leaves = {}
    for suite in SUITES.values():
        (found,) = ThreadsEngine(1).digest([parts.segments], source, suite, Silent())
        leaves[suite.name] = fields(parts.entry(found).leaf)
    return {"name": f"{path}{' with an index' * index}", "data": RECORD_FILES[path].decode(), "leaves": leaves}


def tensor(name, digest, shape=(4,)):
    """Return a tensor of four bytes an element."""
    size = 4
    for dimension in shape:
        size *= dimension
    return Leaf(Kind.TENSOR, name, size, digest, dtype="F32", shape=shape)


def shard(path, *tensors, metadata=(("format", "pt"),)):
    """Return the entry of a safetensors file."""
    return safetensors_entry(path, Leaf(Kind.ST_HEADER, "", 100, THREE), tensors, metadata)


ONE_FILE = [file_entry("only", 1, ONE)]
NESTED = [
    file_entry("config.json", 17, ONE),
    file_entry("Config.json", 18, TWO),
    file_entry("é", 1, TWO),
    file_entry("z", 0, THREE),
    shard("m.safetensors", tensor("b", TWO), tensor("a", ONE, (2, 2)), metadata=(("b", "é"), ("a", ""))),
]
SHARDED = [
    shard("m-1.safetensors", tensor("a", ONE, (2, 2))),
    shard("m-2.safetensors", tensor("b", TWO)),
]


def manifest(name, entries):
    """Return a manifest and its roots."""
    whole = Manifest.of(entries)
    return {
        "name": name,
        "entries": [
            {
                "leaf": fields(entry.leaf),
                "children": [fields(child) for child in entry.children],
                "metadata": dict(entry.metadata),
            }
            for entry in entries
        ],
        "order": [entry.path for entry in whole.entries],
        "root": whole.root.hex(),
        "content_root": whole.content_root.hex() if whole.content_root else None,
    }


def fingerprint(suite, size):
    """Return a fingerprint and what it is made of."""
    parameters = Parameters(exclude=EXCLUDE, readers=READERS)
    value = fingerprint_of(suite, size, ONE, parameters)
    fixed = {"suite": suite, "size": size, "root": ONE.hex(), "parameters": parameters.to_json()}
    return {**fixed, "fingerprint": value.hex()}


def statement(content):
    """Return a statement, its payload and its digest."""
    suite = suite_for(content)
    found = seal_statement(
        "acme/reader ü",
        Manifest.of(NESTED),
        suite,
        Parameters(exclude=EXCLUDE, readers=READERS),
        annotations={"ö": "\u2028", "license": "mit", "\U0001f600": "", "ﬁ": "\x00"},
        supersedes="sha256:" + TWO.hex(),
    )
    return {"statement": found.to_json(), "payload": found.payload().decode(), "digest": found.digest().hex}


def files():
    """Return the files of the artifact."""
    header = json.dumps(HEADER, ensure_ascii=False).encode()
    header += b" " * (-len(header) % 8)
    return {**FILES, "model.safetensors": len(header).to_bytes(8, "little") + header + BUFFER}


def artifact(content, *, with_sha256):
    """Return an artifact, and what its seal states."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "tiny"
        for path, data in files().items():
            (folder / path).parent.mkdir(parents=True, exist_ok=True)
            (folder / path).write_bytes(data)
        said = {"name": "tiny", "annotations": {"license": "mit"}}
        done = mltrust.seal(folder, suite=content, with_sha256=with_sha256, **said)
    sha256_root = {"sha256_root": done.predicate.sha256_root} if with_sha256 else {}
    return {
        **sha256_root,
        "files": {path: base64.b64encode(data).decode() for path, data in files().items()},
        "seal": done.bundle.to_json().decode(),
        "statement": f"sha256:{done.bundle.statement.digest().hex}",
        "root": done.predicate.root,
        "content_root": done.predicate.content_root,
        "fingerprint": done.predicate.fingerprint().hex(),
    }


if __name__ == "__main__":
    PATH.write_text(json.dumps(vectors(), indent=1) + "\n", encoding="utf-8", newline="\n")
