"""A ledger that somebody edited: what each kind of damage must be found to be, and that nothing is ever repaired."""

import shutil
from datetime import UTC, datetime

import pytest

from mltrust.anchors.ledger import LedgerAnchor
from mltrust.anchors.ledger.entry import Entry
from mltrust.core.digest import Digest
from mltrust.core.report import AnchorState, Outcome
from mltrust.errors import AnchorError, ContradictionError
from mltrust.interfaces import Home, Submission

SIZE = 12


def digest(number):
    return Digest.sha256(str(number).encode())


def asked(number):
    return Submission(digest(number))


class Attacked:
    def __init__(self, root, name="ledger"):
        self.root = root
        self.folder = root / name
        self.keeper = Home(root / "data", root / "state")
        self.ledger = LedgerAnchor(self.folder, self.keeper, clock=lambda: datetime(2026, 11, 22, tzinfo=UTC))
        for number in range(SIZE):
            (self.receipt,) = self.ledger.publish([asked(number)])
        self.entries, self.checkpoint = self.folder / "entries.jsonl", self.folder / "checkpoint"
        self.lines = self.entries.read_bytes().splitlines(keepends=True)
        self.note = self.checkpoint.read_bytes()

    def without_memory(self):
        """The ledger as somebody reads it who knows its key and never saw it: damage must show by itself."""
        shutil.rmtree(self.root / "fresh", ignore_errors=True)
        return LedgerAnchor(self.folder, Home(self.keeper.data, self.root / "fresh"))

    def state(self, *, remembered=True):
        """What is wrong; that the same is found by appending, which changes nothing; None if all is well."""
        ledger = self.ledger if remembered else self.without_memory()
        found = found_by(ledger.check)
        if found is not None:
            before = self.entries.read_bytes(), self.checkpoint.read_bytes()
            assert found_by(lambda: ledger.publish([asked("new")])) is found
            assert (self.entries.read_bytes(), self.checkpoint.read_bytes()) == before
        return found


def found_by(call):
    """Return the state a call finds the ledger in; None if it finds nothing wrong."""
    try:
        call()
    except ContradictionError as error:
        return AnchorState(error.state)
    return None


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    return Attacked(tmp_path_factory.mktemp("shared"))


@pytest.fixture
def attacked(shared):
    yield shared
    shared.entries.write_bytes(b"".join(shared.lines))
    shared.checkpoint.write_bytes(shared.note)
    shared.ledger.check()


@pytest.fixture
def own(tmp_path):
    """A ledger of the test's own, for tests that append."""
    return Attacked(tmp_path)


@pytest.mark.parametrize("remembered", [True, False])
@pytest.mark.usefixtures("unmeasured")
def test_every_truncation_is_found(attacked, remembered):
    whole = b"".join(attacked.lines)
    for length in range(len(whole)):
        attacked.entries.write_bytes(whole[:length])
        assert attacked.state(remembered=remembered) is AnchorState.REMOVED, length


def test_every_truncation_of_the_checkpoint_is_found(attacked):
    for length in range(len(attacked.note)):
        attacked.checkpoint.write_bytes(attacked.note[:length])
        assert attacked.state() is AnchorState.REPLACED, length
        assert attacked.state(remembered=False) is AnchorState.REPLACED, length


@pytest.mark.parametrize("bit", range(8))
def test_every_flipped_bit_of_the_entries_is_found(attacked, bit):
    whole = bytearray(b"".join(attacked.lines))
    for at in range(len(whole)):
        whole[at] ^= 1 << bit
        attacked.entries.write_bytes(whole)
        found = found_by(attacked.ledger.check)
        whole[at] ^= 1 << bit
        assert found in (AnchorState.REMOVED, AnchorState.REPLACED), at


@pytest.mark.parametrize("bit", range(8))
def test_every_flipped_bit_of_the_checkpoint_is_found(attacked, bit):
    note = bytearray(attacked.note)
    for at in range(len(note)):
        note[at] ^= 1 << bit
        attacked.checkpoint.write_bytes(note)
        found = found_by(attacked.ledger.check)
        note[at] ^= 1 << bit
        assert found is AnchorState.REPLACED, at


def test_every_flipped_bit_of_the_key_is_found(attacked):
    key = attacked.folder / "verifier-key"
    whole = key.read_bytes()
    try:
        for at in range(len(whole)):
            for bit in range(8):
                key.write_bytes(whole[:at] + bytes([whole[at] ^ 1 << bit]) + whole[at + 1 :])
                assert found_by(attacked.ledger.check) in (AnchorState.REPLACED, AnchorState.UNKNOWN_KEY), at
    finally:
        key.write_bytes(whole)


def test_a_torn_tail_of_every_length_is_passed_over_and_cut(own):
    for number in range(SIZE, SIZE + len(own.lines[0]) - 1):
        whole = own.entries.read_bytes()
        torn = own.lines[0][: number - SIZE + 1]
        own.entries.write_bytes(whole + torn)
        assert own.ledger.check().torn == len(torn)
        own.ledger.publish([asked(number)])
        assert own.entries.read_bytes().startswith(whole)
        status = own.ledger.check()
        assert (status.size, status.unsigned, status.torn) == (number + 1, 0, 0)


@pytest.mark.parametrize("torn", [b"\0" * 4096, b"x" * 100_000, b"\r", b'{"digest":"'])
def test_a_torn_tail_of_any_bytes_is_cut(own, torn):
    own.entries.write_bytes(b"".join(own.lines) + torn)
    own.ledger.publish([asked("new")])
    assert own.ledger.check().size == SIZE + 1
    assert len(own.entries.read_bytes()) == (SIZE + 1) * len(own.lines[0])


@pytest.mark.parametrize(
    ("edit", "state"),
    [
        (lambda lines: [lines[1], lines[0], *lines[2:]], AnchorState.REPLACED),
        (lambda lines: lines[::-1], AnchorState.REPLACED),
        (lambda lines: [lines[0], *lines], AnchorState.REPLACED),
        (lambda lines: [*lines[:-1], lines[0]], AnchorState.REPLACED),
        (lambda lines: [lines[0].replace(b"sha256:5", b"sha256:6"), *lines[1:]], AnchorState.REPLACED),
        (lambda lines: [lines[0].replace(b"2026", b"2025"), *lines[1:]], AnchorState.REPLACED),
        (lambda lines: [*lines[:5], *lines[6:]], AnchorState.REMOVED),
        (lambda lines: lines[1:], AnchorState.REMOVED),
        (lambda lines: [*lines[1:], lines[0]], AnchorState.REPLACED),
        (lambda lines: [line.replace(b"\n", b"\r\n") for line in lines], AnchorState.REPLACED),
        (lambda lines: [b"\n", *lines], AnchorState.REPLACED),
        (lambda lines: [*lines, b"\n"], AnchorState.REPLACED),
        (lambda lines: [*lines, b"{}\n"], AnchorState.REPLACED),
        (lambda lines: [*lines, b" " + lines[0]], AnchorState.REPLACED),
        (lambda lines: [*lines, lines[0].replace(b"/1", b"/2")], AnchorState.REPLACED),
        (lambda lines: [*lines, lines[0].replace(b"2026", b"2025")], AnchorState.REPLACED),
        (lambda lines: [*lines, b"x" * 70_000 + b"\n"], AnchorState.REPLACED),
        (lambda lines: [b"\xef\xbb\xbf", *lines], AnchorState.REPLACED),
        (lambda lines: [], AnchorState.REMOVED),
    ],
)
def test_edited_lines_are_found(attacked, edit, state):
    attacked.entries.write_bytes(b"".join(edit(attacked.lines)))
    assert attacked.state() is state
    assert attacked.state(remembered=False) is state


def test_changed_line_ends_are_explained(attacked):
    attacked.entries.write_bytes(b"".join(attacked.lines).replace(b"\n", b"\r\n"))
    with pytest.raises(ContradictionError) as caught:
        attacked.ledger.check()
    assert ".gitattributes" in caught.value.hint
    attacked.entries.write_bytes(b"".join(attacked.lines))
    attacked.checkpoint.write_bytes(attacked.note.replace(b"\n", b"\r\n"))
    with pytest.raises(ContradictionError) as caught:
        attacked.ledger.check()
    assert ".gitattributes" in caught.value.hint


def test_a_good_line_added_by_hand_is_unsigned_until_the_keeper_signs_it(own):
    own.entries.write_bytes(b"".join(own.lines) + Entry(digest("hand"), "2026-11-22T00:00:00Z").format() + b"\n")
    assert own.ledger.check().unsigned == 1
    assert own.ledger.find(asked("hand")) == ()
    own.ledger.publish([asked("new")])
    assert [found for _, _, found in own.ledger.entries()][-2:] == [digest("hand"), digest("new")]


def test_a_line_twice_does_no_harm(own):
    own.entries.write_bytes(b"".join([*own.lines, own.lines[0]]))
    (receipt,) = own.ledger.publish([asked(0)])
    assert receipt.evidence["index"] == 0
    assert own.ledger.confirm(receipt, digest(0)).outcome is Outcome.PASS


def test_the_checkpoint_of_another_ledger(attacked, tmp_path):
    other = Attacked(tmp_path)
    attacked.checkpoint.write_bytes(other.note)
    assert attacked.state() is AnchorState.REPLACED
    assert attacked.state(remembered=False) is AnchorState.REPLACED


def test_a_checkpoint_signed_by_another_key_of_the_same_name(attacked):
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    from mltrust.anchors.ledger.checkpoint import SignedCheckpoint
    from mltrust.core.note import Signer

    mine = SignedCheckpoint.parse(attacked.note, "checkpoint").checkpoint
    forger = Signer(mine.origin, Ed25519PrivateKey.from_private_bytes(bytes(32)))
    attacked.checkpoint.write_bytes(mine.sign(forger).text.encode())
    assert attacked.state() is AnchorState.REPLACED
    assert attacked.state(remembered=False) is AnchorState.REPLACED


def test_an_older_checkpoint_with_newer_entries(own):
    older = own.note
    (receipt,) = own.ledger.publish([asked("new")])
    own.checkpoint.write_bytes(older)
    # Who has seen the newer one, or holds a receipt from it, notices.
    assert own.state() is AnchorState.ROLLBACK
    check = own.without_memory().confirm(receipt, digest("new"))
    assert (check.outcome, check.state) == (Outcome.FAIL, AnchorState.ROLLBACK)
    # Nobody else can, and a crash may look like this: the entry counts as unsigned, and is signed again.
    fresh = own.without_memory()
    assert fresh.check().unsigned == 1
    assert fresh.publish([asked("new")])[0] == receipt
    assert own.state() is None


def test_both_files_rolled_back(own):
    for size in range(SIZE):
        own.entries.write_bytes(b"".join(own.lines[:size]))
        assert own.state() is AnchorState.REMOVED
    (older,) = own.ledger.publish([asked(0)]) if own.entries.write_bytes(b"".join(own.lines)) else ()
    own.ledger.publish([asked("new")])
    own.entries.write_bytes(b"".join(own.lines))
    own.checkpoint.write_bytes(own.note)
    assert own.state() is AnchorState.ROLLBACK
    assert own.state(remembered=False) is None
    assert own.without_memory().confirm(older, digest(0)).outcome is Outcome.PASS


@pytest.mark.parametrize("name", ["entries.jsonl", "checkpoint"])
def test_a_removed_file(own, name):
    (own.folder / name).unlink()
    for ledger in (own.ledger, own.without_memory()):
        with pytest.raises(ContradictionError) as caught:
            ledger.check()
        assert caught.value.state == AnchorState.REMOVED
        with pytest.raises(ContradictionError):
            ledger.publish([asked("new")])


def test_a_removed_key_file(own):
    (own.folder / "verifier-key").unlink()
    assert own.ledger.check().size == SIZE
    with pytest.raises(AnchorError, match="whose ledger"):
        own.without_memory().check()


def test_a_size_no_ledger_has(attacked):
    lines = attacked.note.decode().split("\n")
    for size in ("13", "99999999999999999999", "18446744073709551615", "0"):
        attacked.checkpoint.write_text("\n".join([lines[0], size, *lines[2:]]), "utf-8", newline="\n")
        assert attacked.state() is AnchorState.REPLACED
