"""The Python face, from the installed package."""

import importlib

import pytest

import mltrust as package


@pytest.fixture
def ledger(tmp_path):
    home = package.Home(tmp_path / "data", tmp_path / "state")
    return package.open_anchor(f"ledger:{tmp_path / 'ledger'}", home)


def test_public_names():
    assert package.__all__ == sorted(package.__all__)
    assert len(set(package.__all__)) == len(package.__all__)
    assert set(package._HOME_OF) == set(package.__all__) == set(dir(package))
    for name in package.__all__:
        assert getattr(package, name) is getattr(importlib.import_module(package._HOME_OF[name]), name)
        assert getattr(package, name).__doc__
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        package.nothing  # noqa: B018
    with pytest.raises(ImportError):
        from mltrust import nothing  # noqa: F401


def test_star_import():
    found = {}
    exec("from mltrust import *", found)
    assert set(package.__all__) <= set(found)


def test_seal_verify_require(bare, ledger):
    done = package.seal(bare, anchors=[ledger], annotations={"license": "mit"})
    assert done.path == bare / "mltrust.seal.json"
    assert done.predicate.annotations == {"license": "mit"}
    trust = package.Trust(anchors=[ledger])
    report = package.verify(bare, trust=trust).require()
    assert report.verdict is package.Verdict.VERIFIED
    assert [check.kind for check in report.vouchers] == [package.CheckKind.ANCHOR]
    assert str(package.fingerprint(bare)) == report.fingerprint == done.predicate.fingerprint().hex()
    (bare / "config.json").write_text("{}")
    report = package.verify(str(bare), trust=trust)
    assert [(change.kind, change.name) for change in report.changes] == [(package.ChangeKind.TRUNCATED, "config.json")]
    with pytest.raises(package.NotVerifiedError, match="failed: 1 difference"):
        report.require()


def test_nothing_is_never_a_yes(bare, ledger):
    package.seal(bare, anchors=[ledger])
    report = package.verify(bare, trust=package.Trust())
    assert report.verdict is package.Verdict.INCONCLUSIVE
    with pytest.raises(package.NotVerifiedError, match="inconclusive"):
        report.require()
    assert package.verify(bare, trust=package.Trust(content_only=True)).verdict is package.Verdict.VERIFIED


def test_diff(bare, tmp_path):
    package.seal(bare, output=tmp_path / "seal.json")
    (bare / "config.json").unlink()
    found = package.diff(tmp_path / "seal.json", bare)
    assert isinstance(found, package.Difference)
    assert [(change.kind, change.name) for change in found.changes] == [(package.ChangeKind.REMOVED, "config.json")]
    assert found.same_content is True


def test_prove_and_check(bare, tmp_path, ledger):
    done = package.seal(bare, anchors=[ledger])
    proof = package.prove(done.path, file="model.safetensors", tensor="layer.0.weight")
    (tmp_path / "proof.json").write_bytes(proof.serialize())
    by_key = package.Trust(anchors=[package.anchor_by_key(ledger.verifier_key())])
    content = bare / "model.safetensors"
    assert package.check(tmp_path / "proof.json", trust=by_key, content=content).require().scope.tensors == 1
    with pytest.raises(package.UsageError, match="no file"):
        package.prove(done.path, file="nothing")


def test_anchor_later(bare, ledger):
    done = package.seal(bare)
    assert done.bundle.receipts == ()
    (bundle,) = package.anchor([done.path], ledger)
    assert package.read_seal_file(done.path) == bundle
    assert len(bundle.receipts) == 1
    before = done.path.read_bytes()
    package.anchor([done.path], ledger)
    assert done.path.read_bytes() == before


def test_errors_are_one_family(tmp_path):
    for error in (package.UsageError, package.UnreadableError, package.NotVerifiedError):
        assert issubclass(error, package.MltrustError)
    with pytest.raises(package.UnreadableError):
        package.verify(tmp_path / "nothing", trust=package.Trust())
    with pytest.raises(package.UsageError, match="names no anchor"):
        package.open_anchor("http://x", package.Home(tmp_path, tmp_path))
    with pytest.raises(package.UsageError, match="no key of a known kind"):
        package.anchor_by_key("x")
    with pytest.raises(package.UsageError):
        package.seal(tmp_path, suite="md5")


def test_the_library_stays_in_its_place(mltrust, bare):
    code = """
import sys
import mltrust
assert set(sys.modules) & {"typer", "rich", "mltrust.cli"} == set()
mltrust.seal("model")
mltrust.verify("model", trust=mltrust.Trust(content_only=True)).require()
assert "typer" not in sys.modules and "mltrust.cli" not in sys.modules
"""
    done = mltrust.python(code)
    assert (done.code, done.out, done.err) == (0, "", "")


def test_progress_counts_every_byte(bare):
    class Counter:
        size = done = files = 0

        def expect(self, files, size):
            self.files, self.size = files, size

        def reading(self, path):
            self.paths = {*getattr(self, "paths", ()), path}

        def advance(self, size):
            self.done += size

    counter = Counter()
    found = package.fingerprint(bare, means=package.default_means(1, counter))
    assert counter.done == counter.size == found.manifest.bytes
    assert counter.files == found.manifest.size
    assert counter.paths <= {entry.leaf.name for entry in found.manifest.entries}
    assert counter.paths
