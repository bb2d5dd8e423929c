"""Nodes that lie, lag, disagree or serve another chain; and contracts that claim what is not so."""

import pytest

from mltrust import AnchorState, Outcome
from mltrust.anchors.ethereum.chain.finality import Opinion, Said, judge
from mltrust.anchors.ethereum.chain.node import Block
from mltrust.anchors.ethereum.proof import contract
from mltrust.anchors.ethereum.proof.addresses import checksummed
from mltrust.anchors.ethereum.proof.batch import Batch
from mltrust.errors import AnchorError, UsageError
from mltrust.interfaces import Submission

BLOCK = Block(7, bytes(32))
FINAL, OTHER, INCLUDED, MOVED, GONE, BEHIND, SILENT = Said


@pytest.mark.parametrize(
    ("said", "quorum", "outcome", "state", "level"),
    [
        ([FINAL], 1, Outcome.PASS, AnchorState.VERIFIED, "single-rpc"),
        ([FINAL, FINAL], 2, Outcome.PASS, AnchorState.VERIFIED, "rpc-quorum"),
        ([FINAL, FINAL, OTHER], 2, Outcome.PASS, AnchorState.VERIFIED, "rpc-quorum"),
        ([FINAL, FINAL, SILENT], 2, Outcome.PASS, AnchorState.VERIFIED, "rpc-quorum"),
        ([FINAL, SILENT], 1, Outcome.PASS, AnchorState.VERIFIED, "single-rpc"),
        ([FINAL, OTHER], 1, Outcome.UNCHECKED, AnchorState.UNAVAILABLE, None),
        ([FINAL, OTHER], 2, Outcome.UNCHECKED, AnchorState.UNAVAILABLE, None),
        ([FINAL, FINAL, OTHER, OTHER], 2, Outcome.UNCHECKED, AnchorState.UNAVAILABLE, None),
        ([FINAL, SILENT], 2, Outcome.UNCHECKED, AnchorState.UNAVAILABLE, None),
        ([SILENT, SILENT], 1, Outcome.UNCHECKED, AnchorState.UNAVAILABLE, None),
        ([FINAL, INCLUDED], 2, Outcome.UNCHECKED, AnchorState.NOT_FINAL, None),
        ([INCLUDED], 1, Outcome.UNCHECKED, AnchorState.NOT_FINAL, None),
        ([MOVED, MOVED], 2, Outcome.UNCHECKED, AnchorState.NOT_FINAL, None),
        ([GONE], 1, Outcome.UNCHECKED, AnchorState.NOT_FINAL, None),
        ([OTHER], 1, Outcome.FAIL, AnchorState.ROLLBACK, None),
        ([OTHER, OTHER, FINAL], 2, Outcome.FAIL, AnchorState.ROLLBACK, None),
        ([OTHER, INCLUDED], 2, Outcome.UNCHECKED, AnchorState.UNAVAILABLE, None),
        ([FINAL, INCLUDED], 1, Outcome.PASS, AnchorState.VERIFIED, "single-rpc"),
        ([FINAL, FINAL, MOVED], 2, Outcome.PASS, AnchorState.VERIFIED, "rpc-quorum"),
        *[
            ([FINAL, *dissent], quorum, Outcome.UNCHECKED, AnchorState.UNAVAILABLE, None)
            for dissent in ([MOVED], [GONE], [BEHIND], [MOVED, MOVED], [OTHER, GONE], [MOVED, SILENT])
            for quorum in (1, 2)
        ],
        ([FINAL, FINAL, MOVED, MOVED, MOVED], 2, Outcome.UNCHECKED, AnchorState.UNAVAILABLE, None),
        ([FINAL, FINAL, GONE, GONE, GONE], 2, Outcome.UNCHECKED, AnchorState.UNAVAILABLE, None),
        ([FINAL, FINAL, OTHER, MOVED], 2, Outcome.UNCHECKED, AnchorState.UNAVAILABLE, None),
        ([FINAL, FINAL, FINAL, OTHER, MOVED], 2, Outcome.PASS, AnchorState.VERIFIED, "rpc-quorum"),
        ([FINAL, FINAL, FINAL, OTHER, MOVED, GONE], 2, Outcome.UNCHECKED, AnchorState.UNAVAILABLE, None),
        ([MOVED, GONE], 2, Outcome.UNCHECKED, AnchorState.NOT_FINAL, None),
        ([MOVED, INCLUDED], 2, Outcome.UNCHECKED, AnchorState.NOT_FINAL, None),
        ([BEHIND], 1, Outcome.UNCHECKED, AnchorState.NOT_FINAL, None),
        ([OTHER, OTHER, MOVED], 2, Outcome.FAIL, AnchorState.ROLLBACK, None),
    ],
)
def test_what_opinions_amount_to(said, quorum, outcome, state, level):
    opinions = [
        Opinion(f"https://{number}", one, AnchorError("down") if one is SILENT else None)
        for number, one in enumerate(said)
    ]
    found = judge(opinions, quorum, BLOCK)
    assert (found.outcome, found.state, found.level) == (outcome, state, level)
    assert found.summary
    for opinion in opinions:
        if opinion.said in (OTHER, MOVED, GONE) and outcome is not Outcome.FAIL:
            assert f"{opinion.name} says {opinion.said}" in found.summary


@pytest.mark.parametrize(
    ("said", "quorum", "contrary", "contested"),
    [
        ([FINAL, FINAL], 2, False, False),
        ([INCLUDED, SILENT, BEHIND], 1, False, False),
        ([FINAL, FINAL, MOVED], 2, False, True),
        ([GONE, INCLUDED], 2, False, True),
        ([GONE, MOVED], 2, True, True),
        ([OTHER], 1, True, True),
    ],
)
def test_who_contests_the_block(said, quorum, contrary, contested):
    opinions = [Opinion(str(one), one, AnchorError("down") if one is SILENT else None) for one in said]
    found = judge(opinions, quorum, BLOCK)
    assert (found.is_contrary, found.is_contested) == (contrary, contested)


@pytest.fixture
def published(anvil, deployed, digests):
    made = deployed(anvil)
    (digest,) = digests(1)
    (receipt,) = made.publish(digest)
    return made, digest, receipt


def forging(request, pass_on):
    """Lie that all blocks have another hash."""
    answer = pass_on(request)
    if request["method"] == "eth_getBlockByNumber" and isinstance(answer["result"], dict):
        answer["result"]["hash"] = "0x" + "66" * 32
    if request["method"] == "eth_getTransactionReceipt":
        answer["result"] = None
    return answer


def test_a_liar_is_outvoted_and_named(published, between):
    made, digest, receipt = published
    liar, second = between(made.chain, forging), between(made.chain, lambda request, pass_on: pass_on(request))
    check = made.anchor(rpc=[made.chain.url, liar.url, second.url]).confirm(receipt, digest)
    assert (check.outcome, check.level) == (Outcome.PASS, "rpc-quorum")
    assert f"2 of 3 nodes ({liar.url} says" in check.summary


def test_a_liar_alone_against_one_is_neither_pass_nor_tampering(published, between):
    made, digest, receipt = published
    liar = between(made.chain, forging)
    check = made.anchor(rpc=[made.chain.url, liar.url]).confirm(receipt, digest)
    assert (check.outcome, check.state) == (Outcome.UNCHECKED, AnchorState.UNAVAILABLE)
    assert "disagree" in check.summary


def moving(request, pass_on):
    """Lie that the transaction is in another block."""
    answer = pass_on(request)
    if request["method"] == "eth_getTransactionReceipt" and answer["result"]:
        answer["result"]["blockHash"] = "0x" + "77" * 32
    return answer if request["method"] == "eth_getTransactionReceipt" else forging(request, pass_on)


def test_more_who_say_that_it_moved_are_not_outvoted(published, between):
    """Those who say that it is final may be those who made the block up."""
    made, digest, receipt = published
    same = between(made.chain, lambda request, pass_on: pass_on(request))
    moved = [between(made.chain, moving).url for _ in range(2)]
    check = made.anchor(rpc=[made.chain.url, same.url, *moved], quorum=2).confirm(receipt, digest)
    assert (check.outcome, check.state) == (Outcome.UNCHECKED, AnchorState.UNAVAILABLE)
    for url in moved:
        assert f"{url} says that the transaction is in another block" in check.summary


def silent(request, pass_on):
    return {"error": {"code": -32000, "message": "busy"}}


def test_what_one_node_said_does_not_pass_for_two_later(published, between):
    made, digest, receipt = published
    assert made.anchor().confirm(receipt, digest).level == "single-rpc"
    quiet = [between(made.chain, silent).url for _ in range(2)]
    assert made.anchor(rpc=quiet[:1]).confirm(receipt, digest).level == "remembered"
    check = made.anchor(rpc=quiet).confirm(receipt, digest)
    assert (check.outcome, check.state) == (Outcome.UNCHECKED, AnchorState.UNAVAILABLE)

    # Two who saw it are enough for one later, and for two.
    same = between(made.chain, lambda request, pass_on: pass_on(request)).url
    assert made.anchor(rpc=[made.chain.url, same]).confirm(receipt, digest).level == "rpc-quorum"
    for rpc in (quiet, quiet[:1]):
        check = made.anchor(rpc=rpc).confirm(receipt, digest)
        assert (check.outcome, check.level) == (Outcome.PASS, "remembered")
        assert "by 2 nodes (rpc-quorum)" in check.summary


@pytest.mark.parametrize("lie", [forging, moving])
def test_memory_hides_nobody_who_says_otherwise(published, between, lie):
    made, digest, receipt = published
    same = between(made.chain, lambda request, pass_on: pass_on(request)).url
    assert made.anchor(rpc=[made.chain.url, same]).confirm(receipt, digest).level == "rpc-quorum"
    liar, quiet = between(made.chain, lie).url, between(made.chain, silent).url
    check = made.anchor(rpc=[liar, quiet], quorum=2).confirm(receipt, digest)
    assert (check.outcome, check.state) == (Outcome.UNCHECKED, AnchorState.UNAVAILABLE)
    assert f"{liar} says" in check.summary
    check = made.anchor(rpc=[liar]).confirm(receipt, digest)  # all that are asked
    assert (check.outcome, check.state) == (Outcome.FAIL, AnchorState.ROLLBACK)
    assert "seen final here before, by 2 nodes" in check.summary


def test_a_node_that_keeps_no_old_blocks_says_nothing(published, between):
    made, digest, receipt = published

    def pruned(request, pass_on):
        old = request["method"] == "eth_getBlockByNumber" and request["params"][0].startswith("0x")
        return {"result": None} if old or request["method"] == "eth_getTransactionReceipt" else pass_on(request)

    node = between(made.chain, pruned)
    check = made.anchor(rpc=[node.url]).confirm(receipt, digest)
    assert (check.outcome, check.state) == (Outcome.UNCHECKED, AnchorState.UNAVAILABLE)
    assert "does not show block" in check.summary


def test_nobody_named_is_not_nobody_found(anvil, user, digests):
    """Without accounts there is nothing to look for, so that none was found means nothing."""
    with pytest.raises(AnchorError, match="no account is named") as caught:
        user(anvil).anchor().find(Submission(digests(1)[0]))
    assert "--author ADDRESS, as you know from a source other than this seal" in caught.value.hint


def test_a_liar_cannot_make_a_pass_of_what_is_not_final(anvil, deployed, digests, between):
    made = deployed(anvil)
    (digest,) = digests(1)
    (receipt,) = made.publish(digest, final=False)

    def hasty(request, pass_on):
        if request["params"][:1] == ["finalized"]:
            request = {**request, "params": ["latest", False]}
        return pass_on(request)

    liar = between(anvil, hasty)
    assert made.anchor(rpc=[liar.url, anvil.url]).confirm(receipt, digest).state is AnchorState.NOT_FINAL


def test_a_node_of_another_chain_is_refused_by_name(published, start_anvil, digests):
    made, digest, receipt = published
    other = start_anvil("--chain-id", "5")
    check = made.anchor(rpc=[other.url]).confirm(receipt, digest)
    assert (check.outcome, check.state) == (Outcome.UNCHECKED, AnchorState.UNAVAILABLE)
    assert f"{other.url} serves chain 5, not 31337" in check.summary
    with pytest.raises(AnchorError, match="serves chain 5, not 31337"):
        made.anchor(rpc=[made.chain.url, other.url]).publish([Submission(one) for one in digests(2, "new")])


def test_a_chain_without_the_tag_needs_confirmations(published, between):
    made, digest, receipt = published

    def old(request, pass_on):
        if request["params"][:1] == ["finalized"]:
            return {"error": {"code": -32602, "message": "unknown block tag"}}
        return pass_on(request)

    node = between(made.chain, old)
    check = made.anchor(rpc=[node.url]).confirm(receipt, digest)
    assert (check.outcome, check.state) == (Outcome.UNCHECKED, AnchorState.UNAVAILABLE)
    far = made.chain.head
    assert made.anchor(rpc=[node.url], confirmations=far).confirm(receipt, digest).state is AnchorState.NOT_FINAL
    assert made.anchor(rpc=[node.url], confirmations=3).confirm(receipt, digest).outcome is Outcome.PASS


def init_code(runtime):
    """Return code that deploys `runtime`, in hexadecimal."""
    return f"0x60{len(runtime) // 2:02x}600c60003960{len(runtime) // 2:02x}6000f3" + runtime


def called(chain, sender, to, data):
    """Make a contract of `data`, or call one; return its address and what came of it."""
    sent = chain.rpc("eth_sendTransaction", {"from": sender, "data": data, **({"to": to} if to else {})})
    chain.mine()  # by itself it does so only soon
    result = chain.rpc("eth_getTransactionReceipt", sent)
    assert result["status"] == "0x1"
    return result["contractAddress"], result["logs"]


# It emits what it is told, of commitment, whom to claim, and size: MSTORE the size, LOG3(topic, commitment, by)
IMPOSTOR = init_code("6040356000526020356000357f" + contract.TOPIC.hex() + "60206000a300")


def test_an_impersonating_contract_convinces_nobody(anvil, deployed, digests):
    made = deployed(anvil)
    (digest,) = digests(1)
    victim = next(iter(made.anchor().authors()))
    attacker = anvil.rpc("eth_accounts")[5]
    fake, _ = called(anvil, attacker, None, IMPOSTOR)
    words = (Batch([digest]).commitment, bytes(12) + victim, (1).to_bytes(32, "big"))
    assert called(anvil, attacker, fake, "0x" + b"".join(words).hex())[1]
    anvil.mine(3)

    gullible = made.anchor(contract=checksummed(bytes.fromhex(fake[2:])))
    assert gullible.find(Submission(digest)) == []  # it says that the victim announced it, who signed nothing
    assert made.anchor().find(Submission(digest)) == []
    with pytest.raises(AnchorError, match="another contract than AnchorLog"):
        gullible.publish([Submission(digest)])


def test_a_call_of_another_contract_counts_only_where_it_is_named(anvil, deployed, digests):
    made = deployed(anvil)
    (digest,) = digests(1)
    attacker, victim = anvil.rpc("eth_accounts")[5], checksummed(next(iter(made.anchor().authors())))
    twin, _ = called(anvil, attacker, None, init_code(contract.RUNTIME_CODE.hex()))
    call = contract.encode_anchor(Batch([digest]).commitment, 1)
    assert called(anvil, victim, twin, "0x" + call.hex())[1]
    anvil.mine(3)

    named = made.anchor(contract=checksummed(bytes.fromhex(twin[2:])))
    (receipt,) = named.find(Submission(digest))
    assert named.confirm(receipt, digest).outcome is Outcome.PASS
    check = made.anchor().confirm(receipt, digest)
    assert (check.outcome, check.state) == (Outcome.UNCHECKED, AnchorState.UNKNOWN_KEY)
    assert "of contract" in check.summary


def test_somebody_elses_announcement_is_not_ones_own(anvil, deployed, user, digests):
    made, other = deployed(anvil), user(anvil, 1)
    (digest,) = digests(1)
    (receipt,) = other.publish(digest)
    check = made.anchor().confirm(receipt, digest)
    assert (check.outcome, check.state) == (Outcome.UNCHECKED, AnchorState.UNKNOWN_KEY)
    assert "--author 0x70997970C51812dc3A010C7d01b50e0d17dc79C8" in check.hint
    assert "from a source other than this seal" in check.hint
    named = made.anchor(authors=["0x70997970C51812dc3A010C7d01b50e0d17dc79C8"])
    assert named.confirm(receipt, digest).outcome is Outcome.PASS
    with pytest.raises(UsageError, match="not among your authors"):
        named.publish([Submission(digest)])


def test_logs_that_lead_nowhere_prove_nothing(published, between):
    made, digest, receipt = published

    def inventing(request, pass_on):
        if request["method"] == "eth_getLogs":
            return {"result": [{"transactionHash": "0x" + "ab" * 32}]}
        return pass_on(request)

    author = checksummed(next(iter(made.anchor().authors())))
    home = made.folder.with_name("elsewhere")
    reader = type(made)(made.chain, home, made.batch)
    node = between(made.chain, inventing)
    assert reader.anchor(rpc=[node.url], authors=author).find(Submission(digest)) == []
    assert reader.anchor(authors=author).find(Submission(digest)) == [receipt]


def test_a_node_that_bounds_a_search_is_asked_window_by_window(published, between, monkeypatch):
    made, digest, receipt = published
    asked = []

    def bounded(request, pass_on):
        if request["method"] == "eth_getLogs":
            (filter_,) = request["params"]
            asked.append((filter_["fromBlock"], filter_["toBlock"]))
            if filter_["toBlock"] == "latest":
                return {"error": {"code": -32005, "message": "query exceeds max block range"}}
        return pass_on(request)

    monkeypatch.setattr("mltrust.anchors.ethereum.search._WINDOW", 2)
    author = checksummed(next(iter(made.anchor().authors())))
    reader = type(made)(made.chain, made.folder.with_name("elsewhere"), made.batch)
    assert reader.anchor(rpc=[between(made.chain, bounded).url], authors=author).find(Submission(digest)) == [receipt]
    assert asked == [("0x0", "latest"), ("0x4", "0x5"), ("0x2", "0x3")]
