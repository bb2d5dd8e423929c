"""The story on the command line: seal, stamp, verify with the authority gone, and all that may be wrong."""

import json
import shutil

import pytest

NOBODY = "since when it exists may be known, but nobody you trust was asked whose it is"


@pytest.fixture
def model(tmp_path, fill_model):
    return fill_model(tmp_path / "model")


@pytest.fixture
def seal(model):
    return model / "mltrust.seal.json"


@pytest.fixture
def stamped(mltrust, tsa, model, seal):
    """The authority, with its roots configured, and a model in the user's own ledger that it has stamped."""
    mltrust.config(f'[rfc3161."{tsa.url}"]\nroots = "{tsa.roots}"\n')
    assert mltrust("seal", model).code == 0
    done = mltrust("anchor", seal, "--to", f"rfc3161:{tsa.url}")
    assert done.code == 0, done.err
    assert "not verified" not in done.err
    return tsa


@pytest.fixture
def key(mltrust, stamped):
    """The key of the ledger the model is in."""
    return mltrust("ledger", "checkpoint", "--key").out.strip()


@pytest.fixture
def changed(mltrust, stamped, model, tmp_path, fill_model):
    """A changed model, sealed and stamped by somebody else."""
    folder = fill_model(tmp_path / "theirs" / "model")
    (folder / "config.json").write_text('{"model_type": "other"}')
    assert mltrust("seal", folder, "--anchor", f"rfc3161:{stamped.url}", home="attacker").code == 0
    return folder


def anchors_of(done):
    return [check for check in done.json()["checks"] if check["kind"] == "anchor"]


def stamp_in(seal):
    bundle = json.loads(seal.read_text())
    (receipt,) = [receipt for receipt in bundle["receipts"] if receipt["kind"] == "rfc3161"]
    return bundle, receipt


def test_a_stamped_model_verifies_with_the_authority_gone(mltrust, stamped, model):
    """Where a time stamp alone is named, the own ledger is asked whose it is."""
    uri = f"rfc3161:{stamped.url}"
    asked = len(stamped.queries)
    assert mltrust("verify", model, "--anchor", uri).code == 0
    stamped.stop()
    told, data = (
        mltrust("verify", model, "--anchor", uri),
        mltrust("verify", model, "--anchor", uri, "--format", "json"),
    )
    assert told.code == data.code == 0
    assert "it says when, not whose" in told.out
    time, own = anchors_of(data)
    assert (time["outcome"], time["state"], time["level"]) == ("pass", "verified", "time-only")
    assert (time["vouches"], time["required"]) == (False, True)
    assert (own["outcome"], own["vouches"], own["required"]) == ("pass", True, False)
    assert time["time"]["not_before"] is None
    assert time["time"]["not_after"] in told.out
    assert len(stamped.queries) == asked == 1


def test_anchors_shows_since_when_and_what_would_be_stronger(mltrust, stamped, seal):
    done = mltrust("anchors", seal, "--anchor", f"rfc3161:{stamped.url}")
    assert done.code == 0
    assert "not after:" in done.out
    assert "whose it is" in done.out


def test_a_time_stamp_alone_decides_nothing(mltrust, stamped, model):
    """On a machine without a ledger of its own nobody says whose the model is."""
    named = ("--anchor", f"rfc3161:{stamped.url}", "--roots", stamped.roots)
    told, data = (mltrust("verify", model, *named, *more, home="other") for more in ((), ("--format", "json")))
    assert told.code == data.code == 3
    assert told.out.startswith("INCONCLUSIVE")
    assert NOBODY in told.out
    time, nobody = anchors_of(data)
    assert (time["outcome"], time["vouches"]) == ("pass", False)
    assert (nobody["name"], nobody["outcome"], nobody["summary"]) == ("trust", "unchecked", NOBODY)
    assert mltrust("anchors", model, *named, home="other").out.count(NOBODY) == 1


def test_another_users_roots_come_from_the_command_line(mltrust, stamped, model, key, tmp_path):
    named = ("--anchor", f"rfc3161:{stamped.url}", "--key", key)
    done = mltrust("verify", model, *named, home="other")
    assert done.code == 3
    assert done.out.startswith("INCONCLUSIVE")
    assert "--roots FILE" in done.out
    assert NOBODY not in done.out
    assert mltrust("verify", model, *named, "--roots", stamped.roots, home="other").code == 0
    assert mltrust("verify", model, *named, "--roots", tmp_path / "missing.pem", home="other").code == 2
    assert mltrust("verify", model, "--roots", stamped.roots, home="other").code == 2


def test_roots_may_be_named_where_it_is_stamped(mltrust, tsa, model, seal):
    named = ("--to", f"rfc3161:{tsa.url}", "--roots", tsa.roots)
    assert mltrust("seal", model).code == 0
    done = mltrust("anchor", seal, *named)
    assert (done.code, "not verified" in done.err) == (0, False)
    seal.unlink()
    done = mltrust("seal", model, "--name", "new", "--anchor", f"rfc3161:{tsa.url}", "--roots", tsa.roots)
    assert (done.code, "not verified" in done.err) == (0, False)


def test_other_roots_are_no_trust(mltrust, stamped, authority, model):
    other = authority("other")
    done = mltrust("verify", model, "--anchor", f"rfc3161:{stamped.url}", "--roots", other.roots)
    assert done.code == 1
    assert "[unknown-key]" in done.out


def test_a_root_that_lies_in_the_working_folder_is_not_taken(mltrust, stamped, model, tmp_path):
    """The working folder may be the artifact."""
    shutil.copy(stamped.roots, tmp_path / "tsa-root.pem")
    mltrust.config(f'[rfc3161."{stamped.url}"]\nroots = "tsa-root.pem"\n')
    done = mltrust("verify", model, "--anchor", f"rfc3161:{stamped.url}")
    assert done.code == 2
    assert "absolute path" in done.err
    assert mltrust("verify", model, "--anchor", f"rfc3161:{stamped.url}", "--roots", "tsa-root.pem").code == 0


def test_a_changed_model_fails_however_well_it_was_stamped(mltrust, stamped, model):
    (model / "config.json").write_text("{}")
    assert mltrust("verify", model, "--anchor", f"rfc3161:{stamped.url}").code == 1


def test_anybody_can_have_a_changed_model_stamped(mltrust, stamped, model, changed):
    """What a time stamp does not prove, as the threat model says: the answers for both models are the same."""
    named = ("--anchor", f"rfc3161:{stamped.url}", "--roots", stamped.roots, "--format", "json")
    for folder in (model, changed):
        done = mltrust("verify", folder, *named, home="other")
        assert done.code == 3
        assert [(check["outcome"], check["summary"] == NOBODY) for check in anchors_of(done)] == [
            ("pass", False),
            ("unchecked", True),
        ]


def test_who_says_whose_tells_a_changed_model_from_the_honest_one(mltrust, stamped, model, changed, key):
    uri = f"rfc3161:{stamped.url}"
    ledger = f"ledger:{model.parent / 'home/data/ledger'}"
    for whose in (("--key", key), ("--anchor", ledger)):
        named = ("--anchor", uri, "--roots", stamped.roots, *whose)
        honest, false = (mltrust("verify", folder, *named, home="other") for folder in (model, changed))
        assert (honest.code, false.code) == (0, 1), honest.out + false.out
        assert "it says when, not whose" in false.out
    assumed = mltrust("verify", changed, "--anchor", uri)
    assert assumed.code == 3  # the own ledger was not named: its silence decides nothing
    assert f"{ledger} does not vouch for it [absent]" in assumed.out


def test_a_fingerprint_says_whose_too(mltrust, stamped, model, changed):
    value = mltrust("fingerprint", model).out.strip()
    named = ("--anchor", f"rfc3161:{stamped.url}", "--roots", stamped.roots, "--fingerprint", value)
    assert [mltrust("verify", folder, *named, home="other").code for folder in (model, changed)] == [0, 1]


def test_a_proof_needs_somebody_too(mltrust, stamped, model, key, tmp_path):
    proof = tmp_path / "proof.json"
    assert mltrust("prove", model, "--file", "config.json", "--output", proof).code == 0
    named = ("--anchor", f"rfc3161:{stamped.url}", "--roots", stamped.roots)
    alone = mltrust("check", proof, *named, home="other")
    assert (alone.code, NOBODY in alone.out) == (3, True)
    assert mltrust("check", proof, *named, "--key", key, home="other").code == 0


def test_a_receipt_moved_in_time_fails(mltrust, stamped, model, seal, tmp_path):
    shutil.rmtree(tmp_path / "home/state")  # a receipt kept there would do
    bundle, receipt = stamp_in(seal)
    receipt["time"]["not_after"] = "2001-01-01T00:00:00Z"
    seal.write_text(json.dumps(bundle))
    done = mltrust("verify", model, "--anchor", f"rfc3161:{stamped.url}")
    assert done.code == 1
    assert "for another time" in done.out


def test_a_receipt_moved_to_another_seal_fails(mltrust, stamped, model, seal, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(model, other, ignore=shutil.ignore_patterns("mltrust.*"))
    (other / "config.json").write_text("{}")
    assert mltrust("seal", other).code == 0
    file = other / "mltrust.seal.json"
    bundle, receipt = json.loads(file.read_text()), stamp_in(seal)[1]
    bundle["receipts"].append(receipt)
    receipt["digest"] = mltrust("anchors", file, "--format", "json").json()["statement"]
    file.write_text(json.dumps(bundle))
    done = mltrust("verify", other, "--anchor", f"rfc3161:{stamped.url}")
    assert done.code == 1
    assert "for another digest" in done.out


def test_publishing_again_leaves_the_seal_as_it_is(mltrust, stamped, seal):
    before = seal.read_bytes()
    assert mltrust("anchor", seal, "--to", f"rfc3161:{stamped.url}").code == 0
    assert seal.read_bytes() == before
    assert len(stamped.queries) == 1


def test_a_receipt_lost_from_the_seal_is_found_in_the_users_state(mltrust, stamped, model, seal):
    bundle, receipt = stamp_in(seal)
    bundle["receipts"].remove(receipt)
    seal.write_text(json.dumps(bundle))
    assert mltrust("verify", model, "--anchor", f"rfc3161:{stamped.url}").code == 0


def test_without_roots_the_user_is_told_how(mltrust, tsa, model):
    done = mltrust("seal", model, "--anchor", f"rfc3161:{tsa.url}")
    assert done.code == 0
    assert "not verified" in done.err
    assert f'[rfc3161."{tsa.url}"]' in done.err


def test_an_authority_out_of_reach_leaves_the_seal_as_it_is(mltrust, tsa, model, seal):
    assert mltrust("seal", model, "--no-anchor").code == 0
    before = seal.read_bytes()
    tsa.stop()
    done = mltrust("anchor", seal, "--to", f"rfc3161:{tsa.url}")
    assert done.code == 3
    assert "cannot be reached" in done.err
    assert "hint:" in done.err
    assert seal.read_bytes() == before


@pytest.mark.parametrize(
    "setting", ["roots = 1", "policy = 'x'", "timeout = 'soon'", "url = 'https://tsa.example'", "timeout = nan"]
)
def test_a_setting_that_makes_no_sense_is_the_users_error(mltrust, model, setting):
    assert mltrust("seal", model, "--no-anchor").code == 0
    mltrust.config(f'[rfc3161."https://tsa.example"]\n{setting}\n')
    done = mltrust("verify", model, "--anchor", "rfc3161:https://tsa.example")
    assert done.code == 2
    assert setting.split()[0] in done.err


def test_a_uri_that_makes_no_sense_is_the_users_error(mltrust, model):
    assert mltrust("seal", model, "--no-anchor").code == 0
    for uri in ("rfc3161:tsa.example", "rfc3161:file:///etc/passwd"):
        assert mltrust("verify", model, "--anchor", uri).code == 2


@pytest.fixture
def policy(mltrust, stamped, tmp_path):
    """Write a policy over a time stamp and two ledgers, the first of which holds the model; verify by it elsewhere."""

    def verify(model, *table):
        lines = [f'[rfc3161."{stamped.url}"]', f'roots = "{stamped.roots}"', "[anchors]"]
        lines += [f'clock = "rfc3161:{stamped.url}"', f'ours = "ledger:{tmp_path / "home/data/ledger"}"']
        lines += [f'theirs = "ledger:{tmp_path / "attacker/data/ledger"}"', "[trust]", *table]
        (tmp_path / "policy.toml").write_text("\n".join(lines))
        named = ("--policy", tmp_path / "policy.toml", "--format", "json")
        done = mltrust("verify", model, *named, home="other")
        return done.code, {check["name"]: check["outcome"] for check in done.json()["checks"][2:]}

    (tmp_path / "else").write_bytes(b"x")
    assert mltrust("seal", tmp_path / "else", home="attacker").code == 0
    return verify


def test_a_policy_may_require_a_time_stamp_and_somebody_who_says_whose(policy, model, changed):
    both = 'require = ["clock", "ours"]'
    assert policy(model, both)[0] == 0
    assert policy(changed, both)[0] == 1
    code, found = policy(model, 'require = ["clock"]')
    assert (code, found["trust"]) == (3, "unchecked")


def test_a_time_stamp_counts_in_a_quorum_and_vouches_for_nobody(policy, stamped, model, changed):
    """With the time stamp there are votes enough for both models; only of the honest one somebody says whose it is."""
    pool = ("at_least = 1", 'of = ["clock", "ours"]')
    assert policy(model, *pool)[0] == 0
    code, found = policy(changed, *pool)
    assert code == 3
    assert (found["policy"], found[f"rfc3161:{stamped.url}"]) == ("pass", "pass")
    assert sorted(found.values()) == ["pass", "pass", "unchecked"]
    code, found = policy(model, "at_least = 1", 'of = ["clock"]')
    assert (code, found["policy"], found["trust"]) == (3, "pass", "unchecked")
    assert policy(model, "at_least = 2", 'of = ["clock", "ours", "theirs"]')[0] == 0
    assert policy(changed, "at_least = 2", 'of = ["clock", "ours", "theirs"]')[0] == 1


def test_many_seals_in_one_go(mltrust, stamped, tmp_path):
    seals = []
    for number in range(3):
        (tmp_path / f"file{number}").write_text(str(number))
        assert mltrust("seal", tmp_path / f"file{number}").code == 0
        seals.append(tmp_path / f"file{number}.seal.json")
    assert mltrust("anchor", *seals, "--to", f"rfc3161:{stamped.url}").code == 0
    assert len(stamped.queries) == 4
    for number in range(3):
        assert mltrust("verify", tmp_path / f"file{number}", "--anchor", f"rfc3161:{stamped.url}").code == 0


def test_sealing_the_seal_carries_an_old_time_stamp_under_a_new_one(mltrust, authority, stamped, model, seal):
    """Renewal: whoever trusts the new authority learns that the old time stamp was there while it was good."""
    new = authority("new")
    whose = ("--anchor", f"ledger:{model.parent / 'home/data/ledger'}")
    renewal = model.parent / "renewal.seal.json"
    newer = ("--anchor", f"rfc3161:{new.url}", *whose)
    assert mltrust("seal", seal, *newer, "--output", renewal).code == 0
    stamped.stop(), new.stop()
    old = mltrust("verify", model, "--anchor", f"rfc3161:{stamped.url}", *whose)
    renewed = mltrust("verify", seal, "--seal", renewal, *newer, "--roots", new.roots)
    assert (old.code, renewed.code) == (0, 0), renewed.out
    bundle, receipt = stamp_in(seal)
    receipt["evidence"]["response"] = receipt["evidence"]["response"][:-8] + "AAAAAAA="
    seal.write_text(json.dumps(bundle))
    done = mltrust("verify", seal, "--seal", renewal, *newer, "--roots", new.roots)
    assert done.code == 1
