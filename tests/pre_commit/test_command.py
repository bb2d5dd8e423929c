"""`mltrust verify --staged` and `mltrust verify` without an artifact, as the installed command."""

import json

import pytest

pytestmark = pytest.mark.usefixtures("unmeasured")


def test_pointers_are_compared_and_what_differs_is_named(repository):
    done = repository.mltrust("verify", "model", "--staged", "--content-only", "--format", "json")
    assert done.code == 0, done.said
    report = json.loads(done.said)
    assert report["verdict"] == "verified"
    assert (report["scope"]["pointers"], report["scope"]["bytes_not_here"]) == (2, 600_000)
    assert "staged" in [notice["code"] for notice in report["notices"]]
    repository.stage("model/config.json", b"changed, and longer than it was before")
    done = repository.mltrust("verify", "--staged", "--content-only")
    assert done.code == 1
    assert "changed       config.json" in done.said
    assert "hint: If the change is meant" in done.said
    assert "mltrust seal model && git add model/mltrust.seal.json" in done.said


def test_who_vouches_is_asked_as_ever(repository):
    assert repository.mltrust("verify", "--staged").code == 3  # nobody is known here
    assert repository.mltrust("key", "generate", "--output", "release.key", "--no-password").code == 0
    key = ("--key", "release.key.pub")
    assert repository.mltrust("verify", "--staged", *key).code == 1
    assert repository.mltrust("sign", "model", "--key", "release.key").code == 0
    assert repository.mltrust("verify", "--staged", *key).code == 1  # the signed seal is not staged
    repository.git("add", "model/mltrust.seal.json")
    done = repository.mltrust("verify", "--staged", *key)
    assert done.code == 0, done.said


def test_several_seals_and_the_worst_of_them(repository):
    repository.write("single", b"one file")
    repository.write("third/x", b"x")
    for each in ("single", "third"):
        repository.seal(each)
    repository.git("add", "single", "single.seal.json", "third")
    staged = ("verify", "--staged", "--content-only")
    done = repository.mltrust(*staged)
    assert done.code == 0, done.said
    assert done.said.count("VERIFIED") == 3
    assert repository.mltrust("verify", "--content-only").said.count("VERIFIED") == 3
    repository.git("rm", "--quiet", "--cached", "single")
    done = repository.mltrust(*staged)
    assert (done.code, done.said.count("VERIFIED")) == (3, 2)
    assert "single: nothing of it is staged" in done.said
    repository.stage("third/x", b"y")
    done = repository.mltrust(*staged)
    assert (done.code, done.said.count("VERIFIED"), done.said.count("FAILED")) == (1, 1, 1)
    done = repository.mltrust(*staged, "--format", "json")
    assert done.code == 2
    assert "3 seals are staged here, and a report is of one" in done.said


@pytest.mark.parametrize(
    "options",
    [
        ("model", "--staged", "--quick"),
        ("model", "--staged", "--oms", "x.sig"),
        ("--seal", "model/mltrust.seal.json"),
        ("--staged", "--salts", "salts"),
        ("model", "--staged", "--engine", "dask://127.0.0.1:1"),
    ],
)
def test_options_that_make_no_sense_here(repository, options):
    done = repository.mltrust("verify", "--content-only", *options)
    assert done.code == 2, done.said
    assert "hint:" in done.said


def test_nothing_sealed_is_no_yes(make_repository):
    repository = make_repository()
    repository.write("a", b"a")
    repository.git("add", "a")
    for staged in ((), ("--staged",)):
        done = repository.mltrust("verify", "--content-only", *staged)
        assert done.code == 3
        assert "no seal is staged in" in done.said
