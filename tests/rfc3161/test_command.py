"""The story on the command line: seal, stamp, verify with the authority gone, and all that may be wrong."""

import json
import shutil

import pytest


@pytest.fixture
def model(tmp_path, fill_model):
    return fill_model(tmp_path / "model")


@pytest.fixture
def seal(model):
    return model / "mltrust.seal.json"


@pytest.fixture
def stamped(mltrust, tsa, model, seal):
    """The authority, with its roots configured, and a model it has stamped."""
    mltrust.config(f'[rfc3161."{tsa.url}"]\nroots = "{tsa.roots}"\n')
    assert mltrust("seal", model, "--no-anchor").code == 0
    done = mltrust("anchor", seal, "--to", f"rfc3161:{tsa.url}")
    assert done.code == 0, done.err
    assert "not verified" not in done.err
    return tsa


def anchors_of(done):
    return [check for check in done.json()["checks"] if check["kind"] == "anchor"]


def test_a_stamped_model_verifies_with_the_authority_gone(mltrust, stamped, model):
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
    (check,) = anchors_of(data)
    assert (check["outcome"], check["state"], check["level"]) == ("pass", "verified", "time-only")
    assert check["time"]["not_before"] is None
    assert check["time"]["not_after"] in told.out
    assert len(stamped.queries) == asked == 1


def test_anchors_shows_since_when_and_what_would_be_stronger(mltrust, stamped, seal):
    done = mltrust("anchors", seal, "--anchor", f"rfc3161:{stamped.url}")
    assert done.code == 0
    assert "not after:" in done.out
    assert "whose it is" in done.out


def test_another_users_roots_come_from_the_command_line(mltrust, stamped, model, tmp_path):
    mltrust.config("")
    uri = f"rfc3161:{stamped.url}"
    done = mltrust("verify", model, "--anchor", uri)
    assert done.code == 3
    assert done.out.startswith("INCONCLUSIVE")
    assert "--roots FILE" in done.out
    assert mltrust("verify", model, "--anchor", uri, "--roots", stamped.roots).code == 0
    assert mltrust("verify", model, "--anchor", uri, "--roots", tmp_path / "missing.pem").code == 2
    assert mltrust("verify", model, "--roots", stamped.roots).code == 2


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


def test_anybody_can_have_a_changed_model_stamped(mltrust, stamped, model, seal):
    """What a time stamp does not prove: the tutorial and the threat model say so, and here it is."""
    (model / "config.json").write_text("{}")
    seal.unlink()
    assert mltrust("seal", model, "--anchor", f"rfc3161:{stamped.url}").code == 0
    assert mltrust("verify", model, "--anchor", f"rfc3161:{stamped.url}").code == 0


def test_a_receipt_moved_in_time_fails(mltrust, stamped, model, seal, tmp_path):
    shutil.rmtree(tmp_path / "home/state")  # a receipt kept there would do
    bundle = json.loads(seal.read_text())
    bundle["receipts"][0]["time"]["not_after"] = "2001-01-01T00:00:00Z"
    seal.write_text(json.dumps(bundle))
    done = mltrust("verify", model, "--anchor", f"rfc3161:{stamped.url}")
    assert done.code == 1
    assert "for another time" in done.out


def test_a_receipt_moved_to_another_seal_fails(mltrust, stamped, model, seal, tmp_path):
    other = tmp_path / "other"
    shutil.copytree(model, other, ignore=shutil.ignore_patterns("mltrust.*"))
    assert mltrust("seal", other, "--no-anchor").code == 0
    file = other / "mltrust.seal.json"
    bundle = json.loads(file.read_text())
    bundle["receipts"] = json.loads(seal.read_text())["receipts"]
    bundle["receipts"][0]["digest"] = mltrust("anchors", file, "--format", "json").json()["statement"]
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
    bundle = json.loads(seal.read_text())
    bundle["receipts"] = []
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


def test_a_policy_may_ask_for_a_time_stamp_and_somebody_who_says_whose(mltrust, stamped, model, seal, tmp_path):
    mltrust.config(f'[rfc3161."{stamped.url}"]\nroots = "{stamped.roots}"\n')
    ledger = f"ledger:{tmp_path / 'ledger'}"
    (tmp_path / "policy.toml").write_text(f'[trust]\nrequire = ["rfc3161:{stamped.url}", "{ledger}"]\n')
    assert mltrust("verify", model, "--policy", tmp_path / "policy.toml").code != 0
    assert mltrust("anchor", seal, "--to", ledger).code == 0
    done = mltrust("verify", model, "--policy", tmp_path / "policy.toml", "--format", "json")
    assert done.code == 0
    assert [check["outcome"] for check in anchors_of(done)] == ["pass", "pass"]


def test_many_seals_in_one_go(mltrust, stamped, tmp_path):
    seals = []
    for number in range(3):
        (tmp_path / f"file{number}").write_text(str(number))
        assert mltrust("seal", tmp_path / f"file{number}", "--no-anchor").code == 0
        seals.append(tmp_path / f"file{number}.seal.json")
    assert mltrust("anchor", *seals, "--to", f"rfc3161:{stamped.url}").code == 0
    assert len(stamped.queries) == 4
    for number in range(3):
        assert mltrust("verify", tmp_path / f"file{number}", "--anchor", f"rfc3161:{stamped.url}").code == 0


def test_sealing_the_seal_carries_an_old_time_stamp_under_a_new_one(mltrust, authority, stamped, model, seal):
    """Renewal: whoever trusts the new authority learns that the old time stamp was there while it was good."""
    new = authority("new")
    new_uri = f"rfc3161:{new.url}"
    renewal = model.parent / "renewal.seal.json"
    assert mltrust("seal", seal, "--anchor", new_uri, "--output", renewal).code == 0
    stamped.stop(), new.stop()
    old = mltrust("verify", model, "--anchor", f"rfc3161:{stamped.url}")
    renewed = mltrust("verify", seal, "--seal", renewal, "--anchor", new_uri, "--roots", new.roots)
    assert (old.code, renewed.code) == (0, 0), renewed.out
    bundle = json.loads(seal.read_text())
    response = bundle["receipts"][0]["evidence"]["response"]
    bundle["receipts"][0]["evidence"]["response"] = response[:-8] + "AAAAAAA="
    seal.write_text(json.dumps(bundle))
    done = mltrust("verify", seal, "--seal", renewal, "--anchor", new_uri, "--roots", new.roots)
    assert done.code == 1
