"""What a configuration may say, and that everything else is refused by name."""

from pathlib import Path

import pytest

from mltrust import Configuration, UsageError
from mltrust.interfaces import Home

KEY = "acme/log+5d2a3b1c+AQ=="


@pytest.fixture
def home(tmp_path):
    return Home(tmp_path / "data", tmp_path / "state")


@pytest.fixture
def read(tmp_path):
    def read_it(text):
        path = tmp_path / "config.toml"
        path.write_text(text)
        return Configuration.read(path)

    return read_it


def names(anchors):
    return [Path(anchor.name).name for anchor in anchors]


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[anchor]", "unknown key 'anchor'"),
        ("anchors = 1", "anchors must be a table"),
        ("[anchors]\nx = 1", "[anchors] needs lines such as"),
        ("[anchors]\n'ledger:x' = 'ledger:y'", "[anchors] needs lines such as"),
        ("[anchors]\nx = 'y'", "[anchors] needs lines such as"),
        ("[ledger]\nx = 1", "ledger.'x' must be a table"),
        ("trust = []", "trust must be a table"),
        ("[trust", "config.toml: "),
        ("a = " + "[" * 9999, "config.toml: "),
        ("a = " + "1" * 9999, "config.toml: "),
        ("[signers.a]\nkey = 'a'\nsince = 0001-01-01T00:00:00+01:00", "since is a time that UTC has not"),
        ("[signers.a]\nkey = 'a'\nuntil = 9999-12-31T23:59:59-01:00", "until is a time that UTC has not"),
    ],
)
def test_a_malformed_configuration(read, text, said):
    with pytest.raises(UsageError, match=r"config\.toml") as caught:
        read(text)
    assert said in str(caught.value)


def test_no_file_and_a_folder(tmp_path):
    for path in (tmp_path / "none", tmp_path):
        with pytest.raises(UsageError, match=r"cannot be read|not a regular file"):
            Configuration.read(path)


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ("requires = ['ledger:x']", "knows no 'requires'"),
        ("require = 'ledger:x'", "require must be a list"),
        ("require = [1]", "no entry of [trust]"),
        ("require = [{ uri = 'ledger:x' }]", "no entry of [trust]"),
        ("require = [{ anchor = 'ledger:x', key = 'y' }]", "no entry of [trust]"),
        ("require = [{ anchor = 1 }]", "is not what [trust] calls it"),
        ("require = [{ anchor = 'ledger:x', colour = 'red' }]", "'colour' is no setting of ledger anchors"),
        ("require = ['nobody']", "names no anchor, and is an unknown signer"),
        ("require = ['ledger:x', 'ledger:./y/../x']", "names an anchor twice"),
        ("require = ['ledger:x']\nof = ['ledger:x', 'ledger:y']\nat_least = 1", "names an anchor twice"),
        (f"require = ['{KEY}']", "is not an Ed25519 key"),
        ("at_least = 2\nof = ['ledger:x']", "at least 2 of 1"),
        ("at_least = 0\nof = ['ledger:x']", "at least 0 of 1"),
        ("at_least = true\nof = ['ledger:x']", "at_least must be"),
        ("at_least = 1\nrequire = ['ledger:x']", "at_least must be"),
    ],
)
def test_a_policy_that_makes_no_sense(read, home, table, said):
    configuration = read("[trust]\n" + table)
    with pytest.raises(UsageError) as caught:
        configuration.trust(home)
    assert said in str(caught.value)


@pytest.mark.parametrize(
    "text", ["", "[anchors]\n", "[trust]", "[trust]\nrequire = []\nof = []", "[trust]\nkinds = ['p256']"]
)
def test_a_policy_that_names_nobody_is_an_empty_one(read, home, text):
    trust = read(text).trust(home)
    assert trust.empty_policy
    assert not trust.names_somebody


def test_require_and_at_least(read, home):
    table = "require = ['ledger:a']\nat_least = 1\nof = ['ledger:b', { anchor = 'ledger:c' }]"
    trust = read("[trust]\n" + table).trust(home)
    assert names(trust.anchors) == ["a"]
    (group,) = trust.groups
    assert names(group.members) == ["b", "c"]
    assert group.at_least == 1
    (group,) = read("[trust]\nof = ['ledger:b', 'ledger:c']").trust(home).groups
    assert group.at_least == 2, "all, where nothing is said"


def test_a_policy_lies_over_the_configuration(read, home):
    own = read("[anchors]\na = 'ledger:a'\nb = 'ledger:b'\n[trust]\nrequire = ['a']")
    policy = read("[anchors]\nb = 'ledger:other'\n[trust]\nrequire = ['a', 'b']").over(own)
    assert names(policy.trust(home).anchors) == ["a", "other"]
    assert read("[anchors]\n").over(own).trust(home).empty_policy, "what the user's own says is not what was demanded"


def test_settings_go_to_their_uri(read, home):
    configuration = read("[anchors]\nt = 'rfc3161:http://127.0.0.1:9/'\n[rfc3161.'http://127.0.0.1:9/']\ncolour = 1")
    with pytest.raises(UsageError, match="'colour' is no setting of rfc3161 anchors"):
        configuration.open("t", home)


def test_an_option_nobody_understands(home):
    with pytest.raises(UsageError, match="push is for other anchors than ledger:a"):
        Configuration().open_all(["ledger:a"], home, {"push": "origin"})
    with pytest.raises(UsageError, match="push is for other anchors than those a policy or nobody names"):
        Configuration().open_all([], home, {"push": "origin"})


def test_paths_count_from_the_file_that_names_them(read, home, tmp_path, monkeypatch):
    (tmp_path / "artifact").mkdir()
    monkeypatch.chdir(tmp_path / "artifact")
    configuration = read("[anchors]\nown = 'ledger:log'\n[trust]\nrequire = ['own']\nof = ['git-notes:repo']")
    trust = configuration.trust(home)
    assert trust.anchors[0].name == f"ledger:{tmp_path / 'log'}"
    assert trust.groups[0].members[0].name == f"git-notes:{tmp_path / 'repo'}"


@pytest.mark.parametrize("spelling", ["L", "./L", "x/../L", "L/", "{there}/L", "{there}//./L"])
def test_settings_hold_however_the_path_is_spelled(read, tmp_path, monkeypatch, spelling):
    monkeypatch.chdir(tmp_path)
    configuration = read(f"[ledger.'{tmp_path}/L/']\nwitnesses = ['x']")
    assert configuration.settings_for("ledger:" + spelling.format(there=tmp_path)) == {"witnesses": ["x"]}
    assert configuration.settings_for("ledger:other") == {}


class TestSigners:
    @pytest.fixture(autouse=True)
    def _keys(self, new_key, tmp_path):
        for seed, name in enumerate(("old", "new"), 1):
            new_key(tmp_path / f"{name}.key", seed=seed)

    def test_every_form(self, read, home, tmp_path, monkeypatch):
        (tmp_path / "artifact").mkdir()
        monkeypatch.chdir(tmp_path / "artifact")
        pem = (tmp_path / "new.key.pub").read_text()
        text = "[signers]\na.key = 'old.key.pub'\nb.keys = ['old.key.pub', { key = '''" + pem + "''', "
        text += (
            "since = 2026-01-01T01:00:00+01:00, until = 2026-02-01T00:00:00Z }]\n[trust]\nrequire = [{ signer = 'b' }]"
        )
        configuration = read(text)
        (signer,) = configuration.trust(home).signers
        first, second = signer.keys
        assert configuration.signer("a").ids == {first.verifier.ids[0]}
        assert (first.since, first.until) == (None, None)
        assert [second.since.isoformat(), second.until.isoformat()] == [
            "2026-01-01T00:00:00+00:00",
            "2026-02-01T00:00:00+00:00",
        ]

    @pytest.mark.parametrize(
        ("table", "said"),
        [
            ("", "in one way"),
            ("key = 1", "key must be a text"),
            ("key = ''", "key must be a text"),
            ("key = 'x'\ncertificate_chain = 'y'", "in one way"),
            ("key = 'x'\ntrust_root = 'y'", "knows no 'trust_root'"),
            ("identity = 'x'\nissuer = 'y'\nkey = 'z'", "in one way"),
            ("keys = []", "keys must be a list"),
            ("keys = ['x']\nkey = 'y'", "keys must be a list"),
            ("keys = [1]", "is no key"),
            ("key = 'x'\nsince = '2026-01-01'", "since must be a time"),
            ("key = 'x'\nsince = 2026-01-01T00:00:00", "since must be a time"),
            ("key = 'x'\nsince = 2026-01-01", "since must be a time"),
            ("key = 'x'\nuntil = 2026-01-01T00:00:00.5Z", "until must be a time"),
            ("key = 'x'\nsince = 2026-01-01T00:00:00Z\nuntil = 2026-01-01T00:00:00Z", "would never count"),
        ],
    )
    def test_what_makes_no_sense(self, read, table, said):
        with pytest.raises(UsageError, match=r"config\.toml: \[signers\.x\]") as caught:
            read(f"[signers.x]\n{table}")
        assert said in str(caught.value)

    def test_names(self, read):
        for name in ("'a:b'", "''", f"'{KEY}'"):
            with pytest.raises(UsageError, match="is no table of a signer"):
                read(f"[signers.{name}]\nkey = 'x'")
        with pytest.raises(UsageError, match="names an anchor and a signer"):
            read("[anchors]\nx = 'ledger:y'").over(read("[signers.x]\nkey = 'old.key.pub'"))

    def test_one_key_twice(self, read):
        with pytest.raises(UsageError, match="has a key twice"):
            read("[signers.x]\nkeys = ['old.key.pub', 'old.key.pub']").signer("x")

    def test_revocations_of_both_hold(self, read, tmp_path):
        one, two = (read(f"[trust]\nrevocations = ['{name}.json']") for name in ("one", "two"))
        assert one.over(two).revocations == (tmp_path / "two.json", tmp_path / "one.json")
