"""The readers mltrust comes with keep the contract of readers."""

import json

import numpy as np
import pytest
import safetensors.numpy

from mltrust.readers.opaque import OpaqueReader
from mltrust.readers.safetensors import SafetensorsReader
from mltrust.testing.reader_contract import ReaderContract


class TestSafetensorsReader(ReaderContract):
    @pytest.fixture
    def reader(self):
        return SafetensorsReader()

    @pytest.fixture
    def good_files(self, safetensors_bytes):
        arrays = {f"layer.{n}": np.ascontiguousarray(np.full((n, 2), n, dtype)) for n, dtype in enumerate(("f4", "u1"))}
        odd = {
            "__metadata__": {"format": "pt", "": "x"},
            "": {"dtype": "F4", "shape": [2, 3], "data_offsets": [4, 7]},
            "b": {"dtype": "NEW", "shape": [], "data_offsets": [0, 4]},
            "a": {"dtype": "BF16", "shape": [0, 9], "data_offsets": [4, 4]},
        }
        return {
            "saved.safetensors": safetensors.numpy.save(arrays),
            "empty.safetensors": safetensors_bytes("{}"),
            "odd.safetensors": safetensors_bytes(json.dumps(odd) + "   ", 7),
        }


class TestOpaqueReader(ReaderContract):
    @pytest.fixture
    def reader(self):
        return OpaqueReader()

    @pytest.fixture
    def good_files(self):
        return {"any.bin": bytes(range(256)), "empty": b"", "README.md": b"# text\n"}
