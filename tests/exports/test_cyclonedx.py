"""CycloneDX: by the library's own strict schema, and read back by the library."""

import hashlib
import json
import sys

import pytest
from blake3 import blake3
from cyclonedx.model.bom import Bom
from cyclonedx.output.json import JsonV1Dot6
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from mltrust.core.digest import SHA256
from mltrust.core.leaf import Kind, Leaf, Records
from mltrust.core.manifest import Entry, file_entry
from mltrust.errors import UsageError
from mltrust.exports.cyclonedx import CycloneDxExporter
from mltrust.interfaces import Sealing


def read(document: bytes | str):
    """Return a document that follows the schema, and that the library reads and writes as it stands."""
    assert (
        JsonStrictValidator(SchemaVersion.V1_6).validate_str(
            document if isinstance(document, str) else document.decode("ascii")
        )
        is None
    )
    found = json.loads(document)
    again = json.loads(JsonV1Dot6(Bom.from_json(found)).output_as_string())
    del again["metadata"]["timestamp"]
    again["dependencies"] = [each for each in again["dependencies"] if "dependsOn" in each]
    for side in (again, found):
        side["components"].sort(key=lambda each: each["bom-ref"])
        side["dependencies"][0]["dependsOn"].sort()
    assert again == found
    return found


def export(bundle, seal_name="mltrust.seal.json"):
    return read(CycloneDxExporter().export(Sealing(bundle, seal_name)))


def named(document):
    return {each["name"]: each for each in document["components"]}


def properties(component):
    return {each["name"].removeprefix("mltrust:"): each["value"] for each in component["properties"]}


def hashes(component):
    return {each["alg"]: each["content"] for each in component.get("hashes", ())}


@pytest.mark.usefixtures("unmeasured")
def test_a_model_by_the_command(model_folder, sealed, exported):
    predicate = sealed(model_folder, "--with-sha256", "--no-anchor", "--annotation", "license=apache-2.0")
    document = read(exported("cyclonedx", "a.seal.json"))
    artifact, files = document["metadata"]["component"], named(document)
    assert artifact["type"] == "machine-learning-model"
    assert artifact["licenses"] == [{"license": {"id": "Apache-2.0"}}]
    said = properties(artifact)
    assert said["root"] == predicate["root"]
    assert (said["files"], said["tensors"], said["annotation:license"]) == ("6", "4", "apache-2.0")
    assert said["fingerprint"] == artifact["version"]
    assert artifact["externalReferences"][0]["url"] == "a.seal.json"
    assert said["statement"] in artifact["externalReferences"][0]["comment"]
    assert sorted(files) == sorted(
        path.relative_to(model_folder).as_posix() for path in model_folder.rglob("*") if path.is_file()
    )
    for name, component in files.items():
        data = (model_folder / name).read_bytes()
        whole = {"SHA-256": hashlib.sha256(data).hexdigest(), "BLAKE3": blake3(data).hexdigest()}
        if name.endswith(".safetensors"):
            del whole["BLAKE3"]
            assert (properties(component)["kind"], properties(component)["tensors"]) == ("safetensors", "2")
        assert (component["type"], hashes(component)) == ("file", whole)
        assert properties(component)["bytes"] == str(len(data))
    assert "timestamp" not in document["metadata"]


@pytest.mark.usefixtures("unmeasured")
def test_a_dataset_by_the_command(fill_dataset, sealed, exported, tmp_path):
    folder = fill_dataset(tmp_path / "rows")
    sealed(folder, "--no-anchor")
    document = read(exported("cyclonedx", "a.seal.json"))
    artifact, files = document["metadata"]["component"], named(document)
    assert artifact["type"] == "data"
    assert properties(artifact)["records"] == "12020"
    assert {"records": "3000", "format": "csv"}.items() <= properties(files["table.csv"]).items()
    assert hashes(files["table.csv"]) == {"BLAKE3": blake3((folder / "table.csv").read_bytes()).hexdigest()}


def test_files_of_records(bundle_of):
    leaf = Leaf(Kind.RECORDS, "a.jsonl", 7, b"d" * 32, b"r" * 32, 3, records=Records("jsonl", b"s" * 32))
    blinded = leaf._replace(name="b.jsonl", digest=b"", records=Records("jsonl", b"s" * 32, blinded=True))
    bundle = bundle_of([Entry(leaf), Entry(blinded)])
    document = export(bundle)
    assert document["metadata"]["component"]["type"] == "data"
    assert properties(document["metadata"]["component"])["records"] == "6"
    assert hashes(named(document)["a.jsonl"]) == {"BLAKE3": (b"d" * 32).hex()}
    assert hashes(named(document)["b.jsonl"]) == {}
    found = properties(named(document)["b.jsonl"])
    assert found == {
        "bytes": "7", "kind": "records", "records": "3", "format": "jsonl",
        "root": (b"r" * 32).hex(), "set-root": (b"s" * 32).hex(),
    }  # fmt: skip
    [unsaid] = CycloneDxExporter().omitted(Sealing(bundle, "x"))
    assert "1 file," in unsaid


def test_without_sha256_safetensors_have_no_hash_and_that_is_said(model_folder, seal_folder):
    bundle = seal_folder(model_folder)
    assert hashes(named(export(bundle))["model-1.safetensors"]) == {}
    said = CycloneDxExporter().omitted(Sealing(bundle, "x"))
    assert any("4 tensors" in each for each in said)
    assert any("2 files" in each and "--with-sha256" in each for each in said)


def test_sha256_of_its_own_suite(bundle_of):
    document = export(bundle_of([file_entry("a", 1, b"a" * 32)], suite=SHA256))
    assert hashes(named(document)["a"]) == {"SHA-256": (b"a" * 32).hex()}


def test_hostile_names(hostile_bundle, hostile_names):
    name = 'javascript:alert(1)//\n"\udcff'
    document = export(hostile_bundle, name)
    files = named(document)
    assert set(files) == {*hostile_names, "z.safetensors"}
    assert len({each["bom-ref"] for each in document["components"]}) == len(files)
    said = properties(document["metadata"]["component"])
    assert all(said[f"annotation:{each}"] == each for each in hostile_names)
    assert "licenses" not in document["metadata"]["component"]
    [reference] = document["metadata"]["component"]["externalReferences"]
    assert reference["url"] == "javascript%3Aalert%281%29%2F%2F%0A%22%FF"


@pytest.mark.parametrize(
    ("annotation", "licenses"),
    [
        ("mit", [{"license": {"id": "MIT"}}]),
        ("MIT or apache-2.0", [{"expression": "MIT OR Apache-2.0"}]),
        ("llama3", None),
        ("LicenseRef-scancode-public-domain", None),
        ("()", None),
        ("", None),
        ("(" * 4000, None),
    ],
)
def test_licenses(bundle_of, annotation, licenses):
    document = export(bundle_of([file_entry("a", 1, bytes(32))], {"license": annotation}))
    assert document["metadata"]["component"].get("licenses") == licenses


def test_the_same_seal_gives_the_same_bytes_and_another_none_of_them(bundle_of):
    one, other = (bundle_of([file_entry("a", 1, bytes([at]) * 32)]) for at in (1, 2))
    written = [CycloneDxExporter().export(Sealing(each, "s")) for each in (one, one, other)]
    assert written[0] == written[1]
    assert export(one)["serialNumber"] != export(other)["serialNumber"]


def test_many_files(bundle_of, memory_below):
    bundle = bundle_of(file_entry(f"{at:06}", 1, at.to_bytes(32)) for at in range(20_000))
    CycloneDxExporter().export(Sealing(bundle, "s"))
    with memory_below(64 * 2**20):
        found = json.loads(CycloneDxExporter().export(Sealing(bundle, "s")))["components"][-1]
    assert (found["name"], found["bom-ref"]) == ("019999", "file:19999")


def test_without_the_library(bundle_of, monkeypatch):
    monkeypatch.setitem(sys.modules, "cyclonedx.model.bom", None)
    with pytest.raises(UsageError, match="cyclonedx") as caught:
        CycloneDxExporter().export(Sealing(bundle_of([file_entry("a", 1, bytes(32))]), "s"))
    assert "mltrust[sbom]" in caught.value.hint


def test_a_published_model(minilm, seal_folder):
    document = export(seal_folder(minilm))
    assert document["metadata"]["component"]["type"] == "machine-learning-model"
    assert "model.safetensors" in named(document)
