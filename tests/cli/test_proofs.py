"""`mltrust prove` and `mltrust check`: one file or one tensor, offline."""

import json

import pytest

pytestmark = pytest.mark.usefixtures("unmeasured")

TENSOR = "layer.0.weight"


@pytest.fixture
def proofs(mltrust, model):
    """Return proofs of a tensor and of a file."""
    made = {"tensor": ("model.safetensors", "--tensor", TENSOR), "file": ("config.json",)}
    commands = [("prove", model, "--file", *asked, "-o", f"{name}.json") for name, asked in made.items()]
    for name, done in zip(made, mltrust.many(commands), strict=True):
        assert done.code == 0
        assert f"proof written to {name}.json" in done.err
        assert done.out == ""
    return {name: mltrust.cwd / f"{name}.json" for name in made}


def outcomes(done):
    return {check["kind"]: check["outcome"] for check in done.json()["checks"]}


def test_a_tensor_is_proven_by_its_bytes_and_by_its_file(mltrust, model, proofs, tensors):
    (mltrust.cwd / "dump").write_bytes(tensors[TENSOR][2])
    for content in ("dump", model / "model.safetensors"):
        done = mltrust("check", proofs["tensor"], "--content", content)
        assert done.code == 0
        assert f"tensor {TENSOR} of model.safetensors is part of the sealed artifact" in done.out
        assert "the given bytes are the proven ones: 64 bytes" in done.out
    data = mltrust("check", proofs["tensor"], "--content", "dump", "--format", "json")
    assert outcomes(data) == {"seal": "pass", "proof": "pass", "content": "pass", "anchor": "pass"}


def test_a_file_is_proven_under_any_name(mltrust, model, proofs):
    (model / "config.json").rename(mltrust.cwd / "other")
    assert mltrust("check", proofs["file"], "--content", "other").code == 0


def test_a_whole_safetensors_file(mltrust, model):
    assert mltrust("prove", model, "--file", "model.safetensors", "-o", "p.json").code == 0
    assert mltrust("check", "p.json", "--content", model / "model.safetensors").code == 0
    assert mltrust("check", "p.json", "--content", model / "config.json").code == 1


def test_wrong_bytes(mltrust, model, proofs, weights, tensors):
    (mltrust.cwd / "dump").write_bytes(b"x" * 64)
    kind, shape, data = tensors[TENSOR]
    (mltrust.cwd / "w.safetensors").write_bytes(
        weights({**tensors, TENSOR: (kind, shape, b"x" * 64)}, {"format": "pt"})
    )
    (mltrust.cwd / "r.safetensors").write_bytes(weights({"renamed": (kind, shape, data)}))
    for content in ("dump", "w.safetensors", "r.safetensors"):
        done = mltrust("check", proofs["tensor"], "--content", content)
        assert done.code == 1
        assert "not the proven ones" in done.out
    assert mltrust("check", proofs["file"], "--content", model / "tokenizer.json").code == 1


def test_without_content_the_proof_alone_is_checked(mltrust, proofs):
    done = mltrust("check", proofs["tensor"], "--format", "json")
    assert done.code == 0
    assert outcomes(done) == {"seal": "pass", "proof": "pass", "anchor": "pass"}


def test_offline_with_a_key_or_a_fingerprint(mltrust, model, proofs, key):
    stranger = mltrust.at(mltrust.cwd / "stranger")
    value = stranger("fingerprint", model).out.strip()
    assert stranger("check", proofs["tensor"]).code == 3
    assert stranger("check", proofs["tensor"], "--key", key).code == 0
    assert stranger("check", proofs["tensor"], "--fingerprint", value).code == 0
    assert stranger("check", proofs["tensor"], "--fingerprint", "0" * 64).code == 1
    assert not stranger.home.exists()


def other(value):
    if isinstance(value, str):
        if not value:
            return "x"
        if value[:1].isdigit() or value[-1:] in "abcdef0123456789":
            return value[:-1] + ("0" if value[-1] != "0" else "1")
        return value + "x"
    return 1 if value is None else value + 1


@pytest.mark.parametrize("which", ["tensor", "file"])
def test_every_edited_value_is_refused(mltrust, proofs, key, which, edits):
    document = json.loads(proofs[which].read_text())
    places, commands = [], []
    for number, (place, copy) in enumerate(edits(document, lambda value: [other(value)])):
        places.append(place)
        path = mltrust.cwd / f"edited-{number}.json"
        path.write_text(json.dumps(copy))
        commands.append(("check", path, "--key", key))
    results = mltrust.many(commands)
    accepted = [places[number] for number, done in enumerate(results) if done.code not in (1, 3)]
    assert accepted == []
    assert len(results) > 30
    (proofs["file"].parent / "same.json").write_text(json.dumps(document))
    assert mltrust("check", "same.json", "--key", key).code == 0


def test_levels_cannot_be_left_out_or_doubled(mltrust, proofs, key):
    document = json.loads(proofs["tensor"].read_text())
    first, second = document["levels"]
    for levels, code in (([second], 1), ([second, first], 1), ([first, first], 1), ([], 3), ([first] * 3, 3)):
        (mltrust.cwd / "p.json").write_text(json.dumps({**document, "levels": levels}))
        assert mltrust("check", "p.json", "--key", key).code == code
    (mltrust.cwd / "p.json").write_text(json.dumps({**document, "levels": [first]}))
    assert mltrust("check", "p.json", "--key", key).code == 0  # a proof of the file, then


def test_what_is_not_in_the_seal(mltrust, model):
    for more in (
        ("--file", "nothing"),
        ("--file", "model.safetensors", "--tensor", "no"),
        ("--file", "config.json", "--tensor", "no"),
    ):
        done = mltrust("prove", model, *more)
        assert done.code == 2
        assert "hint: mltrust show SEAL" in done.err
    assert mltrust("prove", model).code == 2


def test_a_proof_goes_to_stdout(mltrust, model, proofs):
    done = mltrust("prove", model / "mltrust.seal.json", "--file", "config.json")
    assert done.code == 0
    assert done.json() == json.loads(proofs["file"].read_text())
    assert done.err == ""


def test_what_is_no_proof(mltrust, model):
    for path in ("nothing", model, model / "config.json", model / "mltrust.seal.json"):
        assert mltrust("check", path).code == 3
