"""What a user's configuration may say of a chain."""

import pytest

from mltrust import open_anchor
from mltrust.anchors.ethereum.chain.profiles import PROFILES, Kind, config_of
from mltrust.anchors.ethereum.proof.addresses import checksummed, parse_address
from mltrust.errors import UsageError
from mltrust.interfaces import Home

NODE = "https://node.example"
ADDRESS = "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"  # of EIP-55


def test_profiles_by_name_and_by_number():
    ids = {"mainnet": 1, "optimism": 10, "base": 8453, "arbitrum": 42161, "sepolia": 11155111, "hoodi": 560048}
    for name, chain_id in ids.items():
        assert config_of(f"ethereum:{name}", {}).profile.chain_id == chain_id
        assert config_of(f"ethereum:{chain_id}", {}).name == f"ethereum:{name}"
    assert config_of("ethereum:424242", {}).profile.kind is Kind.MAIN
    assert {name for name, profile in PROFILES.items() if profile.kind is Kind.MAIN} == {
        "mainnet",
        "optimism",
        "base",
        "arbitrum",
    }


def test_the_local_chain_may_have_any_id():
    assert config_of("ethereum:local", {"chain_id": 1337}).profile.chain_id == 1337
    assert config_of("ethereum:local", {"chain_id": 1337}).profile.kind is Kind.DEV
    assert config_of("ethereum:local", {"chain_id": 5}).profile.kind is Kind.MAIN
    assert config_of("ethereum:local", {"chain_id": 11155111}).profile.kind is Kind.TESTNET
    with pytest.raises(UsageError, match="sepolia has the id 11155111"):
        config_of("ethereum:sepolia", {"chain_id": 1})


@pytest.mark.parametrize(
    "uri",
    ["ethereum:", "ethereum", "ethereum:nowhere", "ethereum:0", "ethereum:01", "ethereum:-1", "ethereum:" + "9" * 40],
)
def test_what_names_no_chain(uri):
    with pytest.raises(UsageError):
        config_of(uri, {})


def test_a_quorum_is_two_where_there_are_two():
    nodes = [f"https://{number}.example" for number in range(4)]
    assert [config_of("ethereum:1", {"rpc": nodes[:number]}).quorum for number in range(5)] == [1, 1, 2, 2, 2]
    assert config_of("ethereum:1", {"rpc": nodes, "quorum": 4}).quorum == 4
    with pytest.raises(UsageError, match="2 of 1 nodes cannot agree"):
        config_of("ethereum:1", {"rpc": NODE, "quorum": 2})


def test_one_or_several():
    assert config_of("ethereum:1", {"rpc": NODE}).rpc == (NODE,)
    assert config_of("ethereum:1", {"authors": ADDRESS}).authors == frozenset({parse_address(ADDRESS, "")})
    assert config_of("ethereum:1", {"authors": []}).authors == frozenset()
    assert config_of("ethereum:1", {}).authors is None
    block = "0x" + "ab" * 32
    assert config_of("ethereum:1", {"trust_block": [block, block]}).trusted_blocks == {bytes.fromhex("ab" * 32)}


def test_amounts():
    config = config_of("ethereum:1", {"max_fee_gwei": 1.5, "max_cost": "0.25"})
    assert (config.max_fee, config.max_cost) == (1_500_000_000, 25 * 10**16)
    assert config_of("ethereum:1", {}).max_cost == 10**16


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("rpc", 5),
        ("rpc", [5]),
        ("rpc", "node.example"),
        ("rpc", "ftp://node.example"),
        ("rpc", "file:///etc/passwd"),
        ("rpc", "http://"),
        ("rpc", "https://user:secret@node.example"),
        ("rpc", "https://node.example/#x"),
        ("rpc", "https://node.example/\n"),
        ("rpc", "https://[node"),
        ("rpc", [NODE, NODE]),
        ("rpc", [f"https://{number}.example" for number in range(17)]),
        ("chain_id", "1"),
        ("chain_id", True),
        ("chain_id", 0),
        ("quorum", 0),
        ("quorum", 1.0),
        ("authors", 5),
        ("authors", ["0x12"]),
        ("authors", ADDRESS[:-1] + "D"),
        ("contract", "0x" + "zz" * 20),
        ("contract", [ADDRESS]),
        ("mode", "storage"),
        ("trust_block", "ab" * 32),
        ("trust_block", "0x" + "ab" * 31),
        ("signer", 5),
        ("password_file", 5),
        ("max_fee_gwei", "much"),
        ("max_fee_gwei", True),
        ("max_fee_gwei", 0),
        ("max_fee_gwei", "NaN"),
        ("max_cost", "-1"),
        ("max_cost", "Infinity"),
        ("max_cost", "1e99"),
        ("confirmations", 0),
        ("confirmations", "5"),
        ("timeout", -1),
        ("timeout", "soon"),
    ],
)
def test_what_makes_no_sense_is_refused_by_name(name, value, tmp_path):
    with pytest.raises(UsageError, match=name) as raised:
        open_anchor("ethereum:sepolia", Home(tmp_path, tmp_path), {name: value})
    assert "secret" not in str(raised.value)


@pytest.mark.parametrize("key", ["ab" * 32, "0x" + "ab" * 32, "0X" + "AB" * 32])
@pytest.mark.parametrize("name", ["signer", "password_file", "authors", "contract", "max_cost", "trust_block"])
def test_a_private_key_is_refused_wherever_it_stands(name, key):
    for value in (key, f"keystore:{key}", f"external:{ADDRESS} sign --key={key}", f"x{key}x"):
        if name == "trust_block" and value == "0x" + "ab" * 32:
            continue  # so a block hash is written
        for given in (value, [value]):
            with pytest.raises(UsageError, match=f"{name}: a private key was given") as raised:
                config_of("ethereum:1", {"rpc": NODE, name: given})
            assert "abab" not in f"{raised.value}{raised.value.hint}".lower()


def test_a_private_key_is_not_repeated_as_the_name_of_a_chain():
    for key in ("ab" * 32, "0X" + "ab" * 32):
        with pytest.raises(UsageError, match="a private key was given") as raised:
            config_of(f"ethereum:{key}", {})
        assert "abab" not in str(raised.value)


def test_a_node_may_have_a_long_secret():
    assert config_of("ethereum:1", {"rpc": f"{NODE}/{'ab' * 32}"}).rpc == (f"{NODE}/{'ab' * 32}",)


def test_a_setting_nobody_knows(tmp_path):
    with pytest.raises(UsageError, match="is no setting"):
        open_anchor("ethereum:sepolia", Home(tmp_path, tmp_path), {"gas": 5})


def test_opening_touches_nothing(tmp_path):
    home = Home(tmp_path / "data", tmp_path / "state")
    assert open_anchor("ethereum:sepolia", home, {"rpc": NODE}).name == "ethereum:sepolia"
    assert list(tmp_path.iterdir()) == []


def test_checksums():
    for address in (
        ADDRESS,
        "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
        "0xD1220A0cf47c7B9Be7A2E6BA89F429762e7b9aDb",
    ):
        assert checksummed(parse_address(address, "x")) == address
        assert parse_address(address.lower(), "x") == parse_address(address, "x")
    with pytest.raises(UsageError, match="checksum"):
        parse_address("0x5aaeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "x")
    with pytest.raises(UsageError) as raised:
        parse_address("11" * 32, "authors")
    assert "1111" not in str(raised.value)
