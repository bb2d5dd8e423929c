"""The format, checked twice: by the library, and by what is written here from docs/format.md alone."""

import base64
import hashlib
import json
import runpy
import struct
from pathlib import Path

import pytest
from blake3 import blake3

import mltrust
from mltrust.core.bundle import Bundle
from mltrust.core.leaf import Records
from mltrust.core.manifest import Entry, Kind, Leaf, Manifest
from mltrust.core.merkle import leaf_hash
from mltrust.core.statement import Statement
from mltrust.statements.seal import Parameters, contradictions, fingerprint_of, read_seal

HERE = Path(__file__)
VECTORS = json.loads(HERE.with_name("format.json").read_text(encoding="utf-8"))


ARTIFACTS = ["blake3", "sha256", "blake3 with SHA-256 beside", "sha256 with SHA-256 beside"]


def cases(kind):
    return [pytest.param(case, id=case.get("name")) for case in VECTORS[kind]]


# From docs/format.md: nothing below uses mltrust.


def u64(number):
    return struct.pack(">Q", number)


def ns(data):
    return u64(len(data)) + data


def sha256(data):
    return hashlib.sha256(data).digest()


CONTENT = {"mltrust-1": lambda data: blake3(data).digest(), "mltrust-1-sha256": sha256}


def rfc8785(value):
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return b"{" + b",".join(rfc8785(key) + b":" + rfc8785(value[key]) for key in keys) + b"}"
    if isinstance(value, bool):
        return b"true" if value else b"false"
    if isinstance(value, list):
        return b"[" + b",".join(map(rfc8785, value)) + b"]"
    return json.dumps(value, ensure_ascii=False).encode()


def leaf_data(leaf):
    attributes = {"dtype": leaf["dtype"], "shape": leaf["shape"]} if leaf["kind"] == "tensor" else {}
    attributes = leaf.get("records", attributes)
    fields = [
        b"mltrust/leaf/1",
        leaf["kind"].encode(),
        leaf["name"].encode(),
        u64(leaf["size"]),
        bytes.fromhex(leaf["digest"]),
        bytes.fromhex(leaf["child_root"]),
        u64(leaf["child_size"]),
        rfc8785(attributes),
    ]
    if leaf["salt"]:
        fields.append(bytes.fromhex(leaf["salt"]))
    return b"".join(map(ns, fields))


def tree(leaves):
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0])
    half = 1
    while half * 2 < len(leaves):
        half *= 2
    return sha256(b"\x01" + tree(leaves[:half]) + tree(leaves[half:]))


def lines(data):
    found = data.split(b"\n")
    last = found.pop()
    return [line.removesuffix(b"\r") for line in found] + [last] * bool(last)


def csv_records(data):
    found, quotes = [], 0
    for line in lines(data.replace(b"\r\n", b"\r\r\n")):  # so that one return stays where a line goes on
        if quotes % 2:
            found[-1] += b"\n" + line
        else:
            found.append(line)
        quotes += line.count(b'"')
    return [record.removesuffix(b"\r") for record in found]


def index_of(keys, bit=0):
    tag = ns(b"mltrust/record-index/1")
    if len(keys) < 2:
        return sha256((b"\x00" + tag + keys[0]) if keys else b"\x02" + tag)
    sides = [[key for key in keys if (key[bit // 8] >> (7 - bit % 8) & 1) == side] for side in (0, 1)]
    if not all(sides):
        return index_of(keys, bit + 1)
    return sha256(b"\x01" + tag + bit.to_bytes(2, "big") + index_of(sides[0], bit + 1) + index_of(sides[1], bit + 1))


def read_records(path, data, content, *, index):
    format_ = {"ndjson": "jsonl"}.get(path.rpartition(".")[2], path.rpartition(".")[2])
    header, *records = [b"", *lines(data)] if format_ == "jsonl" else csv_records(data)
    leaves = [leaf_data(make("record", "", len(record), content(record).hex())) for record in records]
    hashes = sorted(sha256(b"\x00" + leaf) for leaf in leaves)
    said = {
        "format": format_,
        "set_root": sha256(ns(b"mltrust/record-set/1") + u64(len(hashes)) + b"".join(hashes)).hex(),
    }
    said |= {"header": content(header).hex()} if header else {}
    digests = {content(record) for record in records}
    said |= {"index_root": index_of(sorted(digests)).hex()} if index else {}
    root = tree(leaves) if leaves else sha256(b"")
    more = {"child_root": root.hex(), "child_size": len(leaves), "records": said}
    return make("records", path, len(data), content(data).hex(), **more)


def utf8(name):
    return name.encode()


def make(kind, name, size, digest="", **more):
    blank = {"child_root": "", "child_size": 0, "dtype": "", "shape": [], "salt": ""}
    return {"kind": kind, "name": name, "size": size, "digest": digest, **blank, **more}


def root_of(entries):
    return tree([leaf_data(entry["leaf"]) for entry in sorted(entries, key=lambda each: utf8(each["leaf"]["name"]))])


def content_root_of(entries):
    tensors = [child for entry in entries for child in entry["children"] if child["kind"] == "tensor"]
    if not tensors:
        return None
    pairs = {pair for entry in entries for pair in entry["metadata"].items()}
    leaves = [
        leaf_data(make("metadata", key, len(utf8(value)), sha256(utf8(value)).hex()))
        for key, value in sorted(pairs, key=lambda pair: (utf8(pair[0]), utf8(pair[1])))
    ]
    return tree(leaves + [leaf_data(t) for t in sorted(tensors, key=lambda t: (utf8(t["name"]), leaf_data(t)))])


def fingerprint(suite, size, root, parameters):
    fields = [b"mltrust/root/1", suite.encode(), u64(size), bytes.fromhex(root), rfc8785(parameters)]
    return sha256(b"".join(map(ns, fields)))


def read_file(path, data, content):
    if not path.endswith(".safetensors"):
        return {"leaf": make("file", path, len(data), content(data).hex()), "children": [], "metadata": {}}
    start = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:start])
    metadata = header.pop("__metadata__", {})
    children = [make("st-header", "", start, content(data[:start]).hex())]
    for name, tensor in sorted(header.items(), key=lambda item: utf8(item[0])):
        begin, end = tensor["data_offsets"]
        digest = content(data[start + begin : start + end]).hex()
        children.append(make("tensor", name, end - begin, digest, dtype=tensor["dtype"], shape=tensor["shape"]))
    root = tree([leaf_data(child) for child in children]).hex()
    leaf = make("safetensors", path, len(data), child_root=root, child_size=len(children))
    return {"leaf": leaf, "children": children, "metadata": metadata}


# The tests


def library_leaf(leaf):
    hashes = {key: bytes.fromhex(leaf[key]) for key in ("digest", "child_root", "salt")}
    more = {}
    if "records" in leaf:
        said = leaf["records"]
        roots = (bytes.fromhex(said.get(key, "")) for key in ("set_root", "header", "index_root"))
        more = {"records": Records(said["format"], *roots, blinded=said.get("blinded", False))}
    return Leaf(**{**leaf, **hashes, **more, "kind": Kind(leaf["kind"]), "shape": tuple(leaf["shape"])})


@pytest.mark.parametrize("case", cases("leaves"))
def test_leaves(case):
    assert leaf_data(case["leaf"]).hex() == case["data"]
    assert sha256(b"\x00" + bytes.fromhex(case["data"])).hex() == case["hash"]
    found = library_leaf(case["leaf"])
    assert found.data().hex() == case["data"]
    assert leaf_hash(found.data()).hex() == case["hash"]


def test_leaves_are_all_different():
    assert len({case["data"] for case in VECTORS["leaves"]}) == len(VECTORS["leaves"])
    assert {case["leaf"]["kind"] for case in VECTORS["leaves"]} == set(Kind)


@pytest.mark.parametrize("case", cases("record_files"))
def test_files_of_records(case):
    path, _, index = case["name"].partition(" ")
    for suite, leaf in case["leaves"].items():
        assert read_records(path, case["data"].encode(), CONTENT[suite], index=bool(index)) == leaf


@pytest.mark.parametrize("case", cases("manifests"))
def test_manifests(case):
    entries = case["entries"]
    assert sorted((entry["leaf"]["name"] for entry in entries), key=utf8) == case["order"]
    assert root_of(entries).hex() == case["root"]
    content_root = content_root_of(entries)
    assert (content_root.hex() if content_root else None) == case["content_root"]
    for entry in entries:
        if entry["children"]:
            assert tree([leaf_data(child) for child in entry["children"]]).hex() == entry["leaf"]["child_root"]
            assert len(entry["children"]) == entry["leaf"]["child_size"]
    found = Manifest.of(
        Entry(
            library_leaf(entry["leaf"]),
            tuple(map(library_leaf, entry["children"])),
            tuple(entry["metadata"].items()),
        )
        for entry in entries
    )
    assert [entry.path for entry in found.entries] == case["order"]
    assert found.root.hex() == case["root"]
    assert (found.content_root.hex() if found.content_root else None) == case["content_root"]


@pytest.mark.parametrize("case", cases("fingerprints"))
def test_fingerprints(case):
    value = fingerprint(case["suite"], case["size"], case["root"], case["parameters"])
    assert value.hex() == case["fingerprint"]
    parameters = Parameters.from_json(case["parameters"], "vector")
    found = fingerprint_of(case["suite"], case["size"], bytes.fromhex(case["root"]), parameters)
    assert found.hex() == case["fingerprint"]


@pytest.mark.parametrize("case", cases("statements"))
def test_statements(case):
    assert rfc8785(case["statement"]).decode() == case["payload"]
    assert sha256(case["payload"].encode()).hex() == case["digest"]
    predicate = case["statement"]["predicate"]
    value = fingerprint(predicate["suite"], predicate["size"], predicate["root"], predicate["parameters"])
    assert case["statement"]["subject"][0]["digest"] == {predicate["suite"]: value.hex()}
    found = Statement.from_json(case["statement"], "vector")
    assert found.payload().decode() == case["payload"]
    assert found.digest().hex == case["digest"]


@pytest.mark.parametrize("case", VECTORS["artifacts"], ids=ARTIFACTS)
def test_artifacts_by_the_specification(case):
    seal = json.loads(case["seal"])
    predicate = seal["statement"]["predicate"]
    content = CONTENT[predicate["suite"]]
    entries = [read_file(path, base64.b64decode(data), content) for path, data in case["files"].items()]
    assert root_of(entries).hex() == case["root"] == predicate["root"]
    assert content_root_of(entries).hex() == case["content_root"] == predicate["content_root"]
    value = fingerprint(predicate["suite"], len(entries), case["root"], predicate["parameters"]).hex()
    assert {predicate["suite"]: value} == seal["statement"]["subject"][0]["digest"]
    assert value == case["fingerprint"]
    assert f"sha256:{sha256(rfc8785(seal['statement'])).hex()}" == case["statement"]
    listed = {entry["path"]: entry for entry in seal["manifest"]["entries"]}
    assert list(listed) == sorted(case["files"], key=utf8)
    sha256s = {path: sha256(base64.b64decode(data)).hex() for path, data in case["files"].items()}
    wholes = [
        make("file", entry["leaf"]["name"], entry["leaf"]["size"], sha256s[entry["leaf"]["name"]]) for entry in entries
    ]
    recorded = "sha256_root" in case
    assert predicate.get("sha256_root") == (root_of([{"leaf": leaf} for leaf in wholes]).hex() if recorded else None)
    assert {path: row.get("sha256") for path, row in listed.items()} == (sha256s if recorded else dict.fromkeys(listed))
    for entry in entries:
        row = listed[entry["leaf"]["name"]]
        assert (row["kind"], row["size"]) == (entry["leaf"]["kind"], entry["leaf"]["size"])
        if row["kind"] == "file":
            assert row["digest"] == entry["leaf"]["digest"]
            continue
        assert row["metadata"] == entry["metadata"]
        names = ("kind", "name", "dtype", "shape", "size", "digest")
        tensors = [{name: child[name] for name in names} for child in entry["children"][1:]]
        header = {name: entry["children"][0][name] for name in ("kind", "size", "digest")}
        assert row["children"] == [header, *tensors]


@pytest.mark.parametrize("case", VECTORS["artifacts"], ids=ARTIFACTS)
def test_artifacts_by_the_library(case, tmp_path):
    folder = tmp_path / "tiny"
    for path, data in case["files"].items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(base64.b64decode(data))
    (folder / "mltrust.seal.json").write_bytes(case["seal"].encode())
    bundle = Bundle.parse(case["seal"].encode())
    assert bundle.to_json().decode() == case["seal"]
    assert contradictions(bundle.statement, bundle.manifest) == []
    predicate = read_seal(bundle.statement)
    assert (predicate.root, predicate.content_root) == (case["root"], case["content_root"])
    report = mltrust.verify(folder, trust=mltrust.Trust(fingerprint=case["fingerprint"])).require()
    assert report.fingerprint == case["fingerprint"]
    suite = "sha256" if predicate.suite.endswith("sha256") else "blake3"
    assert str(mltrust.fingerprint(folder, suite=suite)) == case["fingerprint"]


def test_the_vectors_would_be_made_again():
    assert runpy.run_path(str(HERE.with_name("make.py")))["vectors"]() == VECTORS
