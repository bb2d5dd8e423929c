"""Tensors out of a bucket: what is wanted comes over the wire, and is verified here."""

import pytest

import mltrust
from mltrust.interfaces import Trust

pytest.importorskip("numpy")


def test_only_what_is_wanted_is_asked_for_and_compared(s3, tmp_path, fill_model):
    folder = fill_model(tmp_path / "tiny")
    seal = mltrust.seal(folder).path
    s3.fill(folder, "models/tiny/")
    trust = Trust(fingerprint=str(mltrust.fingerprint(folder)))
    opened = mltrust.open_verified("s3://bucket/models/tiny", seal, trust)
    s3.asked.clear()
    assert opened.get_tensor("embed").tobytes() == (b"embed" * 24)[:24]
    assert set(s3.requests("/bucket/models/tiny/")) == {
        "/bucket/models/tiny/model.safetensors.index.json",
        "/bucket/models/tiny/model-1.safetensors",
    }
    shard = bytearray((folder / "model-2.safetensors").read_bytes())
    shard[-1] ^= 1
    s3.put("models/tiny/model-2.safetensors", bytes(shard))
    with pytest.raises(mltrust.NotVerifiedError, match=r"tensor layer\.1 of model-2\.safetensors"):
        mltrust.open_verified("s3://bucket/models/tiny", seal, trust).get_tensors()
