"""An SPDX 3.0.1 bill of materials, as JSON-LD: the artifact as an AI package or a dataset, and each of its files.

SPDX wants the time at which the document was created, and a seal has no clock. So it is the earliest time that a
receipt in the seal states, or one that the caller brings; none is invented.
"""

import json
import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from types import ModuleType
from typing import Any, ClassVar, TypeAlias
from urllib.parse import quote

from mltrust.errors import FormatError, UsageError
from mltrust.exports.forms import Forms, assembled
from mltrust.exports.materials import Bill, Material, Pairs, Sort, needing_libraries
from mltrust.interfaces import Exporter, Sealing

Made: TypeAlias = Any  # by the library, which need not be installed where types are checked

_URL = re.compile(r"[a-z][a-z0-9+.-]*:[!#-;=?-\[\]_a-z~]+", re.IGNORECASE)
_TIME = re.compile(r"[1-9]\d{3}-\d\d-\d\dT\d\d:\d\d:\d\dZ")  # the library spells no earlier year
_FIRST_YEAR = 1000
_PURPOSES = {Sort.MODEL: "model", Sort.DATASET: "data", Sort.OTHER: "other"}

# What the profiles ask of a package beyond what every seal says (SPDX 3.0.1, AIPackage and DatasetPackage, "External
# properties cardinality updates"), and the annotations that say it.
_ANNOTATIONS = {
    "suppliedBy": "supplier",
    "originatedBy": "originator",
    "software_downloadLocation": "download-location",
    "releaseTime": "released",
    "builtTime": "built",
}
_ASKED = {
    Sort.MODEL: ("ai", {"suppliedBy", "software_downloadLocation", "releaseTime"}),
    Sort.DATASET: ("dataset", {"originatedBy", "software_downloadLocation", "releaseTime", "builtTime"}),
}


class SpdxExporter(Exporter):
    """Writes the bill of materials; the same seal under the same name gives the same bytes."""

    name: ClassVar[str] = "spdx"
    ending: ClassVar[str] = ".spdx.json"
    dated: ClassVar[bool] = True

    def export(self, sealing: Sealing) -> bytes:
        """Return the document; `UsageError` where nobody says a time."""
        with needing_libraries():
            from spdx_python_model.bindings import v3_0_1

            bill = Bill(sealing.bundle)
            author = _Author(v3_0_1, bill, *_created(sealing, bill))
            document = author.document(sealing.seal_name)
            # No text in the document can be these: they hold the digest of the statement, and the name of the seal
            # file, which the statement does not bind, stands there without a colon.
            files, contained, elements = (f"{what}:{bill.digest}" for what in ("files", "contained", "elements"))
            graph = document["@graph"]
            _only(graph, "Relationship", relationshipType="contains")["to"] = [contained]
            _only(graph, "software_Sbom")["element"].append(elements)
            graph.append(files)
            forms = Forms(author.file)
            places = range(sealing.bundle.manifest.size)
            lists = {
                files: (forms.text(author.place(at), each) for at, each in enumerate(bill.materials())),
                contained: (json.dumps(author.place(at)) for at in places),
                elements: (json.dumps(author.place(at)) for at in places),
            }
            return assembled(document, lists)

    def omitted(self, sealing: Sealing) -> Sequence[str]:
        """Name what the seal says of parts of files, and who signed it."""
        return Bill(sealing.bundle).unsaid()


def _only(graph: Iterable[Made], kind: str, **values: str) -> Made:
    (found,) = (each for each in graph if {"type": kind, **values}.items() <= each.items())
    return found


def _created(sealing: Sealing, bill: Bill) -> tuple[datetime, str]:
    """Return when the document was created, and who says so."""
    if sealing.created is not None:
        created = sealing.created.astimezone(UTC)
        if created.year < _FIRST_YEAR:
            raise UsageError(f"no document was created in the year {created.year}")
        return created, "As told by whoever exported the seal."
    receipts = [each for each in sealing.bundle.receipts if each.digest == str(bill.digest)]
    times = [each.time.not_after for each in receipts if each.time.not_after]
    if not times:
        raise UsageError(
            "SPDX wants to know when a document was created, and no receipt in the seal states a time",
            hint="Anchor the seal where times are known, or say one with --created.",
        )
    try:
        return _time(min(times)), "The earliest time that a receipt in the seal states; it was not checked for this."
    except ValueError as error:
        raise FormatError("receipt", f"{min(times)} is no time") from error


def _time(text: str) -> datetime:
    if not _TIME.fullmatch(text):
        raise ValueError(text)
    return datetime.fromisoformat(text)


class _Author:
    """Makes elements by the library, whose module for one version of SPDX is `model`."""

    def __init__(self, model: ModuleType, bill: Bill, created: datetime, comment: str) -> None:
        self._model: Made = model
        self._bill = bill
        self._creation = model.CreationInfo(created=created, specVersion="3.0.1", comment=comment)
        self._creation.createdBy = [self._element("SoftwareAgent", "mltrust", name="mltrust")]

    def place(self, index: int) -> str:
        """Return the identifier of a file: names are hostile, and places in the manifest never collide."""
        return self._identifier(f"file-{index}")

    def document(self, seal_name: str) -> Made:
        """Return the document with a bill of materials in it, and of the files only that one is contained."""
        artifact, others = self._artifact(seal_name), list(self._creation.createdBy)
        said = self._said(artifact, others)
        others += self._related(artifact)
        bill = self._element("software_Sbom", "bill", name=self._bill.name, rootElement=[artifact])
        bill.element = [each._id for each in (artifact, *others)]
        document = self._element("SpdxDocument", "document", name=self._bill.name, rootElement=[bill], element=[bill])
        profiles = [self._named("ProfileIdentifierType", each) for each in self._profiles(said)]
        bill.profileConformance, document.profileConformance = profiles, list(profiles)
        return self._written(document, bill, artifact, *others)

    def file(self, identifier: str, material: Material) -> object:
        """Return one file."""
        file = self._element("software_File", "", name=material.path)
        file._id = identifier
        file.verifiedUsing = [self._hash(*each) for each in material.hashes]
        file.extension = [self._properties(material.properties)]
        if material.sort is not Sort.OTHER:
            file.software_primaryPurpose = self._named("software_SoftwarePurpose", _PURPOSES[material.sort])
        return _only(self._written(file)["@graph"], "software_File")

    def _identifier(self, part: str) -> str:
        return f"{self._bill.serial.urn}#{part}"

    def _element(self, kind: str, part: str, **values: object) -> Made:
        return getattr(self._model, kind)(_id=self._identifier(part), creationInfo=self._creation, **values)

    def _named(self, vocabulary: str, name: str) -> str:
        found: str = getattr(self._model, vocabulary).NAMED_INDIVIDUALS[name]
        return found

    def _written(self, *elements: Made) -> Made:
        objects = self._model.SHACLObjectSet([*elements, self._creation, *self._creation.createdBy])
        return self._model.JSONLDSerializer().serialize_data(objects, True)

    def _artifact(self, seal_name: str) -> Made:
        """Return the package. A dataset is as large as its bytes; of what it consists, a seal does not know."""
        bill = self._bill
        kinds = {Sort.MODEL: "ai_AIPackage", Sort.DATASET: "dataset_DatasetPackage", Sort.OTHER: "software_Package"}
        package = self._element(kinds[bill.sort], "artifact", name=bill.name, software_packageVersion=bill.version)
        package.software_primaryPurpose = self._named("software_SoftwarePurpose", _PURPOSES[bill.sort])
        package.extension = [self._properties(bill.properties)]
        package.externalIdentifier = [self._statement()]
        package.externalRef = [self._seal(seal_name)]
        if bill.sort is Sort.DATASET:
            package.dataset_datasetType = [self._named("dataset_DatasetType", "noAssertion")]
            package.dataset_datasetSize = bill.predicate.totals.bytes
        return package

    def _said(self, package: Made, others: list[Made]) -> set[str]:
        """Say of the package what annotations say in the form SPDX asks for; return the properties that are said."""
        said = set()
        for name, annotation in _ANNOTATIONS.items():
            value = self._bill.predicate.annotations.get(annotation, "")
            if name in ("suppliedBy", "originatedBy") and value:
                agent = self._element("Agent", annotation, name=value)
                others.append(agent)
                setattr(package, name, agent if name == "suppliedBy" else [agent])
            elif name == "software_downloadLocation" and _URL.fullmatch(value):
                package.software_downloadLocation = value
            elif name.endswith("Time") and _is_time(value):
                setattr(package, name, _time(value))
            else:
                continue
            said.add(name)
        return said

    def _profiles(self, said: set[str]) -> list[str]:
        """Return the profiles the document conforms to: those of packages only where all they ask for is said."""
        profile, asked = _ASKED.get(self._bill.sort, ("", {""}))
        return ["core", "software", "extension", *([profile] if asked <= said else [])]

    def _related(self, package: Made) -> list[Made]:
        """Return the relationships of the package, and the license.

        Nobody concluded on one here. Both profiles of packages ask for both relationships, whatever they say.
        """
        none = self._named("expandedlicensing_IndividualLicensingInfo", "NoAssertionLicense")
        license_ = [] if self._bill.license is None else [self._license(self._bill.license)]
        ends = {
            "contains": [self.place(0)],
            "hasDeclaredLicense": license_ or [none],
            "hasConcludedLicense": [none],
        }
        return [*license_, *(self._relationship(package, name, to) for name, to in ends.items())]

    def _relationship(self, package: Made, name: str, to: list[Made]) -> Made:
        kind = self._named("RelationshipType", name)
        return self._element("Relationship", name, from_=package, to=to, relationshipType=kind)

    def _license(self, expression: str) -> Made:
        return self._element(
            "simplelicensing_LicenseExpression", "license", simplelicensing_licenseExpression=expression
        )

    def _statement(self) -> Made:
        """Return the digest of the statement, as what names the artifact."""
        comment = "The digest of the in-toto statement of the mltrust seal, which anchors publish."
        kind = self._named("ExternalIdentifierType", "other")
        digest = str(self._bill.digest)
        return self._model.ExternalIdentifier(externalIdentifierType=kind, identifier=digest, comment=comment)

    def _seal(self, seal_name: str) -> Made:
        """Refer to the seal beside the document."""
        location = quote(seal_name.encode("utf-8", "surrogateescape"), safe="")
        kind = self._named("ExternalRefType", "other")
        return self._model.ExternalRef(externalRefType=kind, locator=[location], comment="mltrust seal")

    def _hash(self, algorithm: str, digest: str) -> Made:
        return self._model.Hash(algorithm=self._named("HashAlgorithm", algorithm), hashValue=digest)

    def _properties(self, pairs: Pairs) -> Made:
        entry = self._model.extension_CdxPropertyEntry
        properties = [entry(extension_cdxPropName=name, extension_cdxPropValue=value) for name, value in pairs]
        return self._model.extension_CdxPropertiesExtension(extension_cdxProperty=properties)


def _is_time(text: str) -> bool:
    try:
        return bool(_time(text))
    except ValueError:
        return False
