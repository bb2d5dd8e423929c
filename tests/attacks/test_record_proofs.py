"""Proofs of records that somebody edited, put together anew, or offers for something else."""

import json

import pytest

import mltrust
from mltrust.core.digest import BLAKE3
from mltrust.core.proof import Absence
from mltrust.core.record_index import paths
from mltrust.proving import prove_records
from mltrust.testing import MemoryAnchor

LINES = [f'{{"id": {number}}}' for number in range(20)]
GONE = b'{"id": 99}'


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a folder, who vouches for it, proofs of a record and an absence of two files, and the fingerprint."""
    folder = tmp_path_factory.mktemp("records") / "data"
    folder.mkdir()
    (folder / "a.jsonl").write_text("\n".join(LINES))
    (folder / "b.jsonl").write_text("\n".join(LINES[:5]))
    anchor = MemoryAnchor()
    sealed = mltrust.seal(folder, anchors=[anchor], means=mltrust.default_means(records_index=True))
    trust = mltrust.Trust(anchors=(anchor,))
    proofs = {}
    for file in ("a", "b"):
        answers = prove_records(sealed.path, [3, GONE], file=f"{file}.jsonl")
        documents = [json.loads(answer.proof.serialize()) for answer in answers]
        proofs |= {f"{file} present": documents[0], f"{file} absent": documents[1]}
    return folder, trust, proofs, sealed.predicate.fingerprint().hex()


@pytest.fixture
def verdict(made, tmp_path):
    """Return a function that checks a proof document: its verdict, or what it was refused as."""

    gone = tmp_path / "what is absent"
    gone.write_bytes(GONE)

    def check(document, content=None):
        path = tmp_path / "p.json"
        path.write_text(json.dumps(document))
        content = content or (gone if document.get("absence") else None)
        try:
            return mltrust.check(path, trust=made[1], content=content).verdict.value
        except mltrust.UnreadableError:
            return "refused"

    return check


def others(value):
    """Yield values near this one: a number beside it, a hash with one bit flipped at either end."""
    if isinstance(value, int):
        yield from (value + 1, value - 1, 0 if value else 2**53)
    elif isinstance(value, str) and len(value) == 64:
        yield f"{int(value[0], 16) ^ 8:x}{value[1:]}"
        yield f"{value[:-1]}{int(value[-1], 16) ^ 1:x}"
    else:
        yield from ("00" * 32, 1) if value is None else (f"{value}x", None)


@pytest.mark.parametrize("which", ["a present", "a absent"])
def test_a_flipped_bit_in_any_field(made, verdict, which, edits):
    document = made[2][which]
    assert verdict(document) == "verified"
    tried = 0
    for place, copy in edits(document, others):
        if place[0] != "receipts":
            assert verdict(copy) in ("failed", "refused"), place
            tried += 1
    assert tried > 80


@pytest.mark.parametrize("which", ["a present", "a absent"])
def test_a_key_left_out_or_added(made, verdict, which):
    document = made[2][which]
    for key in document:
        # Without its absence it is a proof, and a true one, of the file alone.
        expected = "verified" if key == "absence" else "refused"
        assert verdict({k: v for k, v in document.items() if k != key}) == expected
    assert verdict({**document, "more": 1}) == "refused"
    level = document["levels"][-1]
    for key in level["leaf"]:
        leaf = {k: v for k, v in level["leaf"].items() if k != key}
        assert verdict({**document, "levels": [*document["levels"][:-1], {**level, "leaf": leaf}]}) == "refused"


def test_the_parts_of_one_proof_in_another(made, verdict):
    proofs = made[2]
    for one, two in (("a present", "b present"), ("b present", "a present")):
        mixed = {**proofs[one], "levels": [proofs[two]["levels"][0], proofs[one]["levels"][1]]}
        assert verdict(mixed) == "failed"
    for one, two in (("a absent", "b absent"), ("b absent", "a absent")):
        assert verdict({**proofs[one], "absence": proofs[two]["absence"]}) == "failed"


def test_presence_relabelled_as_absence(made, verdict):
    present, absent = made[2]["a present"], made[2]["a absent"]
    top, record = present["levels"]
    assert verdict({**present, "absence": absent["absence"]}) == "refused"
    claimed = {**absent["absence"], "digest": record["leaf"]["digest"]}
    assert verdict({**absent, "absence": claimed}) == "failed"
    as_steps = [{"bit": bit, "sibling": sibling} for bit, sibling in enumerate(record["path"])]
    for found in (absent["absence"]["found"], record["leaf"]["digest"], None):
        forged = {"digest": record["leaf"]["digest"], "path": as_steps, "found": found}
        assert verdict({**present, "levels": [top], "absence": forged}) == "failed"


def test_absence_relabelled_as_presence(made, verdict, tmp_path):
    present, absent = made[2]["a present"], made[2]["a absent"]
    top, record = present["levels"]
    asked = {**record["leaf"], "size": len(GONE), "digest": absent["absence"]["digest"]}
    steps = [step["sibling"] for step in absent["absence"]["path"]]
    for index in range(20):
        for path in (steps, steps[::-1], record["path"]):
            forged = {"leaf": asked, "index": index, "path": path}
            assert verdict({**present, "levels": [top, forged]}) == "failed"
    (tmp_path / "gone").write_bytes(GONE)
    without = {key: value for key, value in absent.items() if key != "absence"}
    assert verdict(without, tmp_path / "gone") == "failed"  # what is left is about the file


def test_the_absence_of_one_record_offered_for_another(made, verdict, tmp_path):
    absent = made[2]["a absent"]
    (tmp_path / "r").write_bytes(GONE)
    assert verdict(absent, tmp_path / "r") == "verified"
    for other in [*LINES, '{"id":99}', '{"id": 99} ']:
        (tmp_path / "r").write_text(other)
        assert verdict(absent, tmp_path / "r") == "failed"


def test_no_path_makes_a_record_absent_that_is_there(made, verdict):
    """Whatever way an honest lookup of any key takes, it does not show the digest of a record to be absent."""
    digests = sorted(BLAKE3.digest(line.encode()) for line in LINES)
    absent = made[2]["a absent"]
    root, ways = paths(digests, [*digests, BLAKE3.digest(GONE)])
    assert absent["levels"][0]["leaf"]["records"]["index_root"] == root.hex()
    for way in ways.values():
        forged = Absence.of(digests[3], way).to_json()
        assert verdict({**absent, "absence": forged}) == "failed"


def test_records_where_none_belong(made, verdict):
    present = made[2]["a present"]
    top, record = present["levels"]
    for levels in ([record], [record, top], [top, top], [record, record]):
        assert verdict({**present, "levels": levels}) == "failed"
    assert verdict({**present, "levels": [top, record, record]}) == "refused"
    as_file = {**record, "leaf": {**record["leaf"], "kind": "file", "name": "a.jsonl"}}
    assert verdict({**present, "levels": [top, as_file]}) == "failed"


def test_paths_that_are_too_short_too_long_or_without_end(made, verdict, edited):
    present, absent = made[2]["a present"], made[2]["a absent"]
    for at in (0, 1):
        path = present["levels"][at]["path"]
        for wrong in (path[:-1], path[1:], [*path, "00" * 32], path * 2):
            assert verdict(edited(present, ("levels", at, "path"), wrong)) == "failed"
    assert verdict(edited(present, ("levels", 1, "path"), ["00" * 32] * 64)) == "refused"
    steps = absent["absence"]["path"]
    for wrong in (steps[:-1], steps[1:], steps * 2, [], steps[::-1], [*steps, {"bit": 255, "sibling": "00" * 32}]):
        assert verdict(edited(absent, ("absence", "path"), wrong)) == "failed"
    for count, expected in ((256, "failed"), (257, "refused")):
        endless = [{"bit": min(bit, 255), "sibling": "00" * 32} for bit in range(count)]
        assert verdict(edited(absent, ("absence", "path"), endless)) == expected


def test_another_artifact(made, tmp_path):
    """A proof that is sound in itself says nothing of an artifact that has another fingerprint."""
    folder = tmp_path / "data"
    folder.mkdir()
    (folder / "a.jsonl").write_text("\n".join(LINES[:-1]))
    sealed = mltrust.seal(folder, means=mltrust.default_means(records_index=True))
    for answer in prove_records(sealed.path, [3, GONE, LINES[-1].encode()], file="a.jsonl"):
        (tmp_path / "p.json").write_bytes(answer.proof.serialize())
        trust = mltrust.Trust(fingerprint=made[3])
        report = mltrust.check(tmp_path / "p.json", trust=trust)
        outcomes = [check.outcome.value for check in report.checks]
        assert outcomes == ["pass", "pass", "fail"]
