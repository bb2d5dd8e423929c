"""Checkpoints of a ledger published through other anchors: what is kept of them, and what they prove."""

import hashlib
import json
import shutil

import pytest

from mltrust.anchors.ledger import LedgerAnchor, log
from mltrust.anchors.ledger.anchored import MAX_READ, Anchored
from mltrust.core.digest import Digest
from mltrust.core.receipt import MAX_RECEIPTS
from mltrust.core.report import AnchorState, Check, CheckKind, Outcome
from mltrust.disk import keys
from mltrust.errors import AnchorError, ContradictionError, FormatError
from mltrust.interfaces import Home, Submission
from mltrust.operations.checkpoint import Pin, newest, pin
from mltrust.testing import MemoryAnchor


def digest(number):
    return Digest.sha256(str(number).encode())


class Ripening(MemoryAnchor):
    """An anchor whose receipts are not final at first, and which counts what it is asked."""

    def __init__(self, label="ripening"):
        super().__init__(label)
        self.final = self.reachable = False
        self.published = 0

    def publish(self, submissions):
        self.published += len(submissions)
        return super().publish(submissions)

    def confirm(self, receipt, digest):
        if not self.reachable:
            return self._check(Outcome.UNCHECKED, AnchorState.UNAVAILABLE, "out of reach")
        plain = receipt.model_copy(update={"evidence": {**receipt.evidence}})
        plain.evidence.pop("final", None)
        check = super().confirm(plain, digest)
        if check.outcome is Outcome.PASS and not receipt.evidence.get("final"):
            return self._check(Outcome.UNCHECKED, AnchorState.NOT_FINAL, "not final yet")
        return check

    def refresh(self, receipt, digest):
        final = {**receipt.evidence, "final": True}
        return receipt.model_copy(update={"evidence": final}) if self.final else receipt


@pytest.fixture
def ledger(tmp_path):
    ledger = LedgerAnchor(tmp_path / "ledger", Home(tmp_path / "data", tmp_path / "state"))
    ledger.publish([Submission(digest(1))])
    return ledger


@pytest.fixture
def stranger(tmp_path):
    return LedgerAnchor(tmp_path / "ledger", Home(tmp_path / "their-data", tmp_path / "their-state"))


def published(ledger, through):
    """Do what `mltrust ledger checkpoint --anchor` does."""
    anchored = ledger.prepare_anchored()
    submission = Submission(anchored.digest)
    done = pin(Pin(anchored.signed.checkpoint.size, submission, anchored.receipts), through)
    ledger.keep_anchored(anchored, done.receipt, done.instead_of)
    return done


def pins(ledger, *others):
    return [
        Pin(each.signed.checkpoint.size, Submission(each.digest), each.receipts) for each in ledger.anchored(*others)
    ]


class TestKeeping:
    def test_what_is_published_is_the_text_of_the_checkpoint(self, ledger, tmp_path):
        through = MemoryAnchor()
        done = published(ledger, through)
        text = (tmp_path / "ledger" / "checkpoint").read_text().split("\n\n")[0] + "\n"
        assert done.receipt.digest == "sha256:" + hashlib.sha256(text.encode()).hexdigest()
        assert done.check.outcome is Outcome.PASS
        file = json.loads((tmp_path / "ledger" / "anchored" / "1.json").read_text())
        assert list(file) == ["mediaType", "checkpoint", "receipts"]
        assert file["checkpoint"] == ledger.checkpoint()
        assert file["receipts"] == [done.receipt.to_json()]

    def test_cosignatures_that_come_later_change_nothing_of_it(self, ledger, stranger):
        through = MemoryAnchor()
        first = published(ledger, through)
        stranger.keep_cosigned(stranger.cosign())
        assert published(ledger, through).receipt == first.receipt
        (found,) = ledger.anchored()
        assert len(found.receipts) == 1

    def test_several_anchors_and_sizes(self, ledger):
        one, two = Ripening("one"), MemoryAnchor("two")
        one.reachable = one.final = True
        for through in (one, two):
            published(ledger, through)
        ledger.publish([Submission(digest(2))])
        published(ledger, two)
        assert [each.signed.checkpoint.size for each in ledger.anchored()] == [2, 1]
        assert [len(each.receipts) for each in ledger.anchored()] == [1, 2]
        assert newest(pins(ledger), two)[0].size == 2

    def test_a_receipt_that_ripened_takes_the_place_of_the_raw_one(self, ledger):
        through = Ripening()
        through.reachable = True
        assert published(ledger, through).check.state == AnchorState.NOT_FINAL
        largest, check = newest(pins(ledger), through)
        assert (largest.size, check.outcome, check.state) == (1, Outcome.UNCHECKED, AnchorState.NOT_FINAL)
        through.final = True
        assert published(ledger, through).check.outcome is Outcome.PASS
        (found,) = ledger.anchored()
        assert [receipt.evidence["final"] for receipt in found.receipts] == [True]
        assert through.published == 1, "what was paid for once is not paid for again"
        assert newest(pins(ledger), through)[1].outcome is Outcome.PASS

    def test_nothing_is_published_that_cannot_be_kept(self, ledger, tmp_path):
        through = Ripening()
        (tmp_path / "ledger" / "anchored").write_text("in the way")
        with pytest.raises(AnchorError):
            published(ledger, through)
        assert not through.published

    def test_an_empty_ledger_has_nothing_to_anchor(self, tmp_path):
        other = LedgerAnchor(tmp_path / "other", Home(tmp_path / "data", tmp_path / "state"))
        with pytest.raises(AnchorError, match="no ledger"):
            other.prepare_anchored()
        (tmp_path / "other").mkdir()
        log.begin(tmp_path / "other", keys.create(tmp_path / "data", bytes))
        with pytest.raises(AnchorError, match="no entries"):
            other.prepare_anchored()

    def test_the_note_for_anchors_that_stand_beside_a_file_never_changes(self, ledger, stranger, tmp_path):
        anchored = ledger.prepare_anchored()
        note = ledger.write_note(anchored)
        assert note.decode() == ledger.checkpoint()
        stranger.keep_cosigned(stranger.cosign())
        assert ledger.write_note(ledger.prepare_anchored()) == note == anchored.note_file.read_bytes()
        (found,) = ledger.anchored()
        assert (found.signed, found.receipts) == (anchored.signed, ())
        published(ledger, MemoryAnchor())
        assert len(ledger.anchored()) == 1

    def test_too_many_receipts(self, ledger):
        through = MemoryAnchor()
        receipt = published(ledger, through).receipt
        (anchored,) = ledger.anchored()
        for number in range(MAX_RECEIPTS - 1):
            more = receipt.model_copy(update={"evidence": {"number": number}})
            ledger.keep_anchored(anchored, more, None)
        with pytest.raises(AnchorError, match="more than"):
            ledger.keep_anchored(anchored, receipt.model_copy(update={"evidence": {"one": "more"}}), None)
        assert len(ledger.anchored()[0].receipts) == MAX_RECEIPTS


class TestChecking:
    def test_a_rollback_before_the_anchored_checkpoint_is_found_by_a_stranger(self, ledger, stranger, tmp_path):
        shutil.copytree(tmp_path / "ledger", tmp_path / "old")
        ledger.publish([Submission(digest(2))])
        through = MemoryAnchor()
        published(ledger, through)
        kept = (tmp_path / "ledger" / "anchored" / "2.json").read_bytes()
        shutil.rmtree(tmp_path / "ledger")
        (tmp_path / "old").rename(tmp_path / "ledger")
        assert stranger.check().size == 1, "by itself the older ledger looks sound"
        largest, check = newest(pins(stranger), through)
        assert (largest, check.outcome, check.state) == (None, Outcome.FAIL, AnchorState.ABSENT)
        with pytest.raises(ContradictionError) as caught:
            stranger.anchored(kept)
        assert caught.value.state == AnchorState.ROLLBACK
        assert caught.value.evidence[0] == json.loads(kept)["checkpoint"]
        (tmp_path / "ledger" / "anchored").mkdir()
        (tmp_path / "ledger" / "anchored" / "2.json").write_bytes(kept)
        with pytest.raises(ContradictionError):
            stranger.anchored()

    def test_a_fork_is_found(self, ledger, tmp_path):
        shutil.copytree(tmp_path / "ledger", tmp_path / "fork")
        ledger.publish([Submission(digest(2))])
        published(ledger, MemoryAnchor())
        forger = LedgerAnchor(tmp_path / "fork", Home(tmp_path / "data", tmp_path / "forger"))
        forger.publish([Submission(digest(3)), Submission(digest(4))])
        shutil.copytree(tmp_path / "ledger" / "anchored", tmp_path / "fork" / "anchored")
        with pytest.raises(ContradictionError) as caught:
            forger.anchored()
        assert len(caught.value.evidence) == 2

    def test_a_checkpoint_from_elsewhere_as_a_note(self, ledger, stranger, tmp_path):
        note = ledger.checkpoint().encode()
        ledger.publish([Submission(digest(2))])
        (found,) = stranger.anchored(note)
        assert found.signed.checkpoint.size == 1

    def test_out_of_reach_is_neither(self, ledger):
        through = Ripening()
        published(ledger, through)
        largest, check = newest(pins(ledger), through)
        assert (largest.size, check.outcome, check.state) == (1, Outcome.UNCHECKED, AnchorState.UNAVAILABLE)
        assert check.required

    def test_an_older_one_that_holds_counts_while_the_newest_ripens(self, ledger):
        through = Ripening()
        through.reachable = through.final = True
        published(ledger, through)
        assert published(ledger, through).check.outcome is Outcome.PASS
        ledger.publish([Submission(digest(2))])
        through.final = False
        published(ledger, through)
        largest, check = newest(pins(ledger), through)
        assert (largest.size, check.outcome) == (1, Outcome.PASS)

    def test_a_receipt_that_was_taken_back_is_a_finding(self, ledger):
        through = MemoryAnchor()
        published(ledger, through)
        largest, check = newest(pins(ledger), MemoryAnchor())
        assert (largest.size, check.outcome) == (1, Outcome.FAIL)

    def test_the_largest_are_looked_at(self, ledger, tmp_path):
        published(ledger, MemoryAnchor())
        text = (tmp_path / "ledger" / "anchored" / "1.json").read_text()
        for number in range(2, MAX_READ + 3):
            (tmp_path / "ledger" / "anchored" / f"{number}.json").write_text(text)
        assert len(ledger.anchored()) == MAX_READ


class TestHostileFiles:
    @pytest.fixture(autouse=True)
    def begun(self, ledger, tmp_path):
        published(ledger, MemoryAnchor())
        self.file = tmp_path / "ledger" / "anchored" / "1.json"
        self.value = json.loads(self.file.read_text())

    @pytest.mark.parametrize("content", [b"", b"{", b"{}", b"[]", b"x", b"\xff", b"{" * 100_000])
    def test_what_is_no_document(self, ledger, content):
        self.file.write_bytes(content)
        with pytest.raises(FormatError):
            ledger.anchored()

    @pytest.mark.parametrize(
        "edit",
        [
            {"more": 1},
            {"mediaType": "application/vnd.mltrust.anchored-checkpoint.v2+json"},
            {"checkpoint": "x"},
            {"checkpoint": 1},
            {"checkpoint": "\ud800"},
            {"receipts": {}},
            {"receipts": [1]},
            {"receipts": None},
        ],
    )
    def test_what_is_another(self, ledger, edit):
        self.file.write_text(json.dumps({**self.value, **edit}))
        with pytest.raises(FormatError):
            ledger.anchored()

    def test_a_receipt_for_something_else(self, ledger):
        receipt = {**self.value["receipts"][0], "digest": str(digest(9))}
        self.file.write_text(json.dumps({**self.value, "receipts": [receipt]}))
        with pytest.raises(FormatError, match="another digest"):
            ledger.anchored()

    def test_a_checkpoint_of_somebody_else(self, ledger, tmp_path):
        other = LedgerAnchor(tmp_path / "other", Home(tmp_path / "o-data", tmp_path / "o-state"))
        other.publish([Submission(digest(1))])
        self.file.write_text(json.dumps({**self.value, "checkpoint": other.checkpoint(), "receipts": []}))
        with pytest.raises(AnchorError, match="not a checkpoint that this ledger signed"):
            ledger.anchored()

    def test_other_names_mean_nothing(self, ledger, tmp_path):
        for name in ("0.json", "x.json", "1.json.tmp", "01.json", "1.txt"):
            (self.file.parent / name).write_text("x")
        assert len(ledger.anchored()) == 1

    def test_above_the_limit(self, ledger):
        with self.file.open("r+b") as file:
            file.truncate(2**24 + 1)
        with pytest.raises(AnchorError, match="larger"):
            ledger.anchored()


def test_pins_are_asked_from_the_largest_on(ledger):
    asked = []

    class Asked(MemoryAnchor):
        def find(self, submission):
            asked.append(submission.digest)
            return super().find(submission)

    through = Asked()
    candidates = [Pin(size, Submission(digest(size))) for size in (9, 8, 7)]
    through.publish([candidates[1].submission])
    largest, check = newest(candidates, through)
    assert (largest.size, check.outcome, check.required) == (8, Outcome.PASS, True)
    assert asked == [digest(9), digest(8)]


def test_silence_is_a_failure():
    check = newest([], MemoryAnchor())[1]
    assert check == Check(
        kind=CheckKind.ANCHOR,
        name="memory:test",
        outcome=Outcome.FAIL,
        state=AnchorState.ABSENT,
        summary="memory:test vouches for no checkpoint of this ledger",
        hint=check.hint,
        required=True,
    )
    assert "ledger checkpoint --anchor" in check.hint


def test_a_file_reads_back(ledger, tmp_path):
    published(ledger, MemoryAnchor())
    (found,) = ledger.anchored()
    assert Anchored.parse(found.file.read_bytes(), tmp_path / "ledger", "file") == found
