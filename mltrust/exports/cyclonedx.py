"""A CycloneDX 1.6 bill of materials (ML-BOM), as JSON: the artifact, and each of its files with its digests.

It says what the seal says and no more: no time, no supplier, nothing of how a model was made. Tensors are counted, not
listed: nobody can hold a tensor against a component without the seal, which lists them, and there may be a hundred
thousand.
"""

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING, ClassVar, cast
from urllib.parse import quote

from mltrust.exports.forms import Forms, assembled
from mltrust.exports.materials import Bill, Material, Pairs, Sort, needing_libraries
from mltrust.interfaces import Exporter, Sealing

if TYPE_CHECKING:
    from cyclonedx.model import ExternalReference, HashType, Property
    from cyclonedx.model.component import Component
    from cyclonedx.model.license import License

_ARTIFACT = "artifact"
_FIRST = ("$schema", "bomFormat", "specVersion", "serialNumber", "version", "metadata")


class CycloneDxExporter(Exporter):
    """Writes the bill of materials; the same seal under the same name gives the same bytes."""

    name: ClassVar[str] = "cyclonedx"
    ending: ClassVar[str] = ".cdx.json"

    def export(self, sealing: Sealing) -> bytes:
        """Return the document."""
        with needing_libraries():
            bill = Bill(sealing.bundle)
            document = _written(bill, _artifact(bill, sealing.seal_name), [_component(_reference(0))])
            forms = Forms(lambda identifier, material: _file(bill, identifier, material))
            # No text in the document can be these: they hold the digest of the statement, and the name of the seal
            # file, which the statement does not bind, stands there without a colon.
            files, references = (f"{what}:{bill.digest}" for what in ("files", "references"))
            document |= {"components": [files], "dependencies": [{"ref": _ARTIFACT, "dependsOn": [references]}]}
            lists = {
                files: (forms.text(_reference(at), each) for at, each in enumerate(bill.materials())),
                references: (json.dumps(_reference(at)) for at in range(sealing.bundle.manifest.size)),
            }
            return assembled(document, lists)

    def omitted(self, sealing: Sealing) -> Sequence[str]:
        """Name what the seal says of parts of files, and who signed it."""
        return Bill(sealing.bundle).unsaid()


def _reference(index: int) -> str:
    """Return the `bom-ref` of a file: names are hostile, and places in the manifest never collide."""
    return f"file:{index}"


def _written(bill: Bill, artifact: "Component", files: "list[Component]") -> dict[str, object]:
    """Have the library write a document; it gives each one the time of the day, which is taken out."""
    from cyclonedx.model.bom import Bom, BomMetaData
    from cyclonedx.model.component import Component, ComponentType
    from cyclonedx.model.tool import ToolRepository
    from cyclonedx.output.json import JsonV1Dot6

    tools = ToolRepository(components=[Component(type=ComponentType.APPLICATION, name="mltrust")])
    metadata = BomMetaData(tools=tools, component=artifact)
    bom = Bom(serial_number=bill.serial, metadata=metadata, components=files)
    bom.register_dependency(artifact, files)
    document: dict[str, dict[str, object]] = json.loads(JsonV1Dot6(bom).output_as_string())
    del document["metadata"]["timestamp"]
    return {name: document[name] for name in (*_FIRST, *sorted(document.keys() - _FIRST))}


def _artifact(bill: Bill, seal_name: str) -> "Component":
    """Return what the document is about.

    It has no hashes: the fingerprint is no digest of bytes that somebody could hash, so it is version and property.
    """
    from cyclonedx.model.component import Component, ComponentType

    return Component(
        type=ComponentType.MACHINE_LEARNING_MODEL if bill.sort is Sort.MODEL else ComponentType.DATA,
        bom_ref=_ARTIFACT,
        name=bill.name,
        version=bill.version,
        licenses=_licenses(bill.license),
        external_references=[_seal(bill, seal_name)],
        properties=_properties(bill.properties),
    )


def _file(bill: Bill, reference: str, material: Material) -> object:
    file = _component(reference, name=material.path)
    file.hashes, file.properties = _hashes(material.hashes), _properties(material.properties)
    [written] = cast("list[object]", _written(bill, _artifact(bill, ""), [file])["components"])
    return written


def _component(reference: str, name: str = "") -> "Component":
    from cyclonedx.model.component import Component, ComponentType

    return Component(type=ComponentType.FILE, bom_ref=reference, name=name)


def _seal(bill: Bill, seal_name: str) -> "ExternalReference":
    """Refer to the seal beside the document. It has no hash: the file grows by receipts and signatures."""
    from cyclonedx.model import ExternalReference, ExternalReferenceType, XsUri

    url = quote(seal_name.encode("utf-8", "surrogateescape"), safe="")
    comment = f"mltrust seal, in-toto statement {bill.digest}"
    return ExternalReference(type=ExternalReferenceType.ATTESTATION, url=XsUri(url), comment=comment)


def _hashes(hashes: Pairs) -> "list[HashType]":
    from cyclonedx.model import HashAlgorithm, HashType

    algorithms = {"blake3": HashAlgorithm.BLAKE3, "sha256": HashAlgorithm.SHA_256}
    return [HashType(alg=algorithms[algorithm], content=digest) for algorithm, digest in hashes]


def _properties(properties: Pairs) -> "list[Property]":
    from cyclonedx.model import Property

    return [Property(name=name, value=value) for name, value in properties]


def _licenses(expression: str | None) -> "list[License]":
    from cyclonedx.model.license import DisjunctiveLicense, LicenseExpression
    from cyclonedx.spdx import fixup_id

    if expression is None:
        return []
    known = fixup_id(expression)
    return [DisjunctiveLicense(id=known) if known else LicenseExpression(expression)]
