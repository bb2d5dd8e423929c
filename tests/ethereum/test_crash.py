"""Killed at any instant: no seal is damaged, nothing is sent under two nonces, and `resume` ends the story.

MLTRUST_KILLS says how often it is killed (8 by default).
"""

import os
import random
import signal
import subprocess
import time

import pytest

from mltrust import Outcome, api
from mltrust.anchors.ethereum.proof import contract
from mltrust.sealfile import read_seal_file

pytestmark = pytest.mark.usefixtures("unmeasured")

KILLS = int(os.environ.get("MLTRUST_KILLS", "8"))


def announced(chain):
    """Return the commitment of every announcement on the chain."""
    filter_ = {"fromBlock": "0x0", "address": f"0x{contract.ADDRESS.hex()}"}
    return [log["topics"][1] for log in chain.rpc("eth_getLogs", filter_)]


def used(chain, address):
    return int(chain.rpc("eth_getTransactionCount", address, "latest"), 16)


@pytest.mark.slow
@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
def test_killed_at_random_instants(anvil, deployed, between, tmp_path):
    distance = [0.05]

    def distant(request, pass_on):
        time.sleep(distance[0])  # as if the node were far away: more of the time is spent in the middle of things
        return pass_on(request)

    made = deployed(anvil).configure(rpc=[between(anvil, distant).url])
    me = anvil.rpc("eth_accounts")[0]
    (tmp_path / "data").write_text("the same for all")
    seals = [tmp_path / f"{number}.seal.json" for number in range(2 * KILLS)]
    for number, seal in enumerate(seals):
        api.seal(tmp_path / "data", output=seal, annotations={"number": str(number)})
    before = [seal.read_bytes() for seal in seals]
    seed = random.randrange(2**32)
    print(f"seed {seed}")
    chance = random.Random(seed)

    # How long it takes undisturbed.
    rehearsal = tmp_path / "rehearsal.seal.json"
    api.seal(tmp_path / "data", output=rehearsal, annotations={"number": "none"})
    began = time.monotonic()
    made.run("anchor", rehearsal, "--to", "ethereum:local")
    whole = time.monotonic() - began

    found = {"nothing": 0, "journaled": 0, "written": 0}
    for number in range(KILLS):
        pair = seals[2 * number : 2 * number + 2]
        quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
        with made.start("anchor", *pair, "--to", "ethereum:local", **quiet) as process:
            time.sleep(chance.uniform(0.4 * whole, 1.1 * whole))
            process.send_signal(signal.SIGKILL)
        bundles = [read_seal_file(seal, whole=True) for seal in pair]
        entries = [entry for entry in made.anchor().journal.everywhere() if entry.holds(bundles[0].statement.digest())]
        written = all(bundle.receipts for bundle in bundles)
        found["written" if written else "journaled" if entries else "nothing"] += 1
        assert len(entries) <= 1
        distance[0] = 0
        anvil.mine(3)
        made.run("ethereum", "resume")
        if entries:  # its story has ended: nothing is left to do but to wait
            for seal in pair:
                assert len(read_seal_file(seal).receipts) == 1
        else:
            assert [seal.read_bytes() for seal in pair] == before[2 * number : 2 * number + 2]
            made.run("anchor", *pair, "--to", "ethereum:local")
        distance[0] = 0.05

    print(f"killed {KILLS} times: {found}")
    anvil.mine(3)
    backend = made.anchor()
    for seal in seals:
        bundle = read_seal_file(seal, whole=True)
        (receipt,) = bundle.receipts
        assert backend.confirm(receipt, bundle.statement.digest()).outcome is Outcome.PASS
    entries = list(backend.journal.everywhere())
    assert [entry.nonce for entry in entries] == list(range(used(anvil, me)))
    assert len(entries) == KILLS + 2  # the deployment and the rehearsal
    assert len(announced(anvil)) == len(set(announced(anvil))) == KILLS + 1
    assert found["nothing"] < KILLS


@pytest.mark.skipif(os.name == "nt", reason="there is no SIGKILL")
@pytest.mark.parametrize("when", ["before it is sent", "before the reply", "while waiting"])
def test_killed_at_the_worst_instants(anvil, deployed, between, tmp_path, when):
    running = []

    def killing(request, pass_on):
        asked = request["method"]
        if running and asked == ("eth_getTransactionReceipt" if when == "while waiting" else "eth_sendRawTransaction"):
            answer = None if when == "before it is sent" else pass_on(request)
            running.pop().send_signal(signal.SIGKILL)
            return answer
        return pass_on(request)

    made = deployed(anvil).configure(rpc=[between(anvil, killing).url])
    (tmp_path / "data").write_text("x")
    seal = tmp_path / "data.seal.json"
    api.seal(tmp_path / "data")
    before = seal.read_bytes()
    anvil.rpc("evm_setAutomine", False)
    with made.start("anchor", seal, "--to", "ethereum:local") as process:
        running.append(process)
    assert process.returncode == -signal.SIGKILL
    assert seal.read_bytes() == before
    (entry,) = [entry for entry in made.anchor().journal.everywhere() if entry.digests]
    anvil.rpc("evm_setAutomine", True)
    anvil.mine()
    made.run("ethereum", "resume")
    anvil.mine(3)
    made.run("verify", tmp_path / "data", "--anchor", "ethereum:local")
    (again,) = [entry for entry in made.anchor().journal.everywhere() if entry.digests]
    assert again.attempts == entry.attempts
    assert len(announced(anvil)) == 1
