"""`mltrust diff`: what differs, and how many bytes of it."""

import json
import shutil

import pytest

pytestmark = pytest.mark.usefixtures("unmeasured")


@pytest.fixture
def after(model):
    """Return a copy of the model without its seal."""
    copy = shutil.copytree(model, model.parent / "after", ignore=shutil.ignore_patterns("*.seal.json"))
    return model.parent / copy


@pytest.fixture
def differ(mltrust):
    def compare(one, other):
        told, data = mltrust.many([("diff", one, other), ("diff", one, other, "--format", "json")])
        assert told.code == data.code
        found = data.json()
        assert told.code == (1 if found["changes"] else 0)
        for change in found["changes"]:
            assert change["kind"] in told.out
            assert change["name"] in told.out
        return found, told.out

    return compare


def parts(found, name):
    (change,) = (change for change in found["changes"] if change["name"] == name)
    return {part["name"]: part for part in change["parts"]}


def test_nothing_differs(differ, model, after):
    found, told = differ(model, after)
    assert told.startswith("SAME")
    assert (found["changes"], found["same_content"], found["measured"], found["bytes_changed"]) == ([], True, True, 0)


def test_seal_and_artifact_in_all_four_combinations(mltrust, differ, model, after):
    (after / "config.json").write_text("{}")
    assert mltrust("seal", after).code == 0
    seals = model / "mltrust.seal.json", after / "mltrust.seal.json"
    for one in (model, seals[0]):
        for other in (after, seals[1]):
            found, _ = differ(one, other)
            assert [(change["name"], change["kind"]) for change in found["changes"]] == [("config.json", "truncated")]
            assert found["measured"] is (one == model and other == after)
    assert differ(model, seals[0])[0]["changes"] == []
    assert differ(seals[1], after)[0]["changes"] == []


def test_bytes_are_counted_exactly(differ, model, after, weights, tensors):
    kind, shape, data = tensors["layer.0.weight"]
    edited = bytes(byte ^ 255 if at in (0, 7, 63) else byte for at, byte in enumerate(data))
    path = after / "model.safetensors"
    path.write_bytes(weights({**tensors, "layer.0.weight": (kind, shape, edited)}, {"format": "pt"}))
    (after / "config.json").write_bytes((model / "config.json").read_bytes() + b"four")
    found, told = differ(model, after)
    assert parts(found, "model.safetensors")["layer.0.weight"]["bytes_changed"] == 3
    assert found["bytes_changed"] == 7
    assert found["same_content"] is False
    assert "3 of 64 bytes" in told
    assert "4 of" in told


def test_dtype_and_shape(differ, model, after, weights, tensors):
    changed = {**tensors, "layer.0.weight": ("F32", (2, 8), tensors["layer.0.weight"][2])}
    changed["head.weight"] = ("BF16", (4, 8), tensors["head.weight"][2])
    (after / "model.safetensors").write_bytes(weights(changed, {"format": "pt"}))
    found, told = differ(model, after)
    kinds = {name: part["kind"] for name, part in parts(found, "model.safetensors").items() if name}
    assert kinds == {"layer.0.weight": "shape-changed", "head.weight": "dtype-changed"}
    assert "F32 [4, 4] -> F32 [2, 8]" in told
    assert "F16 [4, 8] -> BF16 [4, 8]" in told


def test_tensors_renamed_swapped_added_and_removed(differ, model, after, weights, tensors):
    changed = dict(tensors)
    changed["layer.0.bias"], changed["layer.1.bias"] = changed["layer.1.bias"], changed["layer.0.bias"]
    changed["out.weight"] = changed.pop("head.weight")
    changed["extra"] = ("U8", (3,), b"abc")
    del changed["layer.0.weight"]
    (after / "model.safetensors").write_bytes(weights(changed, {"format": "pt"}))
    found, told = differ(model, after)
    kinds = {name: part["kind"] for name, part in parts(found, "model.safetensors").items() if name}
    assert kinds == {
        "extra": "added",
        "layer.0.bias": "swapped",
        "layer.0.weight": "removed",
        "out.weight": "renamed",
    }
    assert "was head.weight" in told
    assert "with layer.1.bias" in told


def test_saved_again_by_the_library_and_sharded_is_the_same_content(mltrust, differ, bare, tmp_path):
    numpy = pytest.importorskip("numpy")
    library = pytest.importorskip("safetensors.numpy")
    loaded = {
        name: numpy.ascontiguousarray(array) for name, array in library.load_file(bare / "model.safetensors").items()
    }
    other = tmp_path / "other"
    other.mkdir()
    names = sorted(loaded, reverse=True)
    shards = {"model-00001-of-00002.safetensors": names[:2], "model-00002-of-00002.safetensors": names[2:]}
    for shard, held in shards.items():
        library.save_file({name: loaded[name] for name in held}, other / shard, metadata={"format": "pt"})
    index = {
        "metadata": {"total_size": sum(array.nbytes for array in loaded.values())},
        "weight_map": {name: shard for shard, held in shards.items() for name in held},
    }
    (other / "model.safetensors.index.json").write_text(json.dumps(index))
    alone = tmp_path / "alone"
    alone.mkdir()
    shutil.copy(bare / "model.safetensors", alone)
    found, told = differ(alone, other)
    assert found["same_content"] is True
    assert found["changes"]
    assert "same weights, other files" in told
    first, second = (mltrust("seal", folder, "--format", "json").json() for folder in (alone, other))
    assert first["content_root"] == second["content_root"]
    assert first["root"] != second["root"]
    library.save_file(loaded, alone / "model.safetensors", metadata={"format": "np"})
    assert differ(alone, other)[0]["same_content"] is False


def test_metadata_in_another_order_is_the_same_content(differ, tmp_path, weights, tensors):
    for name, metadata in {"one": {"a": "1", "b": "2"}, "two": {"b": "2", "a": "1"}}.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "m.safetensors").write_bytes(weights(tensors, metadata))
    found, _ = differ(tmp_path / "one", tmp_path / "two")
    assert found["same_content"] is True
    assert [change["kind"] for change in found["changes"]] == ["header-only"]


def test_without_tensors_there_is_no_content_to_compare(differ, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
    found, _ = differ(tmp_path / "one", tmp_path / "two")
    assert found["same_content"] is None


def test_seals_of_two_suites(mltrust, model, after):
    assert mltrust("seal", after, "--suite", "sha256").code == 0
    seals = model / "mltrust.seal.json", after / "mltrust.seal.json"
    done = mltrust("diff", *seals)
    assert done.code == 2
    assert "different suites" in done.err
    assert mltrust("diff", model, seals[1]).code == 0


def test_what_cannot_be_read(mltrust, model, after):
    assert mltrust("diff", model, "nowhere").code == 3
    assert mltrust("diff", "nowhere", model / "mltrust.seal.json").code == 3


def test_a_file_that_is_cut_is_a_difference(differ, model, after):
    weights = after / "model.safetensors"
    weights.write_bytes(weights.read_bytes()[:-1])
    found, told = differ(model, after)
    assert [change["kind"] for change in found["changes"]] == ["truncated"]
    assert found["bytes_changed"] == 1
    assert "truncated: the tensors need" in told
    assert differ(model / "mltrust.seal.json", after)[0]["changes"]
