"""`mltrust config`: every value with its origin, and nothing secret."""

import pytest

CONFIG = """
[anchors]
release = "ledger:/srv/releases"
tsa = "rfc3161:https://user:hunter1@tsa.example/hunter2?token=hunter3"

[signers.ci]
identity = "https://github.com/acme/model/.github/workflows/release.yml@refs/heads/main"
issuer = "https://token.actions.githubusercontent.com"

[signers.bob]
keys = ["old.pub", { key = "new.pub", since = 2026-01-01T00:00:00Z }]

[ethereum.sepolia]
rpc = ["https://node.example/v3/hunter4", "http://localhost:8545"]
signer = "external:./sign --pin hunter5"
trust_block = "0xaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
contract = "0xbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
quorum = 2
private_key = "hunter6"
unheard_of = "hunter7"

[remote.s3]
endpoint_url = "https://store.example:9000"
secret = "hunter8"

[rfc3161."https://user:hunter9@tsa.example/hunter10"]
roots = "roots.pem"

[[trust.groups]]
name = "auditors"
of = ["bob", { anchor = "ethereum:sepolia", token = "hunter11", authors = "0x000000000000000000000000000000000000aa" }]
"""
SHOWN = {
    "anchors.release": "ledger:/srv/releases",
    "anchors.tsa": "rfc3161:https://tsa.example/…?…",
    "signers.ci.identity": "https://github.com/acme/model/.github/workflows/release.yml@refs/heads/main",
    "signers.ci.issuer": "https://token.actions.githubusercontent.com",
    "signers.bob.keys[0]": "old.pub",
    "signers.bob.keys[1].key": "new.pub",
    "signers.bob.keys[1].since": "2026-01-01T00:00:00+00:00",
    "ethereum.sepolia.rpc": ["https://node.example/…", "http://localhost:8545"],
    "ethereum.sepolia.signer": "external:…",
    "ethereum.sepolia.trust_block": "0x" + "a" * 64,
    "ethereum.sepolia.contract": None,
    "ethereum.sepolia.quorum": 2,
    "ethereum.sepolia.private_key": None,
    "ethereum.sepolia.unheard_of": None,
    "remote.s3.endpoint_url": "https://store.example:9000",
    "remote.s3.secret": None,
    'rfc3161."https://tsa.example/…".roots': "roots.pem",
    "trust.groups[0].name": "auditors",
    "trust.groups[0].of[0]": "bob",
    "trust.groups[0].of[1].anchor": "ethereum:sepolia",
    "trust.groups[0].of[1].token": None,
    "trust.groups[0].of[1].authors": "0x000000000000000000000000000000000000aa",
}
HIDDEN = {"tsa", "rpc", "signer", "contract", "private_key", "unheard_of", "secret", "token"}


@pytest.fixture
def configured(mltrust):
    mltrust.home.mkdir()
    (mltrust.home / "config.toml").write_text(CONFIG)
    return mltrust


def test_every_value_of_the_file_is_shown_with_its_key_and_no_secret(configured):
    text, data = configured.many([("config", "show"), ("config", "show", "--format", "json")])
    assert (text.code, text.err) == (data.code, data.err) == (0, "")
    assert "hunter" not in text.out + data.out
    file = str(configured.home / "config.toml")
    found = {each["name"]: each for each in data.json()["settings"] if each["origin"] == "file"}
    assert {name: each["value"] for name, each in found.items()} == SHOWN
    assert {each["file"] for each in found.values()} == {file}
    assert {name.rpartition(".")[2] for name, each in found.items() if each["hidden"]} == HIDDEN
    for name in SHOWN:
        assert name in text.out
    assert text.out.count("(hidden)") == sum(value is None for value in SHOWN.values())


def test_the_origin_of_what_no_file_says(mltrust, tmp_path):
    more = {"XDG_DATA_HOME": str(tmp_path / "xdg"), "MLTRUST_HOME": "", "HOME": str(tmp_path), "NO_COLOR": "1"}
    data = mltrust("config", "show", "--format", "json", env=more).json()
    assert [each["found"] for each in data["files"]] == [False, False]
    origins = {each["name"]: each["variable"] or each["origin"] for each in data["settings"]}
    assert (origins["folders.state"], origins["color"], origins["debug"]) == ("default", "NO_COLOR", "default")
    if str(tmp_path / "xdg") in str(data):  # not every system asks for it
        assert origins["folders.data"] == origins["own-ledger"] == "XDG_DATA_HOME"
    one = mltrust("config", "show", "--format", "json", env={"MLTRUST_DEBUG": "1"}).json()["settings"]
    origins = {each["name"]: each["variable"] for each in one}
    assert (origins["folders.data"], origins["own-ledger"], origins["debug"]) == (
        "MLTRUST_HOME", "MLTRUST_HOME", "MLTRUST_DEBUG",
    )  # fmt: skip


def test_nothing_is_passed_over_in_silence(configured):
    done = configured("config", "show", env={"MLTRUST_HOEM": "x"})
    assert done.code == 0
    assert done.err == "note: MLTRUST_HOEM means nothing to mltrust\n"
    for text, said in (
        ("[anchors\n", "config.toml"),
        ("[unknown]\n", "unknown key"),
        ("[anchors]\na = 1\n", "[anchors]"),
    ):
        (configured.home / "config.toml").write_text(text)
        done = configured("config", "show")
        assert (done.code, done.out) == (2, "")
        assert said in done.err
    assert configured("config", "path").out == f"{configured.home / 'config.toml'}\n"


def test_names_from_a_file_cannot_move_the_cursor(configured):
    (configured.home / "config.toml").write_text('[anchors]\n"a\\u001b[2Jb" = "ledger:\\u202ex"\n')
    done = configured("config", "show")
    assert done.code == 0
    assert "\x1b" not in done.out
    assert "\u202e" not in done.out
