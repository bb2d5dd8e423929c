"""The index of a sharded checkpoint decides which bytes load under which name: it may not lie."""

import json

import pytest

from mltrust.core.digest import BLAKE3
from mltrust.errors import ArtifactError, FormatError
from mltrust.operations.seal import Labels, seal
from mltrust.sources.local import LocalSource

INDEX = "model.safetensors.index.json"
ONE, TWO = "model-1.safetensors", "model-2.safetensors"
TRUE = {"embed": ONE, "layer.0": ONE, "head": TWO, "layer.1": TWO}


@pytest.fixture
def notices_with(model_folder, means):
    """Return a function that seals the model with another index and returns the notices about that index."""

    def seal_with(index):
        if not isinstance(index, bytes):
            index = (index if isinstance(index, str) else json.dumps(index)).encode()
        (model_folder / INDEX).write_bytes(index)
        _, notices = seal(LocalSource(model_folder), means, BLAKE3, Labels("model", {}))
        return [notice for notice in notices if notice.path == INDEX]

    return seal_with


def mapped(**changes):
    weight_map = {**TRUE, **{name.replace("_", "."): shard for name, shard in changes.items()}}
    return {"weight_map": {name: shard for name, shard in weight_map.items() if shard is not None}}


LIES = {
    "points outside": (mapped(head="../model-2.safetensors"), "is not a plain relative path"),
    "points outside and back": (mapped(head="../model/model-2.safetensors"), "is not a plain relative path"),
    "absolute path": (mapped(head="/etc/passwd"), "is not a plain relative path"),
    "a dot before the shard": (mapped(head="./model-2.safetensors"), "is not a plain relative path"),
    "empty shard name": (mapped(head=""), "is not a plain relative path"),
    "NUL in a shard name": (mapped(head=TWO + "\0"), "is not a plain relative path"),
    "long shard name": (mapped(head="x" * 5000), "name of 5000 bytes"),
    "shard of another case": (mapped(head=TWO.upper()), "not a safetensors file here"),
    "absent shard": (mapped(head="model-3.safetensors"), "'model-3.safetensors', which is not a safetensors file here"),
    "not a safetensors file": (mapped(head="config.json"), "'config.json', which is not a safetensors file"),
    "itself": (mapped(head=INDEX), "which is not a safetensors file"),
    "a folder": (mapped(head="tokenizer"), "which is not a safetensors file"),
    "tensor in no shard": (mapped(ghost=ONE), "maps tensor 'ghost' to 'model-1.safetensors', which lacks it"),
    "wrong shard": (mapped(head=ONE), "maps tensor 'head' to 'model-1.safetensors', which lacks it"),
    "tensor not mapped": (mapped(head=None), "does not map tensor 'head'"),
    "number for a shard": (mapped(head=2), "maps tensor 'head' to something that is no file name"),
    "list for a shard": (mapped(head=[TWO]), "something that is no file name"),
    "map a list": ({"weight_map": [["head", TWO]]}, "no weight_map"),
    "map empty": ({"weight_map": {}}, "no weight_map"),
    "map null": ({"weight_map": None}, "no weight_map"),
    "no map": ({"metadata": {"total_size": 96}}, "no weight_map"),
    "a list": ([TRUE], "no weight_map"),
    "text": ('"x"', "no weight_map"),
    "empty": (b"", "not JSON"),
    "binary": (b"\x80\x04\x95", "not UTF-8"),
    "byte order mark": (b"\xef\xbb\xbf" + json.dumps(mapped()).encode(), "not JSON"),
    "truncated": (json.dumps(mapped())[:-1], "not JSON"),
    "NaN": ('{"metadata": {"total_size": NaN}, "weight_map": {}}', "NaN is not JSON"),
    "huge integer": ('{"metadata": {"total_size": ' + "9" * 5000 + '}, "weight_map": {}}', "not below 2^53"),
    "lone surrogate": (r'{"weight_map": {"\ud800": "model-1.safetensors"}}', "lone surrogate"),
    "deep": ('{"weight_map":' * 100_000, "nested deeper"),
    "unterminated escapes": ('"' + r"\"" * 500_000, "not JSON"),
    "one tensor in two shards": (
        '{"weight_map": {"embed": "model-1.safetensors", "embed": "model-2.safetensors"}}',
        "duplicate key 'embed'",
    ),
    "two maps": (json.dumps(mapped())[:-1] + ', "weight_map": {}}', "duplicate key 'weight_map'"),
}


@pytest.mark.parametrize("name", LIES)
def test_a_lying_index_is_not_sealed(name, notices_with):
    index, words = LIES[name]
    with pytest.raises(FormatError) as caught:
        notices_with(index)
    assert words in str(caught.value)
    assert caught.value.where == INDEX


def test_an_honest_index_is_silent(notices_with):
    assert notices_with({"metadata": {"total_size": 96}, **mapped()}) == []
    assert notices_with(mapped()) == []


def test_a_tensor_that_two_shards_hold(model_folder, safetensors_bytes, notices_with):
    """Loaders would take either: the index cannot map it to both."""
    entry = {"dtype": "U8", "shape": [2], "data_offsets": [0, 2]}
    (model_folder / ONE).write_bytes(safetensors_bytes({"x": entry}, b"11"))
    (model_folder / TWO).write_bytes(safetensors_bytes({"x": entry}, b"22"))
    other = model_folder / "model-3.safetensors"
    other.write_bytes(safetensors_bytes({"y": entry}, b"33"))
    with pytest.raises(FormatError, match="which lacks it"):
        notices_with({"weight_map": {"x": ONE, "y": TWO}})
    (model_folder / TWO).write_bytes(safetensors_bytes({"x": entry, "y": {**entry, "data_offsets": [2, 4]}}, b"2244"))
    with pytest.raises(FormatError, match=r"does not map tensor 'x' of 'model-2\.safetensors' to it"):
        notices_with({"weight_map": {"x": ONE, "y": TWO}})


@pytest.mark.parametrize("total", [0, 97, -96, 96.5, 1e300, "96", [96], {"of": 96}, True])
def test_a_wrong_total_is_worth_a_notice_only(total, notices_with):
    [notice] = notices_with({"metadata": {"total_size": total}, **mapped()})
    assert notice.code == "index-total-size"
    assert len(notice.message) < 200


@pytest.mark.parametrize("total", [96, 96.0])
def test_a_float_total_of_the_right_value_is_fine(total, notices_with):
    assert notices_with({"metadata": {"total_size": total}, **mapped()}) == []


def test_an_index_in_a_folder_speaks_of_its_folder(tmp_path, fill_model, means, seal_folder):
    fill_model(tmp_path / "all" / "inner")
    assert len(seal_folder(tmp_path / "all").manifest.entries) == 6
    (tmp_path / "all" / "inner" / INDEX).rename(tmp_path / "all" / INDEX)
    with pytest.raises(FormatError, match=r"not a safetensors file here"):
        seal_folder(tmp_path / "all")


def test_an_endless_index_is_not_read(model_folder, seal_folder):
    with (model_folder / INDEX).open("r+b") as index:
        index.truncate(100_000_001)
    with pytest.raises(FormatError, match="at most 100000000 are read"):
        seal_folder(model_folder)


def test_a_pointer_for_an_index(model_folder, seal_folder):
    (model_folder / INDEX).write_text(f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize 1\n")
    with pytest.raises(ArtifactError, match="Git LFS pointer"):
        seal_folder(model_folder)
