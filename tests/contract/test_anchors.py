from datetime import UTC, datetime

import pytest

from mltrust.anchors.ledger import LedgerAnchor
from mltrust.anchors.ledger.cosignature import Witnesses
from mltrust.interfaces import Home
from mltrust.testing import AnchorContract, MemoryAnchor


class TestMemoryAnchor(AnchorContract):
    @pytest.fixture
    def anchor(self):
        return MemoryAnchor("one")

    @pytest.fixture
    def other(self):
        return MemoryAnchor("two")

    @pytest.fixture
    def uri(self):
        return "memory:one"


class TestLedgerAnchor(AnchorContract):
    @pytest.fixture
    def anchor(self, tmp_path):
        return LedgerAnchor(tmp_path / "one", Home(tmp_path / "data", tmp_path / "state"))

    @pytest.fixture
    def other(self, tmp_path):
        return LedgerAnchor(tmp_path / "two", Home(tmp_path / "data", tmp_path / "state"))

    @pytest.fixture
    def uri(self, tmp_path):
        return f"ledger:{tmp_path}/one"


class Witnessed(LedgerAnchor):
    """A ledger that needs a witness, and has one at hand that cosigns whatever was published."""

    def publish(self, submissions):
        if not submissions:
            return super().publish(submissions)
        super().publish(submissions)
        self.witness.keep_cosigned(self.witness.cosign())
        return super().publish(submissions)


@pytest.fixture
def witnessed(tmp_path):
    """Return a function that makes such a ledger."""

    def make(name):
        home, theirs = (Home(tmp_path / who / "data", tmp_path / who / "state") for who in ("keeper", "witness"))
        noon = datetime(2026, 11, 22, 12, tzinfo=UTC)
        witness = LedgerAnchor(tmp_path / name, theirs, clock=lambda: noon)
        anchor = Witnessed(tmp_path / name, home, witnesses=Witnesses((witness.cosigner_key(),), 1))
        anchor.witness = witness
        return anchor

    return make


class TestWitnessedLedger(AnchorContract):
    @pytest.fixture
    def anchor(self, witnessed):
        return witnessed("one")

    @pytest.fixture
    def other(self, witnessed):
        return witnessed("two")

    def test_hostile_evidence_never_passes(self, anchor):
        """The ledger itself holds the cosignature, and lines of unknown keys are ignored: offline all must be right."""
        settings = {"witnesses": [str(anchor.witness.cosigner_key())]}
        super().test_hostile_evidence_never_passes(_ByKey(anchor, settings))


class _ByKey:
    """Publishes in a ledger, confirms by its key alone."""

    def __init__(self, ledger, settings):
        self._ledger = ledger
        self._settings = settings
        self.publish = ledger.publish

    def confirm(self, receipt, digest):
        return LedgerAnchor.from_key(self._ledger.verifier_key(), self._settings).confirm(receipt, digest)


def test_hostile_evidence_never_passes_by_key_alone(tmp_path):
    ledger = LedgerAnchor(tmp_path / "one", Home(tmp_path / "data", tmp_path / "state"))
    AnchorContract().test_hostile_evidence_never_passes(_ByKey(ledger, {}))
