"""Whom `verify` believes: nobody but those the user names, or the user's own ledger."""

import pytest


@pytest.fixture
def stranger(mltrust):
    """Return the command as somebody else runs it, who has seen nothing yet."""
    return mltrust.at(mltrust.cwd / "stranger")


def checks(done):
    return {check["kind"]: (check["outcome"], check["state"]) for check in done.json()["checks"]}


def test_a_stranger_cannot_decide(stranger, model):
    told, data = stranger("verify", model), stranger("verify", model, "--format", "json")
    assert told.code == data.code == 3
    assert told.out.startswith("INCONCLUSIVE")
    assert "hint: Trust an anchor (--anchor)" in told.out
    assert data.json()["verdict"] == "inconclusive"
    assert checks(data)["anchor"] == ("unchecked", None)


def test_a_stranger_sees_tampering_all_the_same(stranger, model):
    (model / "config.json").write_text("{}")
    assert stranger("verify", model).code == 1


def test_content_only(stranger, model):
    told, data = (
        stranger("verify", model, "--content-only"),
        stranger("verify", model, "--content-only", "--format", "json"),
    )
    assert told.code == data.code == 0
    assert "not checked  who vouches for the seal (--content-only)" in told.out
    assert data.json()["content_only"] is True
    assert not stranger.home.exists()


@pytest.mark.parametrize("more", [("--anchor", "ledger:x"), ("--fingerprint", "0" * 64)])
def test_content_only_goes_with_nobody(mltrust, model, more):
    assert mltrust("verify", model, "--content-only", *more).code == 2


def test_a_fingerprint_known_from_elsewhere(stranger, model):
    value = stranger("fingerprint", model).out.strip()
    right = stranger("verify", model, "--fingerprint", value)
    assert right.code == 0
    assert "the fingerprint is the one you gave" in right.out
    wrong = stranger("verify", model, "--fingerprint", "0" * 64)
    assert wrong.code == 1
    assert value in wrong.out
    assert "not the one you gave" in wrong.out


@pytest.mark.parametrize("value", ["", "xyz", "0" * 63, "0" * 65, "A" * 64, "mltrust-1:"])
def test_a_malformed_fingerprint(stranger, model, value):
    done = stranger("verify", model, "--fingerprint", value)
    assert done.code == 2
    assert "64 lower-case hexadecimal digits" in done.err


def test_a_key_offline(stranger, model, key):
    for given in (key, "ledger.pub"):
        (model.parent / "ledger.pub").write_text(key + "\n")
        done, data = (
            stranger("verify", model, "--key", given),
            stranger("verify", model, "--key", given, "--format", "json"),
        )
        assert done.code == data.code == 0
        assert "a ledger that was not asked itself" in done.out
        assert checks(data)["anchor"] == ("pass", "verified")
    assert not stranger.home.exists()


def test_another_key(mltrust, stranger, model):
    other = model.parent / "other"
    other.write_bytes(b"x")
    assert stranger("seal", other).code == 0
    theirs = stranger("ledger", "checkpoint", "--key").out.strip()
    done = mltrust("verify", model, "--key", theirs, "--format", "json")
    assert done.code == 1
    assert checks(done)["anchor"] == ("fail", "unknown-key")


@pytest.mark.parametrize(
    ("given", "code"), [("garbage", 2), ("/", 2), ("a+b+c", 2), ("name+00000000+AAAA", 2), ("/etc/hostname", 2)]
)
def test_a_key_that_is_none(stranger, model, given, code):
    assert stranger("verify", model, "--key", given).code == code


def test_a_named_ledger(mltrust, stranger, model):
    own = f"ledger:{mltrust.home / 'data/ledger'}"
    done = stranger("verify", model, "--anchor", own, "--format", "json")
    assert done.code == 0
    assert checks(done)["anchor"] == ("pass", "verified")


def test_an_anchor_that_lacks_it(stranger, model):
    other = model.parent / "other"
    other.write_bytes(b"x")
    assert stranger("seal", other, "--anchor", "ledger:theirs").code == 0
    told, data = (stranger("verify", model, "--anchor", "ledger:theirs", *more) for more in ((), ("--format", "json")))
    assert told.code == data.code == 1
    assert checks(data)["anchor"][0] == "fail"
    assert "another ledger" in told.out


def test_a_ledger_that_is_not_there(stranger, model):
    done = stranger("verify", model, "--anchor", "ledger:nowhere")
    assert done.code == 3
    assert "[unavailable]" in done.out


@pytest.mark.parametrize("uri", ["foo:bar", "ledger", "ledger:", "", "http://x/", "gone"])
def test_what_names_no_anchor(stranger, model, uri):
    for command in ("verify", "seal"):
        done = stranger(command, model, "--anchor", uri)
        assert done.code == 2
        assert "names no anchor" in done.err
        assert "ledger:" in done.err


def test_several_anchors_must_all_know_it(mltrust, model):
    (model.parent / "other").write_bytes(b"x")
    assert mltrust("seal", "other", "--anchor", "ledger:theirs").code == 0
    own = f"ledger:{mltrust.home / 'data/ledger'}"
    assert mltrust("verify", model, "--anchor", own, "--anchor", "ledger:theirs").code == 1


def test_publishing_in_two_places_and_in_none(mltrust, bare):
    assert mltrust("seal", bare, "--anchor", "ledger:one", "--anchor", "ledger:two").code == 0
    for place in ("one", "two"):
        assert mltrust("verify", bare, "--anchor", f"ledger:{place}").code == 0
    (bare / "mltrust.seal.json").unlink()
    done = mltrust("seal", bare, "--no-anchor", "--name", "other")
    assert done.code == 0
    assert "not anchored: nobody vouches for it yet" in done.out
    assert mltrust("verify", bare).code == 3
    assert mltrust("seal", bare, "--no-anchor", "--anchor", "ledger:one").code == 2


def test_an_anchor_that_refuses_leaves_no_seal(mltrust, bare):
    (mltrust.cwd / "file").write_text("")
    done = mltrust("seal", bare, "--anchor", "ledger:file")
    assert done.code == 3
    assert not (bare / "mltrust.seal.json").exists()


def test_short_names(mltrust, bare):
    (mltrust.home / "config.toml").write_text(f'[anchors]\nrelease = "ledger:{mltrust.cwd}/release"\n')
    assert mltrust("seal", bare, "--anchor", "release").code == 0
    assert mltrust("verify", bare, "--anchor", "release").code == 0
    assert mltrust("ledger", "check", "--ledger", "release").code == 0
    assert (mltrust.cwd / "release/checkpoint").is_file()


@pytest.mark.parametrize("text", ['anchor = "x"\n', "[anchors]\nx = 1\n", "anchors = 1\n", "nonsense", b"\xff"])
def test_a_configuration_that_makes_no_sense(mltrust, model, text):
    (mltrust.home / "config.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    for named in ((), ("--anchor", "x")):
        done = mltrust("verify", model, *named)
        assert done.code == 2
        assert "config.toml" in done.err


def test_a_configured_trust_that_names_nobody(mltrust, model):
    (mltrust.home / "config.toml").write_text("[trust]\n")
    done = mltrust("verify", model)
    assert done.code == 2
    assert "config.toml: [trust] names nobody" in done.err
    own = f"ledger:{mltrust.home / 'data/ledger'}"
    assert mltrust("verify", model, "--anchor", own).code == 0, "who is named on the command line is asked instead"


def test_a_configuration_inside_the_artifact_has_no_effect(mltrust, bare):
    for name in ("config.toml", "mltrust.toml", ".mltrust.toml", "pyproject.toml"):
        (bare / name).write_text("[anchors]\nrelease = 'ledger:planted'\n[nonsense]\n")
    assert mltrust("seal", bare).code == 0
    for command in (mltrust, type(mltrust)(mltrust.home, bare)):
        assert command("verify", bare).code == 0
        assert command("verify", bare, "--anchor", "release").code == 2


def test_a_seal_does_not_say_whom_to_trust(stranger, model, seal_file):
    """Receipts name no address, and one of an unknown kind is nobody's affair."""
    import json

    seal = json.loads(seal_file.read_text())
    seal["receipts"].append({**seal["receipts"][0], "kind": "elsewhere", "evidence": {"url": "http://127.0.0.1:9/"}})
    seal_file.write_text(json.dumps(seal))
    assert stranger("verify", model).code == 3
    assert stranger("anchors", model).code == 3


def test_anchors_says_who_vouches(mltrust, stranger, model, key):
    told, data = mltrust("anchors", model), mltrust("anchors", model, "--format", "json")
    assert told.code == data.code == 0
    assert "receipt      ledger, not after" in told.out
    assert [check["outcome"] for check in data.json()["checks"]] == ["pass"]
    assert stranger("anchors", model / "mltrust.seal.json", "--key", key).code == 0
    assert stranger("anchors", model, "--anchor", "ledger:nowhere").code == 3


def test_several_seals_in_one_batch(mltrust, model):
    paths = []
    for name in ("a", "b", "c"):
        (mltrust.cwd / name).write_text(name)
        assert mltrust("seal", name, "--no-anchor").code == 0
        paths.append(f"{name}.seal.json")
    done = mltrust("anchor", *paths, model, "--to", "ledger:batch")
    assert done.code == 0
    assert done.err.count("published in ledger:batch") == 4
    log = mltrust("ledger", "log", "--ledger", "ledger:batch", "--format", "json").json()["entries"]
    assert len(log) == 4
    assert "\n4\n" in mltrust("ledger", "checkpoint", "--ledger", "ledger:batch").out
    for name in ("a", "b", "c", model):
        assert mltrust("verify", name, "--anchor", "ledger:batch").code == 0
    before = (mltrust.cwd / "a.seal.json").read_bytes()
    assert mltrust("anchor", *paths, "--to", "ledger:batch").code == 0
    assert (mltrust.cwd / "a.seal.json").read_bytes() == before
    assert mltrust("anchor", "a.seal.json", "missing", "--to", "ledger:batch").code == 3
    assert mltrust("anchor", "a.seal.json").code == 2
