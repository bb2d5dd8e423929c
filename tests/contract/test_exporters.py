"""The exporters mltrust comes with keep the contract of exporters."""

import base64
import json
import re

import pytest

from mltrust.exports.cyclonedx import CycloneDxExporter
from mltrust.exports.dsse import DsseExporter
from mltrust.exports.oms import OmsExporter
from mltrust.exports.sha256sum import Sha256SumExporter
from mltrust.exports.spdx import SpdxExporter
from mltrust.interfaces import Home
from mltrust.signers.file import FileSigner
from mltrust.testing import ExporterContract

UNESCAPED = {r"\n": "\n", r"\r": "\r", r"\\": "\\"}


def signer(path):
    return FileSigner.from_uri(f"file:{path}", Home(path.parent, path.parent), {})


class TestDsse(ExporterContract):
    @pytest.fixture
    def exporter(self):
        return DsseExporter()

    @pytest.fixture
    def prepare(self, tmp_path, new_key):
        key = signer(new_key(tmp_path / "key", "ed25519"))
        return lambda bundle: bundle.with_signatures(key.sign(bundle.statement.payload()))


class TestOms(ExporterContract):
    @pytest.fixture
    def exporter(self):
        return OmsExporter()

    @pytest.fixture
    def signers(self, tmp_path, new_key):
        return [signer(new_key(tmp_path / kind, kind)) for kind in ("ed25519", "p256")]

    @pytest.fixture
    def paths(self):
        def read(document):
            payload = base64.b64decode(json.loads(document)["dsseEnvelope"]["payload"])
            return [each["name"] for each in json.loads(payload)["predicate"]["resources"]]

        return read


class TestSha256Sum(ExporterContract):
    @pytest.fixture
    def exporter(self):
        return Sha256SumExporter()

    @pytest.fixture
    def paths(self):
        def read(document):
            lines = re.findall(r"^(\\?)[0-9a-f]{64}  (.*)$", document.decode(), re.M)
            names = [re.sub(r"\\.", lambda it: UNESCAPED[it[0]], name) if mark else name for mark, name in lines]
            return [name.removeprefix("./") for name in names]

        return read


class TestCycloneDx(ExporterContract):
    @pytest.fixture
    def exporter(self):
        pytest.importorskip("cyclonedx")
        return CycloneDxExporter()

    @pytest.fixture
    def paths(self):
        return lambda document: [each["name"] for each in json.loads(document)["components"]]


class TestSpdx(ExporterContract):
    @pytest.fixture
    def exporter(self):
        pytest.importorskip("spdx_python_model")
        return SpdxExporter()

    @pytest.fixture
    def paths(self):
        def read(document):
            graph = json.loads(document)["@graph"]
            return [each["name"] for each in graph if each["type"] == "software_File"]

        return read
