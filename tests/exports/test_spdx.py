"""SPDX: by the schema its project publishes, and read back by the library."""

import hashlib
import io
import json
import sys
from datetime import UTC, datetime
from functools import cache
from pathlib import Path

import pytest
from blake3 import blake3
from jsonschema import Draft202012Validator
from spdx_python_model.bindings import v3_0_1

from mltrust.core.digest import SHA256
from mltrust.core.leaf import Kind, Leaf, Records
from mltrust.core.manifest import Entry, file_entry
from mltrust.errors import FormatError, UsageError
from mltrust.exports.spdx import SpdxExporter
from mltrust.interfaces import Sealing
from mltrust.statements.seal import contradictions

SCHEMA = json.loads((Path(__file__).parents[1] / "vectors/spdx/spdx-json-schema.json").read_bytes())
LONG_AGO = datetime(2026, 1, 31, 12, tzinfo=UTC)


@cache
def validator(kind):
    """Return what validates elements of one class, as the schema does for a document, which tries all 89 for each."""
    return Draft202012Validator({"$defs": SCHEMA["$defs"], "$ref": f"#/$defs/{kind}", "unevaluatedProperties": False})


def fewer(value):
    """Return a list of identifiers without most of them: each takes as long to validate as a file."""
    return (
        value[:1] if isinstance(value, list) and all(isinstance(each, str) and ":" in each for each in value) else value
    )


def read(document: bytes | str):
    """Return the elements of a document that follows the schema, and that the library reads and writes as it stands."""
    found = json.loads(document)
    assert set(found) == {"@context", "@graph"}
    assert found["@context"] == SCHEMA["properties"]["@context"]["const"]
    for element in found["@graph"]:
        validator(element["type"]).validate({name: fewer(value) for name, value in element.items()})
    objects = v3_0_1.SHACLObjectSet()
    v3_0_1.JSONLDDeserializer().read(io.BytesIO(json.dumps(found).encode()), objects)
    assert objects.missing_ids <= {v3_0_1.expandedlicensing_IndividualLicensingInfo.NoAssertionLicense}
    again = v3_0_1.JSONLDSerializer().serialize_data(objects, True)
    for side in (again, found):
        side["@graph"].sort(key=lambda each: each.get("spdxId", ""))
    assert again == found
    assert len({each.get("spdxId") for each in found["@graph"]}) == len(found["@graph"])
    return found["@graph"]


def export(bundle, created=LONG_AGO, seal_name="mltrust.seal.json"):
    return read(SpdxExporter().export(Sealing(bundle, seal_name, created=created)))


def of(elements, kind, **values):
    return [each for each in elements if {"type": kind, **values}.items() <= each.items()]


def one(elements, kind, **values):
    [found] = of(elements, kind, **values)
    return found


def properties(element):
    [extension] = element["extension"]
    pairs = extension["extension_cdxProperty"]
    return {each["extension_cdxPropName"].removeprefix("mltrust:"): each["extension_cdxPropValue"] for each in pairs}


def hashes(element):
    return {each["algorithm"]: each["hashValue"] for each in element.get("verifiedUsing", ())}


def related(elements, kind):
    return one(elements, "Relationship", relationshipType=kind)


def test_the_schema_refuses_what_breaks_it(bundle_of):
    file = one(export(bundle_of([file_entry("a", 1, bytes(32))])), "software_File")
    for change in ({"software_primaryPurpose": "no such purpose"}, {"spdxId": "file-1"}, {"size": 3}):
        assert not validator("software_File").is_valid(file | change)
    del file["creationInfo"]
    assert not validator("software_File").is_valid(file)


@pytest.mark.usefixtures("unmeasured")
def test_a_model_by_the_command(model_folder, sealed, exported):
    sealed(model_folder, "--with-sha256", "--no-anchor", "--annotation", "license=apache-2.0")
    elements = read(exported("spdx", "a.seal.json", "--created", "2026-01-31T12:00:00Z"))
    package = one(elements, "ai_AIPackage")
    assert one(elements, "CreationInfo")["created"] == "2026-01-31T12:00:00Z"
    assert package["software_packageVersion"] == properties(package)["fingerprint"]
    assert package["externalIdentifier"][0]["identifier"] == properties(package)["statement"]
    assert package["externalRef"][0]["locator"] == ["a.seal.json"]
    license_ = one(elements, "simplelicensing_LicenseExpression")
    assert license_["simplelicensing_licenseExpression"] == "Apache-2.0"
    assert related(elements, "hasDeclaredLicense")["to"] == [license_["spdxId"]]
    files = {each["name"]: each for each in of(elements, "software_File")}
    assert related(elements, "contains")["to"] == [each["spdxId"] for each in files.values()]
    assert {each["spdxId"] for each in files.values()} < set(one(elements, "software_Sbom")["element"])
    assert sorted(files) == sorted(
        path.relative_to(model_folder).as_posix() for path in model_folder.rglob("*") if path.is_file()
    )
    for name, file in files.items():
        data = (model_folder / name).read_bytes()
        whole = {"sha256": hashlib.sha256(data).hexdigest(), "blake3": blake3(data).hexdigest()}
        if name.endswith(".safetensors"):
            del whole["blake3"]
            assert (file["software_primaryPurpose"], properties(file)["tensors"]) == ("model", "2")
        assert hashes(file) == whole


@pytest.mark.usefixtures("unmeasured")
def test_a_dataset_by_the_command(fill_dataset, sealed, exported, tmp_path):
    folder = fill_dataset(tmp_path / "rows")
    sealed(folder, "--no-anchor")
    elements = read(exported("spdx", "a.seal.json", "--created", "2026-01-31T12:00:00Z"))
    dataset = one(elements, "dataset_DatasetPackage")
    assert dataset["dataset_datasetType"] == ["noAssertion"]
    assert dataset["dataset_datasetSize"] == sum(path.stat().st_size for path in folder.iterdir())
    table = one(elements, "software_File", name="table.csv")
    assert properties(table)["records"] == "3000"
    assert hashes(table) == {"blake3": blake3((folder / "table.csv").read_bytes()).hexdigest()}


def test_hostile_names(hostile_bundle, hostile_names):
    elements = export(hostile_bundle, seal_name='javascript:alert(1)\n"')
    files = {each["name"] for each in of(elements, "software_File")}
    assert files == {*hostile_names, "z.safetensors"}
    package = one(elements, "ai_AIPackage")
    assert all(properties(package)[f"annotation:{name}"] == name for name in hostile_names)
    assert package["externalRef"][0]["locator"] == ["javascript%3Aalert%281%29%0A%22"]
    assert not of(elements, "simplelicensing_LicenseExpression")
    assert related(elements, "hasDeclaredLicense")["to"] == ["expandedlicensing_NoAssertionLicense"]


TIMES = ("2026-05-01T00:00:00Z", "2026-03-01T00:00:00Z")


def test_created_when_a_receipt_says(bundle_of):
    bundle = bundle_of([file_entry("a", 1, bytes(32))], times=TIMES)
    creation = one(export(bundle, None), "CreationInfo")
    assert creation["created"] == "2026-03-01T00:00:00Z"
    assert "not checked" in creation["comment"]
    assert one(export(bundle, LONG_AGO), "CreationInfo")["created"] == "2026-01-31T12:00:00Z"


@pytest.mark.parametrize("case", ["none", "of another statement"])
def test_no_time_is_invented(bundle_of, case):
    bundle = bundle_of([file_entry("a", 1, bytes(32))])
    if case != "none":
        bundle = bundle.with_receipts(bundle_of([file_entry("b", 1, bytes(32))], times=TIMES).receipts)
    with pytest.raises(UsageError, match="no receipt") as caught:
        export(bundle, None)
    assert "--created" in caught.value.hint


def test_a_file_with_two_sha256s_contradicts_itself(bundle_of):
    for other, said in ((bytes(32), []), (b"1" * 32, ["a second SHA-256 of a file"])):
        bundle = bundle_of([file_entry("a", 1, bytes(32), other)], suite=SHA256)
        assert contradictions(bundle.statement, bundle.manifest) == said


@pytest.mark.parametrize("time", ["2026-13-41T00:00:00Z", "0001-01-01T00:00:00Z"])
def test_a_time_that_is_none(bundle_of, time):
    entries = [file_entry("a", 1, bytes(32))]
    with pytest.raises(FormatError, match="is no time"):
        export(bundle_of(entries, times=[time]), None)
    said = read(SpdxExporter().export(Sealing(bundle_of(entries, {"released": time}), "s", created=LONG_AGO)))
    assert "releaseTime" not in str(said)
    with pytest.raises(UsageError, match="in the year 1"):
        export(bundle_of(entries), LONG_AGO.replace(year=1))


SAID = {
    "supplier": "Some Lab",
    "originator": "Some Survey",
    "download-location": "https://example.org/a%20b",
    "released": "2026-02-01T00:00:00Z",
    "built": "2026-01-01T00:00:00Z",
}
BROKEN = {
    "supplier": "",
    "originator": "",
    "download-location": "my disk",
    "released": "last week",
    "built": "2026-02-30T00:00:00Z",
}


@pytest.mark.parametrize(
    ("kind", "profile", "asked"),
    [
        ("ai_AIPackage", "ai", ("supplier", "download-location", "released")),
        ("dataset_DatasetPackage", "dataset", ("originator", "download-location", "released", "built")),
    ],
    ids=["model", "dataset"],
)
def test_a_profile_is_claimed_only_where_all_it_asks_for_is_said(bundle_of, kind, profile, asked):
    records = Entry(Leaf(Kind.RECORDS, "a.jsonl", 7, b"d" * 32, b"r" * 32, 3, records=Records("jsonl", b"s" * 32)))
    tensor = Leaf(Kind.TENSOR, "t", 4, bytes(32), dtype="F32", shape=(1,))
    entry = records if profile == "dataset" else Entry(Leaf(Kind.SAFETENSORS, "m", 4, child_size=1), (tensor,))
    for broken in (None, *SAID):
        said = SAID | ({} if broken is None else {broken: BROKEN[broken]})
        sealing = Sealing(bundle_of([entry], said), "s", created=LONG_AGO)
        document = SpdxExporter().export(sealing)
        elements = json.loads(document)["@graph"] if broken else read(document)
        claims = one(elements, "SpdxDocument")["profileConformance"]
        assert claims == one(elements, "software_Sbom")["profileConformance"]
        assert (profile in claims) == (broken not in asked)
        package = one(elements, kind)
        if profile in claims:  # SPDX 3.0.1, "External properties cardinality updates" and "Profile conformance"
            wanted = {
                "ai": ("suppliedBy", "software_downloadLocation", "releaseTime", "software_packageVersion"),
                "dataset": ("originatedBy", "software_downloadLocation", "releaseTime", "builtTime"),
            }[profile]
            assert set(wanted) | {"software_primaryPurpose"} <= set(package)
        for name in ("hasDeclaredLicense", "hasConcludedLicense"):
            assert len(related(elements, name)["to"]) == 1


def test_the_same_seal_gives_the_same_bytes(bundle_of):
    bundle = bundle_of([file_entry("a", 1, bytes(32))], times=TIMES)
    assert SpdxExporter().export(Sealing(bundle, "s")) == SpdxExporter().export(Sealing(bundle, "s"))


def test_without_the_library(bundle_of, monkeypatch):
    monkeypatch.setitem(sys.modules, "spdx_python_model.bindings", None)
    with pytest.raises(UsageError, match="spdx_python_model") as caught:
        export(bundle_of([file_entry("a", 1, bytes(32))]))
    assert "mltrust[sbom]" in caught.value.hint


def test_a_published_model(minilm, seal_folder):
    elements = export(seal_folder(minilm))
    assert one(elements, "software_File", name="model.safetensors")["software_primaryPurpose"] == "model"
