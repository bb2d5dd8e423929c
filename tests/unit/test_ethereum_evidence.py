"""Evidence as a document, and receipts made of it."""

import json
from pathlib import Path

import pytest
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec

from mltrust.anchors.ethereum.proof.evidence import KIND, Evidence, Proven, prove, receipt_for
from mltrust.core.digest import Digest
from mltrust.core.receipt import Receipt, TimeBounds
from mltrust.errors import AnchorError, ContradictionError, ForeignReceiptError, FormatError

FOLDER = Path(__file__).parents[1] / "vectors" / "ethereum"


def vector(name):
    return json.loads((FOLDER / f"{name}.json").read_bytes())


def receipt(name="anvil-event-3"):
    return Receipt.from_json(vector(name)["receipt"], "vector")


@pytest.mark.parametrize("name", ["anvil-event-3", "pyevm-calldata-3"])
def test_a_receipt_is_made_of_digest_and_evidence(name):
    """Its time is that of the block, and nobody has to compute it."""
    made = receipt(name)
    again = receipt_for(Digest.parse(made.digest), Evidence.of(made))
    assert again == made
    assert again.kind == KIND
    assert again.time == TimeBounds(not_after=vector(name)["receipt"]["time"]["not_after"])


def test_evidence_survives_json():
    evidence = Evidence.of(receipt())
    assert Evidence.from_json(json.loads(json.dumps(evidence.to_json())), "evidence") == evidence


def test_evidence_has_one_spelling():
    made = receipt()
    assert Evidence.of(made).to_json() == made.evidence


def test_what_is_proven_says_who_and_when():
    proven = prove(receipt(), Digest.parse(receipt().digest))
    assert isinstance(proven, Proven)
    assert proven.time.not_after.endswith("Z")
    assert proven.author.hex() == vector("anvil-event-3")["expected"]["author"]
    assert len(proven.commitment) == len(proven.transaction_hash) == 32


def test_an_announcement_through_another_contract_is_of_nobody():
    """The event is real, and names the contract between. But nobody signed what it says."""
    with pytest.raises(ContradictionError, match="to somebody else"):
        prove(receipt("anvil-relayed-3"), Digest.parse(receipt("anvil-relayed-3").digest))


def test_surprises_are_named():
    made = receipt()
    with pytest.raises(FormatError, match=r"ethereum receipt: .*mode"):
        Evidence.of(made.model_copy(update={"evidence": {**made.evidence, "mode": "\x1b[31m"}}))


def test_a_damaged_receipt_is_a_finding_and_a_foreign_one_is_not():
    made, digest = receipt(), Digest.parse(receipt().digest)
    with pytest.raises(ContradictionError) as damaged:
        prove(made.model_copy(update={"evidence": {}}), digest)
    assert not isinstance(damaged.value, ForeignReceiptError)
    with pytest.raises(ForeignReceiptError):
        prove(made.model_copy(update={"kind": "rfc3161"}), digest)


def test_a_machine_without_the_curve_can_tell_nothing(monkeypatch):
    """Some builds of OpenSSL leave it out, and that is no finding."""

    def refuse(*_):
        raise UnsupportedAlgorithm("secp256k1")

    monkeypatch.setattr(ec.EllipticCurvePublicKey, "from_encoded_point", refuse)
    with pytest.raises(AnchorError, match="no secp256k1") as caught:
        prove(receipt(), Digest.parse(receipt().digest))
    assert not isinstance(caught.value, ContradictionError)
    assert caught.value.hint
