"""Sealed models to load from."""

from dataclasses import dataclass
from pathlib import Path

import pytest

import mltrust


@dataclass(frozen=True)
class Sealed:
    """A sealed artifact, and the trust that vouches for its seal."""

    path: Path
    seal: Path
    trust: mltrust.Trust

    def open(self, **options):
        return mltrust.open_verified(self.path, self.seal, self.trust, **options)


@pytest.fixture
def ledger(tmp_path):
    return mltrust.open_anchor(f"ledger:{tmp_path / 'ledger'}", mltrust.Home(tmp_path / "data", tmp_path / "state"))


@pytest.fixture
def sealed(ledger):
    """Return a function that seals an artifact and publishes that in a ledger."""

    def seal(path, **options):
        done = mltrust.seal(path, anchors=[ledger], **options)
        return Sealed(path, done.path, mltrust.Trust(anchors=[ledger]))

    return seal


@pytest.fixture
def model(sealed, model_folder):
    """A sealed model: two shards, their index, and other files."""
    return sealed(model_folder)


@pytest.fixture
def every_dtype(safetensors_bytes):
    """Return the bytes of a file with a tensor of each of some dtypes, none of which is aligned, and an empty one."""

    def make(dtypes):
        header, at = {"": {"dtype": "U8", "shape": [1], "data_offsets": [0, 1]}}, 1
        for dtype, bits in dtypes.items():
            size = 6 * bits // 8
            header[f"t.{dtype}"] = {"dtype": dtype, "shape": [2, 3], "data_offsets": [at, at + size]}
            at += size
        header["empty"] = {"dtype": "F32", "shape": [0, 4], "data_offsets": [at, at]}
        header["scalar"] = {"dtype": "F64", "shape": [], "data_offsets": [at, at + 8]}
        return safetensors_bytes(header, at + 8)

    return make
