"""A policy says who must vouch: all of some, enough of others."""

import shutil
import subprocess
from hashlib import sha256

import pytest

pytestmark = pytest.mark.usefixtures("unmeasured")


@pytest.fixture
def ledgers(mltrust, model):
    """Return the URIs of three ledgers: the first two hold the model's seal, the third holds another's."""
    uris = [f"ledger:{mltrust.cwd / name}" for name in ("one", "two", "three")]
    other = mltrust.cwd / "other"
    other.write_bytes(b"x")
    commands = [["seal", model, "--anchor", uris[0], "--anchor", uris[1]], ["seal", other, "--anchor", uris[2]]]
    assert [done.code for done in mltrust.many(commands)] == [0, 0]
    return uris


@pytest.fixture
def policy(mltrust):
    def write(text, name="policy.toml"):
        path = mltrust.cwd / name
        path.write_text("[trust]\n" + text)
        return path

    return write


def policy_check(done):
    (check,) = [check for check in done.json()["checks"] if check["kind"] == "policy"]
    return check["outcome"], check["summary"]


def test_at_least_so_many(mltrust, model, ledgers, policy):
    files = [policy(f"at_least = {at_least}\nof = {ledgers}", f"{at_least}.toml") for at_least in (1, 2, 3)]
    done = mltrust.many([["verify", model, "--policy", file, "--format", "json"] for file in files])
    assert [each.code for each in done] == [0, 0, 1]
    for at_least, outcome, each in zip((1, 2, 3), ("pass", "pass", "fail"), done, strict=True):
        assert policy_check(each) == (outcome, f"2 of 3 vouch, at least {at_least} must")


def test_all_that_are_required(mltrust, model, ledgers, policy):
    texts = (
        f"require = {ledgers[:2]}",
        f"require = {ledgers}",
        f"require = {ledgers[:1]}\nof = {ledgers[1:]}\nat_least = 1",
    )
    files = [policy(text, f"{at}.toml") for at, text in enumerate(texts)]
    assert [done.code for done in mltrust.many([["verify", model, "--policy", each] for each in files])] == [0, 1, 0]


def test_out_of_reach_is_undecided_while_it_could_be_enough(mltrust, model, ledgers, policy):
    state = mltrust.at(mltrust.cwd / "fresh")  # nobody here has seen the second ledger, so its absence is no finding
    shutil.rmtree(mltrust.cwd / "two")
    file = policy(f"at_least = 2\nof = {ledgers}")
    done = state("verify", model, "--policy", file, "--format", "json")
    assert done.code == 3
    assert policy_check(done)[0] == "unchecked"
    assert state("verify", model, "--policy", policy(f"at_least = 1\nof = {ledgers}")).code == 0


def test_a_ledger_that_contradicts_itself_fails_even_where_others_are_enough(mltrust, model, ledgers, policy):
    entries = mltrust.cwd / "two" / "entries.jsonl"
    entries.write_bytes(entries.read_bytes().replace(b"2026", b"2025"))
    done = mltrust("verify", model, "--policy", policy(f"at_least = 1\nof = {ledgers[:2]}"))
    assert done.code == 1


def test_one_voice_is_one_vote(mltrust, model, ledgers, policy):
    (mltrust.cwd / "again").symlink_to("one")
    key = mltrust("ledger", "checkpoint", "--ledger", ledgers[0], "--key").out.strip()
    same = [ledgers[0], f"ledger:{mltrust.cwd / 'again'}", key]
    done = mltrust("verify", model, "--policy", policy(f"at_least = 2\nof = {same}"), "--format", "json")
    assert done.code == 1
    assert policy_check(done) == ("fail", "1 of 3 vouch, at least 2 must")
    assert mltrust("verify", model, "--policy", policy(f"at_least = 2\nof = {[*same, ledgers[1]]}")).code == 0


def test_one_key_is_one_voice_whatever_it_signs(mltrust, model, policy):
    """Who has the key of a ledger is not two by signing the seal as well, nor three by git notes."""
    own = f"ledger:{mltrust.home / 'data' / 'ledger'}"
    named = mltrust("ledger", "checkpoint", "--key").out.strip()
    key = mltrust.home / "data" / "keys" / f"{sha256(named.partition('+')[0].encode()).hexdigest()}.pem"
    notes = f"git-notes:{mltrust.cwd}"
    subprocess.run(["git", "init", "--quiet", mltrust.cwd], check=True)
    commands = [["key", "show", key], ["sign", model, "--key", key], ["anchor", model, "--to", notes]]
    shown, *done = mltrust.many(commands)
    assert [each.code for each in done] == [0, 0]
    (mltrust.cwd / "ada.pub").write_text(shown.out)
    of = [own, named, "ada", notes]
    text = f"of = {of}\n[signers.ada]\nkey = 'ada.pub'"
    files = [policy(f"at_least = {at_least}\n{text}", f"{at_least}.toml") for at_least in (1, 2)]
    verified = mltrust.many([["verify", model, "--policy", file, "--format", "json"] for file in files])
    for done, at_least, code in zip(verified, (1, 2), (0, 1), strict=True):
        assert (done.code, policy_check(done)[1]) == (code, f"1 of 4 vouch, at least {at_least} must")
        assert [each["outcome"] for each in done.json()["checks"] if each["voice"]] == ["pass"] * 4


def test_a_relative_ledger_is_not_taken_from_the_artifact(mltrust, bare, policy):
    """Whoever runs mltrust inside an artifact must not find a ledger there that its maker put in."""
    attacker = mltrust.at(mltrust.cwd / "attacker")
    assert attacker("seal", bare, "--exclude", "/log", "--anchor", f"ledger:{bare / 'log'}").code == 0
    file = policy("require = ['ledger:log']")
    inside = type(mltrust)(mltrust.home, bare)
    done = inside("verify", ".", "--policy", file)
    assert done.code == 3
    assert f"there is no ledger at {mltrust.cwd / 'log'}" in done.out


def test_a_policy_goes_with_more(mltrust, model, ledgers, policy):
    file = policy(f"require = {ledgers[:1]}")
    more = (["--anchor", ledgers[1]], ["--anchor", ledgers[2]], ["--content-only"])
    done = mltrust.many([["verify", model, "--policy", file, *each] for each in more])
    assert [each.code for each in done] == [0, 1, 2]


def test_the_users_own_policy_counts_where_nobody_is_named(mltrust, model, ledgers):
    mltrust.home.mkdir(exist_ok=True)
    (mltrust.home / "config.toml").write_text(f"[anchors]\nbad = '{ledgers[2]}'\n[trust]\nrequire = ['bad']\n")
    commands = [["verify", model], ["anchors", model]]
    commands += [["verify", model, "--anchor", ledgers[0]], ["verify", model, "--content-only"]]
    assert [done.code for done in mltrust.many(commands)] == [1, 1, 0, 0]


def test_a_policy_that_makes_no_sense_is_no_policy(mltrust, model, policy):
    texts = ["requires = []", "at_least = 1", "require = ['nobody']"]
    files = [policy(text, f"{at}.toml") for at, text in enumerate(texts)]
    for done in mltrust.many([["verify", model, "--policy", file] for file in files]):
        assert done.code == 2
        assert done.err.startswith("error: ")


def test_a_policy_planted_in_the_artifact_changes_nothing(mltrust, model, ledgers):
    planted = "[trust]\nrequire = ['ledger:planted']\n"
    for name in ("config.toml", "policy.toml", ".mltrust.toml"):
        (model / name).write_text(planted)
    done = mltrust("verify", model, "--anchor", ledgers[0], "--format", "json")
    assert done.code == 1
    assert {change["kind"] for change in done.json()["changes"]} == {"added"}
    assert [check["outcome"] for check in done.json()["checks"] if check["kind"] == "anchor"] == ["pass"]


def test_an_option_that_means_nothing_to_the_anchor(mltrust, model):
    named = [model, "--anchor", "ledger:x"]
    commands = [["seal", *named, option] for option in ("--push=origin", "--signer=env:X")]
    *sealed, verified = mltrust.many([*commands, ["verify", *named, "--trust-block", "0x00"]])
    assert verified.code == 2
    for done in sealed:
        assert done.code == 2
        assert "is for other anchors than ledger:x" in done.err


def test_anchors_says_who_since_when_and_what_would_be_stronger(mltrust, model, ledgers):
    anchors = ["anchors", model, "--anchor", ledgers[0]]
    done, data = mltrust.many([anchors, [*anchors, "--format", "json"]])
    assert done.code == 0
    assert ledgers[0] in done.out
    assert "not after:" in done.out
    (check,) = data.json()["checks"]
    assert check["time"]["not_after"]
    assert check["required"]
