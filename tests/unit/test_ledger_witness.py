"""Witnesses: who cosigns what, what they refuse, and what a ledger that needs them says."""

import os
import shutil
from datetime import UTC, datetime, timedelta

import pytest

from mltrust.anchors.ledger import LedgerAnchor, LedgerKey, log
from mltrust.anchors.ledger.checkpoint import SignedCheckpoint
from mltrust.anchors.ledger.cosignature import Witnesses, time_of
from mltrust.anchors.ledger.memory import Memory
from mltrust.core.digest import Digest
from mltrust.core.note import MAX_NOTE_BYTES, NoteSignature, VerifierKey
from mltrust.core.report import AnchorState, Outcome
from mltrust.disk import state
from mltrust.errors import AnchorError, ContradictionError, UsageError
from mltrust.interfaces import Home, Submission

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SECONDS = int(NOON.timestamp())


def digest(number):
    return Digest.sha256(str(number).encode())


class Town:
    """A ledger, its keeper, its witnesses and whoever else looks at it, each with a home of their own."""

    def __init__(self, root):
        self.root = root
        self.now = NOON
        self.folder = root / "ledger"
        self.shelf = self.folder / "cosignatures"

    def home(self, who):
        return Home(self.root / who / "data", self.root / who / "state")

    def ledger(self, who="keeper", *, needs=(), at_least=None, folder=None):
        keys = tuple(self.ledger(name).cosigner_key() for name in needs)
        witnesses = Witnesses(keys, at_least or len(keys))
        return LedgerAnchor(folder or self.folder, self.home(who), witnesses=witnesses, clock=lambda: self.now)

    def publish(self, *numbers, who="keeper"):
        return self.ledger(who).publish([Submission(digest(number)) for number in numbers])

    def cosign(self, who="witness", *, keep=True):
        ledger = self.ledger(who)
        signed = ledger.cosign()
        if keep:
            ledger.keep_cosigned(signed)
        return signed

    def key(self, who="witness"):
        return self.ledger(who).cosigner_key()

    def save(self, name="saved"):
        shutil.copytree(self.folder, self.root / name)

    def restore(self, name="saved"):
        shutil.rmtree(self.folder)
        shutil.copytree(self.root / name, self.folder)

    def fork(self, *numbers, since="saved"):
        """Put the ledger back, and let its keeper, who forgot what was there, append something else."""
        self.restore(since)
        shutil.copytree(self.root / "keeper" / "data", self.root / "forger" / "data", dirs_exist_ok=True)
        shutil.rmtree(self.root / "forger" / "state", ignore_errors=True)
        self.publish(*numbers, who="forger")

    def forget(self, who="witness"):
        """Forget the ledger, as the hint of an error says how to."""
        shutil.rmtree(self.root / who / "state" / "ledgers" / "checkpoints")

    def files(self):
        return {path: path.read_bytes() for path in self.folder.rglob("*") if path.is_file() and path.name != "lock"}


@pytest.fixture
def town(tmp_path):
    return Town(tmp_path)


def asked(number):
    return Submission(digest(number))


class TestCosigning:
    def test_what_it_writes(self, town):
        town.publish(1, 2)
        before = town.files()
        signed = town.cosign()
        added = {path: data for path, data in town.files().items() if path not in before}
        assert {path: data for path, data in town.files().items() if path in before} == before
        assert [path.parent for path in added] == [town.shelf]
        assert list(added.values()) == [signed.text.encode()]
        assert time_of(signed, town.key()) == SECONDS
        assert signed.checkpoint.size == 2

    def test_the_key_is_made_once_and_is_no_ledgers(self, town):
        assert town.key() == town.key()
        assert town.key().name.startswith("mltrust.witness/")
        assert town.key("other") != town.key()

    def test_it_is_shown_and_exported_with_the_checkpoint(self, town):
        town.publish(1)
        signed = town.cosign()
        assert town.ledger().checkpoint() == signed.text
        town.ledger("reader").export(town.root / "tiles")
        exported = SignedCheckpoint.parse((town.root / "tiles" / "checkpoint").read_bytes(), "exported")
        assert time_of(exported, town.key()) == SECONDS

    def test_two_witnesses_of_one_checkpoint_are_in_one_note(self, town):
        town.publish(1)
        town.cosign("a")
        town.cosign("b")
        text = town.ledger("reader").checkpoint()
        assert len(SignedCheckpoint.parse(text.encode(), "checkpoint").note.signatures) == 3

    def test_an_append_makes_a_checkpoint_nobody_cosigned_yet(self, town):
        town.publish(1)
        first = town.cosign()
        town.publish(2)
        assert town.ledger().checkpoint() == (town.folder / "checkpoint").read_text()
        assert town.cosign().checkpoint.size == 2
        assert len(list(town.shelf.iterdir())) == 1
        assert first.text.encode() not in town.files().values()

    def test_times_never_run_backwards(self, town):
        town.publish(1)
        town.cosign()
        town.now = NOON - timedelta(days=1)
        assert time_of(town.cosign(), town.key()) == SECONDS
        town.now = NOON + timedelta(days=1)
        assert time_of(town.cosign(), town.key()) == SECONDS + 86400

    def test_what_comes_late_does_not_take_the_place_of_the_newer(self, town):
        town.publish(1)
        late = town.cosign(keep=False)
        town.publish(2)
        newer = town.cosign()
        town.ledger("witness").keep_cosigned(late)
        town.ledger("keeper").take_in(late, Witnesses((town.key(),), 1))
        assert newer.text.encode() in town.files().values()

    def test_a_copy_of_the_ledger_will_do(self, town):
        town.publish(1)
        town.save("copy")
        signed = town.ledger("witness", folder=town.root / "copy").cosign()
        town.publish(2)
        assert town.ledger().take_in(signed, Witnesses((town.key(),), 1)) == (town.key(),)

    def test_the_keeper_is_told_apart(self, town):
        town.publish(1)
        assert town.ledger().keeps_key()
        assert not town.ledger("witness").keeps_key()

    def test_no_ledger(self, town):
        with pytest.raises(AnchorError, match="no ledger"):
            town.cosign()


class TestRefusing:
    def refused(self, town, state=AnchorState.ROLLBACK, who="witness"):
        """The witness refuses; what it remembers to have cosigned and what lies in the folder stay as they are."""
        before = town.files(), self.record(town, who)
        with pytest.raises(ContradictionError) as caught:
            town.cosign(who)
        assert caught.value.state == state
        assert (town.files(), self.record(town, who)) == before
        assert caught.value.hint
        return caught.value.evidence

    def record(self, town, who="witness"):
        (file,) = (town.root / who / "state" / "ledgers" / "cosigned").iterdir()
        return file.read_bytes()

    def test_a_rollback(self, town):
        town.publish(1)
        town.save()
        town.publish(2)
        newer = town.cosign()
        town.restore()
        older = (town.folder / "checkpoint").read_text()
        remembered, shown = self.refused(town)
        assert (remembered.split("\n\n")[0], shown) == (newer.note.text[:-1], older)
        town.forget()
        assert self.refused(town) == (newer.text, older)

    @pytest.mark.parametrize("numbers", [(3,), (3, 4)], ids=["of one size", "larger"])
    def test_a_fork(self, town, numbers):
        town.publish(1)
        town.save()
        town.publish(2)
        mine = town.cosign()
        town.fork(*numbers)
        self.refused(town)
        town.forget()
        one, two = self.refused(town)
        assert one == mine.text
        for text in (one, two):
            found = SignedCheckpoint.parse(text.encode(), "evidence")
            assert found.signed_by(VerifierKey.parse(town.ledger("reader").verifier_key(), "key")).name == "VALID"

    def test_it_is_not_the_folder_that_has_to_remember(self, town):
        town.publish(1)
        town.save()
        town.publish(2)
        town.cosign(keep=False)
        town.fork(3)
        town.forget()
        assert not town.shelf.exists()
        self.refused(town)

    def test_what_the_folder_remembers_counts_for_everybody(self, town):
        town.publish(1)
        town.save()
        town.publish(2)
        town.cosign()
        shutil.copytree(town.shelf, town.root / "shelf")
        town.fork(3)
        shutil.copytree(town.root / "shelf", town.shelf)
        for call in (
            town.ledger("reader").check,
            lambda: town.ledger("forger").publish([asked(9)]),
            lambda: town.ledger("other witness").cosign(),
        ):
            before = town.files()
            with pytest.raises(ContradictionError) as caught:
                call()
            assert caught.value.state == AnchorState.ROLLBACK
            assert len(caught.value.evidence) == 2
            assert town.files() == before

    def test_another_key_under_the_same_name(self, town):
        def chance(first):
            bytes_of = iter([bytes(8), bytes([first] * 32)])
            return lambda size: next(bytes_of)

        for number in (1, 2):
            home = Home(town.root / f"keeper{number}" / "data", town.root / f"keeper{number}" / "state")
            LedgerAnchor(town.root / str(number), home, random=chance(number)).publish([asked(1)])
        witness = [town.ledger("witness", folder=town.root / str(number)) for number in (1, 2)]
        witness[0].cosign()
        with pytest.raises(ContradictionError) as caught:
            witness[1].cosign()
        assert caught.value.state == AnchorState.UNKNOWN_KEY
        assert len(caught.value.evidence) == 2

    @pytest.mark.parametrize("content", [b"", b"x", b"x" * 70_000, None])
    def test_a_damaged_record_is_not_a_clean_slate(self, town, content):
        town.publish(1)
        town.cosign()
        (file,) = (town.root / "witness" / "state" / "ledgers" / "cosigned").iterdir()
        file.write_bytes((town.folder / "checkpoint").read_bytes() if content is None else content)
        with pytest.raises(AnchorError, match=r"damaged|larger") as caught:
            town.cosign()
        assert not isinstance(caught.value, ContradictionError)

    def test_a_lost_key_is_not_made_anew(self, town):
        town.key()
        for pem in (town.root / "witness" / "data" / "keys").glob("*.pem"):
            pem.unlink()
        with pytest.raises(AnchorError, match="gone"):
            town.key()

    def test_nothing_is_handed_out_before_it_is_remembered(self, town, monkeypatch):
        town.publish(1)
        replace = state.replace

        def failing(path, data):
            if path.parent.name == "cosigned":
                raise AnchorError("the disk is full")
            replace(path, data)

        monkeypatch.setattr(state, "replace", failing)
        with pytest.raises(AnchorError, match="full"):
            town.cosign()
        assert not town.shelf.exists()

    def test_an_older_checkpoint_is_not_signed_after_a_newer_one_was_seen(self, town, monkeypatch):
        town.publish(1)
        town.ledger("witness").check()
        locked, grown = Memory.locked, []

        def late(memory):
            if not grown:
                grown.append(True)
                town.publish(2)
                town.ledger("witness").check()
            return locked(memory)

        monkeypatch.setattr(Memory, "locked", late)
        assert town.cosign().checkpoint.size == 2
        assert grown

    def test_a_ledger_that_outgrows_every_reading(self, town, monkeypatch):
        town.publish(1)
        town.ledger("witness").check()
        locked, grown = Memory.locked, []

        def always_late(memory):
            if len(grown) % 2 == 0 and memory._root.parent.parent.name == "witness":
                grown.append(True)
                town.publish(len(grown) + 1)
                town.ledger("witness").check()
                grown.append(True)
            return locked(memory)

        monkeypatch.setattr(Memory, "locked", always_late)
        with pytest.raises(AnchorError, match="grows faster"):
            town.cosign()

    def test_a_ledger_that_grows_while_it_is_read_is_no_rollback(self, town, monkeypatch):
        town.publish(1)
        read, grown = log.read, []

        def growing(folder, key):
            found = read(folder, key)
            if not grown:
                grown.append(True)
                town.publish(2)
                town.cosign()
            return found

        monkeypatch.setattr(log, "read", growing)
        assert town.ledger("reader").check().size == 1
        assert town.ledger("reader").check().size == 2


class TestTakingIn:
    def known(self, town):
        return Witnesses((town.key(),), 1)

    def test_by_the_key_given_or_configured(self, town):
        town.publish(1)
        signed = town.cosign(keep=False)
        for ledger, known in ((town.ledger(), self.known(town)), (town.ledger(needs=["witness"]), None)):
            assert ledger.take_in(signed, known) == (town.key(),)
            assert signed.text.encode() in town.files().values()
            shutil.rmtree(town.shelf)

    def test_of_nobody_known(self, town):
        town.publish(1)
        signed = town.cosign(keep=False)
        for known in (None, Witnesses((town.key("other"),), 1)):
            with pytest.raises(AnchorError, match="none of the witnesses"):
                town.ledger().take_in(signed, known)
        assert not town.shelf.exists()

    def test_only_their_lines_are_kept(self, town):
        town.publish(1)
        junk = NoteSignature("junk", b"junk", bytes(72))
        signed = town.cosign(keep=False)
        town.ledger().take_in(signed.with_signatures([junk]), self.known(town))
        assert signed.text.encode() in town.files().values()

    def test_of_another_ledger(self, town):
        town.publish(1)
        signed = town.cosign(keep=False)
        other = LedgerAnchor(town.root / "other", town.home("keeper"))
        other.publish([asked(1)])
        with pytest.raises(AnchorError, match="not a checkpoint that"):
            other.take_in(signed, self.known(town))

    def test_of_a_fork(self, town):
        town.publish(1)
        town.save()
        town.publish(2)
        signed = town.cosign(keep=False)
        town.fork(3)
        with pytest.raises(ContradictionError) as caught:
            town.ledger("reader").take_in(signed, self.known(town))
        assert len(caught.value.evidence) == 2
        assert not town.shelf.exists()


class TestRequiring:
    def test_not_yet_then_witnessed(self, town):
        (receipt,) = town.publish(1)
        needing = town.ledger("reader", needs=["witness"])
        check = needing.confirm(receipt, digest(1))
        assert (check.outcome, check.state) == (Outcome.UNCHECKED, AnchorState.NOT_FINAL)
        assert "0 of 1 witnesses" in check.summary
        assert "ledger witness" in check.hint
        town.cosign()
        check = needing.confirm(receipt, digest(1))
        assert (check.outcome, check.state, check.level) == (Outcome.PASS, AnchorState.VERIFIED, "witnessed")
        assert f"cosigned by {town.key().name} at 2026-11-22T12:00:00Z" in check.summary

    def test_levels_without_witnesses(self, town):
        (receipt,) = town.publish(1)
        own = LedgerAnchor(town.home("keeper").data / "ledger", town.home("keeper"))
        (mine,) = own.publish([asked(1)])
        assert own.confirm(mine, digest(1)).level == "own-ledger"
        assert town.ledger("reader").confirm(receipt, digest(1)).level == "ledger"
        by_key = LedgerKey.from_key(town.ledger().verifier_key(), {})
        assert by_key.confirm(receipt, digest(1)).level == "key"
        for check in (own.confirm(mine, digest(1)), by_key.confirm(receipt, digest(1))):
            assert check.stronger

    def test_an_entry_after_the_cosigned_checkpoint_waits(self, town):
        town.publish(1)
        town.cosign()
        (later,) = town.publish(2)
        needing = town.ledger("reader", needs=["witness"])
        assert needing.confirm(later, digest(2)).state == AnchorState.NOT_FINAL
        assert needing.find(asked(2)) == (later,)
        for receipt in needing.find(asked(1)):
            assert needing.confirm(receipt, digest(1)).outcome is Outcome.PASS
        assert needing.check().witnessed_size == 1
        town.cosign()
        assert needing.confirm(later, digest(2)).outcome is Outcome.PASS
        assert needing.check().witnessed_size == 2

    def test_some_of_many(self, town):
        (receipt,) = town.publish(1)
        one, all_of = (town.ledger("reader", needs=["a", "b"], at_least=number) for number in (1, 2))
        town.cosign("a")
        assert one.confirm(receipt, digest(1)).outcome is Outcome.PASS
        assert all_of.confirm(receipt, digest(1)).state == AnchorState.NOT_FINAL
        assert (one.check().witnessed_size, all_of.check().witnessed_size) == (1, 0)
        town.publish(2)
        town.cosign("b")
        assert all_of.confirm(receipt, digest(1)).outcome is Outcome.PASS, "each has seen a ledger with the entry"
        assert all_of.check().witnessed_size == 1

    def test_a_cosignature_that_comes_with_the_receipt_counts(self, town):
        town.publish(1)
        town.cosign()
        (receipt,) = town.ledger().find(asked(1))
        shutil.rmtree(town.shelf)
        assert town.ledger("reader", needs=["witness"]).confirm(receipt, digest(1)).outcome is Outcome.PASS

    def test_no_requirement_no_names(self, town):
        (receipt,) = town.publish(1)
        town.cosign()
        assert "cosigned" not in town.ledger("reader").confirm(receipt, digest(1)).summary

    def test_settings_from_a_uri(self, town):
        home = town.home("reader")
        settings = {"witnesses": [str(town.key())], "at_least": 1}
        (receipt,) = town.publish(1)
        ledger = LedgerAnchor.from_uri(f"ledger:{town.folder}", home, settings)
        assert ledger.confirm(receipt, digest(1)).state == AnchorState.NOT_FINAL
        with pytest.raises(UsageError):
            LedgerAnchor.from_uri(f"ledger:{town.folder}", home, {"witnesses": [town.ledger().verifier_key()]})


class TestOffline:
    def by_key(self, town, *needs, at_least=None):
        settings = {"witnesses": [str(town.key(name)) for name in needs]}
        settings |= {"at_least": at_least} if at_least else {}
        return LedgerAnchor.from_key(town.ledger("reader").verifier_key(), settings)

    def test_a_refreshed_receipt_carries_the_cosignatures(self, town):
        (receipt,) = town.publish(1)
        offline = self.by_key(town, "witness")
        assert offline.confirm(receipt, digest(1)).state == AnchorState.NOT_FINAL
        town.publish(2)
        assert town.ledger().refresh(receipt, digest(1)) == receipt
        town.cosign()
        fresh = town.ledger().refresh(receipt, digest(1))
        check = offline.confirm(fresh, digest(1))
        assert (check.outcome, check.level, check.time) == (Outcome.PASS, "witnessed", receipt.time)
        assert town.ledger().refresh(fresh, digest(1)) == fresh
        assert self.by_key(town, "other").confirm(fresh, digest(1)).state == AnchorState.NOT_FINAL
        assert LedgerKey.from_key(town.ledger().verifier_key(), {}).confirm(fresh, digest(1)).level == "key"

    def test_the_checkpoint_most_cosigned_is_taken(self, town):
        (receipt,) = town.publish(1)
        town.publish(2)
        town.cosign("a")
        town.cosign("b")
        town.publish(3)
        town.cosign("c")
        fresh = town.ledger().refresh(receipt, digest(1))
        assert self.by_key(town, "a", "b").confirm(fresh, digest(1)).outcome is Outcome.PASS
        assert self.by_key(town, "a", "b", "c").confirm(fresh, digest(1)).state == AnchorState.NOT_FINAL
        only_c = town.ledger(needs=["c"]).refresh(fresh, digest(1))
        assert self.by_key(town, "c").confirm(only_c, digest(1)).outcome is Outcome.PASS

    def test_publishing_again_and_finding_give_the_cosigned_one_too(self, town):
        town.publish(1)
        town.cosign()
        town.publish(2)
        for (receipt,) in (town.publish(1), town.ledger().find(asked(1))):
            assert self.by_key(town, "witness").confirm(receipt, digest(1)).outcome is Outcome.PASS

    def test_an_edited_cosignature(self, town):
        town.publish(1)
        signed = town.cosign()
        (receipt,) = town.ledger().find(asked(1))
        line = signed.note.signature_of(town.key())
        false = NoteSignature(line.name, line.key_id, line.value[:-1] + bytes([line.value[-1] ^ 1]))
        later = NoteSignature(line.name, line.key_id, (2**40).to_bytes(8, "big") + line.value[8:])
        gone = [each for each in signed.note.signatures if each != line]
        stripped = type(signed.note)(signed.note.text, tuple(gone)).format()
        for edited in (false, later):
            evidence = {**receipt.evidence, "checkpoint": signed.with_signatures([edited]).text}
            for anchor in (self.by_key(town, "witness"), town.ledger("reader", needs=["witness"])):
                check = anchor.confirm(receipt.model_copy(update={"evidence": evidence}), digest(1))
                assert (check.outcome, check.state) == (Outcome.FAIL, AnchorState.UNSIGNED)
        evidence = {**receipt.evidence, "checkpoint": stripped}
        check = self.by_key(town, "witness").confirm(receipt.model_copy(update={"evidence": evidence}), digest(1))
        assert (check.outcome, check.state) == (Outcome.UNCHECKED, AnchorState.NOT_FINAL)

    def test_refreshing_what_the_ledger_does_not_stand_by(self, town):
        (receipt,) = town.publish(1)
        town.save()
        (newer,) = town.publish(2)
        town.restore()
        with pytest.raises(ContradictionError):
            town.ledger("reader").refresh(newer, digest(2))
        with pytest.raises(ContradictionError):
            town.ledger("reader").refresh(receipt, digest(2))


class TestHostileShelf:
    def unmoved(self, town):
        """Nothing in the folder of cosignatures makes a difference to anybody."""
        assert town.ledger("reader").check().size == 2
        assert town.ledger("reader").checkpoint() == (town.folder / "checkpoint").read_text()
        (receipt,) = town.ledger("reader").find(asked(1))
        assert receipt.evidence["checkpoint"] == (town.folder / "checkpoint").read_text()

    @pytest.fixture(autouse=True)
    def begun(self, town):
        town.publish(1, 2)
        town.shelf.mkdir()

    @pytest.mark.parametrize("content", [b"", b"x", b"\xff", b"\n\n", b"x" * 100_000])
    def test_what_is_no_note(self, town, content):
        (town.shelf / ("0" * 64)).write_bytes(content)
        self.unmoved(town)

    @pytest.mark.skipif(os.name != "posix", reason="links and pipes as POSIX has them")
    def test_what_is_no_file(self, town):
        os.mkfifo(town.shelf / ("0" * 64))
        (town.shelf / ("1" * 64)).mkdir()
        (town.shelf / ("2" * 64)).symlink_to("/dev/zero")
        (town.shelf / ("3" * 64)).symlink_to(town.folder / "checkpoint")
        self.unmoved(town)

    def test_no_folder(self, town):
        town.shelf.rmdir()
        town.shelf.write_text("x")
        self.unmoved(town)

    def test_a_checkpoint_of_another_ledger(self, town):
        other = LedgerAnchor(town.root / "other", town.home("stranger"))
        other.publish([asked(9)])
        (town.shelf / ("0" * 64)).write_text(other.checkpoint())
        self.unmoved(town)

    def test_files_by_other_names(self, town):
        signed = town.cosign(keep=False)
        for name in ("x", "0" * 63, "A" * 64, "0" * 64 + ".tmp"):
            (town.shelf / name).write_text(signed.text)
        self.unmoved(town)

    def test_unknown_lines_are_carried_and_mean_nothing(self, town):
        signed = town.cosign()
        junk = [NoteSignature(f"junk{number}", b"junk", bytes(72)) for number in range(3)]
        other = NoteSignature("other", b"type", bytes(2428))
        (town.shelf / ("f" * 64)).write_text(signed.with_signatures([*junk, other]).text)
        text = town.ledger("reader").checkpoint()
        assert "junk0" in text
        assert "other" not in text
        needing = town.ledger("reader", needs=["witness"])
        (receipt,) = needing.find(asked(1))
        assert needing.confirm(receipt, digest(1)).outcome is Outcome.PASS

    def test_long_names_leave_a_note_readable(self, town):
        signed = town.cosign(keep=False)
        for number in range(10):
            junk = NoteSignature(f"{number}" + "x" * 30_000, b"junk", bytes(72))
            (town.shelf / (f"{number}" * 64)).write_text(signed.with_signatures([junk]).text)
        assert len(town.ledger("reader").checkpoint().encode()) <= MAX_NOTE_BYTES

    def test_a_false_cosignature_does_not_stand_in_the_way_of_a_true_one(self, town):
        town.publish(3)
        newer = town.cosign(keep=False)
        line = newer.note.signature_of(town.key())
        false = newer.with_signatures([NoteSignature(line.name, line.key_id, bytes([127]) + line.value[1:])])
        town.ledger("witness").keep_cosigned(newer)
        (file,) = town.shelf.iterdir()
        file.write_text(false.text)
        needing = town.ledger("reader", needs=["witness"])
        (receipt,) = town.publish(1)
        assert needing.confirm(receipt, digest(1)).outcome is not Outcome.PASS
        town.cosign()
        assert needing.confirm(needing.find(asked(1))[0], digest(1)).outcome is Outcome.PASS

    def test_a_checkpoint_lost_with_the_power_is_no_contradiction(self, town):
        """A witness may see a checkpoint that the keeper's disk then loses: the entries are there, all of them."""
        older = (town.folder / "checkpoint").read_bytes()
        town.publish(3)
        town.cosign()
        (town.folder / "checkpoint").write_bytes(older)
        shutil.rmtree(town.root / "keeper" / "state")
        assert town.ledger("reader").check().unsigned == 1
        assert town.ledger("reader").find(asked(3)) == ()
        (receipt,) = town.ledger("reader").find(asked(1))
        assert town.ledger("reader").confirm(receipt, digest(1)).outcome is Outcome.PASS
        town.publish(4)
        assert town.ledger("reader").check().size == 4
        assert town.cosign().checkpoint.size == 4
