import base64
import hashlib
import json
import os
import shutil
import threading
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import pytest
from filelock import FileLock

from mltrust.anchors.ledger import LedgerAnchor, LedgerKey, log
from mltrust.anchors.ledger.entry import LINE_BYTES, MAX_ENTRY_BYTES, START_BYTES, Entry, fields, start
from mltrust.core import canonical
from mltrust.core.digest import Digest
from mltrust.core.merkle import EMPTY_ROOT, Tree
from mltrust.core.report import AnchorState, Outcome
from mltrust.disk import state
from mltrust.errors import AnchorError, ContradictionError, FormatError, UsageError
from mltrust.interfaces import Home, Submission

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)


def digest(number):
    return Digest.sha256(str(number).encode())


def asked(number):
    return Submission(digest(number))


def digests(*numbers):
    return [asked(number) for number in numbers]


class Place:
    """A ledger, and all the files it uses."""

    def __init__(self, root, name="ledger"):
        self.root = root
        self.now = NOON
        self.home = Home(root / "data", root / "state")
        self.folder = root / name
        self.entries = self.folder / "entries.jsonl"
        self.checkpoint = self.folder / "checkpoint"
        self.key = self.folder / "verifier-key"

    def anchor(self, **options):
        return LedgerAnchor(self.folder, self.home, clock=lambda: self.now, **options)

    def stranger(self):
        """The ledger as somebody sees it who has neither its key nor a memory of it."""
        return LedgerAnchor(self.folder, Home(self.root / "their-data", self.root / "their-state"))

    def files(self):
        return {path: path.read_bytes() for path in self.root.rglob("*") if path.is_file() and path.name != "lock"}

    def save(self, name="saved"):
        shutil.copytree(self.folder, self.root / name)

    def restore(self, name="saved"):
        shutil.rmtree(self.folder)
        shutil.copytree(self.root / name, self.folder)


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def bound_by_permissions(root):
    probe = root / "probe"
    probe.mkdir(0o500)
    try:
        (probe / "x").touch()
    except PermissionError:
        return True
    return False


def state_of(call, *arguments):
    with pytest.raises(ContradictionError) as caught:
        call(*arguments)
    assert caught.value.hint
    return AnchorState(caught.value.state)


class TestEntry:
    def test_the_line_is_canonical_json(self):
        line = Entry(digest(1), "2026-11-22T15:00:00Z").format()
        expected = {"digest": str(digest(1)), "time": "2026-11-22T15:00:00Z", "type": "mltrust/ledger-entry/1"}
        assert json.loads(line) == expected
        assert canonical.dumps(expected) == line
        assert Entry.parse(line, "entry") == Entry(digest(1), "2026-11-22T15:00:00Z")
        assert line.startswith(start(digest(1)))
        assert (len(line) + 1, len(start(digest(1)))) == (LINE_BYTES, START_BYTES)

    @pytest.mark.parametrize(
        ("old", "new"),
        [
            ("sha256:", "sha512:"),
            ("sha256:6", "sha256:"),
            ("sha256:6b", "sha256:6B"),
            ("2026-11-22", "2026-13-22"),
            ("2026-11-22", "2026-02-30"),
            ("2026-11-22", "0000-11-22"),
            ("T15", "T24"),
            (":00Z", ":60Z"),
            (":00Z", ":00.0Z"),
            ("00Z", "00+00:00"),
            ("entry/1", "entry/2"),
            ("entry/1", "other/1"),
            ('"time"', ' "time"'),
            ('{"digest"', '{"a":1,"digest"'),
            ("}", "}\r"),
            ("}", "}\n"),
            ("}", ""),
            ("2026", "\u0662026"),
        ],
    )
    def test_refusals(self, old, new):
        line = Entry(digest(1), "2026-11-22T15:00:00Z").format().decode()
        assert old in line
        with pytest.raises(FormatError):
            Entry.parse(line.replace(old, new, 1).encode(), "entry")

    def test_a_newer_entry_says_so_unless_it_fits_no_version(self):
        line = b'{"padding":"%s","type":"mltrust/ledger-entry/2"}'
        for size, hint in ((MAX_ENTRY_BYTES, "A newer mltrust may know it."), (MAX_ENTRY_BYTES + 1, None)):
            padded = line % (b"x" * (size - len(line) + 2))
            assert len(padded) == size
            with pytest.raises(FormatError) as caught:
                fields(padded, "entry")
            assert caught.value.hint == hint


class TestPublish:
    def test_the_folder_it_makes(self, place):
        place.anchor().publish(digests(1, 2))
        assert sorted(path.name for path in place.folder.iterdir()) == [
            "checkpoint", "entries.jsonl", "lock", "verifier-key",
        ]  # fmt: skip
        lines = place.entries.read_bytes().splitlines()
        assert lines == [Entry(digest(number), "2026-11-22T12:00:00Z").format() for number in (1, 2)]
        origin, size, root, *_ = place.checkpoint.read_text("utf-8").split("\n")
        assert origin.startswith("mltrust.local/")
        assert (size, base64.b64decode(root)) == ("2", Tree(lines).root)
        assert place.anchor().checkpoint() == place.checkpoint.read_text("utf-8")
        assert place.anchor().verifier_key() + "\n" == place.key.read_text("utf-8")

    def test_the_receipt(self, place):
        (receipt,) = place.anchor().publish(digests(1))
        assert (receipt.kind, receipt.digest) == ("ledger", str(digest(1)))
        assert (receipt.time.not_before, receipt.time.not_after) == (None, "2026-11-22T12:00:00Z")
        assert set(receipt.evidence) == {"entry", "index", "path", "checkpoint"}

    def test_again_changes_no_file(self, place):
        receipts = place.anchor().publish(digests(1, 2))
        before = place.files()
        assert place.anchor().publish(digests(2, 1)) == receipts[::-1]
        assert place.files() == before

    def test_a_batch_is_one_checkpoint(self, place, monkeypatch):
        place.anchor().publish(digests(0))
        written = []
        replace = state.replace
        monkeypatch.setattr(state, "replace", lambda path, data: (written.append(path.name), replace(path, data)))
        place.anchor().publish(digests(*range(50)))
        assert written.count("checkpoint") == 1
        assert place.anchor().check().size == 50

    def test_nothing_begins_nothing(self, place):
        assert place.anchor().publish([]) == ()
        assert not place.folder.exists()

    def test_times_never_run_backwards(self, place):
        place.anchor().publish(digests(1))
        place.now = NOON - timedelta(days=1)
        place.anchor().publish(digests(2))
        place.now = NOON.astimezone(timezone(timedelta(hours=5))) + timedelta(seconds=1)
        place.anchor().publish(digests(3))
        times = [time for _, time, _ in place.anchor().entries()]
        assert times == ["2026-11-22T12:00:00Z", "2026-11-22T12:00:00Z", "2026-11-22T12:00:01Z"]

    def test_other_digests_are_refused(self, place):
        with pytest.raises(UsageError):
            place.anchor().publish([Submission(Digest("blake3", bytes(32)))])
        assert not place.folder.exists()

    def test_a_folder_inside_the_home_is_made_with_its_parents(self, place):
        ledger = LedgerAnchor(place.home.data / "a" / "b", place.home)
        assert ledger.confirm(ledger.publish(digests(1))[0], digest(1)).outcome is Outcome.PASS

    def test_a_missing_parent_is_not_made(self, place):
        ledger = LedgerAnchor(place.root / "a" / "b", place.home)
        with pytest.raises(AnchorError, match="could not create") as caught:
            ledger.publish(digests(1))
        assert "parent" in caught.value.hint
        assert not (place.root / "a").exists()

    def test_only_the_keeper_can_publish(self, place):
        place.anchor().publish(digests(1))
        before = place.files()
        with pytest.raises(AnchorError, match="signing key") as caught:
            place.stranger().publish(digests(2))
        assert caught.value.hint
        assert place.anchor().check().size == 1
        assert {path: data for path, data in place.files().items() if path in before} == before
        assert place.stranger().publish(digests(1)), "what is there already needs no key"

    def test_a_busy_lock(self, place):
        place.anchor().publish(digests(1))
        with FileLock(place.folder / "lock"), pytest.raises(AnchorError, match="could not lock") as caught:
            place.anchor(lock_seconds=0.05).publish(digests(2))
        assert "Nothing is lost" in caught.value.hint
        place.anchor().publish(digests(2))
        assert place.anchor().check().size == 2

    def test_a_stale_lock_file_means_nothing(self, place):
        place.folder.mkdir()
        (place.folder / "lock").write_bytes(b"pid 1")
        place.anchor().publish(digests(1))
        assert place.anchor().check().size == 1

    @pytest.mark.parametrize("folder", ["folder", "home.data", "home.state"])
    def test_a_read_only_folder(self, place, folder):
        if not bound_by_permissions(place.root):
            pytest.skip("permissions do not bind this user")
        place.anchor().publish(digests(1))
        path = {"folder": place.folder, "home.data": place.home.data, "home.state": place.home.state / "ledgers"}[
            folder
        ]
        for sub in (path, *(sub for sub in path.rglob("*") if sub.is_dir())):
            sub.chmod(0o500)
        try:
            assert place.anchor().find(asked(1)), "reading what was seen before writes nothing"
            if folder != "home.data":
                with pytest.raises(AnchorError) as caught:
                    place.anchor().publish(digests(2))
                assert caught.value.hint
        finally:
            for sub in (path, *(sub for sub in path.rglob("*") if sub.is_dir())):
                sub.chmod(0o700)
        place.anchor().publish(digests(2))
        assert place.anchor().check().size == 2

    @pytest.mark.parametrize("name", ["entries.jsonl", "checkpoint", "lock", "verifier-key"])
    def test_a_folder_where_a_file_belongs(self, place, name):
        place.folder.mkdir()
        (place.folder / name).mkdir()
        (place.folder / name / "x").mkdir()
        with pytest.raises(AnchorError):
            place.anchor().publish(digests(1))

    @pytest.mark.skipif(os.name != "posix", reason="links and pipes as POSIX has them")
    @pytest.mark.parametrize("name", ["entries.jsonl", "checkpoint", "lock", "verifier-key"])
    def test_a_planted_link_is_not_followed(self, place, name):
        target = place.root / "victim"
        target.write_text("mine")
        place.anchor().publish(digests(1))
        (place.folder / name).unlink()
        (place.folder / name).symlink_to(target)
        with pytest.raises(AnchorError):
            place.anchor().publish(digests(2))
        assert target.read_text() == "mine"

    @pytest.mark.skipif(os.name != "posix", reason="links and pipes as POSIX has them")
    def test_a_planted_temporary_link_is_not_followed(self, place):
        target = place.root / "victim"
        target.write_text("mine")
        place.anchor().publish(digests(1))
        (place.folder / "checkpoint.tmp").symlink_to(target)
        place.anchor().publish(digests(2))
        assert target.read_text() == "mine"

    @pytest.mark.skipif(os.name != "posix", reason="links and pipes as POSIX has them")
    @pytest.mark.parametrize("name", ["entries.jsonl", "checkpoint", "verifier-key"])
    def test_a_pipe_does_not_hang_it(self, place, name):
        place.anchor().publish(digests(1))
        (place.folder / name).unlink()
        os.mkfifo(place.folder / name)
        with pytest.raises(AnchorError, match="not a regular file"):
            place.anchor().check()

    def test_files_above_the_limit_are_not_read(self, place):
        place.anchor().publish(digests(1))
        with place.entries.open("r+b") as file:
            file.truncate(log.MAX_LOG_BYTES + 1)
        with pytest.raises(AnchorError, match="larger than"):
            place.anchor().check()

    def test_a_full_ledger(self, place, monkeypatch):
        place.anchor().publish(digests(1))
        monkeypatch.setattr(log, "MAX_LOG_BYTES", LINE_BYTES)
        with pytest.raises(AnchorError, match="full"):
            place.anchor().publish(digests(2))
        assert place.anchor().check().size == 1

    def test_many_threads(self, place):
        errors = []

        def work(number):
            try:
                place.anchor().publish(digests(*(f"{number} {part}" for part in range(3))))
            except AnchorError as error:
                errors.append(error)

        threads = [threading.Thread(target=work, args=(number,)) for number in range(6)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert not errors
        assert place.anchor().check().size == 18


class TestRead:
    def test_no_ledger(self, place):
        (receipt,) = Place(place.root, "other").anchor().publish(digests(1))
        check = place.anchor().confirm(receipt, digest(1))
        assert (check.outcome, check.state) == (Outcome.UNCHECKED, AnchorState.UNAVAILABLE)
        assert check.hint
        assert not place.anchor().exists()
        for call in (place.anchor().check, place.anchor().entries, place.anchor().checkpoint):
            with pytest.raises(AnchorError, match="no ledger") as caught:
                call()
            assert not isinstance(caught.value, ContradictionError)
        assert not place.folder.exists()

    def test_status(self, place):
        place.anchor().publish(digests(1, 2))
        status = place.anchor().check()
        assert (status.size, status.unsigned, status.torn, status.remembered_size) == (2, 0, 0, 2)
        assert status.root == Tree(place.entries.read_bytes().splitlines()).root
        assert status.verifier_key.startswith(status.origin + "+")
        assert place.stranger().check().remembered_size is None
        assert place.stranger().check().remembered_size == 2

    def test_entries(self, place):
        place.anchor().publish(digests(1, 2))
        expected = [(0, "2026-11-22T12:00:00Z", digest(1)), (1, "2026-11-22T12:00:00Z", digest(2))]
        assert list(place.anchor().entries()) == expected

    def test_find_and_confirm_by_a_stranger(self, place):
        place.anchor().publish(digests(1, 2, 3))
        (receipt,) = place.stranger().find(asked(2))
        assert place.stranger().confirm(receipt, digest(2)).outcome is Outcome.PASS
        assert place.stranger().find(asked(4)) == ()

    def test_unsigned_lines_are_counted_not_believed(self, place):
        place.anchor().publish(digests(1))
        with place.entries.open("ab") as file:
            file.write(Entry(digest(2), "2026-11-22T12:00:00Z").format() + b"\n" + b"torn")
        status = place.anchor().check()
        assert (status.size, status.unsigned, status.torn) == (1, 1, 4)
        assert place.anchor().find(asked(2)) == ()
        assert len(list(place.anchor().entries())) == 1

    def test_unsigned_lines_are_adopted(self, place):
        place.anchor().publish(digests(1))
        with place.entries.open("ab") as file:
            file.write(Entry(digest(2), "2026-11-22T12:00:05Z").format() + b"\n" + b"torn")
        receipts = place.anchor().publish(digests(2))
        assert receipts[0].time.not_after == "2026-11-22T12:00:05Z"
        assert place.anchor().confirm(receipts[0], digest(2)).outcome is Outcome.PASS
        status = place.anchor().check()
        assert (status.size, status.unsigned, status.torn) == (2, 0, 0)

    def test_an_unsigned_line_cannot_be_older_than_the_signed_ones(self, place):
        place.anchor().publish(digests(1))
        with place.entries.open("ab") as file:
            file.write(Entry(digest(2), "2001-01-01T00:00:00Z").format() + b"\n")
        assert state_of(place.anchor().check) is AnchorState.REPLACED
        assert state_of(place.anchor().publish, digests(3)) is AnchorState.REPLACED

    def test_a_bad_unsigned_line_is_left_to_people(self, place):
        place.anchor().publish(digests(1))
        before = place.entries.read_bytes() + b"\0" * 10 + b"\n"
        place.entries.write_bytes(before)
        with pytest.raises(ContradictionError, match="line 2") as caught:
            place.anchor().publish(digests(2))
        assert "after line 1" in caught.value.hint
        assert place.entries.read_bytes() == before

    def test_a_writer_at_work_is_not_mistaken_for_damage(self, place, monkeypatch):
        place.anchor().publish(digests(1))
        old, snapshot = log._snapshot(place.folder), log._snapshot
        place.anchor().publish(digests(2))
        seen = iter([(snapshot(place.folder)[0], old[1])])
        monkeypatch.setattr(log, "_snapshot", lambda folder: next(seen, None) or snapshot(folder))
        assert place.anchor().check().size == 2

    def test_every_size_reads_back(self, place):
        for number in range(1, 18):
            place.anchor().publish(digests(number))
            for earlier in range(1, number + 1):
                (receipt,) = place.anchor().find(asked(earlier))
                assert place.anchor().confirm(receipt, digest(earlier)).outcome is Outcome.PASS


class TestMemory:
    def test_rollback(self, place):
        place.anchor().publish(digests(1))
        place.save()
        (receipt,) = place.anchor().publish(digests(2))
        newer = place.anchor().checkpoint()
        place.restore()
        with pytest.raises(ContradictionError) as caught:
            place.anchor().check()
        assert caught.value.state == AnchorState.ROLLBACK
        older = place.checkpoint.read_text("utf-8")
        assert caught.value.evidence == (newer, older)
        check = place.anchor().confirm(receipt, digest(2))
        assert (check.outcome, check.state) == (Outcome.FAIL, AnchorState.ROLLBACK)
        assert check.evidence == (newer, older)
        assert state_of(place.anchor().publish, digests(3)) is AnchorState.ROLLBACK
        assert place.checkpoint.read_text("utf-8") == older

    def test_fork_of_equal_or_larger_size(self, place):
        place.anchor().publish(digests(1))
        place.save()
        place.anchor().publish(digests(2))
        other = Home(place.home.data, place.root / "other-state")
        for numbers in ((3,), (3, 4)):
            place.restore()
            shutil.rmtree(other.state, ignore_errors=True)
            LedgerAnchor(place.folder, other).publish(digests(*numbers))
            assert state_of(place.anchor().check) is AnchorState.ROLLBACK

    def test_a_receipt_is_a_memory_of_its_own(self, place):
        place.anchor().publish(digests(1))
        place.save()
        (receipt,) = place.anchor().publish(digests(2))
        place.restore()
        check = place.stranger().confirm(receipt, digest(2))
        assert (check.outcome, check.state) == (Outcome.FAIL, AnchorState.ROLLBACK)
        LedgerAnchor(place.folder, Home(place.home.data, place.root / "other-state")).publish(digests(3, 4))
        check = place.stranger().confirm(receipt, digest(2))
        assert (check.outcome, check.state) == (Outcome.FAIL, AnchorState.ROLLBACK)

    def test_the_memory_follows_the_key_to_another_path(self, place):
        place.anchor().publish(digests(1))
        place.save("copy")
        place.anchor().publish(digests(2))
        assert state_of(Place(place.root, "copy").anchor().check) is AnchorState.ROLLBACK

    def test_growth_is_remembered_and_shrinking_is_not(self, place):
        place.anchor().publish(digests(1))
        assert place.stranger().check().remembered_size is None
        place.anchor().publish(digests(2))
        assert place.stranger().check().remembered_size == 1
        assert place.stranger().check().remembered_size == 2

    def test_another_ledger_at_a_known_path(self, place):
        (receipt,) = place.anchor().publish(digests(1))
        Place(place.root, "other").anchor().publish(digests(1))
        shutil.rmtree(place.folder)
        (place.root / "other").rename(place.folder)
        for call in (place.anchor().check, place.anchor().entries):
            assert state_of(call) is AnchorState.UNKNOWN_KEY
        assert state_of(place.anchor().publish, digests(2)) is AnchorState.UNKNOWN_KEY
        check = place.anchor().confirm(receipt, digest(1))
        assert (check.outcome, check.state) == (Outcome.FAIL, AnchorState.UNKNOWN_KEY)

    @pytest.mark.skipif(os.name != "posix", reason="links as POSIX has them")
    def test_a_link_turned_to_another_ledger_is_a_known_path(self, place):
        place.anchor().publish(digests(1))
        Place(place.root, "other").anchor().publish(digests(1))
        link = place.root / "link"
        link.symlink_to(place.folder)
        LedgerAnchor(link, place.home).check()
        link.unlink()
        link.symlink_to(place.root / "other")
        assert state_of(LedgerAnchor(link, place.home).check) is AnchorState.UNKNOWN_KEY

    @pytest.mark.parametrize("gone", ["folder", "content", "checkpoint", "entries"])
    def test_a_vanished_ledger(self, place, gone):
        (receipt,) = place.anchor().publish(digests(1))
        if gone == "folder":
            shutil.rmtree(place.folder)
        for path in {"content": list(place.folder.glob("*"))}.get(gone, []):
            path.unlink()
        for path in {"checkpoint": [place.checkpoint], "entries": [place.entries]}.get(gone, []):
            path.unlink()
        before = place.files()
        assert state_of(place.anchor().check) is AnchorState.REMOVED
        assert state_of(place.anchor().find, asked(1)) is AnchorState.REMOVED
        assert state_of(place.anchor().publish, digests(2)) is AnchorState.REMOVED
        check = place.anchor().confirm(receipt, digest(1))
        assert (check.outcome, check.state) == (Outcome.FAIL, AnchorState.REMOVED)
        assert place.files() == before

    def test_a_vanished_ledger_can_be_forgotten_on_purpose(self, place):
        place.anchor().publish(digests(1))
        key = place.anchor().verifier_key()
        shutil.rmtree(place.folder)
        with pytest.raises(ContradictionError) as caught:
            place.anchor().check()
        Path(caught.value.hint.split("'")[1]).unlink()
        place.anchor().publish(digests(1))
        assert place.anchor().verifier_key() != key

    def test_a_folder_that_names_a_key_which_signed_before_is_not_begun_again(self, place):
        place.anchor().publish(digests(1))
        for path in (place.entries, place.checkpoint, place.anchor()._reading.memory.pin_file(place.folder)):
            path.unlink()
        assert state_of(place.anchor().publish, digests(2)) is AnchorState.REMOVED
        assert state_of(place.stranger().publish, digests(2)) is AnchorState.REMOVED

    @pytest.mark.parametrize("name", ["paths", "checkpoints"])
    @pytest.mark.parametrize("content", [b"", b"x", b"\xff", b"x" * 100_000, None])
    def test_a_damaged_memory_is_not_a_clean_slate(self, place, name, content):
        (receipt,) = place.anchor().publish(digests(1))
        (file,) = (place.home.state / "ledgers" / name).iterdir()
        file.write_bytes(file.read_bytes().swapcase() if content is None else content)
        for call in (place.anchor().check, lambda: place.anchor().publish(digests(2))):
            with pytest.raises(AnchorError) as caught:
                call()
            assert not isinstance(caught.value, ContradictionError)
        check = place.anchor().confirm(receipt, digest(1))
        assert (check.outcome, check.state) == (Outcome.UNCHECKED, AnchorState.UNAVAILABLE)

    def test_a_memory_under_another_key_does_not_count(self, place):
        place.anchor().publish(digests(1))
        Place(place.root, "other").anchor().publish(digests(1))
        one, two = (place.home.state / "ledgers" / "checkpoints").iterdir()
        one.write_bytes(two.read_bytes())
        with pytest.raises(AnchorError, match="damaged"):
            [Place(place.root, name).anchor().check() for name in ("ledger", "other")]


class TestConfirm:
    @pytest.fixture
    def receipt(self, place):
        receipt, *_ = place.anchor().publish(digests(1, 2, 3))
        return receipt

    def edited(self, receipt, **evidence):
        return receipt.model_copy(update={"evidence": {**receipt.evidence, **evidence}})

    def test_the_summary_says_whose_clock_it_was(self, place, receipt):
        assert "keeper's clock" in place.anchor().confirm(receipt, digest(1)).summary

    def test_a_proof_of_another_entry(self, place, receipt):
        other = place.anchor().find(asked(2))[0]
        for update in ({"path": other.evidence["path"]}, {"index": 1}, {"entry": other.evidence["entry"]}):
            check = place.anchor().confirm(self.edited(receipt, **update), digest(1))
            assert (check.outcome, check.state) == (Outcome.FAIL, AnchorState.REPLACED)

    def test_a_false_signature(self, place, receipt):
        text = receipt.evidence["checkpoint"]
        forged = text[:-10] + ("A" if text[-10] != "A" else "B") + text[-9:]
        check = place.anchor().confirm(self.edited(receipt, checkpoint=forged), digest(1))
        assert (check.outcome, check.state) == (Outcome.FAIL, AnchorState.UNSIGNED)

    def test_a_later_checkpoint_fits_an_edited_receipt_of_the_same_entry(self, place, receipt):
        place.anchor().publish(digests(4))
        later = place.anchor().find(asked(1))[0]
        assert later != receipt
        for one in (receipt, later):
            assert place.anchor().confirm(one, digest(1)).outcome is Outcome.PASS

    def test_another_time(self, place, receipt):
        entry = receipt.evidence["entry"].replace("2026", "2025")
        check = place.anchor().confirm(self.edited(receipt, entry=entry), digest(1))
        assert check.outcome is Outcome.FAIL

    def test_offline_by_key(self, place, receipt):
        key = LedgerAnchor.from_key(place.anchor().verifier_key(), {})
        shutil.rmtree(place.folder)
        check = key.confirm(receipt, digest(1))
        assert (check.outcome, check.state) == (Outcome.PASS, AnchorState.VERIFIED)
        assert key.confirm(receipt, digest(2)).outcome is Outcome.FAIL
        assert key.find(asked(1)) == ()
        with pytest.raises(UsageError):
            key.publish(digests(1))

    def test_offline_by_another_key(self, place, receipt):
        other = Place(place.root, "other").anchor()
        other.publish(digests(1))
        check = LedgerAnchor.from_key(other.verifier_key(), {}).confirm(receipt, digest(1))
        assert (check.outcome, check.state) == (Outcome.UNCHECKED, AnchorState.UNKNOWN_KEY)


class TestKeys:
    def test_the_key_is_apart_and_private(self, place):
        place.anchor().publish(digests(1))
        (file,) = (place.home.data / "keys").iterdir()
        origin = place.anchor().check().origin
        assert file.name == hashlib.sha256(origin.encode()).hexdigest() + ".pem"
        assert b"BEGIN PRIVATE KEY" in file.read_bytes()
        if os.name == "posix":
            assert file.stat().st_mode & 0o777 == 0o600
            assert file.parent.stat().st_mode & 0o777 == 0o700
        assert not any(b"PRIVATE" in path.read_bytes() for path in place.folder.iterdir())

    @pytest.mark.skipif(os.name != "posix", reason="permissions as POSIX has them")
    @pytest.mark.parametrize("mode", [0o640, 0o604, 0o660, 0o644])
    def test_a_key_others_can_read_is_not_used(self, place, mode):
        place.anchor().publish(digests(1))
        (file,) = (place.home.data / "keys").iterdir()
        file.chmod(mode)
        with pytest.raises(UsageError) as caught:
            place.anchor().publish(digests(2))
        assert f"chmod 600 {file}" in caught.value.hint
        assert place.anchor().check().size == 1

    @pytest.mark.parametrize("content", [b"", b"x", b"x" * 100_000])
    def test_a_damaged_key(self, place, content):
        place.anchor().publish(digests(1))
        (file,) = (place.home.data / "keys").iterdir()
        file.write_bytes(content)
        with pytest.raises(AnchorError):
            place.anchor().publish(digests(2))

    def test_another_key_of_the_same_name(self, place):
        place.anchor().publish(digests(1))
        Place(place.root, "other").anchor().publish(digests(1))
        one, two = (place.home.data / "keys").iterdir()
        two.write_bytes(one.read_bytes())
        one.write_bytes(two.read_bytes())
        with pytest.raises(AnchorError, match="signing key"):
            [Place(place.root, name).anchor().publish(digests(2)) for name in ("ledger", "other")]

    def test_chance_is_an_argument(self, place):
        for name in ("one", "two"):
            sub = place.root / name
            sub.mkdir()
            Place(sub).anchor(random=bytes).publish(digests(1))
        one, two = (Place(place.root / name).checkpoint.read_bytes() for name in ("one", "two"))
        assert one == two
        assert one.startswith(b"mltrust.local/0000000000000000\n1\n")


class TestNames:
    def test_from_uri(self, place, monkeypatch):
        assert LedgerAnchor.from_uri(f"ledger:{place.folder}", place.home, {}).name == f"ledger:{place.folder}"
        monkeypatch.chdir(place.root)
        LedgerAnchor.from_uri("ledger:ledger", place.home, {}).publish(digests(1))
        assert place.anchor().check().remembered_size == 1, "one path however it is named"
        LedgerAnchor.from_uri("ledger:~", place.home, {}).publish(digests(1))
        assert (place.root / "~" / "checkpoint").exists()

    @pytest.mark.parametrize("uri", ["ledger:", "ledger", "", "other:x", "ledger:a\0b"])
    def test_not_a_ledger(self, place, uri):
        with pytest.raises(UsageError):
            LedgerAnchor.from_uri(uri, place.home, {})

    def test_from_key(self):
        assert LedgerKey.from_key("nothing", {}) is None
        with pytest.raises(UsageError):
            LedgerAnchor.from_key("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TX", {})
        key = LedgerAnchor.from_key("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW", {})
        assert key.name == "ledger key PeterNeumann"
        with pytest.raises(UsageError):
            LedgerKey.from_uri("ledger:x", None, {})


class TestTiles:
    def exported(self, place, size):
        if size:
            place.anchor().publish(digests(*range(size)))
        else:
            place.folder.mkdir()
            log.begin(place.folder, place.anchor()._keeper._new_signer())
        place.anchor().export(place.root / "tiles")
        root = place.root / "tiles"
        return {path.relative_to(root).as_posix(): path.read_bytes() for path in root.rglob("*") if path.is_file()}

    @pytest.mark.parametrize(
        ("size", "names"),
        [
            (0, []),
            (1, ["tile/0/000.p/1", "tile/entries/000.p/1"]),
            (255, ["tile/0/000.p/255", "tile/entries/000.p/255"]),
            (256, ["tile/0/000", "tile/1/000.p/1", "tile/entries/000"]),
            (257, ["tile/0/000", "tile/0/001.p/1", "tile/1/000.p/1", "tile/entries/000", "tile/entries/001.p/1"]),
        ],
    )
    def test_layout_and_content(self, place, size, names):
        files = self.exported(place, size)
        assert sorted(files) == sorted(["checkpoint", *names])
        assert files["checkpoint"].decode() == place.anchor().checkpoint()
        lines = place.entries.read_bytes().splitlines()
        bundles = b"".join(files[name] for name in sorted(files) if name.startswith("tile/entries/"))
        assert bundles == b"".join(len(line).to_bytes(2, "big") + line for line in lines)
        leaves = b"".join(files[name] for name in sorted(files) if name.startswith("tile/0/"))
        assert leaves == b"".join(hashlib.sha256(b"\0" + line).digest() for line in lines)
        if size >= 256:
            assert files["tile/1/000.p/1"] == Tree(lines[:256]).root
        assert place.anchor().check().root == (Tree(lines).root if lines else EMPTY_ROOT)

    def test_names_of_many_tiles(self):
        from mltrust.anchors.ledger.tiles import _name

        assert _name(273, 112) == "273.p/112"
        assert _name(1234067, 256) == "x001/x234/067"
        assert _name(1000, 1) == "x001/000.p/1"

    def test_unsigned_entries_are_not_exported(self, place):
        place.anchor().publish(digests(1))
        with place.entries.open("ab") as file:
            file.write(Entry(digest(2), "2026-11-22T12:00:00Z").format() + b"\n")
        place.anchor().export(place.root / "tiles")
        assert (place.root / "tiles" / "tile" / "entries" / "000.p" / "1").exists()

    def test_where_it_goes(self, place):
        place.anchor().publish(digests(1))
        (place.root / "empty").mkdir()
        place.anchor().export(place.root / "empty")
        before = place.files()
        for taken in (place.root / "empty", place.checkpoint, place.root / "no" / "parent"):
            with pytest.raises(AnchorError):
                place.anchor().export(taken)
        assert place.files() == before
        assert not list(place.root.glob(".tiles-*"))
