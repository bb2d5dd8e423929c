"""What goes wrong while a transaction is sent: one nonce for one batch, whatever happens."""

import json
import threading

import pytest

from mltrust import Outcome
from mltrust.anchors.ethereum.sending import following, sending
from mltrust.anchors.ethereum.sending.journal import Stage
from mltrust.anchors.ethereum.sending.writer import Writer
from mltrust.core.digest import Digest
from mltrust.errors import AnchorError, UsageError
from mltrust.interfaces import Submission


def entries(made):
    return [entry for entry in made.anchor().journal.everywhere() if entry.digests]


def stages(made):
    return [stage for entry, stage in made.anchor().publishing().status() if entry.digests]


def submissions(digests):
    return [Submission(digest) for digest in digests]


@pytest.fixture
def made(anvil, deployed):
    return deployed(anvil)


@pytest.fixture
def slow(made):
    """Return the user of a chain that makes blocks only when told."""
    made.chain.rpc("evm_setAutomine", False)
    return made


def test_one_transaction_for_a_batch_and_its_cost_is_told(made, digests):
    before = made.chain.head
    made.publish(*digests(10), final=False)
    assert made.chain.head == before + 1
    told = [line for line in made.talk.told if line.startswith("10 digests on ethereum:local (chain 31337)")]
    assert len(told) == 1
    assert "at most" in told[0]


def test_a_batch_that_is_there_in_part_publishes_the_rest(made, digests):
    made.publish(*digests(3))
    made.publish(*digests(5))
    assert [len(entry.listed()) for entry in entries(made)] == [3, 2]


def test_a_lost_reply_is_no_loss(made, between, digests):
    """The node takes the transaction and hangs up."""
    sent = []

    def deaf(request, pass_on):
        answer = pass_on(request)
        if request["method"] == "eth_sendRawTransaction":
            sent.append(request["params"][0])
            return None
        return answer

    (receipt,) = made.publish(Digest.sha256(b"a"), rpc=[between(made.chain, deaf).url])
    assert made.anchor().confirm(receipt, Digest.sha256(b"a")).outcome is Outcome.PASS
    assert len(set(sent)) == 1
    assert [entry.nonce for entry in entries(made)] == [1]


def test_a_lost_request_is_sent_again_with_the_same_bytes(made, between, digests):
    """The node hangs up before it takes anything, a few times."""
    sent = []

    def absent(request, pass_on):
        if request["method"] == "eth_sendRawTransaction":
            sent.append(request["params"][0])
            if len(sent) < 4:
                return None
        return pass_on(request)

    made.publish(Digest.sha256(b"a"), rpc=[between(made.chain, absent).url])
    assert len(sent) == 4
    assert len(set(sent)) == 1
    assert [len(entry.attempts) for entry in entries(made)] == [1]


@pytest.mark.parametrize(
    "message", ["already known", "transaction already imported", "ALREADY_EXISTS: already known", "nonce too low", "?"]
)
def test_what_a_node_answers_to_what_it_has_is_not_believed(made, between, digests, message):
    def odd(request, pass_on):
        answer = pass_on(request)
        if request["method"] == "eth_sendRawTransaction":
            return {"error": {"code": -1, "message": message}}
        return answer

    (receipt,) = made.publish(Digest.sha256(b"a"), rpc=[between(made.chain, odd).url])
    assert made.anchor().confirm(receipt, Digest.sha256(b"a")).outcome is Outcome.PASS


def test_a_node_that_refuses_leaves_it_in_the_journal_and_resume_ends_it(made, between, digests):
    def refusing(request, pass_on):
        if request["method"] == "eth_sendRawTransaction":
            return {"error": {"code": -32000, "message": "max fee per gas less than block base fee \x1b[31m"}}
        return pass_on(request)

    node = between(made.chain, refusing)
    with pytest.raises(AnchorError, match="less than block base fee") as raised:
        made.anchor(rpc=[node.url]).publish(submissions(digests(1)))
    assert "\x1b" not in str(raised.value)
    assert "mltrust ethereum resume" in raised.value.hint
    assert stages(made) == [Stage.JOURNALED]
    assert [error for entry, error in made.anchor().publishing().resume()] == [None, None]
    assert stages(made) == [Stage.INCLUDED]
    made.publish(*digests(1))
    assert len(entries(made)) == 1


def test_a_crash_before_sending_leaves_no_gap(made, digests, monkeypatch):
    """What was journaled and never sent is sent before the next nonce is used."""
    with monkeypatch.context() as patch:
        patch.setattr(sending, "send", lambda session, entry: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            made.publish(Digest.sha256(b"first"))
    assert stages(made) == [Stage.JOURNALED]
    (receipt,) = made.publish(Digest.sha256(b"second"))
    assert stages(made) == [Stage.FINAL, Stage.FINAL]
    assert [entry.nonce for entry in entries(made)] == [1, 2]
    assert made.anchor().confirm(receipt, Digest.sha256(b"second")).outcome is Outcome.PASS


def test_a_gap_that_others_left_is_named(made, digests, between):
    """The node counts a waiting transaction of another program, and loses it."""
    made.chain.rpc("evm_setAutomine", False)
    me = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
    lost = made.chain.rpc("eth_sendTransaction", {"from": me, "to": me})

    def forgetful(request, pass_on):
        answer = pass_on(request)
        if request["method"] == "eth_getTransactionCount" and request["params"][1] == "pending":
            made.chain.rpc("anvil_dropTransaction", lost)
        return answer

    with pytest.raises(AnchorError, match=r"has nonce 2, and 0xf39F\w+ has used 1") as raised:
        made.anchor(rpc=[between(made.chain, forgetful).url], timeout=1).publish(submissions(digests(1)))
    assert "has to take nonce 1 first" in raised.value.hint
    made.chain.rpc("evm_setAutomine", True)
    made.chain.rpc("eth_sendTransaction", {"from": me, "to": me})
    assert all(error is None for _, error in made.anchor().publishing().resume())
    assert [entry.nonce for entry in entries(made)] == [2]


def test_what_waits_is_resumed_and_never_sent_under_another_nonce(slow, digests):
    anchor = slow.anchor(timeout=0)
    for _ in range(3):
        with pytest.raises(AnchorError, match="in no block after 0 s") as raised:
            anchor.publish(submissions(digests(2)))
    assert "mltrust ethereum resume" in raised.value.hint
    assert stages(slow) == [Stage.SENT]
    slow.chain.mine(1)
    assert len(anchor.publish(submissions(digests(2)))) == 2
    assert stages(slow) == [Stage.INCLUDED]


def test_a_stuck_transaction_is_replaced_under_its_nonce(slow, digests):
    with pytest.raises(AnchorError):
        slow.anchor(timeout=0).publish(submissions(digests(1)))
    ((entry, error),) = [
        found for found in slow.anchor(timeout=0).publishing().resume(raise_fees=True) if found[0].digests
    ]
    assert isinstance(error, AnchorError)
    (entry,) = entries(slow)
    assert len(entry.attempts) == 2
    old, new = (slow.chain.rpc("eth_getTransactionByHash", attempt.hash) for attempt in entry.attempts)
    assert old is None
    assert int(new["nonce"], 16) == entry.nonce == 1
    before, after = (sending.Unsigned.of(bytes.fromhex(attempt.raw[2:])) for attempt in entry.attempts)
    assert after.max_fee * 8 >= before.max_fee * 9
    assert after.max_tip * 8 >= before.max_tip * 9
    assert (after.to, after.data, after.gas) == (before.to, before.data, before.gas)
    slow.chain.mine(1)
    (receipt,) = slow.publish(*digests(1))
    assert slow.anchor().confirm(receipt, digests(1)[0]).outcome is Outcome.PASS
    assert len(entries(slow)) == 1


def test_the_first_attempt_may_still_win(slow, digests):
    """The replacement reaches nobody, and what it should replace is included."""
    with pytest.raises(AnchorError):
        slow.anchor(timeout=0).publish(submissions(digests(1)))
    first = entries(slow)[0].attempts[0]
    publishing = slow.anchor(timeout=0).publishing()
    list(publishing.resume(raise_fees=True))
    slow.chain.rpc("anvil_dropAllTransactions")
    slow.chain.rpc("eth_sendRawTransaction", first.raw)
    slow.chain.mine(1)
    (receipt,) = slow.publish(*digests(1))
    assert len(entries(slow)[0].attempts) == 2
    assert slow.anchor().confirm(receipt, digests(1)[0]).outcome is Outcome.PASS


def test_a_nonce_that_another_program_took_is_told_and_then_left(slow, digests):
    with pytest.raises(AnchorError):
        slow.anchor(timeout=0).publish(submissions(digests(1)))
    slow.chain.rpc("anvil_dropAllTransactions")
    slow.chain.rpc("evm_setAutomine", True)
    me = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
    slow.chain.rpc("eth_sendTransaction", {"from": me, "to": me})
    with pytest.raises(AnchorError, match=r"another transaction took nonce 1 of 0xf39F.*not final yet"):
        slow.anchor().publish(submissions(digests(1)))
    slow.chain.mine(3)
    with pytest.raises(AnchorError, match=r"another transaction took nonce 1 of 0xf39F.*is final"):
        slow.anchor().publish(submissions(digests(1)))
    assert stages(slow) == [Stage.LOST]
    (receipt,) = slow.publish(*digests(1))
    assert slow.anchor().confirm(receipt, digests(1)[0]).outcome is Outcome.PASS
    assert [(entry.nonce, entry.stage) for entry in entries(slow)] == [(1, Stage.LOST), (2, Stage.INCLUDED)]


def test_many_at_once_take_a_nonce_each(made):
    """Threads stand for processes here: the lock is a file for both."""
    receipts = {}

    def publish(number):
        digest = Digest.sha256(str(number).encode())
        receipts[number] = made.anchor().publish([Submission(digest)])

    threads = [threading.Thread(target=publish, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(receipts) == list(range(6))
    assert sorted(entry.nonce for entry in entries(made)) == list(range(1, 7))


def test_the_same_digests_at_once_make_one_transaction(made, digests):
    threads = [threading.Thread(target=made.anchor().publish, args=(submissions(digests(3)),)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(entries(made)) == 1


def test_caps_are_kept(made, digests):
    with pytest.raises(UsageError, match=r"gwei now, your max_fee_gwei is 0\.000001"):
        made.anchor(max_fee_gwei="0.000001").publish(submissions(digests(1)))
    with pytest.raises(UsageError, match=r"it may cost 0\.0000\d+ ETH, your max_cost is 0\.000001"):
        made.anchor(max_cost="0.000001").publish(submissions(digests(1)))
    assert not entries(made)
    made.publish(*digests(1), max_fee_gwei=2, max_cost=0.001)
    (entry,) = entries(made)
    assert sending.Unsigned.of(bytes.fromhex(entry.attempts[0].raw[2:])).max_fee <= 2 * 10**9


def test_a_replacement_keeps_to_the_caps_too(slow, digests):
    with pytest.raises(AnchorError):
        slow.anchor(timeout=0).publish(submissions(digests(1)))
    for cap in ({"max_fee_gwei": 1}, {"max_cost": "0.00001"}):
        with pytest.raises(UsageError):
            list(slow.anchor(timeout=0, **cap).publishing().resume(raise_fees=True))
    assert len(entries(slow)[0].attempts) == 1


def test_an_account_that_cannot_pay_is_told_before_anything_is_signed(made, digests):
    made.chain.rpc("anvil_setBalance", "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266", "0x1")
    with pytest.raises(AnchorError, match=r"has 0\.0*1 ETH, and it may cost|insufficient|Insufficient"):
        made.anchor().publish(submissions(digests(1)))
    assert not entries(made)


def test_money_is_spent_only_with_consent(start_anvil, user, tmp_path, digests, monkeypatch):
    """On a chain that is not for tests: here anvil plays the mainnet, with an account that is not anvil's."""
    chain = start_anvil("--chain-id", "1")
    key, address = "11" * 32, "0x19E7E376E7C213B7E7e7e46cc70A5dD086DAff2A"
    chain.rpc("anvil_setBalance", address, hex(10**18))
    monkeypatch.setenv("OWN_KEY", key)
    made = user(chain)
    made.signer, made.talk.agrees = "env:OWN_KEY", False
    settings = {"uri": "ethereum:mainnet", "mode": "calldata"}
    with pytest.raises(UsageError, match="nobody agreed to the cost"):
        made.publish(*digests(1), **settings)
    assert [question for question in made.talk.asked if "ETH?" in question]
    assert chain.rpc("eth_getTransactionCount", address, "latest") == "0x0"
    made.talk.agrees = True
    (receipt,) = made.publish(*digests(1), **settings)
    check = made.anchor(**settings).confirm(receipt, digests(1)[0])
    assert check.outcome is Outcome.PASS
    assert "test network" not in check.summary


def test_without_the_contract_the_command_that_deploys_is_named(anvil, user, digests):
    with pytest.raises(AnchorError, match="AnchorLog is not at 0x6951") as raised:
        user(anvil).publish(*digests(1))
    assert "mltrust ethereum deploy --to ethereum:local" in raised.value.hint


def test_deploying_twice_changes_nothing_and_an_interrupted_one_is_gone_on_with(anvil, user, monkeypatch):
    made = user(anvil)
    with monkeypatch.context() as patch:
        patch.setattr(sending, "send", lambda session, entry: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            made.anchor().publishing().deploy()
    first = next(iter(made.anchor().journal.everywhere())).attempts[0].hash
    assert made.anchor().publishing().deploy() == first
    assert made.anchor().publishing().deploy() is None
    assert user(anvil, 1).anchor().publishing().deploy() is None


def test_without_the_factory_nothing_is_sent(anvil, user):
    anvil.rpc("anvil_setCode", "0x4e59b44847b379578588920ca78fbf26c0b4956c", "0x")
    made = user(anvil)
    with pytest.raises(AnchorError, match="there is no factory at 0x4e59"):
        made.anchor().publishing().deploy()
    assert not list(made.anchor().journal.everywhere())


def test_a_failed_transaction_is_over(made, digests, monkeypatch):
    monkeypatch.setattr(Writer, "gas", lambda *_: 23_300)  # enough to be included, too little for the event
    with pytest.raises(AnchorError, match="was included, and failed"):
        made.anchor().publish(submissions(digests(1)))
    assert stages(made) == [Stage.INCLUDED]
    with pytest.raises(AnchorError, match="its block is not final yet"):
        made.anchor().publish(submissions(digests(1)))
    assert "included, failed so far" in made.configure().run("ethereum", "status")
    made.chain.mine(3)
    with pytest.raises(AnchorError, match=r"was included, and failed$"):
        made.anchor().publish(submissions(digests(1)))
    assert stages(made) == [Stage.FAILED]
    monkeypatch.undo()
    monkeypatch.setenv("MLTRUST_TEST_KEY_0", made.chain.keys[0])
    made.publish(*digests(1))
    assert [entry.stage for entry in entries(made)] == [Stage.FAILED, Stage.INCLUDED]


def changing_receipts(**fields):
    """Return what changes the answers about transactions, and nothing that the block is proven by."""

    def change(request, pass_on):
        answer = pass_on(request)
        if request["method"] == "eth_getTransactionReceipt" and answer["result"]:
            answer["result"].update(fields)
        return answer

    return change


def test_a_node_that_lies_about_failure_is_found_out(made, digests, between):
    liar = between(made.chain, changing_receipts(status="0x0"))
    (receipt,) = made.publish(*digests(1), rpc=[liar.url])
    assert made.anchor().confirm(receipt, digests(1)[0]).outcome is Outcome.PASS
    assert [entry.stage for entry in entries(made)] == [Stage.INCLUDED]


def test_a_node_that_names_a_false_block_is_passed_over(made, digests, between):
    liar = between(made.chain, changing_receipts(blockHash="0x" + "66" * 32))
    (receipt,) = made.publish(*digests(1), rpc=[liar.url, made.chain.url])
    assert made.anchor().confirm(receipt, digests(1)[0]).outcome is Outcome.PASS


def test_one_node_of_two_ends_no_story(made, digests, between):
    def hasty(request, pass_on):
        if "finalized" in request["params"]:
            request = {**request, "params": ["latest" if one == "finalized" else one for one in request["params"]]}
        return pass_on(request)

    nodes = [between(made.chain, hasty).url, made.chain.url]
    made.publish(*digests(1), final=False, rpc=nodes)
    made.publish(*digests(1), final=False, rpc=nodes)
    assert [entry.stage for entry in entries(made)] == [Stage.INCLUDED]
    made.chain.mine(3)
    made.publish(*digests(1), rpc=nodes)
    assert [entry.stage for entry in entries(made)] == [Stage.FINAL]


def test_one_node_of_two_gives_no_nonce_up(slow, digests, between):
    with pytest.raises(AnchorError):
        slow.anchor(timeout=0).publish(submissions(digests(1)))
    slow.chain.rpc("anvil_dropAllTransactions")
    slow.chain.rpc("evm_setAutomine", True)
    me = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
    slow.chain.rpc("eth_sendTransaction", {"from": me, "to": me})
    slow.chain.mine(3)

    def dumb(request, pass_on):
        about = request["method"] == "eth_getTransactionCount"
        return {"error": {"code": -1, "message": "no"}} if about else pass_on(request)

    def silent(request, pass_on):
        return None if request["method"] == "eth_getTransactionCount" else pass_on(request)

    for other in (dumb, silent):
        nodes = [slow.chain.url, between(slow.chain, other).url]
        with pytest.raises(AnchorError):
            slow.anchor(rpc=nodes, timeout=0).publish(submissions(digests(1)))
        assert [entry.stage for entry in entries(slow)] != [Stage.LOST]
    with pytest.raises(AnchorError, match="is final"):
        slow.anchor(rpc=[slow.chain.url]).publish(submissions(digests(1)))
    assert [entry.stage for entry in entries(slow)] == [Stage.LOST]


@pytest.mark.parametrize("price", ["0x" + "f" * 64, "0x" + "f" * 33])
def test_a_nonsensical_price_does_not_harm_the_journal(made, digests, between, price):
    liar = between(made.chain, changing_receipts(effectiveGasPrice=price, gasUsed=price))
    made.publish(*digests(1), rpc=[liar.url])
    assert [entry.paid for entry in entries(made)] == [None]
    assert len(made.publish(*digests(2))) == 2


def test_the_journal_takes_nothing_that_it_could_not_read(made, digests):
    made.publish(*digests(1))
    (entry,) = entries(made)
    for fields in ({"paid": "9" * 42}, {"paid": "-1"}, {"nonce": 2**53}, {"attempts": []}, {"stage": "gone"}):
        with pytest.raises(AnchorError, match="fits no journal"):
            entry.changed(**fields)
    journal = made.anchor().session().journal
    with pytest.raises(AnchorError, match="fits no journal"):
        journal.write(entry.model_copy(update={"paid": "9" * 42}))
    assert entries(made) == [entry]


def counting(**counts):
    """Return what answers how many nonces are used."""

    def change(request, pass_on):
        told = request["method"] == "eth_getTransactionCount" and counts.get(request["params"][1])
        return {"result": told} if told else pass_on(request)

    return change


@pytest.mark.parametrize("count", ["0xf4240", "0x1fffffffffffff", "0x20000000000000", "0xfffffffffffffffff", "0x12"])
def test_a_node_that_counts_nonsense_gets_no_nonce(made, digests, between, count):
    liar = between(made.chain, counting(pending=count))
    with pytest.raises(AnchorError, match=liar.url):
        made.anchor(rpc=[liar.url]).publish(submissions(digests(1)))
    assert not entries(made)
    made.publish(*digests(1))
    assert [entry.nonce for entry in entries(made)] == [1]


def test_a_node_that_lies_about_both_counts_is_outvoted(made, digests, between):
    liar = between(made.chain, counting(pending="0xf4240", latest="0xf4240"))
    for nodes in ([liar.url, made.chain.url], [made.chain.url, liar.url]):
        with pytest.raises(AnchorError, match=rf"{liar.url} says that 1000000 nonces"):
            made.anchor(rpc=nodes).publish(submissions(digests(1)))
    assert not entries(made)


def test_what_waits_is_counted_by_all_nodes(slow, digests, between):
    """The first node does not see what another program sent through the second."""
    me = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266"
    slow.chain.rpc("eth_sendTransaction", {"from": me, "to": me})
    blind = between(slow.chain, counting(pending="0x1"))
    with pytest.raises(AnchorError, match="in no block after 0 s"):
        slow.anchor(rpc=[blind.url, slow.chain.url], timeout=0).publish(submissions(digests(1)))
    assert [entry.nonce for entry in entries(slow)] == [2]


def test_an_account_that_never_signed_is_not_trusted(anvil, user, digests):
    made = user(anvil)
    session = made.anchor().session()
    with session.journal.locked(bytes(20)):
        assert made.anchor().authors() == frozenset()
    made.anchor().publishing().deploy()
    assert [author.hex()[:4] for author in made.anchor().authors()] == ["f39f"]


def test_a_damaged_journal_stops_everything(made, digests):
    made.publish(*digests(1))
    (file,) = made.folder.glob("state/ethereum/31337-*/0x*/1.json")
    good = file.read_bytes()
    for bad in (b"", b"{}", good[:-30], good.replace(b'"nonce":1', b'"nonce":2'), good.replace(b'"31337"', b"1")):
        if bad == good:
            continue
        file.write_bytes(bad)
        with pytest.raises(AnchorError, match="journal is damaged"):
            made.anchor().publish(submissions(digests(2, "new")))
    file.write_bytes(good)
    assert json.loads(good)["digests"] == digests(1)[0].hex


def test_a_chain_that_began_again_has_a_journal_of_its_own(made, start_anvil, digests):
    made.publish(*digests(1))
    made.chain = start_anvil("--timestamp", "1700000000")
    made.anchor().publishing().deploy()
    (receipt,) = made.publish(*digests(1))
    assert made.anchor().confirm(receipt, digests(1)[0]).outcome is Outcome.PASS
    assert len(entries(made)) == 2


def test_too_many_digests_are_refused(made, digests, monkeypatch):
    monkeypatch.setattr("mltrust.anchors.ethereum.sending.publishing.MAX_BATCH", 3)
    with pytest.raises(UsageError, match="4 digests, at most 3"):
        made.anchor().publish(submissions(digests(4)))


def test_another_digest_than_sha256_is_refused(made):
    with pytest.raises(UsageError, match="takes SHA-256 digests"):
        made.anchor().publish([Submission(Digest("blake3", bytes(32)))])


def test_polling_slows_down_and_ends(slow, digests):
    naps, now = [], [0.0]

    def sleep(seconds):
        naps.append(seconds)
        now[0] += seconds

    with pytest.raises(AnchorError):
        slow.anchor(timeout=0).publish(submissions(digests(1)))
    session = slow.anchor(timeout=60).session()
    patient = type(session)(session.config, session.nodes, session.journal, session.dialogue, lambda: now[0], sleep)
    with pytest.raises(AnchorError, match="in no block after 60 s"):
        following.settle(patient, entries(slow)[0])
    assert naps[0] < 1
    assert max(naps) <= 4
    assert 60 <= sum(naps) < 65
