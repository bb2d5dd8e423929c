"""What stands between the seal and the one who loads, and what must never be returned."""

import json
import os
import random
import shutil
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

import mltrust
from mltrust.core.bundle import Bundle
from mltrust.core.digest import BLAKE3
from mltrust.core.manifest import Kind, Leaf, Manifest, safetensors_entry
from mltrust.interfaces import Silent
from mltrust.readers.safetensors import SafetensorsReader
from mltrust.sealfile import read_seal_file
from mltrust.statements.seal import read_seal, seal_statement

pytest.importorskip("numpy")

BYTES_ALONE = mltrust.Trust(content_only=True)
NOT_SEALED = "not what was sealed: "


def rewrite(path, change):
    """Change the bytes of a file in place: it stays the same file."""
    data = bytearray(path.read_bytes())
    change(data)
    with path.open("r+b") as opened:
        opened.write(data)
        opened.truncate()


def flipped(position, bit=0):
    def change(data):
        data[position % len(data)] ^= 1 << bit

    return change


@pytest.fixture
def one(sealed, safetensors_bytes, tmp_path):
    """A sealed file of two tensors of equal size, which is large enough to be read in several blocks."""
    size = 3 * 2**20
    header = {
        name: {"dtype": "I32", "shape": [size // 4], "data_offsets": [at * size, (at + 1) * size]}
        for at, name in enumerate("ab")
    }
    path = tmp_path / "one.safetensors"
    path.write_bytes(safetensors_bytes(header, random.Random(1).randbytes(2 * size)))
    return sealed(path)


def test_one_flipped_bit_raises_before_any_tensor_is_returned(one):
    rewrite(one.path, flipped(-1, 7))
    for framework in ("numpy", "torch"):
        if framework == "torch":
            pytest.importorskip("torch")
        with pytest.raises(mltrust.NotVerifiedError, match=NOT_SEALED + r"tensor b of one\.safetensors$"):
            mltrust.load_file(one.path, one.seal, one.trust, framework=framework)
    assert one.open().get_tensor("a").shape == (3 * 2**18,)  # of which every byte is the sealed one


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_flipped_bit_of_any_file_is_found_and_named(model, data):
    path = data.draw(st.sampled_from([path for path in model.open().paths if model.path.joinpath(path).stat().st_size]))
    file = model.path / path
    kept = file.read_bytes()
    try:
        rewrite(file, flipped(data.draw(st.integers(0, len(kept) - 1)), data.draw(st.integers(0, 7))))
        with pytest.raises(mltrust.NotVerifiedError, match=path):
            model.open().read(path)
        if path.endswith((".safetensors", ".index.json")):
            with pytest.raises(mltrust.NotVerifiedError, match=path):
                mltrust.load_file(model.path, model.seal, model.trust)
    finally:
        file.write_bytes(kept)


def test_what_was_returned_does_not_change_with_the_file(one):
    """The library's own tensors do: they are the file."""
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    plain = load_file(one.path)
    tensors = mltrust.load_file(one.path, one.seal, one.trust, framework="torch")
    arrays = mltrust.load_file(one.path, one.seal, one.trust)
    before = {name: tensor.clone() for name, tensor in plain.items()}
    rewrite(one.path, lambda data: data.__setitem__(slice(-(2**20), None), bytes(2**20)))
    assert not torch.equal(plain["b"], before["b"])
    for name in "ab":
        assert torch.equal(tensors[name], before[name])
        assert arrays[name].tobytes() == before[name].numpy().tobytes()


@pytest.mark.parametrize("swap", ["overlap", "names", "dtype", "hidden"])
def test_a_header_that_is_not_the_sealed_one(swap, one):
    def change(data):
        length = int.from_bytes(data[:8], "little")
        header = json.loads(data[8 : 8 + length])
        if swap == "overlap":
            header["b"]["data_offsets"] = header["a"]["data_offsets"]
        elif swap == "names":
            header["a"], header["b"] = header["b"], header["a"]
        elif swap == "dtype":
            header["a"]["dtype"] = "U32"
        text = json.dumps(header).encode().ljust(length)
        data[8 : 8 + length] = text if swap != "hidden" else data[8 : 8 + length].replace(b", ", b" ,", 1)

    size = one.path.stat().st_size
    rewrite(one.path, change)
    assert one.path.stat().st_size == size
    with pytest.raises(mltrust.NotVerifiedError, match=NOT_SEALED + r"the header of one\.safetensors$"):
        one.open().get_tensor("a")


@pytest.mark.parametrize(("size", "says"), [(-1, "has"), (1, "has"), (-(2**22), "has")])
def test_a_file_that_is_shorter_or_longer(size, says, one):
    sealed = one.path.stat().st_size
    os.truncate(one.path, sealed + size)
    with pytest.raises(mltrust.NotVerifiedError, match=rf"one\.safetensors {says} .* bytes, but .* bytes were sealed"):
        one.open().get_tensor("a")


def test_a_length_field_that_lies(one):
    rewrite(one.path, lambda data: data.__setitem__(slice(0, 8), (2**62).to_bytes(8, "little")))
    with pytest.raises(mltrust.NotVerifiedError, match="the header"):
        one.open().keys() and one.open().metadata()


def test_tensors_that_changed_places(one, model):
    """In one file, and files as a whole."""

    def change(data):
        half = 3 * 2**20
        data[-2 * half :] = data[-half:] + data[-2 * half : -half]

    rewrite(one.path, flipped(-1))
    rewrite(one.path, change)
    with pytest.raises(mltrust.NotVerifiedError, match=r"tensor a of .*tensor b of"):
        one.open().get_tensors()
    first, second = (model.path / f"model-{number}.safetensors" for number in (1, 2))
    kept = first.read_bytes()
    first.write_bytes(second.read_bytes())
    second.write_bytes(kept)
    with pytest.raises(mltrust.NotVerifiedError, match="model-1"):
        mltrust.load_file(model.path, trust=model.trust)


def test_an_index_that_lies(model, sealed, monkeypatch):
    index = model.path / "model.safetensors.index.json"
    text = index.read_text().replace('"head": "model-2', '"head": "model-1')
    index.write_text(text)
    with pytest.raises(mltrust.NotVerifiedError, match=r"model\.safetensors\.index\.json"):
        model.open().keys()
    monkeypatch.setattr(SafetensorsReader, "inspect", lambda *_: iter(()))  # whoever sealed it did not look
    careless = sealed(model.path)
    with pytest.raises(mltrust.UnreadableError, match="maps tensor 'head' to 'model-1"):
        careless.open().keys()


def test_what_is_not_in_the_seal_is_not_read(model, tmp_path):
    (model.path / "planted.py").write_text("raise SystemExit")
    (model.path / "planted.safetensors").write_bytes((model.path / "model-1.safetensors").read_bytes())
    opened = model.open()
    for path in (
        "planted.py",
        "../secret",
        "/etc/passwd",
        "model-1.safetensors/",
        "mltrust.seal.json",
        "a\0b",
        "\ud800",
    ):
        with pytest.raises(mltrust.NotVerifiedError, match="is not in the seal"):
            opened.read(path)
    with pytest.raises(mltrust.NotVerifiedError, match=r"planted\.safetensors is not in the seal"):
        mltrust.load_file(model.path / "planted.safetensors", trust=model.trust)
    with pytest.raises(mltrust.NotVerifiedError, match="is not in the seal"):
        opened.extract(tmp_path / "copy", ["../outside"])
    assert not (tmp_path / "outside").exists()


def test_a_seal_that_was_edited_or_is_another_one(model, one, tmp_path):
    kept = model.seal.read_text()
    digest = next(entry for entry in read_seal_file(model.seal).manifest.entries if entry.path == "config.json")
    model.seal.write_text(kept.replace(digest.leaf.digest.hex(), "0" * 64))
    with pytest.raises(mltrust.NotVerifiedError, match="the seal was edited"):
        model.open()
    with pytest.raises(mltrust.NotVerifiedError, match="the seal was edited"):
        mltrust.load_file(model.path, None, BYTES_ALONE)
    model.seal.write_text(kept)
    (model.path / "config.json").write_text("{}")
    mltrust.seal(model.path)  # by somebody else, who can write there
    with pytest.raises(mltrust.NotVerifiedError, match="failed"):
        model.open()
    with pytest.raises(mltrust.NotVerifiedError, match="is not in the seal"):
        mltrust.load_file(one.path, model.seal, BYTES_ALONE, artifact=one.path.parent)


def _with_entry(bundle, change):
    """Return a seal that agrees with itself, whose first file of tensors is described otherwise."""
    entries = [change(entry) if entry.children else entry for entry in bundle.manifest.entries]
    manifest, predicate = Manifest.of(entries), read_seal(bundle.statement)
    return Bundle(seal_statement("liar", manifest, BLAKE3, predicate.parameters), manifest)


def _renamed(entry):
    header, *tensors = entry.children
    names = [tensor.name for tensor in tensors]
    swapped = [tensor._replace(name=name) for tensor, name in zip(tensors, reversed(names), strict=True)]
    return safetensors_entry(entry.path, header, swapped, entry.metadata)


def _reshaped(entry):
    header, *tensors = entry.children
    return safetensors_entry(entry.path, header, [each._replace(shape=(*each.shape, 1)) for each in tensors])


def _merged(entry):
    header, first, *_ = entry.children
    size = entry.leaf.size - header.size
    return safetensors_entry(
        entry.path, header, [Leaf(Kind.TENSOR, "all", size, first.digest, dtype="U8", shape=(size,))]
    )


@pytest.mark.parametrize("lie", [_renamed, _reshaped, _merged])
def test_a_seal_that_says_otherwise_than_the_header_it_seals(lie, one):
    one.seal.write_bytes(b"".join(_with_entry(read_seal_file(one.seal), lie).blocks()))
    opened = mltrust.open_verified(one.path, one.seal, BYTES_ALONE)
    what = "not what was sealed" if lie is _renamed else "the seal lists other tensors than the sealed header does"
    with pytest.raises(mltrust.MltrustError, match=what):
        opened.get_tensors()


def test_a_file_that_is_replaced_after_its_header_was_read(one):
    opened = one.open()
    assert opened.metadata() == {}
    other = one.path.with_name("other")
    other.write_bytes(one.path.read_bytes())
    other.replace(one.path)
    with pytest.raises(mltrust.UnreadableError, match="changed while it was read"):
        opened.get_tensor("a")
    assert one.open().get_tensor("a") is not None  # they are the sealed bytes, after all


def test_a_file_that_changes_while_it_is_read(one):
    class Attacker(Silent):
        came = False

        def advance(self, size):
            if size >= 2**18 and not self.came:  # a block of a tensor: what was read already is changed
                self.came = True
                rewrite(one.path, flipped(-1))

    with pytest.raises(mltrust.MltrustError, match=r"changed while|not what was sealed"):
        one.open(means=replace(mltrust.default_means(), progress=Attacker())).get_tensors()


@pytest.mark.skipif(os.name == "nt", reason="needs symbolic links")
def test_links(model, tmp_path):
    outside, shard = tmp_path / "outside", model.path / "model-1.safetensors"
    opened = model.open(file=shard.name)
    opened.metadata()
    shutil.move(shard, outside)
    shard.symlink_to(outside)
    with pytest.raises(mltrust.UnreadableError, match=r"changed while it was read|leads out of the artifact"):
        opened.get_tensor("embed")
    with pytest.raises(mltrust.UnreadableError, match="a link that leads out of the artifact"):
        model.open(file=shard.name).get_tensor("embed")
    shard.unlink()
    outside.rename(model.path / "inside")
    shard.symlink_to("inside")
    assert model.open(file=shard.name).get_tensor("embed").shape == (2, 3)
    shard.unlink()
    for what, says in ((lambda: None, "does not exist"), (shard.mkdir, "not a regular file")):
        what()
        with pytest.raises(mltrust.UnreadableError, match=says):
            model.open(file=shard.name).get_tensor("embed")


def test_a_pointer_is_not_content(model):
    shard = model.path / "model-1.safetensors"
    pointer = f"version https://git-lfs.github.com/spec/v1\noid sha256:{'0' * 64}\nsize {shard.stat().st_size}\n"
    shard.write_text(pointer)
    with pytest.raises(mltrust.NotVerifiedError, match="only a Git LFS pointer"):
        model.open().get_tensor("embed")


def test_memory_is_not_taken_before_somebody_vouches(sealed, tmp_path, memory_below):
    """A file of holes costs nobody but its maker."""
    path = tmp_path / "holes.bin"
    path.write_bytes(b"small")
    done = sealed(path)
    os.truncate(path, 2**40)
    with memory_below(32 * 2**20), pytest.raises(mltrust.NotVerifiedError, match="5 bytes were sealed"):
        done.open().read("holes.bin")
