"""Attacks on what is blinded and erased: guessing a row, forging an excuse for a missing one, bringing one back."""

import itertools
import json
import os
import re
import shutil

import pytest

from mltrust.api import seal, verify
from mltrust.beside.tombstones import put_tombstones
from mltrust.core.digest import BLAKE3, Digest
from mltrust.core.leaf import Kind, Leaf
from mltrust.core.merkle import leaf_hash
from mltrust.core.report import CheckKind
from mltrust.erasing import erase
from mltrust.errors import ArtifactError, FormatError, SealError, UsageError
from mltrust.interfaces import Quorum, Submission, Trust
from mltrust.proving import check as check_proof
from mltrust.proving import prove_records
from mltrust.sealfile import read_seal_file
from mltrust.statements.erasure import Erasure, Tombstone, erasure_statement, erasures_text, read_erasures
from mltrust.testing import MemoryAnchor

DATES = [f"19{year}-{month:02}-0{day}" for year in (83, 84) for month in (4, 5, 6) for day in (1, 2, 3, 4)]
CANDIDATES = ["|".join(parts) for parts in itertools.product(DATES, "fm", map(str, range(4000, 4010)))]
PEOPLE = ["1983-05-04|f|4007", "1984-04-01|m|4001", "1983-06-02|f|4009", "1984-05-03|m|4003", "1983-04-01|f|4000"]
VICTIM = 2
REST = [person if at != VICTIM else None for at, person in enumerate(PEOPLE)]


@pytest.fixture
def anchor():
    return MemoryAnchor()


@pytest.fixture
def people(tmp_path):
    path = tmp_path / "people.jsonl"
    path.write_text("".join(f"{person}\n" for person in PEOPLE))
    return path


@pytest.fixture
def sealed(people, anchor):
    seal(people, anchors=[anchor], blind=True)
    return people


@pytest.fixture
def erased(sealed, anchor):
    erase(sealed, records=[VICTIM + 1], anchors=[anchor], reason="on request")
    return sealed


def beside(path, ending):
    return path.with_name(f"{path.name}.seal.{ending}")


def report(path, *anchors):
    return verify(path, trust=Trust(anchors=anchors))


def erasure_of(found):
    (check,) = [check for check in found.checks if check.kind is CheckKind.ERASURE]
    return check


def seal_of(path):
    return read_seal_file(beside(path, "json"))


def tombstones(path):
    return read_erasures(beside(path, "erasures.json").read_bytes(), "here")


def put(path, *found):
    beside(path, "erasures.json").write_bytes(erasures_text(found))


def restated(one, **changes):
    predicate = {**one.statement.predicate, **changes}
    return Tombstone(statement=one.statement.model_copy(update={"predicate": predicate}))


def guessed(known, present=(), salts=(b"",)):
    """Return the candidates whose bytes, leaf with any of `salts`, or file of all rows have a hash that is `known`.

    `present` are the rows the guesser has, with None where one is missing; those he need not guess.
    """
    found = set()
    for candidate in set(CANDIDATES) - set(present):
        data = candidate.encode()
        rows = [candidate if row is None else row for row in present] if None in present else [candidate]
        texts = {data, data + b"\n", "".join(f"{row}\n" for row in rows).encode(), "\n".join(rows).encode()}
        hashes = {digest for text in texts for digest in (BLAKE3.digest(text), Digest.sha256(text).value)}
        leaves = [Leaf(Kind.RECORD, "", len(data), BLAKE3.digest(data), salt=salt) for salt in salts]
        hashes |= {leaf_hash(leaf.data()) for leaf in leaves}
        if {one.hex() for one in hashes} & known:
            found.add(candidate)
    return found


def hashes_in(*texts):
    return {found for text in texts for found in re.findall(r"[0-9a-f]{64}", text)}


def public(path, proofs):
    """Return every hash that anybody sees: in the seal, the tombstones, and proofs of other rows."""
    texts = [beside(path, "json").read_text(), *(proof.serialize().decode() for proof in proofs)]
    if beside(path, "erasures.json").exists():
        texts.append(beside(path, "erasures.json").read_text())
    return hashes_in(*texts)


def proofs_of(path, *numbers):
    return [answer.proof for answer in prove_records(beside(path, "json"), numbers, file=path.name)]


def test_a_row_is_guessed_from_an_open_seal(people):
    assert len(CANDIDATES) == 480
    seal(people)
    proofs = proofs_of(people, VICTIM + 2)  # of the neighbour, who shows it to somebody
    seen = {PEOPLE[VICTIM], PEOPLE[4]}  # whose hashes are on the way to the root
    assert guessed(public(people, proofs), [PEOPLE[VICTIM + 1]]) == seen
    assert guessed(public(people, ()), REST) == {PEOPLE[VICTIM]}  # who has the rest needs the digest of the file alone


def test_no_row_is_guessed_from_a_blinded_seal(sealed):
    others = [number for number in range(1, len(PEOPLE) + 1) if number != VICTIM + 1]
    proofs = proofs_of(sealed, *others)
    shown = {bytes.fromhex(proof.levels[-1].leaf.salt) for proof in proofs}
    assert len(shown) == len(others)
    known = public(sealed, proofs)
    assert guessed(known, REST, {b"", bytes(32), *shown}) == set()
    secret = beside(sealed, "salts").read_bytes()[16 + 32 * VICTIM :][:32]
    assert guessed(known, REST, {secret}) == {
        PEOPLE[VICTIM]
    }  # so the guesses were right, and the salt is what hides it


def test_nothing_is_left_to_guess_at_after_an_erasure(sealed, anchor):
    before = proofs_of(sealed, 2, 4)
    secret = beside(sealed, "salts").read_bytes()[16 + 32 * VICTIM :][:32]
    erase(sealed, records=[VICTIM + 1], anchors=[anchor])
    salts = {beside(sealed, "salts").read_bytes()[at : at + 32] for at in range(16, 16 + 32 * len(PEOPLE), 32)}
    after = proofs_of(sealed, 1, 2, 4, 5)
    assert guessed(public(sealed, [*before, *after]), REST, salts) == set()
    assert guessed(public(sealed, ()), REST, {secret}) == {PEOPLE[VICTIM]}
    for path in sealed.parent.iterdir():
        data = path.read_bytes()
        assert secret not in data
        assert secret.hex().encode() not in data
        assert PEOPLE[VICTIM].encode() not in data


def test_proofs_of_other_rows_hold_on_and_of_the_erased_one_there_are_none(sealed, anchor, tmp_path):
    paths = []
    for number, proof in zip((2, 4), proofs_of(sealed, 2, 4), strict=True):
        paths.append(tmp_path / f"{number}.json")
        paths[-1].write_bytes(proof.serialize())
    erase(sealed, records=[VICTIM + 1], anchors=[anchor])
    assert [proof.serialize() for proof in proofs_of(sealed, 2, 4)] == [path.read_bytes() for path in paths]
    for path in paths:
        assert check_proof(path, trust=Trust(anchors=[anchor])).verdict == "verified"
    assert proofs_of(sealed, PEOPLE[4].encode())[0].levels[-1].index == 4
    assert proofs_of(sealed, PEOPLE[VICTIM].encode()) == [None]
    with pytest.raises(UsageError, match="was erased"):
        proofs_of(sealed, VICTIM + 1)
    value = json.loads(paths[0].read_text())
    value["levels"][-1]["leaf"]["salt"] = "0" * 64
    paths[0].write_text(json.dumps(value))
    assert check_proof(paths[0], trust=Trust(anchors=[anchor])).verdict == "failed"


def test_a_missing_row_needs_an_excuse(sealed, anchor):
    sealed.write_text("".join(f"{person}\n" for person in PEOPLE[:-1]))
    assert report(sealed, anchor).verdict == "failed"
    (change,) = report(sealed, anchor).changes
    assert change.note.startswith("records are missing: 5 sealed")


def test_an_erased_row_that_is_back_fails(erased, anchor):
    good = erased.read_bytes()
    assert report(erased, anchor).verdict == "verified"
    for rows in (PEOPLE, [*PEOPLE[:2], *PEOPLE[3:], PEOPLE[VICTIM]], [PEOPLE[VICTIM], *PEOPLE[:2], *PEOPLE[4:]]):
        erased.write_text("".join(f"{row}\n" for row in rows))
        found = report(erased, anchor)
        assert found.verdict == "failed"
        (change,) = found.changes
        assert ("1 too many: 5 sealed, 1 erased" in change.note) is (len(rows) == len(PEOPLE))
        assert ("not in their order" in change.note) is (len(rows) < len(PEOPLE))
    erased.write_bytes(good.replace(PEOPLE[0].encode(), PEOPLE[VICTIM].encode()))
    assert report(erased, anchor).verdict == "failed"


def test_a_salt_that_is_still_there_fails(erased, anchor):
    salts = beside(erased, "salts")
    data = bytearray(salts.read_bytes())
    data[16 + 32 * VICTIM] = 1
    salts.write_bytes(data)
    found = report(erased, anchor)
    assert found.verdict == "failed"
    assert "the salt of an erased record is still there: record 3" in erasure_of(found).summary


def test_a_salt_that_is_gone_without_a_tombstone_fails(sealed, anchor):
    salts = beside(sealed, "salts")
    data = bytearray(salts.read_bytes())
    data[16:48] = bytes(32)
    salts.write_bytes(data)
    assert report(sealed, anchor).verdict == "failed"


def test_a_forged_tombstone_excuses_nothing(sealed, anchor):
    """Whoever has artifact and salts can make a good tombstone; that somebody trusted published it, he cannot."""
    salts = beside(sealed, "salts")
    data = bytearray(salts.read_bytes())
    bundle = seal(sealed, blind=True).bundle
    leaf = Leaf(Kind.RECORD, "", len(PEOPLE[0]), BLAKE3.digest(PEOPLE[0].encode()), salt=bytes(data[16:48]))
    forged = Tombstone(
        statement=erasure_statement(bundle.statement, Erasure(sealed.name, {0: leaf_hash(leaf.data())}, None), None)
    )
    data[16:48] = bytes(32)
    salts.write_bytes(data)
    sealed.write_text("".join(f"{person}\n" for person in PEOPLE[1:]))
    put(sealed, forged)
    stranger = MemoryAnchor("stranger")
    (receipt,) = stranger.publish([Submission(forged.statement.digest())])
    for tombstone in (forged, forged.with_receipts((receipt,))):
        put(sealed, tombstone)
        assert report(sealed, anchor).verdict == "failed"  # who was named is silent about it
        for trust in (Trust(assumed=[anchor]), Trust(content_only=True), Trust()):
            found = verify(sealed, trust=trust)
            assert found.verdict == "inconclusive"
            assert erasure_of(found).outcome == "unchecked"
    both = MemoryAnchor("both")
    both.publish([Submission(bundle.statement.digest()), Submission(forged.statement.digest())])
    assert verify(sealed, trust=Trust(anchors=[both])).verdict == "verified"
    assert verify(sealed, trust=Trust(anchors=[both, anchor])).verdict == "failed"
    assert verify(sealed, trust=Trust(groups=[Quorum(2, [both, anchor])])).verdict == "failed"
    assert verify(sealed, trust=Trust(fingerprint=bundle.statement.subject[0].digest["mltrust-1"])).verdict == (
        "inconclusive"
    )


def test_one_who_vouches_for_the_erasure_does_not_vouch_for_the_seal(erased):
    (tombstone,) = tombstones(erased)
    other = MemoryAnchor("other")
    other.publish([Submission(tombstone.statement.digest())])
    found = verify(erased, trust=Trust(assumed=[other]))
    assert erasure_of(found).outcome == "pass"
    assert found.verdict == "inconclusive"
    assert not found.vouchers


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"records": [{"index": VICTIM, "leaf": "0" * 64}]}, None),
        ({"records": [{"index": VICTIM + 1, "leaf": "0" * 64}]}, None),
        ({"records": [{"index": 99, "leaf": "0" * 64}]}, "no blinded file"),
        ({"seal": "sha256:" + "0" * 64}, "another seal"),
        ({"file": "other.jsonl"}, "no blinded file"),
        ({"previous": "sha256:" + "0" * 64}, "does not follow"),
    ],
)
def test_an_edited_tombstone_fails(erased, anchor, changes, said):
    (good,) = tombstones(erased)
    edited = restated(good, **changes)
    put(erased, edited)
    anchor.publish([Submission(edited.statement.digest())])  # even if somebody trusted vouches for it
    found = report(erased, anchor)
    assert found.verdict == "failed"
    if said:
        assert said in erasure_of(found).summary
        with pytest.raises(SealError):
            erase(erased, records=[1], anchors=[anchor])
    put(erased, good.with_receipts(()), edited)
    assert report(erased, anchor).verdict == "failed"


def test_a_tombstone_or_the_last_of_them_cannot_be_taken_away(erased, anchor):
    erase(erased, records=[1], anchors=[anchor])
    first, second = tombstones(erased)
    assert report(erased, anchor).verdict == "verified"
    for left in ((first,), (second,), (second, first)):
        put(erased, *left)
        assert report(erased, anchor).verdict == "failed"
    beside(erased, "erasures.json").unlink()
    assert report(erased, anchor).verdict == "failed"


def test_nobody_is_asked_about_more_than_one_made_up_erasure(erased, anchor):
    asked = []

    class Counting(MemoryAnchor):
        def find(self, submission):
            asked.append(submission.digest)
            return anchor.find(submission)

        def confirm(self, receipt, digest):
            return anchor.confirm(receipt, digest)

    (chain,) = [list(tombstones(erased))]
    bundle = seal_of(erased)
    for index in (0, 1, 3, 4):
        forged = Erasure(erased.name, {index: bytes(32)}, None)
        chain.append(Tombstone(statement=erasure_statement(bundle.statement, forged, chain[-1].statement)))
    put(erased, *chain)
    salts = beside(erased, "salts")
    salts.write_bytes(salts.read_bytes()[:16] + bytes(32 * len(PEOPLE)))
    found = verify(erased, trust=Trust(assumed=[Counting()]))
    assert found.verdict == "failed"
    outcomes = [check.outcome for check in found.checks if check.kind is CheckKind.ERASURE]
    assert outcomes == ["pass", *["unchecked"] * 4]
    assert asked == [chain[1].statement.digest()]


@pytest.mark.parametrize("what", ["huge", "deep", "fifo", "text"])
def test_a_hostile_file_of_tombstones_is_refused_at_once(sealed, anchor, what):
    path = beside(sealed, "erasures.json")
    if what == "fifo":
        os.mkfifo(path)
    elif what == "huge":
        with path.open("wb") as opened:
            opened.truncate(2**27 + 1)
    else:
        path.write_bytes({"deep": b"[" * 100_000, "text": b"\xff\xfe"}[what])
    with pytest.raises(FormatError):
        report(sealed, anchor)
    with pytest.raises(FormatError):
        erase(sealed, records=[1], anchors=[anchor])


def test_a_reason_cannot_play_tricks_on_a_terminal(sealed, anchor):
    erase(sealed, records=[1], anchors=[anchor], reason="x\x1b[2J\n::error::\u202e")
    summary = erasure_of(report(sealed, anchor)).summary
    assert summary.isprintable()


def test_what_was_erased_meanwhile_is_not_written_over(erased):
    found = tombstones(erased)
    seal_file, before = beside(erased, "json"), beside(erased, "erasures.json").read_bytes()
    for seen in ((), (*found, *found)):
        with pytest.raises(SealError, match="meanwhile"):
            put_tombstones(seal_file, seen, found)
    assert beside(erased, "erasures.json").read_bytes() == before


def test_a_link_is_not_written_through(tmp_path, people, anchor):
    folder = tmp_path / "data"
    (folder / "inner").mkdir(parents=True)
    people.rename(folder / "inner/people.jsonl")
    (folder / "link.jsonl").symlink_to("inner/people.jsonl")
    seal(folder, anchors=[anchor], blind=True)
    with pytest.raises(UsageError, match="link"):
        erase(folder, records=[1], file="link.jsonl", anchors=[anchor])
    assert not (folder / "mltrust.seal.erasures.json").exists()


def test_salts_behind_a_link_are_refused_before_anything_is_published(sealed, anchor):
    salts = beside(sealed, "salts")
    salts.rename(salts.with_name("elsewhere"))
    salts.symlink_to("elsewhere")
    assert report(sealed, anchor).verdict == "verified"
    with pytest.raises(UsageError, match="link"):
        erase(sealed, records=[1], anchors=[anchor])
    assert not beside(sealed, "erasures.json").exists()
    erase(sealed, records=[1], anchors=[anchor], salts=salts.with_name("elsewhere"))
    assert report(sealed, anchor).verdict == "verified"


def test_a_tombstone_with_a_wrong_hash_is_not_taken_up(sealed, anchor):
    forged = Erasure(sealed.name, {VICTIM: bytes(32)}, None)
    put(sealed, Tombstone(statement=erasure_statement(seal_of(sealed).statement, forged, None)))
    before = {path.name: path.read_bytes() for path in sealed.parent.iterdir()}
    with pytest.raises(ArtifactError, match="not the sealed ones"):
        erase(sealed, records=[VICTIM + 1], anchors=[anchor])
    assert {path.name: path.read_bytes() for path in sealed.parent.iterdir()} == before


def test_a_reason_that_somebody_planted_is_not_signed(sealed, anchor, tmp_path):
    """Whoever can read the rows and their salts can begin an erasure, in words that another one is to sign."""
    copy = tmp_path / "copy"
    copy.mkdir()
    for path in sealed.parent.glob(f"{sealed.name}*"):
        shutil.copy(path, copy)
    erase(copy / sealed.name, records=[VICTIM + 1], anchors=[], reason="he asked \u202e for it")
    shutil.copy(beside(copy / sealed.name, "erasures.json"), beside(sealed, "erasures.json"))
    before = {path.name: path.read_bytes() for path in sealed.parent.iterdir() if path.is_file()}
    for reason in (None, "request 7"):
        with pytest.raises(UsageError, match=r"begun for the reason: he asked \\u202e for it"):
            erase(sealed, records=[VICTIM + 1], anchors=[anchor], reason=reason)
    assert {path.name: path.read_bytes() for path in sealed.parent.iterdir() if path.is_file()} == before
    erase(sealed, records=[VICTIM + 1], anchors=[anchor], reason="he asked \u202e for it")
    assert report(sealed, anchor).verdict == "verified"
    with pytest.raises(UsageError, match="begun for the reason"):
        erase(sealed, records=[VICTIM + 1], anchors=[anchor])


def test_a_row_that_was_changed_is_not_erased(sealed, anchor):
    good = sealed.read_bytes()
    sealed.write_bytes(good.replace(b"4009", b"4008"))
    with pytest.raises(ArtifactError, match="does not hold the sealed records"):
        erase(sealed, records=[VICTIM + 1], anchors=[anchor])
    sealed.write_bytes(good)
    assert report(sealed, anchor).verdict == "verified"
