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
        ("", "names nobody"),
        ("require = []\nof = []", "names nobody"),
        ("requires = ['ledger:x']", "knows no 'requires'"),
        ("require = 'ledger:x'", "require must be a list"),
        ("require = [1]", "no entry of [trust]"),
        ("require = [{ uri = 'ledger:x' }]", "no entry of [trust]"),
        ("require = [{ anchor = 'ledger:x', key = 'y' }]", "no entry of [trust]"),
        ("require = [{ anchor = 1 }]", "is not what [trust] calls it"),
        ("require = [{ anchor = 'ledger:x', colour = 'red' }]", "'colour' is no setting of ledger anchors"),
        ("require = ['nobody']", "names no anchor"),
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


def test_no_policy_is_none(read, home):
    with pytest.raises(UsageError, match=r"no \[trust\] table"):
        read("[anchors]\n").trust(home)


def test_require_and_at_least(read, home):
    table = "require = ['ledger:a']\nat_least = 1\nof = ['ledger:b', { anchor = 'ledger:c' }]"
    trust = read("[trust]\n" + table).trust(home)
    assert names(trust.anchors) == ["a"]
    assert names(trust.quorum.anchors) == ["b", "c"]
    assert trust.quorum.at_least == 1
    assert read("[trust]\nof = ['ledger:b', 'ledger:c']").trust(home).quorum.at_least == 2, "all, where nothing is said"


def test_a_policy_lies_over_the_configuration(read, home):
    own = read("[anchors]\na = 'ledger:a'\nb = 'ledger:b'\n[trust]\nrequire = ['a']")
    policy = read("[anchors]\nb = 'ledger:other'\n[trust]\nrequire = ['a', 'b']").over(own)
    assert names(policy.trust(home).anchors) == ["a", "other"]
    with pytest.raises(UsageError, match=r"no \[trust\] table"):
        read("[anchors]\n").over(own).trust(home)


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
    assert trust.quorum.anchors[0].name == f"git-notes:{tmp_path / 'repo'}"


@pytest.mark.parametrize("spelling", ["L", "./L", "x/../L", "L/", "{there}/L", "{there}//./L"])
def test_settings_hold_however_the_path_is_spelled(read, tmp_path, monkeypatch, spelling):
    monkeypatch.chdir(tmp_path)
    configuration = read(f"[ledger.'{tmp_path}/L/']\nwitnesses = ['x']")
    assert configuration.settings_for("ledger:" + spelling.format(there=tmp_path)) == {"witnesses": ["x"]}
    assert configuration.settings_for("ledger:other") == {}
