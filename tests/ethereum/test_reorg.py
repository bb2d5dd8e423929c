"""Chains that change their mind: transactions dropped and moved, and receipts mended."""

import pytest

from mltrust import AnchorState, Outcome
from mltrust.anchors.ethereum.sending.journal import Stage
from mltrust.errors import AnchorError
from mltrust.interfaces import Submission
from mltrust.sealfile import read_seal_file


def raw_of(made, nonce):
    (entry,) = [entry for entry in made.anchor().journal.everywhere() if entry.nonce == nonce]
    return entry.attempts[-1].raw


@pytest.fixture
def published(anvil, deployed, digests):
    made = deployed(anvil)
    (digest,) = digests(1)
    (receipt,) = made.publish(digest, final=False)
    return made, digest, receipt


def test_included_is_not_final(published):
    made, digest, receipt = published
    check = made.anchor().confirm(receipt, digest)
    assert (check.outcome, check.state, check.level) == (Outcome.UNCHECKED, AnchorState.NOT_FINAL, None)
    made.chain.mine(3)
    assert made.anchor().confirm(receipt, digest).state is AnchorState.VERIFIED


def test_a_moved_transaction_is_found_and_the_receipt_mended(published):
    made, digest, receipt = published
    made.chain.rpc("anvil_reorg", 2, [[raw_of(made, 0), 0], [raw_of(made, 1), 1]])
    check = made.anchor().confirm(receipt, digest)
    assert (check.outcome, check.state) == (Outcome.UNCHECKED, AnchorState.NOT_FINAL)
    assert "another block" in check.summary
    assert "--refresh" in check.hint
    fresh = made.anchor().refresh(receipt, digest)
    assert fresh.evidence["block_hash"] != receipt.evidence["block_hash"]
    made.chain.mine(3)
    assert made.anchor().confirm(fresh, digest).outcome is Outcome.PASS
    assert made.anchor().confirm(receipt, digest).state is AnchorState.NOT_FINAL
    assert made.anchor().refresh(fresh, digest) == fresh


def test_a_dropped_transaction_is_sent_again_under_its_nonce(published):
    made, digest, receipt = published
    made.chain.rpc("anvil_reorg", 1, [])
    check = made.anchor().confirm(receipt, digest)
    assert (check.outcome, check.state) == (Outcome.UNCHECKED, AnchorState.NOT_FINAL)
    assert "no longer in the chain" in check.summary
    with pytest.raises(AnchorError, match="in no block any more") as raised:
        made.anchor().refresh(receipt, digest)
    assert "mltrust ethereum resume" in raised.value.hint
    before = raw_of(made, 1)
    (again,) = made.publish(digest)
    assert raw_of(made, 1) == before
    assert again.evidence["block_hash"] != receipt.evidence["block_hash"]
    assert made.anchor().confirm(again, digest).outcome is Outcome.PASS
    assert {entry.nonce for entry in made.anchor().journal.everywhere()} == {0, 1}


def test_a_lost_transaction_below_a_final_block_is_a_rollback(published):
    made, digest, receipt = published
    made.chain.rpc("anvil_reorg", 1, [])
    made.chain.mine(3)
    check = made.anchor().confirm(receipt, digest)
    assert (check.outcome, check.state) == (Outcome.FAIL, AnchorState.ROLLBACK)


def test_a_final_block_that_goes_is_a_rollback_though_only_this_machine_knows(published):
    made, digest, receipt = published
    made.chain.mine(3)
    assert made.anchor().confirm(receipt, digest).outcome is Outcome.PASS
    made.chain.rpc("anvil_reorg", 4, [])
    made.chain.rpc("anvil_mine", "0x1")
    check = made.anchor().confirm(receipt, digest)
    assert (check.outcome, check.state) == (Outcome.FAIL, AnchorState.ROLLBACK)
    assert "seen final here before" in check.summary


def test_a_final_batch_is_sent_again_after_a_deep_reorganisation(published):
    """What the journal calls final is in no block any more: the same bytes go out again, under the same nonce."""
    made, digest, receipt = published
    made.chain.mine(3)
    assert made.anchor().publish([Submission(digest)]) == [receipt]
    (entry,) = [entry for entry in made.anchor().journal.everywhere() if entry.nonce == 1]
    assert entry.stage is Stage.FINAL
    made.chain.rpc("anvil_reorg", 4, [])
    made.chain.mine(3)
    (again,) = made.publish(digest)
    assert again.evidence["block_hash"] != receipt.evidence["block_hash"]
    (now,) = [entry for entry in made.anchor().journal.everywhere() if entry.nonce == 1]
    assert now.attempts == entry.attempts
    assert {entry.nonce for entry in made.anchor().journal.everywhere()} == {0, 1}
    assert made.anchor().confirm(again, digest).outcome is Outcome.PASS


def test_what_is_final_stays_so_where_nodes_forget_where_old_transactions_are(published, between):
    made, digest, receipt = published
    made.chain.mine(3)
    made.publish(digest)

    def forgetful(request, pass_on):
        if request["method"] in ("eth_getTransactionReceipt", "eth_getTransactionByHash"):
            return {"result": None}
        return pass_on(request)

    assert made.anchor(rpc=[between(made.chain, forgetful).url]).publish([Submission(digest)]) == [receipt]


def test_the_commands_that_mend(anvil, deployed, tmp_path):
    made = deployed(anvil).configure()
    (tmp_path / "data").write_text("x")
    seal = tmp_path / "data.seal.json"
    made.run("seal", tmp_path / "data", "--anchor", "ethereum:local")
    anchored = ("--anchor", "ethereum:local")

    anvil.rpc("anvil_reorg", 2, [[raw_of(made, 0), 0], [raw_of(made, 1), 1]])  # moved
    assert "--refresh" in made.run("verify", tmp_path / "data", *anchored, code=3)
    made.run("anchors", seal, *anchored, "--refresh", code=3)
    assert "not final yet" in made.run("verify", tmp_path / "data", *anchored, code=3)

    anvil.rpc("anvil_reorg", 1, [])  # dropped
    assert "journaled" in made.run("ethereum", "status")
    assert "included" in made.run("ethereum", "resume")
    anvil.mine(3)
    assert "VERIFIED" in made.run("verify", tmp_path / "data", *anchored)
    assert len(read_seal_file(seal).receipts) == 1
    assert [stage for _, stage in made.anchor().publishing().status()] == [Stage.FINAL, Stage.FINAL]


def test_publishing_again_after_finality_asks_for_nothing(published):
    made, digest, receipt = published
    made.chain.mine(3)
    assert list(made.anchor().publishing().resume())
    assert made.anchor(signer="env:NO_SUCH_VARIABLE").publish([Submission(digest)]) == [receipt]
