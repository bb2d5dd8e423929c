"""Loading through the front door: what is returned, and at which cost."""

import sys
from dataclasses import replace

import pytest

import mltrust
from mltrust.interfaces import Silent

np = pytest.importorskip("numpy")

NUMPY = {"BOOL": 8, "I8": 8, "U16": 16, "I16": 16, "F16": 16, "U32": 32, "F32": 32, "C64": 64, "I64": 64, "U64": 64}
MORE = {"BF16": 16, "F8_E5M2": 8, "F8_E4M3": 8, "F8_E4M3FNUZ": 8, "F8_E5M2FNUZ": 8, "F8_E8M0": 8}
BYTES_ALONE = mltrust.Trust(content_only=True)


class Tally(Silent):
    """Counts the bytes that were read."""

    total = 0

    def advance(self, size):
        self.total += size


def raw(array):
    return array.dtype.name, array.shape, array.tobytes()


def test_arrays_are_those_that_the_library_loads(every_dtype, sealed, tmp_path):
    from safetensors.numpy import load_file

    path = tmp_path / "dtypes.safetensors"
    path.write_bytes(every_dtype(NUMPY))
    found = mltrust.load_file(path, trust=sealed(path).trust)
    theirs = load_file(path)
    assert {name: raw(array) for name, array in found.items()} == {name: raw(array) for name, array in theirs.items()}
    assert all(array.flags.aligned and array.flags.writeable for array in found.values())


def test_tensors_are_those_that_the_library_loads(every_dtype, sealed, tmp_path):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    def raw(tensor):
        return tensor.dtype, tensor.shape, bytes(tensor.reshape(-1).view(torch.uint8).tolist())

    path = tmp_path / "dtypes.safetensors"
    path.write_bytes(every_dtype(NUMPY | MORE))
    found = mltrust.load_file(path, trust=sealed(path).trust, framework="torch")
    assert {name: raw(tensor) for name, tensor in found.items()} == {
        name: raw(tensor) for name, tensor in load_file(path).items()
    }


def test_dtypes_that_numpy_lacks(every_dtype, sealed, tmp_path, monkeypatch):
    pytest.importorskip("ml_dtypes")
    path = tmp_path / "dtypes.safetensors"
    path.write_bytes(every_dtype(MORE | {"F4": 4}))
    done = sealed(path)
    with done.open() as opened:
        with pytest.raises(mltrust.UsageError, match="NumPy has no dtype 'F4'"):
            opened.get_tensors()
        found = opened.get_tensors(f"t.{dtype}" for dtype in MORE)
        assert found["t.BF16"].dtype.name == "bfloat16"
        assert found["t.F8_E4M3"].dtype.name == "float8_e4m3fn"
        monkeypatch.setitem(sys.modules, "ml_dtypes", None)
        with pytest.raises(mltrust.UsageError, match="ml_dtypes is not installed") as raised:
            opened.get_tensor("t.BF16")
        assert raised.value.hint == "Install mltrust[numpy]."
        assert opened.get_tensor("scalar").shape == ()


@pytest.mark.parametrize(
    ("options", "what"),
    [
        ({"framework": "numpi"}, "unknown framework 'numpi'"),
        ({"device": "cuda"}, "NumPy has no device 'cuda'"),
        ({"framework": "torch", "device": "gpu"}, "torch knows no device 'gpu'"),
        ({"framework": "torch", "device": "vulkan"}, "torch knows no device 'vulkan'"),  # known, and not here
    ],
)
def test_what_makes_no_sense(options, what, model):
    if options.get("framework") == "torch":
        pytest.importorskip("torch")
    with pytest.raises(mltrust.UsageError, match=what):
        model.open(**options).get_tensors()


@pytest.mark.parametrize("shape", [[1] * 65, [0, 2**52, 2**52]])
def test_a_shape_that_the_framework_cannot_make(shape, sealed, safetensors_bytes, tmp_path):
    """No limit of a format: the bytes can be had all the same."""
    path, size = tmp_path / "odd.safetensors", 0 if 0 in shape else 4
    path.write_bytes(safetensors_bytes({"a": {"dtype": "F32", "shape": shape, "data_offsets": [0, size]}}, size))
    with sealed(path).open() as opened:
        with pytest.raises(mltrust.UsageError, match="NumPy cannot make an array of F32 in this shape"):
            opened.get_tensor("a")
        assert opened.read(path.name) == path.read_bytes()


def test_tensors_of_all_shards_and_of_one(model):
    with model.open() as opened:
        assert opened.keys() == ["embed", "head", "layer.0", "layer.1"]
        assert opened.metadata() == {"format": "pt"}
        assert opened.get_tensor("layer.1").tobytes() == (b"layer.1" * 24)[:24]
        with pytest.raises(mltrust.UsageError, match=r"there is no tensor layer\.2"):
            opened.get_tensor("layer.2")
    assert set(mltrust.load_file(model.path / "model-2.safetensors", trust=model.trust)) == {"head", "layer.1"}
    index = model.path / "model.safetensors.index.json"
    assert set(mltrust.load_file(index, trust=model.trust)) == set(mltrust.load_file(model.path, trust=model.trust))
    with model.open(file="model-1.safetensors") as opened:
        assert opened.metadata() == {"format": "pt", "shard": "embed"}
    with pytest.raises(mltrust.UsageError, match=r"config\.json was not sealed as a file of tensors"):
        model.open(file="config.json").keys()


def test_whole_files_and_a_private_copy(model, tmp_path):
    opened = model.open()
    assert {path: opened.read(path) for path in opened.paths} == {
        path: (model.path / path).read_bytes() for path in opened.paths
    }
    copy = tmp_path / "copy"
    assert sorted(path.relative_to(copy).as_posix() for path in opened.extract(copy)) == list(opened.paths)
    assert mltrust.verify(copy, trust=model.trust, seal=model.seal).verdict is mltrust.Verdict.VERIFIED
    if sys.platform != "win32":
        assert copy.stat().st_mode & 0o777 == 0o700
    with pytest.raises(mltrust.MltrustError, match="cannot be written: it is there already"):
        opened.extract(copy)
    (model.path / "tokenizer" / "vocab.txt").write_bytes(b"B\na\n")
    before = sorted(tmp_path.iterdir())
    with pytest.raises(mltrust.NotVerifiedError, match=r"tokenizer/vocab\.txt"):
        opened.extract(tmp_path / "more")
    assert sorted(tmp_path.iterdir()) == before


def test_which_tensors_are_meant_is_never_guessed(model, sealed):
    (model.path / "model.safetensors.index.json").unlink()
    with pytest.raises(mltrust.UsageError, match="several files of tensors: model-1"):
        sealed(model.path).open().keys()
    for path in model.path.glob("*.safetensors"):
        path.unlink()
    with pytest.raises(mltrust.UsageError, match="holds no file of tensors"):
        sealed(model.path).open().keys()


def test_only_what_is_wanted_is_read(model):
    tally = Tally()
    opened = model.open(means=replace(mltrust.default_means(), progress=tally))
    opened.keys()
    index = (model.path / "model.safetensors.index.json").stat().st_size
    assert tally.total == index
    opened.get_tensor("embed")
    header = (model.path / "model-1.safetensors").stat().st_size - 48
    assert tally.total == index + header + 24
    opened.get_tensors(["layer.0", "layer.0"])
    assert tally.total == index + header + 48


def test_a_large_tensor_among_small_ones(safetensors_bytes, sealed, tmp_path):
    """One is read ahead while all threads hash it, and the others share memory."""
    size = 20 * 2**20
    sizes = [3, size, 2**20, 2**20 - 1, *range(200)]
    header, at = {}, 0
    for number, each in enumerate(sizes):
        header[f"{number:03}"] = {"dtype": "U8", "shape": [each], "data_offsets": [at, at := at + each]}
    content = np.random.default_rng(1).bytes(at)
    path = tmp_path / "large.safetensors"
    path.write_bytes(safetensors_bytes(header, content))
    done = sealed(path)
    found = mltrust.load_file(path, done.seal, done.trust)
    assert b"".join(found[f"{number:03}"].tobytes() for number in range(len(sizes))) == content
    large = found["001"]
    found.clear()
    large[:] = 1  # it is the caller's own
    assert mltrust.load_file(path, done.seal, done.trust)["001"].tobytes() == content[3 : size + 3]


def test_the_seal_is_found_and_what_it_sealed(model, tmp_path):
    shard = model.path / "model-1.safetensors"
    elsewhere = tmp_path / "elsewhere.seal.json"
    model.seal.rename(elsewhere)
    with pytest.raises(mltrust.UnreadableError, match="no seal beside"):
        mltrust.load_file(shard, trust=model.trust)
    with pytest.raises(mltrust.UsageError, match="is the seal of a folder"):
        mltrust.load_file(shard, elsewhere, model.trust)
    assert len(mltrust.load_file(shard, elsewhere, model.trust, artifact=model.path)) == 2
    with pytest.raises(mltrust.UsageError, match="does not lie in"):
        mltrust.load_file(tmp_path / "x", elsewhere, model.trust, artifact=model.path)
    alone = tmp_path / "alone.safetensors"
    alone.write_bytes(shard.read_bytes())
    done = mltrust.seal(alone, output=tmp_path / "kept.seal.json")
    assert len(mltrust.load_file(alone, done.path, BYTES_ALONE)) == 2


def test_a_file_without_tensors_and_names_that_hide(safetensors_bytes, sealed, tmp_path):
    path = tmp_path / "empty.safetensors"
    path.write_bytes(safetensors_bytes({}))
    assert mltrust.load_file(path, trust=sealed(path).trust) == {}
    hiding = {
        name: {"dtype": "U8", "shape": [1], "data_offsets": [at, at + 1]} for at, name in enumerate(["", "\u202e\x1b"])
    }
    path.write_bytes(safetensors_bytes(hiding, 2))
    done = sealed(path)
    opened = done.open()
    assert len(opened.get_tensors()) == opened.report.scope.tensors == 2
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(mltrust.NotVerifiedError, match=r"not what was sealed: tensor \\u202e\\x1b of empty"):
        done.open().get_tensors()


def test_nobody_trusted_is_never_a_yes(model):
    with pytest.raises(mltrust.NotVerifiedError, match="inconclusive: nobody you trust"):
        mltrust.load_file(model.path)
    with pytest.raises(mltrust.NotVerifiedError, match="the fingerprint is"):
        mltrust.open_verified(model.path, trust=mltrust.Trust(fingerprint="0" * 64))
    assert mltrust.load_file(model.path, None, BYTES_ALONE)
    fingerprint = mltrust.Trust(fingerprint=str(mltrust.fingerprint(model.path)))
    assert mltrust.load_file(model.path, None, fingerprint)


def test_the_report_says_what_was_handed_over(model):
    opened = model.open()
    assert opened.report.verdict is mltrust.Verdict.INCONCLUSIVE
    opened.get_tensor("head")
    opened.read("config.json")
    report = opened.report.require()
    assert [check.kind for check in report.vouchers] == [mltrust.CheckKind.ANCHOR]
    assert (report.scope.files, report.scope.tensors) == (3, 1)  # of the index, a shard and the configuration


def test_other_suites_records_and_blinded_ones(sealed, tmp_path):
    data = tmp_path / "data"
    data.mkdir()
    (data / "rows.jsonl").write_text('{"id": 1}\n')
    assert sealed(data, suite="sha256").open().read("rows.jsonl") == b'{"id": 1}\n'
    with pytest.raises(mltrust.UsageError, match="sealed blinded"):
        sealed(data, blind=True).open().read("rows.jsonl")


def test_what_reads_on_other_machines_does_not_load(model):
    pytest.importorskip("distributed")
    with pytest.raises(mltrust.UsageError, match="the engine dask does not load"):
        model.open(means=mltrust.default_means(engine="dask://127.0.0.1:1"))
