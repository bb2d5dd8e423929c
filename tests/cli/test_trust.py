"""Whom `verify` believes: nobody but those the user names, or the user's own ledger."""

import pytest

pytestmark = pytest.mark.usefixtures("unmeasured")


@pytest.fixture
def stranger(mltrust):
    """Return the command as somebody else runs it, who has seen nothing yet."""
    return mltrust.at(mltrust.cwd / "stranger")


def checks(done):
    return {check["kind"]: (check["outcome"], check["state"]) for check in done.json()["checks"]}


def test_a_stranger_cannot_decide(stranger, model):
    told, data = stranger.many([["verify", model], ["verify", model, "--format", "json"]])
    assert told.code == data.code == 3
    assert told.out.startswith("INCONCLUSIVE")
    assert "hint: Trust an anchor (--anchor)" in told.out
    assert data.json()["verdict"] == "inconclusive"
    assert checks(data)["anchor"] == ("unchecked", None)


def test_a_stranger_sees_tampering_all_the_same(stranger, model):
    (model / "config.json").write_text("{}")
    assert stranger("verify", model).code == 1


def test_content_only(stranger, model):
    verify = ["verify", model, "--content-only"]
    told, data = stranger.many([verify, [*verify, "--format", "json"]])
    assert told.code == data.code == 0
    assert "not checked  who vouches for the seal (--content-only)" in told.out
    assert data.json()["content_only"] is True
    assert not stranger.home.exists()


def test_content_only_goes_with_nobody(mltrust, model):
    named = (("--anchor", "ledger:x"), ("--fingerprint", "0" * 64))
    done = mltrust.many([["verify", model, "--content-only", *more] for more in named])
    assert [each.code for each in done] == [2, 2]


def test_a_fingerprint_known_from_elsewhere(stranger, model):
    value = stranger("fingerprint", model).out.strip()
    right, wrong = stranger.many([["verify", model, "--fingerprint", each] for each in (value, "0" * 64)])
    assert right.code == 0
    assert "the fingerprint is the one you gave" in right.out
    assert wrong.code == 1
    assert value in wrong.out
    assert "not the one you gave" in wrong.out


def test_a_malformed_fingerprint(stranger, model):
    values = ["", "xyz", "0" * 63, "0" * 65, "A" * 64, "mltrust-1:"]
    for done in stranger.many([["verify", model, "--fingerprint", value] for value in values]):
        assert done.code == 2
        assert "64 lower-case hexadecimal digits" in done.err


def test_a_key_offline(stranger, model, key):
    (model.parent / "ledger.pub").write_text(key + "\n")
    for given in (key, "ledger.pub"):
        verify = ["verify", model, "--key", given]
        done, data = stranger.many([verify, [*verify, "--format", "json"]])
        assert done.code == data.code == 0
        assert "a ledger that was not asked itself" in done.out
        assert checks(data)["anchor"] == ("pass", "verified")
    assert not stranger.home.exists()


def test_another_key(mltrust, stranger, model):
    other = model.parent / "other"
    other.write_bytes(b"x")
    sealed, shown = stranger.many([["seal", other], ["ledger", "checkpoint", "--key"]])
    assert sealed.code == 0
    theirs = shown.out.strip()
    done = mltrust("verify", model, "--key", theirs, "--format", "json")
    assert done.code == 1
    assert checks(done)["anchor"] == ("fail", "unknown-key")


def test_a_key_that_is_none(stranger, model):
    keys = ("garbage", "/", "a+b+c", "name+00000000+AAAA", "/etc/hostname")
    done = stranger.many([["verify", model, "--key", given] for given in keys])
    assert {given: each.code for given, each in zip(keys, done, strict=True)} == dict.fromkeys(keys, 2)


def test_a_named_ledger(mltrust, stranger, model):
    own = f"ledger:{mltrust.home / 'data/ledger'}"
    done = stranger("verify", model, "--anchor", own, "--format", "json")
    assert done.code == 0
    assert checks(done)["anchor"] == ("pass", "verified")


def test_an_anchor_that_lacks_it(stranger, model):
    other = model.parent / "other"
    other.write_bytes(b"x")
    verify = ["verify", model, "--anchor", "ledger:theirs"]
    commands = [["seal", other, "--anchor", "ledger:theirs"], verify, [*verify, "--format", "json"]]
    sealed, told, data = stranger.many(commands)
    assert sealed.code == 0
    assert told.code == data.code == 1
    assert checks(data)["anchor"][0] == "fail"
    assert "another ledger" in told.out


def test_a_ledger_that_is_not_there(stranger, model):
    done = stranger("verify", model, "--anchor", "ledger:nowhere")
    assert done.code == 3
    assert "[unavailable]" in done.out


def test_what_names_no_anchor(stranger, model):
    uris = ["foo:bar", "ledger", "ledger:", "", "http://x/", "gone"]
    commands = [[command, model, "--anchor", uri] for command in ("verify", "seal") for uri in uris]
    for done in stranger.many(commands):
        assert done.code == 2
        assert "names no anchor" in done.err
        assert "ledger:" in done.err


def test_several_anchors_must_all_know_it(mltrust, model):
    (model.parent / "other").write_bytes(b"x")
    own = f"ledger:{mltrust.home / 'data/ledger'}"
    commands = [["seal", "other", "--anchor", "ledger:theirs"]]
    commands += [["verify", model, "--anchor", own, "--anchor", "ledger:theirs"]]
    assert [done.code for done in mltrust.many(commands)] == [0, 1]


def test_publishing_in_two_places_and_in_none(mltrust, bare):
    commands = [["seal", bare, "--anchor", "ledger:one", "--anchor", "ledger:two"]]
    commands += [["verify", bare, "--anchor", f"ledger:{place}"] for place in ("one", "two")]
    assert [done.code for done in mltrust.many(commands)] == [0, 0, 0]
    (bare / "mltrust.seal.json").unlink()
    commands = [["seal", bare, "--no-anchor", "--name", "other"], ["verify", bare]]
    commands += [["seal", bare, "--no-anchor", "--anchor", "ledger:one"]]
    done, verified, both = mltrust.many(commands)
    assert (done.code, verified.code, both.code) == (0, 3, 2)
    assert "not anchored: nobody vouches for it yet" in done.out


def test_an_anchor_that_refuses_leaves_no_seal(mltrust, bare):
    (mltrust.cwd / "file").write_text("")
    done = mltrust("seal", bare, "--anchor", "ledger:file")
    assert done.code == 3
    assert not (bare / "mltrust.seal.json").exists()


def test_short_names(mltrust, bare):
    (mltrust.home / "config.toml").write_text(f'[anchors]\nrelease = "ledger:{mltrust.cwd}/release"\n')
    commands = [[command, bare, "--anchor", "release"] for command in ("seal", "verify")]
    commands += [["ledger", "check", "--ledger", "release"]]
    assert [done.code for done in mltrust.many(commands)] == [0, 0, 0]
    assert (mltrust.cwd / "release/checkpoint").is_file()


@pytest.mark.parametrize("text", ['anchor = "x"\n', "[anchors]\nx = 1\n", "anchors = 1\n", "nonsense", b"\xff"])
def test_a_configuration_that_makes_no_sense(mltrust, model, text):
    (mltrust.home / "config.toml").write_bytes(text if isinstance(text, bytes) else text.encode())
    for done in mltrust.many([["verify", model, *named] for named in ((), ("--anchor", "x"))]):
        assert done.code == 2
        assert "config.toml" in done.err


def test_a_configured_trust_that_names_nobody(mltrust, model):
    (mltrust.home / "config.toml").write_text("[trust]\n")
    own = f"ledger:{mltrust.home / 'data/ledger'}"
    done, named = mltrust.many([["verify", model], ["verify", model, "--anchor", own]])
    assert done.code == 2
    assert "config.toml: [trust] names nobody" in done.err
    assert named.code == 0, "who is named on the command line is asked instead"


def test_a_configuration_inside_the_artifact_has_no_effect(mltrust, bare):
    for name in ("config.toml", "mltrust.toml", ".mltrust.toml", "pyproject.toml"):
        (bare / name).write_text("[anchors]\nrelease = 'ledger:planted'\n[nonsense]\n")
    assert mltrust("seal", bare).code == 0
    for command in (mltrust, type(mltrust)(mltrust.home, bare)):
        done = command.many([["verify", bare], ["verify", bare, "--anchor", "release"]])
        assert [each.code for each in done] == [0, 2]


def test_a_seal_does_not_say_whom_to_trust(stranger, model, seal_file):
    """Receipts name no address, and one of an unknown kind is nobody's affair."""
    import json

    seal = json.loads(seal_file.read_text())
    seal["receipts"].append({**seal["receipts"][0], "kind": "elsewhere", "evidence": {"url": "http://127.0.0.1:9/"}})
    seal_file.write_text(json.dumps(seal))
    assert [done.code for done in stranger.many([["verify", model], ["anchors", model]])] == [3, 3]


def test_anchors_says_who_vouches(mltrust, stranger, model, key):
    told, data = mltrust.many([["anchors", model], ["anchors", model, "--format", "json"]])
    assert told.code == data.code == 0
    assert "receipt      ledger, not after" in told.out
    assert [check["outcome"] for check in data.json()["checks"]] == ["pass"]
    commands = [["anchors", model / "mltrust.seal.json", "--key", key]]
    commands += [["anchors", model, "--anchor", "ledger:nowhere"]]
    assert [done.code for done in stranger.many(commands)] == [0, 3]


def test_several_seals_in_one_batch(mltrust, model):
    for name in ("a", "b", "c"):
        (mltrust.cwd / name).write_text(name)
    paths = [f"{name}.seal.json" for name in ("a", "b", "c")]
    sealed = mltrust.many([["seal", name, "--no-anchor"] for name in ("a", "b", "c")])
    assert [done.code for done in sealed] == [0, 0, 0]
    done = mltrust("anchor", *paths, model, "--to", "ledger:batch")
    assert done.code == 0
    assert done.err.count("published in ledger:batch") == 4
    before = (mltrust.cwd / "a.seal.json").read_bytes()
    commands = [["ledger", "log", "--ledger", "ledger:batch", "--format", "json"]]
    commands += [["ledger", "checkpoint", "--ledger", "ledger:batch"]]
    commands += [["verify", name, "--anchor", "ledger:batch"] for name in ("a", "b", "c", model)]
    commands += [["anchor", *paths, "--to", "ledger:batch"]]
    commands += [["anchor", "a.seal.json", "missing", "--to", "ledger:batch"], ["anchor", "a.seal.json"]]
    log, checkpoint, *rest = mltrust.many(commands)
    assert len(log.json()["entries"]) == 4
    assert "\n4\n" in checkpoint.out
    assert [done.code for done in rest] == [0, 0, 0, 0, 0, 3, 2]
    assert (mltrust.cwd / "a.seal.json").read_bytes() == before
