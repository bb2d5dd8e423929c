"""Whom a verifier trusts to sign, through the installed command: keys, policies, times and revocations."""

import json
import shutil
from pathlib import Path

import pytest

from mltrust.core.private_key import generate
from mltrust.core.public_key import read_public_key
from mltrust.interfaces import Home
from mltrust.sealfile import seal_file
from mltrust.signing import open_signer, sign

WHO = {"alice": ("ed25519", 1), "bob": ("p256", 2), "carol": ("hybrid", 3), "mallory": ("ed25519", 4)}
PAST, FUTURE = "2001-02-03T04:05:06Z", "2999-01-01T00:00:00Z"


@pytest.fixture(scope="module")
def _signed(_tiny, tmp_path_factory, new_key):
    """Return a folder with everybody's keys and the tiny model, signed by Alice, Bob and Carol, but not by Mallory."""
    folder = tmp_path_factory.mktemp("signed")
    made = {name: new_key(folder / f"{name}.key", kind, seed=seed) for name, (kind, seed) in WHO.items()}
    shutil.copytree(_tiny / "model", folder / "model")
    home = Home(folder, folder)
    sign(seal_file(folder / "model"), [open_signer(str(made[name]), home) for name in ("alice", "bob", "carol")])
    return folder


@pytest.fixture
def signed(mltrust, model, _signed):
    """Return the tiny model, published in the user's ledger and signed; keys lie beside it."""
    shutil.copy(_signed / "model" / "mltrust.seal.json", model)
    for path in _signed.glob("*.key*"):
        shutil.copy(path, mltrust.cwd)
    return model


@pytest.fixture
def keys(mltrust, signed):
    """Return everybody's public keys, by name."""
    return {name: mltrust.cwd / f"{name}.key.pub" for name in WHO}


@pytest.fixture
def policy(mltrust):
    """Return a function that writes a policy which knows everybody's keys; of no trust, where nothing is said."""

    def write(trust, signers="", name="policy.toml"):
        known = "".join(f"[signers.{who}]\nkey = '{who}.key.pub'\n" for who in WHO if f"signers.{who}]" not in signers)
        path = mltrust.cwd / name
        path.write_text(f"[anchors]\nown = 'ledger:home/data/ledger'\n{known}{signers}\n{trust}")
        return path

    return write


@pytest.fixture
def verify(mltrust, signed):
    """Return a function that verifies several times in one process; of each, the code, and what is told."""

    def run(*many):
        done = mltrust.many([["verify", signed, *options] for options in many])
        return [(each.code, each.out + each.err) for each in done]

    return run


def edit(model, change):
    path = model / "mltrust.seal.json"
    seal = json.loads(path.read_text())
    seal["signatures"] = change(seal["signatures"])
    path.write_text(json.dumps(seal))


@pytest.mark.usefixtures("unmeasured")
class TestKeys:
    def test_every_way_to_name_one(self, mltrust, verify, keys):
        (mltrust.home / "config.toml").write_text(f"[signers.ada]\nkey = '{keys['alice']}'\n")
        text = keys["alice"].read_text()
        by_file, inline, by_name, two = verify(
            ["--key", keys["alice"]], ["--key", text], ["--key", "ada"], ["--key", keys["carol"], "--key", keys["bob"]]
        )
        for code, told in (by_file, inline, by_name, two):
            assert code == 0, told
            assert "signed by " in told
        assert "signed by ada" in by_name[1]
        assert "signed by sha256:" in inline[1]
        assert "4 signatures" not in by_file[1]
        assert "3 signatures not checked" in by_file[1], "of whom nobody was asked: Bob's, and both of Carol's"
        assert "1 signature not checked" in two[1]

    def test_others_and_nobody(self, signed, verify, keys):
        wrong, both = verify(["--key", keys["mallory"]], ["--key", keys["alice"], "--key", keys["mallory"]])
        for code, told in (wrong, both):
            assert code == 1
            assert "no signature by " in told
            assert "only by others (4 signatures)" in told
        edit(signed, lambda _: [])
        ((code, told),) = verify(["--key", keys["alice"]])
        assert code == 1
        assert "or anybody [absent]" in told

    def test_half_a_hybrid_signature_and_a_false_one(self, signed, verify, keys):
        ids = [one["keyid"] for one in json.loads((signed / "mltrust.seal.json").read_text())["signatures"]]
        edit(signed, lambda found: found[:-1])
        ((code, told),) = verify(["--key", keys["carol"]])
        assert code == 1
        assert "no signature of its ml-dsa-65 key [incomplete]" in told
        edit(signed, lambda found: [{**found[0], "keyid": each} for each in ids])  # Alice's, under every name
        alice, carol = verify(["--key", keys["alice"]], ["--key", keys["carol"]])
        assert alice[0] == 0
        assert carol[0] == 1
        assert "is false: ed25519, ml-dsa-65 [invalid]" in carol[1]

    def test_the_key_id_is_a_hint(self, signed, verify, keys):
        edit(signed, lambda found: [{**each, "keyid": ""} for each in found])
        alice, carol = verify(["--key", keys["alice"]], ["--key", keys["carol"]])
        assert alice[0] == carol[0] == 0
        assert "3 signatures not checked" in alice[1]

    def test_what_is_no_key(self, mltrust, verify, keys):
        (mltrust.cwd / "junk").write_bytes(b"\0junk")
        small = mltrust.cwd / "small"
        small.write_bytes(bytes.fromhex("302a300506032b6570032100") + b"\1" + bytes(31))
        options = (
            ["--key", mltrust.cwd / "alice.key"],
            ["--key", mltrust.cwd / "junk"],
            ["--key", "nobody"],
            ["--key", "ssh-ed25519 AAAA"],
            ["--key", small],
            ["--identity", "release@example.org"],
            ["--issuer", "https://accounts.example.org"],
            ["--key", keys["alice"], "--content-only"],
            ["--certificate-chain", mltrust.cwd / "none.pem"],
        )
        said = ("private key", "not a public key", "neither a key", "not a public key", "small order")
        said += ("--identity and --issuer go together",) * 2 + ("name no anchor, key", "cannot be read")
        for (code, told), expected in zip(verify(*options), said, strict=True):
            assert code == 2, told
            assert expected in told

    def test_a_key_that_signs_is_not_handed_to_git_notes(self, verify, keys):
        ((code, told),) = verify(["--anchor", "git-notes:nowhere", "--key", keys["alice"]])
        assert code == 3
        assert "signed by" in told

    def test_json_and_the_other_commands(self, mltrust, signed, keys):
        commands = [[each, signed, "--key", keys["carol"], "--format", "json"] for each in ("verify", "anchors")]
        commands += [["prove", signed, "--file", "config.json", "--output", "p.json"]]
        commands += [["check", "p.json", "--key", keys[who]] for who in ("bob", "mallory")]
        report, anchors, *proof = mltrust.many(commands)
        for done in (report, anchors):
            assert done.code == 0
            check, left = (each for each in done.json()["checks"] if each["kind"] == "signature")
            assert (check["state"], check["outcome"], check["required"]) == ("verified", "pass", True)
            assert check["kinds"] == ["hybrid", "ed25519", "ml-dsa-65"]
            assert check["voice"].startswith("sha256:")
            assert left["outcome"] == "unchecked"
        assert [done.code for done in proof] == [0, 0, 1]


class TestPolicies:
    def test_two_of_three(self, verify, policy):
        met = policy("[trust]\nat_least = 2\nof = ['alice', 'bob', 'mallory']", name="met.toml")
        dave = "[signers.dave]\nkeys = ['dave.key.pub']\n"
        unmet = policy("[trust]\nat_least = 2\nof = ['alice', 'mallory', { signer = 'dave' }]", dave, "unmet.toml")
        (met.parent / "dave.key.pub").write_bytes(_another())
        mixed = policy(
            "[trust]\nrequire = ['own', { signer = 'carol' }]\n"
            "[[trust.groups]]\nname = 'lab'\nat_least = 1\nof = ['alice', 'mallory']\n"
            "[[trust.groups]]\nname = 'audit'\nof = ['bob', { anchor = 'own' }]",
            name="mixed.toml",
        )
        (one, told), (two, why), (three, both) = verify(*(["--policy", each] for each in (met, unmet, mixed)))
        assert one == 0, told
        assert "2 of 3 vouch, at least 2 must" in told
        assert two == 1
        assert "1 of 3 vouch, at least 2 must" in why
        assert "no signature by mallory, only by others" in why
        assert three == 2, "an anchor that is required adds nothing to a group"
        assert "names an anchor twice" in both

    def test_named_groups(self, verify, policy):
        audit = "[[trust.groups]]\nname = 'audit'\nof = ['bob']"
        lab = "[[trust.groups]]\nname = 'lab'\nof = ['alice', 'mallory']\nat_least ="
        files = [policy(f"[trust]\nrequire = ['own']\n{lab} {n}\n{audit}", name=f"{n}.toml") for n in (1, 2)]
        (one, met), (two, unmet) = verify(*(["--policy", each] for each in files))
        assert one == 0, met
        assert "audit: 1 of 1 vouch" in met
        assert two == 1
        assert "lab: 1 of 2 vouch, at least 2 must" in unmet

    def test_a_signer_the_policy_does_not_know(self, verify, policy, signed):
        undefined = policy("[trust]\nrequire = [{ signer = 'eve' }]", name="undefined.toml")
        unnamed = policy("[trust]\nrequire = ['eve']", name="unnamed.toml")
        (code, told), (other, why) = verify(["--policy", undefined], ["--policy", unnamed])
        assert code == other == 2
        assert "unknown signer 'eve'" in told
        assert "unknown signer" in why
        edit(signed, lambda found: found[1:2])  # Bob's alone
        ((code, told),) = verify(["--policy", policy("[trust]\nrequire = ['alice']")])
        assert code == 1
        assert "no signature by alice, only by others (1 signature)" in told
        assert "1 signature not checked: by nobody you named" in told

    def test_an_empty_policy_is_never_met(self, mltrust, verify, keys):
        texts = ("", "[trust]\n", "[trust]\nkinds = ['ed25519']\n", "[trust]\nrequire = []\nof = []\n", "[anchors]\n")
        files = [mltrust.cwd / f"{at}.toml" for at in range(len(texts))]
        for file, text in zip(files, texts, strict=True):
            file.write_text(text)
        options = [["--policy", file] for file in files]
        alone = verify(*([*each, "--content-only"] for each in options))
        assert [code for code, _ in alone] == [2] * len(files)
        for code, told in verify(*options, [*options[0], "--key", keys["alice"]]):
            assert code == 1
            assert "policy       FAIL  the policy names nobody: an empty policy is never met" in told

    def test_what_makes_no_sense(self, verify, policy):
        cases = [
            ("[trust]\nrequire = ['alice']\nquorum = 2", "", "[trust] knows no 'quorum'"),
            ("[trust]\nat_least = 0\nof = ['alice']", "", "at least 0 of 1"),
            ("[trust]\nat_least = 2\nof = ['alice']", "", "at least 2 of 1"),
            ("[[trust.groups]]\nname = 'x'\nat_least = 3\nof = ['alice', 'bob']", "", "x: at least 3 of 2"),
            ("[[trust.groups]]\nname = 'x'\nof = ['alice']\nmost = 1", "", "a group knows no 'most'"),
            ("[[trust.groups]]\nof = ['alice']", "", "needs a name"),
            ("[[trust.groups]]\nname = 'x'\nof = []", "", "at least 0 of 0"),
            ("[trust]\nrequire = ['alice']\nkinds = ['rsa']", "", "kinds must be"),
            ("[trust]\nrequire = [{ signer = 'alice', since = 1 }]", "", "knows no 'since'"),
            ("[trust]\nrequire = ['alice', { signer = 'alice' }]", "", "names a signer twice"),
            (
                "[trust]\nof = ['alice', 'ann']",
                "[signers.ann]\nkey = 'alice.key.pub'\n",
                "alice and ann are one signer",
            ),
            ("[trust]\nrequire = ['x']", "[signers.x]\nkey = 'alice.key.pub'\ncolour = 'red'\n", "knows no 'colour'"),
            ("[trust]\nrequire = ['x']", "[signers.x]\nidentity = 'a@example.org'\n", "in one way"),
            ("[trust]\nrequire = ['x']", "[signers.x]\nkey = 'none.pub'\n", "cannot be read"),
            ("[trust]\nrequire = ['own']", "[signers.own]\nkey = 'alice.key.pub'\n", "names an anchor and a signer"),
            ("[trust]\nrevocations = 'x'", "", "revocations must be a list"),
        ]
        files = [policy(trust, signers, f"{at}.toml") for at, (trust, signers, _) in enumerate(cases)]
        found = verify(*(["--policy", file] for file in files))
        for (code, told), (_, _, said) in zip(found, cases, strict=True):
            assert code == 2, told
            assert said in told
            assert ".toml" in told or said in ("cannot be read", "alice and ann are one signer")

    def test_required_kinds(self, verify, policy):
        tables = {
            "half": "[trust]\nrequire = ['alice']\nkinds = ['hybrid']",
            "wide": "[trust]\nrequire = ['alice', 'carol']\nkinds = ['hybrid', 'ml-dsa-65', 'ed25519']",
            "clock": "[trust]\nrequire = ['alice']\nkinds = ['ledger']",
            "ledger": "[trust]\nrequire = ['alice', 'own']\nkinds = ['ledger', 'ed25519']",
        }
        found = verify(*(["--policy", policy(text, name=f"{name}.toml")] for name, text in tables.items()))
        half, wide, clock, ledger = found
        assert half[0] == clock[0] == 1
        assert "nobody who vouches is of a kind that is asked for: hybrid" in half[1]
        assert "is asked for: ledger" in clock[1]
        assert wide[0] == ledger[0] == 0, found
        assert "every kind that is asked for vouches: ed25519, hybrid, ml-dsa-65" in wide[1]

    def test_the_users_own_configuration_may_name_nobody(self, mltrust, verify, keys, signed):
        own = mltrust.home / "config.toml"
        own.write_text("[trust]\nrevocations = []\n")
        assert verify([])[0][0] == 0, "the own ledger is asked"
        own.write_text("[trust]\nkinds = ['hybrid']\n")
        ((code, told),) = verify([])
        assert code == 1
        assert "nobody who vouches is of a kind that is asked for: hybrid" in told


def _another():
    return generate("ed25519", lambda size: b"\x09" * size).public.to_pem()


@pytest.mark.usefixtures("unmeasured")
class TestTimes:
    def test_a_window_counts_by_the_anchored_time(self, verify, policy):
        good = (0, "signed by alice")
        cases = (  # a window; what comes out with an anchored time, and without one
            (f"until = {FUTURE}", good, (3, "[untimed]")),
            (f"until = {PAST}", (1, "[expired]"), (3, "says since when the statement exists")),
            (f"since = {PAST}", good, good),
            (f"since = {FUTURE}", (1, "[not-yet-valid]"), good),
        )
        files = []
        for at, (window, *_) in enumerate(cases):
            signers = f"[signers.alice]\nkeys = [{{ key = 'alice.key.pub', {window} }}]\n"
            files += [policy("[trust]\nrequire = ['alice', 'own']", signers, f"{at}.toml")]
            files += [policy("[trust]\nrequire = ['alice']", signers, f"{at}-alone.toml")]
        expected = [outcome for _, *outcomes in cases for outcome in outcomes]
        for (code, told), (wanted, said) in zip(verify(*(["--policy", each] for each in files)), expected, strict=True):
            assert code == wanted, told
            assert said in told

    def test_a_key_that_was_replaced(self, verify, policy):
        """The old key and the new one have each their time; the statement was made in that of the new one."""
        old, new = f"{{ key = 'mallory.key.pub', until = {PAST} }}", f"{{ key = 'alice.key.pub', since = {PAST} }}"
        ((code, told),) = verify(
            ["--policy", policy("[trust]\nrequire = ['own', 'ada']", f"[signers.ada]\nkeys = [{old}, {new}]\n")]
        )
        assert code == 0, told
        assert "signed by ada" in told

    def test_an_anchor_that_cannot_be_asked_leaves_it_open(self, mltrust, verify, policy):
        signers = f"[anchors]\n[signers.alice]\nkeys = [{{ key = 'alice.key.pub', until = {PAST} }}]\n"
        file = policy(
            "[trust]\nrequire = ['alice']\nof = ['own', 'ledger:gone']\nat_least = 1",
            signers.removeprefix("[anchors]\n"),
        )
        ((code, told),) = verify(["--policy", file])
        assert code == 3
        assert "whether the statement is older could be said by ledger:" in told


class TestRevocations:
    def revoke(self, mltrust, *arguments):
        done = mltrust("key", "revoke", *arguments, "--format", "json")
        assert done.code == 0, done.err
        return done.json()["revocations"]

    @pytest.mark.usefixtures("unmeasured")
    def test_before_and_after_the_anchored_time(self, mltrust, verify, keys):
        key, own = ["--key", keys["alice"]], ["--anchor", f"ledger:{mltrust.home / 'data/ledger'}"]
        (entry,) = self.revoke(mltrust, keys["alice"], "--since", FUTURE, "--reason", "lost\x1b[31m it")
        assert entry["since"] == FUTURE
        (with_anchor, told), (alone, why) = verify([*key, *own], key)
        assert with_anchor == 0, told
        assert alone == 1
        assert f"is revoked since {FUTURE} (lost" in why
        assert "\x1b" not in why
        assert "nobody you trust proves that the statement is older [revoked]" in why
        assert "hint: Name an anchor" in why
        (entry,) = self.revoke(mltrust, keys["alice"], "--since", PAST)
        ((code, told),) = verify([*key, *own])
        assert code == 1
        assert f"revoked since {PAST}, and the statement is proven to exist since 20" in told
        (entry,) = self.revoke(mltrust, keys["alice"], "--since", "2020-01-01T00:00:00+01:00")
        assert entry["since"] == PAST, "the earlier time stays"
        assert verify(["--key", keys["bob"]])[0][0] == 0, "others' keys are as good as before"

    def test_half_a_hybrid_key_is_no_key(self, mltrust, verify, keys):
        half = [one.id for one in _parts(keys["carol"])][1]
        (entry,) = self.revoke(mltrust, half, "--since", PAST)
        assert entry["key"] == half
        assert verify(["--key", keys["carol"]])[0][0] == 1
        entries = self.revoke(mltrust, mltrust.cwd / "carol.key", keys["alice"])
        assert len(entries) == 3
        assert entries[1]["since"] == PAST

    @pytest.mark.usefixtures("unmeasured")
    def test_a_list_in_a_policy(self, mltrust, verify, policy, keys):
        self.revoke(mltrust, keys["alice"], "--since", PAST, "--list", mltrust.cwd / "revoked.json")
        required = policy("[trust]\nrequire = ['alice', 'own']\nrevocations = ['revoked.json']", name="all.toml")
        enough = policy(
            "[trust]\nat_least = 1\nof = ['alice', 'bob']\nrevocations = ['revoked.json']", name="some.toml"
        )
        (code, told), (other, why), (free, _) = verify(
            ["--policy", required], ["--policy", enough], ["--key", keys["alice"]]
        )
        assert code == 1
        assert "[revoked]" in told
        assert other == 0, why
        assert "1 of 2 vouch" in why
        assert "[revoked]" in why
        assert free == 0, "who named no such list is not told"

    @pytest.mark.parametrize(
        "text", [None, "", '{"mediaType": "x", "revocations": []}'], ids=["none", "empty", "other"]
    )
    def test_a_list_that_cannot_be_read_is_never_skipped(self, mltrust, verify, policy, keys, text):
        own, theirs = mltrust.home / "revocations.json", mltrust.cwd / "revoked.json"
        for path in (own, theirs):
            if text is None:
                path.symlink_to("nowhere")
            else:
                path.write_text(text)
        file = policy("[trust]\nrequire = ['bob']\nrevocations = ['revoked.json']")
        by_policy, by_own = verify(["--policy", file], ["--key", keys["bob"]])
        for (code, told), name in ((by_policy, "revo"), (by_own, "revocations.json")):
            assert code == 3, told
            assert name in told
        done = mltrust("key", "revoke", keys["alice"])
        assert done.code == 3, "nor is it written over"

    def test_where_nobody_can_look_nothing_is_taken_for_not_revoked(self, mltrust, signed, keys):
        (mltrust.cwd / "loop").symlink_to("loop")
        done = mltrust.at(mltrust.cwd / "loop")("verify", signed, "--key", keys["bob"])
        assert (done.code, "VERIFIED" in done.out) == (3, False)
        assert done.err.startswith("error: ")

    def test_what_cannot_be_revoked(self, mltrust, keys):
        wrong = (["none.pub"], [], [keys["alice"], "--since", "2026-01-01"], [keys["alice"], "--since", "soon"])
        for done in mltrust.many([["key", "revoke", *each] for each in wrong]):
            assert done.code in (2, 3), done.out
            assert done.err.startswith("error: ")
        assert not (mltrust.home / "revocations.json").exists()


def _parts(path: Path):
    return read_public_key(path.read_bytes(), "key").parts
