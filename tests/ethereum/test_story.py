"""From sealing to verifying, with the installed command, on real chains."""

import json
import re
from pathlib import Path

import pytest
from jsonschema import Draft202012Validator
from web3 import Web3

from mltrust import Outcome, api
from mltrust.sealfile import read_seal_file

AUTHOR = ("0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "0x7E5F4552091A69125d5DfCb7b8C2659029395Bdf")
STRANGER = "0x000000000000000000000000000000000000dEaD"


@pytest.fixture
def model(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "config.json").write_text("{}")
    return folder


def evidence_of(model):
    (receipt,) = json.loads((model / "mltrust.seal.json").read_text())["receipts"]
    return receipt["evidence"]


def schema_of(name):
    return json.loads((Path(__file__).parents[2] / f"docs/schemas/{name}.schema.json").read_text())


@pytest.mark.usefixtures("unmeasured")
def test_seal_anchor_verify(chain, user, model):
    sealer = user(chain).configure()
    deployed = sealer.run("ethereum", "deploy", "--to", "ethereum:local")
    assert "0x69517DB5B5A7A08114a7395C473B3682CaC31d6b" in deployed
    assert "it was there already" in sealer.run("ethereum", "deploy", "--to", "ethereum:local")
    again = json.loads(sealer.run("ethereum", "deploy", "--to", "ethereum:local", "-q", "--format", "json"))
    Draft202012Validator(schema_of("ethereum-deployed")).validate(again)
    assert again["contract"] in deployed
    assert again["transaction"] is None

    told = sealer.run("seal", model, "--anchor", "ethereum:local")
    assert re.search(r"1 digest on ethereum:local \(chain \d+\), from 0x\w+: about [\d.]+ ETH, at most", told)
    chain.mine(3)
    assert "final" in sealer.run("ethereum", "status")
    shown = sealer.run("verify", model, "--anchor", "ethereum:local")
    assert "VERIFIED" in shown
    assert "single-rpc" in shown
    (model / "config.json").write_text("[]")
    sealer.run("verify", model, "--anchor", "ethereum:local", code=1)


@pytest.mark.usefixtures("unmeasured")
def test_verifying_elsewhere(chain, user, deployed, model, tmp_path):
    sealer = deployed(chain).configure()
    sealer.run("seal", model, "--anchor", "ethereum:local")
    chain.mine(3)
    author = next(address for address in AUTHOR if Web3.to_bytes(hexstr=address) in sealer.anchor().authors())
    block = "0x" + evidence_of(model)["block_hash"]
    named = ("verify", model, "--anchor", "ethereum:local", "--author", author)

    # With the node up; whose announcement it is has to be said.
    reader = user(chain, name="reader").configure(signer=None)
    told, verified, stranger = reader.many({named[:-2]: 3, named: 0, (*named[:-1], STRANGER): 1})
    assert "no account is named" in told
    assert "--author ADDRESS" in told
    assert author not in told
    assert "VERIFIED" in verified
    assert "whom you do not trust" in stranger

    # With the node down, from the receipt and a block hash; from what was remembered; from nothing.
    chain.stop()
    newcomer = user(chain, name="newcomer").configure(signer=None)
    given, remembered = reader.many({(*named, "--trust-block", block): 0, named: 0})
    assert "given-block" in given
    assert "remembered" in remembered
    assert "nobody was asked" in user(chain, name="third").configure(signer=None, rpc=[]).run(*named, code=3)

    # The last five are somebody else's: of another account, contract, chain or block.
    wrong = ("verify", model, "--anchor", "ethereum:local", "--trust-block", block)
    elsewhere = ("verify", model, "--anchor", "ethereum:sepolia")
    given, unknown, account, contract, other_chain, unnamed, _ = newcomer.many({
        (*named, "--trust-block", block): 0,
        named: 3,
        (*wrong, "--author", STRANGER): 1,
        (*wrong, "--author", author, "--contract", STRANGER): 1,
        (*elsewhere, "--author", author): 1,
        elsewhere: 3,
        (*named, "--trust-block", "0x" + "11" * 32): 3,
    })  # fmt: skip
    assert "given-block" in given
    assert "--trust-block" in unknown
    assert "whom you do not trust" in account
    assert "of contract" in contract
    assert f"of chain {chain.chain_id}, not 11155111" in other_chain
    assert "no account is named" in unnamed


def test_nothing_stored_and_no_node(chain, user, deployed, model):
    sealer = deployed(chain).configure()
    sealer.run("seal", model, "--no-anchor")
    chain.stop()
    author = ("--author", STRANGER)
    assert "cannot be reached" in sealer.run("verify", model, "--anchor", "ethereum:local", *author, code=3)
    nobody = user(chain, name="reader").configure(signer=None)
    told = nobody.run("verify", model, "--anchor", "ethereum:local", code=3)
    assert "no account is named" in told
    assert "--author" in told


def test_a_receipt_that_is_lost_is_found_on_the_chain(chain, user, deployed, model):
    sealer = deployed(chain).configure()
    sealer.run("seal", model, "--anchor", "ethereum:local")
    chain.mine(3)
    seal = model / "mltrust.seal.json"
    text = seal.read_text()
    stripped = text[: text.index('"receipts": [')] + '"receipts": []\n}\n'
    json.loads(stripped)
    seal.write_text(stripped)
    author = next(address for address in AUTHOR if Web3.to_bytes(hexstr=address) in sealer.anchor().authors())
    reader = user(chain, name="reader").configure(signer=None)
    assert "VERIFIED" in reader.run("verify", model, "--anchor", "ethereum:local", "--author", author)
    reader.run("verify", model, "--anchor", "ethereum:local", "--author", STRANGER, code=1)


def test_status_and_resume(anvil, deployed, model, tmp_path):
    sealer = deployed(anvil).configure(timeout=0)
    anvil.rpc("evm_setAutomine", False)
    sent, listed, waiting, bumped, told = sealer.many({
        ("seal", model, "--anchor", "ethereum:local"): 3,
        ("ethereum", "status"): 0,
        ("ethereum", "resume"): 3,
        ("ethereum", "resume", "--bump"): 3,
        ("ethereum", "status", "--to", "ethereum:local", "--format", "json"): 0,
    })  # fmt: skip
    assert "in no block after 0 s" in sent
    assert not (model / "mltrust.seal.json").exists()
    assert "nonce 1  sent  1 digest" in listed
    assert "hint: Nothing is lost" in waiting
    assert "replacing transaction" in bumped
    told = json.loads(told)
    Draft202012Validator(schema_of("ethereum-status")).validate(told)
    (batch,) = [each for each in told["transactions"] if each["purpose"] == "anchor"]
    assert (batch["stage"], batch["digests"], len(batch["transactions"]), batch["paid_wei"]) == ("sent", 1, 2, None)

    sealer.run("seal", model, "--no-anchor")  # what was to be sealed with the receipt
    anvil.mine(4)
    resumed, again, verified = sealer.many({
        ("ethereum", "resume"): 0,
        ("ethereum", "resume", "-q", "--format", "json"): 0,
        ("verify", model, "--anchor", "ethereum:local"): 0,
    })  # fmt: skip
    assert "1 seal with ethereum:local receipts" in resumed
    Draft202012Validator(schema_of("ethereum-resumed")).validate(json.loads(again))
    assert "VERIFIED" in verified
    assert sealer.run("ethereum", "resume") == ""
    anvil.stop()
    listed, _ = sealer.many({("ethereum", "status"): 3, ("ethereum", "resume"): 3})
    assert "nonce 1  final  1 digest" in listed


def test_a_seal_that_went_or_changed_is_left_alone(anvil, deployed, tmp_path):
    sealer = deployed(anvil).configure(timeout=0)
    anvil.rpc("evm_setAutomine", False)
    seals = []
    for name in ("stays", "changed", "gone"):
        (tmp_path / name).write_text(name)
        seals.append(api.seal(tmp_path / name).path)
    sealer.run("anchor", *seals, "--to", "ethereum:local", code=3)
    stays, changed, gone = seals
    gone.unlink()
    api.seal(tmp_path / "changed", annotations={"note": "another statement"})
    before = changed.read_bytes()
    anvil.mine(4)
    assert "1 seal with ethereum:local receipts" in sealer.run("ethereum", "resume")
    assert changed.read_bytes() == before
    assert not gone.exists()
    assert len(read_seal_file(stays).receipts) == 1
    assert sealer.run("ethereum", "resume") == ""


def test_what_is_not_ethereum_is_the_callers_error(anvil, user, tmp_path):
    made = user(anvil)
    made.folder.mkdir()
    assert "no Ethereum chain is configured" in made.run("ethereum", "status", code=2)
    assert "names no Ethereum chain" in made.run("ethereum", "status", "--to", f"ledger:{tmp_path}", code=2)
    assert "no node is configured" in made.run("ethereum", "deploy", "--to", "ethereum:sepolia", code=2)
    made.configure(signer="11" * 32)
    told = made.run("ethereum", "deploy", "--to", "ethereum:local", code=2)
    assert "a private key was given" in told
    assert "1111" not in told


@pytest.mark.slow
@pytest.mark.usefixtures("unmeasured")
def test_a_thousand_seals_in_one_transaction(anvil, deployed, tmp_path):
    sealer = deployed(anvil)
    before = anvil.head
    (tmp_path / "data").write_text("the same for all")
    paths = [tmp_path / f"{number}.seal.json" for number in range(1000)]
    for number, path in enumerate(paths):
        api.seal(tmp_path / "data", output=path, annotations={"number": str(number)})
    backend = sealer.anchor()
    bundles = api.anchor(paths, backend)
    assert anvil.head == before + 1
    block = anvil.rpc("eth_getBlockByNumber", "latest", True)
    assert len(block["transactions"]) == 1
    assert 22_000 < int(block["gasUsed"], 16) < 25_000
    anvil.mine(3)
    for path, bundle in zip(paths, bundles, strict=True):
        receipt = read_seal_file(path).receipts[0]
        assert receipt.evidence["batch"]["size"] == 1000
        assert len(receipt.evidence["batch"]["path"]) <= 10
        assert backend.confirm(receipt, bundle.statement.digest()).outcome is Outcome.PASS
    assert api.anchor(paths, backend) == bundles
    assert anvil.head == before + 4
